# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Events for many followers: one thread follows the store, from when somebody asks first, and keeps the latest.

Who is further behind than what is kept reads from the store. A follower that is slow holds nobody up: it reads from
what is kept at its own pace.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

import structlog
from fastapi.concurrency import run_in_threadpool

from arca_dns import events
from arca_dns.errors import ArcaError, CursorLost
from arca_dns.events import Event
from arca_dns.store.base import Store

log = structlog.get_logger(__name__)

#: Commits whose events are kept in memory.
_KEPT = 4096
_SLICE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Page:
    """Events, in order, and the cursor behind them."""

    events: list[Event]
    cursor: int


class EventFeed:
    """What :class:`~.feed.HeadFeed` is for heads. Its methods are for the event loop, but for :meth:`close`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pages: deque[tuple[int, Page]] = deque(maxlen=_KEPT)  # the cursor before each, and the page
        self._at = 0
        self._attested: dict[object, object] = {}
        self._news = asyncio.Event()

    def close(self) -> None:
        """Let all followers go; safe from any thread and from a signal handler."""
        self._stop.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._news.set)

    @property
    def closed(self) -> bool:
        """Whether followers are let go."""
        return self._stop.is_set()

    async def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def now(self) -> int:
        """The cursor behind all that has happened."""
        return await run_in_threadpool(events.newest, self._store)

    async def next(self, cursor: int, timeout: float) -> Page:
        """What happened behind *cursor*, at once or as soon as something does; an empty page after *timeout* seconds.

        Raises :class:`CursorLost` and :class:`StoreUnavailable`.
        """
        if self._thread is None:
            await self._start()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self._stop.is_set():
            news = self._news  # before looking, so that nothing comes unseen between that and waiting
            if self._pages and self._pages[0][0] <= cursor <= self._at:
                if cursor < self._at:
                    return self._behind(cursor)
            elif cursor != self._at:
                found, reached = await run_in_threadpool(events.after, self._store, cursor)
                if reached > cursor:
                    return Page(found, reached)
            left = deadline - loop.time()
            if left <= 0:
                break
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await news.wait()
        return Page([], cursor)

    def _behind(self, cursor: int) -> Page:
        """What is kept behind *cursor*; looks at no more than that."""
        pages = list(takewhile(lambda page: page.cursor > cursor, (page for _before, page in reversed(self._pages))))
        return Page([event for page in reversed(pages) for event in page.events if event.cursor > cursor], self._at)

    async def _start(self) -> None:
        self._loop = asyncio.get_running_loop()
        at = await self.now()
        if self._thread is None:  # another request may have been faster
            self._at = at
            self._thread = threading.Thread(target=self._follow, args=(self._at,), name="event-feed", daemon=True)
            self._thread.start()

    def _follow(self, cursor: int) -> None:
        told: type[Exception] | None = None
        while not self._stop.is_set():
            try:
                cursor = self._look(cursor)
                told = None
            except Exception as error:  # without this thread nobody would hear of an event again
                if error.__class__ is not told:
                    known = isinstance(error, ArcaError)  # its sentence says it all
                    log.error(
                        "events cannot be read from the store", reason=str(error), exc_info=None if known else error
                    )
                told = error.__class__
                self._stop.wait(_SLICE_SECONDS)

    def _look(self, cursor: int) -> int:
        """Wait for what happens behind *cursor* and tell the event loop; returns where to go on."""
        try:
            found, reached = events.after(self._store, cursor, _SLICE_SECONDS)
        except CursorLost:  # away for very long, or the store was restored
            reached = events.newest(self._store)
            self._tell(self._lost, reached)
            return reached
        if reached != cursor:
            self._tell(self._arrived, cursor, Page([event for event in found if self._is_news(event)], reached))
        return reached

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        """Have *what* called by the event loop."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(what, *arguments)

    def _is_news(self, event: Event) -> bool:
        """Edges attest all the time; what counts is that they attest another head."""
        if event.kind != "edge.attested":
            return True
        before = self._attested.get(event.data["edge"])
        self._attested[event.data["edge"]] = event.data["head"]
        return before != event.data["head"]

    def _arrived(self, before: int, page: Page) -> None:
        self._pages.append((before, page))
        self._at = page.cursor
        self._wake()

    def _lost(self, cursor: int) -> None:
        """Nothing is known of what led to *cursor*: the store tells each follower whether it can go on."""
        self._pages.clear()
        self._at = cursor
        self._wake()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
