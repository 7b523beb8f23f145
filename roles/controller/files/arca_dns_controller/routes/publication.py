# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What is published: signed zones, DS records, heads, blobs."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from arca_dns.dnssec.keys import ds_rdata
from arca_dns.documents import PublishedVersion, utc
from arca_dns.service import Service
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.text import render as zone_lines
from arca_dns.zone.tree import ZoneRoot

from .. import models, reading, render
from ..feed import HeadFeed
from .shared import NOT_MODIFIED, Ctx, Follower, Limit, Reader, ZoneName, Zones, answers

router = APIRouter(tags=["publication"])
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="SHA-256 of the blob, in hexadecimal.")]
#: Blobs that are read from the store at once.
_BATCH = 256


class _Hashes:
    """SHA-256 of signed zone files by published version: a version's text never changes."""

    def __init__(self, limit: int = 4096) -> None:
        self._held: OrderedDict[str, str] = OrderedDict()
        self._limit = limit
        self._lock = Lock()

    def of(self, version: str, tree: ZoneRoot) -> str:
        """The hash of the zone file of *tree*, which is *version*."""
        with self._lock:
            if version in self._held:
                self._held.move_to_end(version)
                return self._held[version]
        digest = hashlib.sha256()
        for piece in _file(tree):
            digest.update(piece)
        with self._lock:
            self._held[version] = digest.hexdigest()
            while len(self._held) > self._limit:
                self._held.popitem(last=False)
        return digest.hexdigest()


_hashes = _Hashes()
_NO_NEWS: dict[int | str, dict[str, Any]] = {
    304: {"description": "No newer head in time, or edges are called to attest."}
}


@router.get("/zones/{zone}/signed", responses=answers(media="text/dns") | NOT_MODIFIED, response_model=None)
def get_signed_zone(zone: ZoneName, _principal: Reader, service: Zones, request: Request) -> Response:
    """Read a zone as edges serve it, as a zone file. X-Zone-Hash is the SHA-256 of the body."""
    version, tree = service.signed_zone(reading.zone_of(zone))
    headers = _headers(version, tree)
    if reading.not_modified(request, version.version):
        return Response(status_code=304, headers=headers)
    return render.body(_file(tree), "text/dns", headers)


@router.head("/zones/{zone}/signed", responses=answers() | NOT_MODIFIED, response_model=None)
def head_signed_zone(zone: ZoneName, _principal: Reader, service: Zones, request: Request) -> Response:
    """Read the version, serial and hash of a signed zone."""
    version, tree = service.signed_zone(reading.zone_of(zone))
    status = 304 if reading.not_modified(request, version.version) else 200
    return Response(status_code=status, headers=_headers(version, tree), media_type="text/dns")


_DS_ANSWERS: dict[int | str, dict[str, Any]] = answers(models.DsAnswer)
_DS_ANSWERS[200]["content"] = {"text/plain": {"schema": {"type": "string"}}}


@router.get("/zones/{zone}/ds", responses=_DS_ANSWERS, response_model=None)
def get_ds(
    zone: ZoneName,
    _principal: Reader,
    service: Zones,
    request: Request,
    digest: Annotated[list[Literal["2", "4"]] | None, Query(description="Digest types: 2 SHA-256, 4 SHA-384.")] = None,
) -> Response:
    """Read the DS records for the parent, with `Accept: text/plain` as a zone file; none for an unsigned zone."""
    name = reading.zone_of(zone)
    found = [rdata.to_text(rr.DS, one) for one in service.ds(name, [int(one) for one in digest or ("2",)])]
    owner = names.to_text(name)
    accepted = request.headers.get("accept", "")
    if "text/plain" in accepted and "application/json" not in accepted:
        return Response("".join(f"{owner}\tIN\tDS\t{one}\n" for one in found), media_type="text/plain")
    return JSONResponse({"name": owner, "ds": found})


@router.get("/zones/{zone}/keys", responses=answers(models.ZoneKeys), response_model=None)
def get_zone_keys(zone: ZoneName, _principal: Reader, service: Zones) -> Response:
    """Read what anybody may know of a zone's DNSSEC keys."""
    name = reading.zone_of(zone)
    keys = [
        {
            "tag": key.tag,
            "algorithm": key.algorithm,
            "role": key.role,
            "created": utc(key.created),
            "dnskey": rdata.to_text(rr.DNSKEY, key.dnskey_rdata),
            "ds": []
            if key.role == "zsk"
            else [rdata.to_text(rr.DS, ds_rdata(name, key.dnskey_rdata, digest)) for digest in (2, 4)],
        }
        for key in service.zone_keys(name)
    ]
    return JSONResponse({"name": names.to_text(name), "keys": keys})


@router.get("/catalog", responses=answers(models.CatalogPage), response_model=None)
def get_catalog(
    principal: Reader,
    service: Zones,
    after: Annotated[str, Query(max_length=1024, description="The `next` of the page before.")] = "",
    limit: Limit = 100,
) -> Response:
    """List the zones of the current head as edges get them: serial, published version, digest of the tree."""
    found = service.catalog(reading.zone_name(after) if after else None, limit, principal.sees)
    zones = [
        {"name": names.to_text(one.zone), "version": one.version, "serial": one.serial, "root": one.root}
        for one in found
    ]
    following = names.to_text(found[-1].zone) if len(found) == limit else None
    return JSONResponse({"zones": zones, "next": following})


@router.get("/heads", responses=answers(models.HeadList), response_model=None)
def list_heads(_principal: Follower, service: Zones) -> Response:
    """Read the signed heads of all rings."""
    found = [service.rings.get(name) for name in service.rings.names]
    return JSONResponse({"heads": {ring.name: ring.signed.to_json() for ring in found if ring.signed is not None}})


@router.get("/heads/{ring}", responses=answers(models.Head) | _NO_NEWS, response_model=None)
async def get_head(
    ring: str,
    _principal: Follower,
    context: Ctx,
    after: Annotated[int | None, Query(ge=0, description="Wait for a revision greater than this.")] = None,
    timeout: Annotated[float, Query(ge=0, le=60, description="Seconds to wait; then the answer is 304.")] = 30,
    called: Annotated[
        int | None, Query(ge=0, description="The Arca-Roll-Call of the answer before: do not wait if there is another.")
    ] = None,
) -> Response:
    """Read the signed head of a ring, at once or as soon as it moves.

    Arca-Roll-Call is a number; when it changes, edges attest, so that it is known which of them are there.
    """
    context.service.rings.before(ring)
    if after is None:
        head = await run_in_threadpool(context.service.head, ring)
    else:
        waited = await context.feed.wait(after, timeout, ring, called)
        if waited is None:
            return Response(status_code=304, headers=_roll_call(context.feed))
        head = waited
    headers = {"ETag": render.etag(str(head.revision())), "Cache-Control": "no-store", **_roll_call(context.feed)}
    return JSONResponse(head.to_json(), headers=headers)


def _roll_call(feed: HeadFeed) -> dict[str, str]:
    return {} if feed.called is None else {"Arca-Roll-Call": str(feed.called)}


@router.get("/blobs/{digest}", responses=answers(media="application/octet-stream") | NOT_MODIFIED, response_model=None)
def get_blob(digest: Digest, _principal: Follower, service: Zones, request: Request) -> Response:
    """Read one blob."""
    headers = {"ETag": render.etag(digest), "Cache-Control": "private, max-age=31536000, immutable"}
    if reading.not_modified(request, digest):
        return Response(status_code=304, headers=headers)
    data = service.blob(digest)
    return Response(data, media_type="application/octet-stream", headers=headers)


@router.post("/blobs/fetch", responses=answers(media="application/octet-stream"), response_model=None)
def fetch_blobs(body: models.FetchIn, _principal: Follower, service: Zones) -> Response:
    """Read many blobs: for each its digest (32 octets), its length (4 octets, big-endian) and its octets.

    Blobs that do not exist are left out.
    """
    wanted = list(dict.fromkeys(body.digests))
    return StreamingResponse(_frames(service, wanted), media_type="application/octet-stream")


def _frames(service: Service, digests: Sequence[str]) -> Iterator[bytes]:
    for start in range(0, len(digests), _BATCH):
        batch = digests[start : start + _BATCH]
        found = service.blobs(batch)
        yield b"".join(
            part
            for digest in batch
            if (data := found.get(digest)) is not None
            for part in (bytes.fromhex(digest), len(data).to_bytes(4, "big"), data)
        )


def _headers(version: PublishedVersion, tree: ZoneRoot) -> dict[str, str]:
    digest = _hashes.of(version.version, tree)
    return {
        "ETag": render.etag(version.version),
        "X-Zone-Serial": str(version.serial),
        "X-Zone-Hash": digest,
        # RFC 9530 section 3
        "Repr-Digest": f"sha-256=:{base64.b64encode(bytes.fromhex(digest)).decode()}:",
    }


def _file(tree: ZoneRoot) -> Iterator[bytes]:
    found = (rrset for _owner, data in tree.items() for rrset in rr.rrsets(data))
    return render.pieces(zone_lines(tree.origin, found))
