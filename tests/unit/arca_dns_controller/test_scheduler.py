# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Scheduled work goes on whatever becomes of a round."""

from __future__ import annotations

import asyncio
import threading

from arca_dns.errors import StoreUnavailable
from arca_dns_controller.metrics import Metrics
from arca_dns_controller.scheduler import Scheduler


def value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(f"arca_dns_controller_maintenance_{name}")


def test_a_round_that_fails_is_counted_and_one_that_works_is_dated() -> None:
    metrics = Metrics()
    outcomes: list[Exception | None] = [StoreUnavailable("locked"), RuntimeError("bug"), None]

    def work() -> None:
        error = outcomes.pop(0)
        if error is not None:
            raise error

    scheduler = Scheduler(work, 30, metrics, clock=lambda: 1234.0)
    for _ in range(3):
        scheduler.round()
    assert value(metrics, "failures_total") == 2
    assert value(metrics, "last_success_timestamp_seconds") == 1234.0


def test_it_begins_at_once_and_ends_when_stopped() -> None:
    worked = threading.Event()
    scheduler = Scheduler(worked.set, 3600, Metrics())
    scheduler.start()
    assert worked.wait(10)
    asyncio.run(scheduler.stop())
