# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The scheduled work of the controller, in a thread: publish what waits, re-sign what is due, renew the head."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

import structlog

from arca_dns.errors import StoreError

from .metrics import Metrics

log = structlog.get_logger(__name__)


class Scheduler:
    """Calls *work* at once and then every *interval* seconds, whatever became of the last time."""

    def __init__(
        self, work: Callable[[], None], interval: float, metrics: Metrics, clock: Callable[[], float] = time.time
    ) -> None:
        self._work = work
        self._interval = interval
        self._metrics = metrics
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def stop(self) -> None:
        """Finish the round that runs, and end."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def round(self) -> None:
        """One round; a failure is logged and counted, never raised."""
        try:
            self._work()
        except Exception as error:  # what fails now may work in the next round; nothing else must stop
            self._metrics.maintenance_failures.inc()
            known = isinstance(error, StoreError)  # its sentence says it all
            log.error("scheduled work failed", reason=str(error), exc_info=None if known else error)
        else:
            self._metrics.maintenance_success.set(self._clock())

    def _run(self) -> None:
        while not self._stop.is_set():
            self.round()
            self._stop.wait(self._interval)
