# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone transfer as a secondary sees it; dnspython is the secondary."""

from __future__ import annotations

import time

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.tsig
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import InputError
from arca_dns.transfer import wire
from arca_dns.transfer.difference import difference
from arca_dns.transfer.notify import Notification
from arca_dns.transfer.primary import Primary, Version
from arca_dns.transfer.tsig import Key
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import APEX, EVERYTHING, ORIGIN, a, txt
from transfers import (
    DNSPYTHON_KEY,
    KEY,
    SECRET,
    History,
    answers,
    content,
    primary,
    query,
    records_of,
    transferred,
    version,
)

OLD = version([*EVERYTHING, a("gone", 7), a("kept", 1)], 10)
NEW = version([*EVERYTHING, a("come", 8), a("kept", 2)], 11)


def ask(server, request, **options):  # type: ignore[no-untyped-def]
    answer = server.answer(request.to_wire(), **options)
    assert answer is not None
    return answer, answers(answer, request)


def test_axfr_carries_the_whole_zone_with_the_soa_first_and_last() -> None:
    answer, messages = ask(primary(NEW), query("AXFR"))
    assert (answer.kind, answer.serial) == ("AXFR", 11)
    records = [rrset for message in messages for rrset in message.answer]
    assert [rrset.rdtype for rrset in (records[0], records[-1])] == [rr.SOA, rr.SOA]
    assert content(transferred(messages, "AXFR")) == records_of(NEW.root)


def test_a_large_zone_is_many_full_messages_signed_as_a_chain() -> None:
    large = version([*APEX, *(txt(f"host-{n}", b"x" * 200) for n in range(2000))], 3)
    _answer, messages = ask(primary(large), query("AXFR"))
    assert len(messages) > 5
    assert content(transferred(messages, "AXFR")) == records_of(large.root)


def test_a_leaf_longer_than_a_message_is_cut_between_rrs() -> None:
    fat = version([*APEX, *(("fat", 65280 + n, 300, (bytes(40000),)) for n in range(3))], 3)
    _answer, messages = ask(primary(fat), query("AXFR"))
    assert len(messages) >= 3
    assert content(transferred(messages, "AXFR")) == records_of(fat.root)


def test_no_message_is_longer_than_65535_octets() -> None:
    fat = version([*APEX, *(("fat", 65280 + n, 300, (bytes(64900 + 100 * n),)) for n in range(3))], 3)
    answer = primary(fat).answer(query("AXFR").to_wire())
    assert answer is not None
    assert max(map(len, answer.messages)) <= 65535


def test_ixfr_carries_what_changed_and_no_more() -> None:
    answer, messages = ask(primary(OLD, NEW), query("IXFR", 10))
    assert (answer.kind, answer.from_serial, answer.serial) == ("IXFR", 10, 11)
    # SOA, old SOA, two RRs gone, new SOA, two RRs come, SOA
    assert sum(len(message.answer) for message in messages) == 8
    secondary = transferred(ask(primary(OLD), query("AXFR"))[1], "AXFR")
    assert content(transferred(messages, "IXFR", secondary)) == records_of(NEW.root)


def test_ixfr_from_a_version_that_is_no_longer_held_is_an_axfr() -> None:
    answer, messages = ask(primary(OLD, NEW), query("IXFR", 9))
    assert answer.kind == "AXFR"
    assert content(transferred(messages, "IXFR", transferred(ask(primary(OLD), query("AXFR"))[1], "AXFR"))) == (
        records_of(NEW.root)
    )


def test_ixfr_of_more_than_the_zone_is_an_axfr() -> None:
    other = version([*APEX, *(a(f"new-{n}") for n in range(5))], 12)
    many = version([*APEX, *(a(f"old-{n}") for n in range(50))], 11)
    assert difference(many.root, other.root) is None
    assert ask(primary(many, other), query("IXFR", 11))[0].kind == "AXFR"


@pytest.mark.parametrize("serial", [11, 12, 11 + 2**31 - 1])
def test_a_client_that_is_up_to_date_or_ahead_gets_one_soa(serial: int) -> None:
    answer, (message,) = ask(primary(OLD, NEW), query("IXFR", serial))
    assert (answer.kind, len(message.answer), message.answer[0][0].serial) == ("SOA", 1, 11)


def test_serials_wrap_around() -> None:
    before, after = version([*APEX, a("x", 1)], 2**32 - 1), version([*APEX, a("x", 2)], 0)
    assert ask(primary(before, after), query("IXFR", 2**32 - 1))[0].kind == "IXFR"
    assert ask(primary(before, after), query("IXFR", 5))[0].kind == "SOA"


def test_soa_over_udp() -> None:
    _answer, (message,) = ask(primary(NEW), query("SOA"), udp=True)
    assert message.flags & dns.flags.AA
    assert message.answer[0][0].serial == 11


def test_ixfr_over_udp_is_the_current_soa_so_that_the_client_comes_by_tcp() -> None:
    answer, (message,) = ask(primary(OLD, NEW), query("IXFR", 10), udp=True)
    assert (answer.kind, len(message.answer)) == ("SOA", 1)


def test_an_answer_too_long_for_udp_is_truncated() -> None:
    long = "a" * 60 + "." + "b" * 60 + "." + "c" * 60
    origin = names.from_text(long)
    name = dns.name.from_wire(origin, 0)[0]
    numbers = bytes(20)
    rdata = names.from_text("m." + long) + names.from_text("r." + long) + numbers
    root = ZoneRoot.build(Blobs.memory(), origin, [(origin, rr.RRset(origin, rr.SOA, 1, (rdata,)).wire())])

    class One:
        def current(self, zone: bytes) -> Version:
            return Version(0, root)

        def earlier(self, zone: bytes, serial: int) -> None:
            return None

    server = Primary(One(), {KEY.name: KEY}, time.time)
    _answer, (message,) = ask(server, query("SOA", name=name), udp=True)
    assert message.flags & dns.flags.TC
    assert not message.answer


def refusal(server, data: bytes, **options):  # type: ignore[no-untyped-def]
    answer = server.answer(data, **options)
    assert answer is not None
    (message,) = answer.messages
    return message


def rcode(data: bytes) -> int:
    return data[3] & 15


def test_without_a_signature_nothing_is_told() -> None:
    answer = refusal(primary(NEW), query("AXFR", key=None).to_wire())
    assert rcode(answer) == dns.rcode.REFUSED
    assert wire.read(answer).signed is None


@pytest.mark.parametrize(
    ("name", "secret", "error"),
    [("other.", SECRET, dns.rcode.BADKEY), ("arca-dns.", "c2VjcmV0IHRoYXQgaXMgbm90IG91cnM=", dns.rcode.BADSIG)],
)
def test_a_wrong_key_or_signature_is_notauth_with_the_tsig_error(name: str, secret: str, error: int) -> None:
    request = query("AXFR", key=dns.tsig.Key(name, secret, "hmac-sha256"))
    message = wire.read(refusal(primary(NEW), request.to_wire()))
    assert message.rcode == dns.rcode.NOTAUTH
    assert message.signed is not None
    assert (message.signed.error, message.signed.mac) == (error, b"")


def test_a_wrong_time_is_notauth_badtime_signed_with_our_time_told() -> None:
    request = query("AXFR")
    later = int(time.time()) + 1000
    data = refusal(primary(NEW, now=later), request.to_wire())
    message = wire.read(data)
    assert message.signed is not None
    assert (message.rcode, message.signed.error) == (dns.rcode.NOTAUTH, dns.rcode.BADTIME)
    assert int.from_bytes(message.signed.other, "big") == later
    with pytest.raises(dns.tsig.PeerBadTime):
        dns.message.from_wire(data, keyring=DNSPYTHON_KEY, request_mac=request.mac)


def test_every_flipped_bit_of_a_request_is_noticed() -> None:
    data = query("IXFR", 10).to_wire()
    # The id stands in the TSIG RR again: the message's own may change on the way.
    for place in range(16, len(data) * 8):
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        if flipped.lower() == data.lower():
            continue  # a name in another case is the same name
        answer = primary(OLD, NEW).answer(bytes(flipped))
        assert answer is None or answer.kind in ("FORMERR", "REFUSED", "NOTAUTH"), place


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        (query("AXFR", name=dns.name.from_text("elsewhere.")), "NOTAUTH"),
        (query("A"), "REFUSED"),
        (query("IXFR"), "FORMERR"),
    ],
)
def test_what_cannot_be_answered_gets_its_rcode_signed(request_, kind: str) -> None:  # type: ignore[no-untyped-def]
    if kind == "FORMERR":
        request_.authority.clear()
    answer, (message,) = ask(primary(NEW), request_)
    assert answer.kind == kind
    assert dns.rcode.to_text(message.rcode()) == kind


def test_axfr_over_udp_is_a_format_error() -> None:
    assert ask(primary(NEW), query("AXFR"), udp=True)[0].kind == "FORMERR"


def test_other_opcodes_are_not_implemented() -> None:
    request = query("SOA")
    request.set_opcode(dns.opcode.UPDATE)
    request.use_tsig(DNSPYTHON_KEY)
    assert ask(primary(NEW), request)[0].kind == "NOTIMP"


def test_a_response_is_never_answered() -> None:
    request = query("SOA")
    request.flags |= dns.flags.QR
    assert primary(NEW).answer(request.to_wire()) is None
    assert primary(NEW).answer(b"\0\0\x80\0" + bytes(8)) is None


@given(st.binary(max_size=80))
@settings(max_examples=300, deadline=None)
def test_garbage_gets_a_format_error_or_nothing(data: bytes) -> None:
    answer = primary(NEW).answer(data)
    assert answer is None or answer.kind in ("FORMERR", "REFUSED")


def test_compression_loops_and_forward_pointers_are_refused() -> None:
    head = wire.HEADER.pack(1, 0, 1, 0, 0, 0)
    for name in (b"\xc0\x0c", b"\xc0\x20", b"\x01a\xc0\x0c"):
        with pytest.raises(ValueError, match=r"pointer|255"):
            wire.read(head + name + b"\0\6\0\1")


def test_the_question_is_echoed_as_it_was_written_and_compared_without_case() -> None:
    _answer, (message,) = ask(primary(NEW), query("SOA", name=dns.name.from_text("eXaMpLe.")))
    assert str(message.question[0].name) == "eXaMpLe."


HOSTS = st.dictionaries(st.integers(0, 30), st.integers(1, 200), max_size=20)


@given(HOSTS, HOSTS)
@settings(max_examples=60, deadline=None)
def test_an_ixfr_applied_equals_an_axfr(before: dict[int, int], after: dict[int, int]) -> None:
    old = version([*APEX, *(a(f"h{n}", last, ttl=300 + n % 2) for n, last in before.items())], 1)
    new = version([*APEX, *(a(f"h{n}", last, ttl=300 + last % 2) for n, last in after.items())], 2)
    secondary = transferred(ask(primary(old), query("AXFR"))[1], "AXFR")
    _answer, messages = ask(primary(old, new), query("IXFR", 1))
    assert content(transferred(messages, "IXFR", secondary)) == records_of(new.root)


def test_a_notify_carries_the_new_soa_and_its_answer_is_checked() -> None:
    soa = rr.node_of(NEW.root.apex.get(ORIGIN) or b"")[rr.SOA]
    notification = Notification(ORIGIN, soa, KEY, 4711, time.time)
    request = dns.message.from_wire(notification.message, keyring=DNSPYTHON_KEY)
    assert (request.opcode(), request.id, request.answer[0][0].serial) == (dns.opcode.NOTIFY, 4711, 11)
    answer = dns.message.make_response(request)
    answer.set_rcode(dns.rcode.REFUSED)
    assert notification.accepted(answer.to_wire()) == dns.rcode.REFUSED
    answer.use_tsig(dns.tsig.Key("arca-dns.", "c2VjcmV0", "hmac-sha256"))
    assert notification.accepted(answer.to_wire()) is None
    assert notification.accepted(b"short") is None


def test_keys_are_read_from_text_and_do_not_show_their_secret() -> None:
    assert SECRET not in repr(KEY)
    assert "1234567890" not in repr(KEY)
    with pytest.raises(InputError, match="hmac-md5"):
        Key.of("k.", "hmac-md5", SECRET)
    with pytest.raises(InputError, match="base64"):
        Key.of("k.", "hmac-sha256", "not base64!")


def test_other_algorithms_are_spoken_too() -> None:
    key = dns.tsig.Key("long.", SECRET, "hmac-sha512")
    server = Primary(History(NEW), {names.from_text("long."): Key.of("long.", "HMAC-SHA512", SECRET)}, time.time)
    request = query("SOA", key=key)
    answer = server.answer(request.to_wire())
    assert answer is not None
    (data,) = answer.messages
    assert dns.message.from_wire(data, keyring=key, request_mac=request.mac).answer[0][0].serial == 11
