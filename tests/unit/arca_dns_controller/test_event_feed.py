# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Followers of events miss nothing unnoticed, also where the feed itself has lost its way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable

import pytest
import structlog

from arca_dns import events
from arca_dns.errors import CursorLost, StoreUnavailable
from arca_dns.events import Event
from arca_dns.store.base import Store, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns_controller.event_feed import EventFeed, Page
from arca_dns_controller.routes.events import _stream


def write(store: Store, number: int) -> int:
    return store.commit(Transaction(writes={"edge/e": {"head": number}}))


def with_feed(store: Store, scenario: Callable[[EventFeed], Awaitable[None]]) -> None:
    async def run() -> None:
        feed = EventFeed(store)
        try:
            await scenario(feed)
        finally:
            feed.close()
            await feed.join()

    asyncio.run(run())


def test_each_commit_is_told_once_whatever_is_kept() -> None:
    store = MemoryStore()
    cursors = [write(store, 0)]

    async def scenario(feed: EventFeed) -> None:
        await feed.next(cursors[0], 0)
        for number in range(1, 4):
            cursors.append(write(store, number))
            page = await feed.next(cursors[-2], 20)
            assert ([event.cursor for event in page.events], page.cursor) == ([cursors[-1]], cursors[-1])
        for at, cursor in enumerate(cursors[1:-1], 1):
            page = await feed.next(cursor, 0)
            assert [event.cursor for event in page.events] == cursors[at + 1 :]

    with_feed(store, scenario)


def test_a_follower_is_told_when_events_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    start = write(store, 0)
    real = events.after
    lost: list[int] = []

    def after(of: Store, cursor: int, timeout: float = 0.0) -> tuple[list[Event], int]:
        found = real(of, cursor, timeout)
        if cursor in lost:
            raise CursorLost("too old")
        return found

    monkeypatch.setattr(events, "after", after)

    async def scenario(feed: EventFeed) -> None:
        assert (await feed.next(start, 0)).events == []
        lost.append(start)
        write(store, 1)
        with pytest.raises(CursorLost):
            await feed.next(start, 20)

    with_feed(store, scenario)


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), ValueError("nobody thought of this")])
def test_it_goes_on_after_whatever_failed(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    store = MemoryStore()
    start = write(store, 0)
    real = events.after
    failures = [failure] * 2

    def after(store: Store, cursor: int, timeout: float = 0.0) -> tuple[list[Event], int]:
        if threading.current_thread().name == "event-feed" and failures:
            raise failures.pop()
        return real(store, cursor, timeout)

    monkeypatch.setattr(events, "after", after)
    monkeypatch.setattr("arca_dns_controller.event_feed._SLICE_SECONDS", 0.01)

    async def scenario(feed: EventFeed) -> None:
        await feed.next(start, 0)
        await asyncio.to_thread(write, store, 1)
        assert (await feed.next(start, 20)).events

    with structlog.testing.capture_logs() as log:
        with_feed(store, scenario)
    assert not failures
    assert [entry["reason"] for entry in log] == [str(failure)], "told once"


def test_a_stream_goes_on_behind_events_that_nobody_asked_for() -> None:
    class Fake:
        closed = False

        async def next(self, _cursor: int, _timeout: float) -> Page:
            self.closed = True
            return Page([], 9)

    async def pieces(page: Page) -> str:
        feed = Fake()
        return "".join([piece async for piece in _stream(feed, page, lambda event: event.kind == "a")])  # type: ignore[arg-type]

    one, other = Event(7, "a", None, {}), Event(9, "b", None, {})
    told = asyncio.run(pieces(Page([one, other], 9)))
    assert told.index("id: 7\nevent: a\n") < told.index("id: 9\n\n")
    assert asyncio.run(pieces(Page([other], 9))) == "retry: 2000\n\nid: 9\n\n"
    assert "id: 7\n\n" not in asyncio.run(pieces(Page([one], 7)))
