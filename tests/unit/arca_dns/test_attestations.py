# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Attestations: the latest of each edge stays, in whatever order they come in."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns.attestations import Attestations
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import edge_key, utc
from arca_dns.errors import Conflict, NotFound
from arca_dns.publish.gates import Gates, against
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.sites import Sites
from arca_dns.store.base import Document, Json, JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from clock import Clock

FRESH = 150.0
PREFIX = "203.0.113.53/32"
T = 1_800_000_000.0


class Racing(MemoryStore):
    """A store in which somebody else commits *others*, one each time after an attestation was read."""

    def __init__(self, *others: Transaction) -> None:
        super().__init__()
        self.others = list(others)

    def get(self, key: str) -> Document | None:
        found = super().get(key)
        if self.others:
            self.commit(self.others.pop(0))
        return found


class Counting(MemoryStore):
    """A store that notes the keys of what was read, and of what was written."""

    def __init__(self) -> None:
        super().__init__()
        self.read: list[str] = []
        self.written: list[str] = []

    def get(self, key: str) -> Document | None:
        self.read.append(key)
        return super().get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        found = super().scan(prefix, after, limit)
        self.read += [document.key for document in found]
        return found

    def commit(self, transaction: Transaction) -> int:
        self.written += transaction.writes
        return super().commit(transaction)


class World:
    def __init__(self, store: MemoryStore | None = None) -> None:
        self.clock = Clock(T)
        self.store = store or MemoryStore()
        self.attestations = Attestations(self.store, self.clock, FRESH)

    def keep(self, head: int, started: float | None = None, attested: float | None = None) -> None:
        report: JsonObject = {"head": head}
        if started is not None:
            report["started"] = utc(started)
        if attested is not None:
            report["attested"] = utc(attested)
        self.attestations.keep("edge1", report)

    def head(self) -> Json:
        return self.attestations.of("edge1")["head"]


def test_one_that_comes_late_is_dropped() -> None:
    world = World()
    world.keep(2, T - 900, T)
    received = world.attestations.of("edge1")["received"]
    world.clock.now += 20
    world.keep(1, T - 900, T - 10)
    assert (world.head(), world.attestations.of("edge1")["received"]) == (2, received)


def test_one_of_the_same_moment_is_taken() -> None:
    world = World()
    world.keep(1, T - 900, T)
    world.keep(2, T - 900, T)
    assert world.head() == 2


def test_one_that_was_read_before_a_newer_came_in_is_dropped() -> None:
    newer: JsonObject = {"head": 2, "started": utc(T - 900), "attested": utc(T), "received": utc(T)}
    world = World(Racing(Transaction(writes={edge_key("edge1"): newer})))
    world.keep(1, T - 900, T - 10)
    assert world.head() == 2


def test_one_that_is_newer_goes_through_though_others_come_in_meanwhile() -> None:
    older: JsonObject = {"head": 1, "started": utc(T - 900), "attested": utc(T - 10), "received": utc(T)}
    world = World(Racing(*[Transaction(writes={edge_key("edge1"): older})] * 3))
    world.keep(2, T - 900, T)
    assert world.head() == 2
    endless = World(Racing(*[Transaction(writes={edge_key("edge1"): older})] * 100))
    with pytest.raises(Conflict, match="try again"):
        endless.keep(2, T - 900, T)


def test_an_agent_that_began_later_is_newer_whatever_its_clock_says() -> None:
    world = World()
    world.keep(2, T - 10, T - 5)
    world.keep(1, T - 900, T)
    assert world.head() == 2


def test_one_that_does_not_say_when_it_was_made_is_taken() -> None:
    world = World()
    world.keep(1, T - 900, T)
    world.keep(2)
    world.keep(3, T - 900, T - 60)
    assert world.head() == 3
    world.attestations.keep("edge1", {"head": 4, "started": "yesterday", "attested": 7})
    assert world.head() == 4


@pytest.mark.parametrize("restarted", [True, False])
def test_an_edge_whose_clock_was_put_back_is_heard_of_again_after_a_while(restarted: bool) -> None:
    world = World()
    world.keep(1, T, T)
    started = T - 7200 if restarted else T
    world.clock.now += FRESH
    world.keep(2, started, T - 7000)
    assert world.head() == 1
    world.clock.now += 1
    world.keep(2, started, T - 6999)
    world.keep(3, started, T - 6998)
    assert world.head() == 3


def test_an_edge_that_said_nothing_is_not_found() -> None:
    with pytest.raises(NotFound, match="edge 'edge1' has attested nothing"):
        World().head()


@given(st.permutations(range(6)))
def test_the_newest_stays_in_whatever_order_they_come(order: list[int]) -> None:
    world = World()
    for made in order:
        world.keep(made, T - 900 + made // 3, T - 60 + made)
    assert world.head() == 5


def report(serial: int = 1, **more: Json) -> JsonObject:
    return {"head": 7, "zones": [{"name": "example.com.", "serial": serial}], "announced": [PREFIX], **more}


def test_it_is_read_as_it_came() -> None:
    world = World()
    world.attestations.keep("edge1", report())
    world.attestations.keep("edge2", report(2, zone_count=9))
    world.attestations.keep("edge3", {"head": 1})
    told: JsonObject = {"edge": "edge1", "received": utc(T)}
    assert world.attestations.of("edge1") == report() | told
    assert list(world.attestations.of("edge1")) == [*report(), *told], "its members in their order"
    assert world.attestations.all() == [
        report() | told,
        report(2) | told | {"edge": "edge2"},
        {"head": 1} | told | {"edge": "edge3"},
    ]


def test_its_zones_are_written_only_when_they_change() -> None:
    store = Counting()
    world = World(store)
    for serial in (1, 1, 2):
        world.attestations.keep("edge1", report(serial))
    assert store.written == ["edge/edge1", "edge-zones/edge1", "edge/edge1", "edge/edge1", "edge-zones/edge1"]
    world.attestations.keep("edge1", {"head": 8, "zones": []})
    assert world.attestations.of("edge1")["zones"] == []


def test_its_zones_are_read_neither_for_leases_nor_for_gates() -> None:
    store = Counting()
    service = Service(store, MemoryKeyStore(), HeadKey.generate(), clock=Clock(T), rings=("canary", "stable"))
    for edge in ("edge1", "edge2"):
        service.attest(edge, report())
    store.read.clear()
    (lease,) = service.sites.ask("edge1", {PREFIX: "drain"})
    assert lease.granted
    service.promotions.states()
    assert service.edges_in_short()[0]["zone_count"] == 1
    assert not [key for key in store.read if key.startswith("edge-zones/")]


def test_one_of_an_earlier_version_is_read_whole() -> None:
    world = World()
    old: JsonObject = {**report(), "edge": "edge1", "received": utc(T)}
    world.store.commit(Transaction(writes={edge_key("edge1"): old}))
    assert world.attestations.of("edge1") == old
    assert world.attestations.all() == [old]
    world.attestations.keep("edge1", report(2))
    assert world.attestations.of("edge1")["zones"] == report(2)["zones"]


@pytest.mark.parametrize("counted", [True, False])
def test_the_share_of_failing_zones_is_of_all_it_names(counted: bool) -> None:
    zones: list[Json] = [{"name": f"z{number}.", "serial": 1} for number in range(10)]
    failing: JsonObject = {"edge": "e", "received": utc(T), "head": 1, "failures": [{"name": "z1.", "reason": "x"}]}
    told = {**failing, **({"zone_count": 10} if counted else {"zones": zones})}
    assert list(against(told, 1, Gates(failing_share=0.1), T)) == []
    assert list(against(told, 1, Gates(failing_share=0.09), T)) == ["edge e does not serve 1 of 10 zones (z1.: x)"]


def test_nothing_of_an_edge_that_is_forgotten_stays() -> None:
    world = World()
    world.attestations.keep("edge1", report())
    Sites(world.store, world.clock, 1, FRESH).forget("edge1")
    assert list(world.store.scan("edge")) == []
