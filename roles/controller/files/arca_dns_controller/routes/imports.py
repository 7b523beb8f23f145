# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone files that people push to the Git backend: what became of those that did not pass."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from arca_dns.documents import utc
from arca_dns.git_import import git_store

from .. import models
from .shared import Reader, Zones, answers

router = APIRouter(tags=["imports"])


@router.get("/imports", responses=answers(models.ImportList), response_model=None)
def list_imports(_principal: Reader, service: Zones) -> Response:
    """List pushed zone files that wait or were refused, and the state of the remote. Empty without the Git backend."""
    store = git_store(service)
    remote = None if store is None else store.remote_state()
    if remote is not None and isinstance(remote["pushed"], float):
        remote["pushed"] = utc(remote["pushed"])
    return JSONResponse({"imports": service.imports(), "remote": remote})
