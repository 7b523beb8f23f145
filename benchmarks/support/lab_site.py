# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab as the drills see it: a platform with several edges, its router's view of them, load from its client."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "lab"))

from arca_lab.api import Lab

ROOT = Path(__file__).parents[2]
PREFIX = "203.0.113.53"
ZONE = "arca.example."
EDGES = ("edge1", "edge2", "edge3")
_EDGE = re.compile(r" dev (edge\d+)")


class DrillError(Exception):
    """The lab did not do what a drill needs."""


@dataclass(frozen=True)
class Query:
    """One query of the load; *seconds* is ``None`` if it was lost."""

    sent: float
    seconds: float | None
    server: str
    transport: str


class Load:
    """Queries from the client at a steady rate, until :meth:`stop`."""

    def __init__(self, rate: int, tcp_share: float) -> None:
        script = Path(__file__).with_name("dns_load.py")
        self._process = subprocess.Popen(
            [*_inside("client"), sys.executable, str(script), PREFIX, ZONE, str(rate), str(tcp_share)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self._lines.extend(self._process.stdout)

    def stop(self) -> list[Query]:
        """End the load; returns all queries."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)
        self._reader.join(30)
        return [Query(*json.loads(line)) for line in self._lines]


@dataclass
class Routes:
    """What the router's kernel has of the prefix, as it changes: (unix time, edges)."""

    changes: list[tuple[float, frozenset[str]]] = field(default_factory=list)

    def at(self, moment: float) -> frozenset[str]:
        """The edges at *moment*."""
        before = [edges for when, edges in self.changes if when <= moment]
        return before[-1] if before else frozenset()

    def lost(self, edge: str, since: float) -> float | None:
        """When *edge* was first gone after *since*."""
        return next((when for when, edges in self.changes if when >= since and edge not in edges), None)

    def back(self, edge: str, since: float) -> float | None:
        """When *edge* was first there after *since*."""
        return next((when for when, edges in self.changes if when >= since and edge in edges), None)


class RouteMonitor:
    """Follows the routes on the router, by the kernel's own messages."""

    def __init__(self) -> None:
        self.routes = Routes([(time.time(), router_has())])
        self._process = subprocess.Popen(
            [*_inside("router"), "ip", "-o", "-ts", "-4", "monitor", "route"], stdout=subprocess.PIPE, text=True
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            stamp, _bracket, text = line.removeprefix("[").partition("]")
            words = text.split()
            if PREFIX not in words and f"{PREFIX}/32" not in words:
                continue
            edges = frozenset() if words[0] == "Deleted" else frozenset(_EDGE.findall(text))
            self.routes.changes.append((datetime.fromisoformat(stamp).timestamp(), edges))

    def close(self) -> None:
        """Follow them no more."""
        self._process.terminate()
        self._process.wait(10)


def _inside(host: str) -> list[str]:
    return ["ip", "netns", "exec", f"lab-{host}"]


def router_has() -> frozenset[str]:
    """The edges to which the router sends the prefix now."""
    argv = [*_inside("router"), "ip", "-o", "-4", "route", "show", PREFIX]
    return frozenset(_EDGE.findall(subprocess.run(argv, capture_output=True, text=True, check=True).stdout))


class Site:
    """The platform in the lab."""

    def __init__(self, edges: int) -> None:
        self.lab = Lab()
        self.edges = EDGES[:edges]
        #: What decides on the edges whether a prefix is announced.
        self.health_unit = "arca-dns-health"

    def bring_up(self) -> None:
        """The lab with its edges, converged by the collection's own playbook."""
        self.lab.up(self.edges and len(self.edges))
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        argv = ["ansible-playbook", "-i", str(ROOT / "inventories/lab"), "playbooks/site.yml"]
        done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise DrillError(f"site.yml failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
        self.settle()

    def settle(self, seconds: float = 120) -> None:
        """Wait until all edges announce. Raises :class:`DrillError`."""
        self.wait(lambda: router_has() == frozenset(self.edges), seconds, "all edges announce")

    def wait(self, probe: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until *probe* is true. Raises :class:`DrillError`."""
        deadline = time.monotonic() + seconds
        while not probe():
            if time.monotonic() > deadline:
                raise DrillError(f"not within {seconds:g} s: {what} (the router has {sorted(router_has())})")
            time.sleep(0.05)

    def on(self, host: str, command: str, *, check: bool = True, timeout: float = 120) -> str:
        """Run a shell line on a host; returns what it printed."""
        done = self.lab.exec(host, command, timeout=timeout)
        if check and not done.ok:
            raise DrillError(f"{host}: {command}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    @contextmanager
    def kept_down(self, host: str, unit: str) -> Iterator[None]:
        """Nothing restarts *unit* meanwhile; it is started again in the end."""
        folder = f"/run/systemd/system/{unit}.service.d"
        self.on(host, f"mkdir -p {folder}; printf '[Service]\\nRestart=no\\n' >{folder}/drill.conf")
        self.on(host, "systemctl daemon-reload")
        try:
            yield
        finally:
            self.on(host, f"rm -f {folder}/drill.conf; systemctl daemon-reload; systemctl start {unit}", timeout=180)

    def on_all(self, hosts: Sequence[str], command: str) -> None:
        """The same on several hosts, as good as at once."""
        threads = [threading.Thread(target=self.on, args=(host, command)) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
