# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Garbage collection: mark what documents name and all below it, then let the store sweep the rest.

Writers go on meanwhile, on this controller and on others. Why no document is ever left without a blob:

- The sweep keeps what is marked, and what was written after its grace began, which it counts back from the moment
  before the marking starts. The grace is an hour; a store takes a blob for written anew when it is half an hour old. So
  a blob is safe that a transaction's writer handed to the store with the commit, or no longer before than half an hour,
  less what the clocks of the controllers differ: the one thing that is asked of them.
- Each digest that a commit names, and each below it, is one of two kinds. Either the writer has handed it to the store
  with the commit or just before (``Blobs.put`` makes every node that an operation builds pending, also one that it has
  read before, from wherever). Or it hangs below a root in a document that is a precondition of the commit, and so was
  live then: ``zone/`` for a write, with ``version/`` for undelete; ``zone/`` and ``published/`` for a publication;
  ``head/`` for a catalog.
- Documents are read in an order in which those that trees are taken from come before those that get them:
  ``version/`` (within a zone older ones first, as their names sort), ``published/``, ``publication/``, ``head/``,
  ``head-history/``. The root of a ``zone/``, and what a ``deleted/`` names, also stands in a ``version/`` that lives at
  least as long.
- Take a document X that is committed after its key was read here. Each document D that it took a tree from was live
  then, and D's key was read before X's. If D was there when its key was read, its tree is marked. If it came later, the
  same holds for D as for X, and so on back to what was written. If X was committed before its key was read and is still
  live, it is marked itself.

So two collections at once, or one that dies at any moment, do no harm: a sweep only removes what nobody can name again
without writing it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from .errors import CorruptBlob, IntegrityError, MissingBlob
from .moving.reach import roots
from .publish.catalog import entries
from .store.base import Document, Store
from .store.common import everything
from .zone.tree import is_inner, is_lowest, is_zone, links

#: Documents that trees are taken from before those that get them; see above.
ORDER = ("zone/", "deleted/", "version/", "published/", "publication/", "head/", "head-history/")
_DOCUMENTS = 256
_BLOBS = 256
_LAST = chr(0x10FFFF)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection kept and removed, in blobs."""

    kept: int
    removed: int


def collect(store: Store) -> Collected:
    """Remove the blobs of *store* that no document needs. Raises :class:`IntegrityError` if one is missing or damaged.

    Then nothing is removed: below a damaged node nobody knows what is needed.
    """
    marks = Marks(store)
    removed = store.sweep(marks.needed())
    return Collected(len(marks), removed)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A digest that a document or a blob names, and whether there must be such a blob."""

    digest: bytes
    required: bool
    in_zone: bool


class Marks:
    """The blobs that documents need, each visited once; of a zone's leaves only the digests are looked at."""

    def __init__(self, store: Store) -> None:
        self._store = store
        # Apart, for a leaf of a catalog names zones, and one of a zone that has the same octets does not.
        self._in_zones: set[bytes] = set()
        self._others: set[bytes] = set()

    def __len__(self) -> int:
        """How many there are so far."""
        return len(self._in_zones | self._others)

    def needed(self) -> Iterator[str]:
        """The digests of what is needed, as they are found."""
        found = _documents(self._store)
        while some := list(islice(found, _DOCUMENTS)):
            wanted: dict[str, bool] = {}
            for document in some:
                for digest, required in roots(document.key, document.value).items():
                    wanted[digest] = wanted.get(digest, False) or required
            try:
                yield from self._whole(wanted)
            except IntegrityError:
                for document in some:
                    yield from self._one(document)

    def _one(self, document: Document) -> Iterator[str]:
        """The same for one document, which may be gone by now, and its blobs with it."""
        try:
            yield from self._whole(roots(document.key, document.value))
        except IntegrityError as error:
            now = self._store.get(document.key)
            if now is not None and now.value == document.value:
                kind = CorruptBlob if isinstance(error, CorruptBlob) else MissingBlob
                raise kind(
                    f"{error.message}, which {document.key} needs: nothing is collected until it is repaired"
                ) from None

    def _whole(self, wanted: Mapping[str, bool]) -> Iterator[str]:
        """What is below *wanted*. If it breaks off it counts as not visited: others may need what was not reached."""
        added: list[tuple[set[bytes], bytes]] = []
        try:
            yield from self._below(wanted, added)
        except IntegrityError:
            for visited, digest in added:
                visited.discard(digest)
            raise

    def _below(self, wanted: Mapping[str, bool], added: list[tuple[set[bytes], bytes]]) -> Iterator[str]:
        stack = [_Wanted(bytes.fromhex(digest), required, False) for digest, required in wanted.items()]
        while stack:
            batch: dict[bytes, _Wanted] = {}
            while stack and len(batch) < _BLOBS:
                one = stack.pop()
                if one.digest in batch and batch[one.digest].in_zone != one.in_zone:
                    stack.append(one)
                    break
                if one.digest not in self._visited(one):
                    batch[one.digest] = one
            found = self._store.read_blobs([digest.hex() for digest in batch])
            for digest, one in batch.items():
                data = found.get(digest.hex())
                if data is None:
                    if one.required:
                        raise MissingBlob(f"blob {digest.hex()} is missing")
                    continue
                if hashlib.sha256(data).digest() != digest:
                    raise CorruptBlob(f"blob {digest.hex()} does not hash to its name")
                visited = self._visited(one)
                visited.add(digest)
                added.append((visited, digest))
                yield digest.hex()
                below = _below(data, one)
                if one.in_zone and is_inner(data) and is_lowest(data):
                    for leaf in below:
                        self._in_zones.add(leaf.digest)
                        added.append((self._in_zones, leaf.digest))
                        yield leaf.digest.hex()
                else:
                    stack.extend(below)

    def _visited(self, one: _Wanted) -> set[bytes]:
        return self._in_zones if one.in_zone else self._others


def _below(data: bytes, one: _Wanted) -> list[_Wanted]:
    if is_zone(data):
        return [_Wanted(bytes.fromhex(digest), True, True) for digest in links(data)]
    if is_inner(data):
        return [_Wanted(bytes.fromhex(digest), True, one.in_zone) for digest in links(data)]
    if one.in_zone or not one.required:
        return []
    return [_Wanted(bytes.fromhex(entry.root), True, False) for entry in entries(data)]


def _documents(store: Store) -> Iterator[Document]:
    """All documents: those of :data:`ORDER` last, in that order."""
    after = ""
    while page := store.scan("", after):
        after = page[-1].key
        for document in page:
            prefix = next((prefix for prefix in ORDER if document.key.startswith(prefix)), None)
            if prefix is not None:
                after = prefix + _LAST
                break
            yield document
    for prefix in ORDER:
        yield from everything(store, prefix)
