# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a health check that runs says counts, and what one that died has left does not, however clocks are set."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from arca_dns_agent import report
from arca_dns_agent.leases import HealthFile

A = "203.0.113.53/32"
DOCUMENT = {
    "announced": [A],
    "prefixes": [{"prefix": A, "mode": "announced", "condition": "healthy", "wish": "drain", "reasons": []}],
}
STARTED = 1_800_000_000.0


class Site:
    """A health check that writes when told, and two clocks."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.wall, self.uptime = STARTED, 100.0
        self.start()

    def start(self) -> None:
        self.file = HealthFile(self.path, clock=lambda: self.wall, monotonic=lambda: self.uptime)

    def write(self) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps(DOCUMENT))
        os.utime(fresh, (self.wall, self.wall))
        fresh.replace(self.path)

    def passes(self, seconds: float) -> None:
        self.wall += seconds
        self.uptime += seconds

    def attested(self) -> dict[str, Any]:
        converger = SimpleNamespace(
            settled=1,
            settled_ring="stable",
            proved={},
            problems={},
            content={},
            server_problem=None,
            server_version="",
        )
        return report.attestation(None, converger, self.file, 0.0)  # type: ignore[arg-type]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path / "health.json")
    made.write()
    assert made.file.changed()
    return made


def test_what_was_written_within_a_minute_is_attested(site: Site) -> None:
    site.passes(60)
    assert not site.file.changed()
    assert site.attested()["announced"] == [A]


def test_what_a_dead_health_check_left_is_no_announcement_and_no_wish(site: Site) -> None:
    site.passes(61)
    with structlog.testing.capture_logs() as log:
        assert site.file.changed(), "that is news"
        assert not site.file.changed(), "once"
    assert [entry["log_level"] for entry in log] == ["warning"]
    assert site.file.stale
    assert site.file.wishes() == {}
    assert site.attested()["announced"] == []
    assert site.attested()["health"] == [
        {
            "prefix": A,
            "mode": None,
            "condition": None,
            "since": None,
            "reasons": ["the health check has written nothing for a minute"],
        }
    ]


def test_a_health_check_that_comes_back_counts_at_once(site: Site) -> None:
    site.passes(61)
    site.file.changed()
    site.write()
    assert site.file.changed()
    assert site.attested()["announced"] == [A]
    assert site.file.wishes() == {A: "drain"}


@pytest.mark.parametrize("step", [-1e8, 1e8])
def test_a_clock_that_is_set_makes_nothing_older_or_younger(site: Site, step: float) -> None:
    site.wall += step
    assert not site.file.changed()
    site.passes(2)
    site.write()
    assert site.file.changed()
    assert not site.file.stale
    site.passes(61)
    assert site.file.changed()
    assert site.file.stale


def test_an_agent_that_starts_sees_by_its_time_that_a_file_was_left(site: Site) -> None:
    site.passes(30)
    site.start()
    assert site.file.changed()
    assert not site.file.stale
    site.passes(31)
    site.start()
    assert site.file.changed()
    assert site.file.stale
    assert site.attested()["announced"] == []


def test_a_file_from_the_future_is_left_alone_for_a_minute(site: Site) -> None:
    site.wall -= 1e6
    site.start()
    site.file.changed()
    assert not site.file.stale
    site.passes(61)
    site.file.changed()
    assert site.file.stale


def test_a_file_that_cannot_be_read_any_more_grows_old(site: Site) -> None:
    site.path.write_text("{")
    site.passes(61)
    assert site.file.changed()
    assert site.file.stale
