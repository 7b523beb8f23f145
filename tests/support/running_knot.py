# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real Knot DNS in a folder of its own, on loopback, set up to be driven by an agent as docs/edges.md says."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from running_nsd import free_port, tool
from transfers import SECRET

if TYPE_CHECKING:
    from arca_dns_agent.settings import Settings
    from edge_agent import World

CONFIG = """\
server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 2
database:
    storage: "{directory}/db"
log:
  - target: "{directory}/knot.log"
    any: info
key:
  - id: arca-dns.
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: arca
    address: 127.0.0.1@{primary}
    key: arca-dns.
acl:
  - id: arca
    address: 127.0.0.1
    key: arca-dns.
    action: [notify, transfer]
template:
  - id: arca
    storage: "{directory}/zones"
    file: "%s.zone"
    master: arca
    acl: arca
    zonefile-sync: 60
    expire-min-interval: 31536000
    retry-max-interval: 60
    zone-max-size: {limit}
"""


class RunningKnot:
    """Knot, to be stopped and started; zones that are added to it are in its configuration database."""

    def __init__(self, directory: Path, limit: int = 1 << 30) -> None:
        """*limit* is how many octets a zone may have."""
        self.directory = directory
        self.port, self.primary_port = free_port(), free_port()
        (directory / "zones").mkdir()
        (directory / "db").mkdir()
        config = CONFIG.format(
            directory=directory, port=self.port, primary=self.primary_port, secret=SECRET, limit=limit
        )
        (directory / "knot.conf").write_text(config)
        self._import()
        self._process: subprocess.Popen[bytes] | None = None

    def _import(self) -> None:
        command = [tool("knotc", "knot"), "-f", "-C", str(self.directory / "confdb")]
        subprocess.run([*command, "conf-import", str(self.directory / "knot.conf")], check=True, capture_output=True)

    def start(self) -> None:
        (self.directory / "knot.sock").unlink(missing_ok=True)
        command = [tool("knotd", "knot"), "-C", str(self.directory / "confdb")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while not (self.directory / "knot.sock").exists():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def kill(self) -> None:
        """As a crash would end it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def settings(self, world: World, directory: Path) -> Settings:
        """Those of an agent that drives it, with its state in *directory*."""
        return replace(
            world.settings(directory),
            driver="knot",
            control_socket=self.directory / "knot.sock",
            knotc=tool("knotc", "knot"),
            server=("127.0.0.1", self.port),
            listen=("127.0.0.1", self.primary_port),
        )

    def write(self, zone: str) -> None:
        """Have it write a zone file."""
        command = [tool("knotc", "knot"), "-s", str(self.directory / "knot.sock"), "zone-flush", zone]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def lose_journal(self) -> None:
        """While it is stopped: what it has of changes beside the zone files."""
        shutil.rmtree(self.directory / "db")
        (self.directory / "db").mkdir()

    def forget(self) -> None:
        """While it is stopped: which zones it has, and their journals."""
        shutil.rmtree(self.directory / "confdb")
        self.lose_journal()
        self._import()

    def log(self) -> str:
        path = self.directory / "knot.log"
        return path.read_text() if path.exists() else ""
