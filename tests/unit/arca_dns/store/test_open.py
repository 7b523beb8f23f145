# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a configuration to a store: the errors name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_dns.errors import ConfigError, StoreUnavailable
from arca_dns.store.memory import MemoryStore
from arca_dns.store.open import open_store


def test_an_unknown_backend_is_refused_with_the_list_of_what_there_is() -> None:
    with pytest.raises(ConfigError, match="there is no backend 'oracle': use one of memory, sqlite, postgres, mysql"):
        open_store("oracle", {})


def test_every_wrong_option_is_named() -> None:
    with pytest.raises(ConfigError) as caught:
        open_store("sqlite", {"pfad": "x", "busy_timeout": "long"})
    assert [place.pointer for place in caught.value.places] == [
        "backend.sqlite.pfad",
        "backend.sqlite.busy_timeout",
        "backend.sqlite.path",
    ]


@pytest.mark.parametrize("path", ["", 3, None])
def test_a_path_must_be_a_text(path: object) -> None:
    with pytest.raises(ConfigError, match="must be a text that is not empty"):
        open_store("sqlite", {"path": path})


def test_memory_has_no_options(tmp_path: Path) -> None:
    assert isinstance(open_store("memory", {}), MemoryStore)
    with pytest.raises(ConfigError, match="no such option"):
        open_store("memory", {"path": str(tmp_path / "x")})


def test_sqlite_takes_its_busy_timeout(tmp_path: Path) -> None:
    open_store("sqlite", {"path": str(tmp_path / "x.db"), "busy_timeout": 1.5}).close()


SERVERS = {"postgres": "PostgreSQL", "mysql": "MySQL"}


@pytest.mark.parametrize("backend", SERVERS)
def test_every_wrong_option_of_a_server_is_named_and_no_password_is_shown(backend: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(backend, {"port": "5432", "pool_size": 0, "password": 4711, "hots": "x"})
    assert [place.pointer for place in caught.value.places] == [
        f"backend.{backend}.{name}" for name in ("port", "pool_size", "password", "hots", "database")
    ]
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize("backend", SERVERS)
@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"password": "a", "password_file": "/b"}, r"password_file: is set beside password"),
        ({"ca_file": "/nonexistent"}, r"ca_file: the file /nonexistent cannot be read: No such file"),
        ({"key_file": __file__}, r"key_file: needs cert_file"),
    ],
)
def test_options_that_do_not_go_together_are_refused(backend: str, options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        open_store(backend, {"database": "x", **options})


@pytest.mark.parametrize("backend", SERVERS)
def test_a_server_that_is_down_and_a_password_file_that_is_missing_are_said(backend: str, tmp_path: Path) -> None:
    options = {"database": "zones", "host": "127.0.0.1", "port": 1}
    says = rf"{SERVERS[backend]} at 127.0.0.1, port 1, database zones: the server does not answer"
    with pytest.raises(StoreUnavailable, match=says):
        open_store(backend, {**options, "password": "hunter2"})
    with pytest.raises(StoreUnavailable, match=r"the password file .*/no cannot be read: No such file"):
        open_store(backend, {**options, "password_file": str(tmp_path / "no")})
