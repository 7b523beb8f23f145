# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Records of all zones by name, type and value."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from arca_dns.finding import Position, Query as Wanted, search
from arca_dns.zone import rdata
from arca_dns.zone.tree import ZoneRoot

from .. import models, render
from .shared import Limit, Reader, Zones, answers

router = APIRouter(tags=["rrsets"])


@router.get("/search", responses=answers(models.SearchAnswer), response_model=None)
def search_zones(
    principal: Reader,
    service: Zones,
    name: Annotated[
        str, Query(max_length=1024, description="A whole name; `*` stands for anything.", examples=["www.*"])
    ] = "",
    type: Annotated[str, Query(description="Only records of this type.", examples=["MX"])] = "",  # noqa: A002
    value: Annotated[
        str,
        Query(
            max_length=1024,
            description="The value or a word of it; `*` stands for anything. An IP address finds A, AAAA and PTR.",
            examples=["192.0.2.1"],
        ),
    ] = "",
    after: Annotated[str, Query(description="The `next` of the page before.")] = "",
    limit: Limit = 100,
) -> Response:
    """Search all zones, a page at a time.

    A whole name is looked up; everything else reads the zones one after the other, some thousands of names for a page.
    So a page may hold fewer than `limit`, or nothing: there is more as long as `next` is not `null`.
    """
    wanted = Wanted(name, rdata.type_from_text(type) if type else None, value)

    def zones(after: bytes | None, limit: int) -> list[bytes]:
        return service.zone_names(after, limit, principal.sees)

    def opened(zone: bytes) -> tuple[ZoneRoot, int] | None:
        return service.opened(zone) if principal.sees(zone) else None

    page = search(wanted, zones, opened, Position.of(after) if after else None, limit)
    return JSONResponse(render.found(page))
