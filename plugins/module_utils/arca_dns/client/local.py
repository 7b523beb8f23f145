# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The client that is the library itself, in process: for hosts without a controller's daemon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict

from ..documents import ZoneSettings
from ..errors import ArcaError, Place
from ..promotion import Wanted
from ..service import Outcome as ServiceOutcome, Service, ZoneInfo
from ..store.base import Json, JsonObject
from ..zone import names, rdata, text as zone_text
from ..zone.changes import Change, RRsetDiff
from ..zone.rr import DS, RRset, type_text
from .base import (
    DEFAULT_TTL,
    DeletedZone,
    Difference,
    Outcome,
    Plan,
    Promote,
    Record,
    RecordSet,
    Version,
    Write,
    ZoneContent,
    ZoneState,
)
from .content import assemble


class LocalClient:
    """A :class:`~.base.Client` on a service in this process; *actor* stands in the versions that it writes."""

    def __init__(self, service: Service, *, actor: str) -> None:
        self._service = service
        self._actor = actor

    def zone(self, name: str) -> ZoneState:
        """See :class:`~.base.Client`."""
        return _state(self._service.zone(_name(name)))

    def zones(self) -> Iterator[ZoneState]:
        """See :class:`~.base.Client`."""
        after = None
        while page := self._service.zones(after):
            yield from map(_state, page)
            after = page[-1].name

    def record_sets(self, name: str, version: str | None = None) -> list[RecordSet]:
        """See :class:`~.base.Client`."""
        return [_set(rrset) for rrset in self._service.rrsets(_name(name), version)]

    def zone_file(self, name: str) -> Iterator[str]:
        """See :class:`~.base.Client`."""
        origin = _name(name)
        yield from zone_text.render(origin, self._service.rrsets(origin))

    def versions(self, name: str) -> Iterator[Version]:
        """See :class:`~.base.Client`."""
        after = ""
        while page := self._service.versions(_name(name), after):
            for one in page:
                yield Version(one.version, one.parent, one.serial, one.records, one.actor, one.reason, one.time)
            after = page[-1].version

    def diff(self, name: str, old: str, new: str | None = None) -> tuple[Difference, ...]:
        """See :class:`~.base.Client`."""
        origin = _name(name)
        return _differences(self._service.diff(origin, old, new or self._service.newest_version(origin)))

    def rollback(self, name: str, version: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return _outcome(
            self._service.rollback(
                _name(name),
                version,
                if_version=write.if_version,
                actor=self._actor,
                reason=write.reason,
                dry_run=write.dry_run,
                force=write.force,
            )
        )

    def edges(self) -> list[JsonObject]:
        """See :class:`~.base.Client`."""
        return [{**edge, **self._service.lag(edge)} for edge in self._service.edges()]

    def rings(self) -> list[JsonObject]:
        """See :class:`~.base.Client`."""
        return self._service.promotions.states()

    def promote(self, ring: str, promote: Promote) -> JsonObject:
        """See :class:`~.base.Client`."""
        wanted = Wanted(
            ring,
            promote.source,
            promote.revision,
            promote.soak_seconds,
            promote.failing_share,
            promote.if_head,
            promote.rollback,
            promote.force,
            promote.reason,
        )
        return self._service.promotions.promote(wanted, self._actor, dry_run=promote.dry_run).to_json()

    def abort_promotion(self, ring: str, reason: str = "") -> JsonObject:
        """See :class:`~.base.Client`."""
        return self._service.promotions.abort(ring, self._actor, reason).to_json()

    def create_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        origin = _name(name)
        rrsets, lines = _assemble(origin, content)
        return _outcome(
            self._service.create_zone(
                origin,
                rrsets,
                actor=self._actor,
                reason=write.reason,
                settings=None if settings is None else ZoneSettings.from_json(settings),
                lines=lines,
                dry_run=write.dry_run,
            )
        )

    def replace_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        origin = _name(name)
        rrsets, lines = _assemble(origin, content)
        return _outcome(
            self._service.replace_zone(
                origin,
                rrsets,
                if_version=write.if_version,
                actor=self._actor,
                reason=write.reason,
                settings=None if settings is None else ZoneSettings.from_json(settings),
                lines=lines,
                dry_run=write.dry_run,
                force=write.force,
            )
        )

    def delete_zone(self, name: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return _outcome(
            self._service.delete_zone(
                _name(name),
                if_version=write.if_version,
                actor=self._actor,
                reason=write.reason,
                dry_run=write.dry_run,
                force=write.force,
            )
        )

    def deleted_zones(self) -> Iterator[DeletedZone]:
        """See :class:`~.base.Client`."""
        after = None
        while page := self._service.deleted_zones(after):
            yield from (DeletedZone(**asdict(item)) for item in page)
            after = _name(page[-1].name)

    def undelete_zone(self, name: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        return _outcome(
            self._service.undelete(_name(name), actor=self._actor, reason=write.reason, dry_run=write.dry_run)
        )

    def put_record_set(
        self, zone: str, owner: str, rdtype: str, values: Sequence[str], ttl: int | None, write: Write
    ) -> Outcome:
        """See :class:`~.base.Client`."""
        origin = _name(zone)
        wanted = rdata.type_from_text(rdtype)
        if ttl is None:
            there = self._service.rrset(origin, names.from_text(owner, origin), wanted)
            ttl = DEFAULT_TTL if there is None else there.ttl
        try:
            (rrset,), _lines = assemble(origin, records=[Record(owner, rdtype, tuple(values), ttl)])
        except ArcaError as error:
            # the caller sent values, and no list of records
            error.places = tuple(
                Place(place.message, pointer=(place.pointer or "").removeprefix("/records/0")) for place in error.places
            )
            raise
        return self._change(origin, Change(rrset.owner, rrset.rdtype, rrset), write)

    def delete_record_set(self, zone: str, owner: str, rdtype: str, write: Write) -> Outcome:
        """See :class:`~.base.Client`."""
        origin = _name(zone)
        return self._change(origin, Change(names.from_text(owner, origin), rdata.type_from_text(rdtype), None), write)

    def ds(self, name: str, digest_types: Sequence[int] = (2,)) -> list[str]:
        """See :class:`~.base.Client`."""
        return [rdata.to_text(DS, one) for one in self._service.ds(_name(name), digest_types)]

    def close(self) -> None:
        """See :class:`~.base.Client`."""
        self._service.close()

    def _change(self, origin: bytes, change: Change, write: Write) -> Outcome:
        return _outcome(
            self._service.change_zone(
                origin,
                [change],
                if_version=write.if_version,
                actor=self._actor,
                reason=write.reason,
                dry_run=write.dry_run,
                force=write.force,
            )
        )


def _name(text: str) -> bytes:
    return names.from_text(text, names.ROOT)


def _assemble(origin: bytes, content: ZoneContent) -> tuple[tuple[RRset, ...], Mapping[tuple[bytes, int], int]]:
    return assemble(origin, text=content.text, records=content.records, soa=content.soa)


def _set(rrset: RRset) -> RecordSet:
    values = tuple(rdata.to_text(rrset.rdtype, value) for value in rrset.rdatas)
    return RecordSet(names.to_text(rrset.owner), type_text(rrset.rdtype), rrset.ttl, values)


def _state(info: ZoneInfo) -> ZoneState:
    source, published = info.source, info.published
    return ZoneState(
        name=source.name,
        version=source.version,
        serial=source.serial,
        records=source.records,
        published_version=None if published is None else published.version,
        published_serial=None if published is None else published.serial,
        settings=info.settings.to_json(),
        created=source.created,
        modified=source.modified,
        problem=info.problem,
    )


def _differences(diffs: Iterable[RRsetDiff]) -> tuple[Difference, ...]:
    """Removals, changes, additions: as the API groups them."""
    found = [
        Difference(None if diff.before is None else _set(diff.before), None if diff.after is None else _set(diff.after))
        for diff in diffs
    ]
    found.sort(key=lambda one: (one.before is None, one.after is not None))
    return tuple(found)


def _outcome(outcome: ServiceOutcome) -> Outcome:
    return Outcome(
        Plan(_differences(outcome.plan.diffs), outcome.plan.warnings, outcome.plan.refusals),
        changed=outcome.changed,
        applied=outcome.applied,
        version=outcome.version,
        serial=outcome.serial,
        published=outcome.published,
        problem=outcome.problem,
    )
