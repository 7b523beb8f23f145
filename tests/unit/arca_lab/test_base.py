# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The base root is built from the machine's own Debian sources, and from nothing else that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_lab.base import machine_sources, package_list
from arca_lab.errors import LabError

DEB822 = """\
# the release
Types: deb deb-src
URIs: http://mirror.test/debian
# a comment between the fields
Suites: bookworm bookworm-updates bookworm-backports
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://mirror.test/disabled
Suites: bookworm
Components: main

Types: deb
URIs: http://other.test/tool
Suites: stable
Components: main
"""


def apt(folder: Path, *, deb822: str = "", one_line: str = "") -> Path:
    (folder / "sources.list.d").mkdir()
    (folder / "sources.list.d/debian.sources").write_text(deb822)
    (folder / "sources.list").write_text(one_line)
    return folder


def test_deb822_sources_are_narrowed_to_the_release(tmp_path: Path) -> None:
    assert machine_sources(apt(tmp_path, deb822=DEB822)).splitlines() == [
        "Types: deb",
        "URIs: http://mirror.test/debian",
        "Suites: bookworm bookworm-updates",
        "Components: main",
        "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg",
    ]


def test_sources_in_the_old_style_are_understood(tmp_path: Path) -> None:
    lines = (
        "deb-src http://mirror.test/debian bookworm main\n"
        "deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian bookworm main contrib # comment\n"
    )
    assert machine_sources(apt(tmp_path, one_line=lines)).splitlines() == [
        "Types: deb",
        "URIs: http://mirror.test/debian",
        "Suites: bookworm",
        "Components: main",
        "Signed-By: /k.gpg",
    ]


def test_a_machine_without_the_release_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no apt source of bookworm main"):
        machine_sources(apt(tmp_path, one_line="deb http://mirror.test/ubuntu noble main\n"))


@pytest.mark.parametrize("name", ["base", "databases", "roles"])
def test_package_lists_are_sorted_and_hold_no_comments(name: str) -> None:
    packages = package_list(name)
    assert packages == sorted(set(packages))
    assert all(package.replace("-", "").replace(".", "").isalnum() for package in packages)


def test_a_list_that_there_is_not_is_named() -> None:
    with pytest.raises(LabError, match="no list of packages 'tapes'; there are base, databases, roles"):
        package_list("tapes")
