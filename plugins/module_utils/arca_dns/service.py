# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The use cases: everything a caller may do to zones stands here once, whatever way it comes in.

Every write is computed as a plan, judged, and applied with the version it was computed from.
Front ends parse and render; signing and heads are the publisher's.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

from .dnssec.keys import ds_rdata
from .dnssec.keystore import KeyStore
from .dnssec.policy import Policy
from .dnssec.workers import SERIAL, Workers
from .documents import (
    Dirty,
    PublishedVersion,
    Source,
    SourceVersion,
    ZoneSettings,
    dirty_key,
    edge_key,
    encode,
    head_key,
    new_version_id,
    publication_key,
    utc,
    version_key,
    zone_key,
)
from .errors import AlreadyExists, ArcaError, ChecksFailed, Conflict, NotFound, PlanRefused, StaleVersion
from .publish.head import HeadKey, SignedHead, mass_removal
from .publish.publisher import RING, Publisher, ZoneProgress, load_source, next_serial, published_note
from .store.base import ABSENT, JsonObject, Store, Transaction
from .store.common import everything
from .zone import names, rr
from .zone.changes import Change, Plan, RRsetDiff, judge, plan_changes, plan_replace, tree_diffs
from .zone.checks import check, check_ttls
from .zone.content import Overlay, TreeView
from .zone.tree import Blobs, Parsed, ZoneRoot

_ATTEMPTS = 5
_CACHE_BYTES = 128 << 20


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


@dataclass(frozen=True, slots=True)
class ZoneInfo:
    """A zone as lists show it."""

    name: bytes
    source: Source
    published: PublishedVersion | None
    settings: ZoneSettings
    problem: str | None = None


class _Compute(Protocol):
    """Makes the plan of a write from the current version."""

    def __call__(self, blobs: Blobs, old: ZoneRoot) -> tuple[RRsetDiff, ...]: ...


class BlobCache:
    """Blobs of a store, the most recently used kept in memory; for all threads."""

    def __init__(self, store: Store, limit: int = _CACHE_BYTES) -> None:
        self._store = store
        self._limit = limit
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._parsed = Parsed()
        self._lock = threading.Lock()

    def read(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* that exist."""
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
            found.update(fetched)
            self.keep(fetched)
        return found

    def keep(self, blobs: Mapping[str, bytes]) -> None:
        """Hold *blobs*, which the store has."""
        with self._lock:
            for digest, data in blobs.items():
                if digest not in self._held:
                    self._held[digest] = data
                    self._size += len(data)
            while self._size > self._limit and len(self._held) > 1:
                self._size -= len(self._held.popitem(last=False)[1])

    def open(self) -> Blobs:
        """Blobs for one operation."""
        return Blobs(self.read, parsed=self._parsed, settled=self.keep)

    def open_for_many(self) -> Blobs:
        """The same; new blobs are written before it ends, where they are too many to hold."""
        return Blobs(self.read, write=self._store.write_blobs, parsed=self._parsed, settled=self.keep)


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
        clock: Callable[[], float] = time.time,
        workers: Workers = SERIAL,
        progress: ZoneProgress | None = None,
    ) -> None:
        self._store = store
        self._keystore = keystore
        self._policy = policy or Policy()
        self._clock = clock
        self._cache = BlobCache(store)
        self.head_public_key = head_key.public_text()
        self.publisher = Publisher(
            store,
            keystore,
            head_key,
            policy=self._policy,
            head_lifetime=head_lifetime,
            clock=clock,
            blobs=self._cache.open_for_many,
            workers=workers,
            progress=progress,
        )

    @property
    def store(self) -> Store:
        """What the service works on."""
        return self._store

    # -- writes -----------------------------------------------------------------------------

    def create_zone(
        self,
        name: bytes,
        rrsets: Iterable[rr.RRset],
        *,
        actor: str,
        reason: str = "",
        settings: ZoneSettings | None = None,
        lines: Mapping[tuple[bytes, int], int] | None = None,
        dry_run: bool = False,
    ) -> Outcome:
        """Create zone *name*. Raises ``AlreadyExists`` or ``ChecksFailed``."""
        settings = settings or ZoneSettings()
        settings.effective_policy(self._policy)
        if self._store.get(zone_key(name)) is not None:
            raise AlreadyExists(f"zone {names.to_text(name)} exists already; replace it with its version instead")
        blobs = self._cache.open()
        content = tuple(rrsets)
        old = ZoneRoot.empty(blobs, name)
        diffs, new = plan_replace(blobs, old, content)
        warnings = self._check(TreeView(new), None, lines, settings)
        plan = Plan(name, None, diffs, warnings, ())
        now = self._clock()
        serial = self._first_serial(content, name, settings, now)
        if dry_run:
            return Outcome(plan, None, serial, changed=True, applied=False)
        source = self._source(blobs, name, new, serial, settings, created=utc(now), now=now)
        try:
            self._commit(blobs, name, ABSENT, source, None, actor, reason)
        except Conflict:
            raise AlreadyExists(f"zone {names.to_text(name)} was created by somebody else just now") from None
        return self._publish(name, Outcome(plan, source.version, serial, changed=True, applied=True))

    def replace_zone(
        self,
        name: bytes,
        rrsets: Iterable[rr.RRset],
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
        content = tuple(rrsets)
        return self._write(
            name,
            lambda blobs, old: plan_replace(blobs, old, content)[0],
            if_version=if_version,
            actor=actor,
            reason=reason,
            settings=settings,
            lines=lines,
            asked=_soa_serial(content, name),
            whole=True,
            dry_run=dry_run,
            force=force,
        )

    def change_zone(
        self,
        name: bytes,
        changes: Sequence[Change],
        *,
        if_version: str | None,
        actor: str,
        reason: str = "",
        dry_run: bool = False,
        force: bool = False,
    ) -> Outcome:
        """Replace or remove single RRsets of zone *name*, all or nothing."""
        return self._write(
            name,
            lambda _blobs, old: plan_changes(TreeView(old), changes),
            if_version=if_version,
            actor=actor,
            reason=reason,
            dry_run=dry_run,
            force=force,
        )

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
        target = self.version(name, version)

        def compute(blobs: Blobs, old: ZoneRoot) -> tuple[RRsetDiff, ...]:
            return tuple(tree_diffs(old, ZoneRoot.load(blobs, target.root)))

        return self._write(
            name,
            compute,
            if_version=if_version,
            actor=actor,
            reason=reason or f"rollback to {version}",
            whole=True,
            dry_run=dry_run,
            force=force,
        )

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
        """Delete zone *name*; its history stays. Refused without *force* while a hosted parent delegates to it."""
        for _attempt in range(_ATTEMPTS):
            source, revision = self._current(name, if_version)
            blobs = self._cache.open()
            old = ZoneRoot.load(blobs, source.root)
            diffs = tuple(tree_diffs(old, ZoneRoot.empty(blobs, name)))
            refusals = self._deletion_refusals(blobs, name, ZoneSettings.from_json(source.settings))
            plan = Plan(name, source.version, diffs, (), refusals)
            if dry_run:
                return Outcome(plan, None, source.serial, changed=True, applied=False)
            _refuse(plan, force)
            now = self._clock()
            gone = SourceVersion(
                new_version_id(now, source.version),
                source.version,
                "",
                source.serial,
                0,
                actor,
                reason or "deleted",
                utc(now),
            )
            try:
                self._store.commit(
                    Transaction(
                        {zone_key(name): revision},
                        {
                            version_key(name, gone.version): encode(gone),
                            dirty_key(name): encode(Dirty(names.to_text(name), removed=True)),
                        },
                        [zone_key(name)],
                    )
                )
            except Conflict:
                continue
            return self._publish(name, Outcome(plan, None, source.serial, changed=True, applied=True))
        raise Conflict(f"zone {names.to_text(name)} keeps changing under this deletion; try again")

    # -- reads ------------------------------------------------------------------------------

    def zone(self, name: bytes) -> ZoneInfo:
        """One zone's state. Raises ``NotFound``."""
        source, _revision = load_source(self._store, name)
        return self._info(source)

    def zones(self, after: bytes | None = None, limit: int = 100) -> list[ZoneInfo]:
        """Up to *limit* zones in key order, those behind *after*."""
        documents = self._store.scan("zone/", "" if after is None else zone_key(after), limit)
        return [self._info(Source(**cast("dict[str, str]", d.value))) for d in documents]  # type: ignore[arg-type]

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
                yield _with_serial(rrset, serial) if rrset.rdtype == rr.SOA else rrset

    def rrset(self, name: bytes, owner: bytes, rdtype: int) -> rr.RRset | None:
        """One RRset of the current version, or ``None``."""
        tree, serial = self.content(name)
        found = TreeView(tree).node(owner).get(rdtype)
        return _with_serial(found, serial) if found is not None and rdtype == rr.SOA else found

    def version(self, name: bytes, version: str) -> SourceVersion:
        """One source version with content. Raises ``NotFound``."""
        document = self._store.get(version_key(name, version)) if version else None
        if document is None or not document.value["root"]:
            raise NotFound(f"zone {names.to_text(name)} has no version {version!r}")
        return SourceVersion(**cast("dict[str, str]", document.value))  # type: ignore[arg-type]

    def versions(self, name: bytes, after: str = "", limit: int = 100) -> list[SourceVersion]:
        """Source versions of *name*, oldest first, those behind version *after*. Raises ``NotFound``."""
        load_source(self._store, name)
        documents = self._store.scan(version_key(name), version_key(name, after) if after else "", limit)
        return [SourceVersion(**cast("dict[str, str]", d.value)) for d in documents]  # type: ignore[arg-type]

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

    # -- publication ------------------------------------------------------------------------

    def head(self, ring: str = RING) -> SignedHead:
        """The current signed head. Raises ``NotFound`` for an unknown ring or before the first publication."""
        held = self.publisher.head() if ring == RING else None
        if held is None:
            raise NotFound(f"ring {ring!r} has no head")
        return held[0]

    def wait_head(self, after: int, timeout: float, ring: str = RING) -> SignedHead | None:
        """The head as soon as its revision is greater than *after*; ``None`` after *timeout* seconds."""
        deadline = time.monotonic() + timeout
        seen: int | None = None
        while True:
            document = self._store.get(head_key(ring))
            if document is not None:
                signed = SignedHead.from_json(document.value["signed"])
                if signed.revision() > after:
                    return signed
                seen = document.revision if seen is None else seen
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            seen = self._store.watch(seen or 0, left).revision

    def blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """Blobs by digest; absent ones are left out."""
        return self._cache.read(list(digests))

    def publish(self) -> None:
        """Publish what waits for it."""
        self.publisher.publish()

    def maintain(self) -> None:
        """Scheduled work: publish what waits, re-sign what is due, renew the head."""
        self.publisher.maintain()

    def attest(self, edge: str, report: JsonObject) -> None:
        """Keep what *edge* says it serves."""
        value: JsonObject = {**report, "edge": edge, "received": utc(self._clock())}
        self._store.commit(Transaction(writes={edge_key(edge): value}))

    def edges(self) -> list[JsonObject]:
        """The latest attestation of each edge."""
        return [document.value for document in everything(self._store, "edge/")]

    def imports(self) -> list[JsonObject]:
        """Reports on zone files that people pushed to Git: those that wait, and those that were refused."""
        reports = everything(self._store, "import/")
        return [{name: value for name, value in report.value.items() if name != "object"} for report in reports]

    def ready(self) -> None:
        """Raises if the store does not answer."""
        self._store.get(head_key(RING))

    def close(self) -> None:
        """Give back the store."""
        self._store.close()

    # -- inside -----------------------------------------------------------------------------

    def _current(self, name: bytes, if_version: str | None) -> tuple[Source, int]:
        source, revision = load_source(self._store, name)
        if if_version is not None and if_version != source.version:
            raise StaleVersion(
                f"zone {names.to_text(name)} is at version {source.version}, not {if_version}; read it again",
                source.version,
            )
        return source, revision

    def _write(
        self,
        name: bytes,
        compute: _Compute,
        *,
        if_version: str | None,
        actor: str,
        reason: str,
        settings: ZoneSettings | None = None,
        lines: Mapping[tuple[bytes, int], int] | None = None,
        asked: int | None = None,
        whole: bool = False,
        dry_run: bool,
        force: bool,
    ) -> Outcome:
        """Plan, judge, apply. Without *if_version* a write that loses a race is computed again."""
        for _attempt in range(_ATTEMPTS):
            source, revision = self._current(name, if_version)
            held = ZoneSettings.from_json(source.settings)
            wanted = settings or held
            wanted.effective_policy(self._policy)
            blobs = self._cache.open()
            old = ZoneRoot.load(blobs, source.root)
            diffs = compute(blobs, old)
            if not diffs and wanted == held:
                plan = Plan(name, source.version, (), (), ())
                return Outcome(plan, source.version, source.serial, changed=False, applied=False)
            view = Overlay(TreeView(old), _edits(diffs))
            owners = None if whole or wanted != held else {diff.owner for diff in diffs}
            warnings = self._check(view, owners, lines, wanted)
            plan = Plan(name, source.version, diffs, warnings, judge(diffs, old, wanted.thresholds))
            now = self._clock()
            serial = self._next_serial(name, source, wanted, asked, now)
            if dry_run:
                return Outcome(plan, None, serial, changed=True, applied=False)
            _refuse(plan, force)
            new = old.update({diff.owner: _node_bytes(view, diff.owner) for diff in diffs})
            after = self._source(
                blobs, name, new, serial, wanted, created=source.created, now=now, parent=source.version
            )
            try:
                self._commit(blobs, name, revision, after, source.version, actor, reason)
            except Conflict:
                continue
            return self._publish(name, Outcome(plan, after.version, serial, changed=True, applied=True))
        raise Conflict(f"zone {names.to_text(name)} keeps changing under this write; try again")

    def _check(
        self,
        view: Overlay | TreeView,
        owners: Iterable[bytes] | None,
        lines: Mapping[tuple[bytes, int], int] | None,
        settings: ZoneSettings,
    ) -> tuple[str, ...]:
        """Raise ``ChecksFailed`` with every error; returns the warnings."""
        findings = check(view, owners, lines=lines)
        errors = list(findings.errors)
        if settings.dnssec:
            policy = settings.effective_policy(self._policy)
            errors += check_ttls(view, policy.refresh, policy.propagation_delay, owners, lines=lines)
        if errors:
            count = len(errors)
            raise ChecksFailed(f"zone {names.to_text(view.origin)} has {count} error{'s' if count > 1 else ''}", errors)
        return tuple(str(place) for place in findings.warnings)

    def _deletion_refusals(self, blobs: Blobs, name: bytes, settings: ZoneSettings) -> tuple[str, ...]:
        refusals = []
        parent = names.parent(name)
        while settings.dnssec and len(parent) > 1:
            document = self._store.get(zone_key(parent))
            if document is not None:
                tree = ZoneRoot.load(blobs, str(document.value["root"]))
                if rr.NS in TreeView(tree).node(name):
                    refusals.append(f"{names.to_text(parent)} still delegates to the signed zone {names.to_text(name)}")
                break
            parent = names.parent(parent)
        count = len(self.publisher.catalog(blobs))
        if mass_removal(count, 1):
            refusals.append(f"{names.to_text(name)} is the last zone, edges would serve nothing")
        return tuple(refusals)

    def _source(
        self,
        blobs: Blobs,
        name: bytes,
        tree: ZoneRoot,
        serial: int,
        settings: ZoneSettings,
        *,
        created: str,
        now: float,
        parent: str | None = None,
    ) -> Source:
        return Source(
            names.to_text(name),
            new_version_id(now, parent),
            tree.store(blobs),
            serial,
            tree.stats().records,
            settings.to_json(),
            created,
            utc(now),
        )

    def _commit(
        self, blobs: Blobs, name: bytes, expected: int, source: Source, parent: str | None, actor: str, reason: str
    ) -> None:
        version = SourceVersion(
            source.version, parent, source.root, source.serial, source.records, actor, reason, source.modified
        )
        self._store.write_blobs(blobs.pending)
        self._store.commit(
            Transaction(
                {zone_key(name): expected},
                {
                    zone_key(name): encode(source),
                    version_key(name, version.version): encode(version),
                    dirty_key(name): encode(Dirty(names.to_text(name))),
                },
            )
        )
        blobs.settle()

    def _publish(self, name: bytes, outcome: Outcome) -> Outcome:
        """Publish after a durable commit: a failure here is told, never raised, for the write itself holds."""
        problem: str | None = None
        try:
            self.publisher.publish(name)
            note = published_note(self._store, name)
            if note is None:
                return outcome
            problem = note.problem or "waits for publication"
        except ArcaError as error:
            problem = str(error)
        return Outcome(outcome.plan, outcome.version, outcome.serial, outcome.changed, outcome.applied, False, problem)

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

    def _next_serial(self, name: bytes, source: Source, settings: ZoneSettings, asked: int | None, now: float) -> int:
        """Newer than the source's and the published serial, and the one asked for if that is newer still."""
        current = source.serial
        published = self.publisher.published(name)
        if published is not None and rr.serial_newer(published.serial, current):
            current = published.serial
        if asked and rr.serial_newer(asked, current):
            return asked
        return next_serial(settings.serial, current, now)

    def _first_serial(self, content: Sequence[rr.RRset], name: bytes, settings: ZoneSettings, now: float) -> int:
        """The serial of the zone file, or the first of the style; never behind what the name was last served with."""
        last = self._last_served(name)
        asked = _soa_serial(content, name)
        if asked and (last is None or rr.serial_newer(asked, last)):
            return asked
        return next_serial(settings.serial, 0 if last is None else last, now)

    def _last_served(self, name: bytes) -> int | None:
        last: int | None = None
        for document in everything(self._store, publication_key(name)):
            last = int(cast(int, document.value["serial"]))
        return last


def _refuse(plan: Plan, force: bool) -> None:
    if plan.refusals and not force:
        raise PlanRefused(f"refused: {'; '.join(plan.refusals)}; if this is meant, repeat it with force")


def _soa_serial(content: Sequence[rr.RRset], name: bytes) -> int | None:
    for rrset in content:
        if rrset.rdtype == rr.SOA and rrset.owner == name and rrset.rdatas:
            return rr.soa_serial(rrset.rdatas[0])
    return None


def _with_serial(rrset: rr.RRset, serial: int) -> rr.RRset:
    return rr.RRset(
        rrset.owner, rrset.rdtype, rrset.ttl, tuple(rr.soa_with_serial(rdata, serial) for rdata in rrset.rdatas)
    )


def _edits(diffs: Iterable[RRsetDiff]) -> dict[bytes, dict[int, rr.RRset | None]]:
    edits: dict[bytes, dict[int, rr.RRset | None]] = {}
    for diff in diffs:
        edits.setdefault(diff.owner, {})[diff.rdtype] = diff.after
    return edits


def _node_bytes(view: Overlay, owner: bytes) -> bytes | None:
    return rr.node_wire(view.node(owner).values()) or None
