# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How long answers take, over some rounds: one slow answer is no reason, many are. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LatencyLimit:
    """*limit* seconds that the *percentile* (0 to 100) of the answers of the last *window* rounds may take."""

    limit: float = 0.2
    percentile: float = 95.0
    window: int = 20


class Latencies:
    """The answers of the last rounds, of one prefix."""

    def __init__(self, limit: LatencyLimit) -> None:
        self._limit = limit
        self._rounds: deque[tuple[float, ...]] = deque(maxlen=limit.window)

    def observe(self, seconds: Iterable[float]) -> str | None:
        """Take in a round's answers, in *seconds* each; says what is wrong with the last rounds, if anything."""
        self._rounds.append(tuple(seconds))
        found = sorted(one for round_ in self._rounds for one in round_)
        if not found:
            return None
        value = found[max(0, math.ceil(len(found) * self._limit.percentile / 100) - 1)]
        if value <= self._limit.limit:
            return None
        return (
            f"answers take {value * 1000:.0f} ms (p{self._limit.percentile:g} of the last {len(self._rounds)} rounds),"
            f" over {self._limit.limit * 1000:.0f} ms"
        )
