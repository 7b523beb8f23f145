# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the command prints: tables and plans for people, tab-separated lines for pipes, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from arca_dns.client.base import Difference, Outcome, Plan, RecordSet

_SIGNS = {"+": "green", "-": "red"}


def printable(text: object) -> str:
    """*text* without what moves a terminal's cursor: reasons and names are other people's."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in str(text))


def say(text: str) -> None:
    """A line for people, which is no result: on standard error."""
    sys.stderr.write(printable(text) + "\n")


def as_json(value: Any) -> None:
    """*value* as JSON on one line, or indented on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def as_line(value: Any) -> None:
    """*value* as JSON on one line, at once: somebody follows."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under their headings; tab-separated and never cut where standard output is no terminal."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            sys.stdout.write("\t".join(_cell(value) for value in row) + "\n")
        return
    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(value)) for value in row))
    Console().print(shown)


def fields(pairs: Iterable[tuple[str, object]]) -> None:
    """One line for each field of one thing."""
    held = list(pairs)
    width = max((len(name) for name, _value in held), default=0)
    for name, value in held:
        sys.stdout.write(f"{name.ljust(width)}  {_cell(value)}\n")


def lines(found: Iterable[str]) -> None:
    """Lines as they are, at once."""
    for line in found:
        sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(value)


def differences(found: Sequence[Difference]) -> None:
    """What goes and what comes, as zone-file lines."""
    console = Console(highlight=False, soft_wrap=True)
    for difference in found:
        for sign, side in (("-", difference.before), ("+", difference.after)):
            for line in () if side is None else side.lines():
                console.print(Text(f"{sign} {printable(line)}", style=_SIGNS[sign]))


def plan(found: Plan) -> None:
    """A plan: its differences, and on standard error what was said about it."""
    differences(found.differences)
    for text in found.warnings:
        say(f"warning: {text}")
    for text in found.refusals:
        say(f"needs --force: {text}")


def outcome(done: Outcome, json_wanted: bool, zone: str, *, shown: bool = False) -> None:
    """What a write did; the plan only where it was not *shown* before."""
    if json_wanted:
        as_json({"zone": zone, **outcome_of(done)})
        return
    if not shown:
        plan(done.plan)
    if not done.changed:
        say(f"{zone}: nothing to change")
    elif not done.applied:
        say(f"{zone}: this is the plan; nothing was written")
    else:
        say(f"{zone}: version {done.version}, serial {done.serial}")
    if done.problem is not None:
        say(f"{zone}: stored, but not served yet: {done.problem}")


def outcome_of(done: Outcome) -> dict[str, Any]:
    """A write's outcome as JSON."""
    return {
        "changed": done.changed,
        "applied": done.applied,
        "version": done.version,
        "serial": done.serial,
        "published": done.published,
        "problem": done.problem,
        "plan": {
            "differences": [difference_of(one) for one in done.plan.differences],
            "warnings": list(done.plan.warnings),
            "refusals": list(done.plan.refusals),
        },
    }


def difference_of(one: Difference) -> dict[str, Any]:
    """A difference as JSON."""
    return {
        "before": None if one.before is None else record_set_of(one.before),
        "after": None if one.after is None else record_set_of(one.after),
    }


def record_set_of(one: RecordSet) -> dict[str, Any]:
    """An RRset as JSON."""
    return {**asdict(one), "values": list(one.values)}
