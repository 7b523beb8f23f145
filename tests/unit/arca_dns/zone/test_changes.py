# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Plans: what a write would change, and whether that looks like a mistake."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import AlreadyExists, InputError
from arca_dns.zone import names, rr
from arca_dns.zone.changes import (
    Amend,
    Change,
    Plan,
    RRsetDiff,
    Thresholds,
    judge,
    plan_changes,
    plan_replace,
    tree_diffs,
    whole_zone,
)
from arca_dns.zone.content import Overlay, TreeView
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot

ORIGIN = names.from_text("example.com.")
APEX = "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n@ NS ns.other.\n"


def zone(text: str) -> tuple[Blobs, ZoneRoot]:
    blobs = Blobs.memory()
    rrsets = parse(text, ORIGIN, 300).rrsets
    return blobs, plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), rrsets)[1]


def replaced(old: str, new: str) -> tuple[Sequence[RRsetDiff], ZoneRoot]:
    """The plan that makes *new* of *old*, and the tree of *old*."""
    blobs, tree = zone(old)
    return plan_replace(blobs, tree, parse(new, ORIGIN, 300).rrsets)[0], tree


def refusals(old: str, new: str, thresholds: Thresholds | None = None) -> tuple[str, ...]:
    diffs, tree = replaced(old, new)
    return judge(diffs, tree, thresholds or Thresholds())


def hosts(count: int, address: str = "192.0.2.1") -> str:
    return APEX + "".join(f"h{number} A {address}\n" for number in range(count))


# -- computing --------------------------------------------------------------------------------

RECORDS = st.dictionaries(
    st.tuples(st.sampled_from(["@", "a", "b", "b.a", "*.b"]), st.sampled_from([rr.A, rr.TXT, rr.MX])),
    st.tuples(st.sampled_from([60, 300]), st.sets(st.binary(min_size=1, max_size=2), min_size=1, max_size=3)),
    max_size=8,
)
Records = dict[tuple[str, int], tuple[int, set[bytes]]]


def rrsets(records: Records) -> list[rr.RRset]:
    return [
        rr.RRset.of(names.from_text(owner, ORIGIN), rdtype, ttl, values)
        for (owner, rdtype), (ttl, values) in records.items()
    ]


@settings(deadline=None)
@given(RECORDS, RECORDS)
def test_changes_and_replacement_plan_the_same_and_applying_a_plan_gives_what_was_wanted(
    old: Records, new: Records
) -> None:
    blobs = Blobs.memory()
    tree = plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), rrsets(old))[1]
    diffs, wanted = plan_replace(blobs, tree, rrsets(new))
    keys = [(names.from_text(owner, ORIGIN), rdtype) for owner, rdtype in old.keys() | new.keys()]
    targets = {(found.owner, found.rdtype): found for found in rrsets(new)}
    changes = [Change(owner, rdtype, targets.get((owner, rdtype))) for owner, rdtype in keys]
    assert plan_changes(TreeView(tree), changes) == diffs

    edits: dict[bytes, dict[int, rr.RRset | None]] = {}
    for diff in diffs:
        edits.setdefault(diff.owner, {})[diff.rdtype] = diff.after
    overlay = Overlay(TreeView(tree), edits)
    applied = tree.update({owner: rr.node_wire(overlay.node(owner).values()) or None for owner in edits})
    assert applied.store(blobs) == wanted.store(blobs)
    assert list(tree_diffs(applied, wanted)) == []


def test_a_plan_tells_adds_changes_and_removals() -> None:
    diffs, _tree = replaced(APEX + "a A 192.0.2.1\nb A 192.0.2.1", APEX + "b 60 A 192.0.2.1\nc A 192.0.2.1")
    plan = Plan(ORIGIN, "v1", diffs)
    assert [names.to_text(diff.owner) for diff in plan.adds] == ["c.example.com."]
    assert [names.to_text(diff.owner) for diff in plan.changes] == ["b.example.com."]
    assert [names.to_text(diff.owner) for diff in plan.removals] == ["a.example.com."]
    assert not plan.empty


def test_another_serial_is_no_change() -> None:
    diffs, tree = replaced(APEX, APEX.replace("h 1 2", "h 99 2"))
    assert diffs == ()
    soa = parse(APEX, ORIGIN, 300).rrsets[1]
    assert rr.soa_serial(soa.rdatas[0]) == 1
    assert rr.soa_serial(TreeView(tree).node(ORIGIN)[rr.SOA].rdatas[0]) == 0
    assert plan_changes(TreeView(tree), [Change(ORIGIN, rr.SOA, soa)]) == ()


def test_another_timer_of_the_soa_is_a_change() -> None:
    diffs, _tree = replaced(APEX, APEX.replace("4 5", "4 6"))
    assert [diff.rdtype for diff in diffs] == [rr.SOA]


def test_the_last_change_of_an_rrset_counts() -> None:
    _blobs, tree = zone(APEX)
    owner = names.from_text("a", ORIGIN)
    first, second = (rr.RRset.of(owner, rr.A, 60, [value]) for value in (b"abcd", b"efgh"))
    changes = [Change(owner, rr.A, first), Change(owner, rr.A, second)]
    assert plan_changes(TreeView(tree), changes) == (RRsetDiff(owner, rr.A, None, second),)
    assert plan_changes(TreeView(tree), [*changes, Change(owner, rr.A, None)]) == ()


def test_an_rrset_without_records_is_refused() -> None:
    _blobs, tree = zone(APEX)
    with pytest.raises(InputError, match="has no value"):
        plan_changes(TreeView(tree), [Change(ORIGIN, rr.A, rr.RRset(ORIGIN, rr.A, 60, ()))])


def test_a_change_is_of_one_owner_and_type() -> None:
    with pytest.raises(ValueError, match="another owner or type"):
        Change(ORIGIN, rr.A, rr.RRset(ORIGIN, rr.AAAA, 60, (bytes(16),)))


def test_rrsets_given_twice_are_united() -> None:
    blobs = Blobs.memory()
    twice = [rr.RRset.of(ORIGIN, rr.A, 60, [b"abcd"]), rr.RRset.of(ORIGIN, rr.A, 60, [b"efgh"])]
    (diff,), _tree = plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), twice)
    assert diff.after == rr.RRset.of(ORIGIN, rr.A, 60, [b"abcd", b"efgh"])
    with pytest.raises(InputError, match="60 and 61"):
        plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), [twice[0], rr.RRset.of(ORIGIN, rr.A, 61, [b"efgh"])])


# -- judging ----------------------------------------------------------------------------------


def test_a_new_zone_is_never_refused() -> None:
    blobs = Blobs.memory()
    empty = ZoneRoot.empty(blobs, ORIGIN)
    diffs, _new = plan_replace(blobs, empty, parse(hosts(50), ORIGIN, 300).rrsets)
    assert judge(diffs, empty, Thresholds()) == ()


def test_a_small_change_passes() -> None:
    assert refusals(hosts(20), hosts(20) + "new A 192.0.2.9") == ()
    assert refusals(hosts(20), hosts(19)) == ()


def test_emptying_a_zone_is_refused() -> None:
    (reason,) = refusals(hosts(20), APEX)
    assert "empties the zone" in reason
    assert refusals(APEX + "www A 192.0.2.1", APEX) != ()


def test_a_zone_of_soa_and_ns_alone_may_change() -> None:
    assert refusals(APEX, APEX.replace("4 5", "4 6")) == ()


@pytest.mark.parametrize(("kept", "refused"), [(15, False), (13, True)])
def test_removing_more_than_the_share_is_refused(kept: int, refused: bool) -> None:
    assert bool(refusals(hosts(20), hosts(kept))) is refused


def test_changing_more_than_the_share_is_refused() -> None:
    (reason,) = refusals(hosts(20), hosts(20, "192.0.2.2"))
    assert "20 of 22 records (91 %)" in reason
    assert refusals(hosts(20), hosts(20).replace("TTL 300", "TTL 60")) != ()


def test_adding_is_never_too_much() -> None:
    assert refusals(hosts(20), hosts(500)) == ()
    more = "".join(f"h{number} A 192.0.2.2\n" for number in range(20))
    assert refusals(hosts(20), hosts(20) + more) == ()


def test_small_zones_may_change_as_they_like() -> None:
    assert refusals(hosts(5), hosts(5, "192.0.2.2")) == ()


def test_thresholds_are_settings_of_the_zone() -> None:
    assert refusals(hosts(20), hosts(20, "192.0.2.2"), Thresholds(share=1.0)) == ()
    assert refusals(hosts(5), hosts(4), Thresholds(share=0.0, minimum=0)) != ()


def test_another_set_of_name_servers_is_refused() -> None:
    (reason,) = refusals(hosts(20), hosts(20).replace("ns.other.", "ns2.other."))
    assert "ns.other." in reason
    assert "ns2.other." in reason
    assert refusals(hosts(20), hosts(20).replace("@ NS", "@ 60 NS")) == ()
    assert refusals(hosts(20) + "child NS ns.other.", hosts(20) + "child NS ns2.other.") == ()


# -- single records, new RRsets, whole zones --------------------------------------------------

HOST = names.from_text("h0.example.com.")
ONE, TWO = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))


def amended(*amends: Amend) -> tuple[RRsetDiff, ...]:
    return plan_changes(TreeView(zone(hosts(1))[1]), amends)


def test_records_are_added_to_what_is_there_and_taken_from_it() -> None:
    (diff,) = amended(Amend(HOST, rr.A, add=(TWO,)), Amend(HOST, rr.A, remove=(ONE,)))
    assert diff.after == rr.RRset.of(HOST, rr.A, 300, [TWO])


def test_an_rrset_goes_with_its_last_record_and_comes_with_its_first() -> None:
    assert amended(Amend(HOST, rr.A, remove=(ONE, TWO)))[0].after is None
    (diff,) = amended(Amend(HOST, rr.TXT, add=(b"\1x",)))
    assert (diff.before, diff.after) == (None, rr.RRset.of(HOST, rr.TXT, 3600, [b"\1x"]))
    assert amended(Amend(HOST, rr.A, add=(ONE,), ttl=60))[0].after == rr.RRset.of(HOST, rr.A, 60, [ONE])


def test_what_is_there_already_or_not_there_is_no_change() -> None:
    assert amended(Amend(HOST, rr.A, add=(ONE,)), Amend(HOST, rr.A, remove=(TWO,)), Amend(HOST, rr.MX)) == ()


def test_every_rrset_that_should_be_new_and_is_not_is_told() -> None:
    changes = [
        Change(owner, rr.A, rr.RRset.of(owner, rr.A, 60, [TWO]), new=True)
        for owner in (HOST, names.from_text("new.example.com."), names.from_text("h1.example.com."))
    ]
    with pytest.raises(AlreadyExists) as caught:
        plan_changes(TreeView(zone(hosts(2))[1]), changes)
    assert [place.pointer for place in caught.value.places] == ["/changes/0", "/changes/2"]


@pytest.mark.parametrize("gone", [False, True])
def test_the_differences_of_a_large_zone_are_those_of_its_trees_though_nothing_holds_them(gone: bool) -> None:
    blobs, tree = zone(hosts(10_000))
    empty = ZoneRoot.empty(blobs, ORIGIN)
    lazy, held = whole_zone(tree, gone=gone), tuple(tree_diffs(*((tree, empty) if gone else (empty, tree))))
    assert not isinstance(lazy, tuple)
    assert (len(lazy), tuple(lazy), lazy[3], lazy[-1], lazy[2:9]) == (len(held), held, held[3], held[-1], held[2:9])
    assert isinstance(whole_zone(zone(hosts(3))[1], gone=gone), tuple)


def test_a_zone_file_and_its_rrsets_make_the_same_tree() -> None:
    text = hosts(50) + "h3 TXT x\n"
    blobs, tree = zone(text)
    diffs, same = plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), parse(text, ORIGIN, 300))
    assert same.store(blobs) == tree.store(blobs)
    assert len(diffs) == 53
