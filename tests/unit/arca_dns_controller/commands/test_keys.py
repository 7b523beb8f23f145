# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller keys``: keys move between directory and backend, and what controllers have in common."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise, open_service
from controller_files import configuration

ZONE = names.from_text("a.example.")
FILE = (
    "$ORIGIN a.example.\n@ 300 SOA ns.elsewhere.test. admin.elsewhere.test. 1 2 3 4 300\n@ 300 NS ns.elsewhere.test.\n"
)


def run(*words: object) -> object:
    return CliRunner().invoke(app, ["keys", *map(str, words)])


def key_store(file: Path, kind: str) -> None:
    value = yaml.safe_load(file.read_text())
    value.setdefault("dnssec", {})["key_store"] = kind
    file.write_text(yaml.safe_dump(value))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = configuration(tmp_path / "c")
    initialise(read(file))
    service = open_service(read(file))
    service.create_zone(ZONE, parse(FILE.encode(), None).rrsets, actor="test")
    service.close()
    return file


def test_keys_move_to_the_backend_and_back_and_zones_keep_theirs(config: Path) -> None:
    service = open_service(read(config))
    before = service.ds(ZONE)
    service.close()
    moved = run("move", "--to", "backend", "--config", config, "--json")
    assert json.loads(moved.stdout) == {"changed": True, "copied": 2, "keys": 2, "zones": 1}  # type: ignore[attr-defined]
    assert json.loads(run("move", "--to", "backend", "--config", config, "--json").stdout)["changed"] is False  # type: ignore[attr-defined]
    with pytest.raises(Exception, match=r"kept in the backend, but dnssec\.key_store is directory"):
        open_service(read(config))
    key_store(config, "backend")
    for file in (config.parent / "keys").rglob("K*.json"):
        file.unlink()
    service = open_service(read(config))
    assert service.ds(ZONE) == before
    service.close()
    back = run("move", "--to", "directory", "--config", config)
    assert back.exit_code == 0, back.output  # type: ignore[attr-defined]
    key_store(config, "directory")
    service = open_service(read(config))
    assert service.ds(ZONE) == before
    service.close()


def test_a_controller_with_another_head_key_is_refused_until_it_is_adopted(config: Path) -> None:
    (config.parent / "head.key").unlink()
    with pytest.raises(Exception, match="every controller needs the same, for edges trust no other"):
        initialise(read(config))
    done = run("adopt", "--config", config)
    assert "noted: the keys of this store are those of this controller" in done.stdout  # type: ignore[attr-defined]
    initialise(read(config))
    assert "noted already" in run("adopt", "--config", config).stdout  # type: ignore[attr-defined]


def test_another_master_key_is_not_adopted_while_keys_are_sealed_under_the_old_one(config: Path) -> None:
    (config.parent / "master.key").write_text(base64.b64encode(b"n" * 32).decode())
    done = run("adopt", "--config", config)
    assert done.exit_code == 1  # type: ignore[attr-defined]
    assert "is sealed under master key" in done.stderr  # type: ignore[attr-defined]
