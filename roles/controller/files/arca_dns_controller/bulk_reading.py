# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From the body of a bulk to operations; mistakes of all of them by their places."""

from __future__ import annotations

from collections.abc import Sequence

from arca_dns.bulk import MOST, failure
from arca_dns.errors import ArcaError, InputError, Place
from arca_dns.service import Service
from arca_dns.writing import Create, Delete, Edit, Operation, Replace, Rollback, Undelete

from . import reading
from .models import OperationIn, ZoneIn
from .problem import PayloadTooLarge

#: What each action takes beside the zone.
_TAKES: dict[str, tuple[str, ...]] = {
    "create": ("document",),
    "replace": ("if_version", "document"),
    "change": ("if_version", "changes"),
    "rollback": ("if_version", "version"),
    "delete": ("if_version",),
    "undelete": (),
}


def operations(service: Service, items: Sequence[OperationIn], *, dnssec: bool) -> list[Operation]:
    """All *items*; *dnssec* is what new zones get where nothing is said. Raises with the places of all mistakes."""
    if len(items) > MOST:
        raise PayloadTooLarge(f"{len(items)} operations are too many: a bulk has {MOST} at most")
    found: list[Operation] = []
    failures: list[tuple[int, ArcaError]] = []
    for index, item in enumerate(items):
        try:
            found.append(_operation(service, item, dnssec))
        except ArcaError as error:
            if not isinstance(error, InputError):
                raise
            failures.append((index, error))
    if failures:
        raise failure(failures)
    return found


def _operation(service: Service, item: OperationIn, dnssec: bool) -> Operation:
    _shape(item)
    if item.document is not None:
        return _whole(service, item, item.document, dnssec)
    zone = reading.zone_name(item.zone)
    if item.action == "delete":
        return Delete(zone, _fence(item))
    if item.action == "undelete":
        return Undelete(zone)
    if item.action == "rollback":
        return Rollback(zone, str(item.version), _fence(item))
    return Edit(zone, tuple(reading.changes(service, zone, item.changes or ())), _fence(item))


def _whole(service: Service, item: OperationIn, document: ZoneIn, dnssec: bool) -> Operation:
    zone = reading.zone_name(item.zone)
    try:
        if document.name is not None and reading.zone_name(document.name) != zone:
            raise InputError("the document is of another zone", [Place("is another than zone", pointer="/name")])
        content = reading.zone_document(document, zone)
    except InputError as error:
        error.places = tuple(
            Place(place.message, place.line, place.column, f"/document{place.pointer or ''}") for place in error.places
        )
        raise
    if item.action == "create":
        settings = reading.settings_of(document.settings, dnssec=dnssec)
        return Create(zone, content.whole, settings, content.lines)
    held = None if document.settings is None else service.zone(zone).settings.dnssec
    kept = None if held is None else reading.settings_of(document.settings, dnssec=held)
    return Replace(zone, content.whole, _fence(item), kept, content.lines)


def _fence(item: OperationIn) -> str | None:
    return None if item.if_version == "*" else item.if_version


def _shape(item: OperationIn) -> None:
    takes = _TAKES[item.action]
    places = []
    for field in ("if_version", "document", "changes", "version"):
        given = getattr(item, field) is not None
        if given and field not in takes:
            places.append(Place(f"does not go with {item.action}", pointer=f"/{field}"))
        elif not given and field in takes:
            needs = (
                "is required: the version that this was computed from, or *" if field == "if_version" else "is required"
            )
            places.append(Place(needs, pointer=f"/{field}"))
    if places:
        raise InputError("the operation is not whole", places)
