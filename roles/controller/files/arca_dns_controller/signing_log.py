# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How far the signing of a large zone is, in the log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from arca_dns.zone import names

log = structlog.get_logger(__name__)
_EVERY_SECONDS = 10.0


class SigningLog:
    """A line every ten seconds while a signing or its verification lasts; for all threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[bytes, float] = {}
        self._lock = threading.Lock()

    def __call__(self, zone: bytes, what: str, done: int, total: int) -> None:
        now = self._clock()
        with self._lock:
            due = now - self._last.setdefault(zone, now) >= _EVERY_SECONDS
            if due:
                self._last[zone] = now
            if done == total:
                del self._last[zone]
        if due:
            log.info("a large zone is being signed", zone=names.to_text(zone), work=what, done=done, total=total)
