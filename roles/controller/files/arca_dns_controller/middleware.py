# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What surrounds every request: its id, its log line, its metrics, its size limit, and slashes in zone names."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from urllib.parse import unquote

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arca_dns.journal import Caller, called_by

from .metrics import Metrics
from .problem import UnsupportedMedia, problem_response

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What probes and edges ask all the time is logged at level debug.
_FREQUENT = ("/health", "/ready", "/metrics", "/heads/{ring}", "/edges/{edge}/attestation")
log = structlog.get_logger(__name__)


class Observation:
    """Gives each request an id (the caller's ``X-Request-ID`` if it is a plain one), a log line and metrics."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on and tell how it went."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        client = scope.get("client")
        origin = "" if client is None else client[0]
        started = time.perf_counter()
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        caller = Caller(origin, request_id)
        with structlog.contextvars.bound_contextvars(request_id=request_id), called_by(caller):
            try:
                await self._app(scope, receive, sending)
            finally:
                elapsed = time.perf_counter() - started
                # The path as the router knows it: a label for each zone would be a label too many.
                route = getattr(scope.get("route"), "path", "unknown").removeprefix("/api/v1")
                self._metrics.observe(scope["method"], route, status, elapsed)
                principal = scope.get("state", {}).get("principal")
                level = "info" if status < 500 else "error"
                if route in _FREQUENT:
                    level = "debug" if status < 500 else level
                getattr(log, level)(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=status,
                    milliseconds=round(elapsed * 1000, 1),
                    key=None if principal is None else principal.name,
                    client=origin or None,
                )


class EncodedSlashes:
    """Leaves ``%2F`` encoded in path segments, for zones of RFC 2317 (``0/25.2.0.192.in-addr.arpa.``)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Rewrite the path from its raw form; :func:`segment` reads parameters."""
        raw = scope.get("raw_path")
        if scope["type"] == "http" and raw and b"%" in raw:
            parts = raw.decode("ascii", "replace").partition("?")[0].split("/")
            scope["path"] = "/".join(unquote(part).replace("%", "%25").replace("/", "%2F") for part in parts)
        await self._app(scope, receive, send)


def segment(parameter: str) -> str:
    """A path parameter with what :class:`EncodedSlashes` left encoded."""
    return unquote(parameter)


class BodyLimit:
    """Refuses bodies over *limit* octets with 413, before they are read where their length is told.

    Those that take over *seconds* to come are refused with 408, and compressed ones with 415: what a limit counts must
    be what is read.
    """

    def __init__(self, app: ASGIApp, limit: int, seconds: float) -> None:
        self._app = app
        self._limit = limit
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count what comes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            response = problem_response(UnsupportedMedia(f"a body is taken as it is, not encoded as {encoding!r}"))
            response.headers["Accept-Encoding"] = "identity"  # RFC 9110 section 15.5.16
            await response(scope, receive, send)
            return
        told = headers.get("content-length", "")
        left = self._limit
        deadline: float | None = None
        more = True
        too_large = HTTPException(413, f"a body may have {self._limit} octets here (api.body_limit)")

        async def counting() -> Message:
            nonlocal left, deadline, more
            if not more:  # the body has come: what comes now is that the client has gone
                return await receive()
            if told.isdigit() and int(told) > self._limit:
                raise too_large
            deadline = time.monotonic() + self._seconds if deadline is None else deadline
            try:
                message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                detail = f"a body must have come within {self._seconds:g} s (api.body_timeout)"
                # RFC 9110 section 15.5.9: the connection is of no more use.
                raise HTTPException(408, detail, {"Connection": "close"}) from None
            more = message["type"] == "http.request" and message.get("more_body", False)
            if message["type"] == "http.request":
                left -= len(message.get("body", b""))
                if left < 0:
                    raise too_large
            return message

        await self._app(scope, counting, send)
