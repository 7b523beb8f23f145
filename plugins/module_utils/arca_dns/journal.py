# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The journal: who did what, from where, and what came of it. An entry stands in the transaction of what it tells.

Entries name RRsets, never their values: a journal is read by more people than a zone is, and kept for longer. Keys are
ULIDs, so that they sort by time; of two entries of one moment either may come first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from itertools import islice, takewhile
from typing import Any

from . import ulid
from .documents import JOURNAL, decode, utc
from .store.base import Document, JsonObject, Store, Transaction
from .store.common import everything
from .zone import names, rr
from .zone.changes import Plan, counts

PREFIX = JOURNAL
#: How many RRsets an entry names.
NAMED = 20
_DELETES = 100
#: Milliseconds that the first look back into the journal takes in; each next look takes in four times as much.
_LOOK_BACK = 3_600_000
_FACTOR = 4
_NEVER = 1 << 47


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from (an address) and its id; both are empty for what the controller does by itself."""

    origin: str = ""
    request: str = ""


_NOBODY = Caller()
#: Whose request this thread or task works for; set at the border, read where entries are made.
_caller: ContextVar[Caller] = ContextVar("caller", default=_NOBODY)


@contextmanager
def called_by(caller: Caller) -> Iterator[None]:
    """Let the entries that are made meanwhile, in this context, name *caller*."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


def caller() -> Caller:
    """Who calls in this context."""
    return _caller.get()


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done. *zone*, *version*, *serial* and *subject* (an API key's id) where it has them.

    *summary* is what :func:`summary_of` tells of a plan; *time* is ISO 8601 in UTC.
    """

    kind: str
    actor: str
    time: str
    origin: str = ""
    request: str = ""
    zone: str | None = None
    version: str | None = None
    serial: int | None = None
    subject: str | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""


def entry_document(
    now: float,
    kind: str,
    actor: str,
    *,
    zone: bytes | None = None,
    version: str | None = None,
    serial: int | None = None,
    subject: str | None = None,
    summary: Mapping[str, Any] | None = None,
    reason: str = "",
) -> tuple[str, JsonObject]:
    """Key and document of an entry on what the caller of this context does at *now* (unix seconds)."""
    who = _caller.get()
    entry = Entry(
        kind,
        actor,
        utc(now),
        who.origin,
        who.request,
        None if zone is None else names.to_text(zone),
        version,
        serial,
        subject,
        dict(summary or {}),
        reason,
    )
    return PREFIX + ulid.new(now), asdict(entry)


def summary_of(plan: Plan) -> JsonObject:
    """How many RRsets an applied plan adds, changes and removes, the first :data:`NAMED`, and what was overruled."""
    added, changed, removed = counts(plan.diffs)
    named = [f"{names.to_text(diff.owner)} {rr.type_text(diff.rdtype)}" for diff in islice(plan.diffs, NAMED)]
    told: JsonObject = {
        "added": added,
        "changed": changed,
        "removed": removed,
        "rrsets": list(named),
    }
    if plan.refusals:  # and yet it was applied
        told["forced"] = list(plan.refusals)
    return told


class Journal:
    """The entries in *store*."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def entries(
        self,
        wanted: Callable[[Entry], bool] = lambda _entry: True,
        *,
        before: str = "",
        since: float = 0.0,
        limit: int = 100,
    ) -> list[tuple[str, Entry]]:
        """Up to *limit* entries that are *wanted* with their ids, newest first: those older than the id *before*.

        None from before *since* (unix seconds).
        """
        found: list[tuple[str, Entry]] = []
        first = max(self._first(), int(since * 1000))
        # Without an upper edge: the clock of who wrote may have been ahead of ours.
        until = PREFIX + (before or "~")
        end = ulid.milliseconds_of(before) if before else max(int(self._clock() * 1000), first)
        span = _LOOK_BACK
        while end >= first and len(found) < limit:
            start = max(end - span, first)
            for document in reversed(self._between(_key(start), until)):
                entry = decode(Entry, document)
                if wanted(entry):
                    found.append((document.key.removeprefix(PREFIX), entry))
                    if len(found) == limit:
                        break
            until, end, span = _key(start), start - 1, span * _FACTOR
        return found

    def prune(self, before: float) -> Iterator[int]:
        """Remove entries from before *before* (unix seconds), some at a time; yields how many went."""
        edge = _key(int(before * 1000))
        while True:
            page = self._store.scan(PREFIX, limit=_DELETES)
            due = [document.key for document in page if document.key < edge]
            if not due:
                return
            self._store.commit(Transaction(deletes=due))
            yield len(due)

    def _first(self) -> int:
        """The time of the oldest entry, in milliseconds."""
        page = self._store.scan(PREFIX, limit=1)
        return ulid.milliseconds_of(page[0].key.removeprefix(PREFIX)) if page else _NEVER

    def _between(self, first: str, end: str) -> Sequence[Document]:
        """The documents from key *first* to before *end*."""
        # Below the first, and nothing that could exist stands between.
        found = everything(self._store, PREFIX, first[:-1])
        return list(takewhile(lambda document: document.key < end, found))


def _key(milliseconds: int) -> str:
    """The least key of an entry of that time."""
    return PREFIX + ulid.least(milliseconds)
