# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The durable backends, empty, with their servers where they have some; and how much the chaos tests do.

``ARCA_CHAOS_ROUNDS`` (15) kills each, ``ARCA_CHAOS_CHANGES`` (25) changes of each of 8 writers, ``ARCA_CHAOS_SEED``
chooses the moments and the writes. The seed is told on failure; threads and the kernel's scheduler keep their say.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from arca_dns.store.base import Store
from arca_dns.store.open import open_store
from running_controller import Controller, Forks
from running_etcd import RunningEtcd
from running_mysql import RunningMysql
from running_postgres import RunningPostgres

ROUNDS = int(os.environ.get("ARCA_CHAOS_ROUNDS", "15"))
CHANGES = int(os.environ.get("ARCA_CHAOS_CHANGES", "25"))
Server = RunningPostgres | RunningMysql | RunningEtcd


@dataclass
class Backend:
    """An empty backend; *server* is the process that keeps it, if it has one of its own."""

    kind: str
    options: dict[str, object]
    server: Server | None
    folder: Path
    forks: Forks

    def controller(self) -> Controller:
        return Controller(self.forks, self.kind, self.options, self.folder)

    def open(self) -> Store:
        return open_store(self.kind, self.options)


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres]:
    yield from _running(RunningPostgres(tmp_path_factory.mktemp("postgres")))


@pytest.fixture(scope="session")
def mysql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningMysql]:
    yield from _running(RunningMysql(tmp_path_factory.mktemp("mysql")))


@pytest.fixture(scope="session")
def etcd_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningEtcd]:
    yield from _running(RunningEtcd(tmp_path_factory.mktemp("etcd")))


S = TypeVar("S", RunningPostgres, RunningMysql, RunningEtcd)


def _running(server: S) -> Iterator[S]:
    server.start()
    yield server
    server.stop()


#: Backends that are files → the options of an empty one.
FILES: dict[str, Callable[[Path], dict[str, object]]] = {
    "sqlite": lambda folder: {"path": f"{folder}/state.sqlite"},
    "git": lambda folder: {"path": f"{folder}/state.git"},
}
SERVERS = ("postgres", "mysql", "etcd")


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    with closing(Forks()) as made:
        yield made


def _backend(request: pytest.FixtureRequest, folder: Path) -> Backend:
    kind: str = request.param
    server = None if kind in FILES else request.getfixturevalue(f"{kind}_server")
    options = FILES[kind](folder) if server is None else server.options()
    return Backend(kind, options, server, folder / "controller", request.getfixturevalue("forks"))


@pytest.fixture(params=[*FILES, *SERVERS])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    return _backend(request, tmp_path)


@pytest.fixture(params=SERVERS)
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """A backend whose server can be killed."""
    return _backend(request, tmp_path)


@pytest.fixture(params=FILES)
def filed(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """A backend that is files of the controller's own."""
    return _backend(request, tmp_path)


@pytest.fixture
def rounds() -> int:
    return ROUNDS


@pytest.fixture
def changes() -> int:
    return CHANGES


@pytest.fixture
def seed() -> int:
    """Pytest shows what a test that fails printed."""
    chosen = int(os.environ.get("ARCA_CHAOS_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
    print(f"ARCA_CHAOS_SEED={chosen}")
    return chosen
