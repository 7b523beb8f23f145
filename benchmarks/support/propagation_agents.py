# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""How fast a change reaches very many edges: one controller, a thousand agents, one head after the other.

The agents are simulated in a process of their own: each has its connection and does what an agent does, in its order:
a long poll for the next head, then the catalog's root (the edges of a small change need little more), then an
attestation. The controller is as it is installed, on SQLite. Times are from the moment at which the writer sends its
change until the agent has the new head, all that it needs of it, and the controller has its attestation.

The controller's CPU is its own, in percent of one core: idle (all agents wait, long polls end and begin anew, one
attestation a minute each), and while heads move.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from running_controller import KEY, Connection, Controller, Forks

_IDLE_SECONDS = 30.0
_POLL_SECONDS = 10.0
_ATTEST_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_ZONE = {
    "name": "moves.test",
    "soa": {"mname": "ns.moves.test."},
    "records": [
        {"name": "@", "type": "NS", "value": "ns.moves.test."},
        {"name": "ns", "type": "A", "value": "192.0.2.1"},
        *({"name": f"h{n}", "type": "A", "value": f"192.0.2.{n}"} for n in range(2, 10)),
    ],
}


class Agent:
    """One edge's conversation with the controller, over one connection."""

    def __init__(self, number: int, count: int, port: int) -> None:
        self.name = f"edge{number}"
        self._share = number / count
        self._port = port
        self._head = f"Host: 127.0.0.1:{port}\r\nAuthorization: Bearer {KEY}\r\n"
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._attested = 0.0

    async def _ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        if self._writer is None or self._reader is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        kind = "Content-Type: application/json\r\n" if body else ""
        request = f"{method} /api/v1{path} HTTP/1.1\r\n{self._head}{kind}Content-Length: {len(body)}\r\n\r\n"
        self._writer.write(request.encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        status = int(head.split(" ", 2)[1])
        if "transfer-encoding: chunked" in head:
            parts = []
            while size := int((await self._reader.readline()).strip(), 16):
                parts.append(await self._reader.readexactly(size))
                await self._reader.readline()
            await self._reader.readline()
            return status, b"".join(parts)
        length = head.partition("content-length: ")[2].partition("\r\n")[0]
        return status, await self._reader.readexactly(int(length or 0))

    async def follow(self, revision: int, tell: multiprocessing.Queue[tuple[str, int, float]]) -> None:
        """Follow the head for ever; tells when a new one, its content and its attestation are there."""
        await asyncio.sleep(self._share * 2)  # they did not all begin at once
        self._attested = time.time() - _ATTEST_SECONDS * self._share
        while True:
            status, body = await self._ask("GET", f"/heads/stable?after={revision}&timeout={_POLL_SECONDS:g}")
            now = time.time()
            if status == 304:
                if now - self._attested > _ATTEST_SECONDS:
                    await self._attest(revision)
                continue
            head = json.loads(json.loads(body)["payload"])
            revision = head["revision"]
            tell.put(("head", revision, now))
            await self._ask("POST", "/blobs/fetch", json.dumps({"digests": [head["catalog"]]}).encode())
            tell.put(("content", revision, time.time()))
            await self._attest(revision)
            tell.put(("attested", revision, time.time()))

    async def _attest(self, revision: int) -> None:
        report = {"head": revision, "zones": [{"name": "moves.test.", "serial": revision}], "failures": []}
        await self._ask("PUT", f"/edges/{self.name}/attestation", json.dumps(report).encode())
        self._attested = time.time()


def agents(count: int, port: int, revision: int, tell: multiprocessing.Queue[tuple[str, int, float]]) -> None:
    """The process of all agents."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)

    async def everybody() -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(Agent(number, count, port).follow(revision, tell))

    asyncio.run(everybody())


def cpu_seconds(pid: int) -> float:
    """What a process has used of the CPU."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def revision_of(connection: Connection) -> int:
    """The revision of the head."""
    return int(json.loads(str(connection("GET", "/api/v1/heads/stable").body["payload"]))["revision"])


def table(count: int, changes: int) -> None:
    """Measure *changes* with *count* agents and print the table."""
    with tempfile.TemporaryDirectory() as folder, closing(Forks()) as forks:
        controller = Controller(forks, "sqlite", {"path": f"{folder}/zones.db"}, Path(folder))
        controller.init()
        controller.start()
        connection = Connection(controller.port)
        connection("POST", "/api/v1/zones", _ZONE)
        spawn = multiprocessing.get_context("spawn")  # a fork would keep this process's pipes open
        tell: multiprocessing.Queue[tuple[str, int, float]] = spawn.Queue()
        crowd = spawn.Process(target=agents, args=(count, controller.port, revision_of(connection), tell), daemon=True)
        crowd.start()
        time.sleep(8.0)
        used, began = cpu_seconds(controller.pid), time.monotonic()
        time.sleep(_IDLE_SECONDS)
        idle = (cpu_seconds(controller.pid) - used) / (time.monotonic() - began)
        found: dict[str, list[float]] = {"head": [], "content": [], "attested": []}
        last: dict[str, list[float]] = {"head": [], "content": [], "attested": []}
        used, began = cpu_seconds(controller.pid), time.monotonic()
        for number in range(changes):
            value = {"ttl": 60, "values": [f"198.51.100.{number % 250 + 1}"]}
            connection.close()  # the controller has closed it meanwhile
            etag = connection("GET", "/api/v1/zones/moves.test").etag
            sent = time.time()
            done = connection("PUT", "/api/v1/zones/moves.test/rrsets/www/A", value, version=etag)
            if done.status != 200:
                raise RuntimeError(f"the change was not taken: {done.body}")
            waiting = dict.fromkeys(found, count)
            this: dict[str, list[float]] = {kind: [] for kind in found}
            while any(waiting.values()):
                kind, _revision, when = tell.get(timeout=60)
                waiting[kind] -= 1
                this[kind].append(when - sent)
            for kind, values in this.items():
                found[kind] += values
                last[kind].append(max(values))
        busy = (cpu_seconds(controller.pid) - used) / (time.monotonic() - began)
        crowd.terminate()
        crowd.join()
        controller.kill()
    print(f"{count} agents, {changes} changes; seconds after the change was sent")
    print("| all agents have | p50 | p99 | last of all, median | worst |")
    print("|---|---|---|---|---|")
    for kind, title in (("head", "the new head"), ("content", "what it needs"), ("attested", "attested it")):
        p99 = quantiles(found[kind], n=100)[98]
        print(f"| {title} | {median(found[kind]):.2f} | {p99:.2f} | {median(last[kind]):.2f} | {max(last[kind]):.2f} |")
    print(f"\nthe controller's CPU: idle {idle:.0%} of a core, while heads move {busy:.0%}")
