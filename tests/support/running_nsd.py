# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real NSD in a folder of its own, on loopback, as role nsd would set it up."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from transfers import SECRET

if TYPE_CHECKING:
    from arca_dns_agent.settings import Settings
    from edge_agent import World

CONFIG = """\
server:
    server-count: 1
    ip-address: 127.0.0.1@{port}
    username: ""
    chroot: ""
    pidfile: ""
    database: ""
    zonesdir: "{directory}"
    zonelistfile: "{directory}/zone.list"
    xfrdfile: ""
    xfrdir: "{directory}"
    zonefiles-check: no
    zonefiles-write: 60
    xfrd-reload-timeout: 0
    rrl-ratelimit: 0
    verbosity: 2
    logfile: "{directory}/nsd.log"
remote-control:
    control-enable: yes
    control-interface: {directory}/nsd.ctl
key:
    name: "arca-dns."
    algorithm: hmac-sha256
    secret: "{secret}"
pattern:
    name: "arca"
    zonefile: "zones/%s.zone"
    request-xfr: 127.0.0.1@{primary} arca-dns.
    allow-notify: 127.0.0.1 arca-dns.
    provide-xfr: 127.0.0.1 arca-dns.
    allow-axfr-fallback: yes
    min-expire-time: 31536000
    max-retry-time: 60
    size-limit-xfr: {limit}
"""


def tool(name: str, package: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        pytest.fail(f"{name} is missing: apt-get install {package}")
    return path


def free_port() -> int:
    """A port that is free for UDP and TCP at this moment."""
    while True:
        with socket.socket() as tcp:
            tcp.bind(("127.0.0.1", 0))
            port: int = tcp.getsockname()[1]
            if _free_for_udp(port):
                return port


def _free_for_udp(port: int) -> bool:
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class RunningNsd:
    """NSD, to be stopped and started."""

    def __init__(self, directory: Path, limit: int = 1 << 30) -> None:
        """*limit* is how many octets a zone may have."""
        self.directory = directory
        self.port, self.primary_port = free_port(), free_port()
        (directory / "zones").mkdir()
        config = CONFIG.format(
            directory=directory, port=self.port, primary=self.primary_port, secret=SECRET, limit=limit
        )
        (directory / "nsd.conf").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        (self.directory / "nsd.ctl").unlink(missing_ok=True)
        command = [tool("nsd", "nsd"), "-d", "-c", str(self.directory / "nsd.conf")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + 10
        while not (self.directory / "nsd.ctl").exists():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def kill(self) -> None:
        """As a crash would end it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # what a reload has forked too
            self._process.wait()
            self._process = None
            deadline = time.monotonic() + 10
            while not _free_for_udp(self.port):
                assert time.monotonic() < deadline, self.log()
                time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def settings(self, world: World, directory: Path) -> Settings:
        """Those of an agent that drives it, with its state in *directory*."""
        return replace(
            world.settings(directory),
            control_socket=self.directory / "nsd.ctl",
            server=("127.0.0.1", self.port),
            listen=("127.0.0.1", self.primary_port),
        )

    def write(self, zone: str) -> None:
        """Have it write a zone file."""
        self.control("write", zone)

    def lose_journal(self) -> None:
        """While it is stopped: what it has of changes beside the zone files, which is nothing."""

    def forget(self) -> None:
        """While it is stopped: which zones it has."""
        (self.directory / "zone.list").unlink(missing_ok=True)

    def control(self, *words: str) -> None:
        """`nsd-control`."""
        command = [tool("nsd-control", "nsd"), "-c", str(self.directory / "nsd.conf"), *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    def log(self) -> str:
        path = self.directory / "nsd.log"
        return path.read_text() if path.exists() else ""
