# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The small files through which an edge's agent, its health check and its operator speak to each other.

``drains.json`` holds the drains that an operator asked for; it outlives reboots. ``leases.json`` holds the
controller's word on what the health check wishes to take back of its own accord; it is written by the agent.
What the health check says stands in its own state file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, TypeAlias

#: What an edge may ask a lease for: to be chosen less, or to take its prefix back.
Wish: TypeAlias = Literal["degrade", "drain"]
#: The health check writes its state file every round; one that is older was left by a check that does not run.
STALE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Drain:
    """An operator's wish that this edge does not attract the traffic of *prefix*.

    *since* is ISO 8601 in UTC, *forced* that it needs no lease.
    """

    prefix: str
    since: str
    reason: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Lease:
    """The controller's answer to a wish for *prefix*; *reason* says why it is not *granted*.

    *pending*: it is not known yet; other edges are being asked whether they are there.
    """

    prefix: str
    wish: Wish
    granted: bool
    reason: str = ""
    pending: bool = False


def read_drains(path: Path) -> tuple[Drain, ...]:
    """The drains in force; none if there is no file. Raises :class:`OSError` or :class:`ValueError`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(_drain(entry) for entry in _entries(data, "drains", path))


def write_drains(path: Path, drains: Iterable[Drain]) -> None:
    """Replace the file in one step. Raises :class:`OSError`."""
    _write(path, {"drains": [asdict(drain) for drain in drains]})


def read_leases(path: Path) -> tuple[Lease, ...]:
    """The controller's latest answers; none if there is no file. Raises :class:`OSError` or :class:`ValueError`."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ()
    return tuple(_lease(entry) for entry in _entries(data, "leases", path))


def write_leases(path: Path, leases: Iterable[Lease]) -> None:
    """Replace the file in one step. Raises :class:`OSError`."""
    _write(path, {"leases": [asdict(lease) for lease in leases]})


def _drain(entry: object) -> Drain:
    if not isinstance(entry, dict) or not isinstance(entry.get("prefix"), str):
        raise ValueError("a drain names no prefix")
    return Drain(
        entry["prefix"], str(entry.get("since", "")), str(entry.get("reason", "")), entry.get("forced") is True
    )


def _lease(entry: object) -> Lease:
    if not isinstance(entry, dict) or not isinstance(entry.get("prefix"), str):
        raise ValueError("a lease names no prefix")
    wish = entry.get("wish")
    if wish not in ("degrade", "drain"):
        raise ValueError(f"a lease is for {wish!r}, which is no wish")
    granted, pending = entry.get("granted") is True, entry.get("pending") is True
    return Lease(entry["prefix"], wish, granted, str(entry.get("reason", "")), pending)


def _entries(data: bytes, name: str, path: Path) -> list[object]:
    document = json.loads(data)
    entries = document.get(name) if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError(f"{path} holds no list of {name}")
    return entries


def _write(path: Path, document: object) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        json.dump(document, file, separators=(",", ":"))
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
