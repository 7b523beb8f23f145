# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The health check's state file in words: one line per prefix, or all that is known about why it is as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from .edge_files import STALE_SECONDS

#: The state file, as it is read.
Document: TypeAlias = Mapping[str, Any]


def age(state: Document, now: datetime) -> timedelta:
    """How old the state is."""
    written = datetime.strptime(state["updated"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return now - written


def status_lines(state: Document, now: datetime) -> Iterator[str]:
    """One line per prefix, after a warning if the state is old."""
    yield from _warnings(state, now)
    for entry in state["prefixes"]:
        to = f" to {', '.join(entry['exported_to'])}" if entry["exported_to"] else ""
        yield f"{_named(entry)}  {entry['mode']}{to}, {entry['condition']}, since {entry['since']}"


def explain_lines(state: Document, now: datetime) -> Iterator[str]:
    """Why each prefix is announced or not, with every check and session."""
    yield from _warnings(state, now)
    for entry in state["prefixes"]:
        yield f"{_named(entry)} is {entry['mode']} since {entry['since']}"
        yield f"  it is {entry['condition']} and should be {entry['wanted']}; the latest round was {entry['health']}"
        if entry["wish"] and entry["refusal"]:
            yield f"  it wishes to {entry['wish']}, and has no lease: {entry['refusal']}"
        elif entry["wish"]:
            yield f"  it has a lease to {entry['wish']}"
        if entry["state"] == "announced":
            yield f"  BIRD exports it to {', '.join(entry['exported_to'])}"
        elif entry["condition"] == "drained":
            yield "  it stays withdrawn until 'arca-dns-agent undrain'"
        elif entry["wanted"] != "withdrawn":
            yield "  no established BGP session has got it: see the sessions below"
        elif entry["held_for_seconds"]:
            yield f"  held down for {entry['held_for_seconds']} s more, because it has been flapping"
        else:
            yield f"  good rounds in a row: {entry['good_rounds']}; bad rounds in a row: {entry['bad_rounds']}"
        if entry["last_withdrawal"]:
            yield f"  last withdrawn by the checks at {entry['last_withdrawal']}"
        for reason in entry["reasons"]:
            yield f"  reason: {reason}"
    yield "checks"
    for check in state["checks"]:
        verdict = "ok " if check["ok"] else "BAD"
        yield f"  {verdict} {check['check']} ({check['latency_ms']} ms) {check['reason'] or ''}".rstrip()
    if not state["checks"]:
        yield "  none has run"
    yield "BGP sessions"
    for session in state["sessions"]:
        yield f"  {session['name']}: {'established' if session['established'] else 'not established'}"
    if not state["sessions"]:
        yield "  none"


def _named(entry: Document) -> str:
    """The prefix, and its service where that has a name."""
    service = entry.get("service")
    return f"{entry['prefix']} ({service})" if service else str(entry["prefix"])


def _warnings(state: Document, now: datetime) -> Iterator[str]:
    old = age(state, now)
    if old > timedelta(seconds=STALE_SECONDS):
        yield f"WARNING: this is {old.total_seconds():.0f} s old: is arca-dns-health.service running?"
    if state["bird_problem"]:
        yield f"WARNING: {state['bird_problem']}"
