# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Real BIND and Knot as secondaries, in folders of their own, on loopback; their zones come from a catalog zone."""

from __future__ import annotations

import subprocess
from pathlib import Path

from running_nsd import free_port, tool
from transfers import SECRET

BIND = """\
key "arca-dns." {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
    directory "{directory}";
    pid-file none;
    session-keyfile none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    notify no;
    serial-query-rate 500;
    catalog-zones {{
        zone "{catalog}" default-primaries {{ 127.0.0.1 port {primary} key "arca-dns."; }}
            zone-directory "{directory}" in-memory no min-update-interval 1;
    }};
}};
controls {{ }};
zone "{catalog}" {{
    type secondary;
    file "catalog.db";
    primaries {{ 127.0.0.1 port {primary} key "arca-dns."; }};
}};
"""

KNOT = """\
server:
    rundir: "{directory}"
    listen: 127.0.0.1@{port}
    tcp-workers: 1
    udp-workers: 1
    background-workers: 1
log:
  - target: "{directory}/log"
    any: info
database:
    storage: "{directory}"
key:
  - id: arca-dns.
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: primary
    address: 127.0.0.1@{primary}
    key: arca-dns.
acl:
  - id: notify
    address: 127.0.0.1
    key: arca-dns.
    action: notify
template:
  - id: default
    storage: "{directory}"
  - id: member
    storage: "{directory}"
    master: primary
    acl: notify
zone:
  - domain: {catalog}
    master: primary
    acl: notify
    catalog-role: interpret
    catalog-template: member
"""


class Secondary:
    """A server of zones that the primary at port *primary* lists in *catalog*."""

    def __init__(self, directory: Path, primary: int, catalog: str) -> None:
        directory.mkdir()
        self.port = free_port()
        self.log = directory / "log"
        self._config = directory / "conf"
        values = {"directory": directory, "port": self.port, "primary": primary, "catalog": catalog, "secret": SECRET}
        self._config.write_text(self.text.format(**values))
        self._process: subprocess.Popen[bytes] | None = None

    text = ""

    def command(self) -> list[str]:
        raise NotImplementedError

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def said(self) -> str:
        return self.log.read_text(errors="replace")[-6000:]


class Bind(Secondary):
    """named."""

    text = BIND

    def command(self) -> list[str]:
        return [tool("named", "bind9"), "-g", "-n", "1", "-c", str(self._config)]


class Knot(Secondary):
    """knotd."""

    text = KNOT

    def command(self) -> list[str]:
        return [tool("knotd", "knot"), "-c", str(self._config)]
