# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller backup`` and ``restore``."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise
from controller_files import configuration, opened, store
from moved_state import content, create, fill


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    config = configuration(tmp_path / "old")
    initialise(read(config))
    with opened(config) as made:
        fill(made, hosts=5)
    return config


@pytest.fixture
def new(old: Path, tmp_path: Path) -> Path:
    config = configuration(tmp_path / "new")
    shutil.copy2(old.parent / "master.key", config.parent / "master.key")
    return config


def test_a_backup_with_keys_is_all_that_a_new_machine_needs_beside_the_master_key(
    old: Path, new: Path, tmp_path: Path
) -> None:
    file = tmp_path / "backup.zip"
    made = run("backup", file, "--config", old, "--with-keys")
    assert made.exit_code == 0, made.stderr
    assert "5 key files" in made.stdout
    assert "the master key is not in it" in made.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    back = run("restore", file, "--config", new)
    assert back.exit_code == 0, back.stderr
    assert "note:" not in back.stderr
    for name in ("head.key", *(path.relative_to(old.parent) for path in (old.parent / "keys").rglob("*.json"))):
        assert (new.parent / name).read_bytes() == (old.parent / name).read_bytes()
        assert (new.parent / name).stat().st_mode & 0o777 == 0o600
    with opened(new) as controller:
        controller.maintain()
        assert [zone.problem for zone in controller.zones()] == [None, None, None]


def test_no_file_is_left_or_replaced_when_a_backup_fails(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "there"
    file.write_text("mine")
    made = run("backup", file, "--config", old)
    assert made.exit_code == 1
    assert made.stderr == f"{file} exists: a backup replaces nothing\n"
    assert file.read_text() == "mine"
    assert "cannot be written: No such file" in run("backup", tmp_path / "no" / "folder", "--config", old).stderr
    with store(old) as broken:
        root = str(content(broken)["zone/a.example."]["root"])
    with sqlite3.connect(old.parent / "state.sqlite") as database:
        database.execute("DELETE FROM arca_blobs WHERE digest = ?", (bytes.fromhex(root),))
    database.close()
    made = run("backup", tmp_path / "new.zip", "--config", old)
    assert made.exit_code == 1
    assert f"blob {root} is missing" in made.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old", "there"]


def test_a_damaged_file_is_refused_before_anything_is_written(old: Path, new: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    run("backup", file, "--config", old, "--with-keys")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    for result in (run("restore", file, "--config", new), run("restore", file, "--check")):
        assert result.exit_code == 1
        assert str(file) in result.stderr
    assert sorted(path.name for path in new.parent.iterdir()) == ["controller.yaml", "master.key"]


def test_check_says_that_a_file_is_whole(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    said = json.loads(run("backup", file, "--config", old, "--json").stdout)
    assert said["size"] == file.stat().st_size
    assert run("restore", file, "--check").stdout.startswith(f"{file} is whole: made at {said['created']}")


def test_signed_zones_without_their_keys_are_not_restored(old: Path, new: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    run("backup", file, "--config", old)
    back = run("restore", file, "--config", new)
    assert back.exit_code == 1
    assert "has the DNSSEC keys of 2 signed zones, as a.example.: put the keys back first" in back.stderr
    shutil.copytree(old.parent / "keys", new.parent / "keys")
    back = run("restore", file, "--config", new)
    assert back.exit_code == 0, back.stderr
    assert "put the head key back" in back.stderr


def test_another_master_key_is_refused(old: Path, tmp_path: Path) -> None:
    file, new = tmp_path / "backup.zip", configuration(tmp_path / "new")
    run("backup", file, "--config", old, "--with-keys")
    assert "there is no master key" in run("restore", file, "--config", new).stderr
    initialise(read(new))
    assert "give the target the master key of the source" in run("restore", file, "--config", new).stderr


def test_only_an_empty_backend_is_restored_to(old: Path, new: Path, tmp_path: Path) -> None:
    file = tmp_path / "backup.zip"
    run("backup", file, "--config", old, "--with-keys")
    back = run("restore", file, "--config", old)
    assert back.exit_code == 1
    assert "the target is not empty" in back.stderr
    initialise(read(new))
    with opened(new) as made:
        create(made, "mine.example", 3)
    back = run("restore", file, "--config", new)
    assert "the target is not empty" in back.stderr
    assert not (new.parent / "keys" / "a.example.").exists()
