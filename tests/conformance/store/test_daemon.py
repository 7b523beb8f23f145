# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon and its database: it starts before the database does, and outlives the database's absence."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path

import pytest

from controller_api import EXAMPLE
from running_etcd import RunningEtcd
from running_mysql import RunningMysql
from running_postgres import RunningPostgres
from server_folder import free_tcp_port

pytestmark = pytest.mark.conformance

COMMAND = [sys.executable, "-c", "from arca_dns_controller.cli import main; main()"]
SECONDS = 60.0
KEY = "key-of-admin"


@pytest.fixture(params=["postgres", "mysql", "etcd"])
def server(request: pytest.FixtureRequest) -> RunningPostgres | RunningMysql | RunningEtcd:
    running: RunningPostgres | RunningMysql | RunningEtcd = request.getfixturevalue(f"{request.param}_server")
    return running


class Daemon:
    """`arca-dns-controller` on a database."""

    def __init__(self, kind: str, options: dict[str, object], folder: Path) -> None:
        self.port = free_tcp_port()
        self.config = folder / "controller.yaml"
        settings = {
            "api": {
                "listen": f"127.0.0.1:{self.port}",
                "keys": [{"name": "admin", "role": "admin", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}],
            },
            "backend": {"type": kind, kind: options},
            "dnssec": {"key_directory": f"{folder}/keys", "master_key_file": f"{folder}/master.key"},
            "publish": {"head_key_file": f"{folder}/head.key"},
        }
        self.config.write_text(json.dumps(settings))
        self.log = folder / "log"

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *words, "--config", str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)

    @contextlib.contextmanager
    def serving(self) -> Iterator[None]:
        with self.log.open("w") as log:
            process = subprocess.Popen([*COMMAND, "serve", "--config", str(self.config)], stderr=log, stdout=log)
        try:
            yield
        finally:
            process.terminate()
            assert process.wait(SECONDS) == 0, self.log.read_text()

    def ask(self, path: str, body: object = None) -> tuple[int, Message, dict[str, object]]:
        """Status, headers and JSON of the answer to a GET, or to a POST of *body*."""
        url = f"http://127.0.0.1:{self.port}{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, {"Content-Type": "application/json", "X-API-Key": KEY})
        try:
            with urllib.request.urlopen(request, timeout=SECONDS) as answer:
                return answer.status, answer.headers, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, json.load(error)

    def wait(self, until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        while True:
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                if until():
                    return
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)


@pytest.fixture
def daemon(server: RunningPostgres | RunningMysql | RunningEtcd, tmp_path: Path) -> Daemon:
    kinds = {RunningPostgres: "postgres", RunningMysql: "mysql", RunningEtcd: "etcd"}
    made = Daemon(kinds[type(server)], server.options(), tmp_path)
    first = made.run("init")
    assert first.returncode == 0, first.stderr
    return made


def zone(name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(json.dumps(EXAMPLE).replace("example.com", name))
    return found


def test_a_daemon_whose_database_is_down_says_503_and_works_when_it_is_up(
    server: RunningPostgres | RunningMysql | RunningEtcd, daemon: Daemon
) -> None:
    server.stop()
    try:
        with daemon.serving():
            daemon.wait(lambda: daemon.ask("/health")[0] == 200)
            status, headers, problem = daemon.ask("/ready")
            assert (status, headers["Retry-After"], problem["code"]) == (503, "2", "store-unavailable")
            status, headers, problem = daemon.ask("/api/v1/zones", zone("a.example"))
            assert (status, headers["Retry-After"], problem["code"]) == (503, "2", "store-unavailable")
            server.start()
            daemon.wait(lambda: daemon.ask("/ready")[0] == 200)
            assert daemon.ask("/api/v1/zones", zone("a.example"))[0] == 201
            server.kill()
            assert daemon.ask("/ready")[0] == 503
            assert daemon.ask("/api/v1/zones/a.example.")[0] == 503
            server.start()
            daemon.wait(lambda: daemon.ask("/ready")[0] == 200)
            assert daemon.ask("/api/v1/zones/a.example.")[0] == 200
            assert daemon.ask("/api/v1/zones", zone("b.example"))[0] == 201
    finally:
        server.kill()
        server.start()
    log = daemon.log.read_text()
    assert "the store does not answer; trying again until it does" in log
    assert "only-for-tests" not in log
    assert "Traceback" not in log


@pytest.fixture(params=["postgres", "mysql"])
def database(request: pytest.FixtureRequest) -> RunningPostgres | RunningMysql:
    """A server that keeps a schema."""
    running: RunningPostgres | RunningMysql = request.getfixturevalue(f"{request.param}_server")
    return running


@pytest.fixture
def on_database(database: RunningPostgres | RunningMysql, tmp_path: Path) -> Daemon:
    made = Daemon("postgres" if isinstance(database, RunningPostgres) else "mysql", database.options(), tmp_path)
    first = made.run("init")
    assert first.returncode == 0, first.stderr
    return made


def test_the_database_is_looked_at_and_upgraded_from_the_command_line(on_database: Daemon) -> None:
    daemon = on_database
    found = json.loads(daemon.run("db", "current", "--json").stdout)
    assert found["current"] == found["newest"] == "0001"
    assert "nothing to apply" in daemon.run("db", "upgrade").stdout


def test_a_daemon_refuses_a_database_of_a_newer_version_in_one_line(
    database: RunningPostgres | RunningMysql, on_database: Daemon
) -> None:
    server, daemon = database, on_database
    settings = json.loads(daemon.config.read_text())["backend"]
    name = settings[settings["type"]]["database"]
    server.execute("UPDATE alembic_version SET version_num = '9999'", name)
    for words in (("serve",), ("init",), ("db", "upgrade")):
        done = daemon.run(*words)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert "the database is at schema 9999" in done.stderr
