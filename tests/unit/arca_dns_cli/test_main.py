# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Help, usage, and ends that nobody planned."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from arca_dns import __version__

COMMANDS = [
    *(["zones", name] for name in ("list", "show", "create", "import", "edit", "export", "delete", "undelete")),
    *(["rrsets", name] for name in ("list", "get", "set", "delete")),
    *(["tokens", name] for name in ("list", "create", "rotate", "revoke")),
    *(
        [name]
        for name in ("diff", "log", "rollback", "plan", "edges", "keys", "ds", "status", "deleted", "bulk", "events")
    ),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example(bare, command: list[str]) -> None:
    done = bare(*command, "--help")
    assert done.status == 0
    assert "Example: arca-dns " + " ".join(command) in " ".join(done.out.split())


def test_the_exit_statuses_stand_in_the_help(bare) -> None:
    assert "3 the zone has moved on" in " ".join(bare("--help").out.split())


def test_the_version_is_the_projects(bare) -> None:
    assert bare("--version").out.strip() == __version__


def test_wrong_usage_ends_with_2(bare) -> None:
    assert bare("zones", "nothing").status == 2
    assert bare("zones", "list").status == 2


def test_a_controller_that_is_away_ends_with_5(bare, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCA_DNS_API_KEY", "s3cret")
    monkeypatch.setattr("arca_dns_cli.settings.RETRIES", 0)
    # port 1 is tcpmux: nobody listens
    done = bare("--url", "http://127.0.0.1:1", "zones", "list")
    assert done.status == 5
    assert done.err.startswith("arca-dns: the controller at http://127.0.0.1:1 does not answer")
    assert "s3cret" not in done.err


def test_a_file_that_is_not_there_is_one_line(arca, tmp_path: Path) -> None:
    done = arca("plan", str(tmp_path / "none.zone"))
    assert (done.status, done.err) == (1, f"arca-dns: {tmp_path}/none.zone: No such file or directory\n")


def test_a_reader_that_goes_away_is_no_error(arca, zone: str, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from arca_dns_cli.main import main; main()"]
    options = ["--backend", "sqlite", "--path", str(tmp_path / "zones.db"), "zones", "export", zone]
    done = subprocess.run([*command, *options], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert done.stderr == ""
