# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""ZONEMD: a digest over a whole zone, made when it is signed and checked when it is verified (RFC 8976).

We make scheme SIMPLE with SHA-384 and check SHA-512 too. Whoever makes or checks one reads every RR of the zone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from heapq import merge
from itertools import groupby
from struct import Struct
from typing import TYPE_CHECKING, Any

from ..zone import names, rr
from ..zone.tree import ZoneRoot
from .authority import Kind, Slice, first_rdata, slices
from .signatures import Problems

if TYPE_CHECKING:
    from .signing import Signing

SIMPLE, SHA384, SHA512 = 1, 1, 2
_HEAD = Struct(">LBB")  # serial, scheme, hash algorithm
_RR_HEAD = Struct(">HHLH")
_HASHES: dict[int, Callable[[], Any]] = {SHA384: hashlib.sha384, SHA512: hashlib.sha512}
_COVERS_ZONEMD = rr.ZONEMD.to_bytes(2, "big")


def digest(zone: ZoneRoot, algorithm: int = SHA384) -> bytes:
    """The SIMPLE digest of *zone* (RFC 8976 section 3.3): every RR but the apex's ZONEMD and its RRSIGs."""
    made = _HASHES[algorithm]()
    for tree in (zone.apex, zone.names) if zone.nsec3.root is None else (zone.apex,):
        for owner, data in tree:
            made.update(_ordered(owner, slices(owner, data), apex=owner == zone.origin))
    if zone.nsec3.root is not None:
        for owner, pieces in _with_chain(zone):
            made.update(_ordered(owner, pieces, apex=False))
    return bytes(made.digest())


def _with_chain(zone: ZoneRoot) -> Iterator[tuple[bytes, list[Slice]]]:
    """The names below the apex and the NSEC3 chain in one order; a name may be the owner of an NSEC3 too."""
    both = merge(
        ((names.sort_key(owner), owner, data) for owner, data in zone.names),
        ((names.sort_key(owner), owner, data) for owner, data in zone.nsec3),
    )
    for (_key, owner), found in groupby(both, key=lambda item: item[:2]):
        pieces = [piece for _again, _owner, data in found for piece in slices(owner, data)]
        yield owner, sorted(pieces, key=lambda piece: piece.rdtype)


def _ordered(owner: bytes, pieces: list[Slice], *, apex: bool) -> bytes:
    """The RRs of *owner* that count, by type and rdata: trees may keep RRSIGs by TTL first."""
    start = len(owner) + _RR_HEAD.size
    before: list[bytes] = []
    signatures: list[bytes] = []
    behind: list[bytes] = []
    for piece in pieces:
        if piece.rdtype == rr.RRSIG:
            if not apex or piece.wire[start : start + 2] != _COVERS_ZONEMD:
                signatures.append(piece.wire)
        elif not apex or piece.rdtype != rr.ZONEMD:
            (before if piece.rdtype < rr.RRSIG else behind).append(piece.wire)
    if len(signatures) > 1:
        signatures.sort(key=lambda wire: wire[start:])
    return b"".join([*before, *signatures, *behind])


# -- making -----------------------------------------------------------------------------------


def placeholder(origin: bytes, soa: Slice) -> Slice:
    """The ZONEMD of a zone whose digest is not known yet; it has the TTL of the SOA."""
    return _slice(origin, soa, bytes(hashlib.sha384().digest_size))


def completed(signing: Signing, zone: ZoneRoot) -> ZoneRoot:
    """*zone*, which *signing* made with a placeholder, with its digest; no more than the ZONEMD is signed again."""
    origin = signing.origin
    data = zone.apex.get(origin)
    pieces = [piece for piece in slices(origin, data or b"") if piece.rdtype != rr.RRSIG]
    soa = next(piece for piece in pieces if piece.rdtype == rr.SOA)
    whole = _slice(origin, soa, digest(zone))
    pieces = [whole if piece.rdtype == rr.ZONEMD else piece for piece in pieces]
    made = signing.node(origin, Kind.AUTHORITATIVE, pieces, signing.held(origin, data))
    return zone.update({origin: made}, {})


def _slice(origin: bytes, soa: Slice, digested: bytes) -> Slice:
    rdata = _HEAD.pack(rr.soa_serial(first_rdata(origin, soa)), SIMPLE, SHA384) + digested
    return Slice(rr.ZONEMD, soa.ttl, origin + _RR_HEAD.pack(rr.ZONEMD, 1, soa.ttl, len(rdata)) + rdata)


# -- checking ---------------------------------------------------------------------------------


def check(zone: ZoneRoot, problems: Problems) -> None:
    """Check every digest of *zone* that we know how to make (RFC 8976 section 4); a zone may have none."""
    origin = zone.origin
    try:
        pieces = {piece.rdtype: piece for piece in slices(origin, zone.apex.get(origin) or b"")}
    except ValueError:
        return  # told by the checks of the apex
    piece, soa = pieces.get(rr.ZONEMD), pieces.get(rr.SOA)
    if piece is None or soa is None:
        return
    serial = rr.soa_serial(first_rdata(origin, soa))
    seen: set[tuple[int, int]] = set()
    for record in rr.iterate(piece.wire):
        try:
            why = _wrong(zone, serial, record.rdata, seen)
        except ValueError as error:
            why = str(error)
        if why:
            problems.add(origin, rr.ZONEMD, why)


def _wrong(zone: ZoneRoot, serial: int, rdata: bytes, seen: set[tuple[int, int]]) -> str:
    if len(rdata) < _HEAD.size + 12:
        return "is malformed: a digest has at least 12 octets"
    of, scheme, algorithm = _HEAD.unpack_from(rdata)
    if (scheme, algorithm) in seen:
        return f"there are several of scheme {scheme} with hash algorithm {algorithm}"
    seen.add((scheme, algorithm))
    if scheme != SIMPLE or algorithm not in _HASHES:
        return ""
    if of != serial:
        return f"is of serial {of}, but the SOA has {serial}"
    made = digest(zone, algorithm)
    if rdata[_HEAD.size :] != made:
        return f"has another digest than the zone, whose is {made.hex()}"
    return ""
