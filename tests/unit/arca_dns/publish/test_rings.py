# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Rings: what each serves, that no revision goes back, and that nothing expires because nobody promotes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.errors import ArcaError, Conflict, NotFound
from arca_dns.promotion import Wanted
from arca_dns.publish.catalog import Catalog
from arca_dns.publish.head import Head, HeadKey, open_head
from arca_dns.publish.rings import KEPT_SECONDS
from arca_dns.retention import DAY
from arca_dns.service import Service
from arca_dns.store.base import Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from clock import Clock

RINGS = ("canary", "stable")
ZONE = names.from_text("example.com.")
OTHER = names.from_text("other.example.")
KEY = HeadKey.generate()


class Platform:
    """A store with a controller, which can be started anew with other rings."""

    def __init__(self, rings: Sequence[str] = RINGS) -> None:
        self.clock = Clock()
        self.store = MemoryStore(clock=self.clock)
        self.keys = MemoryKeyStore()
        self.service = self.controller(rings)

    def controller(self, rings: Sequence[str]) -> Service:
        return Service(self.store, self.keys, KEY, clock=self.clock, rings=rings)

    def start(self, rings: Sequence[str]) -> None:
        self.service = self.controller(rings)
        self.service.maintain()

    def create(self, zone: bytes = ZONE) -> None:
        text = f"$ORIGIN {names.to_text(zone)}\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
        self.service.create_zone(zone, parse(text).rrsets, actor="test")

    def change(self, address: int, zone: bytes = ZONE) -> None:
        owner = names.from_text("www", zone)
        edit = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 60, [bytes([192, 0, 2, address])]))
        self.service.change_zone(zone, [edit], if_version=None, actor="test")

    def delete(self, zone: bytes) -> None:
        self.service.delete_zone(zone, if_version=None, actor="test", force=True)

    def head(self, ring: str) -> Head:
        return open_head(self.service.head(ring), [KEY.public], ring=ring, now=0, minimum_revision=0)

    def promote(self, **wanted: object) -> None:
        self.service.promotions.promote(Wanted(ring="stable", force=True, **wanted), "test")  # type: ignore[arg-type]

    def served(self, ring: str) -> dict[bytes, ZoneRoot]:
        blobs = Blobs(self.store.read_blobs)
        catalog = Catalog(blobs, self.head(ring).catalog)
        return {entry.zone: ZoneRoot.load(blobs, entry.root) for entry in catalog}


@pytest.fixture
def platform() -> Platform:
    return Platform()


def test_the_first_ring_follows_every_publication_and_the_second_does_not(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    before = platform.head("stable")
    platform.change(7)
    assert platform.head("stable") == before
    assert platform.head("canary").catalog != before.catalog


def test_a_new_ring_begins_with_what_the_ring_before_has(platform: Platform) -> None:
    platform.create()
    with pytest.raises(NotFound, match="has no head"):
        platform.head("stable")
    platform.service.maintain()
    assert platform.head("stable").catalog == platform.head("canary").catalog


def test_a_promoted_ring_has_exactly_the_catalog_of_the_other(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    platform.change(7)
    before = platform.head("stable")
    platform.promote()
    after = platform.head("stable")
    assert after.catalog == platform.head("canary").catalog
    assert after.revision > before.revision


def test_a_zone_that_goes_by_a_promotion_has_the_mark(platform: Platform) -> None:
    platform.create()
    platform.create(OTHER)
    platform.service.maintain()
    platform.delete(OTHER)
    platform.promote()
    head = platform.head("stable")
    assert head.mass_removal == head.revision
    platform.change(3)
    platform.promote()
    assert platform.head("stable").mass_removal == head.mass_removal, "what follows removes nothing"


def test_an_earlier_head_can_be_promoted_while_it_is_kept(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    platform.change(1)
    wanted = platform.head("canary")
    platform.change(2)
    platform.promote(revision=wanted.revision)
    assert platform.head("stable").catalog == wanted.catalog
    platform.clock.now += KEPT_SECONDS + 1
    with pytest.raises(NotFound, match="is not kept"):
        platform.promote(revision=wanted.revision, rollback=True)


def test_the_history_of_a_ring_is_read_back_from_the_newest(platform: Platform) -> None:
    platform.create()
    for address in range(1, 30):
        platform.change(address)
    newest = platform.head("canary").revision
    history = platform.service.rings.history
    assert [one.revision for one in history("canary", None, 5)] == list(range(newest, newest - 5, -1))
    assert [one.revision for one in history("canary", newest - 10, 3)] == [newest - 11, newest - 12, newest - 13]
    assert [one.revision for one in history("canary", None, 1000)] == list(range(newest, 0, -1))
    assert history("canary", 1, 10) == history("stable", None, 10) == []
    platform.service.maintain()
    platform.change(99)
    platform.promote()
    first, last = history("stable", None, 10)[::-1]
    assert (first.revision, last.revision) == (newest, newest + 1)


def test_a_move_depends_on_what_it_was_computed_from(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    rings = platform.service.rings
    point = rings.point("canary")
    with pytest.raises(Conflict):
        rings.move("stable", point, expected=1_000_000)
    platform.store.commit(Transaction(deletes=list(point.keys)))
    with pytest.raises(Conflict):
        rings.move("stable", point)


def test_heads_of_all_rings_are_renewed(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    for _ in range(6):
        platform.clock.now += 8 * 3600
        platform.service.maintain()
        for ring in RINGS:
            assert platform.head(ring).expires > platform.clock.now + 8 * 3600


def test_signatures_are_taken_over_before_they_expire_and_not_at_once(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    later = 0
    for _ in range(40 * 4):
        platform.clock.now += DAY / 4
        platform.service.maintain()
        tree, first = (platform.served(ring)[ZONE] for ring in ("stable", "canary"))
        verify_zone(tree, int(platform.clock.now))
        assert tree.stats().earliest_expiry > platform.clock.now + DAY
        later += tree.stats().earliest_expiry < first.stats().earliest_expiry
    assert later > 3, "the first ring has renewed signatures a while before"


def test_a_change_that_is_not_promoted_is_taken_only_before_the_signatures_expire(platform: Platform) -> None:
    platform.create()
    platform.service.maintain()
    platform.change(7)
    www = names.from_text("www", ZONE)
    days = 0
    while platform.served("stable")[ZONE].get(www) is None:
        platform.clock.now += DAY / 4
        platform.service.maintain()
        verify_zone(platform.served("stable")[ZONE], int(platform.clock.now))
        days += 1
    assert days / 4 > 8, "it waits as long as it can"


def test_another_first_ring_takes_over_all_that_is_published(platform: Platform) -> None:
    platform.create()
    platform.create(OTHER)
    platform.service.maintain()
    platform.change(1)
    newest = platform.head("canary")
    platform.start(("stable",))
    assert platform.head("stable").catalog == newest.catalog
    assert platform.head("stable").revision > newest.revision
    platform.change(2)
    platform.start(("early", "canary", "stable"))
    assert set(platform.served("early")) == {ZONE, OTHER}
    platform.change(3)
    assert platform.head("early").catalog != platform.head("stable").catalog
    with pytest.raises(NotFound, match="no ring"):
        platform.head("none")


def test_what_a_slow_ring_serves_stays_whole(platform: Platform) -> None:
    platform.create()
    platform.create(OTHER)
    platform.service.maintain()
    platform.delete(OTHER)
    for day in range(6):
        platform.change(day)
        platform.clock.now += DAY
        platform.service.maintain()
        platform.service.retain(whole=True)
        platform.service.collect()
    assert set(platform.served("stable")) == {ZONE, OTHER}
    for tree in platform.served("stable").values():
        verify_zone(tree, int(platform.clock.now))


ACTIONS: dict[str, Callable[[Platform], object]] = {
    "change": lambda p: p.change(int(p.clock.now) % 250),
    "create": lambda p: p.create(OTHER),
    "delete": lambda p: p.delete(OTHER),
    "maintain": lambda p: p.service.maintain(),
    "promote": lambda p: p.promote(),
    "go back": lambda p: p.promote(
        source="stable", revision=p.service.rings.history("stable", None, 3)[-1].revision, rollback=True
    ),
    "abort": lambda p: p.service.promotions.abort("stable", "test"),
    "wait": lambda p: setattr(p.clock, "now", p.clock.now + DAY / 2),
    "collect": lambda p: (p.service.retain(whole=True), p.service.collect()),
    "other rings": lambda p: p.start(("stable",) if len(p.service.rings.names) == 2 else RINGS),
}


@settings(max_examples=30)
@given(st.lists(st.sampled_from(sorted(ACTIONS)), max_size=25))
def test_no_revision_goes_back_and_what_rings_serve_is_whole(actions: list[str]) -> None:
    platform = Platform()
    platform.create()
    platform.service.maintain()
    seen: dict[str, Head] = {}
    for action in actions:
        try:
            ACTIONS[action](platform)
        except ArcaError:
            continue  # refused, and so nothing has changed
        for ring in platform.service.rings.names:
            head = platform.head(ring)
            before = seen.get(ring, head)
            assert head.revision >= before.revision
            assert head.revision > before.revision or head == before
            seen[ring] = head
        if action == "promote":
            assert seen["stable"].catalog == seen["canary"].catalog
        if action == "collect":
            for ring in platform.service.rings.names:
                for tree in platform.served(ring).values():
                    assert list(tree.items())
