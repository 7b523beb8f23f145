# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What edges attest: the latest of each is kept, in whatever order controllers hear of them.

The zones, of which there may be very many, are in a document of their own that is written when they change. What
follows from an attestation is judged elsewhere, in the gates of promotions and for leases, by the small document alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .documents import edge_key, edge_zones_key, moment, utc
from .errors import Conflict, NotFound
from .publish.gates import age_of
from .store.base import Document, Json, JsonObject, Store, Transaction, revision_of
from .store.common import everything

_ATTEMPTS = 20
_COUNT = "zone_count"


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
        zones = report.get("zones")
        value = _small(report) | {"edge": edge, "received": utc(now)}
        for _attempt in range(_ATTEMPTS):
            document = self._store.get(edge_key(edge))
            if document is not None and age_of(document.value, now) <= self._fresh and _older(report, document.value):
                return
            writes = {edge_key(edge): value}
            if isinstance(zones, list) and _zones(self._store.get(edge_zones_key(edge))) != zones:
                writes[edge_zones_key(edge)] = {"zones": zones}
            try:
                self._store.commit(Transaction({edge_key(edge): revision_of(document)}, writes))
            except Conflict:
                continue
            return
        raise Conflict(f"what edge {edge!r} attests changes too fast: try again")

    def of(self, edge: str) -> JsonObject:
        """The latest attestation of *edge*. Raises :class:`NotFound`."""
        document = self._store.get(edge_key(edge))
        if document is None:
            raise NotFound(f"edge {edge!r} has attested nothing")
        return _whole(document, self._store.get(edge_zones_key(edge)))

    def all(self) -> list[JsonObject]:
        """The latest attestation of each edge; its zones may be newer than the rest."""
        found = list(everything(self._store, edge_key("")))
        zones = {document.key: document for document in everything(self._store, edge_zones_key())}
        return [_whole(one, zones.get(edge_zones_key(one.key.removeprefix(edge_key(""))))) for one in found]

    def small(self) -> list[JsonObject]:
        """The latest attestation of each edge as it is kept: ``zone_count`` tells how many zones it names.

        One of an earlier version has its ``zones``.
        """
        return [document.value for document in everything(self._store, edge_key(""))]


def _small(report: JsonObject) -> JsonObject:
    """*report* with the number of its zones in their place."""
    value: JsonObject = {}
    for name, part in report.items():
        if name == "zones" and isinstance(part, list):
            value[_COUNT] = len(part)
        elif name != _COUNT:
            value[name] = part
    return value


def _whole(document: Document, zones: Document | None) -> JsonObject:
    """An attestation as it came."""
    value: JsonObject = {}
    for name, part in document.value.items():
        if name == _COUNT:
            value["zones"] = _zones(zones) or []
        else:
            value[name] = part
    return value


def _zones(document: Document | None) -> list[Json] | None:
    zones = None if document is None else document.value.get("zones")
    return zones if isinstance(zones, list) else None


def _older(report: Mapping[str, Json], held: Mapping[str, Json]) -> bool:
    mine, theirs = _made(report), _made(held)
    return mine is not None and theirs is not None and mine < theirs


def _made(report: Mapping[str, Json]) -> tuple[float, float] | None:
    """When the agent of *report* began, and when the report was made; ``None`` if it does not say."""
    try:
        return moment(str(report.get("started"))), moment(str(report.get("attested")))
    except ValueError:
        return None
