# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The files between an edge's agent, its health check and its operator."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_dns.edge_files import Drain, Lease, read_drains, read_leases, write_drains, write_leases


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert read_drains(tmp_path / "drains.json") == ()
    assert read_leases(tmp_path / "leases.json") == ()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    drains = (Drain("203.0.113.53/32", "2026-11-23T10:00:00Z", "disk", forced=True), Drain("2001:db8::53/128", ""))
    leases = (Lease("203.0.113.53/32", "drain", granted=True), Lease("2001:db8::53/128", "degrade", False, "no spare"))
    write_drains(tmp_path / "drains.json", drains)
    write_leases(tmp_path / "leases.json", leases)
    assert read_drains(tmp_path / "drains.json") == drains
    assert read_leases(tmp_path / "leases.json") == leases
    assert (tmp_path / "drains.json").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"leases": {}}',
        '{"leases": [{}]}',
        '{"leases": [{"prefix": "203.0.113.53/32", "wish": "stop"}]}',
        '{"drains": [7]}',
    ],
)
def test_a_damaged_file_is_no_wish_and_no_lease(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.json"
    path.write_text(text, encoding="ascii")
    with pytest.raises(ValueError, match=r"holds no list|Expecting|lease"):
        read_leases(path)
    with pytest.raises(ValueError, match=r"holds no list|Expecting|drain"):
        read_drains(path)
