# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""When each published zone is to be signed again: kept in memory, so that a round costs what is due and what changed.

Made from the store once, and kept up by what the store says of changes. It is a hint: who signs a zone reads it first,
and so an index that is behind makes a zone late by a round or looked at in vain, never wrongly signed.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator
from itertools import groupby
from typing import cast

from ..dnssec.policy import Policy
from ..documents import ZoneSettings
from ..store.base import Document, JsonObject, Store
from ..store.common import everything, revision
from ..zone import names
from ..zone.tree import NEVER

_PUBLISHED, _SOURCE = "published/", "zone/"
#: Reading a document by itself costs as much as so many that are read together.
_ALONE = 20


def due_at(policy: Policy, earliest_expiry: int) -> int:
    """The time (unix seconds) from which on a zone is due whose first signature expires at *earliest_expiry*."""
    latest = earliest_expiry - policy.refresh
    return latest + -latest % policy.quantum  # signing knows only multiples of the quantum


class DueIndex:
    """The zones in *store* by the time at which they are due; *policy* is that of zones without their own.

    Safe to call from any thread. All methods raise ``StoreUnavailable``.
    """

    def __init__(self, store: Store, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._lock = threading.Lock()
        self._at: int | None = None  # the store's revision that this is of; None: not made yet
        self._moments: dict[str, int] = {}  # the zone as in its key → when it is due
        self._heap: list[tuple[int, str]] = []  # the same, and entries that hold no more

    def __len__(self) -> int:
        return len(self._moments)

    def due(self, now: float) -> list[bytes]:
        """The zones that are due at *now*, the most urgent first. They stay due until they are published anew."""
        with self._lock:
            self._follow()
            found: list[tuple[int, str]] = []
            while self._heap and self._heap[0][0] <= now:
                moment, name = heapq.heappop(self._heap)
                if self._moments.get(name) == moment and (not found or found[-1] != (moment, name)):
                    found.append((moment, name))
            for entry in found:
                heapq.heappush(self._heap, entry)
            return [names.from_text(name) for _moment, name in found]

    def _follow(self) -> None:
        if self._at is None:
            self._make()
            return
        changes = self._store.watch(self._at, 0)
        changed = {key.removeprefix(_PUBLISHED) for key in changes.keys if key.startswith(_PUBLISHED)}
        if not changes.complete or len(changed) * _ALONE > len(self._moments) + _ALONE * _ALONE:
            self._make()
            return
        for name in sorted(changed):
            self._put(name, self._store.get(_PUBLISHED + name), self._store.get(_SOURCE + name))
        self._at = changes.revision

    def _make(self) -> None:
        at = revision(self._store)  # what changes while this reads is read again
        self._moments, self._heap = {}, []
        for name, published, source in self._zones():
            self._put(name, published, source)
        self._at = at

    def _zones(self) -> Iterator[tuple[str, Document | None, Document | None]]:
        """Every zone's name as in its key, and its two documents; both lists are read once, side by side."""

        def named(prefix: str) -> Iterator[tuple[str, str, Document]]:
            return ((d.key.removeprefix(prefix), prefix, d) for d in everything(self._store, prefix))

        merged = heapq.merge(named(_PUBLISHED), named(_SOURCE), key=lambda item: item[0])
        for name, group in groupby(merged, key=lambda item: item[0]):
            held = {prefix: document for _name, prefix, document in group}
            yield name, held.get(_PUBLISHED), held.get(_SOURCE)

    def _put(self, name: str, published: Document | None, source: Document | None) -> None:
        self._moments.pop(name, None)
        expiry = NEVER if published is None else int(cast(int, published.value["earliest_expiry"]))
        if source is None or expiry == NEVER:
            return
        moment = due_at(self._policy_of(source), expiry)
        self._moments[name] = moment
        heapq.heappush(self._heap, (moment, name))
        if len(self._heap) > 2 * len(self._moments) + 1000:
            self._heap = [(moment, name) for name, moment in self._moments.items()]
            heapq.heapify(self._heap)

    def _policy_of(self, source: Document) -> Policy:
        settings = cast(JsonObject, source.value["settings"])
        return ZoneSettings.from_json(settings).effective_policy(self._policy) if settings["policy"] else self._policy
