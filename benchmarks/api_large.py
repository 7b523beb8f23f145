# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""A large zone through the API of a controller of its own, on SQLite, and what others wait meanwhile.

A zone file is uploaded, the zone is paged through, searched, exported as a zone file and as JSON, and changed, while
one client reads a small zone and another one changes it all the time. Latencies are those of these two, in
milliseconds; memory is the peak of the controller and all its processes together, in MiB: resident, pages that
processes share counted in each. Sizes in records may be given, and ``unsigned``: ``api_large.py unsigned 1000000``.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

from bench_parse import zone

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from running_controller import KEY, Connection, Controller, Forks

SIZES = (50_000,)
PAGES = 20
_RECORDS_OF_A_NAME = 1.5
_PAGE = os.sysconf("SC_PAGE_SIZE")
_PIECE = 1 << 20
_SMALL = {
    "name": "small.test",
    "soa": {"mname": "ns.small.test."},
    "records": [
        {"name": "@", "type": "NS", "value": "ns.small.test."},
        {"name": "ns", "type": "A", "value": "192.0.2.1"},
    ],
}


class Others:
    """Clients who go on reading and changing a small zone, and what they wait."""

    def __init__(self, port: int, processes: Callable[[], float]) -> None:
        self._stop = Event()
        self._port = port
        self._processes = processes
        self.reads: list[float] = []
        self.writes: list[float] = []
        self.peak = 0.0
        self.failures: list[str] = []
        self._threads = [Thread(target=self._run, args=(work,)) for work in (self._read, self._write)]
        self._threads.append(Thread(target=self._watch))

    def __enter__(self) -> Others:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, work: Callable[[Connection, int], None]) -> None:
        number = 0
        with closing(Connection(self._port)) as connection:
            while not self._stop.wait(0.02):
                try:
                    work(connection, number)
                except (OSError, http.client.HTTPException) as error:
                    self.failures.append(str(error))
                number += 1

    def _read(self, connection: Connection, _number: int) -> None:
        self.reads.append(self._timed(connection, "GET", "/api/v1/zones/small.test"))

    def _write(self, connection: Connection, number: int) -> None:
        path = "/api/v1/zones/small.test/rrsets/www/A"
        body = {"ttl": 60, "values": [f"192.0.2.{number % 250}"]}
        self.writes.append(self._timed(connection, "PUT", path, body))

    def _timed(self, connection: Connection, method: str, path: str, body: object = None) -> float:
        began = time.perf_counter()
        status = ask(connection, method, path, body)
        if status != 200:
            self.failures.append(f"{method} {path}: {status}")
        return (time.perf_counter() - began) * 1000

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            self.peak = max(self.peak, self._processes())


def ask(connection: Connection, method: str, path: str, body: object = None) -> int:
    connection._http.request(
        method,
        path,
        None if body is None else json.dumps(body),
        {"X-API-Key": KEY, "Content-Type": "application/json", "If-Match": "*"},
    )
    with connection._http.getresponse() as answer:
        answer.read()
        return answer.status


def family(pid: int) -> Iterator[int]:
    """*pid* and the processes below it."""
    yield pid
    try:
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text().split()
        ]
    except OSError:
        return
    for child in children:
        yield from family(child)


def resident(pid: int) -> float:
    """MiB that the processes of *pid* have in memory."""
    total = 0
    for one in family(pid):
        try:
            total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            continue
    return total / 2**20


def upload(port: int, file: Path) -> str:
    """Create the zone of *file*."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=3600)) as connection, file.open("rb") as body:
        headers = {"X-API-Key": KEY, "Content-Type": "text/plain", "Content-Length": str(file.stat().st_size)}
        connection.request("POST", "/api/v1/zones/raw", body, headers)
        answer = connection.getresponse()
        text = answer.read()
    told = json.loads(text)
    if answer.status != 201 or not told["published"]:
        raise SystemExit(f"the upload failed: {answer.status} {text[:500]!r}")
    return f"{file.stat().st_size / 2**20:.0f} MiB"


def download(port: int, path: str) -> str:
    """Read all of *path*."""
    size = 0
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=3600)) as connection:
        connection.request("GET", path, headers={"X-API-Key": KEY})
        answer = connection.getresponse()
        while piece := answer.read(_PIECE):
            size += len(piece)
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return f"{size / 2**20:.0f} MiB"


def pages(port: int, path: str) -> str:
    """The first pages of a list, by its cursor."""
    after, rows = "", 0
    with closing(Connection(port)) as connection:
        for _page in range(PAGES):
            answer = connection("GET", f"{path}&after={after}").body
            found = answer.get("rrsets") or answer.get("results") or []
            rows += len(found) if isinstance(found, list) else 0
            if answer["next"] is None:
                break
            after = str(answer["next"])
    return f"{rows} RRsets"


def change(port: int) -> str:
    """One change of the large zone."""
    with closing(Connection(port)) as connection:
        status = ask(connection, "PUT", "/api/v1/zones/example/rrsets/changed/A", {"values": ["192.0.2.7"]})
    return str(status)


def share(values: list[float], part: float) -> float:
    """The value that *part* of *values* do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def measure(size: int, folder: Path, *, signed: bool) -> Iterator[tuple[str, ...]]:
    """The rows of one size."""
    file = folder / "zone"
    with file.open("w") as stream:
        stream.writelines(zone("host", int(size / _RECORDS_OF_A_NAME)))
    forks = Forks()
    options: dict[str, object] = {"path": str(folder / "state.sqlite")}
    controller = Controller(forks, "sqlite", options, folder, dnssec={"enabled": signed})
    controller.init()
    controller.start(exec=True)
    port, pid = controller.port, controller._pid
    assert pid is not None
    try:
        with closing(Connection(port)) as connection:
            assert connection("POST", "/api/v1/zones", _SMALL).status == 201
        at = "/api/v1/zones/example"
        jobs: list[tuple[str, Callable[[], str]]] = [
            ("nothing else", lambda: time.sleep(5) or ""),  # type: ignore[func-returns-value]
            ("upload", lambda: upload(port, file)),
            (f"{PAGES} pages of 1,000", lambda: pages(port, f"{at}/rrsets?limit=1000")),
            (f"search, {PAGES} pages", lambda: pages(port, "/api/v1/search?value=*nothing*&limit=1000")),
            ("one change", lambda: change(port)),
            ("export, zone file", lambda: download(port, f"{at}/raw")),
            ("export, JSON", lambda: download(port, at)),
        ]
        for name, job in jobs:
            began = time.perf_counter()
            with Others(port, lambda: resident(pid)) as others:
                said = job()
                seconds = time.perf_counter() - began
            if others.failures:
                raise SystemExit(f"others met failures: {others.failures[:3]}")
            latencies = [
                f"{share(found, part):.0f}" for found in (others.reads, others.writes) for part in (0.5, 0.99, 1)
            ]
            yield (f"{size:,}", name, f"{seconds:.2f}", said, *latencies, f"{others.peak:.0f}")
    finally:
        controller.stop()
        forks.close()


def main() -> None:
    """Print the table."""
    words = sys.argv[1:]
    signed = "unsigned" not in words
    sizes = [int(word) for word in words if word.isdigit()] or SIZES
    titles = ("records", "work", "s", "", "read p50", "p99", "max", "write p50", "p99", "max", "MiB")
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for row in measure(size, Path(folder), signed=signed):
                print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
