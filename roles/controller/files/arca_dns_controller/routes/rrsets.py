# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Single RRsets, and several at once."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import JSONResponse

from arca_dns.errors import NotFound
from arca_dns.service import Service
from arca_dns.zone import names, rdata
from arca_dns.zone.changes import Change

from .. import models, reading, render
from ..auth import Principal
from ..middleware import segment
from .shared import IF_MATCH, Options, Owner, Reader, Writer, ZoneName, Zones, answers, told

router = APIRouter(tags=["rrsets"])
Type = Annotated[str, Path(description="A mnemonic, or TYPE and a number.", examples=["A"])]


@router.get("/zones/{zone}/rrsets/{owner}/{type}", responses=answers(models.RRset), response_model=None)
def get_rrset(zone: ZoneName, owner: Owner, type: Type, _principal: Reader, service: Zones) -> Response:  # noqa: A002
    """Read one RRset."""
    name = reading.zone_of(zone)
    at = reading.owner_of(name, owner)
    rdtype = rdata.type_from_text(segment(type))
    version = service.zone(name).source.version
    found = service.rrset(name, at, rdtype)
    if found is None:
        raise NotFound(f"zone {names.to_text(name)} has no {segment(type).upper()} at {names.to_text(at)}")
    return JSONResponse(render.rrset(found), headers={"ETag": render.etag(version)})


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
    principal: Writer,
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
    principal: Writer,
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
    zone: ZoneName, body: models.ChangesIn, options: Options, principal: Writer, service: Zones, request: Request
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
    changes: list[Change],
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
    )
    return render.written(told(action, principal, zone, outcome, options))
