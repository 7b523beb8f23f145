# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From source versions to a new head: sign, verify, catalogue, publish.

Commits of source versions leave a ``dirty/`` note. One publisher at a time takes all notes there are, so writes that
arrive together share one catalog update and one head. What does not verify is never published: its note keeps the
reason, and the other zones go on.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeAlias, cast

from ..dnssec.keys import KeyPair, generate_keys
from ..dnssec.keystore import KeyStore
from ..dnssec.policy import Policy
from ..dnssec.signer import publish_unsigned, resign, sign_zone
from ..dnssec.verifier import verify_change, verify_zone
from ..dnssec.window import epoch_of
from ..dnssec.workers import SERIAL, Workers, no_progress
from ..documents import (
    Dirty,
    HeadHistory,
    PublishedVersion,
    Source,
    ZoneSettings,
    dirty_key,
    encode,
    head_history_key,
    head_key,
    new_version_id,
    publication_key,
    published_key,
    restored_key,
    utc,
    zone_key,
)
from ..errors import AlreadyExists, ArcaError, Conflict, KeyUnavailable, NotFound
from ..store.base import ABSENT, Document, JsonObject, Store, Transaction
from ..store.common import everything
from ..zone import names
from ..zone.rr import serial_newer
from ..zone.tree import Blobs, ZoneRoot
from .catalog import Catalog, Entry
from .due import DueIndex, due_at
from .head import Head, HeadKey, SignedHead
from .second_check import NoChecks, SecondChecks, check_again

#: The one ring there is; more come as more heads.
RING = "stable"
#: How often a publication is computed anew because writers or another controller were faster.
_ATTEMPTS = 10
#: Notes that are read together.
_PAGE = 1000
#: Zones that are signed again for one head. Who waits to publish waits for no more.
_STEP = 100
#: Records from which on a first signing takes long enough that other zones must not wait for it.
_LONG = 20_000


def next_serial(style: str, current: int, now: float) -> int:
    """The serial after *current*: the clock for ``unixtime`` if that is newer, else one more (RFC 1982); never 0."""
    if style == "unixtime" and serial_newer(int(now) & 0xFFFFFFFF, current):
        return int(now) & 0xFFFFFFFF
    return (current + 1) & 0xFFFFFFFF or 1


#: Told how far the signing of a large zone is: zone, what is being done, how much is done, of how much.
ZoneProgress: TypeAlias = Callable[[bytes, str, int, int], None]

#: Zones to sign, each with its note if it is dirty.
_Work: TypeAlias = "dict[bytes, Document | None]"
#: The same, and what says whether a head is wanted where there are none.
_Found: TypeAlias = "tuple[_Work, Callable[[], bool]]"


@dataclass(frozen=True, slots=True)
class _Ready:
    """A zone that is signed, verified and waits for the commit."""

    zone: bytes
    note: Document | None
    expected: int  # revision of the published document
    source: int  # revision of the zone's own document
    version: PublishedVersion | None  # None: removed


class Publisher:
    """Signs what is dirty or due and moves the head. Safe to call from any thread."""

    def __init__(
        self,
        store: Store,
        keystore: KeyStore,
        key: HeadKey,
        *,
        policy: Policy,
        head_lifetime: int,
        clock: Callable[[], float],
        blobs: Callable[[], Blobs],
        second_checks: SecondChecks | None = None,
        workers: Workers = SERIAL,
        progress: ZoneProgress | None = None,
    ) -> None:
        self._store = store
        self._keystore = keystore
        self._key = key
        self._policy = policy
        self._lifetime = head_lifetime
        self._clock = clock
        self._blobs = blobs
        self._second_checks = second_checks or NoChecks()
        self._lock = threading.Lock()
        self._turn = threading.Lock()  # held by who is next to get the other one
        self._index = DueIndex(store, policy)
        self._workers = workers
        self._progress = progress
        self._long_lock = threading.Lock()  # taken before the other one
        self._signed_ahead: dict[bytes, _Ready] = {}

    # -- what is published ----------------------------------------------------------------

    def head(self) -> tuple[SignedHead, Head, int] | None:
        """The signed head, what it says, and its document's revision; ``None`` before the first publication."""
        document = self._store.get(head_key(RING))
        if document is None:
            return None
        signed = SignedHead.from_json(document.value["signed"])
        return signed, Head(**json.loads(signed.payload)), document.revision

    def published(self, zone: bytes) -> PublishedVersion | None:
        """The published version of *zone*, or ``None``."""
        document = self._store.get(published_key(zone))
        return None if document is None else _published(document)

    def catalog(self, blobs: Blobs) -> Catalog:
        """The catalog that the head names."""
        held = self.head()
        return Catalog(blobs, None if held is None else held[1].catalog)

    # -- publishing -------------------------------------------------------------------------

    def publish(self, waiting: bytes | None = None) -> None:
        """Publish every dirty zone. Returns at once if *waiting* was published by somebody else meanwhile.

        The first signing of a large zone does not keep other zones waiting: they are published while it lasts.
        """
        if waiting is not None and self._is_long(waiting):
            self._publish_long(waiting)
            return
        with self._alone():
            if waiting is not None and self._store.get(dirty_key(waiting)) is None:
                return
            self._run(self._waiting)
        if waiting is None:
            self._publish_all_long()

    def maintain(self) -> None:
        """Publish what is dirty, re-sign what is due, renew the head when half its life is over.

        Goes in steps, between which others may publish. Costs what is due, and what was published since the last time.
        """
        due = self._index.due(self._clock())
        for at in range(0, max(len(due), 1), _STEP):
            some = due[at : at + _STEP]
            with self._alone():
                self._run(lambda some=some, first=at == 0: self._waiting_or_due(some, first))  # type: ignore[misc]
        self._publish_all_long()

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Leave first signings of large zones to another process meanwhile."""
        with self._long_lock:
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One publisher at a time, in the order in which they come."""
        with self._turn:
            self._lock.acquire()
        try:
            yield
        finally:
            self._lock.release()

    def _is_long(self, zone: bytes) -> bool:
        """Whether *zone* is large and was never published."""
        source = self._store.get(zone_key(zone))
        if source is None or _source(source).records < _LONG:
            return False
        return self._store.get(published_key(zone)) is None

    def _publish_all_long(self) -> None:
        for note in everything(self._store, "dirty/"):
            zone = names.from_text(str(note.value["name"]))
            if self._is_long(zone):
                self._publish_long(zone)

    def _publish_long(self, zone: bytes) -> None:
        """Sign *zone* while others are published, then publish it with them."""
        with self._long_lock:
            note = self._store.get(dirty_key(zone))
            if note is not None and self._is_long(zone):
                blobs = self._blobs()
                made = self._prepare(blobs, zone, note)
                if made is None:
                    return
                self._store.write_blobs(blobs.pending)
                self._signed_ahead[zone] = made
            try:
                with self._alone():
                    self._run(self._waiting)
            finally:
                self._signed_ahead.pop(zone, None)

    def _waiting(self) -> _Found:
        """The zones that are dirty, with their notes, and whether a head is wanted all the same."""
        notes: list[Document] = []
        while len(notes) % _PAGE == 0:
            page = self._store.scan("dirty/", notes[-1].key if notes else "", _PAGE)
            if not page:
                break
            notes += page
        by_zone = {names.from_text(str(note.value["name"])): note for note in notes}
        ahead = self._signed_ahead
        work: _Work = {zone: note for zone, note in by_zone.items() if zone in ahead or not self._is_long(zone)}
        return work, lambda: self.head() is None

    def _waiting_or_due(self, candidates: Sequence[bytes], first: bool) -> _Found:
        """The same, with those of *candidates* that are to be signed again; what is dirty only at *first*."""
        now = self._clock()
        work: _Work = self._waiting()[0] if first else {}
        for zone in candidates:
            if zone not in work and self._due(zone, now):
                work[zone] = None
        held = self.head()
        renew = held is None or held[1].expires - now < self._lifetime / 2 or held[1].revision < self._floor()[0]
        return work, lambda: renew

    def _floor(self) -> tuple[int, bool]:
        """The least revision of a head since a backup was restored, and whether edges may drop what it lacks."""
        document = self._store.get(restored_key(RING))
        if document is None:
            return 0, False
        return int(str(document.value["revision"])), bool(document.value["approve_removal"])

    def _due(self, zone: bytes, now: float) -> bool:
        version, source = self.published(zone), self._store.get(zone_key(zone))
        if version is None or source is None:
            return False
        return due_at(_settings(source).effective_policy(self._policy), version.earliest_expiry) <= now

    def _run(self, find: Callable[[], _Found]) -> None:
        """Sign what *find* finds and commit it with one head; looks again when another controller was faster."""
        for attempt in range(_ATTEMPTS):
            work, wanted = find()
            blobs = self._blobs()
            ready = [item for zone, note in work.items() if (item := self._prepare(blobs, zone, note)) is not None]
            if not ready and not wanted():
                return
            try:
                self._commit(blobs, ready)
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue
            return

    def _prepare(self, blobs: Blobs, zone: bytes, note: Document | None) -> _Ready | None:
        """Sign and verify *zone*; a failure is kept in its note and leaves what is published alone."""
        published = self._store.get(published_key(zone))
        expected = ABSENT if published is None else published.revision
        source = self._store.get(zone_key(zone))
        if source is None:
            return None if published is None and note is None else _Ready(zone, note, expected, ABSENT, None)
        made = self._signed_ahead.get(zone)
        if made is not None and (made.expected, made.note) == (expected, note):
            return made
        try:
            version = self.sign(blobs, zone, _source(source), None if published is None else _published(published))
        except ArcaError as error:
            self._report(zone, note, str(error))
            return None
        return _Ready(zone, note, expected, source.revision, version)

    def sign(self, blobs: Blobs, zone: bytes, source: Source, published: PublishedVersion | None) -> PublishedVersion:
        """The next published version of *zone*, verified; incremental where *published* has its keys and policy."""
        now = self._clock()
        settings = ZoneSettings.from_json(source.settings)
        policy = settings.effective_policy(self._policy)
        serial = source.serial
        if published is not None and not serial_newer(serial, published.serial):
            serial = next_serial(settings.serial, published.serial, now)
        tree = ZoneRoot.load(blobs, source.root)
        if settings.dnssec:
            keys = self._keys(zone, policy)
            epoch = epoch_of(policy, int(now))
            signing = _fingerprint(policy, keys)
            workers = self._workers
            tell = no_progress if self._progress is None else partial(self._progress, zone)
            if published is not None and published.signing == signing:
                before = ZoneRoot.load(blobs, published.root)
                old = ZoneRoot.load(blobs, published.source_root)
                signed = resign(blobs, old, tree, before, keys, policy, epoch, serial, workers=workers, progress=tell)
                verify_change(before, signed, int(now), workers=workers, progress=tell)
            else:
                signed = sign_zone(blobs, tree, keys, policy, epoch, serial, workers=workers, progress=tell)
                verify_zone(signed, int(now), workers=workers, progress=tell)
        else:
            signing = "unsigned"
            signed = publish_unsigned(blobs, tree, serial)
        if settings.verify_command:
            check_again(self._second_checks, settings.verify_command, signed)
        stats = signed.stats()
        return PublishedVersion(
            new_version_id(now, None if published is None else published.version),
            source.version,
            source.root,
            signed.store(blobs),
            serial,
            stats.records,
            stats.earliest_expiry,
            signing,
            utc(now),
        )

    def sign_again(self, blobs: Blobs, zone: bytes, version: PublishedVersion, settings: JsonObject) -> None:
        """Make the tree of the published *version* once more, in *blobs*: the same bytes, as signing is a function.

        Raises :class:`KeyUnavailable` if the zone's keys or policy are others now.
        """
        settings = {**settings, "dnssec": version.signing != "unsigned"}
        if settings["dnssec"]:
            policy = ZoneSettings.from_json(settings).effective_policy(self._policy)
            if _fingerprint(policy, self._keystore.load(zone)) != version.signing:
                raise KeyUnavailable(f"{names.to_text(zone)} has other keys or another policy than when it was signed")
        then = copy(self)
        moment = datetime.strptime(version.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()
        then._clock = lambda: moment
        name = names.to_text(zone)
        root, serial, time = version.source_root, version.serial, version.time
        then.sign(blobs, zone, Source(name, version.source, root, serial, 0, settings, time, time), None)

    def _keys(self, zone: bytes, policy: Policy) -> Sequence[KeyPair]:
        keys = self._keystore.load(zone)
        if not keys:
            with suppress(AlreadyExists):  # another controller made them just now
                self._keystore.add(generate_keys(policy, zone), first=True)
            keys = self._keystore.load(zone)
        return keys

    def _report(self, zone: bytes, note: Document | None, problem: str) -> None:
        """Keep the reason in the note, unless the note has moved on."""
        value = Dirty(names.to_text(zone), problem=problem)
        if note is not None and note.value.get("problem") == problem:
            return
        expected = ABSENT if note is None else note.revision
        try:
            self._store.commit(Transaction({dirty_key(zone): expected}, {dirty_key(zone): encode(value)}))
        except Conflict:
            return

    def _commit(self, blobs: Blobs, ready: Sequence[_Ready]) -> None:
        now = int(self._clock())
        held = self.head()
        old = None if held is None else held[1]
        catalog = Catalog(blobs, None if old is None else old.catalog)
        preconditions: dict[str, int] = {head_key(RING): ABSENT if held is None else held[2]}
        writes: dict[str, JsonObject] = {}
        deletes: list[str] = []
        entries: dict[bytes, Entry | None] = {}
        for item in ready:
            # Both trees are named again in part, not written again: what holds them must be there to the end.
            preconditions[published_key(item.zone)] = item.expected
            preconditions[zone_key(item.zone)] = item.source
            if item.note is not None:
                preconditions[item.note.key] = item.note.revision
                deletes.append(item.note.key)
            if item.version is None:
                entries[item.zone] = None
                if item.expected != ABSENT:
                    deletes.append(published_key(item.zone))
            else:
                version = item.version
                entries[item.zone] = Entry(item.zone, version.serial, version.root, version.version)
                writes[published_key(item.zone)] = encode(version)
                writes[publication_key(item.zone, version.version)] = encode(version)
        catalog = catalog.update(entries)
        floor, approved = self._floor()
        revision = max(1 if old is None else old.revision + 1, floor)
        # Every removal that comes here is one that an operator asked for and the service judged.
        removal = any(entry is None for entry in entries.values()) or (approved and revision == floor)
        mark = revision if removal else (0 if old is None else old.mass_removal)
        head = Head(RING, revision, catalog.root, now, now + self._lifetime, mark)
        writes[head_key(RING)] = {"signed": dict(self._key.sign(head).to_json()), "revision": revision}
        writes[head_history_key(RING, revision)] = encode(HeadHistory(revision, catalog.root, now))
        self._store.commit(Transaction(preconditions, writes, deletes, blobs.pending))
        blobs.settle()


def published_note(store: Store, zone: bytes) -> Dirty | None:
    """The note of *zone* if it still waits for publication."""
    document = store.get(dirty_key(zone))
    if document is None:
        return None
    problem = document.value.get("problem")
    return Dirty(
        str(document.value["name"]), bool(document.value.get("removed")), None if problem is None else str(problem)
    )


def load_source(store: Store, zone: bytes) -> tuple[Source, int]:
    """A zone's source state and its document's revision. Raises :class:`NotFound`."""
    document = store.get(zone_key(zone))
    if document is None:
        raise NotFound(f"there is no zone {names.to_text(zone)}")
    return _source(document), document.revision


def _source(document: Document) -> Source:
    return Source(**cast("dict[str, str]", document.value))  # type: ignore[arg-type]


def _settings(document: Document) -> ZoneSettings:
    return ZoneSettings.from_json(cast(JsonObject, document.value["settings"]))


def _published(document: Document) -> PublishedVersion:
    return PublishedVersion(**cast("dict[str, str]", document.value))  # type: ignore[arg-type]


def _fingerprint(policy: Policy, keys: Sequence[KeyPair]) -> str:
    """What a signed tree was made with; an incremental signing needs it unchanged."""
    parts = [repr(policy), *sorted(f"{key.record.role} {key.record.dnskey_rdata.hex()}" for key in keys)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
