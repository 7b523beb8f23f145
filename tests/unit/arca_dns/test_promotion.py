# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Promotions: what opens the gates, soaking, aborts, and what is refused."""

from __future__ import annotations

import re

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import utc
from arca_dns.errors import InputError, NotFound, PlanRefused, StaleVersion
from arca_dns.journal import Entry, Journal
from arca_dns.promotion import Promotion, Wanted
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import Json, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from clock import Clock

ZONE = names.from_text("example.com.")
OTHER = names.from_text("other.example.")
KEY = HeadKey.generate()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def service(clock: Clock) -> Service:
    made = Service(MemoryStore(clock=clock), MemoryKeyStore(), KEY, clock=clock, rings=("canary", "stable"))
    create(made)
    made.maintain()
    change(made, 1)
    return made


def create(service: Service, zone: bytes = ZONE) -> None:
    text = f"$ORIGIN {names.to_text(zone)}\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"
    service.create_zone(zone, parse(text).rrsets, actor="test")


def delete(service: Service, zone: bytes = ZONE) -> None:
    service.delete_zone(zone, if_version=None, actor="test", force=True)


def change(service: Service, address: int) -> None:
    owner = names.from_text("www", ZONE)
    edit = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 60, [bytes([192, 0, 2, address])]))
    service.change_zone(ZONE, [edit], if_version=None, actor="test")


def revision(service: Service, ring: str) -> int:
    return service.head(ring).revision()


def attest(service: Service, edge: str = "edge1", **more: Json) -> None:
    zones: list[Json] = [{"name": "example.com.", "serial": 1}]
    report: dict[str, Json] = {"ring": "canary", "head": revision(service, "canary"), "zones": zones, "failures": []}
    service.attest(edge, {**report, **more})


def promote(service: Service, *, dry_run: bool = False, **wanted: object) -> Promotion:
    return service.promotions.promote(Wanted("stable", **wanted), "kim", dry_run=dry_run).promotion  # type: ignore[arg-type]


def kinds(service: Service, clock: Clock) -> list[tuple[str, str]]:
    def told(entry: Entry) -> bool:
        return entry.kind.startswith("ring.")

    # Entries of one moment come in any order.
    return sorted((entry.kind, entry.actor) for _id, entry in Journal(service.store, clock).entries(told))


def test_it_goes_at_once_where_all_edges_attest(service: Service, clock: Clock) -> None:
    attest(service)
    attest(service, "edge2")
    done = promote(service, reason="weekly")
    assert (done.state, done.head) == ("promoted", revision(service, "stable"))
    assert kinds(service, clock) == [("ring.promoted", "kim")]
    assert service.rings.get("stable").head.catalog == service.rings.get("canary").head.catalog  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"head": 1}, "serves revision 1, not"),
        ({"head": None}, "serves revision nothing"),
        ({"failures": [{"name": "a.", "reason": "refused"}]}, r"does not serve 1 of 1 zones \(a.: refused\)"),
        ({"server_problem": "NSD does not answer"}, "NSD does not answer"),
        (
            {"health": [{"prefix": "203.0.113.53/32", "condition": "failed", "reasons": ["no answer"]}]},
            r"203.0.113.53/32 is failed \(no answer\)",
        ),
        (
            {"health": [{"prefix": "203.0.113.53/32", "condition": None, "reasons": ["nothing is written"]}]},
            r"203.0.113.53/32 is looked at by nobody \(nothing is written\)",
        ),
        ({"ring": "stable"}, "no edge of ring canary"),
    ],
)
def test_it_waits_for_edges_that_are_not_as_they_should_be(
    service: Service, clock: Clock, report: dict[str, Json], reason: str
) -> None:
    attest(service, **report)
    before = revision(service, "stable")
    waiting = promote(service)
    assert waiting.state == "waiting"
    assert len(waiting.blocked) == 1
    assert re.search(reason, waiting.blocked[0])
    service.promotions.step()
    assert revision(service, "stable") == before
    attest(service, ring="canary")
    service.promotions.step()
    found = service.promotions.get("stable")
    assert found is not None
    assert (found.state, found.blocked) == ("promoted", ())
    assert revision(service, "stable") > before
    assert kinds(service, clock) == [("ring.promoted", "kim"), ("ring.promotion", "kim")]


def test_an_edge_that_was_not_heard_of_for_long_blocks_until_it_is_forgotten(service: Service, clock: Clock) -> None:
    attest(service)
    attest(service, "gone")
    clock.now += 600
    attest(service)
    assert "gone was last heard of" in promote(service).blocked[0]
    service.sites.forget("gone")
    service.promotions.step()
    assert service.promotions.get("stable").state == "promoted"  # type: ignore[union-attr]


def test_an_edge_that_is_heard_of_in_the_future_blocks(service: Service, clock: Clock) -> None:
    clock.now += 60
    attest(service)
    clock.now -= 60
    assert f"(it is {utc(clock.now)} now)" in promote(service).blocked[0]


def test_it_soaks_and_begins_anew_after_a_failure(service: Service, clock: Clock) -> None:
    attest(service)
    waiting = promote(service, soak_seconds=100)
    assert waiting.blocked == (f"it soaks until {utc(clock.now + 100)}",)
    clock.now += 60
    attest(service, failures=[{"name": "a.", "reason": "x"}])
    service.promotions.step()
    attest(service)
    clock.now += 60
    service.promotions.step()
    attest(service)
    clock.now += 99
    service.promotions.step()
    assert service.promotions.get("stable").state == "waiting"  # type: ignore[union-attr]
    attest(service)
    clock.now += 1
    service.promotions.step()
    assert service.promotions.get("stable").state == "promoted"  # type: ignore[union-attr]


def test_some_zones_may_fail_if_that_is_said(service: Service) -> None:
    zones: list[Json] = [{"name": f"z{n}.", "serial": 1} for n in range(10)]
    attest(service, zones=zones, failures=[{"name": "a.", "reason": "x"}])
    assert promote(service, failing_share=0.05).state == "waiting"
    assert promote(service, failing_share=0.2).state == "promoted"


def test_with_force_the_gates_are_not_looked_at(service: Service) -> None:
    assert promote(service, force=True).state == "promoted"


def test_a_dry_run_says_what_would_change_and_changes_nothing(service: Service, clock: Clock) -> None:
    before = revision(service, "stable")
    outcome = service.promotions.promote(Wanted("stable"), "kim", dry_run=True)
    assert (outcome.difference.added, outcome.difference.changed, outcome.difference.removed) == (0, 1, 0)
    assert outcome.difference.names == {"changed": [ZONE]}
    assert outcome.promotion.blocked == ("no edge of ring canary has attested anything",)
    assert service.promotions.get("stable") is None
    assert revision(service, "stable") == before
    assert kinds(service, clock) == []


def test_what_a_ring_has_already_is_no_change(service: Service, clock: Clock) -> None:
    promote(service, force=True)
    before = revision(service, "stable")
    outcome = service.promotions.promote(Wanted("stable"), "kim")
    assert (outcome.changed, outcome.promotion.state) == (False, "promoted")
    assert revision(service, "stable") == before


def test_a_waiting_promotion_can_be_aborted(service: Service, clock: Clock) -> None:
    promote(service)
    assert service.promotions.abort("stable", "lee", "not today").state == "aborted"
    attest(service)
    before = revision(service, "stable")
    service.promotions.step()
    assert revision(service, "stable") == before
    assert kinds(service, clock) == [("ring.aborted", "lee"), ("ring.promotion", "kim")]
    with pytest.raises(NotFound, match="no promotion that could be aborted"):
        service.promotions.abort("stable", "lee")


def test_a_promotion_that_is_done_can_be_taken_back_and_made_again(service: Service) -> None:
    before = service.rings.get("stable").head
    promote(service, force=True)
    ended = service.promotions.abort("stable", "lee")
    after = service.rings.get("stable").head
    assert before is not None
    assert after is not None
    assert (after.catalog, ended.head) == (before.catalog, after.revision)
    assert after.revision > before.revision + 1
    change(service, 9)
    assert promote(service, force=True).state == "promoted"


def test_a_newer_promotion_replaces_the_one_that_waits(service: Service) -> None:
    first = promote(service)
    change(service, 9)
    second = promote(service)
    assert second.revision > first.revision
    attest(service)
    service.promotions.step()
    assert service.promotions.get("stable").revision == second.revision  # type: ignore[union-attr]


def test_serials_go_back_only_if_that_is_said(service: Service) -> None:
    old = revision(service, "stable")
    promote(service, force=True)
    with pytest.raises(PlanRefused, match=r"1 zones would get an older serial \(example.com.\)"):
        promote(service, source="stable", revision=old, force=True)
    assert promote(service, source="stable", revision=old, force=True, rollback=True).state == "promoted"


def test_zones_that_are_newer_than_what_is_promoted_go_only_if_that_is_said(service: Service) -> None:
    old = revision(service, "canary")
    create(service, OTHER)
    promote(service, force=True)
    before = revision(service, "stable")
    for more in ({}, {"source": "canary", "force": True}):
        with pytest.raises(
            PlanRefused, match=rf"1 zones would be removed that are newer than revision {old} of ring 'canary' \(other"
        ):
            promote(service, revision=old, **more)
    assert revision(service, "stable") == before
    done = promote(service, revision=old, rollback=True, force=True)
    assert (done.state, done.rollback) == ("promoted", True)
    assert service.rings.zones(service.rings.get("stable")) == 1


def test_a_ring_does_not_lose_zones_by_what_it_had_before(service: Service) -> None:
    promote(service, force=True)
    old = revision(service, "stable")
    create(service, OTHER)
    promote(service, force=True)
    with pytest.raises(PlanRefused, match=f"newer than revision {old} of ring 'stable'"):
        promote(service, source="stable", revision=old, force=True)


def test_zones_that_were_deleted_go_though_the_ring_between_has_them(clock: Clock) -> None:
    service = Service(MemoryStore(clock=clock), MemoryKeyStore(), KEY, clock=clock, rings=("canary", "beta", "stable"))
    for zone in (ZONE, OTHER):
        create(service, zone)
    service.maintain()
    delete(service, OTHER)
    old = revision(service, "beta")
    attest(service)
    assert promote(service, source="canary").state == "promoted"
    assert service.rings.zones(service.rings.get("stable")) == 1
    assert revision(service, "beta") == old


def test_most_zones_of_a_ring_go_only_if_that_is_said(service: Service) -> None:
    delete(service)
    attest(service)
    before = revision(service, "stable")
    with pytest.raises(PlanRefused, match=r"ring 'stable' would lose 1 of 1 zones \(example.com.\)"):
        promote(service)
    assert revision(service, "stable") == before
    assert promote(service, force=True, dry_run=True).state == "waiting"
    assert promote(service, rollback=True).state == "promoted"


def overtaken(service: Service, **wanted: object) -> Promotion:
    """A promotion that waited while the ring took over what is newer, and whose gates are open now."""
    waiting = promote(service, **wanted)
    assert waiting.state == "waiting"
    change(service, 9)
    service.rings.move("stable", service.rings.point("canary"))
    attest(service)
    service.promotions.step()
    found = service.promotions.get("stable")
    assert found is not None
    assert found.revision == waiting.revision
    return found


def test_what_was_overtaken_while_it_waited_ends_with_its_reason(service: Service, clock: Clock) -> None:
    ended = overtaken(service)
    assert ended.state == "aborted"
    assert ended.finished is not None
    assert "1 zones would get an older serial (example.com.)" in ended.blocked[0]
    assert service.rings.get("stable").head.catalog == service.rings.get("canary").head.catalog  # type: ignore[union-attr]
    assert kinds(service, clock) == [("ring.aborted", "kim"), ("ring.promotion", "kim")]


def test_what_was_overtaken_while_it_waited_goes_on_if_that_was_said(service: Service) -> None:
    assert overtaken(service, rollback=True).state == "promoted"


def test_a_promotion_that_an_earlier_version_left_waiting_goes_on(service: Service) -> None:
    promote(service)
    document = service.store.get("promotion/stable")
    assert document is not None
    value = {name: member for name, member in document.value.items() if name != "rollback"}
    service.store.commit(Transaction(writes={document.key: value}))
    attest(service)
    service.promotions.step()
    assert service.promotions.get("stable").state == "promoted"  # type: ignore[union-attr]


def test_who_has_seen_another_head_is_refused(service: Service) -> None:
    with pytest.raises(StaleVersion):
        promote(service, expected=1_000_000, force=True)
    assert promote(service, expected=revision(service, "stable"), force=True).state == "promoted"


def test_what_cannot_be_promoted_is_said(service: Service) -> None:
    with pytest.raises(InputError, match="follows every publication"):
        service.promotions.promote(Wanted("canary"), "kim")
    with pytest.raises(NotFound, match="no ring 'beta'; there are canary, stable"):
        service.promotions.promote(Wanted("beta"), "kim")
    with pytest.raises(NotFound, match="revision 77 of ring 'canary' is not kept"):
        promote(service, revision=77)


def test_a_promotion_of_what_is_no_longer_kept_ends(service: Service, clock: Clock) -> None:
    promote(service)
    clock.now += 10
    change(service, 9)
    clock.now += 86400
    attest(service, head=1_000)
    service.promotions.step()
    ended = service.promotions.get("stable")
    assert ended is not None
    assert ended.state == "aborted"
    assert "is not kept" in ended.blocked[0]
