# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Following the head: long polls, plain polls where those do not get through, and patience when nothing does.

Whatever a controller says or does not say, what is held stays until a head that is good in all its parts is there.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable

import structlog

from arca_dns.errors import ArcaError, CorruptBlob, HeadRejected, IntegrityError
from arca_dns.publish.head import SignedHead

from .controller import Busy, Controllers, Unreachable
from .disk import Alarm, Damaged
from .state import StateLost
from .sync import Synchroniser

log = structlog.get_logger(__name__)

_FIRST_WAIT = 0.5
_LEAST_POLL = 1.0
_LONGEST_POLL = 55.0
_SPREAD = 1.0  # seconds over which edges whose polls ended all at once come back
_MOST_TOLD = 64
_SWEEP_AFTER = 500  # heads
_SWEEP_EVERY = 3600.0


class Contact:
    """What is known of the controller: whether it answered last time, and why not."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.reachable: bool | None = None
        self.last: float | None = None
        self.problem: str | None = None
        self._told: set[str] = set()

    def good(self) -> bool:
        """Note an answer; whether that is news."""
        news = self.reachable is not True or self.problem is not None
        self.reachable, self.problem, self.last = True, None, self._clock()
        self._told.clear()
        return news

    def bad(self, error: ArcaError) -> bool:
        """Note a failure; whether that is the first of its kind since all was good."""
        if len(self._told) >= _MOST_TOLD:  # reasons may hold figures
            self._told.clear()
        news = str(error) not in self._told
        self.reachable, self.problem = isinstance(error, Busy) or not isinstance(error, Unreachable), str(error)
        self._told.add(self.problem)
        return news


class Follower:
    """Keeps *synchroniser* at the newest head of *ring*; calls *moved* when it has one, *told* when contact changes.

    *interval* is the pause between plain polls in seconds; *random* gives numbers in [0, 1).
    """

    def __init__(
        self,
        controllers: Controllers,
        synchroniser: Synchroniser,
        contact: Contact,
        ring: str,
        interval: float,
        *,
        moved: Callable[[], None],
        told: Callable[[], None],
        random: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._controllers = controllers
        self._synchroniser = synchroniser
        self._contact = contact
        self._ring = ring
        self._interval = interval
        self._moved = moved
        self._told = told
        self._random = random
        self._sleep = sleep
        self._monotonic = monotonic
        self._failures = 0
        self._broken_polls = 0
        self._since_sweep = 0
        self._swept = monotonic()
        self._alarm = Alarm(monotonic)
        self._unmended: str | None = None

    def damaged(self) -> None:
        """Content on disk could not be read: look at all of it before the next head is taken."""
        self._alarm.sound()

    async def run(self) -> None:
        """Follow for ever."""
        while True:
            await self._sleep(await self.step())

    async def step(self) -> float:
        """Ask once and take what comes; returns how many seconds to wait before the next time.

        Raises :class:`StateLost`; whatever else fails is told of and tried again.
        """
        started = self._monotonic()
        try:
            await self._mend()
            signed, pause = await self._ask()
            news = self._contact.good()
            if news:
                log.info("controller answers", url=self._controllers.url)
                self._told()
            taken = signed is not None and await self._take(signed)
        except StateLost:
            raise
        except ArcaError as error:
            return self._failed(error)
        except (OSError, sqlite3.Error) as error:
            # A full disk: what is held stays, and is tried to be moved on later.
            log.error("state cannot be written", reason=str(error))
            return self._later()
        self._failures = 0
        if pause:
            return pause
        # A long poll that comes back at once with nothing, or with what is held, must not become a flood.
        if not taken and not news:
            return max(0.0, _LEAST_POLL - (self._monotonic() - started))
        return 0.0

    async def _mend(self) -> None:
        """Look for damage where there may be some, and fetch what lacks. Where that fails, a newer head may mend it."""
        if self._alarm.due():
            log.warning("content on disk looked at", damaged=await self._synchroniser.forget_damaged())
        if self._synchroniser.whole:
            return
        try:
            await self._synchroniser.mend()
        except StateLost:
            raise
        except ArcaError as error:
            if isinstance(error, Damaged):
                self._alarm.sound()
            if str(error) != self._unmended:
                log.error("content on disk not mended", reason=str(error), url=self._controllers.url)
            self._unmended = str(error)
            self._controllers.turn()
        else:
            self._mended()

    def _mended(self) -> None:
        log.info("content on disk is whole")
        self._alarm.clear()
        self._unmended = None
        self._moved()

    async def _ask(self) -> tuple[SignedHead | None, float]:
        """The controller's head if it is news, and how long to wait before the next poll."""
        after = self._synchroniser.revision
        # A first answer comes at once, so that it is soon known whether there is a controller.
        wait = min(self._interval, _LONGEST_POLL) if self._contact.reachable else 0.0
        try:
            signed = await self._controllers.head(self._ring, after, wait)
            if signed is None and wait:
                signed = await self._controllers.newer(self._ring, after)
        except Busy:
            raise
        except Unreachable:
            # Something on the way may not let long polls through: a plain one tells.
            broken, self._broken_polls = self._broken_polls + 1, 0
            if wait:
                await self._sleep(self._random() * _SPREAD)
            signed = await self._controllers.head(self._ring)
            self._broken_polls = broken
            return signed, self._jittered(self._interval) if broken > 1 else 0.0
        self._broken_polls = 0
        return signed, 0.0

    async def _take(self, signed: SignedHead) -> bool:
        """Take *signed*; false if it is held already."""
        started, whole = self._monotonic(), self._synchroniser.whole
        if not await self._synchroniser.take(signed):
            return False
        if not whole:
            self._mended()
        held = self._synchroniser.held
        if held is not None:
            seconds = round(self._monotonic() - started, 4)
            log.info("head held", revision=held.head.revision, zones=len(held.zones), seconds=seconds)
        self._moved()
        self._since_sweep += 1
        if self._since_sweep >= _SWEEP_AFTER or self._monotonic() - self._swept >= _SWEEP_EVERY:
            removed = await asyncio.to_thread(self._synchroniser.sweep)
            self._since_sweep, self._swept = 0, self._monotonic()
            log.info("swept", blobs=removed)
        return True

    def _failed(self, error: ArcaError) -> float:
        if isinstance(error, Damaged):
            log.error("content on disk is damaged", reason=str(error))
            self._alarm.sound()
            return self._later()
        if isinstance(error, IntegrityError):
            log.error("refused", what=_what(error), reason=str(error), url=self._controllers.url)
            self._contact.bad(error)
            self._told()
        elif self._contact.bad(error):
            log.warning("controller unreachable", reason=str(error), url=self._controllers.url)
            self._told()
        self._controllers.turn()
        # Each edge adds a share of its own to what a controller asked all of them for.
        patience = self._controllers.patience()
        return max(self._later(), patience * (1 + self._random() / 2))

    def _later(self) -> float:
        self._failures += 1
        return self._jittered(min(_FIRST_WAIT * 2.0 ** min(self._failures - 1, 10), self._interval))

    def _jittered(self, seconds: float) -> float:
        return seconds * (0.5 + self._random() / 2)


def _what(error: IntegrityError) -> str:
    if isinstance(error, HeadRejected):
        return "head"
    return "blob" if isinstance(error, CorruptBlob) else "content"
