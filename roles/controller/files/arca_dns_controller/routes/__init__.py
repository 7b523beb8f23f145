# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The API's endpoints, one file per noun. Each parses, makes one call to the service, and renders."""

from __future__ import annotations

from fastapi import APIRouter

from . import (
    audit,
    bulk,
    deleted,
    edges,
    events,
    imports,
    keys,
    operations,
    publication,
    rings,
    rrsets,
    search,
    versions,
    zones,
)


def api_router() -> APIRouter:
    """Everything below ``/api/v1``."""
    router = APIRouter(prefix="/api/v1")
    zone_work = (zones, deleted, bulk, rrsets, search, versions, publication)
    for module in (*zone_work, rings, edges, events, imports, keys, audit, operations):
        router.include_router(module.router)
    return router


__all__ = ["api_router", "operations"]
