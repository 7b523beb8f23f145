# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller db``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arca_dns_controller.cli import app


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def config(tmp_path: Path, database: Path) -> Path:
    file = tmp_path / "controller.yaml"
    file.write_text(f"backend: {{type: sqlite, sqlite: {{path: {database}}}}}\n")
    return file


def db(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["db", *arguments, "--config", str(config)])


def test_upgrade_applies_what_is_missing_and_says_so(config: Path, database: Path) -> None:
    database.touch()
    assert json.loads(db(config, "current", "--json").stdout) == {
        "backend": "sqlite",
        "current": None,
        "newest": "0001",
    }
    assert db(config, "current").stdout == (
        "sqlite: the schema is empty, and the newest is 0001: db upgrade brings it there\n"
    )
    assert db(config, "upgrade").stdout == "sqlite: applied 0001\n"
    assert db(config, "upgrade").stdout == "sqlite: nothing to apply\n"
    assert json.loads(db(config, "upgrade", "--json").stdout) == {"backend": "sqlite", "changed": False, "applied": []}
    assert db(config, "current").stdout == "sqlite: the schema is 0001, which is the newest\n"


def test_a_newer_schema_is_shown_and_not_touched(config: Path, database: Path) -> None:
    database.touch()
    db(config, "upgrade")
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert "9999, which a newer version of arca.dns has made; this one knows up to 0001" in db(config, "current").stdout
    refused = db(config, "upgrade")
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    assert "the database is at schema 9999, this version knows up to 0001" in refused.stderr


def test_a_database_file_is_not_made_by_asking_for_it(config: Path, database: Path) -> None:
    for command in ("current", "upgrade"):
        answer = db(config, command)
        assert answer.exit_code == 1
        assert f"there is no database at {database} yet" in answer.stderr
    assert not database.exists()


def test_a_backend_without_a_schema_is_said(config: Path) -> None:
    config.write_text("backend: {type: memory}\n")
    answer = db(config, "current")
    assert (answer.exit_code, answer.stderr) == (
        1,
        "the backend 'memory' has no schema: only sqlite, postgres, mysql have one\n",
    )


def test_a_server_that_is_down_is_said_without_its_password(config: Path) -> None:
    config.write_text("backend: {type: postgres, postgres: {host: 127.0.0.1, port: 1, password: hunter2}}\n")
    answer = db(config, "upgrade")
    assert answer.exit_code == 1
    assert "PostgreSQL at 127.0.0.1, port 1, database arca_dns: the server does not answer" in answer.stderr
    assert "hunter2" not in answer.output
