# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controllers as an edge sees them: heads, blobs, attestations, leases over HTTP.

What is received is checked elsewhere, but for its size: no answer is held that is larger than it may be. Nor is any
waited for that takes longer than it may: a controller that lets its answer drip is as good as one that is gone.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from urllib.parse import quote

import httpx2

from arca_dns import __version__
from arca_dns.config import Secret
from arca_dns.errors import ArcaError, CorruptBlob, HeadRejected
from arca_dns.publish.head import SignedHead
from arca_dns.store.base import JsonObject

_HEAD_LIMIT = 64 << 10
_ANSWER_LIMIT = 256 << 10
_FRAME = 36
_LONGEST_CALL = 19  # digits
_LARGE_BLOB = 1 << 20
#: Longer than a poll may take on the controller's side.
_GRACE = 10.0
_TIMEOUT = httpx2.Timeout(10.0)
_SHORT = httpx2.Timeout(3.0)
#: Seconds for a whole answer, or until that of many blobs begins, beside what was asked for as a wait.
_WHOLE, _SHORT_WHOLE = 20.0, 6.0
_LEAST_RATE = 4096.0  # octets per second of what may be long, after _GRACE seconds
_PATIENCE = 5.0  # seconds, where a controller asks for patience and does not say how much
_MOST_PATIENCE = 300.0


class Unreachable(ArcaError):
    """No usable answer from the controller; what is served stays as it is."""

    code = "unreachable"


class Busy(Unreachable):
    """The controller asks not to be asked for a while (429 or 503 with ``Retry-After``)."""


class Controllers:
    """One controller at a time of *urls*; :meth:`turn` goes on to the next. *transport* stands in for the network.

    *called* is called when a controller asks edges to attest.
    """

    def __init__(
        self,
        urls: Sequence[str],
        api_key: Secret,
        tls: ssl.SSLContext,
        blob_limit: int,
        transport: httpx2.AsyncBaseTransport | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        called: Callable[[], None] = lambda: None,
    ) -> None:
        self._called = called
        self._call: str | None = None
        self._urls = [url.rstrip("/") + "/api/v1" for url in urls]
        self._at = 0
        self._looked = 0
        self._not_before: dict[int, float] = {}
        self._blob_limit = blob_limit
        self._large = asyncio.Lock()
        self._monotonic = monotonic
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {api_key.reveal()}", "User-Agent": f"arca-dns-agent/{__version__}"},
            verify=tls,
            trust_env=False,
            transport=transport,
        )

    @property
    def url(self) -> str:
        """The controller in use."""
        return self._name(self._at)

    def turn(self) -> None:
        """Use the next controller from now on."""
        self._at = (self._at + 1) % len(self._urls)

    def patience(self) -> float:
        """How many seconds the controller in use asked to be left alone for."""
        return max(0.0, self._not_before.get(self._at, 0.0) - self._monotonic())

    async def close(self) -> None:
        """Give back connections."""
        await self._client.aclose()

    async def head(self, ring: str, after: int | None = None, wait: float = 0.0) -> SignedHead | None:
        """The head of *ring*; with *after* as soon as its revision is greater, ``None`` if none is in *wait* seconds.

        Raises :class:`Unreachable` and :class:`HeadRejected` (an answer that is no head).
        """
        return await self._head(self._at, ring, after, wait)

    async def newer(self, ring: str, after: int) -> SignedHead | None:
        """A head newer than *after* at another controller, which is the one in use from then on.

        One of the others is asked, each in its turn, so that a controller that lags cannot keep an edge behind.
        """
        if len(self._urls) < 2:
            return None
        at = (self._at + 1 + self._looked % (len(self._urls) - 1)) % len(self._urls)
        self._looked += 1
        try:
            signed = await self._head(at, ring, after, 0.0)
        except (Unreachable, HeadRejected):
            return None  # that it cannot be had is told when it is in use
        if signed is not None:
            self._at = at
        return signed

    async def _head(self, at: int, ring: str, after: int | None, wait: float) -> SignedHead | None:
        query = {} if after is None else {"after": str(after), "timeout": f"{wait:g}"}
        if query and self._call is not None:
            query["called"] = self._call
        timeout = httpx2.Timeout(10.0, read=wait + _GRACE)
        path = f"/heads/{quote(ring, safe='')}"
        async with self._ask("GET", path, wait + _WHOLE, at=at, params=query, timeout=timeout) as answer:
            self._hear(answer.headers.get("arca-roll-call", ""))
            if answer.status_code == 304:
                return None
            body = await _body(answer, _HEAD_LIMIT)
            if body is None:
                raise HeadRejected(f"the head is longer than {_HEAD_LIMIT} octets")
        try:
            return SignedHead.from_json(json.loads(body))
        except (ValueError, RecursionError):
            raise HeadRejected("the head is not JSON") from None

    def _hear(self, call: str) -> None:
        """Note the latest roll call. The first that is heard says nothing: an edge attests when it starts."""
        if call.isdecimal() and len(call) <= _LONGEST_CALL and call != self._call:
            first, self._call = self._call is None, call
            if not first:
                self._called()

    async def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[str, bytes], None]:
        """(digest, octets) as the controller sends them for *digests*.

        However many of these run, they hold one blob larger than a mebibyte at a time.
        Raises :class:`Unreachable` and :class:`CorruptBlob`.
        """
        async with self._ask(
            "POST", "/blobs/fetch", _WHOLE, content=_json({"digests": list(digests)}), long=True
        ) as answer:
            octets = _Octets(answer.aiter_bytes())
            while head := await octets.take(_FRAME):
                size = int.from_bytes(head[32:], "big")
                if size > self._blob_limit:
                    raise CorruptBlob(f"a blob of {size} octets is over the limit of {self._blob_limit}")
                async with self._large if size > _LARGE_BLOB else nullcontext():
                    data = await octets.take(size)
                    if len(head) < _FRAME or len(data) < size:
                        raise Unreachable(f"{self.url} ended its answer inside a blob")
                    yield head[:32].hex(), data

    async def attest(self, edge: str, report: JsonObject) -> None:
        """Say what this edge serves, and the latest roll call that it heard of, to any controller that listens.

        Raises :class:`Unreachable`.
        """
        heard: JsonObject = {} if self._call is None else {"called": int(self._call)}
        await self._put(f"/edges/{quote(edge, safe='')}/attestation", report | heard, _TIMEOUT, _WHOLE)

    async def lease(self, edge: str, wishes: JsonObject) -> bytes:
        """Say what this edge wishes, all of it, to any controller that listens; returns the answer as it came.

        Raises :class:`Unreachable`.
        """
        return await self._put(f"/edges/{quote(edge, safe='')}/leases", wishes, _SHORT, _SHORT_WHOLE)

    async def _put(self, path: str, document: JsonObject, timeout: httpx2.Timeout, seconds: float) -> bytes:
        content = _json(document)
        seconds += len(content) / _LEAST_RATE
        failure: Unreachable | None = None
        for at in (*range(self._at, len(self._urls)), *range(self._at)):
            try:
                async with self._ask("PUT", path, seconds, at=at, content=content, timeout=timeout) as answer:
                    body = await _body(answer, _ANSWER_LIMIT)
                if body is None:
                    raise Unreachable(f"the answer of {self._name(at)} to PUT {path} has no end")
            except Unreachable as error:
                failure = failure or error
            else:
                return body
        raise failure or Unreachable("there is no controller")

    @asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        seconds: float,
        *,
        at: int | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: httpx2.Timeout = _TIMEOUT,
        long: bool = False,
    ) -> AsyncIterator[httpx2.Response]:
        """The answer, if it is a good one; its body is read by the caller, all within *seconds*.

        One that may be *long* only has to begin by then. *content* is JSON.
        """
        at = self._at if at is None else at
        name = self._name(at)
        if self._monotonic() < self._not_before.get(at, 0.0):
            raise Busy(f"{name} asked for patience")
        try:
            async with (
                asyncio.timeout(seconds) as deadline,
                self._client.stream(
                    method,
                    self._urls[at] + path,
                    params=params,
                    content=content,
                    headers=None if content is None else {"Content-Type": "application/json"},
                    timeout=timeout,
                ) as answer,
            ):
                if answer.status_code in (429, 503) and "retry-after" in answer.headers:
                    self._not_before[at] = self._monotonic() + _seconds(answer.headers["retry-after"])
                    raise Busy(f"{name} asked for patience")
                if answer.status_code not in (200, 204, 304):
                    raise Unreachable(f"{name} answers {answer.status_code} to {method} {path}{_hint(answer)}")
                if long:
                    deadline.reschedule(None)
                yield answer
        except TimeoutError:
            raise Unreachable(f"{name} takes too long to answer {method} {path}") from None
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise Unreachable(f"{name} does not answer: {str(error) or type(error).__name__}") from None

    def _name(self, at: int) -> str:
        return self._urls[at].removesuffix("/api/v1")


class _Octets:
    """A body, taken in pieces of chosen sizes; no more of it is held than was asked for and came with it."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._held = bytearray()
        self._patience = _GRACE

    async def take(self, size: int) -> bytes:
        """The next *size* octets, or what is left. Raises :class:`TimeoutError` where it comes too slowly."""
        while len(self._held) < size and (piece := await self._next()) is not None:
            self._held += piece
        taken = bytes(self._held[:size])
        del self._held[:size]
        return taken

    async def _next(self) -> bytes | None:
        """The next piece. Waiting for it uses up patience, each octet renews a share of it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(self._patience):
            piece = await anext(self._pieces, None)
        if piece is not None:
            earned = len(piece) / _LEAST_RATE
            self._patience = min(_GRACE, self._patience - (loop.time() - began) + earned)
        return piece


async def _body(answer: httpx2.Response, limit: int) -> bytes | None:
    """The whole body; ``None`` if it is longer than *limit*."""
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > limit:
            return None
    return bytes(body)


def _json(document: JsonObject) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def _seconds(retry_after: str) -> float:
    """What ``Retry-After`` says; its other form, a date, needs a clock that both sides share."""
    return min(float(retry_after), _MOST_PATIENCE) if retry_after.strip().isdecimal() else _PATIENCE


def _hint(answer: httpx2.Response) -> str:
    if answer.status_code in (401, 403):
        return ": it does not accept this edge's API key"
    return ""
