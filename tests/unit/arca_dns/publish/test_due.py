# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The index of what is due says what reading every zone would say, and reads what has changed alone."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.window import due_until, epoch_of
from arca_dns.documents import PublishedVersion, Source, ZoneSettings, encode, published_key, zone_key
from arca_dns.publish.due import DueIndex, due_at
from arca_dns.publish.head import HeadKey
from arca_dns.publish.publisher import Publisher
from arca_dns.service import Service
from arca_dns.store.base import Changes, Document, JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns.zone.tree import NEVER, Blobs

NOW = 1_800_000_000
DAY = 86400
POLICY = Policy()
ZONES = [names.from_text(name) for name in ("a.test.", "a.b.test.", "0/25.2.0.192.in-addr.arpa.", "b.test.", "c.test.")]
POLICIES: tuple[JsonObject, ...] = ({}, {"refresh": 9 * DAY}, {"quantum": 600, "refresh": 2 * DAY})


class Counting(MemoryStore):
    """Counts what is read, and forgets deletions when a test says so."""

    complete = True

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    def get(self, key: str) -> Document | None:
        self.reads += 1
        return super().get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        found = super().scan(prefix, after, limit)
        self.reads += len(found)
        return found

    def watch(self, after: int, timeout: float) -> Changes:
        return replace(super().watch(after, timeout), complete=self.complete)


def put(store: MemoryStore, zone: bytes, expiry: int | None, policy: JsonObject) -> None:
    """A zone whose first signature expires at *expiry*, or which is not published."""
    source = Source(names.to_text(zone), "v1", "", 1, 1, ZoneSettings(policy=policy).to_json(), "", "")
    writes = {zone_key(zone): encode(source)}
    if expiry is not None:
        writes[published_key(zone)] = encode(PublishedVersion("v1", "v1", "", "", 1, 1, expiry, "", ""))
    store.commit(Transaction(writes=writes, deletes=[published_key(zone)] if expiry is None else []))


def read_all(store: MemoryStore, now: int) -> set[bytes]:
    """What is due, as the definition has it."""
    due = set()
    for zone in ZONES:
        source, published = store.get(zone_key(zone)), store.get(published_key(zone))
        if source is not None and published is not None:
            policy = ZoneSettings.from_json(source.value["settings"]).effective_policy(POLICY)  # type: ignore[arg-type]
            if int(str(published.value["earliest_expiry"])) <= due_until(policy, epoch_of(policy, now)):
                due.add(zone)
    return due


expiries = st.none() | st.just(NEVER) | st.integers(NOW - DAY, NOW + 30 * DAY)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from(ZONES), expiries, st.sampled_from(POLICIES)),
        st.tuples(st.just("delete"), st.sampled_from(ZONES)),
        st.tuples(st.just("time"), st.integers(0, 20 * DAY)),
        st.tuples(st.just("forget"), st.booleans()),
    ),
    max_size=25,
)


@given(steps)
@settings(max_examples=150)
def test_it_says_what_reading_all_zones_would_say(todo: Iterable[tuple]) -> None:  # type: ignore[type-arg]
    store = Counting()
    index, now = DueIndex(store, POLICY), NOW
    for step, *arguments in todo:
        if step == "put":
            put(store, *arguments)
        elif step == "delete":
            store.commit(Transaction(deletes=[zone_key(arguments[0]), published_key(arguments[0])]))
        elif step == "time":
            now += arguments[0]
        else:
            store.complete = arguments[0]
        due = index.due(now)
        assert len(due) == len(set(due))
        assert set(due) == read_all(store, now)


@given(st.integers(NOW - DAY, NOW + 60 * DAY), st.sampled_from(POLICIES), st.integers(-7200, 7200))
def test_a_zone_is_due_from_one_moment_on(expiry: int, options: JsonObject, away: int) -> None:
    policy = ZoneSettings(policy=options).effective_policy(POLICY)
    now = due_at(policy, expiry) + away
    assert (expiry <= due_until(policy, epoch_of(policy, now))) == (away >= 0)


def test_the_most_urgent_comes_first() -> None:
    store = Counting()
    for zone, days in zip(ZONES, (3, 1, 4, 2, 5), strict=True):
        put(store, zone, NOW + days * DAY, {})
    assert DueIndex(store, POLICY).due(NOW) == [ZONES[n] for n in (1, 3, 0, 2, 4)]


def test_a_round_reads_what_has_changed_and_nothing_else() -> None:
    store = Counting()
    many = [names.from_text(f"z{n:04}.test.") for n in range(2000)]
    for zone in many:
        put(store, zone, NOW + 13 * DAY, {})
    index = DueIndex(store, POLICY)
    assert index.due(NOW) == []
    assert len(index) == 2000
    store.reads = 0
    assert index.due(NOW) == []
    assert store.reads == 0
    for zone in many[:10]:
        put(store, zone, NOW, {})
    assert index.due(NOW) == many[:10]
    assert store.reads == 20


def test_zones_that_are_signed_over_and_over_fill_no_memory() -> None:
    store = Counting()
    index = DueIndex(store, POLICY)
    for turn in range(3000):
        put(store, ZONES[0], NOW + 13 * DAY + turn, {})
        index.due(NOW)
    assert len(index._heap) <= 1002


@pytest.fixture
def service() -> Service:
    return Service(Counting(), MemoryKeyStore(), HeadKey.generate(), clock=lambda: float(NOW))


def publisher(service: Service, policy: Policy, now: float) -> Publisher:
    """Another controller, started with another policy."""
    made = Service(service.store, service._keystore, HeadKey.generate(), policy=policy, clock=lambda: now)
    return made.publisher


def signed(service: Service, count: int) -> list[bytes]:
    zones = [names.from_text(f"z{n:03}.test.") for n in range(count)]
    for zone in zones:
        text = f"$ORIGIN {names.to_text(zone)}\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
        service.create_zone(zone, parse(text, zone).rrsets, actor="me")
    return zones


def test_a_policy_with_an_earlier_refresh_signs_at_once_and_in_full(service: Service) -> None:
    (zone,) = signed(service, 1)
    before = service.publisher.published(zone)
    assert before is not None
    later = publisher(service, replace(POLICY, validity=30 * DAY, refresh=14 * DAY + 3600, denial="nsec3"), NOW + 60.0)
    later.maintain()
    after = later.published(zone)
    assert after is not None
    assert after.signing != before.signing
    assert after.earliest_expiry > NOW + 14 * DAY


def test_another_policy_is_taken_up_when_a_zone_is_signed_again(service: Service) -> None:
    (zone,) = signed(service, 1)
    before = service.publisher.published(zone)
    assert before is not None
    changed = replace(POLICY, denial="nsec3")
    due = due_at(POLICY, before.earliest_expiry)
    publisher(service, changed, due - 1.0).maintain()
    assert service.publisher.published(zone) == before
    publisher(service, changed, float(due)).maintain()
    after = service.publisher.published(zone)
    assert after is not None
    assert after.signing != before.signing


class Turn:
    """A lock that tells when it is taken while the publisher is at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.taken = threading.Event()

    def __enter__(self) -> None:
        self._lock.acquire()
        self.taken.set()

    def __exit__(self, *_error: object) -> None:
        self._lock.release()


def test_many_zones_that_are_due_are_signed_in_steps_and_others_come_between(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("arca_dns.publish.publisher._STEP", 2)
    zones = signed(service, 5)
    one = publisher(service, POLICY, NOW + 13 * DAY)
    one._turn = turn = Turn()  # type: ignore[assignment]
    order: list[object] = []
    commit, find = one._commit, one._find_dirty
    other = threading.Thread(target=lambda: one.publish())

    def committed(attempt: Any, blobs: Blobs, ready: Sequence[Any]) -> None:
        if not order:
            turn.taken.clear()
            other.start()
            assert turn.taken.wait(30)
        commit(attempt, blobs, ready)
        order.append(len(ready))

    def found(*arguments: Any) -> None:
        if threading.current_thread() is other:
            order.append("another")
        find(*arguments)

    one._commit, one._find_dirty = committed, found  # type: ignore[method-assign]
    one.maintain()
    other.join()
    assert order == [2, "another", 2, 1]
    after = [one.published(zone) for zone in zones]
    assert all(version is not None and version.earliest_expiry > NOW + 17 * DAY for version in after)
    one.maintain()
    assert len(order) == 4, "nothing is due any more"
