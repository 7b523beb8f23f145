# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A catalog zone (RFC 9432, version 2): which zones there are, as a zone that secondaries transfer."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping

from ..zone import names, rr
from ..zone.rr import RRset
from ..zone.tree import Blobs, ZoneRoot
from .primary import Version

_KEPT = 64
_SWEEP = 4096  # blobs that come before those that no version has are let go
_NUMBERS = (3600, 600, 2147483646, 0)  # refresh, retry, expire, minimum
_INVALID = b"\7invalid\0"


def member_label(zone: bytes, created: str) -> bytes:
    """The label of *zone*'s member node: the same for as long as the zone lives, another for one that is made anew."""
    return hashlib.sha256(zone + created.encode()).hexdigest()[:40].encode()


class CatalogZone:
    """The zone *name* in memory, and what its last versions were. Safe to read while another thread updates it."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self._blobs = Blobs.memory()
        self._members: dict[bytes, bytes] = {}  # zone → owner of its member node
        self._versions: OrderedDict[int, ZoneRoot] = OrderedDict()
        self._swept = 0
        self._lock = threading.Lock()

    def update(self, serial: int, come: Mapping[bytes, str], gone: Iterable[bytes]) -> bool:
        """Add the zones of *come* (name → when it was made), remove those of *gone*; whether anything is different.

        *serial* is that of the new version, if there is one.
        """
        edits: dict[bytes, bytes | None] = {}
        for zone in gone:
            owner = self._members.pop(zone, None)
            if owner is not None:
                edits[owner] = None
        for zone, created in come.items():
            owner = b"\x28" + member_label(zone, created) + b"\5zones" + self.name
            if self._members.get(zone) == owner or len(owner) > 255:
                continue
            if zone in self._members:
                edits[self._members[zone]] = None
            self._members[zone] = owner
            edits[owner] = RRset.of(owner, rr.PTR, 0, [zone]).wire()
        held = self.current()
        if held is not None and not edits:
            return False
        old = ZoneRoot.empty(self._blobs, self.name) if held is None else held.root
        if held is None:
            edits[b"\7version" + self.name] = RRset.of(b"\7version" + self.name, rr.TXT, 0, [b"\1" + b"2"]).wire()
        edits[self.name] = self._apex(serial)
        root = old.update(edits)
        with self._lock:
            self._versions[serial] = root
            while len(self._versions) > _KEPT:
                self._versions.popitem(last=False)
        self._sweep()
        return True

    def _apex(self, serial: int) -> bytes:
        numbers = b"".join(number.to_bytes(4, "big") for number in (serial, *_NUMBERS))
        soa = RRset.of(self.name, rr.SOA, 0, [_INVALID + _INVALID + numbers])
        return rr.node_wire([soa, RRset.of(self.name, rr.NS, 0, [_INVALID])])

    def _sweep(self) -> None:
        if len(self._blobs.pending) - self._swept < _SWEEP:
            return
        kept: set[str] = set()
        for root in self._versions.values():
            for tree in (root.apex, root.names):
                kept.update(tree.blobs())
        self._blobs.pending = {digest: data for digest, data in self._blobs.pending.items() if digest in kept}
        self._swept = len(self._blobs.pending)

    def members(self) -> list[bytes]:
        """The zones that it lists."""
        return list(self._members)

    def current(self) -> Version | None:
        """The newest version, or ``None`` before the first update."""
        with self._lock:
            if not self._versions:
                return None
            serial = next(reversed(self._versions))
            return Version(serial, self._versions[serial])

    def earlier(self, serial: int) -> Version | None:
        """The version with *serial*, if it is one of the last."""
        with self._lock:
            root = self._versions.get(serial)
        return None if root is None else Version(serial, root)


def is_name(zone: bytes) -> bool:
    """Whether *zone* leaves room for the names of members in a catalog zone."""
    return zone != names.ROOT and len(zone) + 47 <= 255
