# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The rounds of the Git backend, in a thread of their own: what people pushed becomes versions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import structlog

from arca_dns.errors import StoreError

log = structlog.get_logger(__name__)


class ImportRounds:
    """Calls *work* at once and then every *interval* seconds, whatever became of the last time.

    It needs no lease: who comes second finds nothing to import. A remote may be away without harm to anything else.
    """

    def __init__(self, work: Callable[[], None], interval: float) -> None:
        self._work = work
        self._interval = interval
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def stop(self) -> None:
        """Finish the round that runs, and end."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    def round(self) -> None:
        """One round; a failure is logged, never raised."""
        try:
            self._work()
        except StoreError as error:
            log.warning("pushed zone files were not imported", reason=str(error))
        except Exception as error:  # what fails now may work in the next round
            log.error("pushed zone files were not imported", reason=str(error), exc_info=error)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.round()
            self._stop.wait(self._interval)
