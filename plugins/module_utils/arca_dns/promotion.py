# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Promotions: bringing what one ring has to the next, as soon as the gates are open, and going back.

A promotion is a document of its ring. It waits until the edges of the ring before attest what is promoted, and for its
soak time from then on; the controller that does the scheduled work completes it, and judges anew what it changes. What
would take a ring back in time, or most of its zones away, is refused unless that is said. An abort ends a promotion
that waits, and takes one back that is done, with a head of its own: a revision never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from .documents import PROMOTION, decode, utc
from .errors import Conflict, InputError, NotFound, Place, PlanRefused, StaleVersion
from .journal import entry_document
from .publish.gates import Gates, blocked, ring_of
from .publish.head import Head, mass_removal
from .publish.rings import Difference, Point, Ring, Rings
from .store.base import Document, JsonObject, Store, Transaction, revision_of
from .store.common import everything
from .zone import names

#: The longest soak: shorter than what a head published is kept.
SOAK_MOST = 20 * 3600
#: Zones that are counted in which a ring differs from the one before.
_DIFFERS = 10_000


@dataclass(frozen=True, slots=True)
class Promotion:
    """The latest promotion of *ring*: to what *source* had at *revision*. *state* is waiting, promoted or aborted.

    *head* is the revision that *ring* got by it, *previous* the one that it had; *blocked* says what a waiting one
    waits for, or why it has ended. *open_since* (unix seconds) is when the gates were found open. Other times are
    ISO 8601. *rollback* is as in :class:`Wanted`.
    """

    ring: str
    source: str
    revision: int
    state: str
    actor: str
    reason: str
    requested: str
    soak_seconds: int = 0
    failing_share: float = 0.0
    blocked: tuple[str, ...] = ()
    open_since: float | None = None
    finished: str | None = None
    head: int | None = None
    previous: int | None = None
    rollback: bool = False

    def to_json(self) -> JsonObject:
        """The promotion as callers see it."""
        since = None if self.open_since is None else utc(self.open_since)
        return {**_written(self), "open_since": since}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller asks for. *source* and *revision* default to the ring before and what it has now.

    *expected* is the revision of the ring's head that the caller has seen, if it says so. With *rollback* serials of
    zones may go back, and zones be removed that are newer than what is promoted, or that are many. With *force* the
    gates are not looked at, and many zones may be removed.
    """

    ring: str
    source: str | None = None
    revision: int | None = None
    soak_seconds: int = 0
    failing_share: float = 0.0
    expected: int | None = None
    rollback: bool = False
    force: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A promotion as it stands, and what it changes in its ring."""

    promotion: Promotion
    difference: Difference
    changed: bool = True

    def to_json(self) -> JsonObject:
        """The outcome as callers see it."""
        found = self.difference
        named: JsonObject = {kind: [names.to_text(zone) for zone in zones] for kind, zones in found.names.items()}
        return {
            "promotion": self.promotion.to_json(),
            "changed": self.changed,
            "added": found.added,
            "modified": found.changed,
            "removed": found.removed,
            "back": found.back,
            "live": found.live,
            "zones": named,
        }


def promotion_key(ring: str) -> str:
    """Key of the latest promotion of *ring*."""
    return f"{PROMOTION}{ring}"


class Promotions:
    """The promotions in *store*; *reports* gives what edges attest, *fresh_seconds* is how old that may be."""

    def __init__(
        self,
        store: Store,
        rings: Rings,
        reports: Callable[[], list[JsonObject]],
        clock: Callable[[], float],
        fresh_seconds: float,
    ) -> None:
        self._store = store
        self._rings = rings
        self._reports = reports
        self._clock = clock
        self._fresh = fresh_seconds

    def get(self, ring: str) -> Promotion | None:
        """The latest promotion of *ring*, if there was one."""
        document = self._store.get(promotion_key(ring))
        return None if document is None else _read(document)

    def states(self) -> list[JsonObject]:
        """What each ring has, in the order of promotion, as callers see it."""
        reports = self._reports()
        return [self._state(self._rings.get(name), reports) for name in self._rings.names]

    def state(self, ring: str) -> JsonObject:
        """The same for one ring. Raises :class:`NotFound`."""
        return self._state(self._rings.get(ring), self._reports())

    def _state(self, ring: Ring, reports: list[JsonObject]) -> JsonObject:
        head, promotion = ring.head, self.get(ring.name)
        return {
            "ring": ring.name,
            "before": ring.before,
            "head": None if head is None else head.revision,
            "catalog": None if head is None else head.catalog,
            "issued": None if head is None else utc(head.issued),
            "expires": None if head is None else utc(head.expires),
            "zones": self._rings.zones(ring),
            "differs": self._rings.differs(ring, _DIFFERS),
            "edges": [str(report["edge"]) for report in reports if ring_of(report) == ring.name],
            "promotion": None if promotion is None else promotion.to_json(),
        }

    def promote(self, wanted: Wanted, actor: str, *, dry_run: bool = False) -> Outcome:
        """Bring a ring to what another has: at once if the gates are open, else when they are.

        Raises :class:`NotFound`, :class:`InputError`, :class:`StaleVersion`, and :class:`PlanRefused` where the ring
        would go back in time, or lose most of its zones.
        """
        ring = self._rings.get(wanted.ring)
        if ring.before is None:
            raise InputError(
                f"ring {ring.name!r} follows every publication, so there is nothing to promote to it",
                [Place("must be one of the rings behind the first", pointer="/ring")],
            )
        held = 0 if ring.head is None else ring.head.revision
        if wanted.expected is not None and wanted.expected != held:
            raise StaleVersion(f"ring {ring.name!r} is at revision {held}, not {wanted.expected}", str(held))
        point = self._rings.point(wanted.source or ring.before, wanted.revision)
        difference = self._rings.difference(ring, point)
        _refuse(ring, point, difference, rollback=wanted.rollback, force=wanted.force)
        promotion = Promotion(
            ring.name,
            point.ring,
            point.revision,
            "waiting",
            actor,
            wanted.reason,
            utc(self._clock()),
            wanted.soak_seconds,
            wanted.failing_share,
            previous=held or None,
            rollback=wanted.rollback,
        )
        if not dry_run and ring.head is not None and ring.head.catalog == point.catalog:
            return Outcome(replace(promotion, state="promoted", head=held), difference, changed=False)
        promotion = self._judged(promotion, wanted.force)
        if dry_run:
            return Outcome(promotion, difference)
        document = self._store.get(promotion_key(ring.name))
        if promotion.blocked:
            self._note(promotion, document, "ring.promotion", actor, wanted.reason)
            return Outcome(promotion, difference)
        return Outcome(self._complete(promotion, document, point, actor, held), difference)

    def abort(self, name: str, actor: str, reason: str = "") -> Promotion:
        """End the promotion of ring *name* that waits, or take back the latest that is done.

        Raises :class:`NotFound` where there is none to abort.
        """
        ring = self._rings.get(name)
        document = self._store.get(promotion_key(name))
        promotion = None if document is None else _read(document)
        if promotion is None or document is None or promotion.state == "aborted":
            raise NotFound(f"ring {name!r} has no promotion that could be aborted")
        ended = replace(promotion, state="aborted", finished=utc(self._clock()), blocked=())
        if promotion.state == "waiting":
            self._note(ended, document, "ring.aborted", actor, reason)
            return ended
        if promotion.previous is None:
            raise NotFound(f"ring {name!r} had nothing before its latest promotion")
        if ring.head is None or promotion.head is None or ring.head.revision < promotion.head:
            raise NotFound(f"ring {name!r} does not have what was promoted to it")
        point = self._rings.point(name, promotion.previous)
        return self._complete(ended, document, point, actor, ring.head.revision, "ring.aborted", reason)

    def step(self) -> None:
        """Scheduled work: complete what waits and whose gates are open now."""
        for document in everything(self._store, PROMOTION):
            promotion = _read(document)
            if promotion.state == "waiting":
                with suppress(Conflict):  # the ring has moved, or somebody aborts: the next round sees it
                    self._go_on(promotion, document)

    def _go_on(self, promotion: Promotion, document: Document) -> None:
        judged = self._judged(promotion, force=False)
        if judged.blocked:
            if judged != promotion:
                self._note(judged, document)
            return
        try:
            ring = self._rings.get(promotion.ring)
            point = self._rings.point(promotion.source, promotion.revision)
            # The ring has taken over what would have expired, and may be ahead of what it was when this was asked for.
            _refuse(ring, point, self._rings.difference(ring, point), rollback=promotion.rollback)
        except (NotFound, PlanRefused) as error:
            ended = replace(judged, state="aborted", finished=utc(self._clock()), blocked=(error.message,))
            self._note(ended, document, "ring.aborted", promotion.actor, error.message)
            return
        self._complete(judged, document, point, promotion.actor, 0 if ring.head is None else ring.head.revision)

    # -- inside -----------------------------------------------------------------------------

    def _judged(self, promotion: Promotion, force: bool) -> Promotion:
        """*promotion* with what blocks it now."""
        if force:
            return replace(promotion, blocked=())
        now = self._clock()
        gates = Gates(self._fresh, promotion.failing_share)
        reasons = blocked(self._reports(), promotion.source, promotion.revision, gates, now)
        if reasons:
            return replace(promotion, blocked=tuple(reasons), open_since=None)
        since = now if promotion.open_since is None else promotion.open_since
        left = since + promotion.soak_seconds - now
        waits = (f"it soaks until {utc(since + promotion.soak_seconds)}",) if left > 0 else ()
        return replace(promotion, blocked=waits, open_since=since)

    def _note(
        self,
        promotion: Promotion,
        document: Document | None,
        kind: str | None = None,
        actor: str = "",
        reason: str = "",
    ) -> None:
        key = promotion_key(promotion.ring)
        writes: dict[str, JsonObject] = {key: _written(promotion)}
        if kind is not None:
            entry, value = self._entry(promotion, kind, actor, reason)
            writes[entry] = value
        self._store.commit(Transaction({key: revision_of(document)}, writes))

    def _complete(
        self,
        promotion: Promotion,
        document: Document | None,
        point: Point,
        actor: str,
        held: int,
        kind: str = "ring.promoted",
        reason: str | None = None,
    ) -> Promotion:
        """Move the ring, and say so in one commit."""
        now = utc(self._clock())
        done = replace(promotion, blocked=(), finished=now)
        if kind == "ring.promoted":
            done = replace(done, state="promoted")
        key = promotion_key(promotion.ring)
        revisions = {key: revision_of(document)}

        def made(head: Head) -> Mapping[str, JsonObject]:
            told = replace(done, head=head.revision)
            entry, value = self._entry(told, kind, actor, promotion.reason if reason is None else reason)
            return {key: _written(told), entry: value}

        head = self._rings.move(promotion.ring, point, expected=held, writes=made, revisions=revisions)
        return replace(done, head=head.revision)

    def _entry(self, promotion: Promotion, kind: str, actor: str, reason: str) -> tuple[str, JsonObject]:
        summary = {
            "from": promotion.source,
            "revision": promotion.revision,
            "head": promotion.head,
            "previous": promotion.previous,
        }
        return entry_document(self._clock(), kind, actor, subject=promotion.ring, summary=summary, reason=reason)


def _refuse(ring: Ring, point: Point, difference: Difference, *, rollback: bool, force: bool = False) -> None:
    """Raise :class:`PlanRefused` where *difference* is not what a promotion is for and nobody says that it is meant."""

    def first(kind: str) -> str:
        return ", ".join(map(names.to_text, difference.names[kind]))

    if rollback:
        return
    if difference.back:
        raise PlanRefused(
            f"ring {ring.name!r} would go back: {difference.back} zones would get an older serial ({first('back')});"
            " if this is meant, repeat it with rollback"
        )
    if difference.live:
        raise PlanRefused(
            f"ring {ring.name!r} would go back: {difference.live} zones would be removed that are newer than revision"
            f" {point.revision} of ring {point.ring!r} ({first('live')}); if this is meant, repeat it with rollback"
        )
    if mass_removal(difference.held, difference.removed) and not force:
        raise PlanRefused(
            f"ring {ring.name!r} would lose {difference.removed} of {difference.held} zones ({first('removed')});"
            " if this is meant, repeat it with rollback, or with force"
        )


def _read(document: Document) -> Promotion:
    found = decode(Promotion, document)
    return replace(found, blocked=tuple(found.blocked))


def _written(promotion: Promotion) -> JsonObject:
    value: JsonObject = asdict(promotion)
    value["blocked"] = list(promotion.blocked)
    return value
