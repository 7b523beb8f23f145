# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone file and records become one zone, and every mistake has a place."""

from __future__ import annotations

import pytest

from arca_dns.client.base import Record, Soa
from arca_dns.client.content import assemble
from arca_dns.errors import ZoneTextError
from arca_dns.zone import names, rdata
from arca_dns.zone.rr import RRset, type_text

ORIGIN = names.from_text("example.com")
TEXT = """\
$TTL 300
@ SOA ns1 hostmaster 7 10800 3600 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www 60 A 192.0.2.1
"""


def shown(rrsets: tuple[RRset, ...]) -> list[tuple[str, str, int, list[str]]]:
    return [
        (names.to_text(s.owner), type_text(s.rdtype), s.ttl, [rdata.to_text(s.rdtype, r) for r in s.rdatas])
        for s in rrsets
    ]


def mistakes(**content: object) -> list[str]:
    with pytest.raises(ZoneTextError) as caught:
        assemble(ORIGIN, **content)  # type: ignore[arg-type]
    return [str(place).partition(":")[0] for place in caught.value.places]


def test_a_zone_file_alone_keeps_its_lines() -> None:
    rrsets, lines = assemble(ORIGIN, text=TEXT)
    assert [row[:3] for row in shown(rrsets)] == [
        ("example.com.", "NS", 300),
        ("example.com.", "SOA", 300),
        ("ns1.example.com.", "A", 300),
        ("www.example.com.", "A", 60),
    ]
    assert lines[(names.from_text("www.example.com"), 1)] == 5


def test_records_alone_are_relative_to_the_zone_and_have_the_default_ttl() -> None:
    records = [
        Record("@", "MX", ("10 mail", "20 mail.example.net.")),
        Record("WWW.Example.COM.", "a", ("192.0.2.1",), 60),
        Record("x", "TYPE65280", (r"\# 2 abcd",)),
    ]
    rrsets, lines = assemble(ORIGIN, records=records)
    assert shown(rrsets) == [
        ("example.com.", "MX", 3600, ["10 mail.example.com.", "20 mail.example.net."]),
        ("www.example.com.", "A", 60, ["192.0.2.1"]),
        ("x.example.com.", "TYPE65280", 3600, [r"\# 2 abcd"]),
    ]
    assert lines == {}


def test_records_of_one_rrset_may_stand_apart() -> None:
    records = [Record("w", "A", ("192.0.2.2",), 60), Record("v", "A", ("192.0.2.9",)), Record("w", "A", ("192.0.2.1",))]
    assert shown(assemble(ORIGIN, records=records)[0])[1] == ("w.example.com.", "A", 60, ["192.0.2.1", "192.0.2.2"])


def test_records_add_to_an_rrset_of_the_zone_file_and_take_its_ttl() -> None:
    records = [Record("www", "A", ("192.0.2.2", "192.0.2.1")), Record("new", "A", ("192.0.2.3",))]
    found = shown(assemble(ORIGIN, text=TEXT, records=records)[0])
    assert ("www.example.com.", "A", 60, ["192.0.2.1", "192.0.2.2"]) in found
    assert ("new.example.com.", "A", 3600, ["192.0.2.3"]) in found


def test_a_soa_is_made_from_its_fields() -> None:
    soa = Soa("ns1", "first.last@example.net", 1, 2, 3, 4, 5)
    ((owner, rdtype, ttl, values),) = shown(assemble(ORIGIN, soa=soa)[0])
    assert (owner, rdtype, ttl) == ("example.com.", "SOA", 5)
    assert values == [r"ns1.example.com. first\.last.example.net. 0 1 2 3 4"]
    assert "hostmaster.example.com." in shown(assemble(ORIGIN, soa=Soa("ns1"))[0])[0][3][0]


@pytest.mark.parametrize("mname", ["ns1", "ns1.example.com", "NS1.Example.Com."])
def test_the_zones_own_name_at_the_end_of_a_soas_field_needs_no_dot(mname: str) -> None:
    ((_owner, _rdtype, _ttl, values),) = shown(assemble(ORIGIN, soa=Soa(mname, "h.example.com"))[0])
    assert values == ["ns1.example.com. h.example.com. 0 10800 3600 1209600 3600"]


def test_two_soas_are_a_mistake() -> None:
    assert mistakes(text=TEXT, soa=Soa("ns1")) == ["/soa"]
    assert mistakes(records=[Record("@", "SOA", ("a b 1 2 3 4 5",))], soa=Soa("ns1")) == ["/soa"]


def test_every_mistake_of_both_is_found() -> None:
    text = TEXT + "a A 192.0.2.256\nb NOTYPE x\n"
    records = [
        Record("a..b", "A", ("192.0.2.1",)),
        Record("x", "NOTYPE", ("y",)),
        Record("x", "A", ("192.0.2.1", "nonsense")),
        Record("x.example.net.", "A", ("192.0.2.1",)),
        Record("x", "A", (), -1),
    ]
    found = mistakes(text=text, records=records)
    assert [place.partition(",")[0] for place in found[:2]] == ["line 6", "line 7"]
    assert found[2:] == [
        "/records/0/name",
        "/records/1/type",
        "/records/2/values/1",
        "/records/3/name",
        "/records/4/ttl",
        "/records/4/values",
    ]


@pytest.mark.parametrize("text", [TEXT, None])
def test_ttls_of_one_rrset_must_agree(text: str | None) -> None:
    records = [Record("www", "A", ("192.0.2.2",), 60), Record("www", "A", ("192.0.2.3",), 61)]
    assert mistakes(text=text, records=records) == ["/records/1/values/0"]


def test_a_value_cannot_bring_in_another_line() -> None:
    assert mistakes(records=[Record("x", "A", ("192.0.2.1\nevil A 192.0.2.66",))]) == ["/records/0/values/0"]
