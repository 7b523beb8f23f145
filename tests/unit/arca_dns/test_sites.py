# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Leases of edges that take a prefix back: enough others go on announcing it, whatever comes in whatever order."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns.documents import edge_key, utc
from arca_dns.edge_files import Lease, Wish
from arca_dns.errors import InputError, NotFound
from arca_dns.sites import Sites
from arca_dns.store.base import Json, Transaction
from arca_dns.store.memory import MemoryStore
from clock import Clock

PREFIX = "203.0.113.53/32"
FRESH = 300.0


class World:
    """Edges that attest what they announce, and the leases."""

    def __init__(self, minimum: int = 1) -> None:
        self.clock = Clock()
        self.store = MemoryStore()
        self.sites = Sites(self.store, self.clock, minimum, FRESH)

    def attest(
        self,
        edge: str,
        mode: str = "announced",
        prefix: str = PREFIX,
        *,
        condition: str = "healthy",
        called: int | None = None,
    ) -> None:
        announced: list[Json] = [] if mode == "withdrawn" else [prefix]
        value: dict[str, Json] = {
            "edge": edge,
            "received": utc(self.clock.now),
            "announced": announced,
            "health": [{"prefix": prefix, "mode": mode, "condition": condition}],
            **({} if called is None else {"called": called}),
        }
        self.store.commit(Transaction(writes={edge_key(edge): value}))

    def ask(self, edge: str, wish: Wish | None = "drain") -> Lease | None:
        found = self.sites.ask(edge, {} if wish is None else {PREFIX: wish})
        return found[0] if found else None

    def granted(self, edge: str, wish: Wish | None = "drain") -> bool:
        found = self.ask(edge, wish)
        return found is not None and found.granted


def test_the_last_site_gets_none() -> None:
    world = World()
    world.attest("edge1")
    assert world.ask("edge1") == Lease(
        PREFIX,
        "drain",
        granted=False,
        reason="no spare site: 1 other than this one must announce the prefix, there is none",
    )


def test_of_two_edges_one_gets_it_and_the_other_when_it_is_given_back() -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2")
    assert world.granted("edge1")
    refused = world.ask("edge2", "degrade")
    assert refused is not None
    assert not refused.granted
    assert "edge1 holds a lease to drain" in refused.reason
    assert world.granted("edge1"), "it still has it"
    assert world.granted("edge1", "degrade"), "and may do less"
    world.ask("edge1", None)
    assert world.granted("edge2")


def test_who_is_degraded_drains_only_if_there_is_a_spare_still() -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2")
    assert world.granted("edge1", "degrade")
    world.attest("edge1", "degraded")
    world.attest("edge2", "withdrawn", condition="failed")
    refused = world.ask("edge1", "drain")
    assert refused is not None
    assert (refused.granted, refused.pending) == (False, False)
    assert world.sites.holders() == {PREFIX: {"edge1": "degrade"}}, "it keeps what it has"
    world.attest("edge2")
    assert world.granted("edge1", "drain")
    world.attest("edge2", "withdrawn", condition="failed")
    assert world.granted("edge1", "degrade"), "less than it has needs no spare"


def test_who_is_degraded_stays_so_while_other_edges_are_called() -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2")
    assert world.granted("edge1", "degrade")
    world.clock.now += 60
    waits = world.ask("edge1", "drain")
    assert waits is not None
    assert waits.pending
    assert world.granted("edge1", "degrade")
    world.attest("edge2")
    world.clock.now += 10
    again = world.ask("edge1", "drain")
    assert again is not None
    assert again.pending, "a wish that was taken back meanwhile waits anew"


@pytest.mark.parametrize("mode", ["withdrawn", "degraded", "draining"])
def test_an_edge_that_does_not_announce_the_normal_way_is_no_spare(mode: str) -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2", mode)
    refused = world.ask("edge1")
    assert refused is not None
    assert "edge2 does not announce it the normal way" in refused.reason


def test_an_edge_that_fails_its_own_checks_is_no_spare() -> None:
    world = World()
    world.attest("edge1", condition="failed")
    world.attest("edge2", condition="failed")
    refused = world.ask("edge1")
    assert refused is not None
    assert "edge2 fails its own checks" in refused.reason
    world.attest("edge2", condition="degraded")
    assert world.granted("edge1")


def test_an_edge_that_was_not_heard_of_lately_is_no_spare() -> None:
    world = World()
    world.attest("edge2")
    world.clock.now += FRESH + 1
    world.attest("edge1")
    refused = world.ask("edge1")
    assert refused is not None
    assert "edge2 was last heard of at" in refused.reason


def test_what_was_heard_before_the_wish_is_asked_for_again() -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2")
    world.clock.now += 60
    assert world.sites.called() == 0
    first = world.ask("edge1")
    assert first is not None
    assert (first.granted, first.pending) == (False, True)
    assert "edge2 was last heard of at" in first.reason
    called = world.sites.called()
    assert called > 0
    world.clock.now += 1
    assert world.ask("edge1") == first
    assert world.sites.called() == called, "they are called once"
    world.attest("edge2")
    assert world.granted("edge1")


def test_an_edge_that_does_not_answer_the_call_is_no_spare_until_it_does() -> None:
    world = World()
    world.attest("edge2")
    world.clock.now += 60
    world.ask("edge1")
    called = world.sites.called()
    world.clock.now += 16
    refused = world.ask("edge1")
    assert refused is not None
    assert (refused.granted, refused.pending) == (False, False)
    assert "no spare site" in refused.reason
    assert "edge2 was last heard of at" in refused.reason
    world.clock.now += 15
    again = world.ask("edge1")
    assert again is not None
    assert again.pending
    assert world.sites.called() != called, "after a while they are called again"
    world.attest("edge2")
    assert world.granted("edge1")


def test_an_edge_that_spoke_just_before_the_wish_is_no_spare_until_it_answers_the_call() -> None:
    world = World()
    world.attest("edge2", called=world.sites.called())
    first = world.ask("edge1")
    assert first is not None
    assert first.pending
    world.clock.now += 2
    world.attest("edge2", called=0)
    again = world.ask("edge1")
    assert again is not None
    assert again.pending, "it has not heard of the call"
    world.attest("edge2", called=world.sites.called())
    assert world.granted("edge1")


def test_an_answer_to_an_earlier_call_is_none() -> None:
    world = World()
    world.attest("edge2", called=0)
    world.ask("edge3")
    answered = world.sites.called()
    assert answered > 0
    world.attest("edge2", called=answered)
    first = world.ask("edge1")
    assert first is not None
    assert first.pending
    assert world.sites.called() > answered


def test_whether_a_call_was_answered_does_not_depend_on_clocks() -> None:
    world = World()
    world.attest("edge2", called=0)
    world.ask("edge1")
    world.clock.now -= 100  # the controller that hears the answer has another time
    world.attest("edge2", called=world.sites.called())
    world.clock.now += 100
    assert world.granted("edge1")


def test_the_number_of_a_call_of_another_store_is_no_answer() -> None:
    world = World()
    world.attest("edge2", called=1_000_000)
    first = world.ask("edge1")
    assert first is not None
    assert first.pending


def test_edges_are_called_once_for_all_prefixes_of_a_wish() -> None:
    world = World()
    other = "2001:db8::53/128"
    world.attest("edge2", called=0)
    world.attest("edge3", prefix=other, called=0)
    wishes: dict[str, Wish] = {PREFIX: "drain", other: "drain"}
    assert [lease.pending for lease in world.sites.ask("edge1", wishes)] == [True, True]
    called = world.sites.called()
    first = world.store.get(f"sites/{PREFIX}")
    assert first is not None
    assert first.revision == called, "the second one called nobody"
    world.attest("edge2", called=called)
    world.attest("edge3", prefix=other, called=called)
    assert [lease.granted for lease in world.sites.ask("edge1", wishes)] == [True, True]


@pytest.mark.parametrize(("ahead", "counts"), [(3, True), (8, False)])
def test_an_attestation_from_the_future_counts_only_if_clocks_may_differ_so_much(ahead: int, counts: bool) -> None:
    world = World()
    world.clock.now += ahead
    world.attest("edge2")
    world.clock.now -= ahead
    assert world.granted("edge1") is counts


def test_a_wish_that_waits_since_an_earlier_version_goes_by_times() -> None:
    world = World()
    asked: dict[str, Json] = {"edge1": utc(world.clock.now - 10)}
    world.store.commit(Transaction(writes={f"sites/{PREFIX}": {"holders": {}, "asked": asked}}))
    world.attest("edge2", called=0)
    assert world.granted("edge1")


def test_nobody_is_called_where_no_answer_could_help() -> None:
    world = World()
    world.attest("edge2", "withdrawn")
    world.attest("edge3")
    assert world.granted("edge3", None) is False
    world.clock.now += 60
    world.attest("edge3", "degraded")
    refused = world.ask("edge1")
    assert refused is not None
    assert not refused.pending
    assert world.sites.called() == 0


def test_a_wish_that_is_taken_back_waits_no_more() -> None:
    world = World()
    world.attest("edge2")
    world.clock.now += 60
    world.ask("edge1")
    world.ask("edge1", None)
    world.clock.now += 20
    again = world.ask("edge1")
    assert again is not None
    assert again.pending


def test_another_prefix_is_another_matter() -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2", prefix="2001:db8::53/128")
    assert not world.granted("edge1")


def test_more_may_be_asked_to_stay() -> None:
    world = World(minimum=2)
    for edge in ("edge1", "edge2", "edge3"):
        world.attest(edge)
    assert world.granted("edge1")
    assert not world.granted("edge2")


def test_what_is_no_prefix_is_refused_with_its_place() -> None:
    world = World()
    with pytest.raises(InputError) as caught:
        world.sites.ask("edge1", {"203.0.113.53": "drain", "203.0.113.53/24": "drain", "x": "drain"})
    assert [place.pointer for place in caught.value.places] == [
        "/wishes/0/prefix",
        "/wishes/1/prefix",
        "/wishes/2/prefix",
    ]


def test_a_forgotten_edge_holds_nothing() -> None:
    world = World()
    world.attest("edge1")
    world.attest("edge2")
    assert world.granted("edge1")
    world.sites.forget("edge1")
    assert world.sites.holders() == {}
    with pytest.raises(NotFound):
        world.sites.forget("edge1")


EDGES = ("edge1", "edge2", "edge3", "edge4")


@given(
    st.integers(1, 3),
    st.lists(
        st.tuples(st.sampled_from(EDGES), st.sampled_from(["drain", "degrade", None, "attest", "fail", "recover"])),
        max_size=40,
    ),
)
def test_enough_edges_go_on_announcing(minimum: int, steps: list[tuple[str, str | None]]) -> None:
    world = World(minimum)
    held: dict[str, str | None] = dict.fromkeys(EDGES)
    failed: set[str] = set()

    def attest(edge: str) -> None:
        mode = "withdrawn" if edge in failed or held[edge] == "drain" else "degraded" if held[edge] else "announced"
        world.attest(edge, mode, condition="failed" if edge in failed else "healthy")

    def takes_more(edge: str, wish: str) -> bool:
        return held[edge] is None or (held[edge], wish) == ("degrade", "drain")

    for edge in EDGES:
        attest(edge)
    for edge, step in steps:
        if step == "attest":
            attest(edge)
        elif step == "fail" or step == "recover":
            (failed.add if step == "fail" else failed.discard)(edge)
            attest(edge)
        elif step is None:
            world.granted(edge, None)
            held[edge] = None
        elif world.granted(edge, "drain" if step == "drain" else "degrade"):
            left = [other for other in EDGES if other != edge and other not in failed and held[other] is None]
            assert len(left) >= minimum or not takes_more(edge, step)
            held[edge] = step
        assert sum(one is None for one in held.values()) >= minimum
        assert world.sites.holders().get(PREFIX, {}) == {one: wish for one, wish in held.items() if wish}
