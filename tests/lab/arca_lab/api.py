# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab as an object: what the command ``lab`` and the end-to-end tests call.

::

    lab = Lab()
    lab.up()
    lab.exec("client", "dig +short @203.0.113.53 example.org").stdout
    lab.cut("edge1")

Building, booting and removing take the machine-wide lock; ``exec``, ``cut`` and ``heal`` do not.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import base, container, disk, inventory, machine, network, packages, ssh, wheels
from .boot import wait_ready
from .errors import CommandFailed, LabError, NotRunning
from .settings import Settings
from .shell import Progress
from .topology import DEFAULT_EDGES, MAX_EDGES, Host, Topology

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """What a command on a host came to."""

    status: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether the exit status was 0."""
        return self.status == 0


@dataclass(frozen=True)
class HostStatus:
    """One line of ``lab status``."""

    name: str
    state: str  # what systemd says (running, degraded, starting …), "booting" before ssh answers, or "down"
    address: str
    uplink: str  # "up", "cut", or "-" for a host without one
    uptime_seconds: float | None
    memory_bytes: int | None

    @property
    def is_up(self) -> bool:
        """Whether the host does its work: up, with every unit started."""
        return self.state == "running"


class Lab:
    """The lab of this machine."""

    def __init__(self, settings: Settings | None = None, progress: Progress | None = None) -> None:
        self.settings = settings or Settings.from_environment()
        self.progress = progress or Progress(quiet=True)

    # What there is

    @property
    def topology(self) -> Topology:
        """The hosts of the lab that is up; raises `NotRunning`."""
        marker = self._marker()
        if marker is None:
            raise NotRunning("the lab is down: start it with 'tests/lab/lab up'")
        return Topology(marker)

    def _marker(self) -> int | None:
        """The number of edges of the running lab; raises `LabError` if it is another state directory's."""
        try:
            content = json.loads(self.settings.marker.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        if content["state"] != str(self.settings.state):
            raise LabError(f"this machine runs the lab of {content['state']}: set ARCA_LAB_DIR={content['state']}")
        return int(content["edges"])

    def _write_marker(self, topology: Topology) -> None:
        self.settings.runtime.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"state": str(self.settings.state), "edges": topology.edges})
        self.settings.marker.write_text(text + "\n", encoding="utf-8")

    def is_running(self, host: Host) -> bool:
        """Whether the host's PID 1 lives, in its network namespace."""
        return container.init_pid(self.settings, host) is not None and network.exists(host.namespace)

    def status(self) -> list[HostStatus]:
        """One entry per host of the lab that is up."""
        return self._each(self.topology.hosts, self._status)

    def _status(self, host: Host) -> HostStatus:
        pid = container.init_pid(self.settings, host)
        state = "down"
        if pid is not None:
            state = self._system_state(host) or "booting"
        uplink = "-"
        if host.uplink is not None:
            uplink = "cut" if network.is_cut(host) else "up"
        return HostStatus(
            name=host.name,
            state=state,
            address=host.address,
            uplink=uplink,
            uptime_seconds=container.uptime(pid) if pid is not None else None,
            memory_bytes=container.memory(self.settings, host) if pid is not None else None,
        )

    def _system_state(self, host: Host) -> str:
        """What systemd on the host says; empty when the host does not answer."""
        try:
            return self.exec(host.name, "systemctl is-system-running", timeout=5).stdout.strip()
        except subprocess.TimeoutExpired:
            return ""

    # Up and down

    def up(self, edges: int | None = None, *, lists: Collection[str] = ()) -> None:
        """Bring the whole lab up, with ``edges`` edges (as many as now, or 2); quick when it is up already.

        Hosts are offered the packages of *lists* beside those that roles install.
        """
        machine.require_root()
        machine.install_needed(self.progress)
        with machine.locked(self.settings, self.progress):
            before = self._marker()
            topology = Topology(edges or before or DEFAULT_EDGES)
            root, wheel = self._build(lists)
            container.mount_cgroups(self.settings)
            authorized_key = ssh.ensure_key(self.settings)
            surplus = [
                h for h in Topology(before or DEFAULT_EDGES).hosts if h not in topology.hosts and h.role == "edge"
            ]
            self._each(surplus, self._destroy)
            network.ensure_switch(topology.bridges)
            self._write_marker(topology)
            waiting = [host for host in topology.hosts if not self._keeps(host, root)]
            for host in waiting:
                place = disk.disk_of(self.settings, host)
                if not disk.is_made(place, host, root):
                    container.clear(self.settings, host)
                    disk.make(place, host, root, authorized_key)
            ssh.write_config(self.settings, topology)
            router = topology.host("router")
            if router not in waiting and network.plug_missing(router):
                self.exec(router.name, "lab-network", check=True)
            if waiting:
                with self.progress.step(f"booting {', '.join(host.name for host in waiting)}"):
                    self._each(waiting, lambda host: self._boot(host, root))
            base.forget_old_bases(self.settings)
            self._each(topology.hosts, self._refresh_apt)
            inventory.write(self.settings, inventory.inventory(self.settings, topology, wheel))

    def _build(self, lists: Collection[str]) -> tuple[Path, wheels.ProjectWheel]:
        """Base root, packages and wheels; what waits for the network waits at the same time."""
        with ThreadPoolExecutor(max_workers=1) as pool:
            wheel = pool.submit(wheels.build_wheels, self.settings, self.progress)
            root = base.build_base(self.settings, self.progress)
            packages.build_packages(self.settings, self.progress, lists)
            return root, wheel.result()

    def _keeps(self, host: Host, root: Path) -> bool:
        """Whether the host runs well on the base root that is wanted, and may be left alone."""
        if not self.is_running(host) or not disk.is_made(disk.disk_of(self.settings, host), host, root):
            return False
        try:
            if self.exec(host.name, "true", timeout=10).ok:
                return True
        except subprocess.TimeoutExpired:
            pass
        self.progress.say(f"{host.name} runs but does not answer: starting it again")
        ssh.hang_up(self.settings, host)
        return False

    def _boot(self, host: Host, root: Path) -> None:
        place = disk.disk_of(self.settings, host)
        container.boot(self.settings, host, place, root)
        for warning in wait_ready(self.settings, host, place):
            self.progress.say(warning)

    def _refresh_apt(self, host: Host) -> None:
        """Let a host's apt know the packages that are offered now, as a server's apt would."""
        stamp, offered = "/var/lib/apt/lists/.lab-key", f"{base.PACKAGES_IN_HOST}/{packages.KEY_FILE}"
        self.exec(
            host.name,
            f"cmp -s {offered} {stamp} || {{ apt-get -qq update && cp {offered} {stamp}; }}",
            timeout=60,
            check=True,
        )

    def down(self, *, purge: bool = False) -> None:
        """Remove hosts, disks, networks, keys and the inventory; with ``purge`` caches and credentials too."""
        machine.require_root()
        with machine.locked(self.settings, self.progress):
            if self._marker() is not None or self.settings.state.exists():
                everybody = Topology(MAX_EDGES).hosts
                self._each(everybody, lambda host: ssh.hang_up(self.settings, host))
                if self.settings.marker.exists():
                    container.mount_cgroups(self.settings)
                self._each(everybody, lambda host: container.clear(self.settings, host))
                network.remove_all()
                container.remove_traces(self.settings)
            folders = [
                self.settings.hosts,
                self.settings.ssh,
                *([self.settings.cache, self.settings.credentials] if purge else []),
            ]
            for folder in folders:
                if folder.exists():
                    shutil.rmtree(folder)
            if purge and self.settings.state.is_dir() and not any(self.settings.state.iterdir()):
                self.settings.state.rmdir()
            if self.settings.runtime.exists():
                shutil.rmtree(self.settings.runtime)
            self.settings.inventory.unlink(missing_ok=True)

    def _destroy(self, host: Host) -> None:
        """Remove an edge that is not wanted any more."""
        ssh.hang_up(self.settings, host)
        container.clear(self.settings, host)
        network.remove_bridge(network.uplink_bridge(host))
        disk.remove(disk.disk_of(self.settings, host))

    def build_wheels(self) -> wheels.ProjectWheel:
        """Bring the folder of wheels up to date with the project's sources."""
        machine.require_root()
        machine.install_needed(self.progress)
        with machine.locked(self.settings, self.progress):
            wheel = wheels.build_wheels(self.settings, self.progress)
            if self._marker() is not None:
                inventory.write(self.settings, inventory.inventory(self.settings, self.topology, wheel))
            return wheel

    # Commands

    def exec(
        self, host: str, command: str | Sequence[str], *, stdin: str = "", timeout: float = 60.0, check: bool = False
    ) -> Result:
        """Run a command on a host: a string is a shell line, a sequence is kept word by word.

        Raises `CommandFailed` on a bad status if ``check``, and `subprocess.TimeoutExpired`.
        """
        argv = ssh.argv(self.settings, self.topology.host(host), command)
        return _finish(argv, stdin, timeout, check)

    def popen(self, host: str, command: str | Sequence[str]) -> subprocess.Popen[str]:
        """Start a command on a host, with pipes, for reading as it goes.

        Terminating the local process does not end the remote one unless that reads its standard input: end long
        runners on the host itself, or give them an end (``timeout 60 …``).
        """
        argv = ssh.argv(self.settings, self.topology.host(host), command)
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, bufsize=1)

    def run_argv(self, command: Sequence[str]) -> list[str]:
        """The command line that runs a command of the control node inside the management network."""
        if not network.exists(network.CONTROL):
            raise NotRunning("the lab is down: start it with 'tests/lab/lab up'")
        return ["nsenter", f"--net={network.namespace_path(network.CONTROL)}", "--", *command]

    def run(self, command: Sequence[str], *, stdin: str = "", timeout: float = 60.0, check: bool = False) -> Result:
        """Run a command of the control node inside the management network, where hosts can be reached by address."""
        return _finish(self.run_argv(command), stdin, timeout, check)

    # Things that break, and their repair

    def cut(self, host: str) -> None:
        """Let the host's uplink die silently: the carrier stays up, the management network too."""
        network.set_uplink(self.topology.host(host), up=False)

    def heal(self, host: str) -> None:
        """Bring a cut uplink back."""
        network.set_uplink(self.topology.host(host), up=True)

    def kill(self, host: str) -> None:
        """Kill the host's PID 1 with SIGKILL: the host is gone at once, its disk stays."""
        with machine.locked(self.settings, self.progress):
            target = self.topology.host(host)
            if not container.kill(self.settings, target):
                raise NotRunning(f"{host} is down already")
            ssh.hang_up(self.settings, target)

    def start(self, host: str) -> None:
        """Boot a host that is down, with the disk that it has; returns when it is up."""
        with machine.locked(self.settings, self.progress):
            target = self.topology.host(host)
            if self.is_running(target):
                raise LabError(f"{host} is up already")
            ssh.hang_up(self.settings, target)
            self._boot_again(target)

    def reboot(self, host: str) -> None:
        """Shut a host down in good order and boot it again, kernel state gone, disk kept; returns when it is up."""
        with machine.locked(self.settings, self.progress):
            target = self.topology.host(host)
            if not self.is_running(target):
                raise NotRunning(f"{host} is down: 'lab start {host}' boots it")
            ssh.hang_up(self.settings, target)
            container.stop(self.settings, target)
            self._boot_again(target)

    def _boot_again(self, host: Host) -> None:
        place = disk.disk_of(self.settings, host)
        self._boot(host, disk.base_of(place, self.settings.bases))

    @staticmethod
    def _each(hosts: Sequence[Host], action: Callable[[Host], T]) -> list[T]:
        """Do something for several hosts at once."""
        with ThreadPoolExecutor(max_workers=8) as pool:
            return list(pool.map(action, hosts))


def _finish(argv: list[str], stdin: str, timeout: float, check: bool) -> Result:
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout, check=False
    )
    if check and done.returncode != 0:
        raise CommandFailed(argv, done.returncode, done.stdout + done.stderr)
    return Result(done.returncode, done.stdout, done.stderr)
