# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Asking for leases: what the health check wishes goes out, answers come back, and silence changes nothing."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
import structlog

from arca_dns.edge_files import Lease, read_leases, write_leases
from arca_dns_agent.controller import Controllers
from arca_dns_agent.leases import HealthFile, LeaseKeeper
from edge_agent import World, second_url

A, B = "203.0.113.53/32", "2001:db8::53/128"


class Edge:
    """A keeper beside a health check that writes what the test says; time moves only when told."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.settings = second_url(world.settings(directory))
        self.health, self.leases = directory / "health.json", directory / "leases.json"
        self.now = 0.0
        self.quiet = 0.0  # what the clocks of the health file have gone on
        self.step = 0.0  # by how much the wall clock is wrong
        self.told = 0
        self.start()

    def start(self) -> None:
        self.keeper = LeaseKeeper(
            Controllers(self.settings.urls, self.settings.api_key, self.settings.tls, 1, self.world.transport()),
            "edge1",
            HealthFile(self.health, clock=lambda: time.time() + self.quiet + self.step, monotonic=lambda: self.quiet),
            self.leases,
            told=self._count,
            random=lambda: 1.0,
            monotonic=lambda: self.now,
        )

    def _count(self) -> None:
        self.told += 1

    def wish(self, **wishes: str | None) -> None:
        """As the health check writes it: a new file in the place of the old."""
        entries = [{"prefix": {"a": A, "b": B}[name], "wish": wish} for name, wish in wishes.items()]
        fresh = self.health.with_suffix(".new")
        fresh.write_text(json.dumps({"prefixes": entries}))
        fresh.replace(self.health)

    def steps(self, count: int = 1) -> None:
        """*count* looks, a second apart."""

        async def run() -> None:
            for _step in range(count):
                await self.keeper.step()
                self.now += 1

        asyncio.run(run())

    def held(self) -> list[tuple[str, bool]]:
        return [(lease.wish, lease.granted) for lease in read_leases(self.leases)]


@pytest.fixture
def world() -> World:
    return World(lambda: 1_800_000_000.0)


@pytest.fixture
def edge(world: World, tmp_path: Path) -> Edge:
    return Edge(world, tmp_path)


def test_without_wishes_all_is_given_back_once_when_they_are_known(edge: Edge) -> None:
    edge.steps(3)
    assert edge.world.requests == []
    edge.wish(a=None)
    edge.steps(30)
    assert edge.world.wished == [[]]
    assert edge.told == 1, "a file that did not change is not read again"


def test_a_wish_is_asked_for_at_once_and_every_ten_seconds(edge: Edge) -> None:
    edge.wish(a="drain", b=None)
    edge.steps(25)
    assert edge.world.wished == [[{"prefix": A, "wish": "drain"}]] * 3
    assert edge.world.requests[0] == "PUT /edges/edge1/leases"
    assert read_leases(edge.leases) == (Lease(A, "drain", granted=True),)


def test_a_refusal_is_written_with_its_reason(edge: Edge) -> None:
    edge.world.spare = False
    edge.wish(a="drain")
    edge.steps()
    assert read_leases(edge.leases) == (Lease(A, "drain", granted=False, reason="no spare site"),)


def test_while_other_edges_are_asked_it_asks_at_each_look(edge: Edge) -> None:
    edge.world.pending = True
    edge.wish(a="drain")
    edge.steps(4)
    assert len(edge.world.wished) == 4
    assert read_leases(edge.leases)[0].pending
    edge.world.pending = False
    edge.steps(9)
    assert len(edge.world.wished) == 5
    assert edge.held() == [("drain", True)]


def test_that_nothing_is_wished_is_said_again_every_minute(edge: Edge) -> None:
    edge.wish(a=None)
    edge.steps(130)
    assert edge.world.wished == [[]] * 3, "a stalled controller may commit late what was wished before"


def test_a_lease_whose_answer_was_lost_is_given_back(edge: Edge) -> None:
    edge.wish(a=None)
    edge.steps()
    edge.world.tamper = lambda _path, _body: b"cut off"
    edge.wish(a="drain")
    edge.steps()
    edge.world.tamper = lambda _path, body: body
    edge.wish(a=None)
    edge.steps(3)
    assert edge.world.wished[1:] == [[{"prefix": A, "wish": "drain"}], []]


def test_a_lease_whose_answer_was_lost_is_given_back_though_the_health_check_is_gone(edge: Edge) -> None:
    edge.world.tamper = lambda _path, _body: b"cut off"
    edge.wish(a="drain")
    edge.steps()
    edge.world.tamper = lambda _path, body: body
    edge.health.unlink()
    edge.steps(3)
    assert edge.world.wished[-1] == []


def test_all_wishes_are_said_whenever_one_changes_and_none_gives_all_back(edge: Edge) -> None:
    edge.wish(a="drain")
    edge.steps()
    edge.wish(a="drain", b="degrade")
    edge.steps()
    edge.wish(a=None, b=None)
    edge.steps(20)
    assert edge.world.wished == [
        [{"prefix": A, "wish": "drain"}],
        [{"prefix": B, "wish": "degrade"}, {"prefix": A, "wish": "drain"}],
        [],
    ]
    assert edge.held() == []


def test_silence_leaves_leases_as_they_are_and_is_logged_once(edge: Edge) -> None:
    edge.wish(a="drain")
    edge.steps()
    edge.world.cut = True
    with structlog.testing.capture_logs() as log:
        edge.steps(60)
    assert edge.held() == [("drain", True)]
    assert len(log) == 1
    assert len(edge.world.requests) < 30, "pauses grow, and both controllers are tried each time"
    edge.world.cut = False
    edge.steps(11)
    assert edge.world.wished[-1] == [{"prefix": A, "wish": "drain"}]


def test_a_lease_does_not_outlive_its_wish_though_no_controller_answers(edge: Edge) -> None:
    edge.wish(a="drain")
    edge.steps()
    edge.world.cut = True
    edge.wish(a=None)
    edge.steps(2)
    edge.wish(a="drain")
    edge.steps(30)
    assert edge.held() == [], "a wish that comes again needs a new lease"


@pytest.mark.parametrize(
    "answer", [b"<html>", b"[]", b'{"leases": 1}', b'{"leases": [1]}', b" " * 300_000, b"[" * 200_000]
)
def test_an_answer_that_is_none_counts_as_silence(edge: Edge, answer: bytes) -> None:
    edge.wish(a="drain")
    edge.steps()
    edge.world.tamper = lambda _path, _body: answer
    edge.steps(12)
    assert edge.held() == [("drain", True)]


def test_leases_that_nobody_asked_for_count_for_nothing(edge: Edge) -> None:
    foreign = [
        {"prefix": B, "wish": "drain", "granted": True},
        {"prefix": A, "wish": "degrade", "granted": True},
        {"prefix": A, "wish": "drain", "granted": "yes"},
    ]
    edge.world.tamper = lambda _path, _body: json.dumps({"leases": foreign}).encode()
    edge.wish(a="drain")
    edge.steps()
    assert edge.held() == [("drain", False)]


def test_an_agent_that_comes_back_gives_back_what_nobody_wishes_any_more(edge: Edge) -> None:
    write_leases(edge.leases, [Lease(A, "drain", granted=True)])
    edge.start()
    edge.steps(3)
    assert edge.world.wished == [[]]
    assert edge.held() == []


def test_a_health_file_that_cannot_be_read_keeps_what_it_said_and_one_that_is_gone_says_nothing(edge: Edge) -> None:
    edge.wish(a="drain")
    edge.steps()
    edge.health.write_text("{")
    edge.steps()
    assert edge.held() == [("drain", True)]
    edge.health.unlink()
    edge.steps()
    assert edge.world.wished[-1] == []


def test_while_the_health_check_writes_nothing_no_lease_begins_and_none_ends(edge: Edge) -> None:
    edge.wish(a="drain", b=None)
    edge.steps()
    edge.quiet += 61
    edge.steps(100)
    assert edge.world.wished == [[{"prefix": A, "wish": "drain"}]]
    assert edge.held() == [("drain", True)]
    edge.wish(a=None, b=None)
    edge.steps()
    assert edge.world.wished[1:] == [[]]
    assert edge.held() == []


def test_an_agent_that_starts_beside_a_dead_health_check_gives_nothing_back(edge: Edge) -> None:
    edge.wish(a=None)
    write_leases(edge.leases, [Lease(A, "drain", granted=True)])
    edge.start()
    edge.step = 61.0
    edge.steps(100)
    assert edge.world.wished == []
    assert edge.held() == [("drain", True)]
