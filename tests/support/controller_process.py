# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controller as a process of its own on loopback, as systemd starts it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

COMMAND = [sys.executable, "-c", "from arca_dns_controller.cli import main; main()"]
KEY = "key-of-admin"


def run(*arguments: str | Path, **options):  # type: ignore[no-untyped-def]
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False, **options
    )


def configuration(path: Path, port: int, api: str = "", publish: str = "") -> Path:
    """A configuration file in the folder *path*; *api* and *publish* are more of their sections."""
    path.mkdir(exist_ok=True)
    file = path / "controller.yaml"
    file.write_text(
        f"""
        api:
          listen: 127.0.0.1:{port}
          {api}
          keys: [{{name: admin, role: admin, sha256: {hashlib.sha256(KEY.encode()).hexdigest()}}}]
        backend: {{type: sqlite, sqlite: {{path: {path}/state.sqlite}}}}
        dnssec: {{key_directory: {path}/keys, master_key_file: {path}/master.key}}
        publish: {{head_key_file: {path}/head.key{publish}}}
        """
    )
    return file


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def running(config: Path, folder: Path, log: IO[str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """A controller that has told systemd's socket that it is ready; its log goes to *log*, or to a pipe."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(folder / "notify"))
        manager.settimeout(30)
        process = subprocess.Popen(
            [*COMMAND, "serve", "--config", str(config)],
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "60000000"},
            stderr=log or subprocess.PIPE,
            text=True,
        )
        try:
            told = set()
            while "READY=1" not in told:
                told.add(manager.recv(4096).decode())
            yield process
        finally:
            process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
