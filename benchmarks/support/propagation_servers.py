# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast a change of one record is served by two NSDs: through arca.dns, from Knot as a primary, from a zone file.

All on one machine, one after the other, with the same zone, signed: ECDSA P-256, NSEC.

- *arca.dns*: a controller on SQLite and two ``arca-dns-agent`` daemons; the change is a PUT to the API, which signs,
  verifies and publishes it; the agents fetch it, and their NSDs get it by NOTIFY and IXFR.
- *Knot*: a primary that signs; the change is a dynamic update (RFC 2136), and the NSDs get it by NOTIFY and IXFR.
- *zone file*: signed beforehand and changed in its place; the clock starts at ``nsd-control reload`` on both NSDs, so
  that signing, writing and copying the file, which cost most, are free.

Times are seconds from sending the change until both NSDs answer the new record over UDP (asked every millisecond).
*ratio* is the median by ours. *loading* is how long it took from the finished zone until both served it for the first
time.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from statistics import median, quantiles

import dns.message
import dns.query
import dns.update

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from api_large import ask, upload
from bench_parse import zone

from running_controller import KEY, Connection, Controller, Forks
from running_nsd import RunningNsd, free_port, tool
from transfers import SECRET

_PATIENCE = 1800.0
_CHANGES = {10: 40, 100_000: 20}
_FEW = 10
_NAME = "changed.example."
AGENT = [sys.executable, "-c", "from arca_dns_agent.cli import main; main()"]


class Failed(Exception):
    """A server did not do what it is measured at."""


class Watcher:
    """Asks several name servers for the record until all have a value."""

    def __init__(self, ports: list[int]) -> None:
        self._query = dns.message.make_query(_NAME, "A", use_edns=False).to_wire()
        self._sockets = []
        for port in ports:
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.connect(("127.0.0.1", port))
            made.settimeout(0.05)
            self._sockets.append(made)

    def until(self, address: str, *, patience: float = 120.0) -> float:
        """Wait until all answer *address*; returns when (by ``time.perf_counter``). Raises :class:`Failed`."""
        wanted = socket.inet_aton(address)
        left = list(self._sockets)
        deadline = time.perf_counter() + patience
        while left:
            for made in list(left):
                if self._has(made, wanted):
                    left.remove(made)
            if time.perf_counter() > deadline:
                raise Failed(f"{len(left)} of {len(self._sockets)} servers do not serve the change")
            time.sleep(0.001)
        return time.perf_counter()

    def _has(self, made: socket.socket, wanted: bytes) -> bool:
        try:
            made.send(self._query)
            return wanted in made.recv(4096)[12:]
        except OSError:
            return False

    def close(self) -> None:
        for made in self._sockets:
            made.close()


@contextmanager
def name_servers(folder: Path) -> Iterator[list[RunningNsd]]:
    """Two NSDs, not started yet."""
    found = []
    for number in (1, 2):
        (folder / f"nsd{number}").mkdir(parents=True)
        found.append(RunningNsd(folder / f"nsd{number}"))
    try:
        yield found
    finally:
        for nsd in found:
            nsd.stop()


@contextmanager
def process(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that is stopped in the end."""
    with log.open("ab") as output:
        started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(60)


def measured(ports: list[int], count: int, change: Callable[[str], None]) -> list[float]:
    """The seconds that *count* changes took; the first one more is for warming up."""
    took = []
    with closing(Watcher(ports)) as watcher:
        for number in range(count + 1):
            address = f"192.0.2.{101 + number}"
            began = time.perf_counter()
            change(address)
            took.append(watcher.until(address) - began)
            time.sleep(0.3)
    return took[1:]


def loaded(ports: list[int], began: float) -> float:
    """Seconds since *began* when all serve the zone."""
    with closing(Watcher(ports)) as watcher:
        return watcher.until("192.0.2.100", patience=_PATIENCE) - began


def ours(source: Path, signed: Path, folder: Path, count: int) -> tuple[float, list[float]]:
    """Through a controller and two agents; leaves the signed zone in *signed*."""
    with ExitStack() as stack:
        forks = stack.enter_context(closing(Forks()))
        controller = Controller(forks, "sqlite", {"path": str(folder / "zones.db")}, folder)
        controller.init()
        controller.start(exec=True)
        stack.callback(controller.stop)
        upload(controller.port, source)
        export(controller.port, signed)
        servers = stack.enter_context(name_servers(folder))
        began = time.perf_counter()
        for number, nsd in enumerate(servers):
            nsd.start()
            config = agent_config(folder / f"agent{number}", controller, nsd)
            command = [*AGENT, "daemon", "--config", str(config)]
            stack.enter_context(process(command, folder / f"agent{number}.log"))
        ports = [nsd.port for nsd in servers]
        first = loaded(ports, began)
        connection = stack.enter_context(closing(Connection(controller.port)))

        def change(address: str) -> None:
            connection.close()  # idle for longer than the controller keeps it
            path = "/api/v1/zones/example/rrsets/changed/A"
            status = ask(connection, "PUT", path, {"ttl": 60, "values": [address]})
            if status != 200:
                raise Failed(f"the change was not taken: {status}")

        return first, measured(ports, count, change)


def export(port: int, file: Path) -> None:
    """Write the signed zone to *file*."""
    command = ["curl", "-sSf", "-o", str(file), "-H", "@-", f"http://127.0.0.1:{port}/api/v1/zones/example/signed"]
    subprocess.run(command, input=f"X-API-Key: {KEY}\n", text=True, check=True)


def agent_config(folder: Path, controller: Controller, nsd: RunningNsd) -> Path:
    """The configuration of an agent with its state in *folder*."""
    folder.mkdir()
    (folder / "api.key").write_text(KEY)
    (folder / "tsig.conf").write_text(
        f'key:\n    name: "arca-dns."\n    algorithm: hmac-sha256\n    secret: "{SECRET}"\n'
    )
    config = {
        "controller": {
            "url": f"http://127.0.0.1:{controller.port}",
            "api_key_file": str(folder / "api.key"),
            "head_keys": [controller._head.read_text().strip()],
        },
        "agent": {"name": folder.name, "state_directory": str(folder)},
        "nsd": {
            "control_socket": str(nsd.directory / "nsd.ctl"),
            "tsig_file": str(folder / "tsig.conf"),
            "notify_address": f"127.0.0.1:{nsd.port}",
            "primary_listen": f"127.0.0.1:{nsd.primary_port}",
        },
        "health": {"state_file": str(folder / "health.json")},
    }
    (folder / "agent.yaml").write_text(json.dumps(config))
    return folder / "agent.yaml"


def knot(source: Path, folder: Path, count: int) -> tuple[float, list[float]]:
    """From a Knot primary that signs."""
    with ExitStack() as stack:
        servers = stack.enter_context(name_servers(folder))
        (folder / "knot").mkdir()
        (folder / "knot" / "zone").hardlink_to(source)
        port = free_port()
        listen = ", ".join(f"127.0.0.1@{one}" for one in (port, *(nsd.primary_port for nsd in servers)))
        remotes = "".join(
            f"  - id: nsd{number}\n    address: 127.0.0.1@{nsd.port}\n    key: arca-dns.\n"
            for number, nsd in enumerate(servers)
        )
        (folder / "knot.conf").write_text(
            f"server:\n  listen: [{listen}]\n  rundir: {folder}/knot\n  tcp-idle-timeout: 1200\n"
            f"database:\n  storage: {folder}/knot\n  journal-db-max-size: 16G\n"
            f"key:\n  - id: arca-dns.\n    algorithm: hmac-sha256\n    secret: {SECRET}\n"
            f"remote:\n{remotes}"
            "acl:\n  - id: all\n    address: 127.0.0.1\n    action: [update, transfer]\n"
            "  - id: keyed\n    address: 127.0.0.1\n    key: arca-dns.\n    action: [transfer]\n"
            "policy:\n  - id: bench\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n"
            f"zone:\n  - domain: example.\n    storage: {folder}/knot\n    file: zone\n    dnssec-signing: on\n"
            "    dnssec-policy: bench\n    acl: [all, keyed]\n    notify: [nsd0, nsd1]\n    zonefile-sync: -1\n"
            "    journal-max-usage: 8G\n"
        )
        command = [tool("knotd", "knot"), "-c", str(folder / "knot.conf")]
        stack.enter_context(process(command, folder / "knot.log"))
        loaded([port], time.perf_counter())
        began = time.perf_counter()
        for nsd in servers:
            nsd.start()
            nsd.control("addzone", "example", "arca")
        ports = [nsd.port for nsd in servers]
        first = loaded(ports, began)
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))

        def change(address: str) -> None:
            update = dns.update.UpdateMessage("example.")
            update.replace("changed", 60, "A", address)
            answer = dns.query.tcp(update, "127.0.0.1", timeout=60, sock=connection)
            if answer.rcode():
                raise Failed(f"Knot refused the update: {answer.rcode()}")

        return first, measured(ports, count, change)


def zone_file(signed: Path, folder: Path, count: int) -> tuple[float, list[float]]:
    """From a zone file that is there already."""
    with name_servers(folder) as servers:
        began = time.perf_counter()
        files = []
        for nsd in servers:
            config = nsd.directory / "nsd.conf"
            config.write_text(config.read_text() + 'pattern:\n    name: "file"\n    zonefile: "zones/%s.zone"\n')
            files.append(nsd.directory / "zones" / "example.zone")
            files[-1].write_bytes(signed.read_bytes())
            nsd.start()
            nsd.control("addzone", "example", "file")
        ports = [nsd.port for nsd in servers]
        first = loaded(ports, began)

        def change(address: str) -> None:
            for file in files:
                _edit(file, address)
            began_at.append(time.perf_counter())
            for nsd in servers:
                nsd.control("reload", "example")

        began_at: list[float] = []
        took = []
        with closing(Watcher(ports)) as watcher:
            for number in range(count + 1):
                # NSD looks at the time of the file in seconds.
                time.sleep(1.1)
                address = f"192.0.2.{101 + number}"
                change(address)
                took.append(watcher.until(address) - began_at[-1])
        return first, took[1:]


def _edit(file: Path, address: str) -> None:
    """Another address and the next serial, in their places."""
    with file.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as text:
        record = re.search(rb"\nchanged\S*\s[^\n]*\sA\s+(192\.0\.2\.\d\d\d)", text)
        serial = re.search(rb"\sSOA\s+\S+\s+\S+\s+\(?\s*(\d+)", text)
        if record is None or serial is None:
            raise Failed("the signed zone is not as it was expected")
        text[record.start(1) : record.end(1)] = address.encode()
        following = str(int(serial[1]) + 1).encode()
        if len(following) != len(serial[1]):
            raise Failed("the serial got longer")
        text[serial.start(1) : serial.end(1)] = following
        text.flush()
    os.utime(file)


def rows(size: int, folder: Path) -> Iterator[tuple[str, float, list[float]]]:
    """What was measured for a zone of *size* names, as it is known."""
    source, signed = folder / "source", folder / "signed"
    with source.open("w") as stream:
        stream.writelines(zone("host", max(3, size - 1)))
        stream.write("changed 60 IN A 192.0.2.100\n")
    count = _CHANGES.get(size, _FEW)
    for name, work in (
        ("arca.dns", lambda place: ours(source, signed, place, count)),
        ("Knot", lambda place: knot(source, place, count)),
        ("zone file", lambda place: zone_file(signed, place, count)),
    ):
        place = folder / name.replace(" ", "-")
        place.mkdir()
        yield name, *work(place)


def table(sizes: Sequence[int]) -> None:
    """Measure zones of *sizes* names and print the table."""
    print("| names | change through | p50 s | p99 s | worst s | ratio | loading s |")
    print("|---|---|---|---|---|---|---|")
    for size in sizes:
        mine = 0.0
        with tempfile.TemporaryDirectory(prefix="propagation") as folder:
            for name, first, took in rows(size, Path(folder)):
                mine = mine or median(took)
                p99 = quantiles(took, n=100, method="inclusive")[98]
                figures = f"{median(took):.3f} | {p99:.3f} | {max(took):.3f} | {median(took) / mine:.2f} | {first:.1f}"
                print(f"| {size:,} | {name} | {figures} |", flush=True)
