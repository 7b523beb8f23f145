# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Idempotency keys (draft-ietf-httpapi-idempotency-key-header): a POST that is repeated gets the answer it got.

A caller that heard nothing sends its request again with the same ``Idempotency-Key``. The answer to the first is kept
in the store for a day, so any controller can give it. The same key with another request is refused with 422, and while
the first one runs with 409. What failed for a reason that may pass (5xx, 429) is not kept, nor is an answer over
:data:`_LARGEST`: then the request is done again. A controller that dies in the middle leaves a note that is void after
:data:`_RUNS` seconds.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from arca_dns.documents import IDEMPOTENCY
from arca_dns.errors import ArcaError, Conflict, InputError, Place, StoreError
from arca_dns.store.base import ABSENT, JsonObject, Store, Transaction

from .problem import InFlight, http_problem, problem_response

log = structlog.get_logger(__name__)

PREFIX = IDEMPOTENCY
_KEY = re.compile(r'"?[\x21\x23-\x7e]{1,255}"?')
_DAY = 86400
#: Seconds after which a request that has not ended is taken for one whose controller died.
_RUNS = 600
_LARGEST = 256 << 10
_KEPT_HEADERS = (b"content-type", b"etag", b"location", b"retry-after", b"cache-control")
_DELETES = 100


@dataclass(frozen=True, slots=True)
class Reserved:
    """The note that a request runs: its document's key and revision."""

    key: str
    revision: int


class Answers:
    """The answers that *store* keeps for a day. All methods raise ``StoreUnavailable``."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def begin(self, key: str) -> Reserved | JsonObject:
        """Note that the request with *key* runs, or the answer it had. Raises :class:`InFlight`."""
        now = self._clock()
        found = self._store.get(key)
        if found is not None and float(cast(float, found.value["until"])) > now:
            if "status" not in found.value:
                raise InFlight("a request with this Idempotency-Key is being done; ask again for its answer")
            return found.value
        try:
            expected = ABSENT if found is None else found.revision
            note: JsonObject = {"until": now + _RUNS}
            return Reserved(key, self._store.commit(Transaction({key: expected}, {key: note})))
        except Conflict:
            raise InFlight("a request with this Idempotency-Key has just begun; ask again for its answer") from None

    def end(self, reserved: Reserved, answer: JsonObject | None) -> None:
        """Keep *answer*, or with none forget that the request ran."""
        try:
            if answer is None:
                self._store.commit(Transaction({reserved.key: reserved.revision}, {}, [reserved.key]))
            else:
                kept = {**answer, "until": self._clock() + _DAY}
                self._store.commit(Transaction({reserved.key: reserved.revision}, {reserved.key: kept}))
        except Conflict:
            return  # it took so long that somebody else has begun again

    def prune(self) -> Iterator[int]:
        """Remove what nobody will ask for any more, some at a time; yields how many went."""
        now, after = self._clock(), ""
        while True:
            page = self._store.scan(PREFIX, after, _DELETES)
            due = {d.key: d.revision for d in page if float(cast(float, d.value["until"])) <= now}
            if due:
                self._store.commit(Transaction(due, {}, list(due)))
                yield len(due)
            if len(page) < _DELETES:
                return
            after = page[-1].key


class Idempotency:
    """ASGI middleware behind the authentication, for POST requests with the header."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Do the request and keep its answer, or give the answer that was kept."""
        principal = scope.get("state", {}).get("principal")
        given = Headers(scope=scope).get("idempotency-key") if scope["type"] == "http" else None
        if given is None or scope["method"] != "POST" or principal is None:
            await self._app(scope, receive, send)
            return
        if not _KEY.fullmatch(given):
            place = Place("must be 1 to 255 printable characters", pointer="Idempotency-Key")
            await problem_response(InputError("a header is wrong", [place]))(scope, receive, send)
            return
        named = f"{principal.id or principal.name}\0{given.strip(chr(34))}"
        request = _Hashing(scope, receive)
        try:
            begun = await run_in_threadpool(self._answers.begin, PREFIX + hashlib.sha256(named.encode()).hexdigest())
        except ArcaError as error:
            await problem_response(error)(scope, receive, send)
            return
        if not isinstance(begun, Reserved):
            await self._repeat(begun, request, scope, receive, send)
            return
        await self._do(begun, request, scope, send)

    async def _do(self, reserved: Reserved, request: _Hashing, scope: Scope, send: Send) -> None:
        ended = False

        async def keep(answer: _Recording) -> None:
            nonlocal ended
            ended = True
            try:
                await request.drain()
                kept = answer.kept(request.digest())
            except HTTPException:  # a body beyond a limit
                kept = None
            await self._end(reserved, kept)

        try:
            await self._app(scope, request, _Recording(send, keep))
        finally:
            if not ended:
                await self._end(reserved, None)

    async def _end(self, reserved: Reserved, answer: JsonObject | None) -> None:
        try:
            await run_in_threadpool(self._answers.end, reserved, answer)
        except StoreError as error:  # the request itself is done
            log.warning("the answer for an idempotency key was not kept", reason=str(error))

    async def _repeat(self, kept: JsonObject, request: _Hashing, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await request.drain()
        except HTTPException as error:
            await http_problem(error)(scope, receive, send)
            return
        if request.digest() != kept["request"]:
            place = Place("was used for another request", pointer="Idempotency-Key")
            await problem_response(InputError("the idempotency key is taken", [place]))(scope, receive, send)
            return
        headers = [(name.encode(), value.encode()) for name, value in cast("dict[str, str]", kept["headers"]).items()]
        body = base64.b64decode(str(kept["body"]))
        headers += [(b"content-length", str(len(body)).encode()), (b"idempotency-replayed", b"true")]
        await send({"type": "http.response.start", "status": kept["status"], "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _Hashing:
    """A request's messages, with a hash of what was asked."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self._receive = receive
        self._more = True
        headers = Headers(scope=scope)
        asked = (
            scope["path"],
            scope["query_string"].decode("latin-1"),
            *map(headers.get, ("if-match", "content-type")),
        )
        self._hash = hashlib.sha256(repr(asked).encode())

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._hash.update(message.get("body", b""))
            self._more = message.get("more_body", False)
        else:
            self._more = False
        return message

    async def drain(self) -> None:
        """Take in what nobody has read."""
        while self._more:
            await self()

    def digest(self) -> str:
        """The hash, of all that has come."""
        return self._hash.hexdigest()


class _Recording:
    """Holds an answer back until *keep* has kept it, then gives it away; one that is too large passes as it comes."""

    def __init__(self, send: Send, keep: Callable[[_Recording], Awaitable[None]]) -> None:
        self._send = send
        self._keep = keep
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._held: list[Message] = []
        self._fits = True

    async def __call__(self, message: Message) -> None:
        self._held.append(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in message.get("headers", ())
                if name.lower() in _KEPT_HEADERS
            }
            return
        if message["type"] == "http.response.body":
            body: Any = message.get("body", b"")
            self._fits = self._fits and len(self._body) + len(body) <= _LARGEST
            if self._fits:
                self._body += body
            if not message.get("more_body", False):
                await self._keep(self)
            elif self._fits:
                return
        held, self._held = self._held, []
        for one in held:
            await self._send(one)

    def kept(self, request: str) -> JsonObject | None:
        """What to keep, or ``None`` for what may go better the next time, or is too large."""
        secret = self._headers.get("cache-control") == "no-store"
        if not self._fits or secret or self._status >= 500 or self._status in (408, 429):
            return None
        return {
            "request": request,
            "status": self._status,
            "headers": dict(self._headers),
            "body": base64.b64encode(bytes(self._body)).decode("ascii"),
        }
