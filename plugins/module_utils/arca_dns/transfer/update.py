# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""UPDATE (RFC 2136): what a message asks for, whether it may be done, and which RRsets that makes different.

Nothing is applied here: :func:`changes` gives what a write needs, or raises :class:`Failed` with the rcode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from struct import Struct, error as StructError

from .._deps import dns
from ..errors import ArcaError
from ..zone import names, rr
from ..zone.changes import Change
from ..zone.content import View
from ..zone.rdata import from_parsed, is_data
from ..zone.rr import RRset
from . import wire
from .wire import Message

NONE, ANY = 254, 255
_FIXED = Struct(">HHLH")
#: Types of which an owner has one RR at most, which an added one replaces (RFC 2136 section 3.4.2.2, RFC 6672).
_SINGLE = frozenset({rr.CNAME, rr.SOA, rr.DNAME})


class Failed(Exception):
    """An UPDATE that is not done, and why."""

    def __init__(self, rcode: int, reason: str) -> None:
        super().__init__(reason)
        self.rcode = rcode


@dataclass(frozen=True, slots=True)
class Line:
    """One RR of an UPDATE's sections; what it means depends on its class. *rdata* is ``None`` where it is empty."""

    owner: bytes
    rdtype: int
    rdclass: int
    ttl: int
    rdata: bytes | None


@dataclass(frozen=True, slots=True)
class Update:
    """An UPDATE of *zone*: what must hold, and what is then done, in this order."""

    zone: bytes
    prerequisites: tuple[Line, ...]
    steps: tuple[Line, ...]


#: Whether who asks may write the RRset of an owner and type.
May = Callable[[bytes, int], bool]


def read(request: Message) -> Update:
    """What the UPDATE *request* asks for. Raises :class:`Failed`: FORMERR, NOTAUTH or NOTZONE."""
    if request.rdtype != rr.SOA:
        raise Failed(wire.FORMERR, "the zone section is not of type SOA")
    if request.rdclass != wire.IN:
        raise Failed(wire.NOTAUTH, "there are zones of class IN only")
    _id, _flags, _zones, prerequisites, steps, _more = wire.HEADER.unpack_from(request.wire)
    try:
        lines = list(_lines(request, prerequisites + steps, prerequisites))
    except (ValueError, IndexError, StructError, ArcaError, dns.exception.DNSException):
        raise Failed(wire.FORMERR, "a record does not parse") from None
    for line in lines:
        if not names.is_at_or_below(line.owner, request.zone):
            raise Failed(wire.NOTZONE, f"{names.to_text(line.owner)} is not in the zone")
    update = Update(request.zone, tuple(lines[:prerequisites]), tuple(lines[prerequisites:]))
    for line in update.prerequisites:
        if not _is_prerequisite(line):
            raise Failed(wire.FORMERR, f"a prerequisite on {names.to_text(line.owner)} is none")
    for line in update.steps:
        if not _is_step(line):
            raise Failed(wire.FORMERR, f"an update of {names.to_text(line.owner)} is none")
    return update


def _lines(request: Message, count: int, empty: int) -> Iterator[Line]:
    """*count* RRs, of which the first, *empty* many, have no rdata in class NONE."""
    data = request.wire
    at = 12 + len(request.question)
    for index in range(count):
        owner, at = wire.read_name(data, at)
        rdtype, rdclass, ttl, length = _FIXED.unpack_from(data, at)
        at += 10
        rdata = None
        # Some types, as APL, may be empty; of others dnspython says that they are not whole.
        if length or (rdclass in (wire.IN, NONE) and not (rdclass == NONE and index < empty)):
            kind = dns.rdatatype.RdataType.make(rdtype)
            rdata = from_parsed(rdtype, dns.rdata.from_wire(dns.rdataclass.IN, kind, data, at, length))
        at += length
        yield Line(owner, rdtype, rdclass, ttl if ttl <= rr.MAX_TTL else 0, rdata)


def _is_prerequisite(line: Line) -> bool:
    """RFC 2136 section 3.2."""
    if line.ttl:
        return False
    if line.rdclass in (ANY, NONE):
        return line.rdata is None and (line.rdtype == ANY or is_data(line.rdtype))
    return line.rdclass == wire.IN and is_data(line.rdtype) and line.rdata is not None


def _is_step(line: Line) -> bool:
    """RFC 2136 section 3.4.1."""
    if line.rdclass == ANY:
        return not line.ttl and line.rdata is None and (line.rdtype == ANY or is_data(line.rdtype))
    if line.rdclass == NONE:
        return not line.ttl and is_data(line.rdtype) and line.rdata is not None
    return line.rdclass == wire.IN and is_data(line.rdtype) and line.rdata is not None


def changes(update: Update, view: View, serial: int, may: May) -> tuple[Change, ...]:
    """What *update* makes different in *view*, whose SOA has *serial*. Raises :class:`Failed`."""
    held = _Held(view, serial)
    _require(update, held)
    for line in update.steps:
        if line.rdtype != ANY and not may(line.owner, line.rdtype):
            raise _beyond(line.owner, line.rdtype)
    for line in update.steps:
        if line.rdclass == wire.IN:
            held.add(line)
        elif line.rdclass == NONE:
            held.remove(line)
        else:
            held.clear(line)
    found = tuple(held.changes())
    for change in found:
        if not may(change.owner, change.rdtype):
            raise _beyond(change.owner, change.rdtype)
    return found


def _beyond(owner: bytes, rdtype: int) -> Failed:
    return Failed(wire.REFUSED, f"the key may not write {names.to_text(owner)} {rr.type_text(rdtype)}")


def _require(update: Update, held: _Held) -> None:
    """RFC 2136 section 3.2.5."""
    whole: dict[tuple[bytes, int], set[bytes]] = {}
    for line in update.prerequisites:
        node = held.node(line.owner)
        there = bool(node) if line.rdtype == ANY else line.rdtype in node
        what = names.to_text(line.owner)
        if line.rdclass == ANY and not there:
            raise Failed(wire.NXDOMAIN if line.rdtype == ANY else wire.NXRRSET, f"{what} does not have what it must")
        if line.rdclass == NONE and there:
            raise Failed(wire.YXDOMAIN if line.rdtype == ANY else wire.YXRRSET, f"{what} has what it must not")
        if line.rdclass == wire.IN and line.rdata is not None:
            whole.setdefault((line.owner, line.rdtype), set()).add(line.rdata)
    for (owner, rdtype), wanted in whole.items():
        rrset = held.node(owner).get(rdtype)
        if rrset is None or set(rrset.rdatas) != wanted:
            raise Failed(wire.NXRRSET, f"{names.to_text(owner)} {rr.type_text(rdtype)} has other records than it must")


class _Held:
    """The zone's owners as the steps so far leave them."""

    def __init__(self, view: View, serial: int) -> None:
        self._view = view
        self._serial = serial
        self._nodes: dict[bytes, dict[int, RRset]] = {}

    def before(self, owner: bytes) -> dict[int, RRset]:
        """What *owner* had."""
        return {rdtype: rr.with_serial(rrset, self._serial) for rdtype, rrset in self._view.node(owner).items()}

    def node(self, owner: bytes) -> dict[int, RRset]:
        """What *owner* has; to be altered."""
        found = self._nodes.get(owner)
        if found is None:
            found = self._nodes[owner] = self.before(owner)
        return found

    def add(self, line: Line) -> None:
        """RFC 2136 section 3.4.2.2."""
        node, rdata = self.node(line.owner), line.rdata or b""
        if (node.keys() - {rr.CNAME}) if line.rdtype == rr.CNAME else rr.CNAME in node:
            return
        present = node.get(line.rdtype)
        if line.rdtype == rr.SOA and (
            present is None or not rr.serial_newer(rr.soa_serial(rdata), rr.soa_serial(present.rdatas[0]))
        ):
            return
        others = () if present is None or line.rdtype in _SINGLE else present.rdatas
        node[line.rdtype] = RRset.of(line.owner, line.rdtype, line.ttl, [*others, rdata])

    def clear(self, line: Line) -> None:
        """RFC 2136 section 3.4.2.3."""
        node = self.node(line.owner)
        kept = {rr.SOA, rr.NS} if line.owner == self._view.origin else set()
        for rdtype in list(node):
            if line.rdtype in (ANY, rdtype) and rdtype not in kept:
                del node[rdtype]

    def remove(self, line: Line) -> None:
        """RFC 2136 section 3.4.2.4."""
        node = self.node(line.owner)
        present = node.get(line.rdtype)
        if present is None or line.rdtype == rr.SOA or line.rdata not in present.rdatas:
            return
        rest = [rdata for rdata in present.rdatas if rdata != line.rdata]
        if rest:
            node[line.rdtype] = RRset.of(line.owner, line.rdtype, present.ttl, rest)
        elif not (line.rdtype == rr.NS and line.owner == self._view.origin):
            del node[line.rdtype]

    def changes(self) -> Iterator[Change]:
        """What is different, as a write takes it."""
        for owner, node in self._nodes.items():
            before = self.before(owner)
            for rdtype in sorted(before.keys() | node.keys()):
                if before.get(rdtype) != node.get(rdtype):
                    yield Change(owner, rdtype, node.get(rdtype))
