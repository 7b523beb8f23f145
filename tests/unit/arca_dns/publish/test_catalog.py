# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A catalog is what its entries say, whatever the way they came in."""

from __future__ import annotations

from hypothesis import given, strategies as st

from arca_dns.publish.catalog import Catalog, Entry
from arca_dns.zone import names
from arca_dns.zone.tree import Blobs

labels = st.text("abcdefgh", min_size=1, max_size=4)
entries = st.builds(
    lambda label, serial, seed: Entry(names.from_text(f"{label}.example."), serial, f"{seed:064x}", "v" + "0" * 26),
    labels,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**256 - 1),
)


@given(st.lists(st.lists(entries, max_size=8), max_size=5))
def test_history_does_not_show(batches: list[list[Entry]]) -> None:
    blobs = Blobs.memory()
    grown = Catalog(blobs, None)
    final: dict[bytes, Entry] = {}
    for batch in batches:
        edits = {entry.zone: entry for entry in batch}
        grown = grown.update(edits)
        final.update(edits)
    assert grown.root == Catalog(blobs, None).update(final).root
    assert {entry.zone: entry for entry in grown} == final
    assert len(grown) == len(final)
    assert all(grown.get(zone) == entry for zone, entry in final.items())


@given(st.lists(entries, max_size=8), st.lists(entries, max_size=8))
def test_a_diff_tells_what_differs(old: list[Entry], new: list[Entry]) -> None:
    blobs = Blobs.memory()
    before, after = {e.zone: e for e in old}, {e.zone: e for e in new}
    left, right = Catalog(blobs, None).update(before), Catalog(blobs, None).update(after)
    expected = {
        (before.get(zone), after.get(zone)) for zone in {**before, **after} if before.get(zone) != after.get(zone)
    }
    assert set(left.diff(right)) == expected
