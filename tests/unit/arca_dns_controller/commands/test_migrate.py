# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller migrate``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arca_dns.errors import StoreError
from arca_dns.moving import marker
from arca_dns.moving.marker import Marker
from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise, open_service
from controller_files import configuration, opened, store
from moved_state import content, fill


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
    for name in ("master.key", "head.key"):
        shutil.copy2(old.parent / name, config.parent / name)
    return config


def migrate(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["migrate", *map(str, arguments)])


def test_it_moves_state_and_keys_and_says_how_much(old: Path, new: Path) -> None:
    result = migrate("--from", old, "--to", new)
    assert result.exit_code == 0, result.stderr
    assert f"and 4 keys from sqlite path={old.parent}/state.sqlite" in result.stdout
    assert f"blobs in sqlite path={new.parent}/state.sqlite" in result.stdout
    with store(old) as source, store(new) as target:
        assert content(source) == content(target)
    keys = sorted(path.relative_to(new.parent) for path in (new.parent / "keys").rglob("*.json"))
    assert keys == sorted(path.relative_to(old.parent) for path in (old.parent / "keys").rglob("*.json"))
    assert {(new.parent / path).stat().st_mode & 0o777 for path in keys} == {0o600}
    with opened(new) as made:
        made.maintain()
        assert len(made.zones()) == 3


def test_json_says_the_same(old: Path, new: Path) -> None:
    said = json.loads(migrate("--from", old, "--to", new, "--json").stdout)
    assert said["copied"]["documents"] == said["verified"]["documents"]
    assert said["resumed"] is False


def test_a_second_run_is_refused(old: Path, new: Path) -> None:
    migrate("--from", old, "--to", new)
    again = migrate("--from", old, "--to", new)
    assert again.exit_code == 1
    assert "the target is not empty" in again.stderr


def test_a_controller_does_not_start_on_a_half_filled_store_until_it_is_undone(old: Path, new: Path) -> None:
    with store(new) as target:
        marker.begin(target, Marker("migrate", "here", "2026-01-01T00:00:00Z"))
    with pytest.raises(StoreError, match="half filled"):
        open_service(read(new))
    assert migrate("--to", new, "--undo").exit_code == 0
    with opened(new) as made:
        assert made.zones() == []


def test_another_master_key_is_refused_before_anything_is_copied(old: Path, tmp_path: Path) -> None:
    new = configuration(tmp_path / "new")
    initialise(read(new))
    result = migrate("--from", old, "--to", new)
    assert result.exit_code == 1
    assert "give the target the master key of the source" in result.stderr
    with store(new) as target:
        assert [document.key for document in target.scan("")] == ["keyring"]


def test_another_head_key_is_told(old: Path, new: Path) -> None:
    (new.parent / "head.key").unlink()
    result = migrate("--from", old, "--to", new)
    assert result.exit_code == 0
    assert "copy the head key" in result.stderr


def test_the_same_backend_twice_is_refused(old: Path) -> None:
    result = migrate("--from", old, "--to", old)
    assert result.exit_code == 1
    assert "both configurations name the same backend" in result.stderr


def test_no_secret_of_a_backend_is_said(old: Path, tmp_path: Path) -> None:
    file = tmp_path / "pg.yaml"
    file.write_text("backend: {type: postgres, postgres: {host: 127.0.0.1, port: 1, user: u, password: hidden}}\n")
    result = migrate("--from", old, "--to", file)
    assert result.exit_code == 1
    assert "hidden" not in result.output
