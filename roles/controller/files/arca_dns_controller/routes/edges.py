# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Edges: what each attests to serve."""

from __future__ import annotations

from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from arca_dns.errors import NotFound
from arca_dns.service import Service
from arca_dns.store.base import Json, JsonObject

from .. import models, reading
from ..auth import Principal
from .shared import Edge, Reader, Zones, answers

router = APIRouter(tags=["edges"])
EdgeName = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", examples=["edge1"])]


@router.get("/edges", responses=answers(models.EdgeList), response_model=None)
def list_edges(principal: Reader, service: Zones) -> Response:
    """List the latest attestation of each edge."""
    found = service.edges()
    if principal.limits.limited:
        found = [_seen(edge, principal) for edge in found]
    return JSONResponse({"edges": found})


def _seen(edge: JsonObject, principal: Principal) -> JsonObject:
    """What *edge* attests of the zones that the key may see."""
    zones = edge.get("zones")
    shown: list[Json] = [
        one
        for one in (zones if isinstance(zones, list) else [])
        if isinstance(one, dict) and principal.sees(reading.zone_name(str(one.get("name"))))
    ]
    return {**edge, "zones": shown}


@router.get("/edges/{edge}", responses=answers(models.EdgeState), response_model=None)
def get_edge(edge: EdgeName, principal: Reader, service: Zones) -> Response:
    """Read the latest attestation of one edge, and how far it is behind."""
    found = service.edge(edge)
    if principal.limits.limited:
        found = _seen(found, principal)
    head, served = _revision(service), found.get("head")
    behind = head - served if isinstance(head, int) and isinstance(served, int) else None
    return JSONResponse({**found, "current_head": head, "behind": behind})


def _revision(service: Service) -> int | None:
    """The revision of the current head, if there is one."""
    with suppress(NotFound):
        return service.head().revision()
    return None


@router.put("/edges/{edge}/attestation", responses=answers(status=204), response_model=None, status_code=204)
def put_attestation(edge: EdgeName, body: models.AttestationIn, _principal: Edge, service: Zones) -> Response:
    """Keep what an edge says that it serves."""
    service.attest(edge, body.model_dump(mode="json"))
    return Response(status_code=204)
