# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What is kept of a zone that was deleted, and what a name that was a zone before asks of the next zone.

A deletion leaves ``deleted/<zone>`` beside the zone's versions, publications and keys; from them undelete brings it
back, until retention removes them and leaves ``served/<zone>``: a serial never goes backwards, not even then.
A zone that is created anew under the name takes the note away: the old versions are then its own history, and a
rollback reaches them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from .dnssec.keystore import KeyStore
from .documents import (
    Deleted,
    Served,
    decode,
    deleted_key,
    encode,
    publication_key,
    published_key,
    served_key,
    version_key,
    zone_key,
)
from .errors import Conflict, NotFound
from .store.base import ABSENT, Document, Store, Transaction
from .store.common import everything
from .zone import names
from .zone.rr import serial_newer

_DELETES = 100


@dataclass(frozen=True, slots=True)
class Past:
    """What a name was before: *serial* is the newest that it had, *version* that of its deletion.

    A transaction that makes it a zone again has *preconditions* and *deletes*.
    """

    serial: int | None = None
    version: str | None = None
    preconditions: dict[str, int] = field(default_factory=dict)
    deletes: tuple[str, ...] = ()


def past(store: Store, keystore: KeyStore, zone: bytes, *, final: bool) -> Past:
    """What *zone*, which does not exist, was before; *final* ends a removal of keys that has begun."""
    note, served = store.get(deleted_key(zone)), store.get(served_key(zone))
    if final and served is not None and served.value["keys_due"]:
        remove_keys(store, keystore, served)
    serial = last_served(store, zone)
    if note is None:
        return Past(serial, None, {deleted_key(zone): ABSENT})
    found = decode(Deleted, note)
    return Past(newest(serial, found.serial), found.version, {note.key: note.revision}, (note.key,))


def last_served(store: Store, zone: bytes) -> int | None:
    """The newest serial that *zone* was ever published with; ``None`` if it never was."""
    served = store.get(served_key(zone))
    last = None if served is None else int(cast(int, served.value["serial"]))
    for document in everything(store, publication_key(zone)):
        last = newest(last, int(cast(int, document.value["serial"])))
    return last


def newest(one: int | None, other: int) -> int:
    """The newer of two serials (RFC 1982)."""
    return other if one is None or serial_newer(other, one) else one


def deleted_zone(store: Store, zone: bytes) -> tuple[Deleted, int]:
    """What is kept of a deleted zone, and its document's revision. Raises :class:`NotFound`."""
    document = store.get(deleted_key(zone))
    if document is None:
        raise NotFound(f"there is no deleted zone {names.to_text(zone)}: it never was, or its retention has ended")
    return decode(Deleted, document), document.revision


def deleted_zones(store: Store, after: bytes | None, limit: int) -> list[Deleted]:
    """Up to *limit* deleted zones in key order, those behind *after*."""
    begin = "" if after is None else deleted_key(after)
    return [decode(Deleted, document) for document in store.scan("deleted/", begin, limit)]


def forget(store: Store, document: Document) -> Iterator[tuple[int, int]]:
    """Remove all that is left of the deleted zone of *document* but its last serial, what undelete needs last of all.

    Yields how many versions and publications each transaction has removed; its keys are due then. Raises
    :class:`Conflict` if the zone comes back meanwhile.
    """
    note = decode(Deleted, document)
    zone = names.from_text(note.name)
    gone = {document.key: document.revision, zone_key(zone): ABSENT, published_key(zone): ABSENT}
    serial = newest(last_served(store, zone), note.serial)
    served = Served(note.name, serial, keys_due=False)
    revision = store.commit(Transaction(gone, {served_key(zone): encode(served)}))
    last = [version_key(zone, note.last), version_key(zone, note.version)]
    for prefix in (version_key(zone), publication_key(zone)):
        after = ""
        while page := store.scan(prefix, after, _DELETES):
            after = page[-1].key
            keys = [found.key for found in page if found.key not in last]
            store.commit(Transaction(gone, deletes=keys))
            yield (len(keys), 0) if prefix == version_key(zone) else (0, len(keys))
    store.commit(
        Transaction(
            {**gone, served_key(zone): revision},
            {served_key(zone): encode(Served(note.name, serial, keys_due=True))},
            [document.key, *last],
        )
    )
    yield len(last), 0


def remove_keys(store: Store, keystore: KeyStore, served: Document) -> None:
    """Remove the keys of a zone that is gone for good, as *served* says, and the mark that they are due."""
    zone = names.from_text(str(served.value["name"]))
    for pair in keystore.load(zone):
        if store.get(served.key) != served:
            return  # somebody else has done it, and there may be new keys
        with suppress(NotFound):
            keystore.remove(zone, pair.record.tag)
    value = Served(names.to_text(zone), int(cast(int, served.value["serial"])), keys_due=False)
    with suppress(Conflict):
        store.commit(Transaction({served.key: served.revision}, {served.key: encode(value)}))
