# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From an operation to a transaction: plan it, check it, judge it, and say which documents would make it true.

One way for single writes and for many zones at once. Nothing is committed here: :mod:`.service` does that.

Every document that an operation read its content from is a precondition of its transaction, so what the transaction
names cannot have been collected in the meantime (:mod:`.collection`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from . import deletion
from .dnssec.keystore import KeyStore
from .dnssec.policy import Policy
from .documents import (
    Deleted,
    Dirty,
    Source,
    SourceVersion,
    ZoneSettings,
    deleted_key,
    dirty_key,
    encode,
    new_version_id,
    utc,
    version_key,
    zone_key,
)
from .errors import AlreadyExists, ChecksFailed, InputError, LimitExceeded, MissingBlob, NotFound, Place, StaleVersion
from .journal import entry_document, summary_of
from .publish.head import mass_removal
from .publish.publisher import Publisher, load_source, next_serial
from .publish.second_check import SecondChecks
from .store.base import ABSENT, Document, JsonObject, Store
from .zone import names, rr
from .zone.changes import (
    Amend,
    Change,
    Content,
    Plan,
    RRsetDiff,
    crowded,
    growth,
    judge,
    plan_changes,
    plan_replace,
    tree_diffs,
    whole_zone,
)
from .zone.checks import check, check_ttls
from .zone.content import Overlay, TreeView
from .zone.text import ParsedZone
from .zone.tree import Blobs, ZoneRoot

Lines: TypeAlias = "Mapping[tuple[bytes, int], int]"
#: Looks at a plan before it is judged, and raises ``AccessDenied`` where its caller may not do that.
Permit: TypeAlias = "Callable[[Plan], None]"


@dataclass(frozen=True, slots=True)
class Create:
    """Create a zone. *lines* says where in a zone file each RRset stands."""

    name: bytes
    rrsets: Content
    settings: ZoneSettings = field(default_factory=ZoneSettings)
    lines: Lines | None = None


@dataclass(frozen=True, slots=True)
class Replace:
    """Make *rrsets* the whole content of a zone; *settings* ``None`` keeps those it has."""

    name: bytes
    rrsets: Content
    if_version: str | None = None
    settings: ZoneSettings | None = None
    lines: Lines | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace, amend or remove single RRsets of a zone."""

    name: bytes
    changes: tuple[Change | Amend, ...]
    if_version: str | None = None


@dataclass(frozen=True, slots=True)
class Rollback:
    """Give a zone the content of its version *version* again."""

    name: bytes
    version: str
    if_version: str | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a zone; its history stays until retention ends."""

    name: bytes
    if_version: str | None = None


@dataclass(frozen=True, slots=True)
class Undelete:
    """Bring a deleted zone back, with its last content and its settings."""

    name: bytes


Operation: TypeAlias = "Create | Replace | Edit | Rollback | Delete | Undelete"

#: What the journal calls each.
_KINDS: Mapping[type, str] = {
    Create: "zone.created",
    Replace: "zone.replaced",
    Edit: "zone.changed",
    Rollback: "zone.rolled-back",
    Delete: "zone.deleted",
    Undelete: "zone.undeleted",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """How much a controller holds; 0 is no limit. *values* is records in one RRset."""

    zones: int = 0
    records: int = 0
    values: int = 0

    def check(self, name: bytes, diffs: Sequence[RRsetDiff], before: int) -> None:
        """Raise :class:`LimitExceeded` where *diffs* make too much of a zone that has *before* records."""
        places: list[Place] = []
        if self.records and before + growth(diffs) > self.records:
            count = before + growth(diffs)
            places.append(Place(f"the zone would have {count} records; {self.records} are allowed"))
        for diff in crowded(diffs, self.values) if self.values else ():
            what = f"{names.to_text(diff.owner)} {rr.type_text(diff.rdtype)}"
            places.append(Place(f"{what} would have more than {self.values} values"))
        if places:
            raise LimitExceeded(f"zone {names.to_text(name)} would be too large", places)


@dataclass(frozen=True, slots=True)
class Documents:
    """What a transaction demands, writes and deletes."""

    preconditions: Mapping[str, int]
    writes: Mapping[str, JsonObject]
    deletes: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """An operation that was planned, checked and judged.

    *version* is what the zone would be at, ``None`` after a deletion; *documents* makes what there is to commit, and
    ``None`` stands for an operation that changes nothing.
    """

    plan: Plan
    version: str | None
    serial: int
    documents: Callable[[], Documents] | None


class Planner:
    """Plans operations on the zones of a store."""

    def __init__(
        self,
        store: Store,
        keystore: KeyStore,
        publisher: Publisher,
        policy: Policy,
        second_checks: SecondChecks,
        clock: Callable[[], float],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._store = store
        self._keystore = keystore
        self._publisher = publisher
        self._policy = policy
        self._second_checks = second_checks
        self._clock = clock

    def prepare(self, operation: Operation, blobs: Blobs, actor: str, reason: str) -> Prepared:
        """Plan *operation* on what the store holds now; trees that it needs are left pending in *blobs*.

        Raises what is wrong with it: ``NotFound``, ``AlreadyExists``, ``StaleVersion``, ``InputError`` and its kinds.
        A plan that is refused comes back with its refusals. The documents have an entry in the journal.
        """
        prepared = self._prepare(operation, blobs, actor, reason)
        documents = prepared.documents
        if documents is None:
            return prepared

        def with_entry() -> Documents:
            made = documents()
            key, entry = entry_document(
                self._clock(),
                _KINDS[type(operation)],
                actor,
                zone=operation.name,
                version=prepared.version,
                serial=prepared.serial,
                summary=summary_of(prepared.plan),
                reason=reason,
            )
            return Documents(made.preconditions, {**made.writes, key: entry}, made.deletes)

        return replace(prepared, documents=with_entry)

    def _prepare(self, operation: Operation, blobs: Blobs, actor: str, reason: str) -> Prepared:
        match operation:
            case Create():
                return self._create(operation, blobs, actor, reason)
            case Replace(name=name, rrsets=rrsets, if_version=fence):
                return self._write(
                    name,
                    lambda old: plan_replace(blobs, old, rrsets)[0],
                    blobs,
                    self._current(name, fence),
                    (actor, reason),
                    settings=operation.settings,
                    lines=operation.lines,
                    asked=_soa_serial(rrsets, name),
                    whole=True,
                )
            case Edit(name=name, changes=changes, if_version=fence):
                return self._write(
                    name,
                    lambda old: plan_changes(TreeView(old), changes),
                    blobs,
                    self._current(name, fence),
                    (actor, reason),
                )
            case Rollback(name=name, version=version, if_version=fence):
                current = self._current(name, fence)
                target = self.version(name, version)

                def difference(old: ZoneRoot) -> tuple[RRsetDiff, ...]:
                    try:
                        return tuple(tree_diffs(old, ZoneRoot.load(blobs, str(target.value["root"]))))
                    except MissingBlob:
                        self.version(name, version)  # tells of one that retention has removed meanwhile
                        raise

                return self._write(
                    name,
                    difference,
                    blobs,
                    current,
                    (actor, reason or f"rollback to {version}"),
                    whole=True,
                    also={target.key: target.revision},
                )
            case Delete():
                return self._delete(operation, blobs, actor, reason)
            case Undelete():
                return self._undelete(operation.name, blobs, actor, reason)

    def version(self, name: bytes, version: str) -> Document:
        """The document of a version with content. Raises ``NotFound``."""
        document = self._store.get(version_key(name, version)) if version else None
        if document is None or not document.value["root"]:
            raise NotFound(f"zone {names.to_text(name)} has no version {version!r}")
        return document

    # -- one operation each -----------------------------------------------------------------

    def _create(self, operation: Create, blobs: Blobs, actor: str, reason: str) -> Prepared:
        name, settings = operation.name, operation.settings
        self._accept(settings)
        if self._store.get(zone_key(name)) is not None:
            raise AlreadyExists(f"zone {names.to_text(name)} exists already; replace it with its version instead")
        old = ZoneRoot.empty(blobs, name)
        if self._limits.zones and len(self._publisher.catalog(blobs)) >= self._limits.zones:
            raise LimitExceeded(
                f"zone {names.to_text(name)} would be one too many: {self._limits.zones} zones are allowed"
            )
        diffs, new = plan_replace(blobs, old, operation.rrsets)
        self._limits.check(name, diffs, 0)
        warnings = self._check(TreeView(new), None, operation.lines, settings)
        plan = Plan(name, None, diffs, warnings, ())
        now = self._clock()
        before = deletion.past(self._store, self._keystore, name, final=False)
        asked = _soa_serial(operation.rrsets, name)
        if not asked or (before.serial is not None and not rr.serial_newer(asked, before.serial)):
            asked = next_serial(settings.serial, before.serial or 0, now)
        # The history of the name goes on behind the deletion.
        version = new_version_id(now, before.version)

        def documents() -> Documents:
            deletion.past(self._store, self._keystore, name, final=True)
            source = _source(blobs, name, new, version, asked, settings, utc(now), now)
            made = self._documents(name, ABSENT, source, before.version, actor, reason)
            return Documents({**made.preconditions, **before.preconditions}, made.writes, before.deletes)

        return Prepared(plan, version, asked, documents)

    def _write(
        self,
        name: bytes,
        compute: Callable[[ZoneRoot], Sequence[RRsetDiff]],
        blobs: Blobs,
        current: tuple[Source, int],
        by: tuple[str, str],
        *,
        settings: ZoneSettings | None = None,
        lines: Lines | None = None,
        asked: int | None = None,
        whole: bool = False,
        also: Mapping[str, int] | None = None,
    ) -> Prepared:
        source, revision = current
        held = ZoneSettings.from_json(source.settings)
        wanted = settings or held
        if wanted != held:
            self._accept(wanted)
        old = ZoneRoot.load(blobs, source.root)
        diffs = compute(old)
        self._limits.check(name, diffs, source.records)
        if not diffs and wanted == held:
            return Prepared(Plan(name, source.version, (), (), ()), source.version, source.serial, None)
        view = Overlay(TreeView(old), _edits(diffs))
        owners = None if whole or wanted != held else {diff.owner for diff in diffs}
        warnings = self._check(view, owners, lines, wanted)
        plan = Plan(name, source.version, diffs, warnings, judge(diffs, old, wanted.thresholds))
        now = self._clock()
        serial = self._next_serial(name, source, wanted, asked, now)
        version = new_version_id(now, source.version)

        def documents() -> Documents:
            new = old.update({diff.owner: _node_bytes(view, diff.owner) for diff in diffs})
            after = _source(blobs, name, new, version, serial, wanted, source.created, now)
            made = self._documents(name, revision, after, source.version, *by)
            return Documents({**made.preconditions, **(also or {})}, made.writes)

        return Prepared(plan, version, serial, documents)

    def _delete(self, operation: Delete, blobs: Blobs, actor: str, reason: str) -> Prepared:
        name = operation.name
        source, revision = self._current(name, operation.if_version)
        old = ZoneRoot.load(blobs, source.root)
        diffs = whole_zone(old, gone=True)
        refusals = self._deletion_refusals(blobs, name, ZoneSettings.from_json(source.settings))
        plan = Plan(name, source.version, diffs, (), refusals)
        now = self._clock()
        moment = utc(now)
        version = new_version_id(now, source.version)
        published = self._publisher.published(name)
        serial = source.serial if published is None else deletion.newest(published.serial, source.serial)
        why = reason or "deleted"

        def documents() -> Documents:
            gone = SourceVersion(version, source.version, "", source.serial, 0, actor, why, moment)
            note = Deleted(
                source.name,
                version,
                source.version,
                serial,
                source.records,
                source.settings,
                source.created,
                moment,
                actor,
                why,
            )
            return Documents(
                {zone_key(name): revision},
                {
                    version_key(name, version): encode(gone),
                    deleted_key(name): encode(note),
                    dirty_key(name): encode(Dirty(source.name, removed=True)),
                },
                [zone_key(name)],
            )

        return Prepared(plan, None, source.serial, documents)

    def _undelete(self, name: bytes, blobs: Blobs, actor: str, reason: str) -> Prepared:
        if self._store.get(zone_key(name)) is not None:
            raise AlreadyExists(
                f"zone {names.to_text(name)} exists again: its history holds what it was before the deletion"
            )
        gone, revision = deletion.deleted_zone(self._store, name)
        target = self.version(name, gone.last)
        settings = ZoneSettings.from_json(gone.settings)
        settings.effective_policy(self._policy)
        try:
            tree = ZoneRoot.load(blobs, str(target.value["root"]))
            diffs = whole_zone(tree, gone=False)
        except MissingBlob:
            deletion.deleted_zone(self._store, name)  # tells of one that retention has removed meanwhile
            raise
        plan = Plan(name, None, diffs, self._check(TreeView(tree), None, None, settings), ())
        now = self._clock()
        served = deletion.newest(deletion.last_served(self._store, name), gone.serial)
        serial = next_serial(settings.serial, served, now)
        version = new_version_id(now, gone.version)

        def documents() -> Documents:
            source = _source(blobs, name, tree, version, serial, settings, gone.created, now)
            made = self._documents(name, ABSENT, source, gone.version, actor, reason or f"undeleted {gone.last}")
            # The tree is named again, not written again: what holds it must be there to the end.
            held = {deleted_key(name): revision, target.key: target.revision}
            return Documents({**made.preconditions, **held}, made.writes, [deleted_key(name)])

        return Prepared(plan, version, serial, documents)

    # -- parts ------------------------------------------------------------------------------

    def _current(self, name: bytes, if_version: str | None) -> tuple[Source, int]:
        source, revision = load_source(self._store, name)
        if if_version is not None and if_version != source.version:
            raise StaleVersion(
                f"zone {names.to_text(name)} is at version {source.version}, not {if_version}; read it again",
                source.version,
            )
        return source, revision

    def _accept(self, settings: ZoneSettings) -> None:
        """Raise ``InputError`` for settings that this controller cannot do."""
        settings.effective_policy(self._policy)
        known = self._second_checks.known()
        if settings.verify_command and settings.verify_command not in known:
            choice = f"it has {', '.join(sorted(known))}" if known else "it has none"
            why = f"{settings.verify_command!r} is no check of this controller's dnssec.verify_command; {choice}"
            raise InputError("the zone's settings are wrong", [Place(why, pointer="/settings/verify_command")])

    def _check(
        self,
        view: Overlay | TreeView,
        owners: Iterable[bytes] | None,
        lines: Lines | None,
        settings: ZoneSettings,
    ) -> tuple[str, ...]:
        """Raise ``ChecksFailed`` with every error; returns the warnings."""
        findings = check(view, owners, lines=lines)
        errors = list(findings.errors)
        warnings = [str(place) for place in findings.warnings]
        if settings.dnssec:
            policy = settings.effective_policy(self._policy)
            warnings += policy.warnings()
            errors += check_ttls(view, policy.refresh, policy.propagation_delay, owners, lines=lines)
        if errors:
            count = len(errors)
            raise ChecksFailed(f"zone {names.to_text(view.origin)} has {count} error{'s' if count > 1 else ''}", errors)
        return tuple(warnings)

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
        if mass_removal(len(self._publisher.catalog(blobs)), 1):
            refusals.append(f"{names.to_text(name)} is the last zone, edges would serve nothing")
        return tuple(refusals)

    def _documents(
        self, name: bytes, expected: int, source: Source, parent: str | None, actor: str, reason: str
    ) -> Documents:
        version = SourceVersion(
            source.version, parent, source.root, source.serial, source.records, actor, reason, source.modified
        )
        return Documents(
            {zone_key(name): expected},
            {
                zone_key(name): encode(source),
                version_key(name, version.version): encode(version),
                dirty_key(name): encode(Dirty(source.name)),
            },
        )

    def _next_serial(self, name: bytes, source: Source, settings: ZoneSettings, asked: int | None, now: float) -> int:
        """Newer than the source's and the published serial, and the one asked for if that is newer still."""
        current = source.serial
        published = self._publisher.published(name)
        if published is not None and rr.serial_newer(published.serial, current):
            current = published.serial
        if asked and rr.serial_newer(asked, current):
            return asked
        return next_serial(settings.serial, current, now)


def _source(
    blobs: Blobs,
    name: bytes,
    tree: ZoneRoot,
    version: str,
    serial: int,
    settings: ZoneSettings,
    created: str,
    now: float,
) -> Source:
    return Source(
        names.to_text(name),
        version,
        tree.store(blobs),
        serial,
        tree.stats().records,
        settings.to_json(),
        created,
        utc(now),
    )


def _soa_serial(content: Content, name: bytes) -> int | None:
    if isinstance(content, ParsedZone):
        apex = next((data for owner, data in content.nodes() if owner == name), b"")
        content = tuple(rr.rrsets(apex))
    for rrset in content:
        if rrset.rdtype == rr.SOA and rrset.owner == name and rrset.rdatas:
            return rr.soa_serial(rrset.rdatas[0])
    return None


def _edits(diffs: Iterable[RRsetDiff]) -> dict[bytes, dict[int, rr.RRset | None]]:
    edits: dict[bytes, dict[int, rr.RRset | None]] = {}
    for diff in diffs:
        edits.setdefault(diff.owner, {})[diff.rdtype] = diff.after
    return edits


def _node_bytes(view: Overlay, owner: bytes) -> bytes | None:
    return rr.node_wire(view.node(owner).values()) or None
