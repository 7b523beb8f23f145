# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones that the name server does not take: why, and when each is tried again.

A zone that failed is tried again after a pause that doubles, and at once when it has a new version.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from arca_dns.publish.catalog import Entry

_FIRST_PAUSE = 10.0
_LAST_PAUSE = 600.0


@dataclass(slots=True)
class _Failure:
    entry: Entry | None
    pause: float
    again: float


class Quarantine:
    """The failed zones. *monotonic* gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: dict[bytes, _Failure] = {}
        self.reasons: dict[bytes, str] = {}

    def put(self, zone: bytes, entry: Entry | None, reason: str) -> bool:
        """Note that *zone* failed in the version *entry*; whether the reason is news."""
        now = self._monotonic()
        before = self._failures.get(zone)
        if before is None or before.entry != entry:
            self._failures[zone] = _Failure(entry, _FIRST_PAUSE, now + _FIRST_PAUSE)
        elif before.again <= now:  # the same failure may be found in two ways
            before.pause = min(before.pause * 2, _LAST_PAUSE)
            before.again = now + before.pause
        news = self.reasons.get(zone) != reason
        self.reasons[zone] = reason
        return news

    def release(self, zone: bytes) -> None:
        """It is taken, or is no longer published."""
        self._failures.pop(zone, None)
        self.reasons.pop(zone, None)

    def holds(self, zone: bytes, entry: Entry | None) -> bool:
        """Whether *zone* failed in this version already."""
        failure = self._failures.get(zone)
        return failure is not None and failure.entry == entry

    def due(self) -> list[bytes]:
        """The zones to be tried again now."""
        now = self._monotonic()
        return [zone for zone, failure in self._failures.items() if failure.again <= now]
