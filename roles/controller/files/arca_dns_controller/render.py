# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From the service's values to the API's JSON and text. Large answers are streamed, a piece at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from json.encoder import encode_basestring_ascii as quoted
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse, StreamingResponse

from arca_dns.documents import Deleted, PublishedVersion, SourceVersion, utc
from arca_dns.finding import Page
from arca_dns.service import Outcome, ZoneInfo
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.changes import RRsetDiff
from arca_dns.zone.text import relative

#: A piece of a stream: each costs a change of threads.
_PIECE = 1 << 16
#: Up to so many octets an answer is made before it is begun.
_AT_ONCE = 1 << 18
#: RRsets that a plan shows; of larger ones it tells the number.
MOST_DIFFS = 10_000


def body(pieces: Iterable[bytes], media: str, headers: Mapping[str, str] | None = None) -> Response:
    """An answer of *pieces*: at once where they are few, with their length; else as a stream."""
    rest = iter(pieces)
    held: list[bytes] = []
    for piece in rest:
        held.append(piece)
        if len(held) * _PIECE > _AT_ONCE:
            return StreamingResponse(chain(held, rest), media_type=media, headers=headers)
    return Response(b"".join(held), media_type=media, headers=dict(headers or {}))


def etag(version: str) -> str:
    """*version* as an ETag."""
    return f'"{version}"'


def published(version: PublishedVersion | None, *, signed: bool) -> dict[str, Any] | None:
    """What edges serve of a zone."""
    if version is None:
        return None
    return {
        "version": version.version,
        "serial": version.serial,
        "source": version.source,
        "records": version.records,
        "expires": utc(version.earliest_expiry) if signed else None,
        "time": version.time,
    }


def summary(info: ZoneInfo) -> dict[str, Any]:
    """A zone without its content."""
    source = info.source
    signed = info.published is not None and info.published.signing != "unsigned"
    return {
        "name": source.name,
        "version": source.version,
        "serial": source.serial,
        "record_count": source.records,
        "dnssec": info.settings.dnssec,
        "settings": info.settings.to_json(),
        "published": published(info.published, signed=signed),
        "problem": info.problem,
        "created": source.created,
        "modified": source.modified,
    }


def deleted(item: Deleted) -> dict[str, Any]:
    """A deleted zone."""
    return {
        "name": item.name,
        "version": item.version,
        "last": item.last,
        "serial": item.serial,
        "record_count": item.records,
        "settings": item.settings,
        "created": item.created,
        "deleted": item.deleted,
        "actor": item.actor,
        "reason": item.reason,
    }


def version(item: SourceVersion) -> dict[str, Any]:
    """A version without its content."""
    return {
        "version": item.version,
        "parent": item.parent,
        "serial": item.serial,
        "record_count": item.records,
        "actor": item.actor,
        "reason": item.reason,
        "time": item.time,
    }


def document(head: dict[str, Any], zone: bytes, rrsets: Iterable[rr.RRset]) -> Iterator[bytes]:
    """*head* with ``soa`` and ``records`` added, as JSON text in pieces. The SOA stands among the first RRsets."""
    rest = iter(rrsets)
    before: list[rr.RRset] = []
    soa: rr.RRset | None = None
    for found in rest:
        if found.rdtype == rr.SOA:
            soa = found
            break
        before.append(found)
    opening = {**head, **({} if soa is None else {"soa": soa_fields(soa)})}
    held = [json.dumps(opening)[:-1], ', "records": [']
    separator, size = "", 0
    for found in chain(before, rest):
        for text in _record_texts(zone, found):
            held.append(separator)
            held.append(text)
            separator = ",\n"
            size += len(text)
        if size > _PIECE:
            yield "".join(held).encode()
            held, size = [], 0
    held.append("]}")
    yield "".join(held).encode()


def zone_list(documents: Iterable[Iterable[bytes]], following: str | None) -> Iterator[bytes]:
    """Whole zones as a page of a list."""
    separator = b'{"zones": ['
    for one in documents:
        yield separator
        yield from one
        separator = b",\n"
    opening = b"" if separator.startswith(b",") else separator
    yield opening + f'], "next": {json.dumps(following)}}}'.encode()


def found(page: Page) -> dict[str, Any]:
    """What a search found."""
    rows = [{"zone": names.to_text(one.zone), **rrset(one.rrset)} for one in page.found]
    return {"results": rows, "next": None if page.following is None else page.following.text()}


def listed(page: Page, version: str) -> dict[str, Any]:
    """RRsets of a zone."""
    following = None if page.following is None else page.following.text()
    return {"version": version, "rrsets": [rrset(one.rrset) for one in page.found], "next": following}


def _record_texts(zone: bytes, rrset: rr.RRset) -> Iterator[str]:
    """The records of an RRset as JSON, owners relative to *zone*; json.dumps would take three times as long."""
    name, rdtype = relative(rrset.owner, zone), rr.type_text(rrset.rdtype)
    opening = f'{{"name": {quoted(name)}, "type": "{rdtype}", "ttl": {rrset.ttl}, "value": '
    return (f"{opening}{quoted(rdata.to_text(rrset.rdtype, data))}}}" for data in rrset.rdatas)


def soa_fields(soa: rr.RRset) -> dict[str, Any]:
    """The fields of a SOA."""
    mname, rname, *numbers = rdata.to_text(rr.SOA, soa.rdatas[0]).split(" ")
    fields = ("serial", "refresh", "retry", "expire", "minimum")
    return {"mname": mname, "rname": rname, **dict(zip(fields, map(int, numbers), strict=True)), "ttl": soa.ttl}


def rrset(item: rr.RRset) -> dict[str, Any]:
    """An RRset with its absolute owner."""
    return {"name": names.to_text(item.owner), "type": rr.type_text(item.rdtype), **_side(item)}


def _side(item: rr.RRset) -> dict[str, Any]:
    return {"ttl": item.ttl, "values": [rdata.to_text(item.rdtype, data) for data in item.rdatas]}


def differences(diffs: Iterable[RRsetDiff]) -> dict[str, Any]:
    """Diffs, sorted into what comes, changes and goes."""
    adds, changes, removals = [], [], []
    for diff in diffs:
        if diff.before is None and diff.after is not None:
            adds.append(rrset(diff.after))
        elif diff.before is not None and diff.after is None:
            removals.append(rrset(diff.before))
        elif diff.before is not None and diff.after is not None:
            changes.append(
                {
                    "name": names.to_text(diff.owner),
                    "type": rr.type_text(diff.rdtype),
                    "before": _side(diff.before),
                    "after": _side(diff.after),
                }
            )
    return {"adds": adds, "changes": changes, "removals": removals}


def outcome_of(outcome: Outcome) -> dict[str, Any]:
    """What a write did."""
    plan = outcome.plan
    return {
        "changed": outcome.changed,
        "applied": outcome.applied,
        "version": outcome.version,
        "serial": outcome.serial,
        "published": outcome.published,
        "problem": outcome.problem,
        "plan": {
            **differences(islice(plan.diffs, MOST_DIFFS)),
            "rrsets": len(plan.diffs),
            "warnings": list(plan.warnings),
            "refusals": list(plan.refusals),
        },
    }


def bulk(outcomes: Sequence[Outcome]) -> Response:
    """The answer to a bulk."""
    return JSONResponse(
        {
            "changed": any(outcome.changed for outcome in outcomes),
            "applied": any(outcome.applied for outcome in outcomes),
            "outcomes": [{"zone": names.to_text(one.plan.zone), **outcome_of(one)} for one in outcomes],
        }
    )


def written(outcome: Outcome, *, created: str | None = None) -> Response:
    """The answer to a write; *created* is the path of a zone that is new."""
    return told(outcome_of(outcome), created=created)


def told(outcome: dict[str, Any], *, created: str | None = None) -> Response:
    """The same of what :func:`outcome_of` made."""
    new = bool(created and outcome["applied"])
    response = JSONResponse(outcome, 201 if new else 200)
    if outcome["version"] is not None:
        response.headers["ETag"] = etag(outcome["version"])
    if created and new:
        response.headers["Location"] = created
    return response


def pieces(lines: Iterable[str]) -> Iterator[bytes]:
    """Lines joined into pieces."""
    held: list[str] = []
    size = 0
    for line in lines:
        held.append(line)
        size += len(line)
        if size > _PIECE:
            yield "".join(held).encode("ascii")
            held, size = [], 0
    if held:
        yield "".join(held).encode("ascii")
