# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Retention: what of the past is kept, and for how long. It removes documents only; their blobs are garbage then.

Versions go when there are more than the limit, or when they were superseded longer ago than the limit of age; never the
current one, one that a published zone was made of, or what a deleted zone comes back from. What was published stays for
a day after it was superseded, for edges that are slow, and from then on what an edge attests to serve, as long as it
does. Of a deleted zone whose time is over only its last serial stays, in ``served/``.

The work goes through all history once per interval, for a second in each round, in small transactions: a round costs no
more with many zones, and nothing while the interval lasts. A transaction names what must not have moved; one that loses
to a writer is made again in the next pass.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from threading import Lock
from typing import cast

from . import deletion
from .dnssec.keystore import KeyStore
from .documents import HeadHistory, deleted_key, encode, head_history_key, head_key, moment, published_key, zone_key
from .errors import Conflict
from .journal import Journal
from .publish.catalog import Catalog
from .publish.gates import ring_of
from .publish.line import signed_head
from .store.base import ABSENT, Document, Store, Transaction, revision_of
from .store.common import everything
from .zone import names
from .zone.tree import Blobs

DAY = 86400
#: How long a round goes on with a pass.
_ROUND_SECONDS = 1.0
_PAGE = 1000
_DELETES = 100
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Rules:
    """How much of the past is kept; 0 is no limit.

    *max_age_days* counts from the moment at which a version was superseded, *deleted_days* from the deletion,
    *journal_days* how long entries of the journal stay. A pass through all history begins every *interval* seconds.
    """

    max_versions_per_zone: int = 0
    max_age_days: float = 0
    deleted_days: float = 30
    journal_days: float = 365
    interval: float = 21600


@dataclass(frozen=True, slots=True)
class Retained:
    """How many documents went, zones for good, and entries of the journal; *more* while the pass has not ended."""

    versions: int = 0
    publications: int = 0
    heads: int = 0
    zones: int = 0
    entries: int = 0
    more: bool = False

    def __add__(self, other: Retained) -> Retained:
        return Retained(
            self.versions + other.versions,
            self.publications + other.publications,
            self.heads + other.heads,
            self.zones + other.zones,
            self.entries + other.entries,
            other.more,
        )


class Retention:
    """The rules applied to *store*. Safe to call from any thread, and beside the same of other controllers."""

    def __init__(
        self,
        store: Store,
        keystore: KeyStore,
        rules: Rules,
        clock: Callable[[], float],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._keystore = keystore
        self._rules = rules
        self._clock = clock
        self._monotonic = monotonic
        self._lock = Lock()
        self._pass: Iterator[Retained] | None = None
        self._next = 0.0

    def round(self, *, whole: bool = False) -> Retained:
        """Go on with the pass, or begin one if it is time; *whole*: all of a new one."""
        with self._lock:
            total = Retained()
            if whole:
                self._pass = None
            if self._pass is None:
                now = self._clock()
                if not whole and now < self._next:
                    return total
                self._next = now + self._rules.interval
                self._pass = self._steps()
            current, self._pass = self._pass, None  # what raises ends the pass
            end = self._monotonic() + _ROUND_SECONDS
            for step in current:
                total += step
                if not whole and self._monotonic() >= end:
                    self._pass = current
                    return replace(total, more=True)
            return total

    def _steps(self) -> Iterator[Retained]:
        yield from self._heads()
        yield from self._deleted()
        yield from self._versions()
        yield from self._publications()
        yield from self._keys()
        if self._rules.journal_days:
            until = self._clock() - self._rules.journal_days * DAY
            for count in Journal(self._store, self._clock).prune(until):
                yield Retained(entries=count)

    # -- heads and publications -------------------------------------------------------------

    def _heads(self) -> Iterator[Retained]:
        attested = self._attested()
        for document in everything(self._store, head_key("")):
            self._note_head(document)
            yield from self._heads_of(document.key.removeprefix(head_key("")), attested)

    def _heads_of(self, ring: str, attested: set[tuple[str, int]]) -> Iterator[Retained]:
        until = self._clock() - DAY
        before: Document | None = None
        due: list[str] = []
        for document in everything(self._store, head_history_key(ring)):
            if int(cast(int, document.value["issued"])) > until:
                break  # and so are all that follow
            if before is not None and (ring, int(cast(int, before.value["revision"]))) not in attested:
                due.append(before.key)
            before = document
            if len(due) == _DELETES:
                self._store.commit(Transaction(deletes=due))
                yield Retained(heads=len(due))
                due = []
        if due:
            self._store.commit(Transaction(deletes=due))
        yield Retained(heads=len(due))

    def _note_head(self, document: Document) -> None:
        """A head of an earlier version of this program has no history yet."""
        head = signed_head(document).head()
        key = head_history_key(head.ring, head.revision)
        if self._store.get(key) is not None:
            return
        note = HeadHistory(head.revision, head.catalog, head.issued)
        with suppress(Conflict):
            self._store.commit(Transaction({document.key: document.revision, key: ABSENT}, {key: encode(note)}))

    def _attested(self) -> set[tuple[str, int]]:
        """The rings and revisions of heads that an edge says that it serves or holds."""
        reports = [document.value for document in everything(self._store, "edge/")]
        found = ((ring_of(report), report.get(name)) for report in reports for name in ("head", "head_held"))
        return {(ring, revision) for ring, revision in found if isinstance(revision, int)}

    def _catalogs(self) -> list[Catalog]:
        """What edges say that they serve, and what rings serve that are behind the first."""
        blobs = Blobs(self._store.read_blobs)
        notes = (self._store.get(head_history_key(ring, revision)) for ring, revision in sorted(self._attested()))
        roots = [None if note.value["catalog"] is None else str(note.value["catalog"]) for note in notes if note]
        roots += [signed_head(document).head().catalog for document in everything(self._store, head_key(""))]
        return [Catalog(blobs, root) for root in dict.fromkeys(roots)]

    def _publications(self) -> Iterator[Retained]:
        catalogs = self._catalogs()
        history = _History(0, self._clock() - DAY)
        for page in _pages(self._store, "publication/"):
            removed = 0
            for zone, due in history.due(page):
                attested = {entry.version for catalog in catalogs if (entry := catalog.get(zone)) is not None}
                removed += self._remove(due, lambda zone=zone, attested=attested: self._published(zone, attested))  # type: ignore[misc]
            yield Retained(publications=removed)

    def _published(self, zone: bytes, attested: set[str]) -> tuple[dict[str, int], set[str]]:
        document = self._store.get(published_key(zone))
        kept = attested if document is None else attested | {str(document.value["version"])}
        return {published_key(zone): revision_of(document)}, kept

    # -- versions ---------------------------------------------------------------------------

    def _versions(self) -> Iterator[Retained]:
        rules = self._rules
        if not rules.max_versions_per_zone and not rules.max_age_days:
            return
        until = self._clock() - rules.max_age_days * DAY if rules.max_age_days else float("-inf")
        history = _History(rules.max_versions_per_zone, until)
        for page in _pages(self._store, "version/"):
            removed = 0
            for zone, due in history.due(page):
                removed += self._remove(due, lambda zone=zone: self._needed(zone))  # type: ignore[misc]
            yield Retained(versions=removed)

    def _needed(self, zone: bytes) -> tuple[dict[str, int], set[str]] | None:
        """What must not move while versions of *zone* go, and the versions that must stay."""
        source, note = self._store.get(zone_key(zone)), self._store.get(deleted_key(zone))
        if source is None and note is None:
            return None  # being created or forgotten; or nobody knows which version matters
        published = self._store.get(published_key(zone))
        kept: set[object] = set()
        if source is not None:
            kept.add(source.value["version"])
        if published is not None:
            kept.add(published.value["source"])
        if note is not None:
            kept |= {note.value["version"], note.value["last"]}
        revisions = {
            zone_key(zone): revision_of(source),
            deleted_key(zone): revision_of(note),
            published_key(zone): revision_of(published),
        }
        return revisions, {str(version) for version in kept}

    def _remove(self, keys: Iterable[str], needed: Callable[[], tuple[dict[str, int], set[str]] | None]) -> int:
        """Delete the documents at *keys* but those whose last part is *needed*; returns how many."""
        removed = 0
        for some in _batches(keys):
            for _attempt in range(_ATTEMPTS):
                found = needed()
                if found is None:
                    break
                deletes = [key for key in some if key.rsplit("/", 1)[1] not in found[1]]
                if not deletes:
                    break
                try:
                    self._store.commit(Transaction(found[0], deletes=deletes))
                except Conflict:
                    continue
                removed += len(deletes)
                break
        return removed

    # -- deleted zones ----------------------------------------------------------------------

    def _deleted(self) -> Iterator[Retained]:
        if not self._rules.deleted_days:
            return
        until = self._clock() - self._rules.deleted_days * DAY
        for page in _pages(self._store, "deleted/"):
            for document in page:
                if _unix(document.value["deleted"]) > until:
                    continue
                with suppress(Conflict):  # it came back, or another controller does the same
                    for versions, publications in deletion.forget(self._store, document):
                        yield Retained(versions, publications)
                    yield Retained(zones=1)
            yield Retained()

    def _keys(self) -> Iterator[Retained]:
        """Remove the keys of zones that are gone for good, also where a controller died before it could."""
        for page in _pages(self._store, "served/"):
            for document in page:
                if document.value["keys_due"]:
                    deletion.remove_keys(self._store, self._keystore, document)
                    yield Retained()
            yield Retained()


class _History:
    """Reads the past of zones, oldest first, and finds what is due: where there are more than *most* (0: no limit), or
    what was superseded at *until* or before."""

    def __init__(self, most: int, until: float) -> None:
        self._most = most
        self._until = until
        self._zone = ""
        self._window: deque[tuple[str, float]] = deque()  # (key, time) of what is not decided

    def due(self, page: Iterable[Document]) -> list[tuple[bytes, list[str]]]:
        """Zones, and the keys of what is due of each, now that *page* is known too."""
        found: dict[str, list[str]] = {}
        window = self._window
        for document in page:
            zone = document.key.split("/")[1]
            if zone != self._zone:
                self._zone = zone
                window.clear()
            window.append((document.key, _unix(document.value["time"])))
            while len(window) > 1 and (window[1][1] <= self._until or (self._most and len(window) > self._most)):
                found.setdefault(zone, []).append(window.popleft()[0])
            if not self._most and len(window) > 2:
                window.pop()  # the oldest is not due, so no later one is
        return [(names.from_text(zone), keys) for zone, keys in found.items()]


def _pages(store: Store, prefix: str) -> Iterator[list[Document]]:
    after = ""
    while page := store.scan(prefix, after, _PAGE):
        yield page
        after = page[-1].key


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    source = iter(keys)
    while some := list(islice(source, _DELETES)):
        yield some


def _unix(value: object) -> float:
    return moment(str(value))
