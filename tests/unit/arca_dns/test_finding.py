# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Finding RRsets in zones, page by page."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns.errors import InputError
from arca_dns.finding import Page, Pattern, Position, Query, rrsets_of, search
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot

FILES = (
    "$ORIGIN example.com.\n$TTL 60\n@ SOA ns h 0 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nns AAAA 2001:db8::1\n"
    '@ MX 10 mail.example.net.\nwww A 192.0.2.1\nwww A 192.0.2.2\n*.w TXT "v=spf1 ip4:192.0.2.1"\nx.a A 192.0.2.9\n',
    "$ORIGIN 2.0.192.in-addr.arpa.\n$TTL 60\n@ SOA ns.example.com. h 0 2 3 4 5\n@ NS ns.example.com.\n"
    "1 PTR ns.example.com.\n2 PTR www.example.com.\n",
    "$ORIGIN a.example.com.\n$TTL 60\n@ SOA ns.example.com. h 0 2 3 4 5\n@ NS ns.example.com.\nx A 192.0.2.10\n",
)
ZONES = {}
for file in FILES:
    parsed = parse(file)
    ZONES[parsed.origin] = ZoneRoot.build(Blobs.memory(), parsed.origin, parsed.nodes())


def listed(after: bytes | None, limit: int) -> list[bytes]:
    ordered = sorted(ZONES, key=names.to_text)
    behind = [zone for zone in ordered if after is None or names.to_text(zone) > names.to_text(after)]
    return behind[:limit]


def opened(zone: bytes) -> tuple[ZoneRoot, int] | None:
    return None if zone not in ZONES else (ZONES[zone], 7)


def texts(page: Page) -> list[str]:
    return [
        f"{names.to_text(one.rrset.owner)} {rr.type_text(one.rrset.rdtype)} {rdata.to_text(one.rrset.rdtype, data)}"
        for one in page.found
        for data in one.rrset.rdatas
    ]


def everything(query: Query, limit: int = 100, work: int = 20_000) -> list[str]:
    found, after, pages = [], None, 0
    while True:
        page = search(query, listed, opened, after, limit, work)
        found += texts(page)
        assert len(page.found) <= limit
        after, pages = page.following, pages + 1
        if after is None:
            return found
        after = Position.of(after.text())
        assert pages < 100


def test_an_address_finds_its_records_and_its_ptr_and_nothing_else() -> None:
    assert everything(Query(value="192.0.2.1")) == [
        "1.2.0.192.in-addr.arpa. PTR ns.example.com.",
        "ns.example.com. A 192.0.2.1",
        "www.example.com. A 192.0.2.1",
    ]
    assert everything(Query(value="2001:0db8:0::1")) == ["ns.example.com. AAAA 2001:db8::1"]


def test_a_whole_name_is_looked_up_in_every_zone_that_may_hold_it() -> None:
    assert everything(Query(name="X.a.example.com")) == [
        "x.a.example.com. A 192.0.2.10",
        "x.a.example.com. A 192.0.2.9",
    ]
    assert everything(Query(name="nothing.test.")) == []


def test_stars_stand_for_anything() -> None:
    assert everything(Query(name="w*.example.com", rdtype=rr.A)) == [
        "www.example.com. A 192.0.2.1",
        "www.example.com. A 192.0.2.2",
    ]
    assert everything(Query(value="*spf1*")) == ['*.w.example.com. TXT "v=spf1 ip4:192.0.2.1"']


def test_a_value_is_the_whole_or_a_word_of_it_with_or_without_the_final_dot() -> None:
    assert everything(Query(value="MAIL.example.net")) == ["example.com. MX 10 mail.example.net."]
    assert everything(Query(value="10 mail.example.net.")) == ["example.com. MX 10 mail.example.net."]
    assert everything(Query(value="mail.example")) == []


def test_the_serial_is_that_of_the_version() -> None:
    assert everything(Query(name="example.com", rdtype=rr.SOA)) == [
        "example.com. SOA ns.example.com. h.example.com. 7 2 3 4 5"
    ]


@pytest.mark.parametrize(
    "query", [Query(rdtype=rr.A), Query(value="192.0.2.1"), Query(name="*"), Query(name="x.a.example.com")]
)
@pytest.mark.parametrize(("limit", "work"), [(1, 20_000), (2, 3), (100, 1), (3, 15)])
def test_pages_of_any_size_find_the_same(query: Query, limit: int, work: int) -> None:
    assert everything(query, limit, work) == everything(query)


def test_a_search_needs_something_to_look_for() -> None:
    with pytest.raises(InputError, match="needs name, type or value"):
        Query()


def pages(limit: int, work: int, **wanted: object) -> list[str]:
    tree = ZONES[names.from_text("example.com.")]
    found: list[str] = []
    after = None
    for _page in range(100):
        page = rrsets_of(tree, 7, after=after, limit=limit, work=work, **wanted)  # type: ignore[arg-type]
        found += texts(page)
        after = page.following
        if after is None:
            return found
    raise AssertionError("pages without end")


@pytest.mark.parametrize(("limit", "work"), [(1, 100), (2, 1), (100, 2)])
@pytest.mark.parametrize("below", [None, "w.example.com.", "example.com.", "a.example.com."])
def test_rrsets_are_listed_in_pages_of_any_size(limit: int, work: int, below: str | None) -> None:
    top = None if below is None else names.from_text(below)
    assert pages(limit, work, below=top) == pages(100, 20_000, below=top)


def test_rrsets_are_filtered() -> None:
    ns = names.from_text("ns.example.com.")
    assert pages(100, 100, owner=ns) == ["ns.example.com. A 192.0.2.1", "ns.example.com. AAAA 2001:db8::1"]
    assert pages(100, 100, owner=ns, rdtype=rr.AAAA) == ["ns.example.com. AAAA 2001:db8::1"]
    assert pages(100, 100, below=names.from_text("w.example.com.")) == ['*.w.example.com. TXT "v=spf1 ip4:192.0.2.1"']
    assert pages(100, 100, owner=names.from_text("none.example.com.")) == []


@pytest.mark.parametrize("text", ["", "x", "!", "ZXhhbXBsZQ", "é", "LiAuLiAx"])
def test_a_position_that_nobody_was_given_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="after must be"):
        Position.of(text)


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_patterns_fit_as_shell_patterns_do(pattern: str, text: str) -> None:
    import fnmatch

    assert Pattern(pattern).fits(text) == fnmatch.fnmatchcase(text, pattern)


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not Pattern("*a" * 500 + "b").fits("a" * 65_000)
