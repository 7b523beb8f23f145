# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The client of a controller's REST API, on the standard library alone: modules need nothing else on their hosts."""

from __future__ import annotations

import codecs
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence

from ..errors import NotFound
from ..store.base import Json, JsonObject
from . import answers
from .base import (
    DeletedZone,
    Difference,
    Outcome,
    Plan,
    Promote,
    RecordSet,
    Version,
    Write,
    ZoneContent,
    ZoneState,
    absolute,
)
from .sending import Query, Sender

_PAGE = 500


class HttpClient:
    """A :class:`~.base.Client` of the controller at *url*; of several controllers on one store, at *others* too.

    *retries* is how often a request is sent again that was not done, or that may be done twice: see :mod:`.sending`.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        others: Sequence[str] = (),
        timeout: float = 30.0,
        retries: int = 0,
        opener: urllib.request.OpenerDirector | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._sender = Sender([url, *others], api_key, timeout=timeout, opener=opener, retries=retries, sleep=sleep)

    def zone(self, name: str) -> ZoneState:
        """See :class:`~.base.Client`."""
        return answers.state(self._sender.object("GET", _zone_path(name), {"records": "false"}))

    def zones(self) -> Iterator[ZoneState]:
        """See :class:`~.base.Client`."""
        after = ""
        while True:
            query = {"limit": str(_PAGE), **({"after": after} if after else {})}
            answer = self._sender.object("GET", "/zones", query)
            yield from (answers.state(answers.mapping(item)) for item in answers.items(answer.get("zones")))
            after = str(answer.get("next") or "")
            if not after:
                return

    def record_sets(self, name: str, version: str | None = None) -> list[RecordSet]:
        """See :class:`~.base.Client`."""
        path = _zone_path(name) if version is None else _version_path(name, version)
        return answers.record_sets(self._sender.object("GET", path))

    def zone_file(self, name: str) -> Iterator[str]:
        """See :class:`~.base.Client`."""
        return codecs.iterdecode(self._sender.pieces(_zone_path(name) + "/raw"), "utf-8")

    def versions(self, name: str) -> Iterator[Version]:
        """See :class:`~.base.Client`."""
        after = ""
        while True:
            query = {"limit": str(_PAGE), **({"after": after} if after else {})}
            answer = self._sender.object("GET", _zone_path(name) + "/versions", query)
            yield from (answers.version(answers.mapping(item)) for item in answers.items(answer.get("versions")))
            after = str(answer.get("next") or "")
            if not after:
                return

    def diff(self, name: str, old: str, new: str | None = None) -> tuple[Difference, ...]:
        """See :class:`~.base.Client`."""
        query = {"from": old, **({} if new is None else {"to": new})}
        answer = self._sender.object("GET", _zone_path(name) + "/diff", query)
        return answers.differences(answer, absolute("@", name))

    def rollback(self, name: str, version: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return self._write("POST", _zone_path(name) + "/rollback", write, {"version": version}, name, fenced=True)

    def edges(self) -> list[JsonObject]:
        """See :class:`~.base.Client`."""
        return [answers.mapping(item) for item in answers.items(self._sender.object("GET", "/edges").get("edges"))]

    def rings(self) -> list[JsonObject]:
        """See :class:`~.base.Client`."""
        return [answers.mapping(item) for item in answers.items(self._sender.object("GET", "/rings").get("rings"))]

    def promote(self, ring: str, promote: Promote) -> JsonObject:
        """See :class:`~.base.Client`."""
        body: JsonObject = {
            "source": promote.source,
            "revision": promote.revision,
            "soak_seconds": promote.soak_seconds,
            "failing_share": promote.failing_share,
            "rollback": promote.rollback,
            "force": promote.force,
        }
        query = {"reason": promote.reason} if promote.reason else {}
        if promote.dry_run:
            query["dry_run"] = "true"
        headers = {} if promote.if_head is None else {"If-Match": f'"{promote.if_head}"'}
        return self._sender.object("POST", f"/rings/{answers.quoted(ring)}/promote", query, body, headers)

    def abort_promotion(self, ring: str, reason: str = "") -> JsonObject:
        """See :class:`~.base.Client`."""
        query = {"reason": reason} if reason else {}
        return self._sender.object("POST", f"/rings/{answers.quoted(ring)}/abort", query)

    def call(
        self,
        method: str,
        path: str,
        query: Query = (),
        body: JsonObject | None = None,
        timeout: float | None = None,
    ) -> JsonObject:
        """What only a controller has: the JSON object at *path* below the API, such as ``/status``."""
        return self._sender.object(method, path, query, body, timeout=timeout)

    def create_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        body = {"name": absolute("@", name), **answers.body_of(content, settings)}
        return self._write("POST", "/zones", write, body, name)

    def replace_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        body = {"name": absolute("@", name), **answers.body_of(content, settings)}
        return self._write("PUT", _zone_path(name), write, body, name)

    def delete_zone(self, name: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return self._write("DELETE", _zone_path(name), write, None, name)

    def deleted_zones(self) -> Iterator[DeletedZone]:
        """See :class:`~.base.Client`."""
        after = ""
        while True:
            query = {"limit": str(_PAGE), **({"after": after} if after else {})}
            answer = self._sender.object("GET", "/deleted-zones", query)
            yield from (answers.deleted(answers.mapping(item)) for item in answers.items(answer.get("zones")))
            after = str(answer.get("next") or "")
            if not after:
                return

    def undelete_zone(self, name: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return self._write("POST", _zone_path(name) + "/undelete", write, None, name)

    def put_record_set(
        self, zone: str, owner: str, rdtype: str, values: Sequence[str], ttl: int | None, write: Write
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        body: JsonObject = {"values": list(values)}
        if ttl is not None:
            body["ttl"] = ttl
        return self._write("PUT", _set_path(zone, owner, rdtype), write, body, zone)

    def delete_record_set(self, zone: str, owner: str, rdtype: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        try:
            return self._write("DELETE", _set_path(zone, owner, rdtype), write, None, zone)
        except NotFound:
            state = self.zone(zone)  # raises if it is the zone that is missing
            return Outcome(Plan(), changed=False, applied=False, version=state.version, serial=state.serial)

    def ds(self, name: str, digest_types: Sequence[int] = (2,)) -> list[str]:
        """See :class:`~.base.Client`."""
        query = [("digest", str(digest)) for digest in digest_types]
        answer = self._sender.object("GET", _zone_path(name) + "/ds", query)
        return [str(value) for value in answers.items(answer.get("ds"))]

    def close(self) -> None:
        """Every request has its own connection: nothing is held."""

    def _write(
        self,
        method: str,
        path: str,
        write: Write,
        body: JsonObject | None,
        zone: str,
        *,
        fenced: bool = False,
    ) -> Outcome:
        query = {}
        if write.dry_run:
            query["dry_run"] = "true"
        if write.force:
            query["force"] = "true"
        if write.reason:
            query["reason"] = write.reason
        headers = {}
        if method != "POST" or fenced:
            headers["If-Match"] = "*" if write.if_version is None else f'"{write.if_version}"'
        return answers.outcome_of(self._sender.object(method, path, query, body, headers), absolute("@", zone))


def _zone_path(name: str) -> str:
    return f"/zones/{answers.quoted_zone(name)}"


def _set_path(zone: str, owner: str, rdtype: str) -> str:
    at = owner if owner == "@" else absolute(owner, zone)
    return f"{_zone_path(zone)}/rrsets/{answers.quoted(at)}/{answers.quoted(rdtype)}"


def _version_path(name: str, version: str) -> str:
    return f"{_zone_path(name)}/versions/{answers.quoted(version)}"
