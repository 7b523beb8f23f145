# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The state file: what the daemon knows, for people, the agent's attestations, and the daemon after a restart."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeAlias

from .decision import Memory
from .stance import Past


@dataclass(frozen=True, slots=True)
class PrefixState:
    """One prefix. *mode* is what BIRD really does, *wanted* what is decided, *state* whether any session has got it.

    *service* is the name of its service, if it has one; *wish* is what a lease is needed for or held, *refusal* why it
    is not done.
    """

    prefix: str
    service: str
    state: str
    mode: str
    wanted: str
    condition: str
    wish: str | None
    refusal: str | None
    health: str
    since: str
    good_rounds: int
    bad_rounds: int
    exported_to: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    held_for_seconds: int = 0
    last_withdrawal: str | None = None
    past: Past = field(default_factory=Past)


@dataclass(frozen=True, slots=True)
class CheckState:
    """The latest outcome of one check."""

    check: str
    ok: bool
    reason: str | None
    latency_ms: float


@dataclass(frozen=True, slots=True)
class SessionState:
    """A BGP session as BIRD reports it."""

    name: str
    established: bool


@dataclass(frozen=True, slots=True)
class State:
    """The whole document. *announced* are the prefixes that at least one BGP session has got."""

    updated: str
    announced: tuple[str, ...]
    prefixes: tuple[PrefixState, ...]
    sessions: tuple[SessionState, ...]
    checks: tuple[CheckState, ...]
    bird_problem: str | None = None
    bird_version: str = ""


#: The state file, as it is read: its makers are the dataclasses above.
Document: TypeAlias = Mapping[str, Any]


def timestamp(time: datetime) -> str:
    """ISO 8601 in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def write(path: Path, state: State) -> None:
    """Replace the file atomically, readable by all."""
    fresh = path.with_name(f".{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        json.dump(asdict(state), file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")
    os.replace(fresh, path)


def read(path: Path) -> Document:
    """The document as it stands. Raises :class:`OSError` or :class:`ValueError`."""
    document = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(document, dict):
        raise ValueError(f"{path} is not a health state")
    return document


def remembered(path: Path) -> dict[str, Past]:
    """What a daemon that ran before left, by prefix; nothing after a boot, as the file is in /run."""
    try:
        return {entry["prefix"]: _past(entry["past"]) for entry in read(path)["prefixes"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _past(value: Mapping[str, Any]) -> Past:
    decision = value["decision"]
    memory = Memory(tuple(float(time) for time in decision["withdrawals"]), float(decision["hold_until"]))
    leaving = value.get("leaving") is True
    return Past(memory, _moment(value["degraded_since"]), _moment(value["draining_since"]), leaving)


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None
