# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A store on which a thread can work under a guard: each of its commits gets preconditions that it does not know of.

So scheduled work needs no word about the lease under which it runs: see ``Service.under``.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol

from .base import Changes, Document, Store, Transaction


class Fence(Protocol):
    """What may add preconditions to a commit, as :class:`..lease.Lease` does."""

    def guard(self) -> AbstractContextManager[Mapping[str, int]]:
        """The preconditions, for the time of one commit."""


class FencedStore:
    """*inner*, and what is committed inside :meth:`under` has the preconditions of a guard besides its own."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self._local = threading.local()

    @contextmanager
    def under(self, guard: Fence) -> Iterator[None]:
        """Let what this thread commits meanwhile depend on *guard*."""
        before = getattr(self._local, "guard", None)
        self._local.guard = guard
        try:
            yield
        finally:
            self._local.guard = before

    def commit(self, transaction: Transaction) -> int:
        """See :class:`~.base.Store`; raises also what the guard raises."""
        guard: Fence | None = getattr(self._local, "guard", None)
        if guard is None:
            return self.inner.commit(transaction)
        with guard.guard() as more:
            return self.inner.commit(replace(transaction, preconditions={**transaction.preconditions, **more}))

    def get(self, key: str) -> Document | None:
        """See :class:`~.base.Store`."""
        return self.inner.get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """See :class:`~.base.Store`."""
        return self.inner.scan(prefix, after, limit)

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """See :class:`~.base.Store`."""
        return self.inner.read_blobs(digests)

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """See :class:`~.base.Store`."""
        self.inner.write_blobs(blobs)

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """See :class:`~.base.Store`."""
        self.inner.replace_blobs(blobs)

    def watch(self, after: int, timeout: float) -> Changes:
        """See :class:`~.base.Store`."""
        return self.inner.watch(after, timeout)

    def sweep(self, keep: Iterable[str]) -> int:
        """See :class:`~.base.Store`."""
        return self.inner.sweep(keep)

    def close(self) -> None:
        """See :class:`~.base.Store`."""
        self.inner.close()
