# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Many zones in one transaction."""

from __future__ import annotations

from fastapi import APIRouter, Response

from arca_dns.access.roles import ROLES, Action
from arca_dns.errors import AccessDenied, Place

from .. import bulk_reading, models, reading, render
from ..auth import Principal
from .shared import Changer, Ctx, Options, answers, told

router = APIRouter(tags=["zones"])


@router.post("/bulk", responses=answers(models.BulkWritten), response_model=None)
def bulk(body: models.BulkIn, options: Options, principal: Changer, context: Ctx) -> Response:
    """Create, replace, change, roll back, delete or undelete up to 1,000 zones: all of it or nothing."""
    _within_limits(body, principal)
    operations = bulk_reading.operations(context.service, body.operations, dnssec=context.config.dnssec.enabled)
    outcomes = context.service.bulk(
        operations,
        actor=principal.name,
        reason=options.reason,
        dry_run=options.dry_run,
        force=options.force,
        permit=principal.permit,
    )
    for outcome in outcomes:
        told("zone written in a bulk", principal, outcome.plan.zone, outcome, options)
    return render.bulk(outcomes)


def _within_limits(body: models.BulkIn, principal: Principal) -> None:
    """Raise :class:`AccessDenied` with the place of each operation that the key may not do."""
    whole = Action.WRITE in ROLES[principal.role] and not principal.limits.narrow
    places: list[Place] = []
    for index, one in enumerate(body.operations):
        if not principal.sees(reading.zone_name(one.zone)):
            places.append(Place("this key may not touch the zone", pointer=f"/operations/{index}/zone"))
        elif one.action != "change" and not whole:
            places.append(Place("this key may change RRsets only", pointer=f"/operations/{index}/action"))
    if places:
        raise AccessDenied("this key may not do all of it, and so nothing was done", places)
