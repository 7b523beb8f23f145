# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What systemd says: whose unit this is, and whether a stop is a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from arca_dns_health.systemd import job_of, own_unit, restarting

UNIT = "arca-dns-health.service"


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        (f"812 {UNIT} restart running\n", "restart"),
        (f"7 other.service restart running\n812 {UNIT} stop running\n", "stop"),
        ("7 other.service restart running\n", None),
        ("No jobs running.\n", None),
        ("", None),
    ],
)
def test_a_job_is_found_by_its_unit(jobs: str, expected: str | None) -> None:
    assert job_of(UNIT, jobs) == expected


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ([f"812 {UNIT} restart running\n"], True),
        ([f"812 {UNIT} try-restart running\n"], True),
        ([f"812 {UNIT} stop running\n"], False),
        ([None, "", None, f"812 {UNIT} restart running\n"], True),
        ([None, "", f"812 {UNIT} stop running\n"], False),
    ],
)
def test_systemd_is_asked_until_it_says_what_it_does(answers: list[str | None], expected: bool) -> None:
    left = list(answers)

    async def list_jobs() -> str | None:
        return left.pop(0)

    async def sleep(_seconds: float) -> None:
        pass

    assert asyncio.run(restarting(5, UNIT, list_jobs, sleep)) is expected
    assert not left


def test_a_systemd_that_says_nothing_makes_it_a_stop() -> None:
    async def list_jobs() -> str | None:
        raise FileNotFoundError("systemctl")

    async def silent() -> str | None:
        return None

    assert not asyncio.run(restarting(5, UNIT, list_jobs))
    assert not asyncio.run(restarting(0.05, UNIT, silent))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"0::/system.slice/{UNIT}\n", UNIT),
        (f"0::/lab/edge1/payload/system.slice/{UNIT}\n", UNIT),
        ("0::/user.slice/user-0.slice/session-1.scope\n", None),
    ],
)
def test_the_unit_is_read_from_the_control_group(tmp_path: Path, text: str, expected: str | None) -> None:
    (tmp_path / "cgroup").write_text(text)
    assert own_unit(tmp_path / "cgroup") == expected


def test_outside_of_control_groups_there_is_no_unit(tmp_path: Path) -> None:
    assert own_unit(tmp_path / "none") is None
