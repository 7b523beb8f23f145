# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The lease: one holder at a time by the store's word, whatever clocks, pauses and crashes do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from arca_dns.errors import Conflict, LeaseLost, StoreUnavailable
from arca_dns.lease import Lease
from arca_dns.store.base import Transaction
from arca_dns.store.fenced import FencedStore
from arca_dns.store.memory import MemoryStore
from clock import Clock

TTL = 15.0


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def clock() -> Clock:
    return Clock(0.0)


Candidate = Callable[..., Lease]


@pytest.fixture
def candidate(store: MemoryStore, clock: Clock) -> Candidate:
    def make(holder: str, **options: object) -> Lease:
        wall = options.pop("wall", lambda: 1_800_000_000.0 + clock.now)
        ttl = options.pop("ttl", TTL)
        return Lease(store, "work", holder, wall, ttl, monotonic=clock, **options)  # type: ignore[arg-type]

    return make


def test_the_first_takes_it_and_keeps_it_while_it_renews(candidate: Candidate, clock: Clock) -> None:
    one, other = candidate("one"), candidate("other")
    assert one.acquire() == 1
    for _ in range(10):
        assert other.acquire() is None
        clock.now += 5
        assert one.renew()
    assert one.fence == 1
    held = other.holder()
    assert held is not None
    assert (held.holder, held.fence, held.since, held.until) == ("one", 1, 1_800_000_000.0, 1_800_000_065.0)
    assert one.is_mine(held)
    assert not other.is_mine(held)


def test_another_takes_over_when_it_has_seen_no_renewal_for_a_whole_ttl(candidate: Candidate, clock: Clock) -> None:
    one, other = candidate("one"), candidate("other")
    one.acquire()
    clock.now += 100  # the other one has not looked: it knows of no time that has passed
    assert other.acquire() is None
    clock.now += TTL - 0.1
    assert other.acquire() is None
    clock.now += 0.1
    assert other.acquire() == 2
    assert not one.renew()
    assert one.fence is None


@pytest.mark.parametrize("skew", [-86400 * 365.0, -60.0, 60.0, 86400 * 365.0])
def test_clocks_that_differ_change_nothing(candidate: Candidate, clock: Clock, skew: float) -> None:
    one, other = candidate("one"), candidate("other", wall=lambda: 1_800_000_000.0 + skew + clock.now)
    one.acquire()
    for _ in range(5):
        assert other.acquire() is None
        clock.now += TTL - 1
        assert one.renew()
    assert other.acquire() is None
    clock.now += TTL
    assert other.acquire() == 2
    assert one.acquire() is None


def test_who_waits_waits_for_the_longer_of_two_times_to_live(candidate: Candidate, clock: Clock) -> None:
    patient, hasty = candidate("patient", ttl=60.0), candidate("hasty", ttl=1.0)
    patient.acquire()
    hasty.acquire()
    clock.now += 59
    assert hasty.acquire() is None
    clock.now += 1
    assert hasty.acquire() == 2


def test_what_is_released_is_taken_at_once_with_the_next_number(candidate: Candidate) -> None:
    one, other = candidate("one"), candidate("other")
    one.acquire()
    assert other.acquire() is None
    one.release()
    assert other.holder() is None
    assert other.acquire() == 2
    one.release()  # what one does not hold one cannot give up
    assert other.renew()


def test_the_lease_of_a_process_that_is_known_to_be_dead_is_taken_at_once(candidate: Candidate) -> None:
    dead: set[str] = set()
    candidate("one", process="here 17").acquire()
    again = candidate("again", gone=dead.__contains__)
    assert again.acquire() is None
    dead.add("here 17")
    assert again.acquire() == 2


def test_a_holder_that_could_not_renew_in_time_goes_on_if_nobody_took_over(candidate: Candidate, clock: Clock) -> None:
    one = candidate("one")
    one.acquire()
    clock.now += TTL
    assert one.fence is None, "somebody may have it"
    assert one.renew()
    assert one.fence == 1


class Forgetful(MemoryStore):
    """Commits, but does not say so, when a test asks for it; *before* runs ahead of the next commit."""

    silent = False
    before: Callable[[], object] | None = None

    def commit(self, transaction: Transaction) -> int:
        go, self.before = self.before, None
        if go is not None:
            go()
        revision = super().commit(transaction)
        if self.silent:
            raise StoreUnavailable("it is not known whether it was applied")
        return revision


def test_an_answer_that_got_lost_loses_no_lease(clock: Clock) -> None:
    store = Forgetful()
    one = Lease(store, "work", "one", clock, TTL, monotonic=clock)
    store.silent = True
    with pytest.raises(StoreUnavailable):
        one.acquire()
    store.silent = False
    assert one.acquire() == 1
    store.silent = True
    with pytest.raises(StoreUnavailable):
        one.renew()
    store.silent = False
    assert one.renew()
    assert one.fence == 1


def test_what_a_former_holder_commits_is_refused_as_lost(
    candidate: Candidate, store: MemoryStore, clock: Clock
) -> None:
    one, other = candidate("one"), candidate("other")
    fenced = FencedStore(store)
    one.acquire()
    other.acquire()
    with fenced.under(one):
        fenced.commit(Transaction(writes={"a": {"by": 1}}))
        clock.now += TTL
        other.acquire()
        with pytest.raises(LeaseLost):
            fenced.commit(Transaction(writes={"a": {"by": 2}}))
    found = store.get("a")
    assert found is not None
    assert found.value == {"by": 1}


def test_a_takeover_just_before_the_commit_is_told_from_another_conflict(clock: Clock) -> None:
    store = Forgetful()
    one, other = (Lease(store, "work", name, clock, TTL, monotonic=clock) for name in ("one", "other"))
    fenced = FencedStore(store)
    one.acquire()
    other.acquire()
    with fenced.under(one):
        with pytest.raises(Conflict):
            fenced.commit(Transaction({"a": 7}, {"a": {}}))

        def take() -> None:
            other._seen = (other._seen[0], -TTL) if other._seen else None  # it has waited long, by its own clock
            assert other.acquire() == 2

        store.before = take
        with pytest.raises(LeaseLost, match="other has it now"):
            fenced.commit(Transaction(writes={"a": {}}))
        assert one.fence is None
    assert store.get("a") is None


def test_threads_that_do_no_scheduled_work_need_no_lease(candidate: Candidate, store: MemoryStore) -> None:
    one = candidate("one")
    fenced = FencedStore(store)
    with fenced.under(one), pytest.raises(LeaseLost):
        fenced.commit(Transaction(writes={"a": {}}))
    fenced.commit(Transaction(writes={"a": {}}))
    assert fenced.get("a") is not None


class Controller:
    """A machine with clocks of its own, which may go wrong by any amount; *rate* is how fast its monotonic one goes."""

    def __init__(self, store: MemoryStore, name: str, skew: float, rate: float) -> None:
        self.store = store
        self.name = name
        self.wall = Clock(skew)
        self.monotonic = Clock(0.0)
        self.rate = rate
        self.start()

    def start(self) -> None:
        self.lease = Lease(self.store, "work", self.name, self.wall, TTL, monotonic=self.monotonic)
        self.fenced = FencedStore(self.store)

    def believes(self) -> bool:
        return self.lease.fence is not None


class Cluster(RuleBasedStateMachine):
    """Controllers that pause, crash, and have wrong clocks, on one store that may be cut off from each of them."""

    @initialize(
        machines=st.lists(
            st.tuples(st.floats(-1e6, 1e6), st.sampled_from((0.5, 1.0, 1.0, 2.0))), min_size=2, max_size=4
        )
    )
    def begin(self, machines: list[tuple[float, float]]) -> None:
        self.store = Forgetful()
        self.machines = [Controller(self.store, f"m{n}", *values) for n, values in enumerate(machines)]
        #: (fence, token of the holder) of every commit that got through, in order
        self.log: list[tuple[int, str]] = []
        self.even = all(machine.rate == 1.0 for machine in self.machines)

    machine = st.integers(0, 3)

    @rule(seconds=st.sampled_from((0.1, 1.0, 5.0, 14.9, 15.0, 40.0)))
    def time_passes(self, seconds: float) -> None:
        for one in self.machines:
            one.wall.now += seconds
            one.monotonic.now += seconds * one.rate

    @rule(number=machine, seconds=st.floats(-1e6, 1e6))
    def a_clock_is_set(self, number: int, seconds: float) -> None:
        self.machines[number % len(self.machines)].wall.now += seconds

    @rule(number=machine, silent=st.booleans())
    def looks(self, number: int, silent: bool) -> None:
        one = self.machines[number % len(self.machines)]
        self.store.silent = silent
        try:
            if not one.believes() or not one.lease.renew():
                one.lease.acquire()
        except StoreUnavailable:
            return
        finally:
            self.store.silent = False

    @rule(number=machine)
    def crashes_and_starts_again(self, number: int) -> None:
        self.machines[number % len(self.machines)].start()

    @rule(number=machine)
    def stops_and_starts_again(self, number: int) -> None:
        one = self.machines[number % len(self.machines)]
        one.lease.release()
        one.start()

    @rule(number=machine, other=machine, seconds=st.sampled_from((0.0, 20.0)))
    def does_scheduled_work(self, number: int, other: int, seconds: float) -> None:
        """Held up for some seconds right before the commit, while another one looks, and works if it can."""
        one, two = self.machines[number % len(self.machines)], self.machines[other % len(self.machines)]

        def meanwhile() -> None:
            if one is not two and seconds:
                two.lease.acquire()
                self.time_passes(seconds)
                two.lease.acquire()
                self._work(two)

        self.store.before = meanwhile if one.believes() else None
        self._work(one)
        self.store.before = None

    def _work(self, one: Controller) -> None:
        fence, token = one.lease.fence, one.lease._token
        if fence is None:
            return
        try:
            with one.fenced.under(one.lease):
                one.fenced.commit(Transaction(writes={"work": {"fence": fence}}))
        except (Conflict, LeaseLost):  # Conflict: after a renewal whose answer got lost; the publisher computes again
            return
        self.log.append((fence, token))

    @invariant()
    def each_fence_is_of_one_holder_and_they_grow_with_the_commits(self) -> None:
        log = getattr(self, "log", [])
        fences = [fence for fence, _token in log]
        assert fences == sorted(fences), "an earlier holder committed after a later one"
        assert len({fence for fence, _ in log}) == len(set(log)), "two holders committed under one fence"

    @precondition(lambda self: getattr(self, "even", False))
    @invariant()
    def at_most_one_believes_to_lead_where_clocks_are_equally_fast(self) -> None:
        assert sum(one.believes() for one in self.machines) <= 1

    def teardown(self) -> None:
        for one in getattr(self, "machines", ())[:1]:
            for _ in range(3):  # whatever has happened, somebody leads after two times to live
                one.lease.acquire()
                self.time_passes(2 * TTL)
            assert one.lease.acquire() is not None


TestCluster = Cluster.TestCase
TestCluster.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
