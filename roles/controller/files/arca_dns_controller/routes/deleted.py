# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones that were deleted and can come back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from .. import models, reading, render
from .shared import Limit, Options, Reader, Writer, ZoneName, Zones, answers, told

router = APIRouter(tags=["zones"])


@router.get("/deleted-zones", responses=answers(models.DeletedZoneList), response_model=None)
def list_deleted_zones(
    _principal: Reader,
    service: Zones,
    after: Annotated[str, Query(description="The zone behind which the page begins.")] = "",
    limit: Limit = 100,
) -> Response:
    """List zones that were deleted and can come back, a page at a time."""
    found = service.deleted_zones(reading.zone_name(after) if after else None, limit)
    following = found[-1].name if len(found) == limit else None
    return JSONResponse({"zones": [render.deleted(zone) for zone in found], "next": following})


@router.post("/zones/{zone}/undelete", responses=answers(models.Written), response_model=None)
def undelete_zone(zone: ZoneName, options: Options, principal: Writer, service: Zones) -> Response:
    """Bring a deleted zone back as a new version, with its last content and its settings."""
    name = reading.zone_of(zone)
    outcome = service.undelete_zone(name, actor=principal.name, reason=options.reason, dry_run=options.dry_run)
    return render.written(told("zone undeleted", principal, name, outcome, options))
