# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From and to the API's JSON: what a client sends of a zone, and the values of :mod:`.base` that answers become."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping, Sequence
from typing import cast

from ..store.base import Json, JsonObject
from .base import (
    DEFAULT_TTL,
    DeletedZone,
    Difference,
    Outcome,
    Plan,
    RecordSet,
    Version,
    ZoneContent,
    ZoneState,
    absolute,
)


def body_of(content: ZoneContent, settings: Mapping[str, Json] | None) -> JsonObject:
    """A zone as it is sent."""
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


def mapping(value: Json) -> JsonObject:
    """*value* if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """*value* if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def number(value: Json) -> int:
    """*value* if it is a whole number, else 0."""
    return value if isinstance(value, int) else 0


def state(value: JsonObject) -> ZoneState:
    """A zone without its content."""
    published = mapping(value.get("published"))
    problem = value.get("problem")
    return ZoneState(
        name=str(value["name"]),
        version=str(value["version"]),
        serial=number(value.get("serial")),
        records=number(value.get("record_count")),
        published_version=str(published["version"]) if published else None,
        published_serial=number(published.get("serial")) if published else None,
        settings=mapping(value.get("settings")),
        created=str(value.get("created", "")),
        modified=str(value.get("modified", "")),
        problem=None if problem is None else str(problem),
    )


def deleted(value: JsonObject) -> DeletedZone:
    """A deleted zone."""
    texts = {name: str(value[name]) for name in ("name", "version", "last", "created", "deleted", "actor", "reason")}
    return DeletedZone(
        serial=number(value.get("serial")),
        records=number(value.get("record_count")),
        settings=mapping(value.get("settings")),
        **texts,
    )


def _set(name: Json, rdtype: Json, value: Json, zone: str) -> RecordSet | None:
    if not isinstance(value, dict):
        return None
    values = tuple(str(item) for item in items(value.get("values")))
    return RecordSet(absolute(str(name), zone), str(rdtype), number(value.get("ttl")), values)


def outcome_of(answer: JsonObject, zone: str) -> Outcome:
    """What a write did."""
    plan = mapping(answer.get("plan"))
    problem, version = answer.get("problem"), answer.get("version")
    return Outcome(
        Plan(
            differences(plan, zone),
            tuple(map(str, items(plan.get("warnings")))),
            tuple(map(str, items(plan.get("refusals")))),
        ),
        changed=bool(answer.get("changed")),
        applied=bool(answer.get("applied")),
        version=None if version is None else str(version),
        serial=number(answer.get("serial")),
        published=bool(answer.get("published", True)),
        problem=None if problem is None else str(problem),
    )


def grouped(records: Sequence[Json], zone: str) -> list[RecordSet]:
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


def differences(value: JsonObject, zone: str) -> tuple[Difference, ...]:
    """Removals, changes and additions, in this order."""
    found = []
    for kind in ("removals", "changes", "adds"):
        for item in map(mapping, items(value.get(kind))):
            name, rdtype = item.get("name"), item.get("type")
            before = item.get("before") if kind == "changes" else item if kind == "removals" else None
            after = item.get("after") if kind == "changes" else item if kind == "adds" else None
            found.append(Difference(_set(name, rdtype, before, zone), _set(name, rdtype, after, zone)))
    return tuple(found)


def record_sets(answer: JsonObject) -> list[RecordSet]:
    """The RRsets of a zone or of one of its versions, the SOA in its place."""
    apex = str(answer["name"])
    records = grouped(items(answer.get("records")), apex)
    soa = mapping(answer.get("soa"))
    if soa:
        fields = ("mname", "rname", "serial", "refresh", "retry", "expire", "minimum")
        value = " ".join(str(soa.get(field)) for field in fields)
        # canonical order at the apex: A and NS have lower numbers
        before = next((i for i, one in enumerate(records) if one.name != apex or one.type not in ("A", "NS")), None)
        at = len(records) if before is None else before
        records.insert(at, RecordSet(apex, "SOA", number(soa.get("ttl")), (value,)))
    return records


def version(value: JsonObject) -> Version:
    """One version of a zone."""
    parent = value.get("parent")
    return Version(
        version=str(value["version"]),
        parent=None if parent is None else str(parent),
        serial=number(value.get("serial")),
        records=number(value.get("record_count")),
        actor=str(value.get("actor", "")),
        reason=str(value.get("reason", "")),
        time=str(value.get("time", "")),
    )


def quoted(part: str) -> str:
    """*part* as one segment of a path."""
    return urllib.parse.quote(part, safe="@*")


def quoted_zone(name: str) -> str:
    """A zone as one segment of a path."""
    return quoted(absolute("@", name))
