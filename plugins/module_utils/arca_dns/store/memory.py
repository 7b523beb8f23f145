# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store that lives in memory: for tests, and for modules that only compute. Nothing of it outlives the process."""

from __future__ import annotations

import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from threading import Condition

from ..errors import Conflict
from .base import Changes, Document, Transaction
from .common import GRACE_SECONDS, broken_preconditions, check_digests, decode, encode, validate


class MemoryStore:
    """A :class:`~.base.Store` in dictionaries; *clock* gives unix seconds, *grace* as :func:`sweep` says."""

    def __init__(self, *, grace: float = GRACE_SECONDS, clock: Callable[[], float] = time.time) -> None:
        self._grace = grace
        self._clock = clock
        self._changed = Condition()  # also the lock of everything below
        self._revision = 0
        self._keys: list[str] = []
        self._documents: dict[str, tuple[int, str]] = {}
        self._deleted: dict[str, int] = {}
        self._blobs: dict[str, tuple[float, bytes]] = {}

    def get(self, key: str) -> Document | None:
        """The document at *key*, or ``None``."""
        with self._changed:
            return self._document(key) if key in self._documents else None

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Up to *limit* documents whose key begins with *prefix* and is greater than *after*, in key order."""
        with self._changed:
            at = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
            found = []
            for key in self._keys[at : at + max(limit, 0)]:
                if not key.startswith(prefix):
                    break
                found.append(self._document(key))
            return found

    def commit(self, transaction: Transaction) -> int:
        """Apply *transaction* whole; returns the new revision. Raises ``Conflict``."""
        validate(transaction)
        texts = {key: encode(value) for key, value in transaction.writes.items()}
        with self._changed:
            revisions = {k: self._documents[k][0] for k in transaction.preconditions if k in self._documents}
            broken = broken_preconditions(transaction, revisions)
            if broken:
                raise Conflict(f"the store has moved on: {broken}")
            self.write_blobs(transaction.blobs)
            self._revision += 1
            for key, text in texts.items():
                if key not in self._documents:
                    insort(self._keys, key)
                self._documents[key] = (self._revision, text)
                self._deleted.pop(key, None)
            for key in transaction.deletes:
                if self._documents.pop(key, None) is not None:
                    del self._keys[bisect_left(self._keys, key)]
                    self._deleted[key] = self._revision
            self._changed.notify_all()
            return self._revision

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* that exist."""
        with self._changed:
            return {digest: self._blobs[digest][1] for digest in digests if digest in self._blobs}

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Keep *blobs*; idempotent."""
        with self._changed:
            now = self._clock()
            for digest, data in blobs.items():
                self._blobs[digest] = (now, bytes(data))

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Keep *blobs* in place of what is held under their digests."""
        check_digests(blobs)
        self.write_blobs(blobs)

    def watch(self, after: int, timeout: float) -> Changes:
        """Wait up to *timeout* seconds for commits later than revision *after*."""
        with self._changed:
            self._changed.wait_for(lambda: self._revision > after, timeout)
            changed = [(revision, key) for key, (revision, _value) in self._documents.items() if revision > after]
            changed += [(revision, key) for key, revision in self._deleted.items() if revision > after]
            return Changes(self._revision, tuple(key for _revision, key in sorted(changed)))

    def sweep(self, keep: Iterable[str]) -> int:
        """Remove blobs that are not in *keep* and were last written more than the grace ago; returns how many."""
        oldest = self._clock() - self._grace
        kept = set(keep)
        with self._changed:
            doomed = [d for d, (written, _data) in self._blobs.items() if d not in kept and written < oldest]
            for digest in doomed:
                del self._blobs[digest]
            return len(doomed)

    def close(self) -> None:
        """Nothing to give back."""

    def _document(self, key: str) -> Document:
        revision, text = self._documents[key]
        return Document(key, revision, decode(text))
