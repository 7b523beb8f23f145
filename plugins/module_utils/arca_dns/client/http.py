# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The client of a controller's REST API, on the standard library alone: modules need nothing else on their hosts."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from http.client import HTTPException, HTTPMessage
from typing import IO, cast

from .. import __version__, errors
from ..errors import AccessDenied, ArcaError, ConfigError, NotFound, Place, StaleVersion, StoreUnavailable
from ..store.base import Json, JsonObject
from .base import (
    DEFAULT_TTL,
    DeletedZone,
    Difference,
    Outcome,
    Plan,
    RecordSet,
    Write,
    ZoneContent,
    ZoneState,
    absolute,
)

_PAGE = 500


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the API key to wherever it points."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def make_opener(*, validate_certs: bool = True, ca_path: str | None = None) -> urllib.request.OpenerDirector:
    """What sends requests: TLS checked against the system's or the given authorities. Raises :class:`ConfigError`."""
    try:
        context = ssl.create_default_context(cafile=ca_path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"the certificates in {ca_path} cannot be read: {error}") from None
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _NoRedirects())


class HttpClient:
    """A :class:`~.base.Client` of the controller at *url*. The key shows in no error and no ``repr``."""

    def __init__(
        self, url: str, api_key: str, *, timeout: float = 30.0, opener: urllib.request.OpenerDirector | None = None
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"{url!r} is not the URL of a controller: write http://HOST:PORT or https://HOST:PORT")
        if parts.username or parts.password:
            raise ConfigError("the controller's URL holds a user or a password: the API key goes in its own option")
        if any(not "!" <= character <= "~" for character in api_key):
            raise ConfigError("the API key has characters that an HTTP header cannot carry")
        self._base = url.rstrip("/") + "/api/v1"
        self._host = f"{parts.scheme}://{parts.netloc}"
        self._key = api_key
        self._timeout = timeout
        self._opener = opener or make_opener()

    def zone(self, name: str) -> ZoneState:
        """See :class:`~.base.Client`."""
        return _state(self._object("GET", _zone_path(name), {"records": "false"}))

    def zones(self) -> Iterator[ZoneState]:
        """See :class:`~.base.Client`."""
        after = ""
        while True:
            query = {"limit": str(_PAGE), **({"after": after} if after else {})}
            answer = self._object("GET", "/zones", query)
            yield from (_state(_mapping(item)) for item in _list(answer.get("zones")))
            after = str(answer.get("next") or "")
            if not after:
                return

    def record_sets(self, name: str) -> list[RecordSet]:
        """See :class:`~.base.Client`."""
        answer = self._object("GET", _zone_path(name))
        records = _group(_list(answer.get("records")), str(answer["name"]))
        soa = _mapping(answer.get("soa"))
        if soa:
            fields = ("mname", "rname", "serial", "refresh", "retry", "expire", "minimum")
            value = " ".join(str(soa.get(field)) for field in fields)
            apex = str(answer["name"])
            # canonical order at the apex: A and NS have lower numbers
            before = next((i for i, one in enumerate(records) if one.name != apex or one.type not in ("A", "NS")), None)
            at = len(records) if before is None else before
            records.insert(at, RecordSet(apex, "SOA", _number(soa.get("ttl")), (value,)))
        return records

    def create_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        body = {"name": absolute("@", name), **_body(content, settings)}
        return self._write("POST", "/zones", write, body, name)

    def replace_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        body = {"name": absolute("@", name), **_body(content, settings)}
        return self._write("PUT", _zone_path(name), write, body, name)

    def delete_zone(self, name: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return self._write("DELETE", _zone_path(name), write, None, name)

    def deleted_zones(self) -> Iterator[DeletedZone]:
        """See :class:`~.base.Client`."""
        after = ""
        while True:
            query = {"limit": str(_PAGE), **({"after": after} if after else {})}
            answer = self._object("GET", "/deleted-zones", query)
            yield from (_deleted(_mapping(item)) for item in _list(answer.get("zones")))
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
        answer = self._object("GET", _zone_path(name) + "/ds", query)
        return [str(value) for value in _list(answer.get("ds"))]

    def close(self) -> None:
        """Every request has its own connection: nothing is held."""

    def _write(self, method: str, path: str, write: Write, body: JsonObject | None, zone: str) -> Outcome:
        query = {}
        if write.dry_run:
            query["dry_run"] = "true"
        if write.force:
            query["force"] = "true"
        if write.reason:
            query["reason"] = write.reason
        headers = {}
        if method != "POST":
            headers["If-Match"] = "*" if write.if_version is None else f'"{write.if_version}"'
        return _outcome(self._object(method, path, query, body, headers), absolute("@", zone))

    def _object(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: JsonObject | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> JsonObject:
        url = self._base + path + ("?" + urllib.parse.urlencode(query) if query else "")
        # build_opener has no handlers but those for the scheme, which the constructor checked
        request = urllib.request.Request(url, method=method)  # noqa: S310
        request.add_header("Authorization", f"Bearer {self._key}")
        request.add_header("Accept", "application/json, application/problem+json")
        request.add_header("User-Agent", f"arca-dns/{__version__}")
        for header, value in (headers or {}).items():
            request.add_header(header, value)
        if body is not None:
            request.data = json.dumps(body).encode("utf-8")
            request.add_header("Content-Type", "application/json")
        try:
            with self._opener.open(request, timeout=self._timeout) as response:
                data = response.read()
        except urllib.error.HTTPError as error:
            with error:
                raise self._problem(error) from None
        except urllib.error.URLError as error:
            raise StoreUnavailable(f"the controller at {self._host} does not answer: {error.reason}") from None
        except (OSError, HTTPException) as error:
            raise StoreUnavailable(
                f"the controller at {self._host} broke off: {str(error) or type(error).__name__}"
            ) from None
        try:
            answer = json.loads(data) if data else {}
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StoreUnavailable(f"{self._host} answers, but not as a controller: is the URL right?")
        return answer

    def _problem(self, error: urllib.error.HTTPError) -> ArcaError:
        """The error that the controller had, from its problem details (RFC 9457)."""
        try:
            value = json.loads(error.read())
        except (OSError, ValueError, HTTPException):
            value = None
        if not isinstance(value, dict) or "code" not in value:
            if error.code in (401, 403):
                return AccessDenied(f"the controller at {self._host} refuses the API key ({error.code})")
            if 300 <= error.code < 400:
                return StoreUnavailable(
                    f"{self._host} redirects to another place: give the URL of the controller itself"
                )
            return StoreUnavailable(f"the controller at {self._host} answers {error.code} {error.reason}")
        message = str(value.get("detail") or value.get("title") or value["code"])
        if value["code"] == StaleVersion.code:
            return StaleVersion(message, str(value.get("current") or ""))
        places = [_place(place) for place in value.get("places") or [] if isinstance(place, dict)]
        kind = _kinds().get(str(value["code"]))
        if kind is None:
            kind = AccessDenied if error.code in (401, 403) else errors.InputError if error.code < 500 else ArcaError
        return kind(message, places)


def _kinds() -> dict[str, type[ArcaError]]:
    """Every class of the error tree that is made from a message and places, by its code."""
    found: dict[str, type[ArcaError]] = {}
    waiting: list[type[ArcaError]] = [ArcaError]
    while waiting:
        kind = waiting.pop()
        waiting.extend(kind.__subclasses__())
        if kind is not StaleVersion:
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


def _quote(part: str) -> str:
    return urllib.parse.quote(part, safe="@*")


def _zone_path(name: str) -> str:
    return f"/zones/{_quote(absolute('@', name))}"


def _set_path(zone: str, owner: str, rdtype: str) -> str:
    return f"{_zone_path(zone)}/rrsets/{_quote(owner if owner == '@' else absolute(owner, zone))}/{_quote(rdtype)}"


def _body(content: ZoneContent, settings: Mapping[str, Json] | None) -> JsonObject:
    body: JsonObject = {}
    if content.text is not None:
        body["text"] = content.text
    if content.records:
        body["records"] = [
            {
                "name": record.name,
                "type": record.type,
                "values": list(record.values),
                **({} if record.ttl is None else {"ttl": record.ttl}),
            }
            for record in content.records
        ]
    if content.soa is not None:
        soa = content.soa
        body["soa"] = {
            "mname": soa.mname,
            **({} if soa.rname is None else {"rname": soa.rname}),
            "refresh": soa.refresh,
            "retry": soa.retry,
            "expire": soa.expire,
            "minimum": soa.minimum,
            "ttl": soa.ttl,
        }
    if settings is not None:
        body["settings"] = dict(settings)
    return body


def _mapping(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0


def _state(value: JsonObject) -> ZoneState:
    published = _mapping(value.get("published"))
    problem = value.get("problem")
    return ZoneState(
        name=str(value["name"]),
        version=str(value["version"]),
        serial=_number(value.get("serial")),
        records=_number(value.get("record_count")),
        published_version=str(published["version"]) if published else None,
        published_serial=_number(published.get("serial")) if published else None,
        settings=_mapping(value.get("settings")),
        created=str(value.get("created", "")),
        modified=str(value.get("modified", "")),
        problem=None if problem is None else str(problem),
    )


def _deleted(value: JsonObject) -> DeletedZone:
    texts = {name: str(value[name]) for name in ("name", "version", "last", "created", "deleted", "actor", "reason")}
    return DeletedZone(
        serial=_number(value.get("serial")),
        records=_number(value.get("record_count")),
        settings=_mapping(value.get("settings")),
        **texts,
    )


def _set(name: Json, rdtype: Json, value: Json, zone: str) -> RecordSet | None:
    if not isinstance(value, dict):
        return None
    values = tuple(str(item) for item in _list(value.get("values")))
    return RecordSet(absolute(str(name), zone), str(rdtype), _number(value.get("ttl")), values)


def _outcome(answer: JsonObject, zone: str) -> Outcome:
    plan = _mapping(answer.get("plan"))
    differences = []
    for kind in ("removals", "changes", "adds"):
        for item in map(_mapping, _list(plan.get(kind))):
            name, rdtype = item.get("name"), item.get("type")
            before = item.get("before") if kind == "changes" else item if kind == "removals" else None
            after = item.get("after") if kind == "changes" else item if kind == "adds" else None
            differences.append(Difference(_set(name, rdtype, before, zone), _set(name, rdtype, after, zone)))
    problem, version = answer.get("problem"), answer.get("version")
    return Outcome(
        Plan(
            tuple(differences),
            tuple(map(str, _list(plan.get("warnings")))),
            tuple(map(str, _list(plan.get("refusals")))),
        ),
        changed=bool(answer.get("changed")),
        applied=bool(answer.get("applied")),
        version=None if version is None else str(version),
        serial=_number(answer.get("serial")),
        published=bool(answer.get("published", True)),
        problem=None if problem is None else str(problem),
    )


def _group(records: Sequence[Json], zone: str) -> list[RecordSet]:
    """Records, in order, as RRsets: those of one owner and type follow each other."""
    found: list[RecordSet] = []
    for item in cast("Sequence[JsonObject]", records):
        name, rdtype = absolute(str(item["name"]), zone), str(item["type"])
        ttl = item.get("ttl")
        value = str(item["value"])
        if found and (found[-1].name, found[-1].type) == (name, rdtype):
            last = found.pop()
            found.append(RecordSet(name, rdtype, last.ttl, (*last.values, value)))
        else:
            found.append(RecordSet(name, rdtype, ttl if isinstance(ttl, int) else DEFAULT_TTL, (value,)))
    return found
