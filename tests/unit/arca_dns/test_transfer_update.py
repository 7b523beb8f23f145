# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""RFC 2136: what an UPDATE asks for, its prerequisites and its rcodes; dnspython makes the messages."""

from __future__ import annotations

import struct

import dns.message
import dns.name
import dns.rdatatype
import dns.update
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.transfer import wire
from arca_dns.transfer.update import Failed, changes, read
from arca_dns.zone import names, rr
from arca_dns.zone.content import TreeView
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot

ZONE = parse(
    "$ORIGIN example.\n$TTL 300\n@ SOA ns1 admin 7 1 1 1 1\n@ NS ns1\n@ NS ns2\n@ MX 10 mail\n"
    "ns1 A 192.0.2.1\nns2 A 192.0.2.2\nmail A 192.0.2.3\nmail A 192.0.2.4\nwww CNAME mail\n"
)
VIEW = TreeView(ZoneRoot.build(Blobs.memory(), ZONE.origin, ZONE.nodes()))


def run(message: dns.update.UpdateMessage | bytes, may=lambda _owner, _rdtype: True) -> dict[str, list[str] | None]:  # type: ignore[no-untyped-def]
    data = message if isinstance(message, bytes) else message.to_wire()
    found = changes(read(wire.read(data)), VIEW, 7, may)
    return {
        f"{names.to_text(change.owner)} {rr.type_text(change.rdtype)}": None
        if change.rrset is None
        else sorted(data.hex() for data in change.rrset.rdatas)
        for change in found
    }


def update() -> dns.update.UpdateMessage:
    return dns.update.UpdateMessage("example.")


def failure(message: dns.update.UpdateMessage | bytes, **options) -> int:  # type: ignore[no-untyped-def]
    with pytest.raises(Failed) as caught:
        run(message, **options)
    return caught.value.rcode


def test_records_are_added_to_what_is_there() -> None:
    asked = update()
    asked.add("mail", 300, "A", "192.0.2.9")
    asked.add("new", 60, "TXT", "hello")
    assert run(asked) == {
        "mail.example. A": ["c0000203", "c0000204", "c0000209"],
        "new.example. TXT": ["0568656c6c6f"],
    }


def test_one_record_an_rrset_or_a_name_is_removed() -> None:
    asked = update()
    asked.delete("mail", "A", "192.0.2.3")
    asked.delete("ns2", "A")
    asked.delete("www")
    assert run(asked) == {"mail.example. A": ["c0000204"], "ns2.example. A": None, "www.example. CNAME": None}


def test_what_is_replaced_is_one_change() -> None:
    asked = update()
    asked.replace("mail", 300, "A", "192.0.2.77")
    assert run(asked) == {"mail.example. A": ["c000024d"]}


def test_what_is_there_already_or_not_there_changes_nothing() -> None:
    asked = update()
    asked.add("mail", 300, "A", "192.0.2.3")
    asked.delete("none", "A")
    asked.delete("mail", "A", "192.0.2.99")
    assert run(asked) == {}


def test_the_apex_keeps_its_soa_and_a_name_server() -> None:
    asked = update()
    asked.delete("@")
    assert run(asked) == {"example. MX": None}
    asked = update()
    asked.delete("@", "NS")
    asked.delete("@", "SOA")
    assert run(asked) == {}
    asked = update()
    asked.delete("@", "NS", "ns1")
    asked.delete("@", "NS", "ns2")
    assert run(asked) == {"example. NS": [b"\3ns2\7example\0".hex()]}


def test_a_cname_stands_alone_and_an_added_one_replaces_it() -> None:
    asked = update()
    asked.add("mail", 300, "CNAME", "ns1")
    asked.add("www", 300, "A", "192.0.2.1")
    assert run(asked) == {}
    asked = update()
    asked.add("www", 300, "CNAME", "ns1")
    assert run(asked) == {"www.example. CNAME": [b"\3ns1\7example\0".hex()]}


def test_a_soa_counts_where_its_serial_is_newer() -> None:
    for serial, expected in ((7, set()), (6, set()), (8, {"example. SOA"})):
        asked = update()
        asked.add("@", 300, "SOA", f"ns1 admin {serial} 2 2 2 2")
        assert set(run(asked)) == expected
    asked = update()
    asked.add("sub", 300, "SOA", "ns1 admin 99 2 2 2 2")
    assert run(asked) == {}


@pytest.mark.parametrize(
    ("call", "arguments", "rcode"),
    [
        ("present", ("none",), wire.NXDOMAIN),
        ("present", ("mail", "TXT"), wire.NXRRSET),
        ("present", ("mail", "A", "192.0.2.3"), wire.NXRRSET),
        ("absent", ("mail",), wire.YXDOMAIN),
        ("absent", ("mail", "A"), wire.YXRRSET),
        ("present", ("mail",), None),
        ("present", ("mail", "A"), None),
        ("present", ("mail", "A", "192.0.2.4", "192.0.2.3"), None),
        ("present", ("@", "SOA", "ns1 admin 7 1 1 1 1"), None),
        ("absent", ("none",), None),
        ("absent", ("mail", "TXT"), None),
    ],
)
def test_prerequisites(call: str, arguments: tuple[str, ...], rcode: int | None) -> None:
    asked = update()
    getattr(asked, call)(*arguments)
    asked.add("new", 300, "A", "192.0.2.9")
    if rcode is None:
        assert set(run(asked)) == {"new.example. A"}
    else:
        assert failure(asked) == rcode


def line(owner: str, rdtype: int, rdclass: int, ttl: int = 0, rdata: bytes = b"") -> bytes:
    return names.from_text(owner) + struct.pack(">HHLH", rdtype, rdclass, ttl, len(rdata)) + rdata


def raw(prerequisites: list[bytes], steps: list[bytes], *, rdtype: int = 6, rdclass: int = 1) -> bytes:
    head = wire.HEADER.pack(1, wire.UPDATE << 11, 1, len(prerequisites), len(steps), 0)
    zone = names.from_text("example.") + struct.pack(">HH", rdtype, rdclass)
    return head + zone + b"".join(prerequisites) + b"".join(steps)


ADDRESS = bytes((192, 0, 2, 1))


@pytest.mark.parametrize(
    ("prerequisites", "steps", "rcode"),
    [
        ([line("elsewhere.", 1, 255)], [], wire.NOTZONE),
        ([], [line("elsewhere.", 1, 1, 0, ADDRESS)], wire.NOTZONE),
        ([line("a.example.", 1, 255, 5)], [], wire.FORMERR),
        ([line("a.example.", 1, 254, 5)], [], wire.FORMERR),
        ([line("a.example.", 1, 255, 0, ADDRESS)], [], wire.FORMERR),
        ([line("a.example.", 1, 1, 5, ADDRESS)], [], wire.FORMERR),
        ([line("a.example.", 255, 1, 0, ADDRESS)], [], wire.FORMERR),
        ([line("a.example.", 1, 3, 0, ADDRESS)], [], wire.FORMERR),
        ([], [line("a.example.", 255, 1, 5, ADDRESS)], wire.FORMERR),
        ([], [line("a.example.", 252, 255)], wire.FORMERR),
        ([], [line("a.example.", 1, 255, 5)], wire.FORMERR),
        ([], [line("a.example.", 1, 255, 0, ADDRESS)], wire.FORMERR),
        ([], [line("a.example.", 1, 254, 5, ADDRESS)], wire.FORMERR),
        ([], [line("a.example.", 255, 254, 0, ADDRESS)], wire.FORMERR),
        ([], [line("a.example.", 1, 254)], wire.FORMERR),
        ([], [line("a.example.", 1, 1, 5)], wire.FORMERR),
        ([], [line("a.example.", 1, 1, 5, b"\1\2\3")], wire.FORMERR),
        ([], [line("a.example.", 1, 3, 5, ADDRESS)], wire.FORMERR),
    ],
)
def test_what_is_no_update_is_refused_by_its_rcode(prerequisites: list[bytes], steps: list[bytes], rcode: int) -> None:
    assert failure(raw(prerequisites, steps)) == rcode


def test_the_zone_section_must_be_a_soa_of_class_in() -> None:
    assert failure(raw([], [], rdtype=1)) == wire.FORMERR
    assert failure(raw([], [], rdclass=3)) == wire.NOTAUTH


def test_names_and_values_are_taken_in_any_case_and_compressed() -> None:
    # MX 10 "mail" with a pointer to the zone's name.
    assert run(raw([], [line("A.Example.", 15, 1, 5, b"\0\x0a\4MAIL\xc0\x0c")])) == {
        "a.example. MX": [(b"\0\x0a\4mail\7example\0").hex()]
    }


def test_what_a_key_may_not_write_is_refused_whether_it_would_change_or_not() -> None:
    def may(owner: bytes, rdtype: int) -> bool:
        return owner.startswith(b"\5_acme") and rdtype == rr.TXT

    asked = update()
    asked.add("_acme", 60, "TXT", "x")
    assert set(run(asked, may)) == {"_acme.example. TXT"}
    asked.add("mail", 300, "A", "192.0.2.3")
    assert failure(asked, may=may) == wire.REFUSED
    asked = update()
    asked.delete("mail")
    assert failure(asked, may=may) == wire.REFUSED
    asked = update()
    asked.delete("_acme")
    assert run(asked, may) == {}


LINES = st.lists(
    st.builds(
        line,
        st.sampled_from(["example.", "a.example.", "mail.example.", "elsewhere."]),
        st.sampled_from([1, 2, 5, 6, 15, 16, 41, 42, 46, 250, 252, 255, 65280]),
        st.sampled_from([0, 1, 3, 254, 255]),
        st.sampled_from([0, 1, 2**32 - 1]),
        st.one_of(st.just(b""), st.binary(max_size=30)),
    ),
    max_size=4,
)


@given(LINES, LINES, st.binary(max_size=4))
@settings(max_examples=400, deadline=None)
def test_any_update_is_done_or_fails_with_an_rcode(prerequisites: list[bytes], steps: list[bytes], more: bytes) -> None:
    try:
        request = wire.read(raw(prerequisites, steps) + more)
    except ValueError:
        return
    rcode = 0
    try:
        changes(read(request), VIEW, 7, lambda _owner, _rdtype: True)
    except Failed as error:
        rcode = error.rcode
    assert rcode in range(11)
