# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What happens, as it happens: a long poll, or server-sent events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from arca_dns.access.roles import ROLES, Action
from arca_dns.errors import ArcaError, InputError, Place
from arca_dns.events import Event
from arca_dns.zone import names

from .. import models, reading
from ..auth import Principal
from ..event_feed import EventFeed, Page
from .shared import Ctx, Reader, answers

router = APIRouter(tags=["events"])
#: Seconds after which a stream without events says that it is alive.
_HEARTBEAT = 15.0
_SSE = "text/event-stream"
_ANSWERS: dict[int | str, dict[str, Any]] = answers(models.EventPage)
_ANSWERS[200]["content"] = {_SSE: {"schema": {"type": "string"}}}


@router.get("/events", responses=_ANSWERS, response_model=None)
async def follow_events(
    principal: Reader,
    context: Ctx,
    request: Request,
    after: Annotated[
        int | None, Query(ge=0, le=2**53, description="The cursor to go on behind; else from now.")
    ] = None,
    timeout: Annotated[float, Query(ge=0, le=60, description="Seconds that a long poll waits.")] = 30,
    zone: Annotated[str, Query(max_length=1024, description="Only events of this zone.")] = "",
    kind: Annotated[str, Query(max_length=100, description="Only this kind, or all that begin so: `zone.`")] = "",
    last_event_id: Annotated[str | None, Header(description="What a browser sends to go on.")] = None,
) -> Response:
    """Follow what happens: writes, publications, heads, edges.

    With `Accept: text/event-stream` a stream that does not end; else the next events behind `after`, or none after
    `timeout` seconds. An event's cursor, also its `id` in a stream, is where to go on. Several events of one commit
    have one cursor. A cursor that is too old gets 410: read what you need anew, then follow from now.
    """
    feed = context.events
    wanted = _wanted(principal, names.to_text(reading.zone_name(zone)) if zone else None, kind)
    start = await _start(feed, after, last_event_id)
    if _SSE in request.headers.get("accept", ""):
        first = await feed.next(start, 0)  # what is wrong with the cursor is said before the stream begins
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(feed, first, wanted), media_type=_SSE, headers=headers)
    page = await feed.next(start, timeout if last_event_id or after is not None else 0)
    found = [event.to_json() for event in page.events if wanted(event)]
    return JSONResponse({"events": found, "next": page.cursor}, headers={"Cache-Control": "no-store"})


async def _start(feed: EventFeed, after: int | None, last_event_id: str | None) -> int:
    if last_event_id:
        if not last_event_id.isdecimal() or len(last_event_id) > 16:
            raise InputError("a header is wrong", [Place("must be the id of an event", pointer="Last-Event-ID")])
        return int(last_event_id)
    return await feed.now() if after is None else after


def _wanted(principal: Principal, zone: str | None, kind: str) -> Callable[[Event], bool]:
    """What the caller asked for, of what its key may see."""
    manages = Action.MANAGE in ROLES[principal.role] and not principal.limits.limited

    def wanted(event: Event) -> bool:
        if event.kind.startswith("key.") and not manages:
            return False
        if principal.limits.limited and (event.zone is None or not principal.sees(names.from_text(event.zone))):
            return False
        if zone is not None and event.zone != zone:
            return False
        return event.kind == kind or (event.kind.startswith(kind) and kind[-1:] in ("", "."))

    return wanted


async def _stream(feed: EventFeed, page: Page, wanted: Callable[[Event], bool]) -> AsyncIterator[str]:
    yield f"retry: 2000\nid: {page.cursor}\n\n" if not page.events else "retry: 2000\n\n"
    while True:
        shown = [event for event in page.events if wanted(event)]
        for index, event in enumerate(shown):
            # Only the last of a commit has an id: who is cut off before it gets all of the commit again.
            last = index + 1 == len(shown) or shown[index + 1].cursor != event.cursor
            position = f"id: {event.cursor}\n" if last else ""
            yield f"{position}event: {event.kind}\ndata: {json.dumps(event.to_json(), ensure_ascii=False)}\n\n"
        cursor = page.cursor
        if page.events and (not shown or shown[-1].cursor != cursor):
            yield f"id: {cursor}\n\n"  # who is cut off goes on behind what it did not ask for
        try:
            page = await feed.next(cursor, _HEARTBEAT)
        except ArcaError:  # the client goes on from its last id when the store is back
            return
        if feed.closed:
            return
        if not page.events:
            yield f"id: {page.cursor}\n: alive\n\n"
