# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From requests to the values that the service takes: names, versions, RRsets, changes; mistakes by their places."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request

from arca_dns.client.base import Record, Soa
from arca_dns.client.content import assemble
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ArcaError, BadName, InputError, Place, ZoneTextError
from arca_dns.service import Service
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse

from .middleware import segment
from .models import ChangeIn, RecordIn, RRsetIn, SoaIn, ZoneIn
from .problem import BadRequest, PreconditionRequired, UnsupportedMedia

_ETAG = re.compile(r'\s*(W/)?"([^"]*)"\s*(?:,|$)')
Lines = Mapping[tuple[bytes, int], int]


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How to write, from the query."""

    dry_run: Annotated[bool, Query(description="Answer with the plan and write nothing.")] = False
    force: Annotated[bool, Query(description="Do what is refused as dangerous.")] = False
    reason: Annotated[str, Query(max_length=500, description="Kept with the version.")] = ""


@dataclass(frozen=True, slots=True)
class Content:
    """The content of a zone, and where a zone file says it."""

    name: bytes
    rrsets: tuple[rr.RRset, ...]
    lines: Lines


def zone_name(text: str) -> bytes:
    """A zone's name from a path or a document, with or without the final dot."""
    return names.from_text(text if text.endswith(".") else text + ".", None)


def zone_of(parameter: str) -> bytes:
    """A zone's name from a path parameter."""
    return zone_name(segment(parameter))


def owner_of(zone: bytes, parameter: str) -> bytes:
    """An owner from a path parameter: ``@``, relative to *zone*, or absolute."""
    owner = names.from_text(segment(parameter), zone)
    if not names.is_at_or_below(owner, zone):
        raise BadName(f"{names.to_text(owner)} is outside of {names.to_text(zone)}")
    return owner


def expected_version(request: Request, service: Service, zone: bytes) -> str | None:
    """What ``If-Match`` demands (RFC 9110 section 13.1.1): a version, or ``None`` for any (``*``)."""
    header = ", ".join(request.headers.getlist("if-match")).strip()
    if not header:
        raise PreconditionRequired(
            'a write needs If-Match with the ETag of what it was computed from, or "If-Match: *" for any version'
        )
    if header == "*":
        return None
    tags = etags(header)
    if tags is None:
        raise BadRequest(f"If-Match must hold ETags in double quotes, or *, not {header!r}")
    if len(tags) == 1:
        return tags[0]
    current = service.zone(zone).source.version
    return current if current in tags else tags[0]


def etags(header: str) -> list[str] | None:
    """The strong ETags in *header*, weak ones as what never matches; ``None`` if it is something else."""
    found, at = [], 0
    while at < len(header):
        match = _ETAG.match(header, at)
        if match is None:
            return None
        found.append(f"W/{match[2]}" if match[1] else match[2])
        at = match.end()
    return found


def not_modified(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names *etag* (weak comparison)."""
    header = ", ".join(request.headers.getlist("if-none-match")).strip()
    if header == "*":
        return True
    return etag in [tag.removeprefix("W/") for tag in etags(header) or ()]


async def text_body(request: Request) -> bytes:
    """A zone file as the body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or kind.startswith("multipart/"):
        raise UnsupportedMedia(f"the body must be a zone file, as text/plain, not {kind}")
    body = await request.body()
    if not body.strip():
        raise InputError("the body is empty; it must be a zone file")
    return body


def zone_file(body: bytes, origin: bytes | None, *, strip_dnssec: bool) -> Content:
    """The content of a zone file; *strip_dnssec* leaves out what signing makes."""
    parsed = parse(body, origin)
    if origin is not None and parsed.origin != origin:
        raise InputError(f"this is a zone file of {names.to_text(parsed.origin)}, not of {names.to_text(origin)}")
    rrsets = tuple(one for one in parsed.rrsets if not strip_dnssec or one.rdtype not in rr.SIGNER_TYPES)
    return Content(parsed.origin, rrsets, parsed.lines)


def zone_document(body: ZoneIn, zone: bytes) -> Content:
    """The content of a zone that came as JSON."""
    records, single, places = [], set(), []
    for index, item in enumerate(body.records):
        record, problem = _record(item)
        if problem:
            places.append(Place(problem, pointer=f"/records/{index}"))
        if item.values is None:
            single.add(f"/records/{index}")
        records.append(record)
    if places:
        raise InputError("records have mistakes", places)
    try:
        rrsets, lines = assemble(zone, text=body.text, records=records, soa=_soa(body.soa, zone))
    except ArcaError as error:
        error.places = tuple(_singular(place, single) for place in error.places)
        raise
    if body.soa is not None and body.soa.serial is not None:
        rrsets = tuple(_with_serial(one, body.soa.serial) if one.rdtype == rr.SOA else one for one in rrsets)
    return Content(zone, rrsets, lines)


def _record(item: RecordIn) -> tuple[Record, str | None]:
    values = item.values if item.value is None else [item.value]
    problem = None if (item.value is None) != (item.values is None) else "must have value or values"
    return Record(item.name, item.type, tuple(values or ()), item.ttl), problem


def _singular(place: Place, single: set[str]) -> Place:
    """``/records/3/values/0`` is ``/records/3/value`` where the caller wrote that."""
    if place.pointer is not None and place.pointer.endswith("/values/0"):
        record = place.pointer.removesuffix("/values/0")
        if record in single:
            return Place(place.message, place.line, place.column, f"{record}/value")
    return place


def _soa(soa: SoaIn | None, zone: bytes) -> Soa | None:
    if soa is None:
        return None
    text = names.to_text(zone)

    def absolute(name: str) -> str:
        # "ns1.example.com" in zone example.com. is never meant as ns1.example.com.example.com.
        return f"{name}." if f".{name.lower()}.".endswith(f".{text}") else name

    return Soa(
        mname=absolute(soa.mname),
        rname=soa.rname if soa.rname is None or "@" in soa.rname else absolute(soa.rname),
        refresh=soa.refresh,
        retry=soa.retry,
        expire=soa.expire,
        minimum=soa.minimum,
        ttl=soa.ttl,
    )


def _with_serial(soa: rr.RRset, serial: int) -> rr.RRset:
    return rr.RRset.of(soa.owner, soa.rdtype, soa.ttl, [rr.soa_with_serial(data, serial) for data in soa.rdatas])


def settings_of(given: dict[str, object] | None, *, dnssec: bool) -> ZoneSettings:
    """The settings of a new zone; *dnssec* is what it gets where nothing is said."""
    return ZoneSettings.from_json({"dnssec": dnssec, **(given or {})})  # type: ignore[dict-item]


def put_change(service: Service, zone: bytes, owner: str, rdtype: str, body: RRsetIn, pointer: str = "") -> Change:
    """The change that makes an RRset what *body* says."""
    wanted = rdata.type_from_text(rdtype)
    ttl = body.ttl
    if ttl is None:
        there = service.rrset(zone, names.from_text(owner, zone), wanted)
        ttl = None if there is None else there.ttl
    try:
        (rrset,), _lines = assemble(zone, records=[Record(owner, rdtype, tuple(body.values), ttl)])
    except ArcaError as error:
        error.places = tuple(
            Place(place.message, place.line, place.column, pointer + (place.pointer or "").removeprefix("/records/0"))
            for place in error.places
        )
        raise
    return Change(rrset.owner, rrset.rdtype, rrset)


def changes(service: Service, zone: bytes, items: Sequence[ChangeIn]) -> list[Change]:
    """All *items* as changes. Raises with the places of all mistakes."""
    found: list[Change] = []
    places: list[Place] = []
    for index, item in enumerate(items):
        pointer = f"/changes/{index}"
        try:
            found.append(_change(service, zone, item, pointer))
        except InputError as error:
            places.extend(error.places or [Place(error.message, pointer=pointer)])
            continue
        if any((one.owner, one.rdtype) == (found[-1].owner, found[-1].rdtype) for one in found[:-1]):
            places.append(Place("this RRset is changed by an earlier change already", pointer=pointer))
    if places:
        raise ZoneTextError("the changes have mistakes", places)
    return found


def _change(service: Service, zone: bytes, item: ChangeIn, pointer: str) -> Change:
    if item.action == "delete":
        if item.values is not None or item.ttl is not None:
            raise InputError("a delete removes the whole RRset: leave out values and ttl")
        owner = names.from_text(item.name, zone)
        return Change(owner, rdata.type_from_text(item.type), None)
    if not item.values:
        raise InputError("a put needs values")
    return put_change(service, zone, item.name, item.type, RRsetIn(ttl=item.ttl, values=item.values), pointer)
