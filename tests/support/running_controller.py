# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Controllers with their HTTP API on loopback, on any backend: started, killed, started again, and asked."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from server_folder import free_tcp_port

KEY = "key-of-admin"
SECONDS = 60.0
FORKS = Path(__file__).with_name("controller_forks.py")
COMMAND = [sys.executable, "-c", "from arca_dns_controller.cli import main; main()"]


@dataclass(frozen=True)
class Answer:
    """What a controller answered."""

    status: int
    etag: str
    retry_after: str | None
    body: dict[str, object]


class Connection:
    """Requests of one thread to one controller. Raises ``OSError`` or ``HTTPException`` where there is no answer."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)

    def __call__(self, method: str, path: str, body: object = None, *, version: str | None = None) -> Answer:
        headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        try:
            self._http.request(method, path, None if body is None else json.dumps(body), headers)
            with self._http.getresponse() as answer:
                text = answer.read()
        except BaseException:
            self._http.close()
            raise
        found = json.loads(text) if text and text[:1] == b"{" else {}
        etag = (answer.headers["ETag"] or "").strip('"')
        return Answer(answer.status, etag, answer.headers["Retry-After"], found)

    def close(self) -> None:
        self._http.close()


class Forks:
    """The process that controllers are forked from; see controller_forks.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(FORKS)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def start(self, log: Path, *arguments: str) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(log), *arguments]) + "\n")
        return int(self._process.stdout.readline())

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(SECONDS)
        self._process.stdout.close()


class Controller:
    """One controller on one backend; several in one folder share their keys. *more* are further sections."""

    def __init__(
        self, forks: Forks, kind: str, options: dict[str, object], folder: Path, **more: dict[str, object]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_tcp_port()
        self._forks = forks
        self._pid: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._head = folder / "head.pub"
        self.log = folder / f"log-{self.port}"
        self.config = folder / f"controller-{self.port}.yaml"
        settings: dict[str, object] = {
            "api": {
                "listen": f"127.0.0.1:{self.port}",
                "rate": {"read_per_second": 0, "write_per_second": 0},
                "keys": [{"name": "admin", "role": "admin", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}],
            },
            "backend": {"type": kind, kind: options},
            "dnssec": {"key_directory": f"{folder}/keys", "master_key_file": f"{folder}/master.key"},
            "publish": {"head_key_file": f"{folder}/head.key", "maintenance_interval": 1},
        }
        for section, values in more.items():
            held = settings.setdefault(section, {})
            assert isinstance(held, dict)
            held.update(values)
        self.config.write_text(json.dumps(settings))

    def init(self) -> None:
        """Make keys and database, as an operator does: by the command itself."""
        command = [*COMMAND, "init", "--config", str(self.config)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert done.returncode == 0, done.stderr

    def head_public_key(self) -> bytes:
        return base64.b64decode(self._head.read_text())

    def start(self, *, exec: bool = False) -> None:
        """Start, and wait until it and its store answer; with *exec* as the command, not by a fork."""
        self.begin(exec=exec)
        self.wait(lambda connection: connection("GET", "/ready").status == 200)

    def begin(self, *, exec: bool = False) -> None:
        """Start, without waiting."""
        arguments = ("serve", "--config", str(self.config))
        if exec:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen([*COMMAND, *arguments], stdout=log, stderr=log)
            self._pid = self._process.pid
        else:
            self._pid = self._forks.start(self.log, *arguments)

    def wait(self, until: Callable[[Connection], bool]) -> None:
        deadline = time.monotonic() + SECONDS
        with closing(Connection(self.port)) as connection:
            while True:
                with suppress(OSError, http.client.HTTPException):
                    if until(connection):
                        return
                assert self.alive(), self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.02)

    def alive(self) -> bool:
        if self._pid is None:
            return False
        if self._process is not None:
            return self._process.poll() is None
        try:
            os.kill(self._pid, 0)
        except ProcessLookupError:
            return False
        return True

    @property
    def pid(self) -> int:
        assert self._pid is not None
        return self._pid

    def kill(self) -> None:
        """SIGKILL, wherever it is."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP: it does nothing more until :meth:`go_on`, wherever it is."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        assert self._pid is not None
        os.kill(self._pid, signal.SIGCONT)

    def _end(self, number: int) -> None:
        if self._pid is None:
            return
        deadline = time.monotonic() + SECONDS
        if self.alive():
            os.kill(self._pid, number)
        while self.alive():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.005)
        self._pid = self._process = None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-8000:] if self.log.exists() else ""
