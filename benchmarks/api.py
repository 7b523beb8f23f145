# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The HTTP API beside that of PowerDNS Authoritative, in turn in one run: both on SQLite, all zones signed.

Each controller is a process of its own on loopback with its own database, as its package sets it up. Zones have ten
records. Connections stay open where the server lets them. Numbers are operations a second and their ratio: above 1,
arca.dns is ahead. What the two do for one operation differs: arca.dns signs when a zone is written, verifies it, keeps
every version and moves the head that edges follow; PowerDNS signs when it answers a query.

``api.py [ZONES] [SECONDS]``: how many zones there are when one is changed (1,000), and how long each line is measured
(3). Needs Debian's pdns-server and pdns-backend-sqlite3.
"""

from __future__ import annotations

import http.client
import itertools
import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from running_controller import KEY, Controller, Forks
from server_folder import free_tcp_port

ZONES, SECONDS = 1000, 3.0
_CREATED = 1000
_LARGE = 10_000
_CLIENTS = 8
_BULK = 500
_SCHEMAS = (
    "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql",
    "/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql",
)
_HOSTS = 8


def address(number: int) -> str:
    """An address for each *number*."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


class Client:
    """One connection, opened again where the server closes it."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._headers = {"Content-Type": "application/json", **headers}

    def __call__(self, method: str, path: str, body: object = None) -> bytes:
        """The body of the answer; ends the benchmark where that is an error."""
        self._http.request(method, path, None if body is None else json.dumps(body), self._headers)
        with self._http.getresponse() as answer:
            text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{method} {path}: {answer.status} {text[:300]!r}")
        return text

    def close(self) -> None:
        """Give the connection up."""
        self._http.close()


class Server(ABC):
    """One of the two, running."""

    @abstractmethod
    def client(self) -> Client:
        """A new connection."""

    @abstractmethod
    def create(self, client: Client, name: str, hosts: int) -> None:
        """Create a signed zone with so many hosts, and two records besides."""

    @abstractmethod
    def change(self, client: Client, name: str, number: int) -> None:
        """Give one host of a zone another address."""

    @abstractmethod
    def read(self, client: Client, name: str) -> bytes:
        """The whole zone as JSON."""

    def fill(self, client: Client, zones: Iterator[str]) -> None:
        """Create many zones; nobody measures it."""
        for name in zones:
            self.create(client, name, _HOSTS)


class Arca(Server):
    """The controller of this project."""

    def __init__(self, port: int) -> None:
        self._port = port

    def client(self) -> Client:
        return Client(self._port, {"X-API-Key": KEY, "If-Match": "*"})

    def create(self, client: Client, name: str, hosts: int) -> None:
        client("POST", "/api/v1/zones", self._zone(name, hosts))

    def change(self, client: Client, name: str, number: int) -> None:
        path = f"/api/v1/zones/{name}/rrsets/h0/A"
        client("PUT", path, {"ttl": 300, "values": [address(number)]})

    def read(self, client: Client, name: str) -> bytes:
        return client("GET", f"/api/v1/zones/{name}")

    def fill(self, client: Client, zones: Iterator[str]) -> None:
        while some := list(itertools.islice(zones, _BULK)):
            operations = [{"action": "create", "zone": name, "document": self._zone(name, _HOSTS)} for name in some]
            client("POST", "/api/v1/bulk", {"operations": operations})

    @staticmethod
    def _zone(name: str, hosts: int) -> dict[str, object]:
        records = [{"name": f"h{n}", "type": "A", "ttl": 300, "value": address(n)} for n in range(hosts)]
        apex = {"name": "@", "type": "NS", "ttl": 300, "value": f"ns1.{name}"}
        glue = {"name": "ns1", "type": "A", "ttl": 300, "value": "192.0.2.1"}
        soa = {"mname": f"ns1.{name}", "rname": f"hostmaster.{name}"}
        return {"name": name, "soa": soa, "records": [apex, glue, *records]}


class PowerDns(Server):
    """PowerDNS with its gsqlite3 backend."""

    _AT = "/api/v1/servers/localhost/zones"

    def __init__(self, port: int) -> None:
        self._port = port

    def client(self) -> Client:
        return Client(self._port, {"X-API-Key": KEY})

    def create(self, client: Client, name: str, hosts: int) -> None:
        def rrset(owner: str, content: str, kind: str = "A") -> dict[str, object]:
            return {"name": owner, "type": kind, "ttl": 300, "records": [{"content": content, "disabled": False}]}

        rrsets = [rrset(name, f"ns1.{name}", "NS"), rrset(f"ns1.{name}", "192.0.2.1")]
        rrsets += [rrset(f"h{n}.{name}", address(n)) for n in range(hosts)]
        client("POST", self._AT, {"name": name, "kind": "Master", "dnssec": True, "rrsets": rrsets})

    def change(self, client: Client, name: str, number: int) -> None:
        rrset = {
            "name": f"h0.{name}",
            "type": "A",
            "ttl": 300,
            "changetype": "REPLACE",
            "records": [{"content": address(number), "disabled": False}],
        }
        client("PATCH", f"{self._AT}/{name}", {"rrsets": [rrset]})

    def read(self, client: Client, name: str) -> bytes:
        return client("GET", f"{self._AT}/{name}")


@contextmanager
def arca(folder: Path) -> Iterator[Server]:
    """A controller on SQLite."""
    forks = Forks()
    controller = Controller(forks, "sqlite", {"path": str(folder / "state.sqlite")}, folder)
    controller.init()
    controller.start(exec=True)
    try:
        yield Arca(controller.port)
    finally:
        controller.stop()
        forks.close()


@contextmanager
def powerdns(folder: Path) -> Iterator[Server]:
    """PowerDNS on SQLite."""
    program = shutil.which("pdns_server", path="/usr/sbin:/usr/bin")
    schema = next((Path(name) for name in _SCHEMAS if Path(name).exists()), None)
    if program is None or schema is None:
        raise SystemExit("PowerDNS is missing: install pdns-server and pdns-backend-sqlite3")
    folder.mkdir()
    database = folder / "pdns.sqlite3"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(schema.read_text())
    port = free_tcp_port()
    settings = {
        "launch": "gsqlite3",
        "gsqlite3-database": str(database),
        "gsqlite3-dnssec": "yes",
        "local-address": "127.0.0.1",
        "local-port": str(free_tcp_port()),
        "api": "yes",
        "api-key": KEY,
        "webserver-address": "127.0.0.1",
        "webserver-port": str(port),
        "webserver-loglevel": "none",
        "loglevel": "3",
        "primary": "yes",
        "default-soa-content": "ns1.@ hostmaster.@ 0 10800 3600 604800 3600",
        "socket-dir": str(folder),
        "setuid": "",
        "setgid": "",
    }
    (folder / "pdns.conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, f"--config-dir={folder}"], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                with closing(PowerDns(port).client()) as client:
                    client("GET", "/api/v1/servers/localhost")
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"PowerDNS does not start:\n{(folder / 'log').read_text()}") from None
                time.sleep(0.1)
        yield PowerDns(port)
    finally:
        process.terminate()
        process.wait()


def rate(server: Server, clients: int, seconds: float, work: Callable[[Client, int, Random], None]) -> float:
    """Operations a second of so many clients."""
    counts = [0] * clients
    stop = time.perf_counter() + seconds

    def run(index: int) -> None:
        chance = Random(index)
        with closing(server.client()) as client:
            while time.perf_counter() < stop:
                work(client, counts[index] * clients + index, chance)
                counts[index] += 1

    threads = [threading.Thread(target=run, args=(index,)) for index in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - began)


def measure(server: Server, zones: int, seconds: float) -> Iterator[tuple[str, float]]:
    """Each line's name and figure."""
    with closing(server.client()) as client:
        began = time.perf_counter()
        for number in range(_CREATED):
            server.create(client, f"c{number}.example.", _HOSTS)
        yield f"create {_CREATED:,} zones of 10 records", _CREATED / (time.perf_counter() - began)
        server.fill(client, iter(f"z{number}.example." for number in range(_CREATED, zones)))
        server.create(client, "large.example.", _LARGE - 2)
    names = [f"c{number}.example." for number in range(min(_CREATED, zones))]
    names += [f"z{number}.example." for number in range(_CREATED, zones)]

    def change(client: Client, number: int, chance: Random) -> None:
        server.change(client, chance.choice(names), number)

    for clients in (1, _CLIENTS):
        yield (
            f"change a record in one of {zones:,} zones, {clients} client{'s' * (clients > 1)}",
            rate(server, clients, seconds, change),
        )
    for name, size in (("c1.example.", "10"), ("large.example.", f"{_LARGE:,}")):
        yield (
            f"read a zone of {size} records",
            rate(
                server,
                1,
                seconds,
                lambda client, _number, _chance, name=name: (server.read(client, name), None)[1],  # type: ignore[misc]
            ),
        )


def main() -> None:
    """Print the table."""
    numbers = [float(word) for word in sys.argv[1:]]
    zones = int(numbers[0]) if numbers else ZONES
    seconds = numbers[1] if len(numbers) > 1 else SECONDS
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name, start in (("arca", arca), ("powerdns", powerdns)):
            with start(Path(folder) / name) as server:
                found.append(list(measure(server, zones, seconds)))
    print("| a second | arca.dns | PowerDNS | ratio |\n|---|---|---|---|")
    for (title, ours), (_title, theirs) in zip(*found, strict=True):
        print(f"| {title} | {ours:,.1f} | {theirs:,.1f} | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
