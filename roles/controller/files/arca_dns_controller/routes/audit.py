# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The audit log: what the journal of the store holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse

from arca_dns import ulid
from arca_dns.documents import moment
from arca_dns.errors import InputError, Place
from arca_dns.journal import Entry
from arca_dns.zone import names

from .. import models, reading
from .shared import Ctx, Limit, Manager, answers

router = APIRouter(tags=["operations"])
Moment = Annotated[str, Query(max_length=40, examples=["2027-01-31T00:00:00Z"])]


@router.get("/audit", responses=answers(models.JournalPage), response_model=None)
def list_audit(
    _principal: Manager,
    context: Ctx,
    zone: Annotated[str, Query(max_length=1024, description="Only what was done to this zone.")] = "",
    actor: Annotated[str, Query(max_length=100, description="Only what this key or person did.")] = "",
    kind: Annotated[str, Query(max_length=100, description="Only this kind, or all that begin so: `zone.`")] = "",
    since: Moment = "",
    until: Moment = "",
    before: Annotated[str, Query(pattern="^([0-9A-Z]{26})?$", description="The `next` of the page before.")] = "",
    limit: Limit = 100,
) -> Response:
    """Read the audit log, newest first: every write, with who, when, from where, and what it changed."""
    name = names.to_text(reading.zone_name(zone)) if zone else None

    def wanted(entry: Entry) -> bool:
        return (
            (name is None or entry.zone == name)
            and (not actor or entry.actor == actor)
            and (entry.kind == kind or (entry.kind.startswith(kind) and kind[-1:] in ("", ".")))
        )

    edges = [edge for edge in (before, _edge(until) if until else "") if edge]
    if before:
        _checked(before)
    found = context.journal.entries(
        wanted, before=min(edges, default=""), since=_seconds("since", since) if since else 0.0, limit=limit
    )
    more = found[-1][0] if len(found) == limit else None
    return JSONResponse({"entries": [{"id": key, **asdict(entry)} for key, entry in found], "next": more})


def _edge(until: str) -> str:
    return ulid.least(int(_seconds("until", until) * 1000))


def _checked(before: str) -> None:
    try:
        ulid.milliseconds_of(before)
    except ValueError:
        raise InputError("there is no such page", [Place("must be the next of a page", pointer="before")]) from None


def _seconds(parameter: str, text: str) -> float:
    try:
        found = moment(text)
        if found < 0:
            raise ValueError
    except (ValueError, OverflowError):
        raise InputError(
            "the time is wrong", [Place("must be a time such as 2027-01-31T00:00:00Z", pointer=parameter)]
        ) from None
    return found
