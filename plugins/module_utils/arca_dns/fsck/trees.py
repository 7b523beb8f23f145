# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Visits the trees below roots, each blob once: hashes it, and checks that it is what its parent says.

A damaged blob does not end the visit: it is kept as a :class:`~.findings.Spot`, and what is beside it is visited.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from struct import Struct

from ..errors import CorruptBlob
from ..publish.catalog import entries
from ..zone import names, rr
from ..zone.tree import Child, Stats, cut_level, inner_node, is_inner, is_zone, leaf_stats, owners_of, zone_node
from .findings import APEX, CATALOG, NAMES, NSEC3, OTHER, ROOT, Spot

_BATCH = 128
_STATS = Struct(">QQL")
_NO_STATS = b""

#: Takes digests and returns the blobs that exist.
Read = Callable[[list[str]], Mapping[str, bytes]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A blob to visit, and what is known of it from above; ``None``: nothing."""

    digest: str
    part: str
    origin: bytes | None = None
    required: bool = True
    first: bytes | None = None
    until: bytes | None = None
    stats: Stats | None = None
    height: int | None = None

    def key(self) -> bytes:
        """What makes two visits the same: the blob, and the counts that it is expected to have."""
        stats = self.stats
        said = _NO_STATS if stats is None else _STATS.pack(stats.owners, stats.records, stats.earliest_expiry)
        return bytes.fromhex(self.digest) + said


class Trees:
    """The blobs visited so far, some 100 octets of memory for each, and the damage found among them."""

    def __init__(self, read: Read, tell: Callable[[int, int], None]) -> None:
        self._read = read
        self._tell = tell
        self._seen: set[bytes] = set()
        self.damaged: dict[str, Spot] = {}
        self.blobs = 0
        self.octets = 0
        # Of the zone at hand: its roots, the counts of its trees by their roots, and the serials of its apexes.
        self._zones: dict[str, tuple[bytes, tuple[str | None, ...]]] = {}
        self._tops: dict[str, Stats] = {}
        self._serials: dict[str, int] = {}

    def begin_zone(self) -> None:
        """Forget what is kept of one zone only."""
        self._zones, self._tops, self._serials = {}, {}, {}

    def origin(self, root: str) -> bytes | None:
        """The origin of the zone with *root*; ``None`` if its root is damaged."""
        held = self._zones.get(root)
        return None if held is None else held[0]

    def stats(self, root: str) -> Stats | None:
        """The counts of the zone with *root*; ``None`` if that is damaged at the top."""
        held = self._zones.get(root)
        if held is None:
            return None
        total = Stats()
        for top in held[1]:
            if top is not None:
                if top not in self._tops:
                    return None
                total += self._tops[top]
        return total

    def serial(self, root: str) -> int | None:
        """The serial in the SOA of the zone with *root*; ``None`` if its apex is damaged, or has none."""
        held = self._zones.get(root)
        return None if held is None else self._serials.get(held[1][0] or "")

    def again(self) -> None:
        """Read once more what was damaged: it may have been repaired, or removed as garbage, meanwhile."""
        for digest, spot in list(self.damaged.items()):
            if spot.state == "wrong":
                continue
            data = self._read([digest]).get(digest)
            if data is not None and hashlib.sha256(data).hexdigest() == digest:
                del self.damaged[digest]
                self.visit([Wanted(digest, spot.part, spot.origin, True, spot.first, spot.until)])

    def visit(self, wanted: Iterable[Wanted]) -> None:
        """Visit *wanted* and what is below."""
        stack = list(wanted)
        while stack:
            batch: dict[str, list[Wanted]] = {}
            keys: set[bytes] = set()
            while stack and len(batch) < _BATCH:
                one = stack.pop()
                key = one.key()
                if key in keys or one.digest in self.damaged or (key in self._seen and not self._needed_again(one)):
                    continue
                keys.add(key)
                batch.setdefault(one.digest, []).append(one)
            if not batch:
                return
            found = self._read(list(batch))
            for digest, ones in batch.items():
                data = found.get(digest)
                for one in ones:
                    stack.extend(self._take(one, data))
            self._tell(self.blobs, self.octets)

    def _needed_again(self, one: Wanted) -> bool:
        """Whether a blob that was visited for another zone has to be looked at for what is kept of this one."""
        if one.part == ROOT:
            return one.digest not in self._zones
        return one.part in (APEX, NAMES, NSEC3) and one.stats is None and one.digest not in self._tops

    def _take(self, one: Wanted, data: bytes | None) -> list[Wanted]:
        if data is None:
            if one.required:
                self._damage(one, "missing", "it is missing")
            return []
        if hashlib.sha256(data).hexdigest() != one.digest:
            self._damage(one, "corrupt", "it does not hash to its name")
            return []
        key = one.key()
        if key not in self._seen:
            self._seen.add(key)
            self.blobs += 1
            self.octets += len(data)
        try:
            return self._below(one, data)
        except (CorruptBlob, ValueError) as error:
            self._damage(one, "wrong", str(error))
            return []

    def _damage(self, one: Wanted, state: str, problem: str) -> None:
        spot = Spot(one.digest, state, one.part, one.origin, one.first, one.until, problem)
        self.damaged[one.digest] = spot

    def _below(self, one: Wanted, data: bytes) -> list[Wanted]:
        if one.part == OTHER:
            if is_zone(data):
                return self._zone(one, data)
            return [Wanted(c.digest, OTHER) for c in inner_node(data)[1]] if is_inner(data) else []
        if one.part == ROOT:
            return self._zone(one, data)
        if not is_inner(data):
            stats = self._leaf(one, data)
            self._keep(one, stats)
            return []
        height, children = inner_node(data)
        total = Stats()
        for child in children:
            total += child.stats
        _check_children(one, height, children)
        _agree(one, total)
        self._keep(one, total)
        ends = [*(child.first for child in children[1:]), one.until]
        return [
            Wanted(child.digest, one.part, one.origin, True, child.first, end, child.stats, height - 1)
            for child, end in zip(children, ends, strict=True)
        ]

    def _zone(self, one: Wanted, data: bytes) -> list[Wanted]:
        origin, tops = zone_node(data)
        if one.origin is not None and origin != one.origin:
            raise CorruptBlob(f"it is the root of {names.to_text(origin)}, not of {names.to_text(one.origin)}")
        self._zones[one.digest] = (origin, tops)
        parts = zip((APEX, NAMES, NSEC3), tops, strict=True)
        return [Wanted(top, part, origin) for part, top in parts if top is not None]

    def _leaf(self, one: Wanted, data: bytes) -> Stats:
        if one.height not in (None, 0):
            raise CorruptBlob(f"it is a leaf where a node of height {one.height} belongs")
        stats = leaf_stats(data)
        _agree(one, stats)
        last = b""
        for number, (owner, content) in enumerate(owners_of(data)):
            key = names.sort_key(owner)
            if number == 0 and one.first not in (None, owner):
                raise CorruptBlob(f"it begins with {names.to_text(owner)}, not as the node above it says")
            if number and (key <= last or cut_level(owner)):
                raise CorruptBlob(f"{names.to_text(owner)} does not belong where it stands")
            last = key
            if one.part == APEX:
                self._apex(one, owner, content)
        if one.part == CATALOG:
            for _entry in entries(data):
                pass
        return stats

    def _apex(self, one: Wanted, owner: bytes, content: bytes) -> None:
        if owner != one.origin:
            raise CorruptBlob(f"it holds {names.to_text(owner)}, which is not the zone's apex")
        soa = rr.node_of(content).get(rr.SOA)
        if soa is not None and soa.rdatas:
            self._serials[one.digest] = rr.soa_serial(soa.rdatas[0])

    def _keep(self, one: Wanted, stats: Stats) -> None:
        if one.stats is None and one.part in (APEX, NAMES, NSEC3):
            self._tops[one.digest] = stats


def _agree(one: Wanted, stats: Stats) -> None:
    if one.stats is not None and one.stats != stats:
        raise CorruptBlob(
            f"it counts {stats.owners} owners, {stats.records} records, first expiry {stats.earliest_expiry}; the node"
            f" above it says {one.stats.owners}, {one.stats.records}, {one.stats.earliest_expiry}"
        )


def _check_children(one: Wanted, height: int, children: tuple[Child, ...]) -> None:
    if one.height not in (None, height):
        raise CorruptBlob(f"it is of height {height} where {one.height} belongs")
    if one.first not in (None, children[0].first):
        raise CorruptBlob(f"it begins with {names.to_text(children[0].first)}, not as the node above it says")
    last = b""
    for number, child in enumerate(children):
        key = names.sort_key(child.first)
        if number and (key <= last or cut_level(child.first) != height):
            raise CorruptBlob(f"its child at {names.to_text(child.first)} does not belong where it stands")
        last = key
