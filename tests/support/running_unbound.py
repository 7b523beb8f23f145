# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real, validating Unbound in a folder of its own, on loopback, that asks one name server and trusts one DS."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from running_nsd import free_port, tool

CONFIG = """\
server:
    interface: 127.0.0.1@{port}
    port: {port}
    do-not-query-localhost: no
    num-threads: 1
    username: ""
    chroot: ""
    pidfile: ""
    directory: "{directory}"
    use-syslog: no
    logfile: "{directory}/unbound.log"
    verbosity: 1
    val-log-level: 2
    module-config: "validator iterator"
    trust-anchor-file: "{directory}/anchor"
    trust-anchor-signaling: no
    root-key-sentinel: no
    qname-minimisation: no
    aggressive-nsec: no
    harden-below-nxdomain: no
    prefetch: no
    val-clean-additional: yes
    unblock-lan-zones: yes
    insecure-lan-zones: yes
    local-zone: "test." nodefault
    outgoing-range: 512
    so-rcvbuf: 0
    so-sndbuf: 0
    access-control: 127.0.0.0/8 allow
remote-control:
    control-enable: {control}
    control-interface: "{directory}/unbound.ctl"
{more}
"""
STUB = """\
stub-zone:
    name: "{zone}"
    stub-addr: 127.0.0.1@{server}
    stub-prime: no
"""


class RunningUnbound:
    """Unbound, from ``start`` to ``stop``."""

    def __init__(self, directory: Path, anchor: str, more: str, *, control: bool = False) -> None:
        self.directory = directory
        self.port = free_port()
        (directory / "anchor").write_text(anchor)
        config = CONFIG.format(port=self.port, directory=directory, more=more, control="yes" if control else "no")
        (directory / "unbound.conf").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, ready: str = "start of service") -> None:
        """Start and wait until the log says *ready*."""
        command = [tool("unbound", "unbound"), "-d", "-c", str(self.directory / "unbound.conf")]
        output = (self.directory / "unbound.err").open("wb")
        with output:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        deadline = time.monotonic() + 20
        while ready not in self.log():
            assert self._process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Stop it and start it."""
        self.stop()
        (self.directory / "unbound.log").unlink()
        self.start()

    def reload(self) -> None:
        """Have it read its configuration anew."""
        self.control("reload")

    def control(self, *words: str) -> str:
        """`unbound-control`."""
        command = [tool("unbound-control", "unbound"), "-c", str(self.directory / "unbound.conf"), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def log(self) -> str:
        found = [self.directory / name for name in ("unbound.err", "unbound.log")]
        return "".join(path.read_text(errors="replace") for path in found if path.exists())


def stubs(zones: Sequence[str], server: int) -> str:
    """What has Unbound ask the name server on port *server* about *zones*."""
    return "".join(STUB.format(zone=zone, server=server) for zone in zones)
