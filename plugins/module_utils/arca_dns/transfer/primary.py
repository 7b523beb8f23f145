# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a primary answers: SOA, AXFR (RFC 5936) and IXFR (RFC 1995), to clients that sign with a known key.

Transfers are framing around the leaves of the zone tree; only an IXFR looks at single RRs, those of owners that
changed, and a transfer whose names are compressed. The caller owns sockets and history: :class:`Zones` says what there
is to send, and an :data:`Access` who may have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ..errors import ArcaError, CorruptBlob, MissingBlob
from ..zone import names, rr
from ..zone.tree import ZoneRoot
from . import tsig, wire
from .compress import Owners
from .difference import apex, difference, records
from .wire import Message

_MESSAGE = 65535

#: Whether a query for a zone may be answered: by its type, its key (``None``: not signed), and where it came from.
Access: TypeAlias = "Callable[[bytes, int, bytes | None, str | None], bool]"
#: Answers an UPDATE (RFC 2136): the message, the key that signed it, where it came from → the rcode.
Updates: TypeAlias = "Callable[[Message, bytes, str | None], int]"


def signed_only(_zone: bytes, _rdtype: int, key: bytes | None, _address: str | None) -> bool:
    """Whoever has a key may have every zone."""
    return key is not None


#: The rcodes that an UPDATE may have, by what :class:`Answer` calls them.
RCODES = {
    wire.FORMERR: "FORMERR",
    wire.SERVFAIL: "SERVFAIL",
    wire.NXDOMAIN: "NXDOMAIN",
    wire.NOTIMP: "NOTIMP",
    wire.REFUSED: "REFUSED",
    wire.YXDOMAIN: "YXDOMAIN",
    wire.YXRRSET: "YXRRSET",
    wire.NXRRSET: "NXRRSET",
    wire.NOTAUTH: "NOTAUTH",
    wire.NOTZONE: "NOTZONE",
}


class _Signer(Protocol):
    """A :class:`.tsig.Signer`, or what stands in for one."""

    size: int

    def sign(self, message: bytes) -> bytes:
        """*message* as it is sent."""


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
    """Answers queries from *zones*; *keys* by name are those that may sign; *clock* gives unix seconds.

    *access* says who may ask. With *updates* an UPDATE is handed to that. With *compress* owners are shortened, which
    costs time and saves octets on the way.
    """

    def __init__(
        self,
        zones: Zones,
        keys: Mapping[bytes, tsig.Key],
        clock: Callable[[], float],
        *,
        access: Access = signed_only,
        updates: Updates | None = None,
        compress: bool = False,
    ) -> None:
        self._zones = zones
        self._keys = keys
        self._clock = clock
        self._access = access
        self._updates = updates
        self._compress = compress

    def answer(self, data: bytes, *, udp: bool = False, address: str | None = None) -> Answer | None:
        """The answer to the message *data* from *address*, or ``None`` if none must be given."""
        try:
            request = wire.read(data)
        except ValueError:
            refusal = wire.format_error(data)
            return None if refusal is None else Answer("FORMERR", iter((refusal,)))
        if request.flags & wire.RESPONSE:
            return None
        signer: _Signer = tsig.Unsigned()
        key: bytes | None = None
        if request.signed is not None:
            try:
                key = tsig.check(request, self._keys, int(self._clock())).name
            except tsig.Refused as failure:
                refused = tsig.error_answer(request, failure, self._clock)
                return Answer("NOTAUTH", iter((refused,)), request.zone)
            signer = tsig.Signer(self._keys[key], self._clock, request.signed.mac)
        try:
            return self._judged(request, signer, udp, key, address)
        except ArcaError:
            return self._failure(request, signer, "SERVFAIL", wire.SERVFAIL)

    def _judged(self, request: Message, signer: _Signer, udp: bool, key: bytes | None, address: str | None) -> Answer:
        if request.opcode == wire.UPDATE and self._updates is not None:
            rcode = wire.REFUSED if key is None else self._updates(request, key, address)
            return self._failure(request, signer, "UPDATE" if rcode == wire.NOERROR else RCODES[rcode], rcode)
        if not self._access(request.zone, request.rdtype, key, address):
            found = self._above(request, signer, udp, key, address)
            return found or self._failure(request, signer, "REFUSED", wire.REFUSED)
        if request.opcode != wire.QUERY:
            return self._failure(request, signer, "NOTIMP", wire.NOTIMP)
        if request.rdclass != wire.IN or request.rdtype not in (rr.SOA, wire.AXFR, wire.IXFR):
            return self._failure(request, signer, "REFUSED", wire.REFUSED)
        if (request.rdtype == wire.IXFR and request.serial is None) or (request.rdtype == wire.AXFR and udp):
            return self._failure(request, signer, "FORMERR", wire.FORMERR)
        version = self._zones.current(request.zone)
        if version is None:
            found = self._above(request, signer, udp, key, address)
            return found or self._failure(request, signer, "NOTAUTH", wire.NOTAUTH)
        soa, rest = apex(version.root)
        if rr.soa_serial(next(rr.iterate(soa)).rdata) != version.serial:
            raise CorruptBlob("the SOA has another serial than the version")
        known = request.serial
        if request.rdtype == rr.SOA:
            return self._single(request, signer, "SOA", soa, version.serial, udp)
        if known is not None and request.rdtype == wire.IXFR:
            if udp or not rr.serial_newer(version.serial, known):
                return self._single(request, signer, "SOA", soa, version.serial, udp)
            changes = self._changes(request.zone, known, version)
            if changes is not None:
                chunks = ((record, 1) for record in changes)
                messages = self._messages(request, chunks, signer)
                return Answer("IXFR", messages, request.zone, known, version.serial)
        messages = self._messages(request, _whole(version.root, soa, rest), signer)
        return Answer("AXFR", messages, request.zone, known, version.serial)

    def _changes(self, zone: bytes, serial: int, version: Version) -> Iterator[bytes] | None:
        """What an IXFR from *serial* to *version* sends; ``None`` where an AXFR must, or is shorter."""
        earlier = self._zones.earlier(zone, serial)
        try:
            return None if earlier is None else difference(earlier.root, version.root)
        except (MissingBlob, CorruptBlob):  # the earlier version is being removed, or damaged
            return None

    def _above(
        self, request: Message, signer: _Signer, udp: bool, key: bytes | None, address: str | None
    ) -> Answer | None:
        """That a name has no SOA of its own, and its zone's: clients who sign find by it what zone to update."""
        # Updates are signed; for others a search upwards would be work that anyone can cause.
        if key is None or (request.opcode, request.rdtype, request.rdclass) != (wire.QUERY, rr.SOA, wire.IN):
            return None
        zone = request.zone
        while len(zone) > 1:
            zone = names.parent(zone)
            if not self._access(zone, rr.SOA, key, address):
                continue
            version = self._zones.current(zone)
            if version is None:
                continue
            below = version.root.names.after(request.zone)
            there = version.root.names.get(request.zone) is not None or (
                below is not None and names.is_at_or_below(below[0], request.zone)
            )
            soa = apex(version.root)[0]
            rcode = wire.NOERROR if there else wire.NXDOMAIN
            return self._single(request, signer, "SOA", soa, version.serial, udp, rcode=rcode, authority=True)
        return None

    def _messages(self, request: Message, pieces: Iterable[tuple[bytes, int]], signer: _Signer) -> Iterator[bytes]:
        return _compressed(request, pieces, signer) if self._compress else _messages(request, pieces, signer)

    def _failure(self, request: Message, signer: _Signer, kind: str, rcode: int) -> Answer:
        message = wire.header(request, 0, rcode=rcode) + wire.trailer(request)
        return Answer(kind, iter((signer.sign(message),)), request.zone)

    def _single(
        self,
        request: Message,
        signer: _Signer,
        kind: str,
        soa: bytes,
        serial: int,
        udp: bool,
        *,
        rcode: int = wire.NOERROR,
        authority: bool = False,
    ) -> Answer:
        counts = (0, 1) if authority else (1, 0)
        message = wire.header(request, *counts, rcode=rcode, flags=wire.AUTHORITATIVE) + soa + wire.trailer(request)
        if udp and len(message) + signer.size > (request.payload or 512):
            flags = wire.AUTHORITATIVE | wire.TRUNCATED
            message = wire.header(request, 0, rcode=rcode, flags=flags) + wire.trailer(request)
        return Answer(kind, iter((signer.sign(message),)), request.zone, request.serial, serial)


def _whole(root: ZoneRoot, soa: bytes, rest: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
    """All RRs of a zone in pieces with their number, the SOA first and last (RFC 5936 section 2.2)."""
    yield soa, 1
    for record in rest:
        yield record, 1
    yield from root.names.counted_leaves()
    yield from root.nsec3.counted_leaves()
    yield soa, 1


def _messages(request: Message, pieces: Iterable[tuple[bytes, int]], signer: _Signer) -> Iterator[bytes]:
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
        for _rdtype, record in records(data):
            if len(record) > room:
                raise CorruptBlob("an RR is too long for a DNS message")
            yield record, 1


def _compressed(request: Message, pieces: Iterable[tuple[bytes, int]], signer: _Signer) -> Iterator[bytes]:
    """As :func:`_messages`, RR by RR and with their owners shortened."""
    trailer = wire.trailer(request)
    begin = 12 + len(request.question)
    room = _MESSAGE - len(trailer) - signer.size
    held: list[bytes] = []
    at = begin
    owners = Owners(request.zone)

    def close() -> bytes:
        head = wire.header(request, len(held), flags=wire.AUTHORITATIVE)
        return signer.sign(b"".join((head, *held, trailer)))

    for data, _number in pieces:
        for _rdtype, record in records(data):
            short = owners.short(record, at)
            if at + len(short) > room:
                if held:
                    yield close()
                held, at, owners = [], begin, Owners(request.zone)
                short = owners.short(record, at)
                if at + len(short) > room:
                    raise CorruptBlob("an RR is too long for a DNS message")
            held.append(short)
            at += len(short)
    yield close()
