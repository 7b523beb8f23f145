# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""A day of an edge in minutes: does the agent's or the health check's memory grow, do files or sockets leak?

Everything is real: a controller on SQLite, NSD, BIRD, ``arca-dns-agent`` and ``arca-dns-health``, in a network
namespace of their own. Time is compressed by doing what a day brings without the pauses: in each simulated hour the
health check runs as many rounds as in an hour at its production interval (2 s), the agent takes a new head for each of
60 changes, 24 zones come and go, NSD is killed once, and the controller is stopped once.

``soak.py [--hours 24] [--rounds 1800] [--changes 60] [--zones 24] [--json FILE]``: needs root. A line for each hour;
memory is what the process has for itself (private pages, in MiB). The verdict compares the last hour with the middle:
growth in percent of an hour's memory, and files and sockets exactly. Exits with 1 if memory grew by more than 5 % or
anything leaked.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from propagation_servers import AGENT, Failed, agent_config, process

from running_bird import render
from running_controller import Connection, Controller, Forks
from running_nsd import RunningNsd, tool

#: The daemon as it is, but for its pace, which no configuration may set so high.
HEALTH = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from arca_dns_health import cli, daemon, log
log.configure()
asyncio.run(cli._serve(replace(cli._settings(Path(sys.argv[1])), pace=daemon.Pace(0.005, 0.005))))
"""
PREFIX = "203.0.113.53/32"
_INSIDE = "ARCA_SOAK_INSIDE"
_PATIENCE = 60.0
_GROWTH = 0.05
_LOOKS = 100
_ZONE = {
    "soa": {"mname": "ns.example.net."},
    "records": [
        {"name": "@", "type": "NS", "value": "ns.example.net."},
        *({"name": f"h{number}", "type": "A", "value": f"192.0.2.{number}"} for number in range(1, 20)),
    ],
}


@dataclass(frozen=True)
class Used:
    """What a process holds: private memory in MiB, open files, sockets among them, threads."""

    memory: float
    files: int
    sockets: int
    threads: int

    @classmethod
    def of(cls, pid: int) -> Used:
        """What *pid* has of its own: of several looks the least, as probes and requests come and go."""
        folder = Path(f"/proc/{pid}")
        lines = (folder / "smaps_rollup").read_text().splitlines()[1:]
        rollup = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        memory = (rollup["Private_Clean"] + rollup["Private_Dirty"]) / 1024
        seen = []
        for _look in range(_LOOKS):
            targets = [_target(link) for link in (folder / "fd").iterdir()]
            seen.append((len(targets), sum(target.startswith("socket:") for target in targets)))
            time.sleep(0.003)
        return cls(memory, *min(seen), len(list((folder / "task").iterdir())))


def _target(link: Path) -> str:
    try:
        return os.readlink(link)
    except FileNotFoundError:  # closed meanwhile
        return ""


class Edge:
    """An edge with its controller."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        forks = stack.enter_context(closing(Forks()))
        self.controller = Controller(forks, "sqlite", {"path": str(folder / "zones.db")}, folder)
        self.controller.init()
        self.controller.start()
        stack.callback(self.controller.kill)
        self.connection = stack.enter_context(closing(Connection(self.controller.port)))
        (folder / "nsd").mkdir()
        self.nsd = RunningNsd(folder / "nsd")
        config = self.nsd.directory / "nsd.conf"
        config.write_text(config.read_text().replace("server:\n", "server:\n    ip-address: 203.0.113.53@53\n", 1))
        self.nsd.start()
        stack.callback(self.nsd.stop)
        bird_state = folder / "bird"
        bird_state.mkdir()
        (folder / "bird.conf").write_text(
            render(bird_state, router_id="192.0.2.1", asn=64601, anycast_prefixes=[PREFIX], neighbors=[], bfd=False)
        )
        bird = [tool("bird", "bird2"), "-f", "-c", str(folder / "bird.conf"), "-s", str(folder / "bird.ctl")]
        stack.enter_context(process(bird, folder / "bird.log"))
        file = agent_config(folder / "agent", self.controller, self.nsd)
        settings = json.loads(file.read_text())
        settings["bird"] = {
            "socket_path": str(folder / "bird.ctl"),
            "anycast_prefixes": [PREFIX],
            "state_directory": str(bird_state),
        }
        settings["health"] |= {
            "timeout": "500ms",
            "hold_down": 1,
            "hold_down_max": 1,
            "state_directory": str(folder / "agent"),
        }
        file.write_text(json.dumps(settings))
        self.create("first.test")
        self.agent = stack.enter_context(process([*AGENT, "daemon", "--config", str(file)], folder / "agent.log"))
        self.health = stack.enter_context(process([sys.executable, "-c", HEALTH, str(file)], folder / "health.log"))
        self.state = folder / "agent" / "health.json"

    def ask(self, method: str, path: str, body: object = None) -> None:
        """A request to the controller that has to be taken. Raises :class:`Failed`."""
        self.connection.close()
        version = self.connection("GET", path).etag if method == "DELETE" else None
        done = self.connection(method, path, body, version=version)
        if done.status not in (200, 201, 202, 204):
            raise Failed(f"{method} {path}: {done.status} {done.body}")

    def create(self, zone: str) -> None:
        self.ask("POST", "/api/v1/zones", {"name": zone, **_ZONE})

    def change(self, number: int) -> None:
        self.connection.close()
        path = "/api/v1/zones/first.test"
        version = self.connection("GET", path).etag
        value = {"ttl": 60, "values": [f"198.51.100.{number % 250}"]}
        done = self.connection("PUT", f"{path}/rrsets/changing/A", value, version=version)
        if done.status != 200:
            raise Failed(f"a change was not taken: {done.status} {done.body}")

    def head(self) -> int:
        """The revision of the controller's head."""
        self.connection.close()
        return int(json.loads(str(self.connection("GET", "/api/v1/heads/stable").body["payload"]))["revision"])

    def served(self) -> int:
        """The revision that the agent has proved."""
        try:
            return int(json.loads((self.folder / "agent" / "status.json").read_bytes())["head"] or 0)
        except (OSError, ValueError, KeyError, TypeError):
            return 0

    def announced(self) -> bool:
        try:
            return bool(json.loads(self.state.read_bytes())["prefixes"][0]["wanted"] == "announced")
        except (OSError, ValueError, LookupError):
            return False

    def settle(self) -> None:
        """Wait until the edge serves what the controller has, and would announce it. Raises :class:`Failed`."""
        wanted = self.head()
        wait("the edge serves the newest head", lambda: self.served() >= wanted)
        wait("the health check would announce", self.announced)


def wait(what: str, probe: Callable[[], bool]) -> None:
    """Wait until *probe* is true. Raises :class:`Failed`."""
    deadline = time.monotonic() + _PATIENCE
    while not probe():
        if time.monotonic() > deadline:
            raise Failed(f"not within {_PATIENCE:g} s: {what}")
        time.sleep(0.02)


class Rounds:
    """Counts the rounds of the health check, each of which writes its state file anew."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._last = 0
        self.count = 0

    def look(self) -> None:
        try:
            found = self._file.stat().st_ino ^ self._file.stat().st_mtime_ns
        except FileNotFoundError:
            return
        if found != self._last:
            self._last = found
            self.count += 1

    def until(self, count: int) -> None:
        """Look until there were *count*."""
        while self.count < count:
            self.look()
            time.sleep(0.002)


def hour(edge: Edge, number: int, rounds: Rounds, options: argparse.Namespace) -> None:
    """What an hour brings."""
    for zone in range(options.zones):
        edge.create(f"z{zone}.h{number}.test")
        rounds.look()
    for change in range(options.changes):
        edge.change(number * options.changes + change)
        rounds.until(rounds.count + 3)
    for zone in range(options.zones):
        edge.ask("DELETE", f"/api/v1/zones/z{zone}.h{number}.test")
        rounds.look()
    edge.settle()
    edge.nsd.kill()
    time.sleep(0.3)
    edge.nsd.start()
    edge.controller.stop()
    time.sleep(0.3)
    edge.controller.start()
    edge.change(number)
    edge.settle()
    rounds.until(options.rounds * (number + 1))


def run(options: argparse.Namespace) -> int:
    """All hours, inside the namespace."""
    for command in ("link set lo up", f"addr add {PREFIX} dev lo"):
        subprocess.run(["ip", *command.split()], check=True)
    told: dict[str, list[Used]] = {"agent": [], "health check": []}
    print("| hour | agent MiB | files | sockets | threads | health check MiB | files | sockets | threads | s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="soak") as folder, ExitStack() as stack:
        edge = Edge(Path(folder), stack)
        edge.settle()
        rounds = Rounds(edge.state)
        for number in range(options.hours):
            began = time.monotonic()
            hour(edge, number, rounds, options)
            figures = []
            for name, daemon in (("agent", edge.agent), ("health check", edge.health)):
                if daemon.poll() is not None:
                    raise Failed(f"the {name} has ended")
                used = Used.of(daemon.pid)
                told[name].append(used)
                figures.append(f"{used.memory:.1f} | {used.files} | {used.sockets} | {used.threads}")
            print(f"| {number + 1} | {' | '.join(figures)} | {time.monotonic() - began:.0f} |", flush=True)
        for daemon in (edge.health, edge.agent):
            daemon.send_signal(signal.SIGTERM)
    if options.json:
        options.json.write_text(json.dumps({name: [asdict(one) for one in found] for name, found in told.items()}))
    return verdict(told)


def verdict(told: dict[str, list[Used]]) -> int:
    """Say whether anything grew; the exit status."""
    bad = 0
    for name, found in told.items():
        middle, last = found[len(found) // 2], found[-1]
        growth = last.memory / middle.memory - 1
        same = (middle.files, middle.sockets) == (last.files, last.sockets)
        print(
            f"{name}: memory {growth:+.1%} from hour {len(found) // 2 + 1} to {len(found)};"
            f" files and sockets {'the same' if same else 'NOT the same'}"
        )
        bad |= growth > _GROWTH or not same
    return int(bad)


def main() -> int:
    """Go into a namespace and run."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hours", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=1800, help="of the health check in an hour")
    parser.add_argument("--changes", type=int, default=60, help="of a zone in an hour")
    parser.add_argument("--zones", type=int, default=24, help="that come and go in an hour")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if _INSIDE not in os.environ:
        done = subprocess.run(["unshare", "--net", sys.executable, *sys.argv], env={**os.environ, _INSIDE: "1"})
        return done.returncode
    try:
        return run(options)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
