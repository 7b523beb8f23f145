# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Health, readiness, status and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from arca_dns import __version__
from arca_dns.documents import utc

from .. import models
from .shared import Ctx, Reader, Zones, answers

router = APIRouter(tags=["operations"])
#: The same without the API's prefix, where probes and Prometheus look.
root = APIRouter(include_in_schema=False)


@root.get("/health", response_model=None)
@router.get("/health", responses=answers(models.State), response_model=None)
async def health() -> Response:
    """Tell that the process answers. Needs no key."""
    return JSONResponse({"status": "ok"})


@root.get("/ready", response_model=None)
@router.get("/ready", responses=answers(models.State), response_model=None)
def ready(service: Zones) -> Response:
    """Tell that the store answers and keys can be read, or 503. Needs no API key."""
    service.ready()
    return JSONResponse({"status": "ok"})


@router.get("/status", responses=answers(models.Status), response_model=None)
def status(_principal: Reader, context: Ctx) -> Response:
    """Tell what the controller is and has published."""
    line = context.service.publisher.line()
    head = None if line is None else line.head
    leader = context.lease.holder()
    return JSONResponse(
        {
            "version": __version__,
            "backend": context.config.backend.type,
            "started": context.started,
            "head": head and head.revision,
            "head_issued": head and utc(head.issued),
            "head_expires": head and utc(head.expires),
            "head_public_key": context.service.head_public_key,
            "edges": len(context.service.edges_in_short()),
            "leader": leader
            and {
                "instance": leader.holder,
                "fence": leader.fence,
                "since": utc(leader.since),
                "until": utc(leader.until),
                "this": context.lease.is_mine(leader),
            },
        }
    )


@root.get("/metrics", response_model=None)
def metrics(_principal: Reader, context: Ctx) -> Response:
    """Prometheus metrics."""
    return Response(context.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
