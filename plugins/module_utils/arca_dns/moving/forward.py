# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a backup to a store whose controller goes forward, never back, in what edges have seen.

Between the backup and its restoration edges may have got later heads and higher serials. So the first head has the
time of the restoration in milliseconds as its revision at least (heads are never issued at such a rate), and every zone
is published again with a serial far ahead of the one in the backup.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ..documents import SITES, Dirty, dirty_key, encode, head_key, restored_key, utc, zone_key
from ..publish.head import DEFAULT_RING
from ..store.base import JsonObject, Store
from ..zone import names
from ..zone.rr import serial_newer
from . import marker
from .archive import Archive, silent
from .copy import Progress, Tell, batches, documents, verify

#: How far serials go ahead: more than a zone changes between a backup and its restoration, far below RFC 1982's limit.
SERIAL_STEP = 1_000_000
_BLOBS = 128
_OCTETS = 4 << 20


def restore(
    archive: Archive,
    store: Store,
    note: marker.Marker,
    *,
    now: float,
    approve_removal: bool = False,
    tell: Tell = silent,
) -> Progress:
    """Write what *archive*, which was checked, holds into *store*; returns the counts of its verification.

    *store* must be empty, or half filled by a run before with *note*. With *approve_removal* edges are told that they
    may drop zones that the backup does not have, however many. Raises :class:`StoreError` or :class:`IntegrityError`.
    """
    marker.begin(store, note)
    progress = Progress("restore")
    for some in _blobs(archive):
        store.write_blobs(some)
        octets = sum(map(len, some.values()))
        progress = replace(progress, blobs=progress.blobs + len(some), octets=progress.octets + octets)
        tell(progress)
    for transaction in batches(archive.documents()):
        store.commit(transaction)
        count = len(transaction.writes) + len(transaction.deletes)
        progress = replace(progress, documents=progress.documents + count)
        tell(progress)
    for transaction in batches(_ahead(store, now, approve_removal)):
        store.commit(transaction)
    verified = verify(store, tell)
    marker.end(store)
    return verified


def _blobs(archive: Archive) -> Iterator[dict[str, bytes]]:
    some: dict[str, bytes] = {}
    size = 0
    for digest, data in archive.blobs():
        if some and (len(some) == _BLOBS or size + len(data) > _OCTETS):
            yield some
            some, size = {}, 0
        some[digest] = data
        size += len(data)
    if some:
        yield some


def _ahead(store: Store, now: float, approve_removal: bool) -> Iterator[tuple[str, JsonObject | None]]:
    """What makes the publisher go on ahead of all that edges may have seen."""
    for document in documents(store, "published/"):
        serial = int(str(document.value["serial"]))
        yield document.key, {**document.value, "serial": serial_ahead(serial, now)}
        zone = names.from_text(document.key.removeprefix("published/"))
        if store.get(dirty_key(zone)) is None and store.get(zone_key(zone)) is not None:
            yield dirty_key(zone), encode(Dirty(names.to_text(zone)))
    for prefix in ("deleted/", "served/"):  # the names may have been zones again after the backup
        for document in documents(store, prefix):
            yield document.key, {**document.value, "serial": serial_ahead(int(str(document.value["serial"])), now)}
    for document in documents(store, SITES):  # edges that still wish it ask again
        yield document.key, None
    rings = {document.key.removeprefix(head_key("")) for document in documents(store, head_key(""))}
    for ring in sorted(rings | {DEFAULT_RING}):
        yield (
            restored_key(ring),
            {"revision": int(now * 1000), "approve_removal": approve_removal, "time": utc(now)},
        )


def serial_ahead(serial: int, now: float) -> int:
    """A serial that is newer than any that came after *serial* until *now* (RFC 1982)."""
    stepped = (serial + SERIAL_STEP) & 0xFFFFFFFF or 1
    clock = int(now) & 0xFFFFFFFF
    return clock if serial_newer(clock, stepped) else stepped
