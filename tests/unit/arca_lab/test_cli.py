# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The command line says what it did not do, and takes commands apart as people mean them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from arca_lab import cli, ssh
from arca_lab.api import HostStatus, Lab
from arca_lab.errors import LabError, NotRunning
from arca_lab.settings import Settings
from arca_lab.topology import Topology

COMMANDS = (
    *("up", "down", "status", "exec", "run", "cut", "heal"),
    *("reboot", "kill", "start", "logs", "ssh-config", "wheels"),
)


def lab(tmp_path: Path) -> Lab:
    return Lab(Settings(state=tmp_path / "state", runtime=tmp_path / "run", project=tmp_path))


def test_a_lab_that_is_down_says_how_to_start_it(tmp_path: Path) -> None:
    with pytest.raises(NotRunning, match="tests/lab/lab up"):
        lab(tmp_path).status()


def test_a_lab_of_another_state_directory_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/lab.json").write_text('{"state": "/srv/other", "edges": 2}')
    with pytest.raises(LabError, match="ARCA_LAB_DIR=/srv/other"):
        lab(tmp_path).status()


@pytest.mark.parametrize(
    ("command", "line"),
    [("ss -lnu | grep 53", "ss -lnu | grep 53"), (["echo", "a b", "$HOME"], "echo 'a b' '$HOME'")],
)
def test_a_string_is_a_shell_line_and_words_are_kept(command: str | list[str], line: str) -> None:
    argv = ssh.argv(Settings(state=Path("/srv/lab")), Topology().host("edge1"), command)
    assert argv == ["ssh", "-F", "/srv/lab/ssh/config", "-T", "edge1", "--", line]


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--help"])
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^    {command}\b", text, re.MULTILINE)


def test_status_is_a_table() -> None:
    up = HostStatus("edge1", "running", "10.99.0.101", "cut", 75.0, 17 * 2**20)
    down = HostStatus("router", "down", "10.99.0.1", "-", None, None)
    assert cli.table([up, down]).splitlines() == [
        "HOST    STATE    ADDRESS      UPLINK  UPTIME      MEMORY",
        "edge1   running  10.99.0.101  cut     1 min 15 s  17 MiB",
        "router  down     10.99.0.1    -       -           -",
    ]
