# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones as JSON documents and as zone files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from arca_dns.errors import InputError, Place
from arca_dns.journal import caller
from arca_dns.service import Service, ZoneInfo
from arca_dns.zone import names
from arca_dns.zone.text import render as zone_lines

from .. import large, models, reading, render
from .shared import (
    IF_MATCH,
    NOT_MODIFIED,
    ZONE_FILE_BODY,
    Context,
    Ctx,
    Limit,
    Options,
    Reader,
    Writer,
    ZoneName,
    Zones,
    answers,
    log,
    told,
)

router = APIRouter(tags=["zones"])
RawBody = Annotated[bytes, Depends(reading.text_body)]
Strip = Annotated[bool, Query(description="Leave out what signing makes: RRSIG, NSEC, DNSKEY and the like.")]


@router.get("/zones", responses=answers(models.ZoneList), response_model=None)
def list_zones(
    principal: Reader,
    service: Zones,
    after: Annotated[str, Query(description="The zone behind which the page begins.")] = "",
    limit: Limit = 100,
    name: Annotated[
        str, Query(max_length=1024, description="Only such zones; `*` stands for anything.", examples=["*.example.com"])
    ] = "",
    dnssec: Annotated[bool | None, Query(description="Only zones that are signed, or that are not.")] = None,
    problem: Annotated[bool | None, Query(description="Only zones that have a problem, or that have none.")] = None,
    fields: Annotated[Literal["summary", "full"], Query(description="With `full` also soa and records.")] = "summary",
) -> Response:
    """List zones, a page at a time. With filters a page may be short: there is more as long as `next` is not `null`."""
    behind = reading.zone_name(after) if after else None
    if name or dnssec is not None or problem is not None or principal.limits.limited:
        waiting = service.waiting_zones() if problem is not None else ()
        wanted = reading.ZoneFilter(name, dnssec, problem, waiting, principal.sees)
        found, last = service.find_zones(wanted, behind, limit, whole=principal.limits.limited)
        following = None if last is None else names.to_text(last)
    else:
        found = service.zones(behind, limit)
        following = found[-1].source.name if len(found) == limit else None
    if fields == "full":
        documents = (_document(service, info) for info in found)
        return render.body(render.zone_list(documents, following), "application/json")
    return JSONResponse({"zones": [render.summary(info) for info in found], "next": following})


@router.post("/zones", responses=answers(models.Written, 201), response_model=None, status_code=201)
def create_zone(body: models.ZoneIn, options: Options, principal: Writer, context: Ctx) -> Response:
    """Create a zone from JSON."""
    if body.name is None:
        raise InputError("the zone has no name", [Place("is required", pointer="/name")])
    zone = reading.zone_name(body.name)
    return _create(reading.zone_document(body, zone), body, options, principal, context)


@router.post(
    "/zones/raw",
    responses=answers(models.Written, 201),
    response_model=None,
    status_code=201,
    openapi_extra=ZONE_FILE_BODY,
)
def create_zone_from_file(
    options: Options,
    principal: Writer,
    context: Ctx,
    body: RawBody,
    origin: Annotated[str, Query(description="The zone, where the file has no $ORIGIN.")] = "",
    strip_dnssec: Strip = False,
) -> Response:
    """Create a zone from a zone file."""
    zone = reading.zone_name(origin) if origin else None
    if large.is_large(context.config, body) and not principal.limits.limited:
        settings = reading.settings_of(None, dnssec=context.config.dnssec.enabled)
        task = large.Write(body, zone, strip_dnssec, settings, None, principal.name, caller(), options)
        return _write_large(task, context, "zone created")
    content = reading.zone_file(body, zone, strip_dnssec=strip_dnssec)
    return _create(content, None, options, principal, context)


def _create(
    content: reading.Content, body: models.ZoneIn | None, options: Options, principal: Writer, context: Ctx
) -> Response:
    principal.enter(content.name)
    outcome = context.service.create_zone(
        content.name,
        content.whole,
        actor=principal.name,
        reason=options.reason,
        settings=reading.settings_of(body.settings if body else None, dnssec=context.config.dnssec.enabled),
        lines=content.lines,
        dry_run=options.dry_run,
    )
    told("zone created", principal, content.name, outcome, options)
    return render.written(outcome, created=f"/api/v1/zones/{quote(names.to_text(content.name), safe='')}")


@router.get("/zones/{zone}", responses={**answers(models.Zone), **NOT_MODIFIED}, response_model=None)
def get_zone(
    zone: ZoneName,
    _principal: Reader,
    service: Zones,
    request: Request,
    records: Annotated[bool, Query(description="With soa and records.")] = True,
) -> Response:
    """Read a zone; its ETag is the version that writes are fenced with."""
    name = reading.zone_of(zone)
    info = service.zone(name)
    if reading.not_modified(request, info.source.version):
        return Response(status_code=304, headers=_headers(info))
    if not records:
        return JSONResponse(render.summary(info), headers=_headers(info))
    return render.body(_document(service, info), "application/json", _headers(info))


@router.head("/zones/{zone}", responses=answers(), response_model=None)
def head_zone(zone: ZoneName, _principal: Reader, service: Zones) -> Response:
    """Read a zone's ETag and serial."""
    return Response(headers=_headers(service.zone(reading.zone_of(zone))), media_type="application/json")


@router.put("/zones/{zone}", responses=answers(models.Written), response_model=None, openapi_extra=IF_MATCH)
def replace_zone(
    zone: ZoneName, body: models.ZoneIn, options: Options, principal: Writer, service: Zones, request: Request
) -> Response:
    """Make JSON the whole zone. What GET answered can be edited and sent back."""
    name = reading.zone_of(zone)
    version = reading.expected_version(request, service, name)
    if body.name is not None and reading.zone_name(body.name) != name:
        raise InputError(
            "the document is of another zone",
            [Place(f"is not {names.to_text(name)}, as the path says", pointer="/name")],
        )
    held = service.zone(name)  # not found goes before mistakes in the body
    settings = None if body.settings is None else reading.settings_of(body.settings, dnssec=held.settings.dnssec)
    content = reading.zone_document(body, name)
    outcome = service.replace_zone(
        name,
        content.whole,
        if_version=version,
        actor=principal.name,
        reason=options.reason,
        settings=settings,
        lines=content.lines,
        dry_run=options.dry_run,
        force=options.force,
    )
    return render.written(told("zone replaced", principal, name, outcome, options))


@router.delete("/zones/{zone}", responses=answers(models.Written), response_model=None, openapi_extra=IF_MATCH)
def delete_zone(zone: ZoneName, options: Options, principal: Writer, service: Zones, request: Request) -> Response:
    """Delete a zone. Its history stays."""
    name = reading.zone_of(zone)
    version = reading.expected_version(request, service, name)
    outcome = service.delete_zone(
        name,
        if_version=version,
        actor=principal.name,
        reason=options.reason,
        dry_run=options.dry_run,
        force=options.force,
    )
    return render.written(told("zone deleted", principal, name, outcome, options))


@router.get("/zones/{zone}/raw", responses={**answers(media="text/plain"), **NOT_MODIFIED}, response_model=None)
def get_zone_file(zone: ZoneName, _principal: Reader, service: Zones, request: Request) -> Response:
    """Read a zone as a zone file, unsigned."""
    name = reading.zone_of(zone)
    info = service.zone(name)
    if reading.not_modified(request, info.source.version):
        return Response(status_code=304, headers=_headers(info))
    return render.body(_file(service, info), "text/plain", _headers(info))


@router.put(
    "/zones/{zone}/raw",
    responses=answers(models.Written),
    response_model=None,
    openapi_extra={**IF_MATCH, **ZONE_FILE_BODY},
)
def replace_zone_file(
    zone: ZoneName,
    options: Options,
    principal: Writer,
    context: Ctx,
    request: Request,
    body: RawBody,
    strip_dnssec: Strip = False,
) -> Response:
    """Make a zone file the whole zone."""
    name, service = reading.zone_of(zone), context.service
    version = reading.expected_version(request, service, name)
    service.zone(name)
    if large.is_large(context.config, body):
        task = large.Write(body, name, strip_dnssec, None, version, principal.name, caller(), options)
        return _write_large(task, context, "zone replaced")
    content = reading.zone_file(body, name, strip_dnssec=strip_dnssec)
    outcome = service.replace_zone(
        name,
        content.whole,
        if_version=version,
        actor=principal.name,
        reason=options.reason,
        lines=content.lines,
        dry_run=options.dry_run,
        force=options.force,
    )
    return render.written(told("zone replaced", principal, name, outcome, options))


def _write_large(task: large.Write, context: Context, action: str) -> Response:
    done = large.write(context.config, context.service, task)
    outcome = done.outcome
    log.info(
        action if outcome["applied"] else f"{action}: nothing",
        actor=task.actor,
        zone=names.to_text(done.zone),
        version=outcome["version"],
        serial=outcome["serial"],
        rrsets=outcome["plan"]["rrsets"],
        forced=task.options.force,
        reason=task.options.reason,
        problem=outcome["problem"],
    )
    created = None if task.settings is None else f"/api/v1/zones/{quote(names.to_text(done.zone), safe='')}"
    return render.told(outcome, created=created)


def _headers(info: ZoneInfo) -> dict[str, str]:
    return {"ETag": render.etag(info.source.version), "X-Zone-Serial": str(info.source.serial)}


def _document(service: Service, info: ZoneInfo) -> Iterator[bytes]:
    content = service.rrsets(info.name, info.source.version)
    return render.document(render.summary(info), info.name, content)


def _file(service: Service, info: ZoneInfo) -> Iterator[bytes]:
    return render.pieces(zone_lines(info.name, service.rrsets(info.name, info.source.version)))
