# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Scheduled work is done by who holds the lease, and goes on whatever becomes of a round."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import nullcontext

import pytest

from arca_dns.errors import StoreUnavailable
from arca_dns.lease import Lease
from arca_dns.store.base import Document, Transaction
from arca_dns.store.fenced import FencedStore
from arca_dns.store.memory import MemoryStore
from arca_dns_controller.metrics import Metrics
from arca_dns_controller.scheduler import Job, Scheduler
from clock import Clock


class Flaky(MemoryStore):
    """A store that is away when a test says so, and whose commits take *slow* seconds."""

    away = False
    slow: tuple[Clock, float] | None = None

    def get(self, key: str) -> Document | None:
        if self.away:
            raise StoreUnavailable("the server is gone")
        return super().get(key)

    def commit(self, transaction: Transaction) -> int:
        if self.away:
            raise StoreUnavailable("the server is gone")
        if self.slow is not None:
            clock, seconds = self.slow
            clock.now += seconds
        return super().commit(transaction)


@pytest.fixture
def clock() -> Clock:
    return Clock(1234.0)


@pytest.fixture
def store() -> Flaky:
    return Flaky()


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


Make = Callable[..., Scheduler]


@pytest.fixture
def scheduler(store: Flaky, clock: Clock, metrics: Metrics) -> Make:
    def make(*jobs: Job, metrics: Metrics = metrics, first: Job | None = None, name: str = "me") -> Scheduler:
        lease = Lease(store, "scheduler", name, clock, 15, monotonic=clock)
        return Scheduler(lease, jobs, FencedStore(store).under, metrics, first=first, clock=clock, monotonic=clock)

    return make


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"arca_dns_controller_{name}", labels)


def test_a_job_that_fails_is_counted_and_one_that_works_is_dated(
    scheduler: Make, clock: Clock, metrics: Metrics
) -> None:
    outcomes: list[Exception | None] = [StoreUnavailable("locked"), RuntimeError("bug"), None]

    def work() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error

    one = scheduler(Job("tidy", work, 1))
    one.keep()
    for _ in range(3):
        one.round()
        clock.now += 1
    assert value(metrics, "scheduled_runs_total", job="tidy", outcome="failed") == 2
    assert value(metrics, "scheduled_runs_total", job="tidy", outcome="ok") == 1
    assert value(metrics, "scheduled_last_success_timestamp_seconds", job="tidy") == 1236.0


def test_each_job_has_its_own_interval_and_delay(scheduler: Make, clock: Clock) -> None:
    ran: list[tuple[str, float]] = []
    jobs = [
        Job("often", lambda: ran.append(("often", clock.now - 1234)), 4),
        Job("late", lambda: ran.append(("late", clock.now - 1234)), 5, delay=3),
    ]
    one = scheduler(*jobs)
    one.keep()
    pauses = []
    for _ in range(5):
        pause = one.round()
        assert pause is not None
        pauses.append(pause)
        clock.now += pause
    assert ran == [("often", 0), ("late", 3), ("often", 4), ("often", 8), ("late", 8), ("often", 12)]
    assert pauses == [3, 1, 4, 4, 1]


def test_only_one_of_two_works_and_the_other_follows_at_once_when_it_stops(scheduler: Make, clock: Clock) -> None:
    ran: list[str] = []
    mine, yours = Metrics(), Metrics()
    one = scheduler(Job("tidy", lambda: ran.append("one"), 0), metrics=mine, name="one")
    other = scheduler(Job("tidy", lambda: ran.append("other"), 0), metrics=yours, name="other")
    for _ in range(20):
        one.keep()
        other.keep()
        one.round()
        assert other.round() is None
        clock.now += 5
    assert ran == ["one"] * 20
    assert (value(mine, "leader"), value(yours, "leader")) == (1, 0)
    one._stop.set()
    one._threads[1].start()
    one._keep()
    other.keep()
    other.round()
    assert ran[20:] == ["other"]
    assert (value(mine, "leader"), value(yours, "leader"), value(yours, "lease_fence")) == (0, 1, 2)
    assert value(yours, "lease_takeovers_total") == 1


def test_what_runs_too_long_commits_nothing_and_is_counted_as_lost(
    scheduler: Make, store: Flaky, clock: Clock, metrics: Metrics
) -> None:
    fenced = FencedStore(store)
    other = scheduler(metrics=Metrics(), name="other")

    def work() -> None:
        other.keep()
        clock.now += 16
        other.keep()
        fenced.commit(Transaction(writes={"a": {}}))

    lease = Lease(store, "scheduler", "one", clock, 15, monotonic=clock)
    one = Scheduler(lease, [Job("tidy", work, 1)], fenced.under, metrics, clock=clock, monotonic=clock)
    one.keep()
    one.round()
    assert value(metrics, "scheduled_runs_total", job="tidy", outcome="lost") == 1
    assert store.get("a") is None
    one.keep()
    assert one.round() is None
    assert value(metrics, "leader") == 0


def test_a_store_that_is_away_costs_the_lease_only_when_its_time_is_over(
    scheduler: Make, store: Flaky, clock: Clock, metrics: Metrics
) -> None:
    one = scheduler(Job("tidy", lambda: None, 1))
    one.keep()
    store.away = True
    clock.now += 10
    one.keep()
    assert value(metrics, "leader") == 1
    clock.now += 5
    one.keep()
    assert value(metrics, "leader") == 0
    assert one.round() is None
    store.away = False
    one.keep()
    assert (value(metrics, "leader"), value(metrics, "lease_fence")) == (1, 1), "nobody else had it"


def test_who_is_told_of_its_lease_after_that_ran_out_takes_it_again_and_works(
    scheduler: Make, store: Flaky, clock: Clock, metrics: Metrics
) -> None:
    ran: list[float] = []
    one = scheduler(Job("tidy", lambda: ran.append(clock.now), 1))
    store.slow = (clock, 20)
    one.keep()
    assert (value(metrics, "leader"), one.round(), one._wake.is_set()) == (0, None, False)
    store.slow = None
    one.keep()
    assert (value(metrics, "leader"), one._wake.is_set()) == (1, True)
    one.round()
    assert ran == [clock.now]


def test_a_renewal_that_comes_late_wakes_the_worker_that_found_no_lease(
    scheduler: Make, clock: Clock, metrics: Metrics
) -> None:
    ran: list[float] = []
    one = scheduler(Job("tidy", lambda: ran.append(clock.now), 1))
    one.keep()
    one._wake.clear()
    clock.now += 16  # the store answered nobody for so long, and nobody else took the lease
    assert one.round() is None
    one.keep()
    assert (value(metrics, "leader"), one._wake.is_set()) == (1, True)
    one.round()
    assert ran == [clock.now]


def test_what_a_controller_left_behind_is_done_by_itself_even_if_another_one_leads(
    scheduler: Make, clock: Clock, metrics: Metrics
) -> None:
    scheduler(metrics=Metrics(), name="leader").keep()
    outcomes: list[Exception | None] = [StoreUnavailable("not yet"), None]

    def work() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error

    one = scheduler(first=Job("publish", work, 30))
    one.keep()
    assert [one.round() for _ in range(3)] == [30, None, None]
    assert outcomes == []


def test_it_begins_at_once_and_gives_the_lease_back_when_stopped() -> None:
    worked = threading.Event()
    store = MemoryStore()
    lease = Lease(store, "scheduler", "me", lambda: 0.0, 3600)
    one = Scheduler(lease, [Job("tidy", worked.set, 3600)], lambda _lease: nullcontext(), Metrics())
    one.start()
    assert worked.wait(10)
    held = lease.holder()
    assert held is not None
    assert held.holder == "me"
    asyncio.run(one.stop())
    assert lease.holder() is None
