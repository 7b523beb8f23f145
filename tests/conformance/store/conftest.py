# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The backends that the one suite runs against, and the process that the suite kills."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pytest

from arca_dns.store.base import Store
from arca_dns.store.open import open_store
from clock import Clock
from running_etcd import RunningEtcd
from running_mysql import RunningMysql
from running_postgres import RunningPostgres


@dataclass
class Backend:
    """One backend with nothing in it; *open* gives handles on the same state."""

    kind: str
    options: dict[str, object]
    clock: Clock
    handles: list[Store] = field(default_factory=list)

    @property
    def durable(self) -> bool:
        return self.kind != "memory"

    def open(self) -> Store:
        if not self.durable and self.handles:
            return self.handles[0]
        self.handles.append(open_store(self.kind, self.options, clock=self.clock))
        return self.handles[-1]


class Workers:
    """Processes that work on a backend; each is forked from one that has imported everything already."""

    def __init__(self, backend: Backend) -> None:
        import arca_dns

        command = [
            sys.executable,
            str(Path(__file__).with_name("worker.py")),
            backend.kind,
            json.dumps(backend.options),
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(arca_dns.__file__).parents[1])}
        self._server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True, bufsize=1
        )
        self._buffer = ""
        self._early: list[str] = []

    def start(self, job: str, *arguments: object) -> int:
        """Start *job* in a new process; returns its pid."""
        self._say(" ".join((job, *map(str, arguments))))
        while True:
            line = self._line(60)
            assert line is not None, "no process was started"
            if line.startswith("pid "):
                return int(line.split()[1])
            self._early.append(line)  # of another process

    def use(self, backend: Backend) -> None:
        """Let the jobs to come work on *backend*, which is of the same kind."""
        self._say("use " + json.dumps(backend.options))

    def first(self) -> list[str]:
        """The first thing that the processes say."""
        while not self._early:
            line = self._line(60)
            assert line is not None, "the processes say nothing"
            self._early.append(line)
        lines, self._early = self._early, []
        return lines

    def said(self, timeout: float) -> list[str]:
        """What the processes said until *timeout* seconds have passed."""
        import time

        end, lines, self._early = time.monotonic() + timeout, self._early, []
        while (left := end - time.monotonic()) > 0:
            line = self._line(left)
            if line is not None:
                lines.append(line)
        return lines

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)

    def wait(self) -> list[str]:
        """Wait until no process is left; returns what they said that was not read yet."""
        self._say("wait")
        lines, self._early = self._early, []
        while (line := self._line(120)) != "waited":
            assert line is not None, "workers do not end"
            lines.append(line)
        return lines

    def close(self) -> None:
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.wait(30)
        self._server.stdout.close()

    def _say(self, line: str) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()

    def _line(self, timeout: float) -> str | None:
        assert self._server.stdout is not None
        descriptor = self._server.stdout.fileno()
        while "\n" not in self._buffer:
            if not select.select([descriptor], [], [], timeout)[0]:
                return None
            data = os.read(descriptor, 65536).decode()
            assert data, "the worker server ended"
            self._buffer += data
        line, self._buffer = self._buffer.split("\n", 1)
        return line


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
    server.kill()  # nobody needs what a stop would write


def _server_options(name: str) -> Callable[[pytest.FixtureRequest, Path], dict[str, object]]:
    return lambda request, _folder: request.getfixturevalue(name).options()


#: Backend → what makes the options of an empty one.
BACKENDS: dict[str, Callable[[pytest.FixtureRequest, Path], dict[str, object]]] = {
    "memory": lambda _request, _folder: {},
    "sqlite": lambda _request, folder: {"path": str(folder / "state" / "arca.db")},
    "postgres": _server_options("postgres_server"),
    "git": lambda _request, folder: {"path": str(folder / "state" / "zones.git")},
    "mysql": _server_options("mysql_server"),
    "etcd": _server_options("etcd_server"),
}
#: Those that controllers on several machines may share.
SHARED = ("postgres", "mysql", "etcd")


def make(request: pytest.FixtureRequest, folder: Path) -> Iterator[Backend]:
    made = Backend(request.param, BACKENDS[request.param](request, folder), Clock())
    yield made
    for handle in made.handles:
        handle.close()


@pytest.fixture(params=list(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    yield from make(request, tmp_path)


@pytest.fixture(params=[name for name in BACKENDS if name != "memory"])
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """A backend whose state outlives a process."""
    yield from make(request, tmp_path)


@pytest.fixture(scope="module", params=SHARED)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A backend for several controllers."""
    yield from make(request, tmp_path_factory.mktemp("shared"))


@pytest.fixture
def empty(durable: Backend, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Backend]]:
    """Makes more backends of the kind of *durable*, each with nothing in it."""
    made: list[Backend] = []

    def make_one() -> Backend:
        options = BACKENDS[durable.kind](request, tmp_path / f"empty{len(made)}")
        made.append(Backend(durable.kind, options, durable.clock))
        return made[-1]

    yield make_one
    for backend in made:
        for handle in backend.handles:
            handle.close()


@pytest.fixture
def ring(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Backend]]:
    """An empty backend of every kind, and one more of the first."""
    kinds = [*BACKENDS, next(iter(BACKENDS))]
    made = [Backend(kind, BACKENDS[kind](request, tmp_path / f"ring{i}"), Clock()) for i, kind in enumerate(kinds)]
    yield made
    for backend in made:
        for handle in backend.handles:
            handle.close()


@pytest.fixture
def store(backend: Backend) -> Store:
    return backend.open()


@pytest.fixture
def workers(durable: Backend) -> Iterator[Workers]:
    with closing(Workers(durable)) as made:
        yield made
