# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a configuration to a store: the errors name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_dns.errors import ConfigError
from arca_dns.store.memory import MemoryStore
from arca_dns.store.open import open_store


def test_an_unknown_backend_is_refused_with_the_list_of_what_there_is() -> None:
    with pytest.raises(ConfigError, match="there is no backend 'oracle': use one of memory, sqlite"):
        open_store("oracle", {})


@pytest.mark.parametrize("backend", ["postgres", "mysql", "git", "etcd"])
def test_a_backend_of_a_later_version_says_so(backend: str) -> None:
    with pytest.raises(ConfigError, match="not available in this version: use one of memory, sqlite"):
        open_store(backend, {})


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
