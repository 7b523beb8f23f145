# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Edges: what each attests to serve."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from arca_dns.service import Service
from arca_dns.store.base import Json, JsonObject

from .. import models, reading
from ..auth import Principal
from .shared import Edge, Promoter, Reader, Zones, answers, log

router = APIRouter(tags=["edges"])
EdgeName = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", examples=["edge1"])]


@router.get("/edges", responses=answers(models.EdgeList), response_model=None)
def list_edges(
    principal: Reader,
    service: Zones,
    ring: Annotated[str | None, Query(max_length=64, description="Only edges that follow this ring.")] = None,
    behind: Annotated[
        bool, Query(description="Only edges that do not serve their ring's head, or have problems.")
    ] = False,
) -> Response:
    """List the latest attestation of each edge, and how far it is behind, since when and why."""
    found = [_shown(edge, principal, service) for edge in service.edges()]
    wanted = [
        edge
        for edge in found
        if (ring is None or edge["ring"] == ring) and (not behind or edge["behind"] != 0 or edge["problems"])
    ]
    return JSONResponse({"edges": wanted})


def _shown(edge: JsonObject, principal: Principal, service: Service) -> JsonObject:
    """What *edge* attests of the zones that the key may see, beside what it should."""
    if principal.limits.limited:
        edge = {key: value for key, value in edge.items() if key != "failures"} | {"zones": _seen(edge, principal)}
        return {**edge, **service.lag(edge), "problems": []}
    return {**edge, **service.lag(edge)}


def _seen(edge: JsonObject, principal: Principal) -> list[Json]:
    zones = edge.get("zones")
    return [
        one
        for one in (zones if isinstance(zones, list) else [])
        if isinstance(one, dict) and principal.sees(reading.zone_name(str(one.get("name"))))
    ]


@router.get("/edges/{edge}", responses=answers(models.EdgeState), response_model=None)
def get_edge(edge: EdgeName, principal: Reader, service: Zones) -> Response:
    """Read the latest attestation of one edge, and how far it is behind, since when and why."""
    return JSONResponse(_shown(service.edge(edge), principal, service))


@router.delete("/edges/{edge}", responses=answers(status=204), response_model=None, status_code=204)
def forget_edge(edge: EdgeName, principal: Promoter, service: Zones) -> Response:
    """Forget an edge that is gone for good: promotions wait for it no more."""
    service.sites.forget(edge)
    log.info("edge forgotten", actor=principal.name, edge=edge)
    return Response(status_code=204)


@router.put("/edges/{edge}/attestation", responses=answers(status=204), response_model=None, status_code=204)
def put_attestation(edge: EdgeName, body: models.AttestationIn, _principal: Edge, service: Zones) -> Response:
    """Keep what an edge says that it serves."""
    service.attest(edge, body.model_dump(mode="json"))
    return Response(status_code=204)


@router.put("/edges/{edge}/leases", responses=answers(models.SiteLeases), response_model=None)
def put_leases(edge: EdgeName, body: models.WishesIn, _principal: Edge, service: Zones) -> Response:
    """Ask for leave to attract less traffic of a prefix, or none; granted while enough other edges announce it.

    The wishes are all that the edge has: what it held and does not name is given back.
    """
    found = service.sites.ask(edge, {one.prefix: one.wish for one in body.wishes})
    return JSONResponse({"leases": [asdict(lease) for lease in found]})
