# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The short ways of DNSSEC types, CAA and the common ones, held against dnspython in both directions."""

from __future__ import annotations

from struct import pack

import dns.exception
import dns.rdata
import dns.rdatatype
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import ZoneTextError
from arca_dns.zone import names, rdata, rdata_dnssec, rr

ORIGIN = names.from_text("example.com.")
LABEL = st.one_of(st.sampled_from([b"a", b"www", b"*", b"A", b"x" * 63]), st.binary(min_size=1, max_size=4))
NAME = (
    st.lists(LABEL, max_size=4)
    .map(lambda labels: b"".join(bytes((len(x),)) + x for x in labels) + b"\0")
    .filter(lambda name: len(name) <= 255)
)
U8, U16, U32 = st.integers(0, 255), st.integers(0, 65535), st.integers(0, 2**32 - 1)
SALT = st.binary(max_size=9)
WINDOW = st.tuples(U8, st.binary(min_size=1, max_size=5)).map(lambda one: bytes((one[0], len(one[1]))) + one[1])
BITMAP = st.one_of(
    st.sampled_from([b"", b"\0\6\x40\1\0\0\0\3", b"\0\7\x62\1\x80\x08\0\3\x80", b"\1\1\x40"]),
    st.lists(WINDOW, max_size=3).map(b"".join),
)
OCTETS = st.binary(max_size=70)
VALUES = {
    rr.RRSIG: st.tuples(st.one_of(st.sampled_from([1, 2, 6]), U16), U8, U8, U32, U32, U32, U16, NAME, OCTETS).map(
        lambda v: pack(">HBBLLLH", *v[:7]) + v[7] + v[8]
    ),
    rr.NSEC: st.tuples(NAME, BITMAP).map(b"".join),
    rr.NSEC3: st.tuples(U8, U8, U16, SALT, st.one_of(st.binary(min_size=20, max_size=20), SALT), BITMAP).map(
        lambda v: pack(">BBHB", *v[:3], len(v[3])) + v[3] + bytes((len(v[4]),)) + v[4] + v[5]
    ),
    rr.NSEC3PARAM: st.tuples(U8, U8, U16, SALT).map(lambda v: pack(">BBHB", *v[:3], len(v[3])) + v[3]),
    rr.DNSKEY: st.tuples(U16, U8, U8, OCTETS).map(lambda v: pack(">HBB", *v[:3]) + v[3]),
    rr.CDNSKEY: st.tuples(U16, U8, U8, OCTETS).map(lambda v: pack(">HBB", *v[:3]) + v[3]),
    257: st.tuples(U8, st.one_of(st.just(b"issue"), SALT), OCTETS).map(
        lambda v: bytes((v[0], len(v[1]))) + v[1] + v[2]
    ),
    rr.A: st.binary(min_size=4, max_size=4),
    rr.AAAA: st.binary(min_size=16, max_size=16),
    rr.NS: NAME.map(bytes.lower),
    rr.CNAME: NAME.map(bytes.lower),
    rr.PTR: NAME.map(bytes.lower),
    rr.MX: st.tuples(U16, NAME.map(bytes.lower)).map(lambda v: pack(">H", v[0]) + v[1]),
    rr.SRV: st.tuples(U16, U16, U16, NAME.map(bytes.lower)).map(lambda v: pack(">3H", *v[:3]) + v[3]),
    rr.TXT: st.lists(st.binary(max_size=9), min_size=1, max_size=3).map(
        lambda parts: b"".join(bytes((len(part),)) + part for part in parts)
    ),
    rr.SOA: st.tuples(NAME.map(bytes.lower), NAME.map(bytes.lower), U32, *[st.integers(0, 2**31 - 1)] * 4).map(
        lambda v: v[0] + v[1] + pack(">5L", *v[2:])
    ),
    rr.DS: st.tuples(U16, U8, st.sampled_from([(1, 20), (2, 32), (4, 48)])).map(
        lambda v: pack(">HBB", v[0], v[1], v[2][0]) + bytes(v[2][1])
    ),
}
RDATA = st.sampled_from(sorted(VALUES)).flatmap(lambda rdtype: st.tuples(st.just(rdtype), VALUES[rdtype]))


def by_dnspython(rdtype: int, data: bytes) -> str:
    """The text that dnspython gives, if it reads it back."""
    try:
        kind = dns.rdatatype.RdataType.make(rdtype)
        text = str(dns.rdata.from_wire(1, kind, data, 0, len(data)).to_text())
        back = dns.rdata.from_text(1, kind, text).to_wire(None, None, None, rdtype in rdata.LOWERED)
    except (dns.exception.DNSException, ValueError):
        return rdata.generic_text(data)
    return text if back == data else rdata.generic_text(data)


@settings(deadline=None, max_examples=500)
@given(RDATA)
def test_text_is_that_of_dnspython(value: tuple[int, bytes]) -> None:
    rdtype, data = value
    ours, theirs = rdata.to_text(rdtype, data), by_dnspython(rdtype, data)
    if rdtype == rr.DS and not theirs.startswith("\\#"):
        theirs = theirs.upper()
    assert ours == theirs


@settings(deadline=None, max_examples=300)
@given(RDATA, st.data())
def test_text_of_damaged_octets_is_that_of_dnspython(value: tuple[int, bytes], data: st.DataObject) -> None:
    rdtype, octets = value
    cut = octets[: data.draw(st.integers(0, len(octets)))] + data.draw(st.binary(max_size=2))
    ours = rdata.to_text(rdtype, cut)
    if rdtype in rdata_dnssec.TEXT or rdtype == 257:
        assert ours == by_dnspython(rdtype, cut)


WORDS = st.sampled_from(
    [
        *[
            "A",
            "a",
            "TYPE1",
            "ANY",
            "NOSUCH",
            "RRSIG",
            "NSEC",
            "13",
            "256",
            "3",
            "1h",
            "60",
            "2147483648",
            "0",
            "-",
            "ab",
        ],
        *[
            "20261201000000",
            "20261301000000",
            "20260230000000",
            "1796083200",
            "21060207062816",
            "example.com.",
            "Example.com.",
        ],
        *[
            "www",
            "@",
            "\\097",
            "AAAA",
            "AA==",
            "AA",
            "A*A=",
            "=",
            "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
            "0P9MHAVEQVM6T7VBL5LOP2U3T2RP3TOM",
        ],
        *["0p9mhaveqvm6t7vbl5lop2u3t2rp3toz", "abc", "1", "257"],
    ]
)
GOOD = {
    rr.RRSIG: "A 13 2 60 20261201000000 20261101000000 1 example.com. AAAA",
    rr.NSEC: "www A NS RRSIG NSEC TYPE65280 CAA",
    rr.NSEC3: "1 0 0 ab 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom A RRSIG",
    rr.DNSKEY: "257 3 13 AAAA AAAA",
}


def outcome(rdtype: int, text: str) -> bytes | str:
    try:
        return rdata.from_text(rdtype, text, ORIGIN)
    except ZoneTextError as error:
        return error.message


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_wire_is_that_of_dnspython(rdtype: int, data: st.DataObject) -> None:
    words = GOOD[rdtype].split()
    for _ in range(data.draw(st.integers(0, 2))):
        words[data.draw(st.integers(0, len(words) - 1))] = data.draw(WORDS)
    text = " ".join(words)
    short = outcome(rdtype, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rdata, "PLAIN", {})
        assert short == outcome(rdtype, text)
