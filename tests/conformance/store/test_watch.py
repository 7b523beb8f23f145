# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who watches PostgreSQL is told of commits of other controllers, and asks when it cannot be told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing

import pytest

from arca_dns.store.base import Store, Transaction
from arca_dns.store.open import open_store
from arca_dns.store.sql import SqlStore, store as sql_store
from running_postgres import RunningPostgres

pytestmark = pytest.mark.conformance

SECONDS = 30.0


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def watching(store: Store, after: int) -> Callable[[], tuple[str, ...]]:
    """Watch in a thread; what is returned waits for what came of it."""
    found: list[tuple[str, ...]] = []
    thread = threading.Thread(target=lambda: found.append(store.watch(after, SECONDS).keys))
    thread.start()

    def result() -> tuple[str, ...]:
        thread.join()
        return found[0]

    return result


@pytest.fixture
def options(postgres_server: RunningPostgres) -> dict[str, object]:
    return postgres_server.options()


@pytest.fixture
def two(options: dict[str, object]) -> Iterator[tuple[SqlStore, Store]]:
    """Two controllers' stores: the first one listens."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(closing(open_store("postgres", options))) for _ in range(2))
        assert isinstance(one, SqlStore)
        assert one._listener is not None
        one.watch(one.commit(Transaction(writes={"a": {}})), 0.01)
        until(lambda: one._listener.listens)  # type: ignore[union-attr]
        yield one, other


def test_postgres_tells_of_commits(two: tuple[SqlStore, Store], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_POLL_SECONDS", "_TOLD_POLL_SECONDS"):
        monkeypatch.setattr(sql_store, name, 2 * SECONDS)  # so nobody asks
    one, other = two
    revision = one.watch(0, 0).revision
    for turn in range(5):
        result = watching(one, revision)
        revision = other.commit(Transaction(writes={f"k{turn}": {}}))
        assert result() == (f"k{turn}",)


def test_a_connection_that_breaks_is_made_up_for_by_asking(
    two: tuple[SqlStore, Store], postgres_server: RunningPostgres
) -> None:
    one, other = two
    assert one._listener is not None
    revision = one.watch(0, 0).revision
    result = watching(one, revision)
    killed = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
    assert (True,) in postgres_server.execute(killed)
    until(lambda: not one._listener.listens)  # type: ignore[union-attr]
    revision = other.commit(Transaction(writes={"b": {}}))
    assert result() == ("b",)
    until(lambda: one._listener.listens)  # type: ignore[union-attr]


def test_one_connection_of_a_process_listens_and_none_of_the_pool_is_lost(
    options: dict[str, object], postgres_server: RunningPostgres
) -> None:
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{options['database']}' AND query LIKE 'LISTEN%'"
    with closing(open_store("postgres", {**options, "pool_size": 1})) as store:
        assert isinstance(store, SqlStore)
        revision = store.commit(Transaction(writes={"a": {}}))
        assert postgres_server.execute(count) == [(0,)], "nobody watches yet"
        results = [watching(store, revision) for _ in range(3)]
        until(lambda: postgres_server.execute(count) == [(1,)])
        store.commit(Transaction(writes={"b": {}}))
        assert [result() for result in results] == [("b",)] * 3
    until(lambda: postgres_server.execute(count) == [(0,)])
