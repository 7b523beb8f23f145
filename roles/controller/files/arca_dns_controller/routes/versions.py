# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone's versions: list, read, compare, go back."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from arca_dns.zone import names

from .. import models, reading, render
from .shared import IF_MATCH, NOT_MODIFIED, Limit, Options, Reader, Writer, ZoneName, Zones, answers, told

router = APIRouter(tags=["versions"])
VersionId = Annotated[str, Path(pattern="^v[0-9A-Z]{26}$", examples=["v01JD7KQ3V5N8W2X4Y6Z8A0B1C2"])]
VERSION = "^v[0-9A-Z]{26}$"


@router.get("/zones/{zone}/versions", responses=answers(models.VersionList), response_model=None)
def list_versions(
    zone: ZoneName,
    _principal: Reader,
    service: Zones,
    after: Annotated[str, Query(description="The version behind which the page begins.")] = "",
    limit: Limit = 100,
    order: Annotated[Literal["oldest", "newest"], Query(description="Which come first.")] = "oldest",
) -> Response:
    """List a zone's versions, oldest first or newest first."""
    read = service.versions if order == "oldest" else service.versions_newest
    found = read(reading.zone_of(zone), after, limit)
    following = found[-1].version if len(found) == limit else None
    return JSONResponse({"versions": [render.version(item) for item in found], "next": following})


@router.get(
    "/zones/{zone}/versions/{version}",
    responses={**answers(models.VersionContent), **NOT_MODIFIED},
    response_model=None,
)
def get_version(zone: ZoneName, version: VersionId, _principal: Reader, service: Zones, request: Request) -> Response:
    """Read a zone as it was."""
    name = reading.zone_of(zone)
    found = service.version(name, version)
    if reading.not_modified(request, version):
        return Response(status_code=304, headers={"ETag": render.etag(version)})
    head = {**render.version(found), "name": names.to_text(name)}
    return render.body(
        render.document(head, name, service.rrsets(name, version)),
        "application/json",
        {"ETag": render.etag(version)},
    )


@router.get("/zones/{zone}/diff", responses=answers(models.DiffAnswer), response_model=None)
def diff_versions(
    zone: ZoneName,
    _principal: Reader,
    service: Zones,
    old: Annotated[str, Query(alias="from", pattern=VERSION)],
    new: Annotated[str | None, Query(alias="to", pattern=VERSION, description="Absent: the newest.")] = None,
) -> Response:
    """Compare two versions."""
    name = reading.zone_of(zone)
    to = new or service.newest_version(name)
    found = render.differences(service.diff(name, old, to))
    return JSONResponse({"name": names.to_text(name), "from": old, "to": to, **found})


@router.post("/zones/{zone}/rollback", responses=answers(models.Written), response_model=None, openapi_extra=IF_MATCH)
def rollback(
    zone: ZoneName, body: models.RollbackIn, options: Options, principal: Writer, service: Zones, request: Request
) -> Response:
    """Go back to an old version's content, in a new version with a higher serial."""
    name = reading.zone_of(zone)
    expected = reading.expected_version(request, service, name)
    outcome = service.rollback(
        name,
        body.version,
        if_version=expected,
        actor=principal.name,
        reason=options.reason,
        dry_run=options.dry_run,
        force=options.force,
    )
    return render.written(told("zone rolled back", principal, name, outcome, options))
