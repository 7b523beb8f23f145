# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Copies a store's whole state into another store, of the same or another backend.

The target is made equal to the source, whatever of it is there already: so a copy that was cut short goes on, and what
changed in the source meanwhile follows. Blobs are written before the documents that need them. Revisions are a store's
own and are not copied: no document holds one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from ..errors import MissingBlob, StoreError
from ..store.base import Changes, Document, JsonObject, Store, Transaction
from ..store.common import everything, revision
from . import marker
from .reach import Walk, roots

#: Documents in one transaction, and the length of their JSON: what every backend takes.
_DOCUMENTS = 50
_OCTETS = 256 << 10
_ROUNDS = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far it is: *step* is ``copy``, ``follow`` or ``verify``."""

    step: str
    documents: int = 0
    blobs: int = 0
    octets: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied in this run, and what the target was found to hold when it was verified."""

    copied_documents: int
    copied_blobs: int
    documents: int
    blobs: int
    resumed: bool


Tell = Callable[[Progress], None]


def documents(store: Store, prefix: str = "") -> Iterator[Document]:
    """All documents in key order, read page by page, without what belongs to this store alone."""
    return (document for document in everything(store, prefix) if not document.key.startswith(marker.LOCAL))


def _moved(changes: Changes) -> list[str]:
    return [key for key in changes.keys if not key.startswith(marker.LOCAL)]


def batches(writes: Iterable[tuple[str, JsonObject | None]]) -> Iterator[Transaction]:
    """Transactions that every backend takes, from keys and their values (``None`` deletes)."""
    some: dict[str, JsonObject | None] = {}
    size = 0
    for key, value in writes:
        octets = len(key) + len(repr(value))
        if some and (len(some) == _DOCUMENTS or size + octets > _OCTETS):
            yield _transaction(some)
            some, size = {}, 0
        some[key] = value
        size += octets
    if some:
        yield _transaction(some)


def _transaction(some: Mapping[str, JsonObject | None]) -> Transaction:
    return Transaction(
        writes={key: value for key, value in some.items() if value is not None},
        deletes=[key for key, value in some.items() if value is None],
    )


def verify(store: Store, tell: Tell) -> Progress:
    """Hash every blob that a document of *store* needs; returns the counts.

    Raises :class:`IntegrityError` that names the document.
    """
    walk = Walk(store.read_blobs)
    progress = Progress("verify")
    for document in documents(store):
        for found in _below(walk, document):
            octets = sum(map(len, found.values()))
            progress = replace(progress, blobs=progress.blobs + len(found), octets=progress.octets + octets)
            tell(progress)
        progress = replace(progress, documents=progress.documents + 1, key=document.key)
        tell(progress)
    return progress


def migrate(source: Store, target: Store, note: marker.Marker, tell: Tell = lambda _progress: None) -> Copied:
    """Copy all that *source* holds into *target*, which must be empty, or half filled by a run before with *note*.

    Ends only when nothing has changed in *source* since the last of it was copied, and *target* is verified: every blob
    hashed, every tree whole, every document equal. Raises :class:`StoreError` when a controller keeps writing to
    *source*, and leaves *target* such that another call goes on.
    """
    if marker.read(source) is not None:
        marker.refuse_unfinished(source)
    resumed = marker.begin(target, note)
    work = _Work(source, target, tell)
    at = revision(source)
    work.run(work.differences())
    verified: Progress | None = None
    for _round in range(_ROUNDS):
        changes = source.watch(at, 0)
        at = changes.revision
        keys = _moved(changes)
        if keys or not changes.complete:
            work.progress = replace(work.progress, step="follow")
            work.run(work.read(keys) if changes.complete else work.differences())
            verified = None
        elif verified is None:
            verified = verify(target, tell)
            different = next(work.differences(), None)
            if different is not None and not _moved(source.watch(at, 0)):
                raise StoreError(
                    f"the document {different[0]!r} is not the same in the target; run the migration again"
                )
        else:
            marker.end(target)
            copied = work.progress
            return Copied(copied.documents, copied.blobs, verified.documents, verified.blobs, resumed)
    raise StoreError(
        "the source keeps changing: a controller is still writing to it. Stop every controller of the source and run"
        " the same command again: it copies only what has changed"
    )


class _Work:
    """One run: the blobs that were looked at already, and the counts."""

    def __init__(self, source: Store, target: Store, tell: Tell) -> None:
        self._source = source
        self._target = target
        self._tell = tell
        self._walk = Walk(self._read)
        self._missing: set[str] = set()  # of the batch at hand: what the target lacks
        self.progress = Progress("copy")

    def differences(self) -> Iterator[tuple[str, JsonObject | None]]:
        """What to write for the target to be as the source is: both are read once, side by side."""
        there = documents(self._target)
        held = next(there, None)
        for document in documents(self._source):
            while held is not None and held.key < document.key:
                yield held.key, None
                held = next(there, None)
            if held is not None and held.key == document.key:
                if held.value != document.value:
                    yield document.key, document.value
                held = next(there, None)
            else:
                yield document.key, document.value
        while held is not None:
            yield held.key, None
            held = next(there, None)

    def read(self, keys: Iterable[str]) -> Iterator[tuple[str, JsonObject | None]]:
        """The documents at *keys* as they are now."""
        for key in keys:
            document = self._source.get(key)
            yield key, None if document is None else document.value

    def run(self, writes: Iterable[tuple[str, JsonObject | None]]) -> None:
        """Write *writes*, the blobs that they need first."""
        for transaction in batches(writes):
            for key, value in transaction.writes.items():
                self._copy_blobs(key, value)
            self._target.commit(transaction)
            count = len(transaction.writes) + len(transaction.deletes)
            last = max((*transaction.writes, *transaction.deletes))
            self.progress = replace(self.progress, documents=self.progress.documents + count, key=last)
            self._tell(self.progress)

    def _copy_blobs(self, key: str, value: JsonObject) -> None:
        try:
            for found in self._walk.below(roots(key, value)):
                new = {digest: data for digest, data in found.items() if digest in self._missing}
                if new:
                    self._target.write_blobs(new)
                    octets = sum(map(len, new.values()))
                    self.progress = replace(
                        self.progress, blobs=self.progress.blobs + len(new), octets=self.progress.octets + octets
                    )
                    self._tell(self.progress)
        except MissingBlob as error:
            now = self._source.get(key)
            if now is not None and now.value == value:
                raise MissingBlob(f"{error.message}, which {key} of the source needs") from None
            # Collected as garbage meanwhile: the document has changed, and the next round brings what it is now.
            self._walk = Walk(self._read)

    def _read(self, digests: list[str]) -> Mapping[str, bytes]:
        there = self._target.read_blobs(digests)
        self._missing = {digest for digest in digests if digest not in there}
        return {**there, **self._source.read_blobs(self._missing)} if self._missing else there


def _below(walk: Walk, document: Document) -> Iterator[dict[str, bytes]]:
    try:
        yield from walk.below(roots(document.key, document.value))
    except MissingBlob as error:
        raise MissingBlob(f"{error.message}, which {document.key} needs") from None
