# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The note in a store that is being filled: from where, and since when. Nobody serves from such a store."""

from __future__ import annotations

from dataclasses import dataclass

from .. import keyring, lease
from ..documents import IDEMPOTENCY
from ..errors import StoreError
from ..store.base import ABSENT, JsonObject, Store, Transaction
from ..store.common import everything

PREFIX = "moving/"
KEY = f"{PREFIX}target"
#: Documents whose key begins with one of these belong to one store and are never moved; keys go their own way.
LOCAL = (PREFIX, lease.PREFIX, keyring.PREFIX, keyring.NOTE, IDEMPOTENCY)
_PAGE = 500
_DELETES = 50


@dataclass(frozen=True, slots=True)
class Marker:
    """*kind* is ``migrate`` or ``restore``; *source* names the store or the file; *started* is ISO 8601."""

    kind: str
    source: str
    started: str


def read(store: Store) -> Marker | None:
    """The note in *store*, or ``None``."""
    document = store.get(KEY)
    if document is None:
        return None
    value = document.value
    return Marker(str(value["kind"]), str(value["source"]), str(value["started"]))


def refuse_unfinished(store: Store) -> None:
    """Raise :class:`StoreError` if *store* is half filled, so that nobody serves from it."""
    marker = read(store)
    if marker is None:
        return
    if marker.kind == "restore":
        way = "run the same 'arca-dns-controller restore' again, or empty it with 'arca-dns-controller migrate --undo'"
    else:
        way = "run the same 'arca-dns-controller migrate' again, or empty it with 'arca-dns-controller migrate --undo'"
    raise StoreError(
        f"this store is half filled: a {marker.kind} from {marker.source} began at {marker.started} and has not"
        f" ended. To end it, {way}"
    )


def begin(store: Store, wanted: Marker) -> bool:
    """Put the note into an empty store; true where it stands there already, so that the work goes on.

    Raises :class:`StoreError` for a store that holds anything else, or the note of other work.
    """
    held = read(store)
    if held is not None:
        if (held.kind, held.source) != (wanted.kind, wanted.source):
            raise StoreError(
                f"the target is half filled by a {held.kind} from {held.source} of {held.started}: end that one, or"
                " empty the target with 'arca-dns-controller migrate --undo'"
            )
        return True
    there = next((document for document in everything(store, "") if not document.key.startswith(LOCAL)), None)
    if there is not None:
        raise StoreError(
            f"the target is not empty, it holds {there.key!r}: take an empty one; nothing that exists is overwritten"
        )
    value: JsonObject = {"kind": wanted.kind, "source": wanted.source, "started": wanted.started}
    store.commit(Transaction({KEY: ABSENT}, {KEY: value}))
    return False


def end(store: Store) -> None:
    """Take the note away: from here on a controller may serve from *store*."""
    store.commit(Transaction(deletes=[KEY]))


def undo(store: Store) -> int:
    """Remove every document of a half-filled store, its note last; returns how many.

    Blobs stay until the next collection of garbage. Raises :class:`StoreError` for a store without the note.
    """
    if read(store) is None:
        raise StoreError("this store is not half filled by a migrate or a restore; nothing was removed")
    removed, after = 0, ""
    while page := store.scan("", after, _PAGE):
        after = page[-1].key
        keys = [document.key for document in page if not document.key.startswith(PREFIX)]
        for at in range(0, len(keys), _DELETES):
            store.commit(Transaction(deletes=keys[at : at + _DELETES]))
        removed += len(keys)
    end(store)
    return removed
