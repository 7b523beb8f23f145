# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Names in values that lack their final dot."""

from __future__ import annotations

import pytest

from arca_dns.zone import names, rdata
from arca_dns.zone.targets import unclear

ORIGIN = names.from_text("example.com.")


@pytest.mark.parametrize(
    ("rdtype", "value"),
    [
        ("NS", "ns1.example.net"),
        ("CNAME", "www.example.com"),
        ("PTR", "host.example.com"),
        ("DNAME", "other.test"),
        ("MX", "10 mail.example.net"),
        ("SRV", "0 5 5060 sip.example.net"),
        ("HTTPS", '1 svc.example.net alpn="h2,h3"'),
        ("NAPTR", '100 10 "S" "SIP+D2U" "" _sip._udp.example.net'),
        ("SOA", "ns1.example.com. admin.example.com 1 2 3 4 5"),
        ("RP", "admin.example.com txt.example.com."),
    ],
)
def test_a_name_with_dots_but_not_the_final_one_is_unclear(rdtype: str, value: str) -> None:
    assert "has no final dot" in (unclear(rdata.type_from_text(rdtype), value, ORIGIN) or "")


@pytest.mark.parametrize(
    ("rdtype", "value"),
    [
        ("NS", "ns1"),
        ("NS", "ns1.example.net."),
        ("CNAME", "@"),
        ("CNAME", r"a\.b"),
        ("MX", "10 mail"),
        ("MX", "0 ."),
        ("TXT", "v=spf1.example"),
        ("A", "192.0.2.1"),
        ("HTTPS", '1 . alpn="h2.h3"'),
        ("SOA", "ns1 admin 1 2 3 4 5"),
        ("MX", "10"),
    ],
)
def test_a_label_a_whole_name_and_what_is_no_name_are_clear(rdtype: str, value: str) -> None:
    assert unclear(rdata.type_from_text(rdtype), value, ORIGIN) is None


def test_both_spellings_are_shown() -> None:
    said = unclear(rdata.type_from_text("MX"), "10 mail.example.com", ORIGIN)
    assert said is not None
    assert "'mail.example.com.'" in said
    assert "'mail.example.com.example.com.'" in said
