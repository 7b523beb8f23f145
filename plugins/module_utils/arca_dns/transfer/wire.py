# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Reading the few messages that zone transfer needs, and writing the answers that carry no zone data.

What an answer says is decided in :mod:`.primary`; signatures are made and checked in :mod:`.tsig`.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error as StructError

from ..zone import rr

QUERY, NOTIFY, UPDATE = 0, 4, 5
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = 0, 1, 2, 3, 4, 5
YXDOMAIN, YXRRSET, NXRRSET, NOTAUTH, NOTZONE = 6, 7, 8, 9, 10
OPT, TSIG, IXFR, AXFR = 41, 250, 251, 252
IN, ANY = 1, 255

RESPONSE, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED = 0x8000, 0x0400, 0x0200, 0x0100

HEADER = Struct(">6H")
_QUESTION = Struct(">HH")
_FIXED = Struct(">HHLH")
#: An OPT RR that offers 1232 octets over UDP, as answers to queries with EDNS carry it (RFC 6891 section 6.1.1).
EDNS = b"\0" + _FIXED.pack(OPT, 1232, 0, 0)


@dataclass(frozen=True, slots=True)
class Signed:
    """A TSIG RR as it was received (RFC 8945 section 4.2), and where it begins in the message."""

    start: int
    key: bytes
    algorithm: bytes
    time: int
    fudge: int
    mac: bytes
    original_id: int
    error: int
    other: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A message with one question. *question* is its question section as sent; *zone* is lower-case."""

    wire: bytes
    id: int
    flags: int
    question: bytes
    zone: bytes
    rdtype: int
    rdclass: int
    serial: int | None  # of the SOA in the authority section: where an IXFR begins
    payload: int | None  # of EDNS
    signed: Signed | None

    @property
    def opcode(self) -> int:
        """0 for a query, 4 for NOTIFY, 5 for UPDATE."""
        return self.flags >> 11 & 15

    @property
    def rcode(self) -> int:
        """What a response says."""
        return self.flags & 15


def read_name(wire: bytes, at: int) -> tuple[bytes, int]:
    """The name at *at*, lower-case and uncompressed, and where it ends. Raises :class:`ValueError`."""
    parts: list[bytes] = []
    length, end, i = 1, None, at
    try:
        while (size := wire[i]) != 0:
            if size >= 0xC0:
                target = (size & 0x3F) << 8 | wire[i + 1]
                end = i + 2 if end is None else end
                if not 12 <= target < i:
                    raise ValueError("a compression pointer does not point back to a name")
                i = target
                continue
            if size > 63:
                raise ValueError("a label of an unknown kind")
            label = wire[i : i + 1 + size]
            if len(label) <= size:
                raise ValueError("a name runs past the end")
            length += 1 + size
            if length > 255:
                raise ValueError("a name of more than 255 octets")
            parts.append(label.lower())
            i += 1 + size
    except IndexError:
        raise ValueError("a name runs past the end") from None
    return b"".join(parts) + b"\0", i + 1 if end is None else end


def read(wire: bytes) -> Message:
    """Take *wire* apart. Raises :class:`ValueError` for what is no message with exactly one question."""
    try:
        number, flags, questions, *counts = HEADER.unpack_from(wire)
        if questions != 1:
            raise ValueError(f"{questions} questions instead of one")
        zone, at = read_name(wire, 12)
        rdtype, rdclass = _QUESTION.unpack_from(wire, at)
        at += 4
        question = wire[12:at]
        serial = payload = signed = None
        for section, count in enumerate(counts):
            for index in range(count):
                start = at
                owner, at = read_name(wire, at)
                kind, group, ttl, length = _FIXED.unpack_from(wire, at)
                rdata = at + 10
                at = rdata + length
                if at > len(wire):
                    raise ValueError("an RR runs past the end")
                if section == 1 and kind == rr.SOA and owner == zone and not flags >> 11 & 15:
                    serial = _serial(wire, rdata, at)
                elif section == 2 and kind == OPT:
                    payload = max(group, 512)
                elif kind == TSIG:
                    if section != 2 or index != count - 1 or group != ANY or ttl:
                        raise ValueError("a TSIG RR that is not the last, or not of class ANY and TTL 0")
                    signed = _signed(wire, start, owner, rdata, at)
    except StructError:
        raise ValueError("the message is cut off") from None
    if at != len(wire):
        raise ValueError("there are octets behind the message")
    return Message(wire, number, flags, question, zone, rdtype, rdclass, serial, payload, signed)


def _serial(wire: bytes, start: int, end: int) -> int:
    _mname, at = read_name(wire, start)
    _rname, at = read_name(wire, at)
    if at + 20 != end:
        raise ValueError("a SOA RR that is none")
    return int.from_bytes(wire[at : at + 4], "big")


def _signed(wire: bytes, start: int, key: bytes, at: int, end: int) -> Signed:
    algorithm, at = read_name(wire, at)
    time = int.from_bytes(wire[at : at + 6], "big")
    fudge, size = _QUESTION.unpack_from(wire, at + 6)
    at += 10
    mac = wire[at : at + size]
    at += size
    original, error, size = Struct(">3H").unpack_from(wire, at)
    other = wire[at + 6 : at + 6 + size]
    if at + 6 + size != end:
        raise ValueError("a TSIG RR whose lengths do not agree")
    return Signed(start, key, algorithm, time, fudge, mac, original, error, other)


def header(message: Message, answers: int, authority: int = 0, *, rcode: int = NOERROR, flags: int = 0) -> bytes:
    """Header, question and, where *message* has EDNS, room for it in the counts: the beginning of an answer."""
    echoed = message.flags & (0x7800 | RECURSION_DESIRED)
    return (
        HEADER.pack(
            message.id, RESPONSE | flags | echoed | rcode, 1, answers, authority, int(message.payload is not None)
        )
        + message.question
    )


def trailer(message: Message) -> bytes:
    """What stands behind the answers: the OPT RR that :func:`header` counted."""
    return b"" if message.payload is None else EDNS


def format_error(wire: bytes) -> bytes | None:
    """The answer to something that :func:`read` refuses; ``None`` if it is no query and none must be sent."""
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    flags = int.from_bytes(wire[2:4], "big")
    return HEADER.pack(int.from_bytes(wire[:2], "big"), RESPONSE | flags & 0x7800 | FORMERR, 0, 0, 0, 0)
