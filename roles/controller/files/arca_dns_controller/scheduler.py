# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The scheduled work of the controllers on one store: done by the one that holds the lease, a job at a time.

What a job commits depends on the lease, so a controller that was held up for however long does no harm.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from arca_dns.errors import LeaseLost, StoreError, StoreUnavailable
from arca_dns.lease import Lease

from .metrics import Metrics

log = structlog.get_logger(__name__)

#: How often the lease is renewed while it lasts.
_RENEWALS = 3
#: Seconds between two looks of one who waits for the lease, at most.
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Job:
    """*work*, called every *interval* seconds; for the first time *delay* seconds after the lease was taken."""

    name: str
    work: Callable[[], object]
    interval: float
    delay: float = 0.0


class Scheduler:
    """Runs *jobs* while this controller holds *lease*, each under :meth:`~arca_dns.service.Service.under`.

    *first* is called once whoever holds the lease, and again until it succeeds: it picks up what this controller may
    have left behind. Two threads: one keeps the lease, the other works.
    """

    def __init__(
        self,
        lease: Lease,
        jobs: Sequence[Job],
        under: Callable[[Lease], AbstractContextManager[None]],
        metrics: Metrics,
        *,
        first: Job | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lease = lease
        self._jobs = tuple(jobs)
        self._under = under
        self._metrics = metrics
        self._first = first
        self._clock = clock
        self._monotonic = monotonic
        self._fence: int | None = None  # of the tenure that the times below are of
        self._due: dict[str, float] = {}
        self._leads = False
        self._idle = False  # the worker found no lease when it looked last; it sleeps until it is woken
        self._told = False
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._threads = [
            threading.Thread(target=self._keep, name="lease", daemon=True),
            threading.Thread(target=self._run, name="scheduler", daemon=True),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    async def stop(self) -> None:
        """Finish the job that runs, give the lease to whoever wants it, and end."""
        self._stop.set()
        self._wake.set()
        for thread in reversed(self._threads):
            await asyncio.to_thread(thread.join)

    # -- the lease --------------------------------------------------------------------------

    def keep(self) -> None:
        """Take the lease, or renew it; a failure is logged, never raised."""
        led = self._leads
        try:
            if not led or not self._lease.renew():
                self._lease.acquire()
            fence = self._lease.fence  # none also where the store took longer than the lease lasts
            self._told = False
        except StoreUnavailable as error:
            fence = self._lease.fence
            if not self._told:
                log.warning("the lease of scheduled work cannot be kept", reason=str(error))
            self._told = True
        except Exception as error:  # the lease has to be taken again, whatever this was
            fence = None
            log.error("the lease of scheduled work cannot be kept", reason=str(error), exc_info=error)
        self._leads = fence is not None
        if fence is not None and not led:
            self._metrics.lease_takeovers.inc()
            log.info("scheduled work is done here", fence=fence)
        elif fence is None and led:
            log.warning("scheduled work is done elsewhere")
        self._metrics.leader.set(self._leads)
        if fence is not None:
            self._metrics.lease_fence.set(fence)
        if self._leads != led or (self._leads and self._idle):
            self._wake.set()

    def _keep(self) -> None:
        pause = self._lease.ttl / _RENEWALS
        worker = self._threads[1]
        while not self._stop.is_set():
            self.keep()
            self._stop.wait(pause if self._leads else min(pause, _LOOK_SECONDS))
        worker.join(pause)
        while worker.is_alive():  # the last job may take long
            if self._leads:
                self.keep()
            worker.join(pause)
        try:
            self._lease.release()
        except StoreError as error:  # it runs out by itself
            log.warning("the lease of scheduled work cannot be given up", reason=str(error))
        self._metrics.leader.set(0)

    # -- the work ---------------------------------------------------------------------------

    def round(self) -> float | None:
        """Run the jobs that are due; returns the seconds until the next one is, or ``None`` while another one leads.

        A failure is logged and counted, never raised.
        """
        if self._first is not None and self._do(self._first, None):
            self._first = None
        fence = self._lease.fence
        self._idle = fence is None
        if fence is None:
            return None if self._first is None else self._first.interval
        if fence != self._fence:
            now = self._monotonic()
            self._fence, self._due = fence, {job.name: now + job.delay for job in self._jobs}
        for job in self._jobs:
            if self._due[job.name] <= self._monotonic() and not self._stop.is_set():
                self._do(job, self._lease)
                self._due[job.name] = self._monotonic() + job.interval
        return max(0.0, min(self._due.values(), default=_LOOK_SECONDS) - self._monotonic())

    def _do(self, job: Job, lease: Lease | None) -> bool:
        outcome = "ok"
        try:
            if lease is None:
                job.work()
            else:
                with self._under(lease):
                    job.work()
        except LeaseLost as error:
            outcome = "lost"
            log.info("scheduled work goes on elsewhere", job=job.name, reason=str(error))
        except Exception as error:  # what fails now may work in the next round; nothing else must stop
            outcome = "failed"
            known = isinstance(error, StoreError)  # its sentence says it all
            log.error("scheduled work failed", job=job.name, reason=str(error), exc_info=None if known else error)
        else:
            self._metrics.scheduled_success.labels(job.name).set(self._clock())
        self._metrics.scheduled_runs.labels(job.name, outcome).inc()
        return outcome == "ok"

    def _run(self) -> None:
        while True:
            self._wake.clear()
            if self._stop.is_set():  # asked after the clearing: stop() sets this first, then wakes
                return
            self._wake.wait(self.round())
