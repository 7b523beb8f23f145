# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Deleted zones: list those that can come back, bring one back."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from arca_dns.zone import names

from .. import models, reading, render
from .shared import Limit, Options, Reader, Writer, ZoneName, Zones, answers, told

router = APIRouter(tags=["versions"])


@router.get("/deleted-zones", responses=answers(models.DeletedZoneList), response_model=None)
def list_deleted_zones(
    principal: Reader,
    service: Zones,
    after: Annotated[str, Query(description="The zone behind which the page begins.")] = "",
    limit: Limit = 100,
) -> Response:
    """List the deleted zones that can come back, a page at a time."""
    found = service.deleted_zones(reading.zone_name(after) if after else None, limit)
    following = found[-1].name if len(found) == limit else None
    seen = [item for item in found if principal.sees(names.from_text(item.name))]
    return JSONResponse({"zones": [render.deleted(item) for item in seen], "next": following})


@router.post("/zones/{zone}/undelete", responses=answers(models.Written, 201), response_model=None, status_code=201)
def undelete(zone: ZoneName, options: Options, principal: Writer, service: Zones) -> Response:
    """Bring a deleted zone back: its last content, settings and keys, with a serial newer than any it had."""
    name = reading.zone_of(zone)
    outcome = service.undelete(name, actor=principal.name, reason=options.reason, dry_run=options.dry_run)
    told("zone undeleted", principal, name, outcome, options)
    return render.written(outcome, created=f"/api/v1/zones/{quote(names.to_text(name), safe='')}")
