# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller token``: keys in the backend, whether a daemon runs or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from arca_dns.access.api_keys import ApiKeys
from arca_dns.store.open import open_store
from arca_dns_controller.cli import app


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "controller.yaml"
    file.write_text(f"backend: {{type: sqlite, sqlite: {{path: {tmp_path}/state.sqlite}}}}\n")
    return file


def token(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["token", *arguments, "--config", str(config)])


def keys(config: Path) -> ApiKeys:
    return ApiKeys(open_store("sqlite", {"path": str(config.parent / "state.sqlite")}), lambda: 1_800_000_000.0)


def test_a_key_is_printed_alone_and_works(config: Path) -> None:
    made = token(config, "create", "pipeline", "--role", "editor", "--zone", "example.com", "--type", "TXT")
    assert made.exit_code == 0, made.output
    (secret,) = made.stdout.split()
    found = keys(config).find(secret)
    assert found is not None
    assert (found.name, found.role, found.limits) == (
        "pipeline",
        "editor",
        {"zones": ["example.com"], "types": ["TXT"]},
    )
    assert secret not in made.stderr


def test_keys_are_listed_rotated_and_revoked(config: Path) -> None:
    secret = token(config, "create", "pipeline", "--role", "viewer", "--days", "3000").stdout.strip()
    (listed,) = json.loads(token(config, "list", "--json").stdout)
    assert (listed["name"], listed["last_used"]) == ("pipeline", None)
    assert "viewer" in token(config, "list").stdout
    rotated = json.loads(token(config, "rotate", listed["id"], "--json").stdout)["key"]
    assert keys(config).find(secret) is None
    assert keys(config).find(rotated) is not None
    assert token(config, "revoke", listed["id"]).exit_code == 0
    assert keys(config).find(rotated) is None
    assert json.loads(token(config, "list", "--json").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "pipeline", "--role", "root"], "must be one of admin"),
        (["create", "a b", "--role", "viewer"], "letters, digits"),
        (["create", "pipeline", "--role", "viewer", "--zone", "a..b"], "/limits/zones/0"),
        (["rotate", "000000000000"], "there is no API key '000000000000'"),
        (["revoke", "000000000000"], "there is no API key '000000000000'"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(config: Path, arguments: list[str], message: str) -> None:
    done = token(config, *arguments)
    assert done.exit_code == 1
    assert message in done.stderr
    assert "Traceback" not in done.output


def test_memory_keeps_no_keys(tmp_path: Path) -> None:
    file = tmp_path / "controller.yaml"
    file.write_text("backend: {type: memory}\n")
    done = token(file, "create", "pipeline", "--role", "viewer")
    assert done.exit_code == 1
    assert "memory" in done.stderr


def test_a_key_goes_to_a_new_file_that_only_its_owner_reads(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    made = token(config, "create", "first", "--role", "admin", "--file", str(file))
    assert (made.exit_code, made.output) == (0, "")
    assert file.stat().st_mode & 0o777 == 0o600
    found = keys(config).find(file.read_text().strip())
    assert found is not None
    again = token(config, "create", "second", "--role", "admin", "--file", str(file))
    assert again.exit_code == 1
    assert "File exists" in again.output
    assert [key.name for key, _used in keys(config).all()] == ["first"]


def test_no_file_is_left_of_a_key_that_could_not_be_made(config: Path, tmp_path: Path) -> None:
    file = tmp_path / "admin.key"
    made = token(config, "create", "a b", "--role", "nobody", "--file", str(file))
    assert made.exit_code == 1
    assert not file.exists()
