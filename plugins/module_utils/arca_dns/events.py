# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What happens in a store, as events in the order of its commits.

Every entry of the journal is an event, told exactly as often as it was written. Besides, documents that say how things
stand become events when they change: what is published of a zone, the head of a ring, what an edge attests. Of several
changes of one such document in a short time only the last may be told.

A *cursor* is a revision of the store: all events up to and including that commit. Revisions are the same for all
controllers on a store, so a follower may go on at another one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .documents import JOURNAL, decode
from .errors import CursorLost
from .journal import Entry
from .store.base import Document, Json, JsonObject, Store
from .store.common import revision
from .zone import names

#: How many commits back a follower may go on from.
REACH = 100_000
_PUBLISHED, _HEAD, _EDGE = "published/", "head/", "edge/"
_TOLD = (JOURNAL, _PUBLISHED, _HEAD, _EDGE)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its *cursor*, its *kind*, the zone that it is about, and *data* as JSON."""

    cursor: int
    kind: str
    zone: str | None
    data: JsonObject

    def to_json(self) -> JsonObject:
        """The event as callers see it."""
        return {"cursor": self.cursor, "kind": self.kind, "zone": self.zone, **self.data}


def newest(store: Store) -> int:
    """The cursor behind all that has happened."""
    return revision(store)


def after(store: Store, cursor: int, timeout: float = 0.0) -> tuple[list[Event], int]:
    """The events behind *cursor*, as soon as there is a commit or *timeout* seconds have passed, and the next cursor.

    Raises :class:`CursorLost` for a cursor that is too old, or of another store.
    """
    changes = store.watch(cursor, timeout)
    if not cursor <= changes.revision <= cursor + REACH:
        raise CursorLost(
            f"there is no going on behind {cursor}, the store is at {changes.revision} and events reach {REACH} commits"
            " back: read what you need anew, then follow from now"
        )
    documents = (store.get(key) for key in changes.keys if key.startswith(_TOLD))
    # One that is newer still comes the next time.
    found = [d for d in documents if d is not None and d.revision <= changes.revision]
    return list(_events(sorted(found, key=lambda d: (d.revision, d.key)))), changes.revision


def _events(documents: Iterable[Document]) -> Iterable[Event]:
    for document in documents:
        value = document.value
        if document.key.startswith(JOURNAL):
            entry = decode(Entry, document)
            told: JsonObject = {
                "time": entry.time,
                "actor": entry.actor,
                "version": entry.version,
                "serial": entry.serial,
                "subject": entry.subject,
                "summary": dict(entry.summary),
                "reason": entry.reason,
            }
            yield Event(document.revision, entry.kind, entry.zone, told)
        elif document.key.startswith(_PUBLISHED):
            zone = names.to_text(names.from_text(document.key.removeprefix(_PUBLISHED)))
            yield Event(document.revision, "zone.published", zone, _some(value, "version", "source", "serial", "time"))
        elif document.key.startswith(_HEAD):
            yield Event(document.revision, "head.moved", None, {"ring": document.key.removeprefix(_HEAD)})
        else:
            edge: JsonObject = {"edge": document.key.removeprefix(_EDGE), "head": value.get("head")}
            yield Event(document.revision, "edge.attested", None, edge)


def _some(value: JsonObject, *members: str) -> JsonObject:
    found: dict[str, Json] = {name: value[name] for name in members if name in value}
    return found
