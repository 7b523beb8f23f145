# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What docs/moving.md says of commands is so."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from arca_dns.moving.archive import FORMAT
from arca_dns.moving.forward import SERIAL_STEP
from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise
from controller_files import configuration
from moved_state import zone_text

PAGE = (Path(__file__).parents[4] / "docs" / "moving.md").read_text()
COMMANDS = re.findall(r"(?m)^ {4}(?:runuser -u arca-dns -- )?arca-dns-controller (.*?) *(?:#.*)?$", PAGE)
GROUP = typer.main.get_command(app)


@pytest.mark.parametrize("line", COMMANDS)
def test_each_command_has_the_options_that_it_is_shown_with(line: str) -> None:
    name, *words = shlex.split(line.replace("[", "").replace("]", ""))
    command = GROUP.commands[name]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_the_page_names_no_option_that_is_none() -> None:
    shown = {name: GROUP.commands[name] for name in ("migrate", "backup", "restore", "fsck", "import", "export")}  # type: ignore[attr-defined]
    known = {option for command in shown.values() for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) <= known


def test_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"names its format ({FORMAT})" in PAGE
    assert f"{SERIAL_STEP:,} ahead" in PAGE


def test_the_commands_of_the_page_work_one_after_the_other(tmp_path: Path) -> None:
    def run(*arguments: object) -> str:
        result = CliRunner().invoke(app, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        return result.stdout

    old, new, back = (configuration(tmp_path / name) for name in ("old", "new", "back"))
    initialise(read(old))
    zones, file = tmp_path / "zones", tmp_path / "backup.zip"
    zones.mkdir()
    (zones / "example.com.zone").write_text(zone_text("example.com", 5))
    run("import", zones, "--reason", "moved here", "--config", old)
    run("backup", file, "--with-keys", "--config", old)
    assert "is whole" in run("restore", file, "--check")
    for config in (new, back):
        shutil.copy2(old.parent / "master.key", config.parent / "master.key")
    run("migrate", "--from", old, "--to", new)
    run("restore", file, "--config", back)
    shutil.copy2(old.parent / "head.key", new.parent / "head.key")
    for config in (new, back):
        run("export", tmp_path / config.parent.name, "--zone", "example.com", "--config", config)
    assert (tmp_path / "new" / "example.com.zone").read_text() == (tmp_path / "back" / "example.com.zone").read_text()
