# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A note on disk of a configuration transaction that the agent may have left open in Knot.

Knot has one transaction at a time, keeps it until it is ended, and does not say whose it is: one that an agent left
when it was killed would keep all others out for ever, and an operator's must not be ended. The note says which zones
the agent's changes, in which run of Knot.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

_DIFFERENCE = re.compile(r"[+-]zone(?:\.domain = (\S+)|\[(\S+)\]\.\S+ = .*)")


class Unfinished:
    """The note at *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, generation: object, zones: Iterable[str]) -> None:
        """A transaction that changes *zones* is about to begin. Raises :class:`OSError`."""
        aside = self._path.with_name(f".{self._path.name}.new")
        aside.write_text(json.dumps({"knot": repr(generation), "zones": list(zones)}), encoding="ascii")
        aside.replace(self._path)

    def forget(self) -> None:
        """None is open. Raises :class:`OSError`."""
        self._path.unlink(missing_ok=True)

    def zones(self, generation: object) -> set[str] | None:
        """The zones of a transaction that may be open in this run of Knot; ``None`` if there is none."""
        try:
            document = json.loads(self._path.read_text(encoding="ascii"))
            return set(document["zones"]) if document["knot"] == repr(generation) else None
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None


def is_of(differences: Iterable[str], zones: set[str]) -> bool:
    """Whether a transaction with *differences*, as ``conf-diff`` lists them, changes nothing but *zones*.

    One without any may be the agent's, which was killed early; whosever it is, nothing is lost with it.
    """
    found = [_DIFFERENCE.fullmatch(line) for line in differences if line]
    return all(match is not None and (match[1] or match[2]) in zones for match in found)
