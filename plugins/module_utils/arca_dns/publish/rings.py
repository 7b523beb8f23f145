# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Rings: heads that move at their own pace. The first follows every publication, the others move by promotion.

A revision never goes back, whatever catalog it names. What a ring serves must not expire because nobody promotes:
signatures that were renewed in the ring before are taken over a while after that ring got them, and at the last a
change that was not promoted. When to promote is judged elsewhere; here is how a ring's head is read and moved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import cast

from ..dnssec.policy import Policy
from ..documents import (
    HeadHistory,
    PublishedVersion,
    ZoneSettings,
    decode,
    encode,
    head_history_key,
    head_key,
    publication_key,
    restored_key,
    zone_key,
)
from ..errors import Conflict, NotFound
from ..store.base import Document, JsonObject, Store, Transaction, revision_of
from ..store.common import everything
from ..zone.rr import serial_newer
from ..zone.tree import NEVER, Blobs, ZoneRoot
from .catalog import Catalog, Entry
from .due import due_at
from .head import Head, HeadKey, SignedHead
from .line import FOLLOWS, signed_head
from .publisher import Publisher

DAY = 86400
#: Seconds after which retention may remove what a head published, less an hour for a collection that is under way.
KEPT_SECONDS = DAY - 3600
#: Seconds between two looks for signatures that a ring has to take over.
_LOOK_SECONDS = 60.0
#: A signature that can be renewed has from when it is due to when it expires. What a ring takes over by itself: renewed
#: signatures after a quarter of that, what was not promoted after half of it.
_RENEWED, _UNPROMOTED = 4, 2
_REMEMBERED = 200_000
_ATTEMPTS = 10
_NAMED = 20
_FACTOR = 8


@dataclass(frozen=True, slots=True)
class Ring:
    """A ring: its *name*, the ring that it is promoted from (``None`` for the first), its head if it has one."""

    name: str
    before: str | None
    head: Head | None
    signed: SignedHead | None


@dataclass(frozen=True, slots=True)
class Point:
    """A catalog that a ring can be brought to: what *ring* had at *revision*; *keys* must not have moved."""

    ring: str
    revision: int
    catalog: str | None
    keys: Mapping[str, int]


@dataclass(slots=True)
class Difference:
    """What a move changes of *held* zones: how many, the first names of each kind, and those whose serial goes back.

    *live* are the removed ones that the ring has still that the move takes from: what is promoted is older than they.
    """

    held: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    back: int = 0
    live: int = 0
    names: dict[str, list[bytes]] = field(default_factory=dict)

    def note(self, before: Entry | None, after: Entry | None) -> None:
        """Count one zone."""
        entry = cast(Entry, after or before)
        kind = "added" if before is None else "removed" if after is None else "changed"
        setattr(self, kind, getattr(self, kind) + 1)
        self._name(kind, entry.zone)
        if before is not None and after is not None and serial_newer(before.serial, after.serial):
            self.back += 1
            self._name("back", entry.zone)

    def note_live(self, zone: bytes) -> None:
        """Count one that is removed although it lives."""
        self.live += 1
        self._name("live", zone)

    def _name(self, kind: str, zone: bytes) -> None:
        named = self.names.setdefault(kind, [])
        if len(named) < _NAMED:
            named.append(zone)


class Rings:
    """The rings *names* of *store*, in the order of promotion; the first is *publisher*'s."""

    def __init__(
        self,
        store: Store,
        publisher: Publisher,
        key: HeadKey,
        names: Sequence[str],
        *,
        policy: Policy,
        head_lifetime: int,
        clock: Callable[[], float],
        blobs: Callable[[], Blobs],
    ) -> None:
        self.names = tuple(names)
        self._store = store
        self._publisher = publisher
        self._key = key
        self._policy = policy
        self._lifetime = head_lifetime
        self._clock = clock
        self._blobs = blobs
        self._next_look = 0.0
        self._expiries: dict[str, int] = {}

    # -- what there is ----------------------------------------------------------------------

    def get(self, name: str) -> Ring:
        """One ring. Raises :class:`NotFound`."""
        before = self.before(name)
        signed = self._signed(name)
        return Ring(name, before, None if signed is None else signed.head(), signed)

    def before(self, name: str) -> str | None:
        """The ring that *name* is promoted from; ``None`` for the first. Raises :class:`NotFound`."""
        if name not in self.names:
            raise NotFound(f"there is no ring {name!r}; there are {', '.join(self.names)}")
        at = self.names.index(name)
        return self.names[at - 1] if at else None

    def _signed(self, name: str) -> SignedHead | None:
        if name == self.names[0]:
            line = self._publisher.line()
            return None if line is None or line.taken_over else line.signed
        document = self._store.get(head_key(name))
        return None if document is None else signed_head(document)

    def history(self, name: str, before: int | None, limit: int) -> list[HeadHistory]:
        """What heads of ring *name* published, newest first, those older than revision *before*."""
        self.before(name)
        newest = self.revision(name)
        if newest is None:
            return []
        end, span = min(newest + 1, newest + 1 if before is None else before), limit
        while True:
            # Stores read forward only, and a busy ring has many: so from as far back as there may be enough.
            start = max(0, end - span)
            documents = everything(self._store, head_history_key(name), head_history_key(name, start))
            found = [decode(HeadHistory, one) for one in takewhile(lambda one: _revision(one) < end, documents)]
            if len(found) >= limit or start == 0:
                return found[: -limit - 1 : -1]
            span *= _FACTOR

    def revision(self, name: str) -> int | None:
        """The revision of the head of ring *name*, also of a ring that is configured no more; ``None`` without one."""
        document = self._store.get(head_key(name))
        return None if document is None else signed_head(document).revision()

    def zones(self, ring: Ring) -> int:
        """How many zones *ring* serves."""
        return 0 if ring.head is None else len(self._catalog(ring.head.catalog))

    def _catalog(self, root: str | None, blobs: Blobs | None = None) -> Catalog:
        return Catalog(blobs or self._blobs(), root)

    def point(self, name: str, revision: int | None = None) -> Point:
        """What ring *name* has, or had at *revision*. Raises :class:`NotFound`."""
        self.before(name)
        document = self._store.get(head_key(name))
        if document is None:
            raise NotFound(f"ring {name!r} has no head yet")
        head = signed_head(document).head()
        if revision is None or revision == head.revision:
            # What it published stays for a while, whereas the head of a busy ring is another one in a moment.
            held = self._store.get(head_history_key(name, head.revision)) or document
            return Point(name, head.revision, head.catalog, {held.key: held.revision})
        note = self._store.get(head_history_key(name, revision))
        if note is not None:
            after = self._store.scan(head_history_key(name), note.key, 1)
            gone = decode(HeadHistory, after[0]).issued if after else self._clock()
            if self._clock() - gone <= KEPT_SECONDS:
                return Point(name, revision, decode(HeadHistory, note).catalog, {note.key: note.revision})
        raise NotFound(f"revision {revision} of ring {name!r} is not kept; 'history' of the ring lists what is")

    def difference(self, ring: Ring, point: Point) -> Difference:
        """What moving *ring* to *point* would change."""
        blobs = self._blobs()
        old = self._catalog(None if ring.head is None else ring.head.catalog, blobs)
        source = self._catalog(self._current(ring, point), blobs)
        found = Difference(len(old))
        for before, after in old.diff(self._catalog(point.catalog, blobs)):
            found.note(before, after)
            if before is not None and after is None and source.get(before.zone) is not None:
                found.note_live(before.zone)
        return found

    def _current(self, ring: Ring, point: Point) -> str | None:
        """The catalog that is there now where *point* is from; for one of *ring* or behind it, in the ring before."""
        ahead = self.names.index(point.ring) < self.names.index(ring.name)
        name = point.ring if ahead else ring.before
        head = None if name is None else self.get(name).head
        return None if head is None else head.catalog

    def differs(self, ring: Ring, limit: int) -> int | None:
        """In how many zones *ring* differs from the ring before, at most *limit*; ``None`` for the first one."""
        if ring.before is None:
            return None
        other = self.get(ring.before).head
        blobs = self._blobs()
        old = self._catalog(None if ring.head is None else ring.head.catalog, blobs)
        found = old.diff(self._catalog(None if other is None else other.catalog, blobs))
        return sum(1 for _pair in islice(found, limit))

    # -- moving -----------------------------------------------------------------------------

    def move(
        self,
        name: str,
        point: Point,
        *,
        expected: int | None = None,
        writes: Callable[[Head], Mapping[str, JsonObject]] = lambda _head: {},
        revisions: Mapping[str, int] | None = None,
    ) -> Head:
        """Give ring *name* the catalog of *point*; what *writes* makes of the new head is in the same commit.

        It depends on *revisions*, and on *expected*, the revision of the head that the caller has seen (0: none).
        Raises :class:`Conflict`.
        """
        document = self._store.get(head_key(name))
        held = None if document is None else signed_head(document).head()
        if expected is not None and expected != (0 if held is None else held.revision):
            raise Conflict(f"the head of ring {name!r} has moved meanwhile")
        blobs = self._blobs()
        keys = {**point.keys, **(revisions or {}), head_key(name): revision_of(document)}
        return self._commit(name, held, self._catalog(point.catalog, blobs), blobs, point.revision, keys, writes)

    def _commit(
        self,
        name: str,
        held: Head | None,
        catalog: Catalog,
        blobs: Blobs,
        least: int,
        preconditions: Mapping[str, int],
        writes: Callable[[Head], Mapping[str, JsonObject]] = lambda _head: {},
    ) -> Head:
        now = int(self._clock())
        floor, approved = self._floor(name)
        revision = max(least, 1 if held is None else held.revision + 1, floor)
        removal = held is None or (approved and revision == floor)
        if held is not None and not removal and held.catalog != catalog.root:
            # Whoever took a zone out of the ring before was asked whether that was meant.
            old = self._catalog(held.catalog, blobs)
            removal = any(before is not None and after is None for before, after in old.diff(catalog))
        mark = revision if removal else (0 if held is None else held.mass_removal)
        head = Head(name, revision, catalog.root, now, now + self._lifetime, mark)
        made: dict[str, JsonObject] = {
            head_key(name): {"signed": dict(self._key.sign(head).to_json()), "revision": revision, FOLLOWS: True},
            head_history_key(name, revision): encode(HeadHistory(revision, catalog.root, now)),
            **writes(head),
        }
        self._store.commit(Transaction(preconditions, made, (), blobs.pending))
        blobs.settle()
        return head

    def _floor(self, name: str) -> tuple[int, bool]:
        """The least revision since a backup was restored, and whether edges may drop what it lacks."""
        document = self._store.get(restored_key(name))
        if document is None:
            return 0, False
        return int(str(document.value["revision"])), bool(document.value["approve_removal"])

    # -- upkeep -----------------------------------------------------------------------------

    def maintain(self) -> None:
        """Begin rings that have no head, renew heads, and take over signatures before they expire."""
        now = self._clock()
        look = now >= self._next_look
        if look:
            self._next_look = now + _LOOK_SECONDS
        for name in self.names[1:]:
            for _attempt in range(_ATTEMPTS):
                try:
                    self._keep_up(name, now, look)
                except Conflict:
                    continue
                break

    def _keep_up(self, name: str, now: float, look: bool) -> None:
        document = self._store.get(head_key(name))
        before = self._store.get(head_key(cast(str, self.before(name))))
        if before is None:
            return
        source = signed_head(before).head()
        if document is None:
            # The first ring's edges have it, and this ring's have nothing.
            point = Point(source.ring, source.revision, source.catalog, {before.key: before.revision})
            self.move(name, point, expected=0)
            return
        held = signed_head(document).head()
        if document.value.get(FOLLOWS) is not True:
            return  # the first ring until now; the line is handed over with the next publication
        blobs = self._blobs()
        catalog = self._catalog(held.catalog, blobs)
        taken: dict[bytes, Entry | None] = {}
        if look and held.catalog != source.catalog:
            taken = dict(self._expiring(catalog, self._catalog(source.catalog, blobs), blobs, now))
        renew = held.expires - now < self._lifetime / 2 or held.revision < self._floor(name)[0]
        if taken or renew:
            keys = {document.key: document.revision, **({before.key: before.revision} if taken else {})}
            self._commit(name, held, catalog.update(taken), blobs, held.revision, keys)

    def _expiring(
        self, held: Catalog, source: Catalog, blobs: Blobs, now: float
    ) -> Iterator[tuple[bytes, Entry | None]]:
        """The zones that a ring has to take over from the ring before, as that ring's catalog has them."""
        if len(self._expiries) > _REMEMBERED:
            self._expiries.clear()
        for mine, theirs in held.diff(source):
            if mine is None:
                continue
            expiry = self._expiry(mine, blobs)
            if expiry == NEVER or (theirs is not None and self._expiry(theirs, blobs) <= expiry):
                continue
            due = due_at(self._policy_of(mine.zone), expiry)
            if now < due:
                continue
            part = _RENEWED if theirs is not None and self._same_source(mine, theirs) else _UNPROMOTED
            if now >= due + (expiry - due) / part:
                yield mine.zone, theirs

    def _expiry(self, entry: Entry, blobs: Blobs) -> int:
        found = self._expiries.get(entry.root)
        if found is None:
            found = self._expiries[entry.root] = ZoneRoot.load(blobs, entry.root).stats().earliest_expiry
        return found

    def _policy_of(self, zone: bytes) -> Policy:
        document = self._store.get(zone_key(zone))
        if document is None:
            return self._policy
        settings = ZoneSettings.from_json(cast(JsonObject, document.value["settings"]))
        return settings.effective_policy(self._policy)

    def _same_source(self, one: Entry, other: Entry) -> bool:
        """Whether two published versions of a zone have the same content, their signatures aside."""
        documents = [self._store.get(publication_key(entry.zone, entry.version)) for entry in (one, other)]
        roots = [None if found is None else decode(PublishedVersion, found).source_root for found in documents]
        return roots[0] is not None and roots[0] == roots[1]


def _revision(note: Document) -> int:
    return int(cast(int, note.value["revision"]))
