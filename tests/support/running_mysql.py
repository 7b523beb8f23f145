# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real MariaDB in a folder of its own, on loopback. Its tables are case-insensitive unless told otherwise."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pymysql
import pytest

from certificates import Authority
from running_nsd import tool
from server_folder import Unprivileged, free_tcp_port, kill_all

PASSWORD = "only-for-tests"


class RunningMysql:
    """MariaDB, to be stopped, killed and started."""

    def __init__(self, folder: Path, disk: Path | None = None) -> None:
        self._system = Unprivileged(folder, disk)
        self.folder = self._system.folder
        self.socket = self.folder / "socket"
        self.port = free_tcp_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._tls: list[str] = []
        if not Path("/usr/bin/mariadb-install-db").exists():
            pytest.fail("mariadb-install-db is missing: apt-get install mariadb-server-core")
        self._system.run(
            *("/usr/bin/mariadb-install-db", "--no-defaults", f"--datadir={self.folder / 'data'}", "--skip-test-db"),
            *("--auth-root-authentication-method=normal", "--innodb-log-file-size=16M", "--skip-name-resolve"),
        )

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        self._process = self._system.spawn(
            *(tool("mariadbd", "mariadb-server-core"), "--no-defaults", f"--datadir={self.folder / 'data'}"),
            *(f"--socket={self.socket}", f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--pid-file={self.folder / 'pid'}", "--skip-name-resolve", "--max-connections=300"),
            *("--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M", "--innodb-flush-log-at-trx-commit=1"),
            # Writes die with the process: what a killed io_uring finishes later would meet the next server.
            "--innodb-use-native-aio=0",
            # The log is enough at a stop: the tables catch up at the next start.
            *("--character-set-server=utf8mb4", "--innodb-fast-shutdown=2", *self._tls),
        )
        deadline = time.monotonic() + 60
        while True:
            assert self._process.poll() is None, self._system.output()
            assert time.monotonic() < deadline, self._system.output()
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self.socket)) == 0:
                    return
            time.sleep(0.02)

    def alive(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop, as a system that shuts down would."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(300)
            self._process = None

    def kill(self) -> None:
        """SIGKILL for every process of the server."""
        if self._process is not None:
            kill_all(self._process)
            self._process = None

    def use_tls(self, authority: Authority) -> None:
        """Restart, and speak TLS from now on."""
        certificate, key = authority.issue("mysql", "127.0.0.1")
        self._tls = []
        for option, file in {"ssl-cert": certificate, "ssl-key": key, "ssl-ca": authority.ca_file}.items():
            copy = self.folder / file.name
            copy.write_bytes(file.read_bytes())
            copy.chmod(0o600)
            self._system.own(copy)
            self._tls.append(f"--{option}={copy}")
        self.stop()
        self.start()

    def options(self) -> dict[str, object]:
        """The backend's options for a new, empty database."""
        self._databases += 1
        name = f"arca_{self._databases}"
        if self._databases == 1:
            self.execute(f"CREATE USER arca@localhost IDENTIFIED BY '{PASSWORD}'")
            self.execute(f"CREATE USER arca@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        self.execute(f"CREATE DATABASE {name}")
        self.execute(f"GRANT ALL ON {name}.* TO arca@localhost, arca@'127.0.0.1'")
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "database": name,
            "user": "arca",
            "password": PASSWORD,
        }

    def execute(self, statement: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run *statement* as the superuser; returns its rows."""
        connection = pymysql.connect(unix_socket=str(self.socket), user="root", database=database, autocommit=True)
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
