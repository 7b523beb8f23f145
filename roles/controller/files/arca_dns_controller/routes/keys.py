# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""API keys that the store holds. A secret is told once, when it is made."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse

from arca_dns.access.api_keys import ApiKey

from .. import models
from .shared import Ctx, Manager, answers, log

router = APIRouter(tags=["keys"])
KeyId = Annotated[str, Path(pattern="^[0-9a-z]{12}$", examples=["k3v0q8z1m4xt"])]


@router.get("/keys", responses=answers(models.KeyList), response_model=None)
def list_keys(_principal: Manager, context: Ctx) -> Response:
    """List the API keys that the store holds, with the time of their last use."""
    return JSONResponse({"keys": [_shown(key, used) for key, used in context.keys.all()]})


@router.post("/keys", responses=answers(models.KeyMade, status=201), response_model=None, status_code=201)
def create_key(body: models.KeyIn, principal: Manager, context: Ctx) -> Response:
    """Create an API key. Its secret stands in this answer and nowhere else."""
    limits = body.limits.model_dump(exclude_defaults=True) if body.limits else {}
    key, secret = context.keys.create(body.name, body.role, actor=principal.name, limits=limits, expires=body.expires)
    log.info("API key created", actor=principal.name, id=key.id, name=key.name, role=key.role)
    return _made(key, secret, 201)


@router.get("/keys/{key}", responses=answers(models.Key), response_model=None)
def get_key(key: KeyId, _principal: Manager, context: Ctx) -> Response:
    """Read one API key, without its secret."""
    return JSONResponse(_shown(context.keys.get(key), context.keys.used(key)))


@router.post("/keys/{key}/rotate", responses=answers(models.KeyMade), response_model=None)
def rotate_key(
    key: KeyId,
    principal: Manager,
    context: Ctx,
    grace: Annotated[int, Query(ge=0, le=2592000, description="Seconds for which the old secret stays valid.")] = 0,
) -> Response:
    """Give an API key a new secret."""
    made, secret = context.keys.rotate(key, grace=grace)
    context.stored_keys.forget(key)
    log.info("API key rotated", actor=principal.name, id=key, name=made.name, grace=grace)
    return _made(made, secret, 200)


@router.delete("/keys/{key}", responses=answers(status=204), response_model=None, status_code=204)
def revoke_key(key: KeyId, principal: Manager, context: Ctx) -> Response:
    """Revoke an API key: at once here, within two seconds on other controllers."""
    gone = context.keys.revoke(key)
    context.stored_keys.forget(key)
    log.info("API key revoked", actor=principal.name, id=key, name=gone.name)
    return Response(status_code=204)


def _shown(key: ApiKey, used: str | None) -> dict[str, object]:
    return {**key.to_json(), "last_used": used}


def _made(key: ApiKey, secret: str, status: int) -> Response:
    # RFC 9111 section 5.2.2.5: no cache may keep it.
    return JSONResponse({**_shown(key, None), "key": secret}, status, {"Cache-Control": "no-store"})
