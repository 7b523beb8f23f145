# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A store whose backend need not answer yet: for a daemon that starts before its database does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock

from ..errors import StoreUnavailable
from .base import Changes, Document, Store, Transaction


class WaitingStore:
    """A :class:`~.base.Store` that *opens* the real one at the first call at which that works.

    Until then every call raises ``StoreUnavailable``. The backend is tried at most every *pause* seconds of *clock*,
    by one caller at a time; other errors of opening it, as of a schema that is too new, reach the caller as well.
    """

    def __init__(
        self, opens: Callable[[], Store], *, pause: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._opens = opens
        self._pause = pause
        self._clock = clock
        self._lock = Lock()
        self._store: Store | None = None
        self._failure: StoreUnavailable | None = None
        self._tried = 0.0

    def get(self, key: str) -> Document | None:
        """See :class:`~.base.Store`."""
        return self._opened().get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """See :class:`~.base.Store`."""
        return self._opened().scan(prefix, after, limit)

    def commit(self, transaction: Transaction) -> int:
        """See :class:`~.base.Store`."""
        return self._opened().commit(transaction)

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """See :class:`~.base.Store`."""
        return self._opened().read_blobs(digests)

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """See :class:`~.base.Store`."""
        self._opened().write_blobs(blobs)

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """See :class:`~.base.Store`."""
        self._opened().replace_blobs(blobs)

    def watch(self, after: int, timeout: float) -> Changes:
        """See :class:`~.base.Store`."""
        return self._opened().watch(after, timeout)

    def sweep(self, keep: Iterable[str]) -> int:
        """See :class:`~.base.Store`."""
        return self._opened().sweep(keep)

    def close(self) -> None:
        """See :class:`~.base.Store`."""
        with self._lock:
            if self._store is not None:
                self._store.close()

    def opened(self) -> Store:
        """The store itself. Raises ``StoreUnavailable`` while its backend does not answer."""
        return self._opened()

    def _opened(self) -> Store:
        if self._store is not None:
            return self._store
        with self._lock:
            if self._store is not None:
                return self._store
            if self._failure is not None and self._clock() < self._tried + self._pause:
                raise StoreUnavailable(self._failure.message)
            try:
                self._store = self._opens()
            except StoreUnavailable as error:
                self._failure, self._tried = error, self._clock()
                raise
            return self._store
