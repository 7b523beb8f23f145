# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the agent says that this edge serves: its ``served.json``, read for the serials to expect.

The agent writes a serial there only after a query has proved it, or before it has the server go
back to it, so an older one in an answer is a wrong answer. A file that is gone or unreadable
changes nothing: the last one read stays in force, as NSD goes on serving without the agent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ServedZone:
    """A zone and the serial that has been proved to be served; *signed* says whether RRSIGs must be there."""

    name: str
    serial: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Served:
    """The agent's latest word; *problems* are its soft reasons, *notes* what it says that moves nothing."""

    head: int = 0
    zones: Mapping[str, ServedZone] = field(default_factory=dict)
    probe_zone: str | None = None
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_probe(self, wanted: tuple[str, ...]) -> tuple[ServedZone, ...]:
        """The zones to ask for: those *wanted*, else the agent's choice, else the first by name."""
        if wanted:
            return tuple(self.zones[name] for name in wanted if name in self.zones)
        if self.probe_zone is not None and self.probe_zone in self.zones:
            return (self.zones[self.probe_zone],)
        return (self.zones[min(self.zones)],) if self.zones else ()


class ServedFile:
    """Reads the file again when it has changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int, int] | None = None
        self._served = Served()
        self._problem: str | None = None

    def read(self) -> tuple[Served, str | None]:
        """The latest content that could be read, and what is wrong with the file now, if anything."""
        try:
            status = self._path.stat()
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._served = parse(self._path.read_bytes())
                self._stamp = stamp
            self._problem = None
        except FileNotFoundError:
            self._problem = f"the agent has not written {self._path} yet"
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._problem = f"{self._path} cannot be read: {error}"
        return self._served, self._problem


def parse(data: bytes) -> Served:
    """Read the document. Raises :class:`ValueError`, :class:`KeyError` or :class:`TypeError` for one that is none."""
    document = json.loads(data)
    zones = {
        entry["name"]: ServedZone(entry["name"], int(entry["serial"]), bool(entry.get("signed", True)))
        for entry in document["zones"]
    }
    notes, problems = [], []
    if document.get("controller_reachable") is False:
        # All edges lose it at once when it is the controller that is gone.
        notes.append("the agent cannot reach its controller")
    if document.get("head_expired") is True:
        problems.append("the agent's head has expired")
    return Served(int(document.get("head") or 0), zones, document.get("probe_zone"), tuple(problems), tuple(notes))
