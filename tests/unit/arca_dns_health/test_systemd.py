# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What systemd says: whose unit this is, and whether a stop is a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_dns_health.systemd import is_restart, own_unit

UNIT = "arca-dns-health.service"


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        (f"812 {UNIT} restart running\n", True),
        (f"812 {UNIT} try-restart running\n", True),
        (f"812 {UNIT} stop running\n", False),
        ("7 other.service restart running\n", False),
        ("No jobs running.\n", False),
        ("", False),
    ],
)
def test_a_restart_is_told_from_a_stop(jobs: str, expected: bool) -> None:
    assert is_restart(UNIT, jobs) is expected


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
