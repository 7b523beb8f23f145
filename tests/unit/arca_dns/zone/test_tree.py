# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The zone tree: the same content has the same root, whatever its history, and edits do what a rebuild does."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import CorruptBlob, MissingBlob
from arca_dns.zone import names, rr
from arca_dns.zone.tree import NEVER, Blobs, Stats, Tree, ZoneRoot, diff

ORIGIN = names.from_text("example.")
Content = dict[bytes, bytes]


def owner(number: int) -> bytes:
    return names.from_text(f"h{number}", ORIGIN)


def node(number: int, value: int) -> tuple[bytes, bytes]:
    name = owner(number)
    return name, rr.RRset.of(name, rr.A, 300, [struct.pack(">L", value)]).wire()


def build(blobs: Blobs, content: Content) -> Tree:
    return Tree.build(blobs, sorted(content.items(), key=lambda item: names.sort_key(item[0])))


NUMBERS = st.integers(0, 5000)
SIZES = st.sampled_from([0, 1, 2, 70, 700, 5000])
EDITS = st.dictionaries(NUMBERS, st.one_of(st.none(), st.integers(0, 3)), max_size=40)


@settings(deadline=None, max_examples=40)
@given(SIZES, st.lists(EDITS, min_size=1, max_size=4), st.booleans())
def test_edits_give_the_tree_that_a_rebuild_gives(size: int, steps: list[dict[int, int | None]], clear: bool) -> None:
    blobs = Blobs.memory()
    content = dict(node(number, 0) for number in range(size))
    tree = build(blobs, content)
    for index, step in enumerate(steps):
        edits = {owner(n): None if value is None else node(n, value)[1] for n, value in step.items()}
        if clear and index == 0:
            edits = dict.fromkeys(content)
        edited = tree.update(edits)
        after = {**content, **edits}
        wanted = {name: data for name, data in after.items() if data is not None}
        assert edited.root == build(blobs, wanted).root
        assert dict(edited) == wanted
        assert list(diff(tree, edited)) == [
            (name, content.get(name), wanted.get(name))
            for name in sorted(content.keys() | wanted.keys(), key=names.sort_key)
            if content.get(name) != wanted.get(name)
        ]
        assert edited.stats().owners == len(wanted)
        tree, content = edited, wanted


@settings(deadline=None, max_examples=25)
@given(st.sets(NUMBERS, min_size=1, max_size=400), st.randoms())
def test_the_root_does_not_know_the_order_of_edits(numbers: set[int], random: object) -> None:
    blobs = Blobs.memory()
    expected = build(blobs, dict(node(number, 1) for number in numbers)).root
    order = sorted(numbers)
    random.shuffle(order)  # type: ignore[attr-defined]
    tree = Tree(blobs, None)
    for start in range(0, len(order), 37):
        tree = tree.update(dict(node(number, 1) for number in order[start : start + 37]))
    assert tree.root == expected


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([1, 3, 300, 3000]), st.lists(st.integers(-1, 5001), min_size=1, max_size=10))
def test_neighbours_are_found_whether_or_not_the_name_exists(size: int, probes: list[int]) -> None:
    content = dict(node(number * 2, 0) for number in range(size))
    tree = build(Blobs.memory(), content)
    ordered = sorted(content, key=names.sort_key)
    for number in probes:
        name = owner(number)
        key = names.sort_key(name)
        behind = [found for found in ordered if names.sort_key(found) > key]
        ahead = [found for found in ordered if names.sort_key(found) < key]
        after, before = tree.after(name), tree.before(name)
        assert (after[0] if after else None) == (behind[0] if behind else None)
        assert (before[0] if before else None) == (ahead[-1] if ahead else None)
        assert tree.get(name) == content.get(name)


def test_a_change_rewrites_a_few_nodes_only() -> None:
    blobs = Blobs.memory()
    tree = build(blobs, dict(node(number, 0) for number in range(20_000)))
    held = set(blobs.pending)
    edited = tree.update(dict([node(777, 9)]))
    assert len(set(blobs.pending) - held) <= edited.height + 1


def test_a_diff_does_not_read_what_both_trees_share() -> None:
    blobs = Blobs.memory()
    tree = build(blobs, dict(node(number, 0) for number in range(20_000)))
    edited = tree.update(dict([node(777, 9)]))
    read: list[str] = []

    def fetch(digests: list[str]) -> dict[str, bytes]:
        read.extend(digests)
        return {digest: blobs.pending[digest] for digest in digests}

    fresh = Blobs(fetch)
    assert [name for name, _old, _new in diff(Tree(fresh, tree.root), Tree(fresh, edited.root))] == [owner(777)]
    # Per level: both nodes on the way, and the children of the level above that are listed to be compared.
    assert len(set(read)) < 20


def signed(number: int, expires: int) -> tuple[bytes, bytes]:
    name = owner(number)
    rdata = struct.pack(">HBBLLLH", rr.A, 13, 2, 300, expires, 0, 1) + ORIGIN + b"signature"
    return name, node(number, 0)[1] + rr.rrsig_wire(name, 300, rdata)


@settings(deadline=None, max_examples=20)
@given(st.dictionaries(NUMBERS, st.integers(1000, 9000), min_size=1, max_size=300), st.integers(500, 9500))
def test_due_finds_what_expires_and_nothing_else(expiries: dict[int, int], until: int) -> None:
    tree = build(Blobs.memory(), dict(signed(number, at) for number, at in expiries.items()))
    assert tree.stats().earliest_expiry == min(expiries.values())
    assert {name for name, _data in tree.due(until)} == {owner(n) for n, at in expiries.items() if at <= until}


def test_an_empty_tree_has_nothing() -> None:
    tree = Tree(Blobs.memory(), None)
    assert tree.stats() == Stats(0, 0, NEVER)
    assert tree.get(ORIGIN) is None
    assert list(tree) == []
    assert tree.after(ORIGIN) is None
    assert tree.before(ORIGIN) is None
    assert tree.update({}).root is None


def test_a_zone_root_is_stored_and_loaded() -> None:
    blobs = Blobs.memory()
    apex = rr.RRset.of(ORIGIN, rr.NS, 60, [owner(1)]).wire()
    zone = ZoneRoot.build(blobs, ORIGIN, [(ORIGIN, apex), node(1, 1), node(2, 2)])
    loaded = ZoneRoot.load(blobs, zone.store(blobs))
    assert list(loaded.items()) == [(ORIGIN, apex), node(1, 1), node(2, 2)]
    assert loaded.get(ORIGIN) == apex
    assert set(loaded.blobs(zone.store(blobs))) <= set(blobs.pending)
    edited = loaded.update({ORIGIN: None, owner(2): None})
    assert [name for name, _old, _new in loaded.diff(edited)] == [ORIGIN, owner(2)]


def test_what_was_read_is_pending_again_once_it_is_named() -> None:
    first = Blobs.memory()
    digest = first.put(b"a node")
    blobs = Blobs(lambda digests: {digest: first.get(digest) for digest in digests})
    blobs.get(digest)
    assert blobs.pending == {}
    assert blobs.put(b"a node") == digest
    assert blobs.pending == {digest: b"a node"}


def test_blobs_are_checked_when_they_come_in() -> None:
    blobs = Blobs(lambda digests: dict.fromkeys(digests, b"something else"))
    with pytest.raises(CorruptBlob, match="does not hash"):
        blobs.get("0" * 64)
    with pytest.raises(MissingBlob, match="is missing"):
        Blobs.memory().get("0" * 64)
    other = Blobs.memory()
    with pytest.raises(CorruptBlob, match="no zone root"):
        ZoneRoot.load(other, other.put(b"not a zone"))


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_bytes_that_are_no_node_never_pass_for_one(data: bytes) -> None:
    blobs = Blobs.memory()
    tree = Tree(blobs, blobs.put(data))
    try:
        found = list(tree)
    except (CorruptBlob, MissingBlob):
        return
    assert b"".join(content for _name, content in found) == data
