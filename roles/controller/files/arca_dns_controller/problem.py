# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Errors as callers see them: problem details (RFC 9457) made from the library's error tree.

``code`` is stable and ``type`` is made of it; ``places`` lists every single problem; messages are for people.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import Match

from arca_dns import errors
from arca_dns.errors import ArcaError, Place

TYPE = "urn:arca-dns:problem:"
MEDIA_TYPE = "application/problem+json"
#: When to come back after a 503: a store that is back is used at once.
RETRY_SECONDS = "2"


class Unauthenticated(ArcaError):
    """No API key, or one that nobody has."""

    code = "unauthenticated"


class PreconditionRequired(ArcaError):
    """A write without ``If-Match`` (RFC 6585 section 3)."""

    code = "precondition-required"


class BadRequest(ArcaError):
    """A request that is not understood at all."""

    code = "bad-request"


class UnsupportedMedia(ArcaError):
    """A body in a form that this endpoint does not take."""

    code = "unsupported-media-type"


class PayloadTooLarge(ArcaError):
    """A body that holds more than is taken at once."""

    code = "body-too-large"


class InFlight(ArcaError):
    """The request with this idempotency key is still being done."""

    code = "in-flight"


class TooManyRequests(ArcaError):
    """A caller asks more often than it may (RFC 6585 section 4); it may again in *seconds*."""

    code = "rate-limited"

    def __init__(self, message: str, seconds: float) -> None:
        super().__init__(message)
        self.seconds = max(1, math.ceil(seconds))


# The first class that fits decides.
_STATUSES: tuple[tuple[type[ArcaError], int, str], ...] = (
    (BadRequest, 400, "The request cannot be understood"),
    (Unauthenticated, 401, "A known API key is needed"),
    (errors.AccessDenied, 403, "The API key's role may not do this"),
    (errors.NotFound, 404, "There is no such thing"),
    (errors.PlanRefused, 409, "The plan is dangerous and was not forced"),
    (errors.AlreadyExists, 409, "It exists already"),
    (errors.Conflict, 409, "Somebody else was faster"),
    (InFlight, 409, "The request is being done"),
    (errors.CursorLost, 410, "Events do not reach so far back"),
    (errors.StaleVersion, 412, "The version is not the current one"),
    (PayloadTooLarge, 413, "The body is too large"),
    (UnsupportedMedia, 415, "The body has a form that is not taken here"),
    (errors.ZoneTextError, 422, "Zone data does not parse"),
    (errors.ChecksFailed, 422, "The zone breaks rules of DNS"),
    (errors.BadName, 422, "It is not a domain name"),
    (errors.InputError, 422, "The input is wrong"),
    (PreconditionRequired, 428, "If-Match is needed"),
    (TooManyRequests, 429, "Too many requests"),
    (errors.StoreUnavailable, 503, "The store does not answer"),
    (errors.KeyUnavailable, 503, "A key cannot be had"),
    (errors.IntegrityError, 500, "Stored data is damaged"),
    (ArcaError, 500, "The controller failed"),
)
_HTTP_CODES = {404: "no-such-endpoint", 408: "too-slow", 405: "method-not-allowed", 413: "body-too-large"}

log = structlog.get_logger(__name__)


def problem_response(error: ArcaError) -> JSONResponse:
    """The answer for *error*."""
    status, title = next((status, title) for kind, status, title in _STATUSES if isinstance(error, kind))
    extra = {"current": error.current} if isinstance(error, errors.StaleVersion) else {}
    response = _respond(status, error.code, title, error.message, error.places, extra)
    if isinstance(error, errors.StoreUnavailable):
        response.headers["Retry-After"] = RETRY_SECONDS
    if isinstance(error, TooManyRequests):
        response.headers["Retry-After"] = str(error.seconds)
    return response


def _respond(
    status: int, code: str, title: str, detail: str, places: Sequence[Place] = (), extra: dict[str, str] | None = None
) -> JSONResponse:
    body: dict[str, Any] = {"type": TYPE + code, "title": title, "status": status, "detail": detail, "code": code}
    body.update(extra or {})
    if places:
        body["places"] = [
            {
                key: value
                for key, value in (
                    ("line", place.line),
                    ("column", place.column),
                    ("pointer", place.pointer),
                    ("message", place.message),
                )
                if value is not None
            }
            for place in places
        ]
    return JSONResponse(body, status, media_type=MEDIA_TYPE)


def _of_library(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ArcaError)  # noqa: S101 - what it is registered for
    response = problem_response(error)
    if response.status_code >= 500:
        log.error("failed", code=error.code, reason=str(error))
    return response


def _of_validation(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        reason = found[0].get("ctx", {}).get("error", "it does not parse")
        return problem_response(BadRequest(f"the body is not JSON: {reason} at octet {found[0]['loc'][-1]}"))
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    refused = any(item["loc"] == ("body",) and item["type"] != "missing" for item in found)
    if refused and kind != "application/json" and not kind.endswith("+json"):
        return problem_response(UnsupportedMedia(f"the body must be application/json, not {kind or 'without type'}"))
    places = []
    for item in found:
        where, *path = item["loc"]
        if where == "body":
            places.append(Place(item["msg"], pointer=_pointer(path) if path else None))
        else:
            places.append(Place(f"{where} parameter {'.'.join(map(str, path))}: {item['msg']}"))
    return problem_response(errors.InputError("the request has mistakes", places))


def _pointer(path: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def _of_http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    response = http_problem(error)
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(sorted(_methods(request)))
    return response


def http_problem(error: HTTPException) -> JSONResponse:
    """The answer for what the framework, or a middleware in its place, refuses."""
    title = HTTPStatus(error.status_code).phrase
    code = _HTTP_CODES.get(error.status_code, title.lower().replace(" ", "-"))
    response = _respond(error.status_code, code, title, str(error.detail))
    response.headers.update(error.headers or {})
    return response


def _methods(request: Request) -> set[str]:
    """What the path takes: the framework names the methods of its first route only (RFC 9110 section 10.2.1)."""
    scope = {"type": "http", "path": request.scope["path"], "root_path": "", "headers": []}
    tried = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
    routes = request.app.router.routes
    return {
        method
        for method in tried
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    }


def _of_bugs(_request: Request, error: Exception) -> JSONResponse:
    log.error("crashed", exc_info=error)
    return _respond(500, "internal", "The controller failed", "This is a bug; the controller's log has the details")


def install(app: FastAPI) -> None:
    """Make every error that *app* answers a problem."""
    app.add_exception_handler(ArcaError, _of_library)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(Exception, _of_bugs)
