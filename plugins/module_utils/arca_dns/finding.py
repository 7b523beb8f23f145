# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Finds RRsets, in one zone or across zones: a bounded piece of work at a time, and where to go on.

Nothing is indexed. A name is looked up where it can be; all else reads the zones in order, leaf by leaf. A page costs
what it looks at, :data:`WORK` owners at most, and may be empty while there is more.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .errors import ArcaError, InputError, Place
from .zone import names, rdata, rr
from .zone.tree import ZoneRoot

#: Owners that are looked at for one page: some tenths of a second.
WORK = 20_000
#: What a zone costs that is opened, in owners.
ZONE_COST = 10
_PAGE = 100

#: The source tree and the serial of a zone, ``None`` where there is none.
Open = Callable[[bytes], "tuple[ZoneRoot, int] | None"]
#: Names of up to so many zones behind one, in the order of their keys.
ListZones = Callable[["bytes | None", int], "list[bytes]"]


@dataclass(frozen=True, slots=True)
class Position:
    """Behind an RRset of a zone; without *owner* before all of them."""

    zone: bytes
    owner: bytes | None = None
    rdtype: int = 0

    def text(self) -> str:
        """As callers keep it."""
        owner = "" if self.owner is None else names.to_text(self.owner)
        plain = f"{names.to_text(self.zone)} {owner} {self.rdtype}"
        return base64.urlsafe_b64encode(plain.encode("ascii")).rstrip(b"=").decode("ascii")

    @classmethod
    def of(cls, text: str) -> Position:
        """What :meth:`text` made. Raises :class:`InputError`."""
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            zone, owner, rdtype = base64.b64decode(padded, b"-_", validate=True).decode("ascii").split(" ")
            return cls(names.from_text(zone, None), names.from_text(owner, None) if owner else None, int(rdtype))
        except (ValueError, binascii.Error, ArcaError):
            raise InputError("after must be the next of an earlier answer") from None


@dataclass(frozen=True, slots=True)
class Match:
    """An RRset that was found, with those of its records that fit."""

    zone: bytes
    rrset: rr.RRset


@dataclass(frozen=True, slots=True)
class Page:
    """What was found, and where to go on; ``None`` at the end."""

    found: tuple[Match, ...]
    following: Position | None


@dataclass(slots=True)
class _Walk:
    """One page in the making."""

    limit: int
    work: int
    found: list[Match] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Whether the page has to end."""
        return len(self.found) >= self.limit or self.work <= 0


class Pattern:
    """A text in which ``*`` stands for anything, also for nothing; without regard to case."""

    def __init__(self, text: str) -> None:
        self._first, *self._rest = re.split(r"\*+", text.lower())

    def fits(self, text: str) -> bool:
        """Whether *text* is as this says. Takes time in proportion to it, whatever the pattern."""
        text = text.lower()
        if not self._rest:
            return text == self._first
        if not text.startswith(self._first):
            return False
        at = len(self._first)
        for part in self._rest[:-1]:
            at = text.find(part, at)
            if at < 0:
                return False
            at += len(part)
        return len(text) - at >= len(self._rest[-1]) and text.endswith(self._rest[-1])


class Query:
    """What is looked for: *name* and *value* are patterns, an IP address as *value* finds its records and its PTR."""

    def __init__(self, name: str = "", rdtype: int | None = None, value: str = "") -> None:
        if not name and not value and rdtype is None:
            raise InputError("a search needs name, type or value", [Place("is required", pointer="/name")])
        self.rdtype = rdtype
        #: The one owner that can fit.
        self.owner: bytes | None = None
        self._name: Pattern | None = None
        if "*" in name:
            self._name = Pattern(name if name.endswith((".", "*")) else f"{name}.")
        elif name:
            self.owner = names.from_text(name if name.endswith(".") else f"{name}.", None)
        self._address: bytes | None = None
        self._reverse: bytes | None = None
        self._value: Pattern | None = None
        self._word = ""
        try:
            address = ipaddress.ip_address(value.strip())
        except ValueError:
            if "*" in value:
                self._value = Pattern(value)
            else:
                self._word = value.strip().lower()
        else:
            self._address = address.packed
            self._reverse = names.from_text(f"{address.reverse_pointer}.", None)

    def within(self, owner: bytes, data: bytes) -> Iterator[rr.RRset]:
        """Of the RRs *data* of *owner* the RRsets that fit, with the records that fit."""
        if self.owner is not None and owner != self.owner:
            return
        # Most owners are left here: an address stands in the bytes as it is.
        if self._address is not None and self._address not in data and owner != self._reverse:
            return
        if self._name is not None and not self._name.fits(names.to_text(owner)):
            return
        for found in rr.rrsets(data):
            if self.rdtype in (None, found.rdtype):
                kept = tuple(one for one in found.rdatas if self._fits(found, one))
                if kept:
                    yield rr.RRset(found.owner, found.rdtype, found.ttl, kept)

    def _fits(self, rrset: rr.RRset, data: bytes) -> bool:
        if self._address is not None:
            if rrset.rdtype in (rr.A, rr.AAAA):
                return data == self._address
            return rrset.rdtype == rr.PTR and rrset.owner == self._reverse
        if self._value is not None:
            return self._value.fits(rdata.to_text(rrset.rdtype, data))
        if self._word:
            text = rdata.to_text(rrset.rdtype, data).lower()
            word = self._word.rstrip(".")
            return text == self._word or any(one.strip('"').rstrip(".") == word for one in text.split(" "))
        return True


def search(
    query: Query, zones: ListZones, load: Open, after: Position | None = None, limit: int = 100, work: int = WORK
) -> Page:
    """A page of what fits *query* in all zones, by zone, then in canonical order."""
    walk = _Walk(limit, work)
    if query.owner is not None:
        return _look_up(query, query.owner, load, after, walk)
    if after is not None and after.owner is not None:
        at = _search_zone(query, after.zone, load, after, walk)
        if at is not None:
            return Page(tuple(walk.found), at)
    last = None if after is None else after.zone
    while True:
        page = zones(last, _PAGE)
        for zone in page:
            if walk.over:
                return Page(tuple(walk.found), Position(zone if last is None else last))
            walk.work -= ZONE_COST
            at = _search_zone(query, zone, load, None, walk)
            if at is not None:
                return Page(tuple(walk.found), at)
            last = zone
        if len(page) < _PAGE:
            return Page(tuple(walk.found), None)


def _look_up(query: Query, owner: bytes, load: Open, after: Position | None, walk: _Walk) -> Page:
    """A whole name can only be in zones whose names it ends with: these are few."""
    candidates = sorted([owner, *names.ancestors(owner, names.ROOT), names.ROOT] if owner != names.ROOT else [owner])
    for zone in candidates:
        if after is not None and zone < after.zone:
            continue
        opened = load(zone)
        data = None if opened is None else opened[0].get(owner)
        if opened is None or data is None:
            continue
        for found in query.within(owner, data):
            if after is not None and (zone, found.rdtype) <= (after.zone, after.rdtype):
                continue
            if walk.over:
                last = walk.found[-1]
                return Page(tuple(walk.found), Position(last.zone, owner, last.rrset.rdtype))
            walk.found.append(Match(zone, rr.with_serial(found, opened[1])))
    return Page(tuple(walk.found), None)


def _search_zone(query: Query, zone: bytes, load: Open, after: Position | None, walk: _Walk) -> Position | None:
    """Add what fits in *zone*; where to go on if the page is over before the zone is."""
    opened = load(zone)
    if opened is None:
        return None
    tree, serial = opened
    at = after or Position(zone)
    for owner, data in _behind(tree, at.owner):
        for found in query.within(owner, data):
            if owner == at.owner and found.rdtype <= at.rdtype:
                continue
            if len(walk.found) >= walk.limit:
                return at
            walk.found.append(Match(zone, rr.with_serial(found, serial)))
            at = Position(zone, owner, found.rdtype)
        if after is not None and owner == after.owner:
            continue
        walk.work -= 1
        if walk.over:
            return Position(zone, owner, 65535)
    return None


def rrsets_of(
    tree: ZoneRoot,
    serial: int,
    *,
    owner: bytes | None = None,
    below: bytes | None = None,
    rdtype: int | None = None,
    after: Position | None = None,
    limit: int = 100,
    work: int = WORK,
) -> Page:
    """A page of the RRsets of a zone in canonical order: of *owner*, or at and *below* a name, or all of them."""
    zone = tree.origin
    walk = _Walk(limit, work)
    at = after or Position(zone)
    nodes: Iterator[tuple[bytes, bytes]]
    if owner is not None:
        data = tree.get(owner)
        nodes = iter([(owner, data)] if data else [])
    elif below is not None and below != zone:
        nodes = _subtree(tree, below, at.owner)
    else:
        nodes = _behind(tree, at.owner)
    for name, data in nodes:
        for found in rr.rrsets(data):
            behind = name == at.owner and found.rdtype <= at.rdtype
            if behind or rdtype not in (None, found.rdtype):
                continue
            if walk.over:
                return Page(tuple(walk.found), at)
            walk.found.append(Match(zone, rr.with_serial(found, serial)))
            at = Position(zone, name, found.rdtype)
        if after is not None and name == after.owner:
            continue
        walk.work -= 1
        if walk.work <= 0:
            return Page(tuple(walk.found), Position(zone, name, 65535))
    return Page(tuple(walk.found), None)


def _behind(tree: ZoneRoot, owner: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    """(owner, RRs) from *owner* on, itself included: it may have types that are still to come."""
    if owner is None or owner == tree.origin:
        yield from tree.apex
        yield from tree.names.items()
        return
    data = tree.names.get(owner)
    if data is not None:
        yield owner, data
    yield from tree.names.items(owner)


def _subtree(tree: ZoneRoot, top: bytes, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    # In canonical order all descendants of a name follow it directly.
    for owner, data in _behind(tree, start or top):
        if not names.is_at_or_below(owner, top):
            return
        yield owner, data
