# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The thread that a database tells of commits of other processes, where it can; who watches need not ask so often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TypeAlias

#: A connection that listens: its value waits for so many seconds and returns the newest revision told of, or 0.
Listening: TypeAlias = AbstractContextManager[Callable[[float], int]]

#: Seconds between two looks at whether to end.
_SLICE_SECONDS = 0.5
#: Seconds between two tries to listen. Meanwhile who watches asks.
_PAUSE_SECONDS = 2.0


class Listener:
    """Calls *told* with the newest revision whenever there is one, and with 0 when something may have been missed."""

    def __init__(self, listen: Callable[[], Listening], told: Callable[[int], None]) -> None:
        self._listen = listen
        self._told = told
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        #: Whether nothing is missed at this moment.
        self.listens = False

    def start(self) -> None:
        """Begin, if that has not been done."""
        with self._lock:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="sql-listener", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End, within half a second."""
        with self._lock:
            self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with self._listen() as wait:
                    self._change(True)
                    while not self._stop.is_set():
                        revision = wait(_SLICE_SECONDS)
                        if revision:
                            self._told(revision)
            except Exception:  # a driver's own errors, of any kind: who watches asks until this works again
                self._change(False)
                self._stop.wait(_PAUSE_SECONDS)

    def _change(self, listens: bool) -> None:
        self.listens = listens
        self._told(0)
