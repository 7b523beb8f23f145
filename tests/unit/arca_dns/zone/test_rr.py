# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""RRs and RRsets in wire form."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns.zone import names, rr

OWNER = names.from_text("www.example.com.")
RDATAS = st.lists(st.binary(max_size=40), min_size=1, max_size=5)


@given(st.dictionaries(st.integers(1, 300).filter(lambda number: number != rr.RRSIG), RDATAS, min_size=1, max_size=4))
def test_a_node_survives_its_bytes(content: dict[int, list[bytes]]) -> None:
    node = {rdtype: rr.RRset.of(OWNER, rdtype, 300, rdatas) for rdtype, rdatas in content.items()}
    data = rr.node_wire(node.values())
    assert rr.node_of(data) == node
    assert list(rr.rrsets(data)) == [node[rdtype] for rdtype in sorted(node)]


@given(RDATAS)
def test_an_rrset_is_sorted_and_has_no_duplicates(rdatas: list[bytes]) -> None:
    rrset = rr.RRset.of(OWNER, rr.TXT, 60, rdatas + rdatas)
    assert list(rrset.rdatas) == sorted(set(rdatas))
    assert len(rrset) == len(set(rdatas))


def test_signatures_keep_the_ttls_of_what_they_cover() -> None:
    data = rr.rrsig_wire(OWNER, 300, b"first") + rr.rrsig_wire(OWNER, 60, b"second")
    assert [(found.ttl, found.rdatas) for found in rr.rrsets(data)] == [(300, (b"first",)), (60, (b"second",))]
    assert rr.node_of(data)[rr.RRSIG].rdatas == (b"first", b"second")


@given(st.integers(1, 60))
def test_bytes_that_end_inside_an_rr_are_refused(cut: int) -> None:
    data = rr.RRset.of(OWNER, rr.TXT, 60, [b"x" * 40]).wire()
    with pytest.raises(ValueError, match="no RRs"):
        list(rr.iterate(data[:-cut]))


def test_the_serial_of_a_soa_can_be_replaced() -> None:
    rdata = b"\0\0" + (7).to_bytes(4, "big") + bytes(12) + (900).to_bytes(4, "big")
    assert rr.soa_serial(rr.soa_with_serial(rdata, 4294967295)) == 4294967295
    assert rr.soa_with_serial(rr.soa_with_serial(rdata, 1), 7) == rdata
    assert rr.soa_minimum(rdata) == 900


@pytest.mark.parametrize(
    ("serial", "than", "newer"),
    [(1, 0, True), (0, 0, False), (0, 1, False), (0, 4294967295, True), (5, 4294967290, True), (2147483648, 0, False)],
)
def test_serials_compare_as_in_rfc_1982(serial: int, than: int, newer: bool) -> None:
    assert rr.serial_newer(serial, than) is newer
