# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Proof by query of what the name server serves: the SOA's serial, and its signature where the zone is signed.

The control channel may say that all is well while stale data is served; only an answer counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype

from arca_dns.dnssec.verifier import verify_rrset
from arca_dns.errors import VerificationFailed
from arca_dns.zone import rr

from .datagram import Exchange


@dataclass(frozen=True, slots=True)
class Proof:
    """What an answer shows: the serial, if there is one; *problem* is what is wrong with the answer."""

    serial: int | None
    problem: str | None = None
    unknown: bool = False  # the server does not have the zone at all


class Prover:
    """Asks the server behind *exchange*, and at *address* over TCP where an answer is too long."""

    def __init__(self, exchange: Exchange, address: tuple[str, int], clock: Callable[[], float]) -> None:
        self._exchange = exchange
        self._address = address
        self._clock = clock

    async def prove(self, zone: bytes, keys: tuple[bytes, ...]) -> Proof:
        """What is served of *zone*, whose DNSKEY rdatas are *keys* (none: an unsigned zone)."""
        name = dns.name.from_wire(zone, 0)[0]

        def query(number: int) -> bytes:
            return bytes(
                dns.message.make_query(name, "SOA", want_dnssec=True, payload=1232, id=number, flags=0).to_wire()
            )

        try:
            data = await self._exchange.ask(query)
            if data is None:
                return Proof(None, "the server does not answer")
            if data[2] & 2:
                data = await self._over_tcp(query(int.from_bytes(data[:2], "big")))
            answer = dns.message.from_wire(data)
        except (dns.exception.DNSException, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            return Proof(None, f"the server's answer cannot be read: {str(error) or type(error).__name__}")
        return self._judge(zone, name, keys, answer)

    def _judge(self, zone: bytes, name: dns.name.Name, keys: tuple[bytes, ...], answer: dns.message.Message) -> Proof:
        if answer.rcode() != dns.rcode.NOERROR:
            text = f"the server answers {dns.rcode.to_text(answer.rcode())}"
            return Proof(None, text, unknown=answer.rcode() in (dns.rcode.REFUSED, dns.rcode.NOTAUTH))
        soa = answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.SOA)
        if soa is None or not answer.flags & dns.flags.AA:
            return Proof(None, "the server's answer has no authoritative SOA")
        rdatas = [rdata.to_digestable() for rdata in soa]
        serial = rr.soa_serial(rdatas[0])
        if not keys:
            return Proof(serial)
        signatures = answer.get_rrset(
            answer.answer, name, dns.rdataclass.IN, dns.rdatatype.RRSIG, covers=dns.rdatatype.SOA
        )
        if not signatures:
            return Proof(serial, "the SOA is served without a signature")
        problem = None
        for signature in signatures:
            try:
                verify_rrset(
                    rr.RRset.of(zone, rr.SOA, soa.ttl, rdatas), signature.to_digestable(), keys, int(self._clock())
                )
            except VerificationFailed as error:
                problem = str(error)
            else:
                return Proof(serial)
        return Proof(serial, problem)

    async def _over_tcp(self, message: bytes) -> bytes:
        async with asyncio.timeout(3):
            reader, writer = await asyncio.open_connection(*self._address)
            try:
                writer.write(len(message).to_bytes(2, "big") + message)
                await writer.drain()
                size = int.from_bytes(await reader.readexactly(2), "big")
                return await reader.readexactly(size)
            finally:
                writer.close()
