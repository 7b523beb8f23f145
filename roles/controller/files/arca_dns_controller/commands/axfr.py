# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone from a running server by AXFR (RFC 5936), signed with TSIG (RFC 8945) where there is a key."""

from __future__ import annotations

import base64
import socket
from collections.abc import Iterator

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.tsig

from arca_dns.errors import InputError
from arca_dns.zone import names, rr
from arca_dns.zone.named_conf import SharedKey
from arca_dns.zone.rdata import from_parsed

#: Seconds without an octet after which a transfer is given up.
_SILENCE = 30.0


def key_of(shared: SharedKey) -> dns.tsig.Key:
    """A key as dnspython has it. Raises :class:`InputError`."""
    algorithm = shared.algorithm
    if algorithm == "hmac-md5":  # its name on the wire is another (RFC 8945 section 6)
        algorithm = dns.tsig.HMAC_MD5.to_text()
    try:
        secret = base64.b64decode(shared.secret, validate=True)
        key = dns.tsig.Key(names.to_text(names.from_text(shared.name, names.ROOT)), secret, algorithm)
        dns.tsig.get_context(key)  # type: ignore[no-untyped-call]
    except NotImplementedError:
        raise InputError(f"TSIG key {shared.name}: the algorithm {shared.algorithm} is not known") from None
    except (ValueError, dns.exception.DNSException):
        raise InputError(f"TSIG key {shared.name}: the secret is not base64") from None
    return key


def transfer(address: tuple[str, int], zone: bytes, key: dns.tsig.Key | None) -> tuple[rr.RRset, ...]:
    """The RRsets of *zone* in canonical order. Raises :class:`InputError` that says what the server did."""
    sets: dict[tuple[bytes, int], tuple[int, list[bytes]]] = {}
    try:
        for owner, rdtype, ttl, rdata in _records(address, zone, key):
            held = sets.setdefault((owner, rdtype), (ttl, []))
            if ttl < held[0]:  # the TTLs of an RRset may differ on the wire: the lowest holds (RFC 2181 section 5.2)
                held = sets[owner, rdtype] = (ttl, held[1])
            held[1].append(rdata)
    except InputError:
        raise
    except OSError as error:
        raise _wrong(address, zone, error.strerror or str(error) or "does not answer") from None
    except dns.tsig.PeerError as error:
        raise _wrong(address, zone, f"the server does not accept the TSIG key: {type(error).__name__}") from None
    except (dns.exception.DNSException, ValueError) as error:
        reason = str(error) or type(error).__name__
        raise _wrong(address, zone, f"the answer cannot be understood: {reason}") from None
    ordered = sorted(sets.items(), key=lambda item: (names.sort_key(item[0][0]), item[0][1]))
    return tuple(rr.RRset.of(owner, rdtype, ttl, rdatas) for (owner, rdtype), (ttl, rdatas) in ordered)


def _records(
    address: tuple[str, int], zone: bytes, key: dns.tsig.Key | None
) -> Iterator[tuple[bytes, int, int, bytes]]:
    """Owner, type, TTL and canonical rdata of each record, the SOA once."""
    query = dns.message.make_query(dns.name.from_wire(zone, 0)[0], dns.rdatatype.AXFR)
    if key is not None:
        query.use_tsig(key)
    first: bytes | None = None
    context = None
    signed = True
    with socket.create_connection(address, _SILENCE) as connection:
        wire = query.to_wire()
        connection.sendall(len(wire).to_bytes(2, "big") + wire)
        done = False
        while not done:
            message = dns.message.from_wire(
                _message(connection),
                keyring=query.keyring,
                request_mac=query.mac,
                xfr=True,
                tsig_ctx=context,
                multi=True,
                one_rr_per_rrset=True,
            )
            context, signed = message.tsig_ctx, message.had_tsig
            if message.id != query.id:
                raise _wrong(address, zone, "the answer is to another question")
            if message.rcode() != dns.rcode.NOERROR:
                raise _wrong(address, zone, f"the server answers {dns.rcode.to_text(message.rcode())}")
            if not message.answer:
                raise _wrong(address, zone, "the server sends no records")
            for one in message.answer:
                if done:
                    raise _wrong(address, zone, "there are records behind the last SOA")
                owner = one.name.canonicalize().to_wire() or b""
                rdata = from_parsed(int(one.rdtype), one[0])
                if one.rdtype == dns.rdatatype.SOA and owner == zone:
                    if first is not None:
                        if rdata != first:
                            raise _wrong(address, zone, "the zone changed during the transfer; try again")
                        done = True
                        continue
                    first = rdata
                elif first is None:
                    raise _wrong(address, zone, "the transfer does not begin with the SOA")
                yield owner, int(one.rdtype), one.ttl, rdata
    if key is not None and not signed:
        raise _wrong(address, zone, "the last message is not signed with the TSIG key")


def _message(connection: socket.socket) -> bytes:
    return _exactly(connection, int.from_bytes(_exactly(connection, 2), "big"))


def _exactly(connection: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = connection.recv(size)
        if not part:
            raise ConnectionError(0, "the server ended the connection before the end of the zone")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _wrong(address: tuple[str, int], zone: bytes, reason: str) -> InputError:
    return InputError(f"{names.to_text(zone)} from {address[0]}, port {address[1]}: {reason}")
