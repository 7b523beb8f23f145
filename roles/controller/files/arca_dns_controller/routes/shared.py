# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What endpoints share: the context of the application, parameters, and how answers are described in OpenAPI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, cast

import structlog
from fastapi import Depends, Path, Query, Request

from arca_dns.access.api_keys import ApiKeys
from arca_dns.access.roles import Action
from arca_dns.journal import Journal
from arca_dns.lease import Lease
from arca_dns.service import Outcome, Service
from arca_dns.zone import names

from ..auth import Principal, StoredKeys, allow
from ..config import ControllerConfig
from ..event_feed import EventFeed
from ..feed import HeadFeed
from ..metrics import Metrics
from ..reading import WriteOptions

log = structlog.get_logger("arca_dns_controller.writes")


@dataclass(frozen=True, slots=True)
class Context:
    """What endpoints work with."""

    config: ControllerConfig
    service: Service
    feed: HeadFeed
    metrics: Metrics
    started: str
    lease: Lease
    keys: ApiKeys
    journal: Journal
    events: EventFeed
    stored_keys: StoredKeys


async def _context(request: Request) -> Context:
    return cast(Context, request.app.state.context)


async def _service(request: Request) -> Service:
    return cast(Context, request.app.state.context).service


Ctx = Annotated[Context, Depends(_context)]
Zones = Annotated[Service, Depends(_service)]
Reader = Annotated[Principal, Depends(allow(Action.READ))]
Writer = Annotated[Principal, Depends(allow(Action.WRITE))]
Changer = Annotated[Principal, Depends(allow(Action.CHANGE))]
Manager = Annotated[Principal, Depends(allow(Action.MANAGE))]
Follower = Annotated[Principal, Depends(allow(Action.FOLLOW))]
Promoter = Annotated[Principal, Depends(allow(Action.PROMOTE))]
Edge = Annotated[Principal, Depends(allow(Action.ATTEST))]
Options = Annotated[WriteOptions, Depends()]

ZoneName = Annotated[
    str, Path(description="The zone, with or without the final dot; a slash as %2F.", examples=["example.com."])
]
Owner = Annotated[str, Path(description="`@`, relative to the zone, or absolute with a final dot.", examples=["www"])]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]

#: Answers that every endpoint may give.
PROBLEMS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "description": "The request was refused; nothing has changed.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
    "5XX": {
        "description": "The controller failed.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    },
}
IF_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-Match",
            "in": "header",
            "required": True,
            "description": "The ETag of the zone that the write was computed from, or `*` for any.",
            "schema": {"type": "string", "pattern": r'^(\*|"[!#-~]+")$'},
        }
    ]
}
ZONE_FILE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"zonefile": {"type": "string", "contentMediaType": "text/dns"}},
                    "required": ["zonefile"],
                    "additionalProperties": False,
                }
            },
        },
    }
}
#: The answer to a GET whose ``If-None-Match`` names what there is.
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {304: {"description": "It is as If-None-Match says."}}


def answers(model: type | None = None, status: int = 200, media: str | None = None) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of an endpoint that answers *model*, or a body of type *media*."""
    success: dict[str, Any] = {"description": "Done"}
    if model is not None:
        success["model"] = model
    elif media is not None:
        schema = {"type": "string"} if media.startswith("text/") else {"type": "string", "format": "binary"}
        success["content"] = {media: {"schema": schema}}
    return {status: success, **PROBLEMS}


def told(action: str, principal: Principal, zone: bytes, outcome: Outcome, options: WriteOptions) -> Outcome:
    """Log a write that did something, and at level debug one that did not; returns its outcome."""
    (log.info if outcome.applied else log.debug)(
        action if outcome.applied else f"{action}: nothing",
        actor=principal.name,
        zone=names.to_text(zone),
        version=outcome.version,
        serial=outcome.serial,
        rrsets=len(outcome.plan.diffs),
        forced=options.force,
        reason=options.reason,
        problem=outcome.problem,
    )
    return outcome
