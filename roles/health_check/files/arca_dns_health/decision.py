# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a prefix should be announced: a state machine over rounds of checks, one per prefix.

Pure: the time is passed in, nothing is asked and nothing is sent. Probing lives in
:mod:`.probe`, talking to BIRD in :mod:`.bird`, joining the two in :mod:`.daemon`.

A round carries hard reasons (no answer, wrong answer, bogus), soft ones (latency, a stale head), and what is wrong
with the content. Only hard reasons withdraw; what the others do is decided in :mod:`.stance`:

::

               recovery_threshold good rounds, and no hold-down
             ┌──────────────────────────────────────────────────┐
             │                                                  ▼
         withdrawn  (the state at boot)                     announced
             ▲                                                  │
             └──────────────────────────────────────────────────┘
                       failure_threshold bad rounds in a row

Each withdrawal is remembered for ``flap_window``. From the ``flap_limit``-th one on, the
way back is closed for ``hold_down``, doubled with each further one up to ``hold_down_max``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """What the latest round said."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When to move. Counts are rounds in a row; durations are seconds."""

    failure: int = 3
    recovery: int = 5
    hold_down: float = 60.0
    hold_down_max: float = 600.0
    flap_window: float = 600.0
    flap_limit: int = 3


@dataclass(frozen=True, slots=True)
class Round:
    """The reasons against a prefix that one round of checks found; none is a good round.

    *content* is what is wrong with what was published, which a server that does its work serves on all sites alike.
    *notes* are for people only: what all sites have in common, such as a controller out of reach, moves nothing.
    """

    hard: tuple[str, ...] = ()
    soft: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    content: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """What a restarted daemon must know to go on where the old one stopped (monotonic seconds of the same boot)."""

    withdrawals: tuple[float, ...] = ()
    hold_until: float = 0.0


class Decision:
    """The state of one prefix. Starts withdrawn."""

    def __init__(self, thresholds: Thresholds, memory: Memory | None = None) -> None:
        memory = memory or Memory()
        self._thresholds = thresholds
        self._withdrawals = list(memory.withdrawals)
        self._hold_until = memory.hold_until
        self._wanted = False
        self._good = 0
        self._bad = 0
        self._round: Round | None = None

    @property
    def wanted(self) -> bool:
        """Whether the prefix should be announced."""
        return self._wanted

    @property
    def recovered(self) -> bool:
        """Whether only a hold-down may still keep the prefix withdrawn."""
        return self._good >= self._thresholds.recovery

    @property
    def good(self) -> int:
        """Good rounds in a row, up to now."""
        return self._good

    @property
    def bad(self) -> int:
        """Bad rounds in a row, up to now."""
        return self._bad

    @property
    def health(self) -> Health:
        """What the latest round said."""
        if self._round is None:
            return Health.UNKNOWN
        if self._round.hard or self._round.content:
            return Health.FAILED
        return Health.DEGRADED if self._round.soft else Health.HEALTHY

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the latest round was not a healthy one, hard reasons first, what is only of note last."""
        found = self._round
        return found.hard + found.content + found.soft + found.notes if found else ()

    @property
    def memory(self) -> Memory:
        """What to keep for :class:`Decision` after a restart of the daemon."""
        return Memory(tuple(self._withdrawals), self._hold_until)

    @property
    def changing(self) -> bool:
        """Whether the next rounds may move the state: probe faster meanwhile."""
        if self._wanted:
            return self._bad > 0
        return 0 < self._good <= self._thresholds.recovery

    def held_for(self, now: float) -> float:
        """Seconds for which the hold-down still closes the way back; 0 if it does not."""
        return 0.0 if self._wanted else max(0.0, self._hold_until - now)

    def adopt(self) -> None:
        """Take over a prefix found announced, so that a restart does not flap it; bad rounds still withdraw it."""
        if self._bad < self._thresholds.failure:
            self._wanted = True

    def observe(self, round_: Round, now: float) -> bool:
        """Count one round; whether :attr:`wanted` changed by it. *now* is monotonic seconds."""
        self._round = round_
        before = self._wanted
        if round_.hard:
            self._good = 0
            self._bad += 1
            if self._wanted and self._bad >= self._thresholds.failure:
                self._withdraw(now)
        else:
            self._bad = 0
            self._good += 1
            if not self._wanted and self._good >= self._thresholds.recovery and now >= self._hold_until:
                self._wanted = True
        return before != self._wanted

    def _withdraw(self, now: float) -> None:
        limits = self._thresholds
        self._wanted = False
        self._withdrawals = [*_recent(self._withdrawals, now - limits.flap_window), now]
        beyond = len(self._withdrawals) - limits.flap_limit
        if beyond >= 0:
            # The exponent is bounded so that a long history cannot overflow a float.
            self._hold_until = now + min(limits.hold_down_max, limits.hold_down * 2.0 ** min(beyond, 32))


def _recent(times: Iterable[float], since: float) -> list[float]:
    return [time for time in times if time >= since]
