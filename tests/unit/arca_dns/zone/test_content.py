# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Views of a zone: an overlay shows what the edited tree would show."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from arca_dns.zone import names, rr
from arca_dns.zone.changes import plan_replace
from arca_dns.zone.content import Overlay, TreeView, has_below, owners
from arca_dns.zone.tree import Blobs, ZoneRoot

ORIGIN = names.from_text("example.")
OWNERS = [
    names.from_text(text, ORIGIN) for text in ("@", "a", "b.a", "c.b.a", "ab", "a.b", "*.a", "z", "\\000.a", "-.a")
]
TYPES = st.sampled_from([rr.A, rr.TXT, rr.NS])


def rrset(owner: bytes, rdtype: int, value: int) -> rr.RRset:
    return rr.RRset.of(owner, rdtype, 60, [bytes((value,))])


CONTENT = st.dictionaries(st.tuples(st.sampled_from(OWNERS), TYPES), st.integers(0, 3), max_size=12)
EDITS = st.dictionaries(
    st.sampled_from(OWNERS),
    st.one_of(st.none(), st.dictionaries(TYPES, st.one_of(st.none(), st.integers(0, 3)), max_size=3)),
    max_size=8,
)


def tree(content: dict[tuple[bytes, int], int]) -> ZoneRoot:
    blobs = Blobs.memory()
    rrsets = [rrset(owner, rdtype, value) for (owner, rdtype), value in content.items()]
    return plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), rrsets)[1]


@settings(deadline=None)
@given(CONTENT, EDITS)
def test_an_overlay_shows_what_the_edited_tree_would_show(
    content: dict[tuple[bytes, int], int], edits: dict[bytes, dict[int, int | None] | None]
) -> None:
    wanted = dict(content)
    for owner, changes in edits.items():
        for rdtype in (rr.A, rr.TXT, rr.NS):
            if changes is None or (rdtype in changes and changes[rdtype] is None):
                wanted.pop((owner, rdtype), None)
        for rdtype, value in (changes or {}).items():
            if value is not None:
                wanted[owner, rdtype] = value
    overlay = Overlay(
        TreeView(tree(content)),
        {
            owner: None
            if changes is None
            else {rdtype: None if value is None else rrset(owner, rdtype, value) for rdtype, value in changes.items()}
            for owner, changes in edits.items()
        },
    )
    plain = TreeView(tree(wanted))
    assert overlay.origin == plain.origin
    assert list(overlay.items()) == list(plain.items())
    assert list(owners(overlay)) == list(owners(plain))
    for owner in OWNERS:
        assert overlay.node(owner) == plain.node(owner)
        assert list(overlay.below(owner)) == list(plain.below(owner))
        assert has_below(overlay, owner) == has_below(plain, owner)


def test_below_is_by_labels() -> None:
    view = TreeView(tree({(owner, rr.A): 1 for owner in OWNERS}))
    below = [names.to_text(found) for found in view.below(names.from_text("a", ORIGIN))]
    assert below == ["\\000.a.example.", "*.a.example.", "-.a.example.", "b.a.example.", "c.b.a.example."]
    assert not has_below(view, names.from_text("nothing", ORIGIN))
    assert len(list(view.below(ORIGIN))) == len(OWNERS) - 1
