# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What an IXFR sends: the RRs that go and those that come between two versions (RFC 1995), made as they are sent."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import CorruptBlob
from ..zone import rr
from ..zone.tree import ZoneRoot


def records(data: bytes) -> list[tuple[int, bytes]]:
    """(type, wire) of each RR in *data*."""
    return [(record.rdtype, data[record.start : record.end]) for record in rr.iterate(data)]


def apex(root: ZoneRoot) -> tuple[bytes, list[bytes]]:
    """The SOA RR, and the apex' other RRs. Raises :class:`CorruptBlob` if there is not exactly one SOA."""
    soa: list[bytes] = []
    rest: list[bytes] = []
    for record in records(root.apex.get(root.origin) or b""):
        (soa if record[0] == rr.SOA else rest).append(record[1])
    if len(soa) != 1:
        raise CorruptBlob("a published zone must have exactly one SOA")
    return soa[0], rest


def difference(old: ZoneRoot, new: ZoneRoot) -> Iterator[bytes] | None:
    """The RRs of an IXFR answer from *old* to *new* (RFC 1995 section 4), or ``None`` where an AXFR is shorter.

    The differences are read three times (to count, for what goes, for what comes) and never held: a zone that was
    signed anew differs in most of its RRs.
    """
    limit = new.stats().records
    count = 0
    for _gone in _lacking(old, new):
        count += 1
        if count > limit:
            return None
    for _come in _lacking(new, old):
        count += 1
        if count > limit:
            return None
    return _sequence(old, new, apex(old)[0], apex(new)[0])


def _sequence(old: ZoneRoot, new: ZoneRoot, before: bytes, after: bytes) -> Iterator[bytes]:
    yield after
    yield before
    yield from _lacking(old, new)
    yield after
    yield from _lacking(new, old)
    yield after


def _lacking(one: ZoneRoot, other: ZoneRoot) -> Iterator[bytes]:
    """The RRs of *one*, its SOA left out, that *other* lacks."""
    for _owner, mine, theirs in one.stream_diff(other):
        if mine is None:
            continue
        had = {record for _rdtype, record in records(theirs)} if theirs else set()
        for rdtype, record in records(mine):
            if rdtype != rr.SOA and record not in had:
                yield record
