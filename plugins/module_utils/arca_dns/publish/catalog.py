# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The catalog: the same hash tree as a zone's, keyed by zone name; one root names everything that is served.

Each zone is one RR of a private type whose rdata is serial, root and published version.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import CorruptBlob
from ..zone.rr import RRset, iterate
from ..zone.tree import Blobs, Tree, diff, owners_of

#: From the private-use range of RFC 6895 section 3.1; never leaves the catalog.
CATALOG_TYPE = 65280


@dataclass(frozen=True, slots=True)
class Entry:
    """One published zone: its name, SOA serial, zone root (hex) and published version."""

    zone: bytes
    serial: int
    root: str
    version: str


def _payload(entry: Entry) -> bytes:
    rdata = entry.serial.to_bytes(4, "big") + bytes.fromhex(entry.root) + entry.version.encode("ascii")
    return RRset(entry.zone, CATALOG_TYPE, 0, (rdata,)).wire()


def _entry(zone: bytes, payload: bytes) -> Entry:
    try:
        (record,) = iterate(payload)
        if record.rdtype != CATALOG_TYPE or len(record.rdata) < 36:
            raise ValueError
        rdata = record.rdata
        return Entry(zone, int.from_bytes(rdata[:4], "big"), rdata[4:36].hex(), rdata[36:].decode("ascii"))
    except ValueError:
        raise CorruptBlob("a catalog entry does not parse") from None


def entries(leaf: bytes) -> Iterator[Entry]:
    """The entries in one of a catalog's leaves. Raises :class:`CorruptBlob`."""
    return (_entry(zone, payload) for zone, payload in owners_of(leaf))


class Catalog:
    """What a head publishes. Immutable: :meth:`update` returns another."""

    def __init__(self, blobs: Blobs, root: str | None) -> None:
        self._tree = Tree(blobs, root)
        self._blobs = blobs

    @property
    def root(self) -> str | None:
        """The digest that a head signs; ``None`` for no zones."""
        return self._tree.root

    def __len__(self) -> int:
        return self._tree.stats().owners

    def __iter__(self) -> Iterator[Entry]:
        return (_entry(zone, payload) for zone, payload in self._tree)

    def entries(self, after: bytes | None = None) -> Iterator[Entry]:
        """The entries in key order, those behind *after*."""
        return (_entry(zone, payload) for zone, payload in self._tree.items(after) if zone != after)

    def get(self, zone: bytes) -> Entry | None:
        """The entry of *zone*, or ``None``."""
        payload = self._tree.get(zone)
        return None if payload is None else _entry(zone, payload)

    def update(self, edits: Mapping[bytes, Entry | None]) -> Catalog:
        """The catalog with zones replaced, or removed where ``None``."""
        tree = self._tree.update({zone: None if entry is None else _payload(entry) for zone, entry in edits.items()})
        return Catalog(self._blobs, tree.root)

    def diff(self, new: Catalog) -> Iterator[tuple[Entry | None, Entry | None]]:
        """(old, new) of the zones in which the two differ; what they have in common is not read."""
        for zone, before, after in diff(self._tree, new._tree):
            yield (
                None if before is None else _entry(zone, before),
                None if after is None else _entry(zone, after),
            )

    def blobs(self) -> Iterator[str]:
        """The digests of the catalog's own nodes, parents first."""
        return self._tree.blobs()
