# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From requests to the values that the service takes: names, versions, RRsets, changes; mistakes by their places."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request

from arca_dns.client.base import Record, Soa
from arca_dns.client.content import assemble
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ArcaError, BadName, InputError, Place, ZoneTextError
from arca_dns.finding import Pattern, Position
from arca_dns.service import Service
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.changes import Amend, Change, Content as Whole
from arca_dns.zone.text import parse

from . import multipart
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
    whole: Whole
    lines: Lines


class ZoneFilter:
    """Which zones a list shows; *waiting* are the zones that have a problem, *sees* says which the caller may see."""

    def __init__(
        self,
        name: str,
        dnssec: bool | None,
        problem: bool | None,
        waiting: Collection[bytes],
        sees: Callable[[bytes], bool],
    ) -> None:
        self._pattern = None if not name else Pattern(name if name.endswith((".", "*")) else f"{name}.")
        self._dnssec = dnssec
        self._problem = problem
        self._waiting = waiting
        self._sees = sees

    def __call__(self, zone: bytes, settings: ZoneSettings) -> bool:
        """Whether *zone* is shown."""
        return (
            self._sees(zone)
            and (self._pattern is None or self._pattern.fits(names.to_text(zone)))
            and self._dnssec in (None, settings.dnssec)
            and self._problem in (None, zone in self._waiting)
        )


def zone_name(text: str) -> bytes:
    """A zone's name from a path or a document, with or without the final dot."""
    return names.from_text(text if text.endswith(".") else text + ".", None)


def zone_of(parameter: str) -> bytes:
    """A zone's name from a path parameter."""
    return zone_name(segment(parameter))


def owner_of(zone: bytes, parameter: str) -> bytes:
    """An owner from a path parameter: ``@``, relative to *zone*, or absolute."""
    return owner_in(zone, segment(parameter))


def position(text: str, zone: bytes) -> Position | None:
    """Where a page of the RRsets of *zone* begins."""
    if not text:
        return None
    found = Position.of(text)
    if found.zone != zone:
        raise InputError(f"after is the next of a page of {names.to_text(found.zone)}, not of {names.to_text(zone)}")
    return found


def owner_in(zone: bytes, text: str) -> bytes:
    """An owner of *zone* from a text: ``@``, relative, or absolute."""
    owner = names.from_text(text, zone)
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


def expected_revision(request: Request) -> int | None:
    """The revision that ``If-Match`` demands of a ring's head; ``None`` for any, or without the header."""
    header = ", ".join(request.headers.getlist("if-match")).strip()
    if header in ("", "*"):
        return None
    tag = header.strip('"')
    if header not in (tag, f'"{tag}"') or not tag.isascii() or not tag.isdigit() or len(tag) > 18:
        raise BadRequest(f"If-Match must hold the ETag of the ring's head in double quotes, or *, not {header!r}")
    return int(tag)


def not_modified(request: Request, etag: str) -> bool:
    """Whether ``If-None-Match`` names *etag* (weak comparison)."""
    header = ", ".join(request.headers.getlist("if-none-match")).strip()
    if header == "*":
        return True
    return etag in [tag.removeprefix("W/") for tag in etags(header) or ()]


async def text_body(request: Request) -> bytes:
    """A zone file as the body, or as the field ``zonefile`` of a form."""
    told = request.headers.get("content-type", "")
    kind = told.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        body = await multipart.field(request.stream(), told, "zonefile")
    elif kind.startswith("multipart/") or kind == "application/json":
        raise UnsupportedMedia(
            f"the body must be a zone file, as text/plain or as field zonefile of multipart/form-data, not {kind}"
        )
    else:
        body = await request.body()
    if not body.strip():
        raise InputError("the body is empty; it must be a zone file")
    return body


def zone_file(body: bytes, origin: bytes | None, *, strip_dnssec: bool) -> Content:
    """The content of a zone file; *strip_dnssec* leaves out what signing makes."""
    parsed = parse(body, origin)
    if origin is not None and parsed.origin != origin:
        raise InputError(f"this is a zone file of {names.to_text(parsed.origin)}, not of {names.to_text(origin)}")
    if not strip_dnssec:
        return Content(parsed.origin, parsed, parsed.lines)
    return Content(
        parsed.origin, tuple(one for one in parsed.rrsets if one.rdtype not in rr.SIGNER_TYPES), parsed.lines
    )


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
        rrsets = tuple(rr.with_serial(one, body.soa.serial) for one in rrsets)
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
    rrset = _given(zone, owner, rdtype, ttl, body.values, pointer)
    return Change(rrset.owner, rrset.rdtype, rrset)


def _given(zone: bytes, owner: str, rdtype: str, ttl: int | None, values: Sequence[str], pointer: str) -> rr.RRset:
    try:
        (rrset,), _lines = assemble(zone, records=[Record(owner, rdtype, tuple(values), ttl)])
    except ArcaError as error:
        error.places = tuple(
            Place(place.message, place.line, place.column, pointer + (place.pointer or "").removeprefix("/records/0"))
            for place in error.places
        )
        raise
    return rrset


def changes(service: Service, zone: bytes, items: Sequence[ChangeIn]) -> list[Change | Amend]:
    """All *items* as changes. Raises with the places of all mistakes."""
    found: list[Change | Amend] = []
    seen: dict[tuple[bytes, int], bool] = {}
    places: list[Place] = []
    for index, item in enumerate(items):
        pointer = f"/changes/{index}"
        try:
            change = _change(service, zone, item, pointer)
        except InputError as error:
            places.extend(error.places or [Place(error.message, pointer=pointer)])
            continue
        key, amends = (change.owner, change.rdtype), isinstance(change, Amend)
        if key in seen and not (amends and seen[key]):
            places.append(Place("this RRset is changed by an earlier change already", pointer=pointer))
        seen[key] = amends
        found.append(change)
    if places:
        raise ZoneTextError("the changes have mistakes", places)
    return found


def _change(service: Service, zone: bytes, item: ChangeIn, pointer: str) -> Change | Amend:
    if item.action == "delete":
        if item.values is not None or item.ttl is not None:
            raise InputError("a delete removes the whole RRset: leave out values and ttl, or remove single values")
        owner = names.from_text(item.name, zone)
        return Change(owner, rdata.type_from_text(item.type), None)
    if not item.values:
        raise InputError(f"{'an' if item.action == 'add' else 'a'} {item.action} needs values")
    if item.action in ("add", "remove"):
        if item.action == "remove" and item.ttl is not None:
            raise InputError("a remove takes no ttl")
        rrset = _given(zone, item.name, item.type, item.ttl, item.values, pointer)
        add, remove = (rrset.rdatas, ()) if item.action == "add" else ((), rrset.rdatas)
        return Amend(rrset.owner, rrset.rdtype, add, remove, item.ttl)
    if item.action == "create":
        rrset = _given(zone, item.name, item.type, item.ttl, item.values, pointer)
        return Change(rrset.owner, rrset.rdtype, rrset, new=True)
    return put_change(service, zone, item.name, item.type, RRsetIn(ttl=item.ttl, values=item.values), pointer)
