# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Real BIRDs in network namespaces of their own, with the configuration that role bird renders for them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import time
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.filter.core import FilterModule as Filters
from ansible.plugins.test.core import TestModule as Tests
from jinja2 import Environment, FileSystemLoader

from arca_dns_health.bird import Bird
from arca_dns_health.modes import Mode
from running_nsd import tool

ROLE = Path(__file__).parents[2] / "roles" / "bird"


def render(state: Path, **variables: Any) -> str:
    """What the role writes, with *variables* in the place of its defaults; *state* is the health check's folder."""
    environment = Environment(loader=FileSystemLoader(ROLE / "templates"), trim_blocks=True, keep_trailing_newline=True)
    environment.filters.update({name: Filters().filters()[name] for name in ("regex_replace",)})
    environment.tests.update({name: Tests().tests()[name] for name in ("search", "match")})
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    given = {f"arca_dns_bird_{name}": value for name, value in variables.items()}
    values = {**defaults, **given, "ansible_managed": "rendered", "arca_dns_bird__state_directory": str(state)}
    return environment.get_template(f"{values['arca_dns_bird_mode']}.conf.j2").render(values)


class Node:
    """A host of its own: a network namespace, and BIRD in it once it is started."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory / name
        self.state = self.directory / "state"
        self.state.mkdir(parents=True)
        self.namespace = f"arca-{os.getpid()}-{name}"
        self.socket = self.directory / "bird.ctl"
        self._process: subprocess.Popen[bytes] | None = None
        _ip("netns", "add", self.namespace)
        _ip("-n", self.namespace, "link", "set", "lo", "up")

    def link(self, other: Node, network: int) -> None:
        """Connect the two: this end is 10.98.*network*.1, the other one .2."""
        ends = [(self, f"to-{other.name}", 1), (other, f"to-{self.name}", 2)]
        veth = [f"{name} netns {node.namespace}".split() for node, name, _ in ends]
        _ip("link", "add", *veth[0], "type", "veth", "peer", "name", *veth[1])
        for node, name, last in ends:
            _ip("-n", node.namespace, "addr", "add", f"10.98.{network}.{last}/30", "dev", name)
            _ip("-n", node.namespace, "link", "set", name, "up")

    def write(self, **variables: Any) -> None:
        """Write the configuration that the role renders of *variables*."""
        text = render(self.state, router_id=f"10.98.255.{len(self.name)}", connect_retry_time=1, **variables)
        (self.directory / "bird.conf").write_text(text)

    def start(self) -> None:
        command = ["ip", "netns", "exec", self.namespace, tool("bird", "bird2"), "-f"]
        command += ["-c", str(self.directory / "bird.conf"), "-s", str(self.socket)]
        with open(self.directory / "log", "ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(f"{self.name}'s BIRD answers", lambda: self.socket.exists() and "ready" in self.birdc("show status"))

    def configure(self, **variables: Any) -> None:
        """Write another configuration and load it as the role does."""
        self.write(**variables)
        assert "Reconfigur" in self.birdc("configure")

    def birdc(self, command: str) -> str:
        """What BIRD answers to *command*."""
        argv = [tool("birdc", "bird2"), "-s", str(self.socket), *command.split()]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def bird(self, *prefixes: str) -> Bird:
        """The health check's view of it."""
        return Bird.at(str(self.socket), self.state, [ip_network(prefix) for prefix in prefixes])

    def bring(self, prefix: str, mode: Mode) -> None:
        """Announce *prefix* in *mode*, as the health check does."""
        asyncio.run(self.bird(prefix).set(ip_network(prefix), mode))

    def route(self, prefix: str) -> dict[str, str]:
        """BIRD's best route for *prefix*: its BGP attributes by name; empty if there is none."""
        shown = self.birdc(f"show route {prefix} primary all")
        return dict(re.findall(r"^\s+(?:BGP\.)?(\w+): ?(.*)$", shown, re.M))

    def session(self, name: str) -> tuple[str, str]:
        """A session's state and since when it is so."""
        line = next(line for line in self.birdc("show protocols").splitlines() if line.startswith(f"{name} "))
        words = line.split()
        return words[-1], words[4]

    def withdrawals(self, name: str) -> int:
        """How many routes were withdrawn by the neighbour of a session."""
        found = re.search(r"Import withdraws:\s+(\d+)", self.birdc(f"show protocols all {name}"))
        assert found is not None
        return int(found[1])

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
        _ip("netns", "del", self.namespace)


def until(what: str, probe: Callable[[], object], seconds: float = 15) -> None:
    """Wait until *probe* is true."""
    deadline = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def _ip(*words: str) -> None:
    done = subprocess.run([tool("ip", "iproute2"), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()} (network namespaces need root)"
