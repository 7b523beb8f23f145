# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a zone file and records, as a caller wrote them, to the RRsets of a zone; every mistake is a place.

The API and the client in process share this, so both understand the same input in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError, Place, ZoneTextError
from ..zone import names, rdata, targets, text as zone_text
from ..zone.rr import MAX_TTL, NS, SOA, RRset
from .base import DEFAULT_TTL, Record, Soa

_Key = tuple[bytes, int]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One value of a record, parsed."""

    key: _Key
    ttl: int | None
    rdata: bytes
    pointer: str


def assemble(
    origin: bytes,
    *,
    text: str | None = None,
    records: Sequence[Record] = (),
    soa: Soa | None = None,
    default_ttl: int = DEFAULT_TTL,
) -> tuple[tuple[RRset, ...], Mapping[_Key, int]]:
    """The RRsets of zone *origin* from a zone file, from *records*, or from both, and the line where each begins.

    Records with the owner and type of an RRset in the zone file add to it. Raises :class:`ZoneTextError` with every
    mistake of both: places have a line in the zone file, or a pointer such as ``/records/3/values/0``.
    """
    places: list[Place] = []
    sets: dict[_Key, RRset] = {}
    lines: Mapping[_Key, int] = {}
    if text is not None:
        try:
            parsed = zone_text.parse(text, origin, default_ttl)
        except ZoneTextError as error:
            places.extend(error.places or [Place(error.message)])
        else:
            sets = {(rrset.owner, rrset.rdtype): rrset for rrset in parsed.rrsets}
            lines = parsed.lines
    wanted = _wanted(origin, records, places)
    if soa is not None:
        if (origin, SOA) in sets or any(one.key == (origin, SOA) for one in wanted):
            places.append(Place("the zone has a SOA already: leave it out here or there", pointer="/soa"))
        else:
            wanted += _soa(origin, soa, places)
    _join(sets, wanted, default_ttl, places)
    if places:
        count = len(places)
        raise ZoneTextError(f"zone {names.to_text(origin)} has {count} mistake{'s' if count > 1 else ''}", places)
    ordered = sorted(sets.values(), key=lambda rrset: (names.sort_key(rrset.owner), rrset.rdtype))
    return tuple(ordered), lines


def _wanted(origin: bytes, records: Iterable[Record], places: list[Place]) -> list[_Wanted]:
    found: list[_Wanted] = []
    for index, record in enumerate(records):
        pointer = f"/records/{index}"
        owner = _owner(origin, record.name, f"{pointer}/name", places)
        rdtype: int | None = None
        try:
            rdtype = rdata.type_from_text(record.type)
        except InputError as error:
            places.append(Place(error.message, pointer=f"{pointer}/type"))
        if record.ttl is not None and not 0 <= record.ttl <= MAX_TTL:
            places.append(Place(f"a TTL is 0 to {MAX_TTL} seconds (RFC 2181)", pointer=f"{pointer}/ttl"))
        if not record.values:
            places.append(Place("has no value", pointer=f"{pointer}/values"))
        for at, value in enumerate(record.values):
            if owner is None or rdtype is None:
                continue
            place = f"{pointer}/values/{at}"
            data = _rdata(rdtype, value, origin, place, places)
            if data is not None:
                found.append(_Wanted((owner, rdtype), record.ttl, data, place))
    return found


def _owner(origin: bytes, name: str, pointer: str, places: list[Place]) -> bytes | None:
    try:
        owner = names.from_text(name, origin)
    except InputError as error:
        places.append(Place(error.message, pointer=pointer))
        return None
    if not names.is_at_or_below(owner, origin):
        places.append(Place(f"{names.to_text(owner)} is outside of {names.to_text(origin)}", pointer=pointer))
        return None
    return owner


def _rdata(rdtype: int, value: str, origin: bytes, pointer: str, places: list[Place]) -> bytes | None:
    try:
        found = rdata.from_text(rdtype, value, origin)
    except InputError as error:
        places.append(Place(error.message, pointer=pointer))
        return None
    doubt = targets.unclear(rdtype, value, origin)
    if doubt is not None:
        places.append(Place(doubt, pointer=pointer))
        return None
    return found


def _soa(origin: bytes, soa: Soa, places: list[Place]) -> list[_Wanted]:
    rname = soa.rname or "hostmaster"
    if "@" in rname:
        local, _at, domain = rname.partition("@")
        rname = local.replace("\\", "\\\\").replace(".", "\\.") + "." + domain.rstrip(".") + "."
    else:
        rname = _meant(rname, origin)
    mname = _meant(soa.mname, origin)
    for name, pointer in ((mname, "/soa/mname"), (rname, "/soa/rname")):
        doubt = targets.unclear(NS, name, origin)
        if doubt is not None:
            places.append(Place(doubt, pointer=pointer))
            return []
    value = f"{mname} {rname} 0 {soa.refresh} {soa.retry} {soa.expire} {soa.minimum}"
    data = _rdata(SOA, value, origin, "/soa", places)
    return [] if data is None else [_Wanted((origin, SOA), soa.ttl, data, "/soa")]


def _meant(name: str, origin: bytes) -> str:
    """In zone ``example.com.``, ``ns1.example.com`` never means ``ns1.example.com.example.com.``."""
    return f"{name}." if f".{name.lower()}.".endswith(f".{names.to_text(origin)}") else name


def _join(sets: dict[_Key, RRset], wanted: Sequence[_Wanted], default_ttl: int, places: list[Place]) -> None:
    """Add *wanted* to *sets*; the TTLs that are given for one RRset must agree (RFC 2181 section 5.2)."""
    groups: dict[_Key, list[_Wanted]] = {}
    for one in wanted:
        groups.setdefault(one.key, []).append(one)
    for key, group in groups.items():
        there = sets.get(key)
        ttl = None if there is None else there.ttl
        for one in group:
            if ttl is None:
                ttl = one.ttl
            elif one.ttl is not None and one.ttl != ttl:
                places.append(
                    Place(
                        f"TTL {one.ttl} where the RRset has {ttl}: records of one RRset share it", pointer=one.pointer
                    )
                )
        values = [one.rdata for one in group]
        if there is not None:
            values += there.rdatas
        sets[key] = RRset.of(*key, default_ttl if ttl is None else ttl, values)
