# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the commands on zone files compute: signing, trees of signed zones, differences, counts."""

from __future__ import annotations

import os
import tempfile
import time
from calendar import timegm
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from arca_dns.dnssec.keys import KeyPair
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import sign_zone
from arca_dns.dnssec.workers import SERIAL, Progress, Workers, no_progress
from arca_dns.errors import ChecksFailed, InputError
from arca_dns.publish.publisher import next_serial
from arca_dns.zone import names, rr
from arca_dns.zone.changes import RRsetDiff
from arca_dns.zone.checks import check
from arca_dns.zone.content import TreeView
from arca_dns.zone.text import ParsedZone, ttl_from_text
from arca_dns.zone.tree import NEVER, Blobs, Tree, ZoneRoot

_TIME = "%Y%m%d%H%M%S"
_KEPT_AT_APEX = (rr.CDS, rr.CDNSKEY)


def moment(text: str, now: int) -> int:
    """Unix seconds of ``YYYYMMDDHHMMSS``, of unix seconds, or of ``+1h`` or ``-1h`` from *now*.

    Raises :class:`InputError`.
    """
    if text[:1] in ("+", "-"):
        seconds = ttl_from_text(text[1:])
        return now + seconds if text[0] == "+" else now - seconds
    if text.isascii() and text.isdigit():
        if len(text) < 14:
            return int(text)
        try:
            return timegm(time.strptime(text, _TIME))
        except ValueError:
            pass
    raise InputError(
        f"{text!r} is no time: write YYYYMMDDHHMMSS, unix seconds, or a duration from now as in +30d or -1h"
    )


@dataclass(frozen=True, slots=True)
class Times:
    """When all signatures of a file begin and end, in unix seconds."""

    inception: int
    expiration: int

    def policy(self, **options: Any) -> Policy:
        """A policy whose every window is this one. Raises :class:`ValueError` for options that do not fit."""
        validity = self.expiration - self.inception
        if validity < 2:
            raise ValueError("signatures must end after they begin")
        if self.expiration >= 1 << 32:
            raise ValueError("signatures cannot end after 2106-02-07 (RFC 4034 section 3.1.5)")
        # With a period of one second no owner has an offset: all of them share the window.
        return Policy(
            validity=validity, refresh=validity - 1, quantum=1, inception_offset=0, propagation_delay=0, **options
        )


@dataclass(frozen=True, slots=True)
class Signed:
    """A zone that was signed."""

    zone: ZoneRoot
    serial: int

    def rrsets(self) -> Iterator[rr.RRset]:
        """Its RRsets: the apex, the other names, the NSEC3 records."""
        return (rrset for _owner, data in self.zone.items() for rrset in rr.rrsets(data))


def sign(
    parsed: ParsedZone,
    keys: Sequence[KeyPair],
    policy: Policy,
    times: Times,
    serial: str,
    now: int,
    *,
    workers: Workers = SERIAL,
    progress: Progress = no_progress,
) -> Signed:
    """The signed zone. Raises ``ChecksFailed`` for a zone that breaks rules, ``KeyUnavailable``."""
    blobs = Blobs.memory()
    origin = parsed.origin
    source = ZoneRoot.build(blobs, origin, _unsigned(parsed))
    errors = check(TreeView(source), lines=parsed.lines).errors
    if errors:
        raise ChecksFailed(f"{names.to_text(origin)} has {len(errors)} error{'s' if len(errors) > 1 else ''}", errors)
    apex = rr.node_of(source.apex.get(origin) or b"")
    before = rr.soa_serial(apex[rr.SOA].rdatas[0])
    after = before if serial == "keep" else next_serial(serial, before, now)
    extra = [one for one in _apex(parsed) if one.rdtype in _KEPT_AT_APEX]
    signed = sign_zone(
        blobs, source, keys, policy, times.inception, after, extra_apex=extra, workers=workers, progress=progress
    )
    return Signed(signed, after)


def _apex(parsed: ParsedZone) -> Iterator[rr.RRset]:
    return chain.from_iterable(rr.rrsets(data) for owner, data in parsed.nodes() if owner == parsed.origin)


def _unsigned(parsed: ParsedZone) -> Iterator[tuple[bytes, bytes]]:
    """The content without what signing makes."""
    for owner, data in parsed.nodes():
        kept = rr.node_wire(rrset for rrset in rr.rrsets(data) if rrset.rdtype not in rr.SIGNER_TYPES)
        if kept:
            yield owner, kept


def tree_of(parsed: ParsedZone) -> ZoneRoot:
    """A signed zone as the verifier takes it: NSEC3 records, with their signatures, in a tree of their own."""
    blobs = Blobs.memory()
    chained: list[tuple[bytes, bytes]] = []

    def others() -> Iterator[tuple[bytes, bytes]]:
        for owner, data in parsed.nodes():
            rrsets = list(rr.rrsets(data))
            if all(rrset.rdtype != rr.NSEC3 for rrset in rrsets):
                yield owner, data
                continue
            hashed = rr.node_wire(_part(rrsets, nsec3=True))
            rest = rr.node_wire(_part(rrsets, nsec3=False))
            chained.append((owner, hashed))
            if rest:
                yield owner, rest

    zone = ZoneRoot.build(blobs, parsed.origin, others())
    return ZoneRoot(zone.origin, zone.apex, zone.names, Tree.build(blobs, chained))


def _part(rrsets: Iterable[rr.RRset], *, nsec3: bool) -> Iterator[rr.RRset]:
    """The NSEC3 RRset and its signatures, or everything else."""
    for rrset in rrsets:
        if rrset.rdtype == rr.RRSIG:
            rdatas = tuple(one for one in rrset.rdatas if (one[:2] == _COVERS_NSEC3) == nsec3)
            if rdatas:
                yield rr.RRset(rrset.owner, rr.RRSIG, rrset.ttl, rdatas)
        elif (rrset.rdtype == rr.NSEC3) == nsec3:
            yield rrset


_COVERS_NSEC3 = rr.NSEC3.to_bytes(2, "big")


def difference(before: ParsedZone, after: ParsedZone, *, signed: bool) -> Iterator[RRsetDiff]:
    """The RRsets in which two zones differ, in canonical order; what signing makes only if *signed*."""
    blobs = Blobs.memory()
    origin = before.origin
    trees = [Tree.build(blobs, zone.nodes() if signed else _unsigned(zone)) for zone in (before, after)]
    old, new = (ZoneRoot(origin, Tree(blobs, None), tree, Tree(blobs, None)) for tree in trees)
    for _owner, was, now in old.diff(new):
        left, right = (_by_key(data or b"") for data in (was, now))
        for key in sorted({**left, **right}):
            if left.get(key) != right.get(key):
                found = left.get(key) or right[key]
                yield RRsetDiff(found.owner, key[0], left.get(key), right.get(key))


def _by_key(data: bytes) -> dict[tuple[int, int], rr.RRset]:
    """RRsets by type, and RRSIGs by TTL too."""
    return {(one.rdtype, one.ttl if one.rdtype == rr.RRSIG else 0): one for one in rr.rrsets(data)}


def statistics(parsed: ParsedZone) -> dict[str, Any]:
    """Counts of a zone. Sizes are octets of wire form without compression, as transfers send them."""
    types: Counter[int] = Counter()
    delegations = owners = size = 0
    lowest, highest, expiry = NEVER, 0, NEVER
    largest: tuple[int, bytes, int] = (0, b"\0", 0)
    for owner, data in parsed.nodes():
        owners += 1
        size += len(data)
        for rrset in rr.rrsets(data):
            types[rrset.rdtype] += len(rrset)
            lowest, highest = min(lowest, rrset.ttl), max(highest, rrset.ttl)
            delegations += rrset.rdtype == rr.NS and owner != parsed.origin
            if rrset.rdtype == rr.RRSIG:
                expiry = min(expiry, *(int.from_bytes(one[8:12], "big") for one in rrset.rdatas))
            else:
                largest = max(largest, (sum(map(len, rrset.rdatas)), owner, rrset.rdtype))
    return {
        "zone": names.to_text(parsed.origin),
        "serial": next((rr.soa_serial(one.rdatas[0]) for one in _apex(parsed) if one.rdtype == rr.SOA), None),
        "records": types.total(),
        "names": owners,
        "delegations": delegations,
        "types": {rr.type_text(rdtype): count for rdtype, count in sorted(types.items())},
        "ttl_lowest": lowest if types else None,
        "ttl_highest": highest if types else None,
        "octets": size,
        "largest_rrset": f"{names.to_text(largest[1])} {rr.type_text(largest[2])}" if types else None,
        "leaves": sum(1 for _leaf in tree_of(parsed).names.leaves()),
        "earliest_expiry": None if expiry == NEVER else time.strftime(_TIME, time.gmtime(expiry)),
    }


def write(target: Path, pieces: Iterable[bytes]) -> None:
    """Replace *target* by *pieces*, at once or not at all. Raises :class:`OSError`."""
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
