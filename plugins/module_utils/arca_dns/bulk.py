# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Operations on many zones at once: all of them or none, and every mistake told."""

from __future__ import annotations

from collections.abc import Sequence

from .errors import (
    AccessDenied,
    AlreadyExists,
    ArcaError,
    ChecksFailed,
    InputError,
    NotFound,
    Place,
    StaleVersion,
)
from .publish.head import mass_removal
from .store.base import JsonObject, Transaction
from .writing import Guard, Operation, Planner, Prepared
from .zone import names
from .zone.tree import Blobs

#: How many operations go in one transaction: so many fit into one of every backend.
MOST = 1000
#: What a bulk that failed in several ways is said to have failed for, the first that fits.
_RANKS: tuple[type[ArcaError], ...] = (AccessDenied, StaleVersion, NotFound, AlreadyExists, ChecksFailed, InputError)


def check_bulk(operations: Sequence[Operation]) -> None:
    """Raise :class:`InputError` for too many operations, or several on one zone."""
    if len(operations) > MOST:
        raise InputError(f"{len(operations)} operations are too many: a bulk has {MOST} at most")
    first: dict[bytes, int] = {}
    places = []
    for index, operation in enumerate(operations):
        if first.setdefault(operation.name, index) != index:
            places.append(
                Place(
                    f"{names.to_text(operation.name)} is the zone of operation {first[operation.name]} already",
                    pointer=f"/operations/{index}",
                )
            )
    if places:
        raise InputError("a bulk has one operation for each zone at most", places)


def prepare_all(
    planner: Planner, operations: Sequence[Operation], blobs: Blobs, actor: str, reason: str, guard: Guard | None
) -> list[Prepared]:
    """All *operations*, planned. Raises :func:`failure` of all that cannot be done."""
    prepared: list[Prepared] = []
    failures: list[tuple[int, ArcaError]] = []
    for index, operation in enumerate(operations):
        try:
            one = planner.prepare(operation, blobs, actor, reason)
            if guard is not None:
                guard(one.plan)
        except _RANKS as error:
            failures.append((index, error))
        else:
            prepared.append(one)
    if failures:
        raise failure(failures)
    return prepared


def failure(failures: Sequence[tuple[int, ArcaError]]) -> ArcaError:
    """One error that stands for all *failures* (index of the operation, error), of the kind that ranks first."""
    kind = next(kind for kind in _RANKS if any(isinstance(error, kind) for _index, error in failures))
    places = [place for index, error in failures for place in _places(index, error)]
    count = len(failures)
    message = f"{count} operation{'s' if count > 1 else ''} cannot be done, so nothing was changed"
    if kind is StaleVersion:
        stale = next(error for _index, error in failures if isinstance(error, StaleVersion))
        found: ArcaError = StaleVersion(message, stale.current)
        found.places = tuple(places)
        return found
    return kind(message, places)


def _places(index: int, error: ArcaError) -> list[Place]:
    at = f"/operations/{index}"
    if not error.places:
        return [Place(error.message, pointer=at)]
    return [Place(place.message, place.line, place.column, at + (place.pointer or "")) for place in error.places]


def judge_all(prepared: Sequence[Prepared], removed: int, zones: int) -> list[Place]:
    """Why doing all of this would be dangerous; *removed* of *zones* zones would go."""
    places = [
        Place(refusal, pointer=f"/operations/{index}")
        for index, one in enumerate(prepared)
        for refusal in one.plan.refusals
    ]
    if mass_removal(zones, removed):
        places.append(Place(f"{removed} of {zones} zones would be deleted", pointer="/operations"))
    return places


def merged(prepared: Sequence[Prepared]) -> Transaction:
    """One transaction of all; their zones differ, so their documents do."""
    preconditions: dict[str, int] = {}
    writes: dict[str, JsonObject] = {}
    deletes: list[str] = []
    for one in prepared:
        if one.documents is not None:
            documents = one.documents()
            preconditions |= documents.preconditions
            writes |= documents.writes
            deletes += documents.deletes
    return Transaction(preconditions, writes, deletes)
