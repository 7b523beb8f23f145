# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real PostgreSQL in a folder of its own, on loopback. Its databases sort as people do, not by code point."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest

from certificates import Authority
from server_folder import Unprivileged, free_tcp_port, kill_all

PASSWORD = "only-for-tests"
CONFIG = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{folder}'
max_connections = 200
shared_buffers = 64MB
fsync = on
synchronous_commit = on
# After a crash, one call for the file system and not one for each of its files.
recovery_init_sync_method = syncfs
"""


def binary(name: str) -> str:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not found:
        pytest.fail(f"{name} is missing: apt-get install postgresql")
    return str(found[-1])


class RunningPostgres:
    """PostgreSQL, to be stopped, killed and started."""

    def __init__(self, folder: Path, disk: Path | None = None) -> None:
        self._system = Unprivileged(folder, disk)
        self.folder = self._system.folder
        self.data = self.folder / "data"
        self.port = free_tcp_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        self._system.run(
            *(binary("initdb"), "--pgdata", str(self.data), "--username", "root", "--auth", "scram-sha-256"),
            *("--pwfile", str(password), "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            *("--locale-provider", "icu", "--icu-locale", "en-US"),
        )
        with (self.data / "postgresql.conf").open("a") as config:
            config.write(CONFIG.format(port=self.port, folder=self.folder))

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self._process = self._system.spawn(binary("postgres"), "-D", str(self.data))
        deadline = time.monotonic() + 60
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                assert self._process.poll() is None, self._system.output()
                assert time.monotonic() < deadline, self._system.output()
                time.sleep(0.02)

    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop, as a system that shuts down would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(300)
            self._process = None

    def kill(self) -> None:
        """SIGKILL for every process of the server."""
        if self._process is not None:
            kill_all(self._process)
            self._process = None

    def use_tls(self, authority: Authority) -> None:
        """Speak TLS from now on, and ask for a client's certificate where the client has one."""
        certificate, key = authority.issue("postgres", "127.0.0.1")
        files = {"ssl_cert_file": certificate, "ssl_key_file": key, "ssl_ca_file": authority.ca_file}
        for option, file in files.items():
            copy = self.data / file.name
            copy.write_bytes(file.read_bytes())
            copy.chmod(0o600)
            self._system.own(copy)
            self.execute(f"ALTER SYSTEM SET {option} = '{copy.name}'")
        self.execute("ALTER SYSTEM SET ssl = on")
        self.execute("SELECT pg_reload_conf()")
        self.execute("SELECT pg_sleep(0.2)")

    def options(self) -> dict[str, object]:
        """The backend's options for a new, empty database."""
        self._databases += 1
        name = f"arca_{self._databases}"
        if self._databases == 1:
            self.execute(f"CREATE ROLE arca LOGIN PASSWORD '{PASSWORD}'")
        self.execute(f"CREATE DATABASE {name} OWNER arca")
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "database": name,
            "user": "arca",
            "password": PASSWORD,
        }

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run *statement* as the superuser; returns its rows."""
        with psycopg.connect(
            host=str(self.folder), port=self.port, dbname=database, user="root", password=PASSWORD, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []
