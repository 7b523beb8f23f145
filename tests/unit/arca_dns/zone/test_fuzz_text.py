# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The reader survives whatever it is given: an answer or a mistake that is told, in little memory, and no hang."""

from __future__ import annotations

import os
import tracemalloc

import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import ZoneTextError
from arca_dns.zone import names
from arca_dns.zone.text import Source, parse, parse_long

EXAMPLES = int(os.environ.get("ARCA_DNS_FUZZ_EXAMPLES", "300"))
ORIGIN = names.from_text("example.")
#: Caches, a thousand mistakes, the words of one record at most; what grows with the text is beside it.
FIXED_OCTETS = 8 << 20
TIMES = 20

# $GENERATE makes many records of few octets, and has a limit of its own: here its ranges are small.
WORDS = (
    *("@", "a", "a.b.", "*", "\\000", "\\.", "\\@", "x" * 63, "x" * 64, ".", "..", "a..b", "IN", "CH", "CLASS1", "300"),
    *("1h", "A", "AAAA", "NS", "CNAME", "SOA", "MX", "TXT", "DS", "RRSIG", "NSEC", "NSEC3", "HTTPS", "NAPTR", "LOC"),
    *(
        "APL",
        "HIP",
        "TYPE1",
        "TYPE65280",
        "TYPE0",
        "ANY",
        "192.0.2.1",
        "2001:db8::1",
        "\\# 4 c0000201",
        "\\# 0",
        '"a b"',
    ),
    *('"', '"\\', "\\", "(", ")", ";", "$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE", "1-3", "3-1", "1-9/2", "${0,3,d}"),
    *("${", "$", "$$", "é", "\0", "\n", "\n", "\n ", "\r\n", "\t", "\f", "\ufeff", "1 7200 3600 1209600 600"),
    *("20300101000000", "AQIDBA=="),
)
glued = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from((" ", " ", "", "\t"))), max_size=60).map(
    lambda found: "".join(word + gap for word, gap in found).encode("utf-8", "surrogatepass")
)
HEAD = b"$TTL 300\n@ SOA ns h 1 7200 3600 1209600 600\n@ NS ns\n"
texts = st.one_of(glued, glued.map(HEAD.__add__), st.binary(max_size=200), st.binary(max_size=200).map(HEAD.__add__))


def outcome(data: bytes, *, long: bool) -> object:
    try:
        return (parse_long(Source(data), ORIGIN) if long else parse(data, ORIGIN)).rrsets
    except ZoneTextError as error:
        return [error.message, *map(str, error.places)]


@settings(max_examples=EXAMPLES, deadline=2000)
@given(data=texts)
def test_any_text_is_read_or_refused_and_both_ways_agree(data: bytes) -> None:
    assert outcome(data, long=False) == outcome(data, long=True)


@settings(max_examples=max(EXAMPLES // 10, 10), deadline=None)
@given(data=texts, times=st.integers(20, 100))
def test_memory_is_at_most_twenty_times_the_text(data: bytes, times: int) -> None:
    many = data.replace(b"$GENERATE", b"$TTL") * times
    tracemalloc.start()
    try:
        outcome(many, long=False)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= FIXED_OCTETS + TIMES * len(many)


@pytest.mark.parametrize(
    "piece",
    [
        b"(",
        b")",
        b'"',
        b"\\",
        b";",
        b"a ",
        b'"" ',
        b"\n(",
        b"\n a",
        b"a.",
        b"\\000",
        b"(a\n",
        b"a TXT (\n",
        b"\n$TTL 1",
    ],
)
def test_long_runs_of_one_thing_cost_neither_much_time_nor_memory(piece: bytes) -> None:
    data = HEAD + piece * (100_000 // len(piece))
    tracemalloc.start()
    try:
        outcome(data, long=False)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak <= FIXED_OCTETS + TIMES * len(data)
