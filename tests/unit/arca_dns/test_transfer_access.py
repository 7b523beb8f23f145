# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who may have a zone, what a transfer is without a signature, and shortened names."""

from __future__ import annotations

import time

import dns.message
import dns.name
import dns.rcode
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import InputError
from arca_dns.transfer import wire
from arca_dns.transfer.allow import Rule, allowed
from arca_dns.transfer.difference import difference
from arca_dns.transfer.notify import Notification
from arca_dns.transfer.primary import Primary
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs
from dnssec_zones import APEX, EVERYTHING, ORIGIN, a, txt
from transfers import KEY, History, answers, content, query, records_of, transferred, version

OLD = version([*EVERYTHING, a("gone", 7), a("kept", 1)], 10)
NEW = version([*EVERYTHING, a("come", 8), a("kept", 2)], 11)


def open_primary(*rules: str, compress: bool = False) -> Primary:
    made = [Rule.read(rule) for rule in rules]
    return Primary(
        History(OLD, NEW),
        {KEY.name: KEY},
        time.time,
        access=lambda _zone, _rdtype, key, address: allowed(made, address, key),
        compress=compress,
    )


@pytest.mark.parametrize(
    ("rule", "address", "key", "good"),
    [
        ("192.0.2.0/24", "192.0.2.7", None, True),
        ("192.0.2.0/24", "192.0.3.7", None, False),
        ("192.0.2.0/24", "::ffff:192.0.2.7", None, True),
        ("2001:db8::/32", "2001:db8::1", b"\1k\0", True),
        ("fe80::/10", "fe80::1%eth0", None, True),
        ("key:K", None, b"\1k\0", True),
        ("key:k.", "192.0.2.7", None, False),
        ("192.0.2.7 key:k", "192.0.2.7", b"\1k\0", True),
        ("192.0.2.7 key:k", "192.0.2.8", b"\1k\0", False),
        ("192.0.2.7 key:k", "192.0.2.7", b"\1o\0", False),
        ("192.0.2.7", None, None, False),
    ],
)
def test_a_rule_is_an_address_a_key_or_both(rule: str, address: str | None, key: bytes | None, good: bool) -> None:
    assert Rule.read(rule).allows(address, key) is good


@pytest.mark.parametrize("text", ["", "key:", "key:a key:b", "192.0.2.1/24", "192.0.2.1 192.0.2.2", "example.com"])
def test_what_is_no_rule_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Rule.read(text)


def test_an_allowed_address_gets_a_transfer_without_signatures() -> None:
    request = query("AXFR", key=None)
    answer = open_primary("127.0.0.0/8").answer(request.to_wire(), address="127.0.0.1")
    assert answer is not None
    assert answer.kind == "AXFR"
    messages = [dns.message.from_wire(data, xfr=True, one_rr_per_rrset=True) for data in answer.messages]
    assert content(transferred(messages, "AXFR")) == records_of(NEW.root)


def test_another_address_is_refused_whatever_it_asks() -> None:
    for kind in ("SOA", "AXFR", "A"):
        answer = open_primary("127.0.0.0/8").answer(query(kind, key=None).to_wire(), address="192.0.2.1")
        assert answer is not None
        assert answer.kind == "REFUSED"
        (data,) = answer.messages
        assert dns.message.from_wire(data).rcode() == dns.rcode.REFUSED


def test_a_good_signature_alone_does_not_open_a_zone() -> None:
    request = query("AXFR")
    answer = open_primary("key:other.").answer(request.to_wire(), address="127.0.0.1")
    assert answer is not None
    (message,) = answers(answer, request)
    assert message.rcode() == dns.rcode.REFUSED


def test_a_long_fudge_is_cut_to_five_minutes() -> None:
    request = query("SOA")
    request.use_tsig(request.keyring, fudge=65535)
    server = Primary(History(NEW), {KEY.name: KEY}, lambda: time.time() + 400)
    answer = server.answer(request.to_wire())
    assert answer is not None
    assert answer.kind == "NOTAUTH"


def test_compressed_transfers_say_the_same_in_less() -> None:
    large = version([*APEX, *(txt(f"host-{n}.deep", b"x" * 20) for n in range(3000))], 3)
    sizes = []
    for compress in (False, True):
        server = Primary(History(large), {KEY.name: KEY}, time.time, compress=compress)
        request = query("AXFR")
        answer = server.answer(request.to_wire())
        assert answer is not None
        messages = answers(answer, request)
        assert content(transferred(messages, "AXFR")) == records_of(large.root)
        sizes.append(sum(len(message.wire or b"") for message in messages))
    assert sizes[1] < 0.8 * sizes[0]


def test_a_compressed_ixfr_is_applied_as_any() -> None:
    server = open_primary("key:arca-dns.", compress=True)
    request = query("AXFR")
    whole = Primary(History(OLD), {KEY.name: KEY}, time.time).answer(request.to_wire())
    assert whole is not None
    secondary = transferred(answers(whole, request), "AXFR")
    request = query("IXFR", 10)
    answer = server.answer(request.to_wire(), address="127.0.0.1")
    assert answer is not None
    assert answer.kind == "IXFR"
    assert content(transferred(answers(answer, request), "IXFR", secondary)) == records_of(NEW.root)


HOSTS = st.dictionaries(st.integers(0, 400), st.integers(1, 200), max_size=60)


@given(HOSTS, HOSTS)
@settings(max_examples=60, deadline=None)
def test_a_streamed_difference_is_the_held_one(before: dict[int, int], after: dict[int, int]) -> None:
    blobs = Blobs.memory()
    old = version([*APEX, *(a(f"h{n}", last) for n, last in before.items())], 1, blobs).root
    new = version([*APEX, *(a(f"h{n}", last) for n, last in after.items())], 2, blobs).root
    assert list(old.stream_diff(new)) == list(old.diff(new))


def test_a_difference_holds_no_list() -> None:
    found = difference(OLD.root, NEW.root)
    assert found is not None
    assert not isinstance(found, list)
    assert len(list(found)) == 8


def test_a_notify_without_a_key_is_answered_without_one() -> None:
    soa = rr.node_of(NEW.root.apex.get(ORIGIN) or b"")[rr.SOA]
    notification = Notification(ORIGIN, soa, None, 4711, time.time)
    request = dns.message.from_wire(notification.message)
    assert notification.accepted(dns.message.make_response(request).to_wire()) == dns.rcode.NOERROR


@given(st.binary(max_size=120), st.booleans())
@settings(max_examples=400, deadline=None)
def test_whatever_comes_by_udp_is_not_amplified(data: bytes, udp: bool) -> None:
    server = open_primary("192.0.2.1")
    for request in (data, b"\0\1" + bytes(2) + b"\0\1" + bytes(6) + data, query("AXFR").to_wire() + data):
        answer = server.answer(request, udp=udp, address="127.0.0.1")
        if answer is not None:
            assert sum(map(len, answer.messages)) <= max(len(request), 12)


def test_a_question_that_points_into_the_header_is_refused() -> None:
    with pytest.raises(ValueError, match="point back"):
        wire.read(wire.HEADER.pack(0x0161, 0, 1, 0, 0, 0) + b"\xc0\x00\0\6\0\1")


def test_names_of_keys_are_read_as_names() -> None:
    assert Rule.read("key:Arca-DNS").key == names.from_text("arca-dns.")


@pytest.mark.parametrize(
    ("name", "code"), [("www.example.", "NOERROR"), ("deep.example.", "NOERROR"), ("no.example.", "NXDOMAIN")]
)
def test_the_soa_of_a_name_below_shows_what_zone_it_is_in(name: str, code: str) -> None:
    zone = version([*APEX, a("www", 1), a("very.deep", 1)], 5)
    request = query("SOA", name=dns.name.from_text(name))
    answer = Primary(History(zone), {KEY.name: KEY}, time.time).answer(request.to_wire())
    assert answer is not None
    (message,) = answers(answer, request)
    assert dns.rcode.to_text(message.rcode()) == code
    assert not message.answer
    assert [str(rrset.name) for rrset in message.authority] == ["example."]
