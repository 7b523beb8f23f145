# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a primary answers: SOA, AXFR (RFC 5936) and IXFR (RFC 1995), to clients that sign with a known key.

Transfers are framing around the leaves of the zone tree; only an IXFR looks at single RRs, those of owners that
changed. The caller owns sockets and history: :class:`Zones` says what there is to send.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ..errors import ArcaError, CorruptBlob
from ..zone import rr
from ..zone.tree import ZoneRoot
from . import tsig, wire
from .wire import Message

_MESSAGE = 65535


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a zone: its serial and its content."""

    serial: int
    root: ZoneRoot


class Zones(Protocol):
    """What can be sent."""

    def current(self, zone: bytes) -> Version | None:
        """The version to send, or ``None`` if the zone is not served."""

    def earlier(self, zone: bytes, serial: int) -> Version | None:
        """The version with *serial*, if it is still held: an IXFR can begin there."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: *messages* are made as they are asked for.

    *kind* is AXFR, IXFR or SOA for what is sent, or the name of the rcode.
    """

    kind: str
    messages: Iterator[bytes]
    zone: bytes = b""
    from_serial: int | None = None
    serial: int | None = None


class Primary:
    """Answers queries from *zones*; *keys* by name are those that may ask; *clock* gives unix seconds."""

    def __init__(self, zones: Zones, keys: Mapping[bytes, tsig.Key], clock: Callable[[], float]) -> None:
        self._zones = zones
        self._keys = keys
        self._clock = clock

    def answer(self, data: bytes, *, udp: bool = False) -> Answer | None:
        """The answer to the message *data*, or ``None`` if none must be given."""
        try:
            request = wire.read(data)
        except ValueError:
            refusal = wire.format_error(data)
            return None if refusal is None else Answer("FORMERR", iter((refusal,)))
        if request.flags & wire.RESPONSE:
            return None
        try:
            key = tsig.check(request, self._keys, int(self._clock()))
        except tsig.Refused as failure:
            kind = "REFUSED" if request.signed is None else "NOTAUTH"
            return Answer(kind, iter((tsig.error_answer(request, failure, self._clock),)), request.zone)
        signer = tsig.Signer(key, self._clock, request.signed.mac if request.signed else b"")
        try:
            return self._judged(request, signer, udp)
        except ArcaError:
            return self._failure(request, signer, "SERVFAIL", wire.SERVFAIL)

    def _judged(self, request: Message, signer: tsig.Signer, udp: bool) -> Answer:
        if request.opcode != wire.QUERY:
            return self._failure(request, signer, "NOTIMP", wire.NOTIMP)
        if request.rdclass != wire.IN or request.rdtype not in (rr.SOA, wire.AXFR, wire.IXFR):
            return self._failure(request, signer, "REFUSED", wire.REFUSED)
        if (request.rdtype == wire.IXFR and request.serial is None) or (request.rdtype == wire.AXFR and udp):
            return self._failure(request, signer, "FORMERR", wire.FORMERR)
        version = self._zones.current(request.zone)
        if version is None:
            return self._failure(request, signer, "NOTAUTH", wire.NOTAUTH)
        soa, rest = _apex(version.root)
        if rr.soa_serial(next(rr.iterate(soa)).rdata) != version.serial:
            raise CorruptBlob("the SOA has another serial than the version")
        known = request.serial
        if request.rdtype == rr.SOA:
            return self._single(request, signer, "SOA", soa, version.serial, udp)
        if known is not None and request.rdtype == wire.IXFR:
            if udp or not rr.serial_newer(version.serial, known):
                return self._single(request, signer, "SOA", soa, version.serial, udp)
            earlier = self._zones.earlier(request.zone, known)
            changes = None if earlier is None else difference(earlier.root, version.root)
            if changes is not None:
                chunks = ((record, 1) for record in changes)
                messages = _messages(request, chunks, signer)
                return Answer("IXFR", messages, request.zone, known, version.serial)
        messages = _messages(request, _whole(version.root, soa, rest), signer)
        return Answer("AXFR", messages, request.zone, known, version.serial)

    def _failure(self, request: Message, signer: tsig.Signer, kind: str, rcode: int) -> Answer:
        message = wire.header(request, 0, rcode=rcode) + wire.trailer(request)
        return Answer(kind, iter((signer.sign(message),)), request.zone)

    def _single(self, request: Message, signer: tsig.Signer, kind: str, soa: bytes, serial: int, udp: bool) -> Answer:
        message = wire.header(request, 1, flags=wire.AUTHORITATIVE) + soa + wire.trailer(request)
        if udp and len(message) + signer.size > (request.payload or 512):
            message = wire.header(request, 0, flags=wire.AUTHORITATIVE | wire.TRUNCATED) + wire.trailer(request)
        return Answer(kind, iter((signer.sign(message),)), request.zone, request.serial, serial)


def _apex(root: ZoneRoot) -> tuple[bytes, list[bytes]]:
    """The SOA RR, and the apex' other RRs. Raises :class:`CorruptBlob` if there is not exactly one SOA."""
    soa: list[bytes] = []
    rest: list[bytes] = []
    for record in _records(root.apex.get(root.origin) or b""):
        (soa if record[0] == rr.SOA else rest).append(record[1])
    if len(soa) != 1:
        raise CorruptBlob("a published zone must have exactly one SOA")
    return soa[0], rest


def _records(data: bytes) -> list[tuple[int, bytes]]:
    """(type, wire) of each RR in *data*."""
    return [(record.rdtype, data[record.start : record.end]) for record in rr.iterate(data)]


def _whole(root: ZoneRoot, soa: bytes, rest: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """All RRs of a zone in pieces with their number, the SOA first and last (RFC 5936 section 2.2)."""
    yield soa, 1
    for record in rest:
        yield record, 1
    yield from root.names.counted_leaves()
    yield from root.nsec3.counted_leaves()
    yield soa, 1


def difference(old: ZoneRoot, new: ZoneRoot) -> list[bytes] | None:
    """The RRs of an IXFR answer from *old* to *new* (RFC 1995 section 4), or ``None`` where an AXFR is shorter."""
    gone: list[bytes] = []
    come: list[bytes] = []
    limit = new.stats().records
    for _owner, before, after in old.diff(new):
        had = [record for rdtype, record in _records(before or b"") if rdtype != rr.SOA]
        has = [record for rdtype, record in _records(after or b"") if rdtype != rr.SOA]
        had_set, has_set = set(had), set(has)
        gone.extend(record for record in had if record not in has_set)
        come.extend(record for record in has if record not in had_set)
        if len(gone) + len(come) > limit:
            return None
    before_soa, after_soa = _apex(old)[0], _apex(new)[0]
    return [after_soa, before_soa, *gone, after_soa, *come, after_soa]


def _messages(request: Message, pieces: Iterable[tuple[bytes, int]], signer: tsig.Signer) -> Iterator[bytes]:
    """Signed messages that carry *pieces*, (RRs, their number), each message as full as whole pieces make it."""
    trailer = wire.trailer(request)
    room = _MESSAGE - 12 - len(request.question) - len(trailer) - signer.size
    held: list[bytes] = []
    size = count = 0

    def close() -> bytes:
        head = wire.header(request, count, flags=wire.AUTHORITATIVE)
        return signer.sign(b"".join((head, *held, trailer)))

    for data, number in _fitting(pieces, room):
        if size + len(data) > room:
            yield close()
            held, size, count = [], 0, 0
        held.append(data)
        size += len(data)
        count += number
    yield close()


def _fitting(pieces: Iterable[tuple[bytes, int]], room: int) -> Iterator[tuple[bytes, int]]:
    """*pieces* with those that no message can hold cut into single RRs."""
    for data, number in pieces:
        if len(data) <= room:
            yield data, number
            continue
        for _rdtype, record in _records(data):
            if len(record) > room:
                raise CorruptBlob("an RR is too long for a DNS message")
            yield record, 1
