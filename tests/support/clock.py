# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Time that only tests move."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass
class Clock:
    """Seconds, those since 1970 unless a test says otherwise."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def run_at_once(work: Coroutine[Any, Any, T]) -> T:
    """Run *work* where sleeping takes no time: the loop's clock goes on to the next timer. Not for work in threads."""
    with asyncio.Runner(loop_factory=_SleeplessLoop) as runner:
        return runner.run(work)


class _SleeplessLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Skipping(self))

    def time(self) -> float:
        return self.now


class _Skipping(selectors.DefaultSelector):
    def __init__(self, loop: _SleeplessLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout if timeout is None else 0)
        if not ready:
            self._loop.now += timeout or 0.0
        return ready
