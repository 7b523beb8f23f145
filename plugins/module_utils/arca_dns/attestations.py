# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What edges attest: the latest of each is kept, in whatever order controllers hear of them.

What follows from it is judged elsewhere, in the gates of promotions and for leases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .documents import edge_key, moment, utc
from .errors import Conflict, NotFound
from .publish.gates import age_of
from .store.base import Json, JsonObject, Store, Transaction, revision_of
from .store.common import everything

_ATTEMPTS = 20


class Attestations:
    """The attestations in *store*; *fresh_seconds* is how long one counts."""

    def __init__(self, store: Store, clock: Callable[[], float], fresh_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._fresh = fresh_seconds

    def keep(self, edge: str, report: JsonObject) -> None:
        """Keep what *edge* says it serves, unless it came late: something newer is held.

        A report says when its agent began (``started``) and when it was made (``attested``); of two reports the one
        that is later by these, in this order, is newer. One that does not say is taken, and so is any where the one
        held is not fresh: an edge whose clock was put back is heard of again after a while.
        Raises :class:`Conflict` where others keep attesting for the edge.
        """
        now = self._clock()
        value: JsonObject = {**report, "edge": edge, "received": utc(now)}
        for _attempt in range(_ATTEMPTS):
            document = self._store.get(edge_key(edge))
            if document is not None and age_of(document.value, now) <= self._fresh and _older(report, document.value):
                return
            try:
                self._store.commit(Transaction({edge_key(edge): revision_of(document)}, {edge_key(edge): value}))
            except Conflict:
                continue
            return
        raise Conflict(f"what edge {edge!r} attests changes too fast: try again")

    def of(self, edge: str) -> JsonObject:
        """The latest attestation of *edge*. Raises :class:`NotFound`."""
        document = self._store.get(edge_key(edge))
        if document is None:
            raise NotFound(f"edge {edge!r} has attested nothing")
        return document.value

    def all(self) -> list[JsonObject]:
        """The latest attestation of each edge."""
        return [document.value for document in everything(self._store, edge_key(""))]


def _older(report: Mapping[str, Json], held: Mapping[str, Json]) -> bool:
    mine, theirs = _made(report), _made(held)
    return mine is not None and theirs is not None and mine < theirs


def _made(report: Mapping[str, Json]) -> tuple[float, float] | None:
    """When the agent of *report* began, and when the report was made; ``None`` if it does not say."""
    try:
        return moment(str(report.get("started"))), moment(str(report.get("attested")))
    except ValueError:
        return None
