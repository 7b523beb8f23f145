# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Rings: what each serves, promotions from one to the next, and going back."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from arca_dns.documents import utc
from arca_dns.promotion import Wanted

from .. import models, reading, render
from .shared import Limit, Promoter, Reader, Zones, answers, log

router = APIRouter(tags=["rings"])
RingName = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,30}$", examples=["stable"])]
Why = Annotated[str, Query(max_length=500, description="Why, for the audit log.")]
_IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": False,
            "description": "The ETag of the ring's head that the caller has seen, or `*` for any.",
            "schema": {"type": "string", "pattern": r'^(\*|"[0-9]+")$'},
        }
    ]
}
_PROMOTED: dict[int | str, dict[str, Any]] = answers(models.RingMove)
_PROMOTED[202] = {"description": "It waits for its gates.", "model": models.RingMove}


@router.get("/rings", responses=answers(models.RingList), response_model=None)
def list_rings(_principal: Reader, service: Zones) -> Response:
    """List the rings in the order of promotion: what each has, and the latest promotion to it."""
    return JSONResponse({"rings": service.promotions.states()})


@router.get("/rings/{ring}", responses=answers(models.Ring), response_model=None)
def get_ring(ring: RingName, _principal: Reader, service: Zones) -> Response:
    """Read one ring."""
    found = service.promotions.state(ring)
    headers = {} if found["head"] is None else {"ETag": render.etag(str(found["head"]))}
    return JSONResponse(found, headers=headers)


@router.get("/rings/{ring}/history", responses=answers(models.HeadHistory), response_model=None)
def get_ring_history(
    ring: RingName,
    _principal: Reader,
    service: Zones,
    before: Annotated[int | None, Query(ge=1, description="The `next` of the page before.")] = None,
    limit: Limit = 100,
) -> Response:
    """List what heads of a ring published, newest first: those of a day, and older ones that edges serve."""
    found = service.rings.history(ring, before, limit)
    heads = [{"revision": one.revision, "catalog": one.catalog, "issued": utc(one.issued)} for one in found]
    return JSONResponse({"heads": heads, "next": found[-1].revision if len(found) == limit else None})


@router.post("/rings/{ring}/promote", responses=_PROMOTED, response_model=None, openapi_extra=_IF_MATCH)
def promote(
    ring: RingName,
    body: models.PromoteIn,
    principal: Promoter,
    service: Zones,
    request: Request,
    dry_run: Annotated[bool, Query(description="Answer what would change, and change nothing.")] = False,
    reason: Why = "",
) -> Response:
    """Bring a ring to what the ring before has: at once if that ring's edges attest it, else (202) as soon as they do.

    The promotion that waited until now is replaced.
    """
    wanted = Wanted(
        ring,
        body.source,
        body.revision,
        body.soak_seconds,
        body.failing_share,
        reading.expected_revision(request),
        body.rollback,
        body.force,
        reason,
    )
    outcome = service.promotions.promote(wanted, principal.name, dry_run=dry_run)
    if not dry_run:
        promotion = outcome.promotion
        log.info("promotion", actor=principal.name, ring=ring, state=promotion.state, revision=promotion.revision)
    waits = outcome.promotion.state == "waiting" and not dry_run
    return JSONResponse(outcome.to_json(), 202 if waits else 200)


@router.post("/rings/{ring}/abort", responses=answers(models.PromotionState), response_model=None)
def abort(ring: RingName, principal: Promoter, service: Zones, reason: Why = "") -> Response:
    """End the promotion that waits, or take the latest one back: the ring gets what it had before, with a new head."""
    promotion = service.promotions.abort(ring, principal.name, reason)
    log.info("promotion aborted", actor=principal.name, ring=ring, head=promotion.head)
    return JSONResponse(promotion.to_json())
