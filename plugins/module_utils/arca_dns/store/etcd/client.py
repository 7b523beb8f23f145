# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A thin client of etcd v3 over its JSON gateway: transactions, ranges, watches, authentication, failover.

No etcd client for Python is maintained; the gateway is part of every etcd since 3.4 and needs nothing but HTTP.
Keys and values are octets here and Base64 on the wire. A request that may have been applied although no answer came
raises :class:`Unanswered`; one that was certainly not goes to the next endpoint by itself.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import select
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import StoreUnavailable
from ..credentials import Password

#: Idle connections that are kept.
_POOL = 16
#: etcd's (gRPC's) codes.
_UNAUTHENTICATED, _PERMISSION_DENIED, _INVALID, _EXHAUSTED, _UNAVAILABLE, _DEADLINE = 16, 7, 3, 8, 14, 4

_JSON = {"Content-Type": "application/json"}

# What etcd says, and what to do.
_SAYS = (
    (
        "database space exceeded",
        "the server has no space left in its quota: run etcdctl compact and etcdctl defrag, then etcdctl alarm disarm,"
        " and set --auto-compaction-retention",
    ),
    ("permission denied", "the user has no permission; grant it a role with readwrite on the prefix"),
    ("authentication failed", "the server refuses the user or the password; set user and password right"),
    ("user name is empty", "the server wants a user and a password; set the options user and password"),
    ("authentication is not enabled", "the server has no authentication enabled; leave out user and password"),
    ("request is too large", "the server takes no request of this size; leave its --max-request-bytes at the default"),
    ("too many operations", "the server takes fewer operations at once than by default; raise its --max-txn-ops"),
)


class Unanswered(Exception):
    """A request went out and no answer came: whether it was done is not known."""


class Refused(Exception):
    """The server answered with an error; *code* is gRPC's."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Address:
    """Where one member of the cluster answers."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"


def endpoint(url: str) -> Address:
    """Read the URL of an endpoint. Raises ``ValueError``."""
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port or 2379
    except ValueError:
        parts, port = urllib.parse.urlsplit(""), 0
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.path.strip("/"):
        raise ValueError("must be a URL such as https://etcd1.example.net:2379, without user or path")
    return Address(parts.hostname, port, parts.scheme == "https")


@dataclass(frozen=True, slots=True)
class Item:
    """A key as etcd holds it; *changed* is the revision of the whole cluster that wrote it last."""

    key: bytes
    value: bytes
    changed: int


@dataclass(frozen=True, slots=True)
class Result:
    """What a transaction answered: one list of items for each of its ranges, in their order."""

    succeeded: bool
    revision: int
    ranges: list[list[Item]]


def put(key: bytes, value: bytes) -> dict[str, Any]:
    """The operation that writes a key."""
    return {"request_put": {"key": _text(key), "value": _text(value)}}


def delete(key: bytes, end: bytes = b"") -> dict[str, Any]:
    """The operation that deletes a key, or all from *key* up to *end*."""
    return {"request_delete_range": {"key": _text(key), **({"range_end": _text(end)} if end else {})}}


def fetch(key: bytes, end: bytes = b"", limit: int = 0, *, at: int = 0) -> dict[str, Any]:
    """The operation that reads a key, or up to *limit* from *key* up to *end*, as of revision *at*."""
    asked: dict[str, Any] = {"key": _text(key)}
    if end:
        asked["range_end"] = _text(end)
    if limit:
        asked["limit"] = str(limit)
    if at:
        asked["revision"] = str(at)
    return {"request_range": asked}


def unchanged(key: bytes, changed: int) -> dict[str, Any]:
    """The condition that *key* was last written at revision *changed* of the cluster; 0: that there is none."""
    return {"key": _text(key), "target": "MOD", "result": "EQUAL", "mod_revision": str(changed)}


class EtcdClient:
    """Requests to a cluster. Safe to use from any thread."""

    def __init__(
        self,
        addresses: Sequence[Address],
        user: str | None,
        password: Password,
        tls: ssl.SSLContext | None,
        timeout: float,
    ) -> None:
        self._addresses = list(addresses)
        self._user = user
        self._password = password
        self._tls = tls
        self._timeout = timeout
        self._lock = threading.Lock()
        self._first = 0  # of the addresses: the one that answered last
        self._idle: list[tuple[Address, http.client.HTTPConnection]] = []
        self._token: str | None = None

    @property
    def name(self) -> str:
        """What the cluster is called in messages."""
        return f"etcd at {', '.join(map(str, self._addresses))}"

    def transact(
        self,
        success: Sequence[dict[str, Any]],
        *,
        compare: Sequence[dict[str, Any]] = (),
        failure: Sequence[dict[str, Any]] = (),
    ) -> Result:
        """One transaction. Raises :class:`StoreUnavailable`; :class:`Unanswered` only if it writes."""
        body = {"compare": list(compare), "success": list(success), "failure": list(failure)}
        writes = any("request_range" not in operation for operation in (*success, *failure))
        answer = self._ask("/v3/kv/txn", body, writes=writes)
        ranges = [
            [_item(kv) for kv in response["response_range"].get("kvs", ())]
            for response in answer.get("responses", ())
            if "response_range" in response
        ]
        return Result(bool(answer.get("succeeded")), int(answer["header"]["revision"]), ranges)

    def compact(self, revision: int) -> None:
        """Let the cluster forget what its keys were before *revision*."""
        with contextlib.suppress(Refused, Unanswered):  # somebody has compacted further already
            self._ask("/v3/kv/compaction", {"revision": str(revision)}, writes=True, explain=False)

    def wait(self, key: bytes, since: int, timeout: float) -> None:
        """Return when *key* is written at revision *since* or later, after *timeout* seconds, or if the watch ends."""
        deadline = time.monotonic() + timeout
        address = self._addresses[self._first]
        connection = self._connect(address, self._timeout)
        try:
            headers = self._headers(address)
            connection.connect()
            if connection.sock is None:
                return
            body = {"create_request": {"key": _text(key), "start_revision": str(since)}}
            connection.request("POST", "/v3/watch", json.dumps(body), headers)
            response = connection.getresponse()
            if response.status != 200:
                time.sleep(min(0.2, timeout))  # a token that expired: the next reading renews it
                return
            while (left := deadline - time.monotonic()) > 0:
                connection.sock.settimeout(left)
                line = response.readline()
                if not line or b'"events"' in line or b'"canceled"' in line or b'"error"' in line:
                    return
        except (OSError, http.client.HTTPException, _NotSent, Refused):
            time.sleep(max(0.0, min(0.05, deadline - time.monotonic())))
        finally:
            connection.close()

    def close(self) -> None:
        """Close the connections."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _address, connection in idle:
            connection.close()

    # -- requests ---------------------------------------------------------------------------

    def _ask(self, path: str, body: dict[str, Any], *, writes: bool, explain: bool = True) -> dict[str, Any]:
        """The answer of the first endpoint that gives one. A write goes on only if it was certainly not done."""
        data = json.dumps(body).encode("ascii")
        problem = "no endpoint answers"
        renewed = False
        attempts = 0
        while attempts < len(self._addresses):
            at = (self._first + attempts) % len(self._addresses)
            address = self._addresses[at]
            try:
                answer = self._send(address, path, data, self._headers(address))
            except Refused as error:
                if error.code == _UNAUTHENTICATED and not renewed and self._token is not None:
                    renewed, self._token = True, None
                    continue
                if error.code in (_UNAVAILABLE, _DEADLINE):
                    if writes and "no leader" not in error.message:
                        raise Unanswered(error.message) from None
                    problem = f"the cluster cannot serve: {error.message}"
                    attempts += 1
                    continue
                if not explain:
                    raise
                raise StoreUnavailable(f"{self.name}: {_explained(error)}") from None
            except _NotSent as error:
                problem = str(error)
                attempts += 1
                continue
            except Unanswered as error:
                if writes:
                    raise
                problem = str(error)
                attempts += 1
                continue
            self._first = at
            return answer
        raise StoreUnavailable(f"{self.name}: {problem}")

    def _send(self, address: Address, path: str, data: bytes, headers: dict[str, str]) -> dict[str, Any]:
        connection = self._take(address)
        try:
            if connection.sock is None:
                connection.connect()
                if connection.sock is not None:
                    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except ssl.SSLError as error:
            connection.close()
            reason = error.reason or "it was cut"
            raise _NotSent(f"the TLS connection fails ({reason}); see the options ca_file and cert_file") from None
        except OSError as error:
            connection.close()
            raise _NotSent(f"the server does not answer ({error.strerror or error})") from None
        try:
            connection.request("POST", path, data, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unanswered(f"the connection broke ({str(error) or type(error).__name__})") from None
        self._give_back(address, connection)
        try:
            value = json.loads(answer)
        except ValueError:
            raise StoreUnavailable(f"{address} answers, but not as etcd does: is the endpoint right?") from None
        if response.status != 200 or "error" in value:
            message = str(value.get("error") or value.get("message") or response.reason)
            raise Refused(int(value.get("code") or 0), message)
        found: dict[str, Any] = value
        return found

    def _headers(self, address: Address) -> dict[str, str]:
        """What goes with a request: a token, too, where there is a user."""
        if self._user is None:
            return dict(_JSON)
        token = self._token
        if token is None:
            body = {"name": self._user, "password": self._password.reveal() or ""}
            try:
                answer = self._send(address, "/v3/auth/authenticate", json.dumps(body).encode(), dict(_JSON))
            except Unanswered as error:
                raise _NotSent(str(error)) from None
            self._token = token = str(answer["token"])
        return {**_JSON, "Authorization": token}

    def _take(self, address: Address) -> http.client.HTTPConnection:
        """An idle connection that the server has not closed meanwhile, or a new one."""
        while True:
            with self._lock:
                index = next((i for i, (there, _one) in enumerate(self._idle) if there == address), None)
                connection = None if index is None else self._idle.pop(index)[1]
            if connection is None:
                return self._connect(address, self._timeout)
            if connection.sock is not None and not select.select([connection.sock], [], [], 0)[0]:
                return connection
            connection.close()

    def _give_back(self, address: Address, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if connection.sock is not None and len(self._idle) < _POOL:
                self._idle.append((address, connection))
                return
        connection.close()

    def _connect(self, address: Address, timeout: float) -> http.client.HTTPConnection:
        if address.tls:
            return http.client.HTTPSConnection(address.host, address.port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(address.host, address.port, timeout=timeout)


class _NotSent(Exception):
    """A request did not go out."""


def _explained(error: Refused) -> str:
    for part, says in _SAYS:
        if part in error.message:
            return says
    if error.code == _UNAUTHENTICATED:
        return "the server refuses the user or the password; set user and password right"
    return error.message.removeprefix("etcdserver: ")


def _item(kv: dict[str, str]) -> Item:
    return Item(base64.b64decode(kv["key"]), base64.b64decode(kv.get("value", "")), int(kv["mod_revision"]))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def pages(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """*items* in lists of *size* at most."""
    for at in range(0, len(items), size):
        yield items[at : at + size]
