# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who a caller is and what it may do: API keys by their hashes, roles, and what a key is limited to.

Everything below ``/api/`` needs a key, whatever a route says: :class:`Authentication` refuses before a body is read.
What a role may do is each route's dependency :func:`allow`. Keys stand in the configuration or in the store; those of
the configuration work also while the store does not answer.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from arca_dns.access.api_keys import USED_EVERY, ApiKeys, scope_of
from arca_dns.access.roles import ROLES, Action
from arca_dns.access.scope import Scope as Limits
from arca_dns.errors import AccessDenied, ArcaError, NotFound
from arca_dns.zone import names
from arca_dns.zone.changes import Plan

from .config import ApiKey
from .problem import TooManyRequests, Unauthenticated, problem_response
from .rates import Rates
from .reading import zone_of

#: Paths below the API that probes ask without a key.
OPEN = frozenset({"/api/v1/health", "/api/v1/ready"})
#: Paths elsewhere that need one.
CLOSED = frozenset({"/metrics"})
#: Seconds for which a key of the store is not looked up again: so long may a revocation on another controller take.
REMEMBERED = 2.0
_REMEMBERED_KEYS = 1024

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """The key that a request came with; *id* is that of a key which the store holds."""

    name: str
    role: str
    id: str | None = None
    limits: Limits = field(default_factory=Limits)

    def sees(self, zone: bytes) -> bool:
        """Whether the key may know of *zone*."""
        return self.limits.has_zone(zone)

    def permit(self, plan: Plan) -> None:
        """Raise :class:`AccessDenied` for a plan of which some RRset is beyond the key's limits."""
        self.limits.check(plan.zone, plan.diffs)

    def enter(self, zone: bytes) -> None:
        """Raise :class:`AccessDenied` for a write to a zone that the key may not touch."""
        self.limits.check(zone, ())


class KeyRing:
    """The API keys. Finding one of the configuration takes the same time whatever the key and whether it is there."""

    def __init__(self, keys: Sequence[ApiKey]) -> None:
        self.set(keys)

    def set(self, keys: Sequence[ApiKey]) -> None:
        """Know *keys* from now on, and no others."""
        self._keys = [
            (bytes.fromhex(key.sha256), Principal(key.name, key.role, limits=scope_of(key.role, {}))) for key in keys
        ]

    def find(self, key: str) -> Principal | None:
        """The holder of *key*, or ``None``."""
        digest = _digest(key)
        found = None
        for known, principal in self._keys:
            if hmac.compare_digest(known, digest):
                found = principal
        return found


class StoredKeys:
    """The keys that the store holds, remembered for a moment so that not every request asks it."""

    def __init__(self, keys: ApiKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys = keys
        self._clock = clock
        self._lock = threading.Lock()
        self._found: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()
        self._noted: dict[str, float] = {}

    def find(self, key: str) -> Principal | None:
        """The holder of *key*, or ``None``. Raises :class:`StoreUnavailable`."""
        if not key.startswith("arca_"):
            return None
        digest, now = _digest(key), self._clock()
        with self._lock:
            held = self._found.get(digest)
        if held is not None and held[0] > now:
            return held[1]
        stored = self._keys.find(key)
        with self._lock:
            if stored is None:
                self._found.pop(digest, None)
                return None
            principal = Principal(stored.name, stored.role, stored.id, stored.scope())
            self._found[digest] = (now + REMEMBERED, principal)
            while len(self._found) > _REMEMBERED_KEYS:
                self._found.popitem(last=False)
            note = now - self._noted.get(stored.id, -USED_EVERY) >= USED_EVERY
            if note:
                self._noted[stored.id] = now
        if note:
            self._note(stored.id)
        return principal

    def forget(self, identity: str) -> None:
        """Look the key with this id up anew: it was rotated or revoked."""
        with self._lock:
            for digest in [d for d, (_until, principal) in self._found.items() if principal.id == identity]:
                del self._found[digest]

    def _note(self, identity: str) -> None:
        try:
            self._keys.note_use(identity)
        except ArcaError as error:  # a request is not refused because its time could not be kept
            log.debug("the use of an API key was not noted", id=identity, reason=str(error))


def hash_key(key: str) -> str:
    """What a configuration keeps of *key*."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Authentication:
    """ASGI middleware: puts the :class:`Principal` into the request's state, or answers 401."""

    def __init__(self, app: ASGIApp, keys: KeyRing, stored: StoredKeys, rates: Rates) -> None:
        self._app = app
        self._keys = keys
        self._stored = stored
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what has a known key or needs none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"]
        principal = None
        if path.startswith("/api/") or path in CLOSED:
            presented = _presented(Headers(scope=scope))
            try:
                principal = None if presented is None else await self._find(presented)
            except ArcaError as error:
                if path not in OPEN:
                    await problem_response(error)(scope, receive, send)
                    return
            if principal is None and path not in OPEN:
                detail = (
                    "the API key is not known here" if presented else "an API key is needed: Authorization: Bearer …"
                )
                response = problem_response(Unauthenticated(detail))
                response.headers["WWW-Authenticate"] = "Bearer"
                try:
                    self._rates.count_failure((scope.get("client") or ("",))[0])
                except TooManyRequests as error:
                    response = problem_response(error)
                await response(scope, receive, send)
                return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, send)

    async def _find(self, presented: str) -> Principal | None:
        return self._keys.find(presented) or await run_in_threadpool(self._stored.find, presented)


def _presented(headers: Headers) -> str | None:
    scheme, _space, credentials = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and credentials.strip():
        return credentials.strip()
    return headers.get("x-api-key") or None


#: What shows or touches all zones at once.
_OF_ALL = frozenset({Action.FOLLOW, Action.ATTEST, Action.PROMOTE, Action.MANAGE})


def _within_limits(request: Request, principal: Principal, actions: Sequence[Action]) -> None:
    """Refuse what a limited key may not do, whatever its role; a zone that it may not see is not there."""
    limits = principal.limits
    if not limits.limited:
        return
    if _OF_ALL.intersection(actions):
        raise AccessDenied("this key is limited to some zones, names or types, and this concerns all zones")
    if limits.narrow and Action.WRITE in actions:
        raise AccessDenied("this key is limited to some names or types: it may change RRsets, not zones as a whole")
    zone = request.path_params.get("zone")
    if zone is not None and not principal.sees(zone_of(zone)):
        raise NotFound(f"there is no zone {names.to_text(zone_of(zone))}")


def allow(*actions: Action) -> Callable[[Request], Awaitable[Principal]]:
    """A dependency that lets roles pass which may do any of *actions*, and gives their :class:`Principal`."""

    async def allowed(request: Request) -> Principal:
        principal: Principal | None = request.state.principal
        if principal is None or not ROLES[principal.role].intersection(actions):
            role = "nobody" if principal is None else f"role {principal.role}"
            raise AccessDenied(f"{role} may not do this; it needs a key whose role may {actions[0].value}")
        _within_limits(request, principal, actions)
        return principal

    allowed.actions = actions  # type: ignore[attr-defined]
    return allowed
