# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who a caller is and what it may do: API keys by their hashes, and roles.

Everything below ``/api/`` needs a key, whatever a route says: :class:`Authentication` refuses before a body is read.
What a role may do is each route's dependency :func:`allow`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arca_dns.errors import AccessDenied

from .config import ApiKey
from .problem import Unauthenticated, problem_response

#: Paths below the API that probes ask without a key.
OPEN = frozenset({"/api/v1/health", "/api/v1/ready"})
#: Paths elsewhere that need one.
CLOSED = frozenset({"/metrics"})


class Action(Enum):
    """What routes do, as far as roles tell them apart."""

    READ = "read"
    WRITE = "write"
    FOLLOW = "follow"  # heads and blobs: what an edge needs
    ATTEST = "attest"


_ROLES: dict[str, frozenset[Action]] = {
    "admin": frozenset(Action),
    "editor": frozenset({Action.READ, Action.WRITE, Action.FOLLOW}),
    "viewer": frozenset({Action.READ, Action.FOLLOW}),
    "agent": frozenset({Action.FOLLOW, Action.ATTEST}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The key that a request came with."""

    name: str
    role: str


class KeyRing:
    """The API keys. Finding one takes the same time whatever the key and whether it is there."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self._keys = [(bytes.fromhex(key.sha256), Principal(key.name, key.role)) for key in keys]

    def find(self, key: str) -> Principal | None:
        """The holder of *key*, or ``None``."""
        digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
        found = None
        for known, principal in self._keys:
            if hmac.compare_digest(known, digest):
                found = principal
        return found


def hash_key(key: str) -> str:
    """What a configuration keeps of *key*."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


class Authentication:
    """ASGI middleware: puts the :class:`Principal` into the request's state, or answers 401."""

    def __init__(self, app: ASGIApp, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what has a known key or needs none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        principal = None
        if path.startswith("/api/") or path in CLOSED:
            presented = _presented(Headers(scope=scope))
            principal = None if presented is None else self._keys.find(presented)
            if principal is None and path not in OPEN:
                detail = (
                    "the API key is not known here" if presented else "an API key is needed: Authorization: Bearer …"
                )
                response = problem_response(Unauthenticated(detail))
                response.headers["WWW-Authenticate"] = "Bearer"
                await response(scope, receive, send)
                return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)


def _presented(headers: Headers) -> str | None:
    scheme, _space, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("x-api-key") or None


def allow(*actions: Action) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that lets roles pass which may do any of *actions*, and gives their :class:`Principal`."""

    async def allowed(request: Request) -> Principal:
        principal: Principal | None = request.state.principal
        if principal is None or not _ROLES[principal.role].intersection(actions):
            role = "nobody" if principal is None else f"role {principal.role}"
            raise AccessDenied(f"{role} may not do this; it needs a key whose role may {actions[0].value}")
        return principal

    allowed.actions = actions  # type: ignore[attr-defined]
    return allowed
