# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Attestations: the latest of each edge stays, in whatever order they come in."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns.attestations import Attestations
from arca_dns.documents import edge_key, utc
from arca_dns.errors import Conflict, NotFound
from arca_dns.store.base import Document, Json, JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from clock import Clock

FRESH = 150.0
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
