# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How requests reach a controller: which of several is asked, when a request is repeated, what a refusal means.

A request that was certainly not done (no connection, 429, 503) is repeated; one whose answer got lost only if doing it
twice is doing it once: reads, and with an ``Idempotency-Key`` also ``POST``.
"""

from __future__ import annotations

import json
import secrets
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from email.message import Message
from http.client import HTTPException, HTTPMessage
from typing import IO, TypeAlias, TypeVar

from .. import __version__, errors
from ..errors import AccessDenied, ArcaError, ConfigError, Place, StaleVersion, StoreUnavailable
from ..store.base import Json, JsonObject

_SAFE = ("GET", "HEAD")
_PIECE = 1 << 16
_LONGEST_PAUSE = 60.0
#: A header of every ``POST``: the controller does it once, and answers a repetition with what it answered first.
_IDEMPOTENCY = "Idempotency-Key"
_T = TypeVar("_T")
Query: TypeAlias = "Mapping[str, str] | Sequence[tuple[str, str]]"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the API key to wherever it points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def make_opener(
    *,
    validate_certs: bool = True,
    ca_path: str | None = None,
    client_cert: str | None = None,
    client_key: str | None = None,
) -> urllib.request.OpenerDirector:
    """What sends requests: TLS checked against the system's or the given authorities. Raises :class:`ConfigError`.

    *client_cert* (PEM, with its key or beside *client_key*) is shown to a controller or proxy that asks for one.
    """
    try:
        context = ssl.create_default_context(cafile=ca_path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the certificates in {ca_path} cannot be read: {error}") from None
    if client_cert is not None:
        try:
            # a key with a passphrase would be asked for on the terminal
            context.load_cert_chain(client_cert, client_key, password="")
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"the client certificate in {client_cert} cannot be used: {error}") from None
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirects())


class Sender:
    """Sends requests to the first of *urls* that answers. The key shows in no error and no ``repr``.

    *retries* is how often a request is sent again; the pause before that doubles from *pause* seconds, or is what
    ``Retry-After`` says. Writes go to another controller only where the first could not be reached at all.
    """

    def __init__(
        self,
        urls: Sequence[str],
        api_key: str,
        *,
        timeout: float,
        opener: urllib.request.OpenerDirector | None,
        retries: int = 0,
        pause: float = 0.5,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._hosts = [_checked(url) for url in urls]
        self._bases = [url.rstrip("/") + "/api/v1" for url in urls]
        self._at = 0  # the controller that answered last
        if any(not "!" <= character <= "~" for character in api_key):
            raise ConfigError("the API key has characters that an HTTP header cannot carry")
        self._key = api_key
        self._timeout = timeout
        self._opener = opener or make_opener()
        self._retries = retries
        self._pause = pause
        self._sleep = sleep

    def object(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: JsonObject | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> JsonObject:
        """The JSON object that the API answers at *path*, which begins with a slash. Raises ``ArcaError``."""
        data = None if body is None else json.dumps(body).encode("utf-8")
        sent = {"Accept": "application/json, application/problem+json", **(headers or {})}
        if data is not None:
            sent["Content-Type"] = "application/json"
        # the secret of a new API key is told once: no controller keeps that answer
        if method == "POST" and self._retries and not path.startswith("/keys"):
            sent[_IDEMPOTENCY] = secrets.token_hex(16)
        text, host = self._attempts(method, path, query, data, sent, timeout, _whole)
        try:
            answer = json.loads(text) if text else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StoreUnavailable(f"{host} answers, but not as a controller: is the URL right?")
        return answer

    def pieces(self, path: str, query: Query = ()) -> Iterator[bytes]:
        """A body that need not fit into memory, in pieces; repeated only before the first of them."""
        accept = {"Accept": "text/plain, application/problem+json"}
        response, host = self._attempts("GET", path, query, None, accept, None, _itself)
        with closing(response):
            try:
                while piece := response.read(_PIECE):
                    yield piece
            except (OSError, HTTPException) as error:
                raise _broken(host, error) from None

    def _attempts(
        self,
        method: str,
        path: str,
        query: Query,
        data: bytes | None,
        headers: Mapping[str, str],
        timeout: float | None,
        use: Callable[[IO[bytes]], _T],
    ) -> tuple[_T, str]:
        """What *use* makes of the first answer, and who gave it. Raises what the last refusal was."""
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        twice = method in _SAFE or _IDEMPOTENCY in headers
        for attempt in range(self._retries + 1):
            pause = self._pause * 2**attempt
            for at in self._order():
                host = self._hosts[at]
                request = self._request(method, self._bases[at] + target, data, headers)
                try:
                    answer = use(self._opener.open(request, timeout=timeout or self._timeout))
                except urllib.error.HTTPError as error:
                    with error:
                        failure = problem(error, host)
                        again = error.code == 429 or (error.code == 503 and twice)
                        pause = max(pause, _retry_after(error.headers))
                    if not again:
                        raise failure from None
                except urllib.error.URLError as error:
                    failure = StoreUnavailable(f"the controller at {host} does not answer: {error.reason}")
                    if isinstance(error.reason, ssl.SSLCertVerificationError):
                        raise failure from None
                except (OSError, HTTPException) as error:
                    failure = _broken(host, error)
                    if not twice:
                        raise failure from None
                else:
                    self._at = at
                    return answer, host
            if attempt < self._retries:
                self._sleep(min(pause, _LONGEST_PAUSE))
        raise failure

    def _order(self) -> list[int]:
        """Which controllers to ask: the one that answered last before the others."""
        every = range(len(self._hosts))
        return [*every[self._at :], *every[: self._at]]

    def _request(self, method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> urllib.request.Request:
        # build_opener has no handlers but those for the scheme, which the constructor checked
        request = urllib.request.Request(url, data, method=method)  # noqa: S310
        request.add_header("Authorization", f"Bearer {self._key}")
        request.add_header("User-Agent", f"arca-dns/{__version__}")
        for header, value in headers.items():
            request.add_header(header, value)
        return request


def _checked(url: str) -> str:
    """The controller of *url*, without path, as errors name it."""
    try:
        parts = urllib.parse.urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good:
        raise ConfigError(f"{url!r} is not the URL of a controller: write http://HOST:PORT or https://HOST:PORT")
    if parts.username or parts.password:
        raise ConfigError("the controller's URL holds a user or a password: the API key goes in its own option")
    return f"{parts.scheme}://{parts.netloc}"


def _whole(response: IO[bytes]) -> bytes:
    with closing(response):
        return response.read()


def _itself(response: IO[bytes]) -> IO[bytes]:
    return response


def _broken(host: str, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the controller at {host} broke off: {str(error) or type(error).__name__}")


def _retry_after(headers: Message) -> float:
    """Seconds; 0 where nothing or a date is said (RFC 9110 section 10.2.3)."""
    value = headers.get("Retry-After") or ""
    return float(value) if value.isdecimal() else 0.0


def problem(error: urllib.error.HTTPError, host: str) -> ArcaError:
    """The error that the controller at *host* had, from its problem details (RFC 9457)."""
    try:
        value = json.loads(error.read())
    except (OSError, ValueError, HTTPException):
        value = None
    if not isinstance(value, dict) or "code" not in value:
        if error.code in (401, 403):
            return AccessDenied(f"the controller at {host} refuses the API key ({error.code})")
        if 300 <= error.code < 400:
            return StoreUnavailable(f"{host} redirects to another place: give the URL of the controller itself")
        return StoreUnavailable(f"the controller at {host} answers {error.code} {error.reason}")
    message = str(value.get("detail") or value.get("title") or value["code"])
    request = error.headers.get("X-Request-Id")
    if error.code >= 500 and request and request.isprintable():
        message += f" (request {request})"
    if value["code"] == StaleVersion.code:
        return StaleVersion(message, str(value.get("current") or ""))
    places = [_place(place) for place in value.get("places") or [] if isinstance(place, dict)]
    kind = kinds().get(str(value["code"]))
    if kind is None:
        kind = AccessDenied if error.code in (401, 403) else errors.InputError if error.code < 500 else ArcaError
    return kind(message, places)


def kinds() -> dict[str, type[ArcaError]]:
    """Every class of the library's error tree that is made from a message and places, by its code."""
    found: dict[str, type[ArcaError]] = {}
    waiting: list[type[ArcaError]] = [ArcaError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind is not StaleVersion and kind.__module__ == ArcaError.__module__:
            found[kind.code] = kind
    return found


def _place(value: Mapping[str, Json]) -> Place:
    line, column, pointer = value.get("line"), value.get("column"), value.get("pointer")
    return Place(
        str(value.get("message", "")),
        line if isinstance(line, int) else None,
        column if isinstance(column, int) else None,
        None if pointer is None else str(pointer),
    )
