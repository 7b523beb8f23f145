# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The head for many waiting edges: one thread waits on the store, all long polls wait on it.

They also end when edges are called to attest (:mod:`arca_dns.sites`).
"""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import structlog

from arca_dns.errors import ArcaError
from arca_dns.publish.head import SignedHead
from arca_dns.service import Service

from .metrics import Metrics

log = structlog.get_logger(__name__)


class HeadFeed:
    """Tells waiting requests of a new head. Its methods are for the event loop, but for :meth:`close`."""

    def __init__(self, service: Service, metrics: Metrics, *, slice_seconds: float = 1.0) -> None:
        self._service = service
        self._metrics = metrics
        self._first = service.rings.names[0]
        self._slice = slice_seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._latest: dict[str, SignedHead] = {}
        #: The latest roll call; ``None`` until the store was read.
        self.called: int | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def start(self) -> None:
        """Begin to follow the store, from within the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._follow, name="head-feed", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Let all waiting requests go, empty-handed; safe from any thread and from a signal handler."""
        self._stop.set()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._wake)

    async def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    async def wait(
        self, after: int, timeout: float, ring: str | None = None, called: int | None = None
    ) -> SignedHead | None:
        """The head of *ring* as soon as its revision is greater than *after*; by default that of the first ring.

        ``None`` after *timeout* seconds, at shutdown, and when the latest roll call is another one than *called*.
        """
        ring = self._first if ring is None else ring
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not self._stop.is_set():
            latest = self._latest.get(ring)
            if latest is not None and latest.revision() > after:
                return latest
            left = deadline - loop.time()
            if left <= 0 or (called is not None and self.called is not None and called != self.called):
                return None
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                async with asyncio.timeout(left):
                    await future
            except TimeoutError:
                return None
            finally:
                self._waiting.discard(future)
        return None

    def _follow(self) -> None:
        revisions: dict[str, int] = {}
        told: type[Exception] | None = None
        while not self._stop.is_set():
            try:
                self._look(revisions)
                told = None
            except Exception as error:  # without this thread no poll would hear of a head again
                if error.__class__ is not told:
                    known = isinstance(error, ArcaError)  # its sentence says it all
                    log.error("head feed cannot read the store", reason=str(error), exc_info=None if known else error)
                told = error.__class__
                self._stop.wait(self._slice)

    def _look(self, revisions: dict[str, int]) -> None:
        """Wait for what is newer than *revisions*, which are brought up to date, and tell the event loop."""
        heads = self._service.wait_heads(revisions, self._slice)
        called = self._service.sites.called()
        if called != self.called and self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._call, called)
        if heads and self._loop is not None:
            revisions.update({ring: head.revision() for ring, head in heads.items()})
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._arrived, heads)

    def _arrived(self, heads: dict[str, SignedHead]) -> None:
        self._latest.update(heads)
        for ring, head in heads.items():
            self._metrics.ring_revision.labels(ring).set(head.revision())
            if ring == self._first:
                self._metrics.head_revision.set(head.revision())
        self._wake()

    def _call(self, called: int) -> None:
        first, self.called = self.called is None, called
        if not first:
            self._wake()

    def _wake(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
