# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The use cases: everything a caller may do to zones stands here once, whatever way it comes in.

Every write is computed as a plan, judged, and applied with the version it was computed from.
Front ends parse and render; signing and heads are the publisher's.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import cast

from . import deletion
from .attestations import Attestations
from .bulk import check_bulk, judge_all, merged, prepare_all
from .collection import Collected, collect
from .dnssec.keys import KeyRecord, ds_rdata
from .dnssec.keystore import KeyStore
from .dnssec.policy import Policy
from .dnssec.workers import SERIAL, Workers
from .documents import (
    Deleted,
    HeadHistory,
    PublishedVersion,
    Source,
    SourceVersion,
    ZoneSettings,
    decode,
    deleted_key,
    head_history_key,
    head_key,
    utc,
    version_key,
    zone_key,
)
from .errors import ArcaError, Conflict, CorruptBlob, NotFound, PlanRefused
from .promotion import Promotions
from .publish.catalog import Entry
from .publish.gates import Gates, against, ring_of
from .publish.head import DEFAULT_RING, HeadKey, SignedHead
from .publish.line import signed_head
from .publish.publisher import Publisher, ZoneProgress, load_source, published_note
from .publish.rings import Rings
from .publish.second_check import NoChecks, SecondChecks
from .retention import Retained, Retention, Rules
from .sites import Sites
from .store.base import Json, JsonObject, Store, Transaction
from .store.common import everything
from .store.fenced import Fence, FencedStore
from .writing import Create, Delete, Edit, Limits, Operation, Permit, Planner, Prepared, Replace, Rollback, Undelete
from .zone import names, rr
from .zone.changes import Amend, Change, Content, Plan, RRsetDiff, tree_diffs
from .zone.content import TreeView
from .zone.text import ParsedZone
from .zone.tree import Blobs, Parsed, ZoneRoot

_ATTEMPTS = 5
_CACHE_BYTES = 128 << 20
#: Thousands of zones that are looked at for one page of some.
_FIND_PAGES = 5
_DAMAGE_HINT = ": the backend is damaged; 'arca-dns-controller fsck' says what needs it and repairs it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write did or, on a dry run, would do.

    *published* is false when the version is stored but not served yet; *problem* then says why.
    """

    plan: Plan
    version: str | None
    serial: int
    changed: bool
    applied: bool
    published: bool = True
    problem: str | None = None

    def without_content(self) -> Outcome:
        """The same with a plan that holds no RRsets, for who has shown it and needs the room."""
        return replace(self, plan=replace(self.plan, diffs=()))


@dataclass(frozen=True, slots=True)
class ZoneInfo:
    """A zone as lists show it."""

    name: bytes
    source: Source
    published: PublishedVersion | None
    settings: ZoneSettings
    problem: str | None = None


class BlobCache:
    """Blobs of a store, the most recently used kept in memory; for all threads. Damaged ones are not kept."""

    def __init__(self, store: Store, limit: int = _CACHE_BYTES) -> None:
        self._store = store
        self._limit = limit
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._parsed = Parsed()
        self._lock = threading.Lock()

    def read(self, digests: Iterable[str], *, damaged: bool = True) -> dict[str, bytes]:
        """The blobs of *digests* that exist; those with other bytes in their place only if *damaged*."""
        found: dict[str, bytes] = {}
        missing: list[str] = []
        with self._lock:
            for digest in digests:
                data = self._held.get(digest)
                if data is None:
                    missing.append(digest)
                else:
                    self._held.move_to_end(digest)
                    found[digest] = data
        if missing:
            fetched = self._store.read_blobs(missing)
            whole = {digest: data for digest, data in fetched.items() if _whole(digest, data)}
            found.update(fetched if damaged else whole)
            self.keep(whole)
        return found

    def keep(self, blobs: Mapping[str, bytes]) -> None:
        """Hold *blobs*, which the store has and which hash to their digests."""
        with self._lock:
            for digest, data in blobs.items():
                if digest not in self._held:
                    self._held[digest] = data
                    self._size += len(data)
            while self._size > self._limit and len(self._held) > 1:
                self._size -= len(self._held.popitem(last=False)[1])

    def open(self) -> Blobs:
        """Blobs for one operation."""
        return Blobs(self.read, hint=_DAMAGE_HINT, parsed=self._parsed, settled=self.keep)

    def open_for_many(self) -> Blobs:
        """The same; new blobs are written before it ends, where they are too many to hold."""
        return Blobs(
            self.read, hint=_DAMAGE_HINT, write=self._store.write_blobs, parsed=self._parsed, settled=self.keep
        )


class Service:
    """The controller's use cases on one store. Safe to call from any thread."""

    def __init__(
        self,
        store: Store,
        keystore: KeyStore,
        head_key: HeadKey,
        *,
        policy: Policy | None = None,
        head_lifetime: int = 86400,
        history: Rules | None = None,
        clock: Callable[[], float] = time.time,
        second_checks: SecondChecks | None = None,
        workers: Workers = SERIAL,
        progress: ZoneProgress | None = None,
        limits: Limits | None = None,
        rings: Sequence[str] = (DEFAULT_RING,),
        minimum_sites: int = 1,
        attestation_timeout: float = 150.0,
    ) -> None:
        checks = second_checks or NoChecks()
        self._fenced = FencedStore(store)
        self._store: Store = self._fenced
        self._keystore = keystore
        self._policy = policy or Policy()
        self._clock = clock
        self._cache = BlobCache(store)
        self.head_public_key = head_key.public_text()
        self.publisher = Publisher(
            self._store,
            keystore,
            head_key,
            policy=self._policy,
            head_lifetime=head_lifetime,
            clock=clock,
            second_checks=checks,
            blobs=self._cache.open_for_many,
            workers=workers,
            progress=progress,
            ring=rings[0],
        )
        self.rings = Rings(
            self._store,
            self.publisher,
            head_key,
            rings,
            policy=self._policy,
            head_lifetime=head_lifetime,
            clock=clock,
            blobs=self._cache.open,
        )
        self._attestations = Attestations(self._store, clock, attestation_timeout)
        self.promotions = Promotions(self._store, self.rings, self._attestations.small, clock, attestation_timeout)
        self._attestation_timeout = attestation_timeout
        self.sites = Sites(self._store, clock, minimum_sites, attestation_timeout)
        self._planner = Planner(store, keystore, self.publisher, self._policy, checks, clock, limits or Limits())
        self._retention = Retention(self._store, keystore, history or Rules(), clock)

    @property
    def store(self) -> Store:
        """What the service works on."""
        return self._fenced.inner

    def under(self, guard: Fence) -> AbstractContextManager[None]:
        """Let all that this thread commits meanwhile depend on *guard*, the lease of scheduled work."""
        return self._fenced.under(guard)

    # -- writes -----------------------------------------------------------------------------

    def write(
        self,
        operation: Operation,
        *,
        actor: str,
        reason: str = "",
        dry_run: bool = False,
        force: bool = False,
        permit: Permit | None = None,
        publish: bool = True,
    ) -> Outcome:
        """Do *operation*, or with *dry_run* tell what it would do. Without a fence, one that loses a race is done anew.

        Without *publish* the caller does that, by :meth:`serve`.
        Raises what :meth:`~.writing.Planner.prepare` raises, what *permit* raises, and ``PlanRefused``.
        """
        for _attempt in range(_ATTEMPTS):
            blobs = self._cache.open()
            prepared = self._planner.prepare(operation, blobs, actor, reason)
            if permit is not None:
                permit(prepared.plan)
            if prepared.documents is None:
                return Outcome(prepared.plan, prepared.version, prepared.serial, changed=False, applied=False)
            if dry_run:
                return Outcome(prepared.plan, None, prepared.serial, changed=True, applied=False)
            _refuse(prepared.plan, force)
            documents = prepared.documents()
            try:
                self._commit(blobs, Transaction(documents.preconditions, documents.writes, documents.deletes))
            except Conflict:
                continue
            outcome = Outcome(prepared.plan, prepared.version, prepared.serial, changed=True, applied=True)
            return self.serve([outcome])[0] if publish else outcome
        raise Conflict(f"zone {names.to_text(operation.name)} keeps changing under this write; try again")

    def bulk(
        self,
        operations: Sequence[Operation],
        *,
        actor: str,
        reason: str = "",
        dry_run: bool = False,
        force: bool = False,
        permit: Permit | None = None,
    ) -> list[Outcome]:
        """Do all *operations*, on as many zones, or none: one commit, one head. Outcomes are in their order.

        Raises what the first kind of failure is, of those that :func:`~.bulk.failure` ranks, with the place of each.
        """
        check_bulk(operations)
        for _attempt in range(_ATTEMPTS):
            blobs = self._cache.open()
            prepared = prepare_all(self._planner, operations, blobs, actor, reason, permit)
            work = [one for one in prepared if one.documents is not None]
            removed = sum(isinstance(operation, Delete) for operation in operations)
            refusals = judge_all(prepared, removed, len(self.publisher.catalog(blobs)))
            if dry_run or not work:
                return [_told(one, applied=False) for one in prepared]
            if refusals and not force:
                raise PlanRefused("refused; if this is meant, repeat it with force", refusals)
            try:
                self._commit(blobs, merged(work))
            except Conflict:
                continue
            return self.serve([_told(one, applied=one.documents is not None) for one in prepared])
        raise Conflict("the zones keep changing under this write; try again")

    def create_zone(
        self,
        name: bytes,
        rrsets: Iterable[rr.RRset] | ParsedZone,
        *,
        actor: str,
        reason: str = "",
        settings: ZoneSettings | None = None,
        lines: Mapping[tuple[bytes, int], int] | None = None,
        dry_run: bool = False,
    ) -> Outcome:
        """Create zone *name*. Raises ``AlreadyExists`` or ``ChecksFailed``."""
        operation = Create(name, _whole_zone(rrsets), settings or ZoneSettings(), lines)
        return self.write(operation, actor=actor, reason=reason, dry_run=dry_run)

    def replace_zone(
        self,
        name: bytes,
        rrsets: Iterable[rr.RRset] | ParsedZone,
        *,
        if_version: str | None,
        actor: str,
        reason: str = "",
        settings: ZoneSettings | None = None,
        lines: Mapping[tuple[bytes, int], int] | None = None,
        dry_run: bool = False,
        force: bool = False,
    ) -> Outcome:
        """Make *rrsets* the whole content of zone *name*; *settings* ``None`` keeps those it has."""
        operation = Replace(name, _whole_zone(rrsets), if_version, settings, lines)
        return self.write(operation, actor=actor, reason=reason, dry_run=dry_run, force=force)

    def change_zone(
        self,
        name: bytes,
        changes: Sequence[Change | Amend],
        *,
        if_version: str | None,
        actor: str,
        reason: str = "",
        dry_run: bool = False,
        force: bool = False,
        permit: Permit | None = None,
    ) -> Outcome:
        """Replace, amend or remove single RRsets of zone *name*, all or nothing."""
        operation = Edit(name, tuple(changes), if_version)
        return self.write(operation, actor=actor, reason=reason, dry_run=dry_run, force=force, permit=permit)

    def rollback(
        self,
        name: bytes,
        version: str,
        *,
        if_version: str | None,
        actor: str,
        reason: str = "",
        dry_run: bool = False,
        force: bool = False,
    ) -> Outcome:
        """A new version with the content of an old one and a higher serial."""
        operation = Rollback(name, version, if_version)
        return self.write(operation, actor=actor, reason=reason, dry_run=dry_run, force=force)

    def delete_zone(
        self,
        name: bytes,
        *,
        if_version: str | None,
        actor: str,
        reason: str = "",
        dry_run: bool = False,
        force: bool = False,
    ) -> Outcome:
        """Delete zone *name*; :meth:`undelete` brings it back until retention ends.

        Refused without *force* while a hosted parent delegates to it.
        """
        return self.write(Delete(name, if_version), actor=actor, reason=reason, dry_run=dry_run, force=force)

    def undelete(self, name: bytes, *, actor: str, reason: str = "", dry_run: bool = False) -> Outcome:
        """Bring the deleted zone *name* back: its last content and settings, its keys, a serial newer than any.

        Raises ``NotFound`` if there is no such deleted zone, ``AlreadyExists`` if a zone has the name now, and
        ``ChecksFailed`` where the content would not be taken today.
        """
        return self.write(Undelete(name), actor=actor, reason=reason, dry_run=dry_run)

    def serve(self, outcomes: Sequence[Outcome]) -> list[Outcome]:
        """Publish after a durable commit: a failure here is told, never raised, for the write itself holds."""
        written = [outcome.plan.zone for outcome in outcomes if outcome.applied]
        alone = written[0] if len(written) == 1 else None
        failure: str | None = None
        try:
            if self.publisher.publish(alone):
                return list(outcomes)
        except ArcaError as error:
            failure = str(error)
        return [self._served(outcome, failure) if outcome.applied else outcome for outcome in outcomes]

    # -- reads ------------------------------------------------------------------------------

    def zone(self, name: bytes) -> ZoneInfo:
        """One zone's state. Raises ``NotFound``."""
        source, _revision = load_source(self._store, name)
        return self._info(source)

    def zones(self, after: bytes | None = None, limit: int = 100) -> list[ZoneInfo]:
        """Up to *limit* zones in key order, those behind *after*."""
        documents = self._store.scan("zone/", "" if after is None else zone_key(after), limit)
        return [self._info(decode(Source, d)) for d in documents]

    def find_zones(
        self,
        wanted: Callable[[bytes, ZoneSettings], bool],
        after: bytes | None = None,
        limit: int = 100,
        *,
        whole: bool = False,
    ) -> tuple[list[ZoneInfo], bytes | None]:
        """Up to *limit* zones in key order, behind *after*, that are *wanted*, and behind which zone to go on.

        Looks at some thousands of zones at most, so there may be fewer, or none, though there is more to look at; with
        *whole* at all of them, so that the zone to go on behind is one that is wanted.
        """
        found: list[ZoneInfo] = []
        key = "" if after is None else zone_key(after)
        for _page in count() if whole else range(_FIND_PAGES):
            documents = self._store.scan("zone/", key, 1000)
            for document in documents:
                name = names.from_text(str(document.value["name"]))
                settings = ZoneSettings.from_json(cast(JsonObject, document.value["settings"]))
                if wanted(name, settings):
                    found.append(self._info(decode(Source, document)))
                    if len(found) == limit:
                        return found, name
            if len(documents) < 1000:
                return found, None
            key = documents[-1].key
        return found, names.from_text(str(documents[-1].value["name"]))

    def waiting_zones(self) -> set[bytes]:
        """The zones whose current version is not served yet, deleted ones left out."""
        notes = everything(self._store, "dirty/")
        return {names.from_text(str(note.value["name"])) for note in notes if note.value.get("problem")}

    def zone_names(
        self, after: bytes | None = None, limit: int = 100, seen: Callable[[bytes], bool] = lambda _zone: True
    ) -> list[bytes]:
        """The names of up to *limit* zones that may be *seen*, in key order, those behind *after*."""
        documents = everything(self._store, "zone/", "" if after is None else zone_key(after))
        found = (names.from_text(str(document.value["name"])) for document in documents)
        return list(islice((name for name in found if seen(name)), limit))

    def opened(self, name: bytes) -> tuple[ZoneRoot, int] | None:
        """:meth:`content` of a zone's current version, or ``None`` if there is no such zone."""
        try:
            return self.content(name)
        except NotFound:
            return None

    def deleted_zones(self, after: bytes | None = None, limit: int = 100) -> list[Deleted]:
        """Up to *limit* zones that :meth:`undelete` can bring back, in key order, those behind *after*."""
        return deletion.deleted_zones(self._store, after, limit)

    def newest_version(self, name: bytes) -> str:
        """The current version of a zone, or the last with content of a deleted one. Raises ``NotFound``."""
        document = self._store.get(zone_key(name))
        if document is None:
            document = self._store.get(deleted_key(name))
            if document is not None:
                return decode(Deleted, document).last
        return load_source(self._store, name)[0].version

    def content(self, name: bytes, version: str | None = None) -> tuple[ZoneRoot, int]:
        """The source tree of a version (the current one by default) and its serial; the SOA in the tree has 0."""
        if version is None:
            source, _revision = load_source(self._store, name)
            return ZoneRoot.load(self._cache.open(), source.root), source.serial
        found = self.version(name, version)
        return ZoneRoot.load(self._cache.open(), found.root), found.serial

    def rrsets(self, name: bytes, version: str | None = None) -> Iterator[rr.RRset]:
        """The RRsets of a version in canonical order, the SOA with the version's serial."""
        tree, serial = self.content(name, version)
        for _owner, data in tree.items():
            for rrset in rr.rrsets(data):
                yield rr.with_serial(rrset, serial)

    def rrset(self, name: bytes, owner: bytes, rdtype: int) -> rr.RRset | None:
        """One RRset of the current version, or ``None``."""
        tree, serial = self.content(name)
        found = TreeView(tree).node(owner).get(rdtype)
        return None if found is None else rr.with_serial(found, serial)

    def version(self, name: bytes, version: str) -> SourceVersion:
        """One source version with content, also of a deleted zone. Raises ``NotFound``."""
        document = self._planner.version(name, version)
        return decode(SourceVersion, document)

    def versions(self, name: bytes, after: str = "", limit: int = 100) -> list[SourceVersion]:
        """Source versions of *name*, deleted or not, oldest first, those behind *after*. Raises ``NotFound``."""
        self.newest_version(name)
        documents = self._store.scan(version_key(name), version_key(name, after) if after else "", limit)
        return [decode(SourceVersion, d) for d in documents]

    def versions_newest(self, name: bytes, before: str = "", limit: int = 100) -> list[SourceVersion]:
        """Source versions of *name*, deleted or not, newest first, those older than *before*. Raises ``NotFound``."""
        found: list[SourceVersion] = []
        gone = self._store.get(deleted_key(name))
        newest = self.newest_version(name) if gone is None else decode(Deleted, gone).version
        at: str | None = newest
        if before:
            document = self._store.get(version_key(name, before))
            if document is None:
                raise NotFound(f"zone {names.to_text(name)} has no version {before!r}")
            at = cast("str | None", document.value["parent"])
        while at is not None and len(found) < limit:
            document = self._store.get(version_key(name, at))
            if document is None:  # retention has removed it and what is older
                break
            found.append(decode(SourceVersion, document))
            at = found[-1].parent
        return found

    def diff(self, name: bytes, old: str, new: str) -> tuple[RRsetDiff, ...]:
        """What changed from one version to another."""
        return tuple(tree_diffs(self.content(name, old)[0], self.content(name, new)[0]))

    def signed_zone(self, name: bytes) -> tuple[PublishedVersion, ZoneRoot]:
        """The zone as edges serve it. Raises ``NotFound`` if it is not published."""
        version = self.publisher.published(name)
        if version is None:
            raise NotFound(f"zone {names.to_text(name)} is not published")
        return version, ZoneRoot.load(self._cache.open(), version.root)

    def ds(self, name: bytes, digest_types: Sequence[int] = (2,)) -> tuple[bytes, ...]:
        """DS rdata for the parent, one per secure entry point and digest type; empty for an unsigned zone."""
        info = self.zone(name)
        if not info.settings.dnssec:
            return ()
        points = [key.record for key in self._keystore.load(name) if key.record.role in ("ksk", "csk")]
        return tuple(ds_rdata(name, point.dnskey_rdata, digest) for point in points for digest in digest_types)

    def zone_keys(self, name: bytes) -> tuple[KeyRecord, ...]:
        """What anybody may know of a zone's keys; none for an unsigned zone that never had any."""
        self.zone(name)
        return tuple(key.record for key in self._keystore.load(name))

    # -- publication ------------------------------------------------------------------------

    def catalog(
        self, after: bytes | None = None, limit: int = 100, seen: Callable[[bytes], bool] = lambda _zone: True
    ) -> list[Entry]:
        """Up to *limit* zones of the current head that may be *seen*, in key order, those behind *after*."""
        found = self.publisher.catalog(self._cache.open()).entries(after)
        return list(islice((entry for entry in found if seen(entry.zone)), limit))

    def edge(self, name: str) -> JsonObject:
        """The latest attestation of an edge. Raises ``NotFound``."""
        return self._attestations.of(name)

    def head(self, ring: str | None = None) -> SignedHead:
        """The current signed head, by default of the first ring.

        Raises ``NotFound`` for an unknown ring or before the first publication.
        """
        found = self.rings.get(ring or self.rings.names[0])
        if found.signed is None:
            raise NotFound(f"ring {found.name!r} has no head")
        return found.signed

    def wait_heads(self, after: Mapping[str, int], timeout: float) -> dict[str, SignedHead]:
        """The heads by ring whose revision is greater than the one in *after*, if it is there.

        Returns as soon as there is one; with none after *timeout* seconds.
        """
        deadline = time.monotonic() + timeout
        seen: int | None = None
        while True:
            found: dict[str, SignedHead] = {}
            for ring in self.rings.names:
                document = self._store.get(head_key(ring))
                if document is not None:
                    signed = signed_head(document)
                    if signed.revision() > after.get(ring, 0):
                        found[ring] = signed
                    seen = max(seen or 0, document.revision)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            seen = self._store.watch(seen or 0, left).revision

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Blobs by digest; absent ones are left out, and so are damaged ones."""
        return self._cache.read(list(digests), damaged=False)

    def blob(self, digest: str) -> bytes:
        """One blob. Raises :class:`NotFound`, or :class:`CorruptBlob` where other bytes stand in its place."""
        data = self._cache.read([digest]).get(digest)
        if data is None:
            raise NotFound(f"there is no blob {digest}")
        if not _whole(digest, data):
            raise CorruptBlob(f"blob {digest} does not hash to its name{_DAMAGE_HINT}")
        return data

    def publish(self) -> None:
        """Publish what waits for it."""
        self.publisher.publish()

    def maintain(self) -> None:
        """Scheduled work: publish what waits, re-sign what is due, renew heads, go on with promotions."""
        self.publisher.maintain()
        self.rings.maintain()
        self.promotions.step()

    def retain(self, *, whole: bool = False) -> Retained:
        """Scheduled work: remove history that is past its retention, a slice at a time, or all that is due now."""
        return self._retention.round(whole=whole)

    def collect(self) -> Collected:
        """Scheduled work: remove the blobs that nothing needs any more. Raises ``IntegrityError`` if one is damaged."""
        return collect(self._store)

    def lag(self, report: JsonObject) -> JsonObject:
        """How the edge of *report* stands to its ring: how many heads behind, since when (ISO 8601), and why."""
        ring, served, now = ring_of(report), report.get("head"), self._clock()
        current = self.rings.revision(ring)
        since: str | None = None
        if current is not None and isinstance(served, int) and served < current:
            missed = self._store.scan(head_history_key(ring), head_history_key(ring, served), 1)
            since = utc(decode(HeadHistory, missed[0]).issued) if missed else None
        behind = max(0, current - served) if current is not None and isinstance(served, int) else None
        reasons: list[Json] = list(against(report, current or 0, Gates(self._attestation_timeout), now))
        return {"ring": ring, "current_head": current, "behind": behind, "behind_since": since, "problems": reasons}

    def attest(self, edge: str, report: JsonObject) -> None:
        """Keep what *edge* says it serves, unless something newer is held. Raises ``Conflict``."""
        self._attestations.keep(edge, report)

    def edges(self) -> list[JsonObject]:
        """The latest attestation of each edge."""
        return self._attestations.all()

    def edges_in_short(self) -> list[JsonObject]:
        """The same without zones, which may be very many."""
        return self._attestations.small()

    def imports(self) -> list[JsonObject]:
        """Reports on zone files that people pushed to Git: those that wait, and those that were refused."""
        reports = everything(self._store, "import/")
        return [{name: value for name, value in report.value.items() if name != "object"} for report in reports]

    def ready(self) -> None:
        """Raises if the store does not answer, or keys cannot be read."""
        self._store.get(head_key(self.rings.names[0]))
        self._keystore.ready()

    def close(self) -> None:
        """Give back the store."""
        self._store.close()

    # -- inside -----------------------------------------------------------------------------

    def _commit(self, blobs: Blobs, transaction: Transaction) -> None:
        self._store.commit(replace(transaction, blobs=blobs.pending))
        blobs.settle()

    def _served(self, outcome: Outcome, failure: str | None) -> Outcome:
        """*outcome* with what has become of its publication."""
        problem = failure
        if failure is None:
            try:
                note = published_note(self._store, outcome.plan.zone)
            except ArcaError as error:
                problem = str(error)
            else:
                if note is None:
                    return outcome
                problem = note.problem or "waits for publication"
        return replace(outcome, published=False, problem=problem)

    def _info(self, source: Source) -> ZoneInfo:
        name = names.from_text(source.name)
        note = published_note(self._store, name)
        return ZoneInfo(
            name,
            source,
            self.publisher.published(name),
            ZoneSettings.from_json(source.settings),
            None if note is None else note.problem,
        )


def _whole_zone(rrsets: Iterable[rr.RRset] | ParsedZone) -> Content:
    return rrsets if isinstance(rrsets, ParsedZone) else tuple(rrsets)


def _whole(digest: str, data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() == digest


def _refuse(plan: Plan, force: bool) -> None:
    if plan.refusals and not force:
        raise PlanRefused(f"refused: {'; '.join(plan.refusals)}; if this is meant, repeat it with force")


def _told(prepared: Prepared, *, applied: bool) -> Outcome:
    changed = prepared.documents is not None
    version = prepared.version if applied or not changed else None
    return Outcome(prepared.plan, version, prepared.serial, changed=changed, applied=applied)
