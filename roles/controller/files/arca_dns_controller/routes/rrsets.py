# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Single RRsets, and several at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from arca_dns.errors import InputError, NotFound
from arca_dns.finding import rrsets_of
from arca_dns.service import Service
from arca_dns.zone import names, rdata
from arca_dns.zone.changes import Amend, Change

from .. import models, reading, render
from ..auth import Principal
from ..middleware import segment
from .shared import IF_MATCH, NOT_MODIFIED, Changer, Limit, Options, Owner, Reader, ZoneName, Zones, answers, told

router = APIRouter(tags=["rrsets"])
Type = Annotated[str, Path(description="A mnemonic, or TYPE and a number.", examples=["A"])]


@router.get("/zones/{zone}/rrsets", responses={**answers(models.RRsetList), **NOT_MODIFIED}, response_model=None)
def list_rrsets(
    zone: ZoneName,
    _principal: Reader,
    service: Zones,
    request: Request,
    name: Annotated[str, Query(description="Only those of this owner: `@`, relative, or absolute.")] = "",
    below: Annotated[str, Query(description="Only those at or below this name.")] = "",
    type: Annotated[str, Query(description="Only those of this type.", examples=["A"])] = "",  # noqa: A002
    after: Annotated[str, Query(description="The `next` of the page before.")] = "",
    limit: Limit = 100,
) -> Response:
    """List the RRsets of a zone in canonical order, a page at a time; there is more as long as `next` is not `null`."""
    at = reading.zone_of(zone)
    if name and below:
        raise InputError("name and below do not go together")
    owner = reading.owner_in(at, name) if name else None
    top = reading.owner_in(at, below) if below else None
    rdtype = rdata.type_from_text(type) if type else None
    behind = reading.position(after, at)
    source = service.zone(at).source
    headers = {"ETag": render.etag(source.version), "X-Zone-Serial": str(source.serial)}
    if reading.not_modified(request, source.version):
        return Response(status_code=304, headers=headers)
    tree, serial = service.content(at, source.version)
    page = rrsets_of(tree, serial, owner=owner, below=top, rdtype=rdtype, after=behind, limit=limit)
    return JSONResponse(render.listed(page, source.version), headers=headers)


@router.get(
    "/zones/{zone}/rrsets/{owner}/{type}", responses={**answers(models.RRset), **NOT_MODIFIED}, response_model=None
)
def get_rrset(
    zone: ZoneName,
    owner: Owner,
    type: Type,  # noqa: A002
    _principal: Reader,
    service: Zones,
    request: Request,
) -> Response:
    """Read one RRset. Its ETag is the version of the zone."""
    name = reading.zone_of(zone)
    at = reading.owner_of(name, owner)
    rdtype = rdata.type_from_text(segment(type))
    version = service.zone(name).source.version
    found = service.rrset(name, at, rdtype)
    if found is None:
        raise NotFound(f"zone {names.to_text(name)} has no {segment(type).upper()} at {names.to_text(at)}")
    headers = {"ETag": render.etag(version)}
    if reading.not_modified(request, version):
        return Response(status_code=304, headers=headers)
    return JSONResponse(render.rrset(found), headers=headers)


@router.put(
    "/zones/{zone}/rrsets/{owner}/{type}",
    responses=answers(models.Written),
    response_model=None,
    openapi_extra=IF_MATCH,
)
def put_rrset(
    zone: ZoneName,
    owner: Owner,
    type: Type,  # noqa: A002
    body: models.RRsetIn,
    options: Options,
    principal: Changer,
    service: Zones,
    request: Request,
) -> Response:
    """Create or replace one RRset."""
    name = reading.zone_of(zone)
    version = reading.expected_version(request, service, name)
    at = names.to_text(reading.owner_of(name, owner))
    change = reading.put_change(service, name, at, segment(type), body)
    return _write(service, name, [change], version, options, principal, "rrset put")


@router.delete(
    "/zones/{zone}/rrsets/{owner}/{type}",
    responses=answers(models.Written),
    response_model=None,
    openapi_extra=IF_MATCH,
)
def delete_rrset(
    zone: ZoneName,
    owner: Owner,
    type: Type,  # noqa: A002
    options: Options,
    principal: Changer,
    service: Zones,
    request: Request,
) -> Response:
    """Remove one RRset; without it nothing changes."""
    name = reading.zone_of(zone)
    version = reading.expected_version(request, service, name)
    change = Change(reading.owner_of(name, owner), rdata.type_from_text(segment(type)), None)
    return _write(service, name, [change], version, options, principal, "rrset deleted")


@router.post("/zones/{zone}/changes", responses=answers(models.Written), response_model=None, openapi_extra=IF_MATCH)
def change_zone(
    zone: ZoneName, body: models.ChangesIn, options: Options, principal: Changer, service: Zones, request: Request
) -> Response:
    """Change several RRsets in one version, all or none."""
    name = reading.zone_of(zone)
    version = reading.expected_version(request, service, name)
    service.zone(name)
    changes = reading.changes(service, name, body.changes)
    return _write(service, name, changes, version, options, principal, "zone changed")


def _write(
    service: Service,
    zone: bytes,
    changes: Sequence[Change | Amend],
    version: str | None,
    options: reading.WriteOptions,
    principal: Principal,
    action: str,
) -> Response:
    outcome = service.change_zone(
        zone,
        changes,
        if_version=version,
        actor=principal.name,
        reason=options.reason,
        dry_run=options.dry_run,
        force=options.force,
        permit=principal.permit,
    )
    return render.written(told(action, principal, zone, outcome, options))
