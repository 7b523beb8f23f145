# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Many zones in one transaction."""

from __future__ import annotations

from fastapi import APIRouter, Response

from .. import bulk_reading, models, render
from .shared import Ctx, Options, Writer, answers, told

router = APIRouter(tags=["zones"])


@router.post("/bulk", responses=answers(models.BulkWritten), response_model=None)
def bulk(body: models.BulkIn, options: Options, principal: Writer, context: Ctx) -> Response:
    """Create, replace, change, roll back, delete or undelete up to 1,000 zones: all of it or nothing."""
    operations = bulk_reading.operations(context.service, body.operations, dnssec=context.config.dnssec.enabled)
    outcomes = context.service.bulk(
        operations, actor=principal.name, reason=options.reason, dry_run=options.dry_run, force=options.force
    )
    for outcome in outcomes:
        told("zone written in a bulk", principal, outcome.plan.zone, outcome, options)
    return render.bulk(outcomes)
