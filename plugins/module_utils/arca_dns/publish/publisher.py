# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From source versions to a new head: sign, verify, catalogue, publish.

Commits of source versions leave a ``dirty/`` note. One publisher at a time takes all notes there are, so writes that
arrive together share one catalog update and one head. What does not verify is never published: its note keeps the
reason, and the other zones go on.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass
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
    decode,
    dirty_key,
    encode,
    head_history_key,
    head_key,
    moment,
    new_version_id,
    publication_key,
    published_key,
    restored_key,
    utc,
    zone_key,
)
from ..errors import AlreadyExists, ArcaError, Conflict, KeyUnavailable, NotFound
from ..store.base import ABSENT, Document, JsonObject, Store, Transaction, revision_of
from ..zone import names
from ..zone.rr import serial_newer
from ..zone.tree import Blobs, ZoneRoot
from .catalog import Catalog, Entry
from .due import DueIndex, due_at
from .head import DEFAULT_RING, Head, HeadKey
from .line import Line, find_line
from .second_check import NoChecks, SecondChecks, check_again

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


@dataclass(frozen=True, slots=True)
class _Ready:
    """A zone that is signed, verified and waits for the commit."""

    zone: bytes
    note: Document | None
    expected: int  # revision of the published document
    source: int  # revision of the zone's own document
    version: PublishedVersion | None  # None: removed


class _Attempt:
    """What one try to publish goes by.

    Documents are as they were when they were first asked for; those that matter are preconditions of the commit.
    *work* are the zones to sign, each with its note if it is dirty; *long* those that are left out since they take
    long. *renew* asks for a head where there is no work. *done* are the zones that were committed.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[str, Document | None] = {}
        self.work: dict[bytes, Document | None] = {}
        self.long: list[bytes] = []
        self.renew = False
        self.done: frozenset[bytes] = frozenset()

    def get(self, key: str) -> Document | None:
        """The document at *key*."""
        if key not in self._held:
            self._held[key] = self._store.get(key)
        return self._held[key]

    def scan(self, prefix: str, after: str, limit: int) -> list[Document]:
        """As :meth:`~.base.Store.scan`."""
        found = self._store.scan(prefix, after, limit)
        self._held.update((document.key, document) for document in found)
        return found


class Publisher:
    """Signs what is dirty or due and moves the head of *ring*, the first one. Safe to call from any thread."""

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
        ring: str = DEFAULT_RING,
    ) -> None:
        self.ring = ring
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
        self._apart = threading.Lock()  # taken before the other one
        self._signed_ahead: dict[bytes, _Ready] = {}
        self._restored: tuple[int, bool] | None = None

    # -- what is published ----------------------------------------------------------------

    def line(self) -> Line | None:
        """The head that the next publication goes on from; ``None`` before the first one."""
        return self._line(_Attempt(self._store))

    def _line(self, attempt: _Attempt) -> Line | None:
        return find_line(self.ring, attempt.get, lambda: attempt.scan("head/", "", _PAGE))

    def published(self, zone: bytes) -> PublishedVersion | None:
        """The published version of *zone*, or ``None``."""
        document = self._store.get(published_key(zone))
        return None if document is None else decode(PublishedVersion, document)

    def catalog(self, blobs: Blobs) -> Catalog:
        """The catalog of all that is published."""
        line = self.line()
        return Catalog(blobs, None if line is None else line.head.catalog)

    # -- publishing -------------------------------------------------------------------------

    def publish(self, waiting: bytes | None = None) -> bool:
        """Publish every dirty zone; returns whether *waiting* was certainly one of them.

        Returns at once if *waiting* was published by somebody else meanwhile. What takes long, the first signing of a
        large zone or a second check, does not keep other zones waiting: they are published while it lasts.
        """
        with self._alone():
            attempt = self._run(lambda attempt: self._find_dirty(attempt, waiting))
        if waiting is None:
            for zone in attempt.long:
                self._publish_apart(zone)
        elif waiting in attempt.long:
            return self._publish_apart(waiting)
        return waiting in attempt.done

    def maintain(self) -> None:
        """Publish what is dirty, re-sign what is due, renew the head when half its life is over.

        Goes in steps, between which others may publish. Costs what is due, and what was published since the last time.
        """
        due = self._index.due(self._clock())
        long: dict[bytes, None] = {}
        for at in range(0, max(len(due), 1), _STEP):
            some = due[at : at + _STEP]
            with self._alone():
                attempt = self._run(
                    lambda attempt, some=some, first=at == 0: self._find_due(attempt, some, first)  # type: ignore[misc]
                )
            long.update(dict.fromkeys(attempt.long))
        for zone in long:
            self._publish_apart(zone)

    @contextmanager
    def elsewhere(self) -> Iterator[None]:
        """Leave what is signed apart from others to another process meanwhile."""
        with self._apart:
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

    def _takes_long(self, attempt: _Attempt, zone: bytes) -> bool:
        """Whether *zone* is large and was never published, or a second check must accept it."""
        source = attempt.get(zone_key(zone))
        if source is None:
            return False
        if cast(JsonObject, source.value["settings"]).get("verify_command"):
            return True
        return decode(Source, source).records >= _LONG and attempt.get(published_key(zone)) is None

    def _publish_apart(self, zone: bytes) -> bool:
        """Sign *zone* while others are published, then publish it with them; returns whether it was.

        Where it was written again meanwhile, that writer comes here after this one.
        """
        with self._apart:
            attempt = _Attempt(self._store)
            note = attempt.get(dirty_key(zone))
            if note is None and not self._due(attempt, zone, self._clock()):
                return False
            blobs = self._blobs()
            made = self._prepare(attempt, blobs, zone, note)
            if made is None:
                return False
            self._store.write_blobs(blobs.pending)
            self._signed_ahead[zone] = made
            try:
                with self._alone():
                    return zone in self._run(lambda attempt: self._find_dirty(attempt, ahead=zone)).done
            finally:
                del self._signed_ahead[zone]

    def _find_dirty(self, attempt: _Attempt, waiting: bytes | None = None, ahead: bytes | None = None) -> None:
        """The zones that are dirty, none if *waiting* is not; and *ahead*, if it still is what was signed ahead."""
        notes: list[Document] = []
        while len(notes) % _PAGE == 0:
            page = attempt.scan("dirty/", notes[-1].key if notes else "", _PAGE)
            if not page:
                break
            notes += page
        dirty = {names.from_text(str(note.value["name"])): note for note in notes}
        if waiting is not None and waiting not in dirty:
            return
        for zone, note in dirty.items():
            if self._takes_long(attempt, zone):
                attempt.long.append(zone)
            else:
                attempt.work[zone] = note
        if ahead is not None:
            made = self._signed_ahead[ahead]
            if (made.expected, made.note) == (revision_of(attempt.get(published_key(ahead))), dirty.get(ahead)):
                attempt.work[ahead] = made.note

    def _find_due(self, attempt: _Attempt, candidates: Sequence[bytes], first: bool) -> None:
        """Those of *candidates* that are to be signed again; and what is dirty, if *first*."""
        now = self._clock()
        if first:
            self._find_dirty(attempt)
        for zone in candidates:
            if zone in attempt.work or zone in attempt.long or not self._due(attempt, zone, now):
                continue
            if self._takes_long(attempt, zone):
                attempt.long.append(zone)
            else:
                attempt.work[zone] = None
        line = self._line(attempt)
        attempt.renew = (
            line is None
            or line.taken_over
            or line.head.expires - now < self._lifetime / 2
            or line.head.revision < self._floor(attempt, line.head)[0]
        )

    def _floor(self, attempt: _Attempt, head: Head | None) -> tuple[int, bool]:
        """The least revision of a head since a backup was restored, and whether edges may drop what it lacks."""
        if self._restored is None:
            document = attempt.get(restored_key(self.ring))
            found = (0, False)
            if document is not None:
                found = int(str(document.value["revision"])), bool(document.value["approve_removal"])
            if head is None:
                return found
            self._restored = found  # for good: only an empty backend is restored into
        return self._restored

    def _due(self, attempt: _Attempt, zone: bytes, now: float) -> bool:
        version, source = attempt.get(published_key(zone)), attempt.get(zone_key(zone))
        if version is None or source is None:
            return False
        policy = _settings(source).effective_policy(self._policy)
        return due_at(policy, decode(PublishedVersion, version).earliest_expiry) <= now

    def _run(self, find: Callable[[_Attempt], None]) -> _Attempt:
        """Sign what *find* finds and commit it with one head; looks again when another controller was faster."""
        for number in range(_ATTEMPTS):
            attempt = _Attempt(self._store)
            find(attempt)
            blobs = self._blobs()
            made = (self._prepare(attempt, blobs, zone, note) for zone, note in attempt.work.items())
            ready = [item for item in made if item is not None]
            if not ready and not attempt.renew and self._line(attempt) is not None:
                return attempt
            try:
                self._commit(attempt, blobs, ready)
            except Conflict:
                if number == _ATTEMPTS - 1:
                    raise
                continue
            attempt.done = frozenset(item.zone for item in ready)
            return attempt
        raise AssertionError  # the last attempt returns or raises

    def _prepare(self, attempt: _Attempt, blobs: Blobs, zone: bytes, note: Document | None) -> _Ready | None:
        """Sign and verify *zone*; a failure is kept in its note and leaves what is published alone."""
        published, source = attempt.get(published_key(zone)), attempt.get(zone_key(zone))
        expected = revision_of(published)
        if source is None:
            return None if published is None and note is None else _Ready(zone, note, expected, ABSENT, None)
        made = self._signed_ahead.get(zone)
        if made is not None and (made.expected, made.note) == (expected, note):
            return made
        try:
            before = None if published is None else decode(PublishedVersion, published)
            version = self.sign(blobs, zone, decode(Source, source), before)
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
                with workers.together() as crew:
                    signed = sign_zone(blobs, tree, keys, policy, epoch, serial, workers=crew, progress=tell)
                    verify_zone(signed, int(now), workers=crew, progress=tell)
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
        then._clock = partial(moment, version.time)
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
        try:
            self._store.commit(Transaction({dirty_key(zone): revision_of(note)}, {dirty_key(zone): encode(value)}))
        except Conflict:
            return

    def _commit(self, attempt: _Attempt, blobs: Blobs, ready: Sequence[_Ready]) -> None:
        now = int(self._clock())
        line = self._line(attempt)
        old = None if line is None else line.head
        catalog = Catalog(blobs, None if old is None else old.catalog)
        preconditions: dict[str, int] = {head_key(self.ring): ABSENT} if line is None else dict(line.revisions)
        writes: dict[str, JsonObject] = {} if line is None else dict(line.handed_over())
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
        floor, approved = self._floor(attempt, old)
        revision = max(1 if line is None else line.latest + 1, floor)
        # Every removal that comes here is one that an operator asked for and the service judged.
        removal = any(entry is None for entry in entries.values()) or (approved and revision == floor)
        if line is not None and line.taken_over:
            removal = True
        mark = revision if removal else (0 if old is None else old.mass_removal)
        head = Head(self.ring, revision, catalog.root, now, now + self._lifetime, mark)
        writes[head_key(self.ring)] = {"signed": dict(self._key.sign(head).to_json()), "revision": revision}
        writes[head_history_key(self.ring, revision)] = encode(HeadHistory(revision, catalog.root, now))
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
    return decode(Source, document), document.revision


def _settings(document: Document) -> ZoneSettings:
    return ZoneSettings.from_json(cast(JsonObject, document.value["settings"]))


def _fingerprint(policy: Policy, keys: Sequence[KeyPair]) -> str:
    """What a signed tree was made with; an incremental signing needs it unchanged."""
    parts = [repr(policy), *sorted(f"{key.record.role} {key.record.dnskey_rdata.hex()}" for key in keys)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
