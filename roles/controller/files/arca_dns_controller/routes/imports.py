# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone files that people push to the Git backend: what became of those that did not pass."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from arca_dns.documents import utc
from arca_dns.git_import import git_store
from arca_dns.store.base import JsonObject

from .. import models, reading
from ..auth import Principal
from .shared import Reader, Zones, answers

router = APIRouter(tags=["imports"])


@router.get("/imports", responses=answers(models.ImportList), response_model=None)
def list_imports(principal: Reader, service: Zones) -> Response:
    """List pushed zone files that wait or were refused, and the state of the remote. Empty without the Git backend."""
    store = git_store(service)
    remote = None if store is None else store.remote_state()
    if remote is not None and isinstance(remote["pushed"], float):
        remote["pushed"] = utc(remote["pushed"])
    found = [one for one in service.imports() if not principal.limits.limited or _seen(one, principal)]
    return JSONResponse({"imports": found, "remote": remote})


def _seen(report: JsonObject, principal: Principal) -> bool:
    zone = report.get("zone")
    return isinstance(zone, str) and principal.sees(reading.zone_name(zone))
