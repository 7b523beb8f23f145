# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controllers as an edge sees them: heads, blobs, attestations over HTTP. What is received is checked elsewhere."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx2

from arca_dns import __version__
from arca_dns.config import Secret
from arca_dns.errors import ArcaError, CorruptBlob, HeadRejected
from arca_dns.publish.head import SignedHead
from arca_dns.store.base import JsonObject

_HEAD_LIMIT = 64 << 10
_FRAME = 36
#: Longer than a poll may take on the controller's side.
_GRACE = 10.0
_TIMEOUT = httpx2.Timeout(10.0)


class Unreachable(ArcaError):
    """No usable answer from the controller; what is served stays as it is."""

    code = "unreachable"


class Controllers:
    """One controller at a time of *urls*; :meth:`turn` goes on to the next. *transport* stands in for the network."""

    def __init__(
        self,
        urls: Sequence[str],
        api_key: Secret,
        tls: ssl.SSLContext,
        blob_limit: int,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls = [url.rstrip("/") + "/api/v1" for url in urls]
        self._at = 0
        self._blob_limit = blob_limit
        self._client = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {api_key.reveal()}", "User-Agent": f"arca-dns-agent/{__version__}"},
            verify=tls,
            trust_env=False,
            transport=transport,
        )

    @property
    def url(self) -> str:
        """The controller in use."""
        return self._urls[self._at].removesuffix("/api/v1")

    def turn(self) -> None:
        """Use the next controller from now on."""
        self._at = (self._at + 1) % len(self._urls)

    async def close(self) -> None:
        """Give back connections."""
        await self._client.aclose()

    async def head(self, ring: str, after: int | None = None, wait: float = 0.0) -> SignedHead | None:
        """The head of *ring*; with *after* as soon as its revision is greater, ``None`` if none is in *wait* seconds.

        Raises :class:`Unreachable` and :class:`HeadRejected` (an answer that is no head).
        """
        query = {} if after is None else {"after": str(after), "timeout": f"{wait:g}"}
        timeout = httpx2.Timeout(10.0, read=wait + _GRACE)
        async with self._ask("GET", f"/heads/{quote(ring, safe='')}", params=query, timeout=timeout) as answer:
            if answer.status_code == 304:
                return None
            body = bytearray()
            async for piece in answer.aiter_bytes():
                body += piece
                if len(body) > _HEAD_LIMIT:
                    raise HeadRejected(f"the head is longer than {_HEAD_LIMIT} octets")
        try:
            return SignedHead.from_json(json.loads(bytes(body)))
        except ValueError:
            raise HeadRejected("the head is not JSON") from None

    async def blobs(self, digests: Sequence[str]) -> AsyncGenerator[tuple[str, bytes], None]:
        """(digest, octets) as the controller sends them for *digests*.

        Raises :class:`Unreachable` and :class:`CorruptBlob`.
        """
        buffer = bytearray()
        async with self._ask("POST", "/blobs/fetch", json={"digests": list(digests)}) as answer:
            async for piece in answer.aiter_bytes():
                buffer += piece
                at = 0
                while len(buffer) - at >= _FRAME:
                    size = int.from_bytes(buffer[at + 32 : at + _FRAME], "big")
                    if size > self._blob_limit:
                        raise CorruptBlob(f"a blob of {size} octets is over the limit of {self._blob_limit}")
                    if len(buffer) - at < _FRAME + size:
                        break
                    yield buffer[at : at + 32].hex(), bytes(buffer[at + _FRAME : at + _FRAME + size])
                    at += _FRAME + size
                del buffer[:at]
        if buffer:
            raise Unreachable(f"{self.url} ended its answer inside a blob")

    async def attest(self, edge: str, report: JsonObject) -> None:
        """Say what this edge serves. Raises :class:`Unreachable`."""
        async with self._ask("PUT", f"/edges/{quote(edge, safe='')}/attestation", json=report):
            return

    @asynccontextmanager
    async def _ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: JsonObject | None = None,
        timeout: httpx2.Timeout = _TIMEOUT,
    ) -> AsyncIterator[httpx2.Response]:
        """The answer, if it is a good one; its body is read by the caller."""
        url = self._urls[self._at] + path
        try:
            async with self._client.stream(method, url, params=params, json=json, timeout=timeout) as answer:
                if answer.status_code not in (200, 204, 304):
                    raise Unreachable(f"{self.url} answers {answer.status_code} to {method} {path}{_hint(answer)}")
                yield answer
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL) as error:
            raise Unreachable(f"{self.url} does not answer: {str(error) or type(error).__name__}") from None


def _hint(answer: httpx2.Response) -> str:
    if answer.status_code in (401, 403):
        return ": it does not accept this edge's API key"
    return ""
