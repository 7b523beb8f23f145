# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What an answer proves: the serial, and that its signature is good now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import sign_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.zone import rdata as rdatas, rr
from arca_dns.zone.tree import Blobs
from arca_dns_agent.prove import Proof, Prover
from dnssec_zones import EVERYTHING, NOW, ORIGIN, build, fixed_random

POLICY = Policy()
KEYS = generate_keys(POLICY, ORIGIN, random=fixed_random(1), clock=lambda: NOW)
BLOBS = Blobs.memory()
SIGNED = sign_zone(BLOBS, build(EVERYTHING, BLOBS), KEYS, POLICY, epoch_of(POLICY, NOW), 7)
APEX = rr.node_of(SIGNED.apex.get(ORIGIN) or b"")
DNSKEYS = APEX[rr.DNSKEY].rdatas


class Server:
    """Stands in for the UDP exchange: *answer* makes the response from the query."""

    def __init__(self, answer: Callable[[dns.message.Message], dns.message.Message | None]) -> None:
        self._answer = answer

    async def ask(self, message: Callable[[int], bytes]) -> bytes | None:
        found = self._answer(dns.message.from_wire(message(1)))
        return None if found is None else found.to_wire()


def respond(query: dns.message.Message, *, signatures: bool = True, serial: int | None = None) -> dns.message.Message:
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    soa = APEX[rr.SOA].rdatas[0]
    if serial is not None:
        soa = rr.soa_with_serial(soa, serial)
    name, ttl = query.question[0].name, APEX[rr.SOA].ttl
    answer.answer.append(dns.rrset.from_text(name, ttl, "IN", "SOA", rdatas.to_text(rr.SOA, soa)))
    found = [one for one in APEX[rr.RRSIG].rdatas if one[:2] == b"\0\6"]
    if signatures:
        answer.answer.append(
            dns.rrset.from_text(name, ttl, "IN", "RRSIG", *(rdatas.to_text(rr.RRSIG, one) for one in found))
        )
    return answer


def prove(answer, now: int = NOW, keys: tuple[bytes, ...] = DNSKEYS) -> Proof:  # type: ignore[no-untyped-def]
    prover = Prover(Server(answer), ("127.0.0.1", 9), lambda: now)  # type: ignore[arg-type]
    return asyncio.run(prover.prove(ORIGIN, keys))


def test_a_served_serial_with_a_good_signature_is_proved() -> None:
    assert prove(respond) == Proof(7)


def test_another_serial_under_an_old_signature_is_no_proof() -> None:
    proof = prove(lambda query: respond(query, serial=8))
    assert proof.serial == 8
    assert "does not verify" in str(proof.problem)


def test_an_expired_signature_is_no_proof() -> None:
    assert "expired" in str(prove(respond, now=NOW + 10**7).problem)


def test_a_missing_signature_is_no_proof_for_a_signed_zone() -> None:
    unsigned = lambda query: respond(query, signatures=False)  # noqa: E731
    assert "without a signature" in str(prove(unsigned).problem)
    assert prove(unsigned, keys=()) == Proof(7)


@pytest.mark.parametrize(("rcode", "unknown"), [(dns.rcode.SERVFAIL, False), (dns.rcode.REFUSED, True)])
def test_an_error_is_told(rcode: int, unknown: bool) -> None:
    def fail(query: dns.message.Message) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.set_rcode(dns.rcode.Rcode(rcode))
        return answer

    proof = prove(fail)
    assert (proof.serial, proof.unknown) == (None, unknown)
    assert dns.rcode.to_text(dns.rcode.Rcode(rcode)) in str(proof.problem)


def test_silence_and_nonsense_prove_nothing() -> None:
    assert prove(lambda _query: None).problem == "the server does not answer"

    def not_authoritative(query: dns.message.Message) -> dns.message.Message:
        answer = respond(query)
        answer.flags &= ~dns.flags.AA
        return answer

    assert prove(not_authoritative).serial is None
