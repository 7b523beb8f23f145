# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""One host's life: boot, stop, kill, and what the kernel says about it.

Each host is a systemd-nspawn container in a cgroup of its own (``arca-lab/NAME``) and a mount namespace of its own, in
which its overlay is mounted: when its processes are gone, so is every trace but its disk. PID 1 is found through the
cgroup. Killing nspawn itself would orphan the container, so nobody here does.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

from . import network
from .base import PACKAGES_IN_HOST, WHEELS_IN_HOST
from .disk import Disk, prepare_mount
from .errors import BootFailed, CommandFailed
from .settings import Settings
from .shell import run
from .topology import Host

GROUP = "arca-lab"
STOP = signal.SIGRTMIN + 4  # systemd: power off

SCRIPT = Path(__file__).with_name("host.sh")


def mount_cgroups(settings: Settings) -> None:
    """Mount the lab's own view of the unified hierarchy: machines differ in where they have theirs, if at all."""
    settings.cgroups.mkdir(parents=True, exist_ok=True)
    if not os.path.ismount(settings.cgroups):
        run(["mount", "-t", "cgroup2", "arca-lab", settings.cgroups])


def remove_traces(settings: Settings) -> None:
    """Remove the lab's cgroups, the view of them, and what nspawn forgets where /run is no tmpfs."""
    for folder in Path("/run/systemd/nspawn/propagate").glob("lab-*"):
        shutil.rmtree(folder, ignore_errors=True)
    if os.path.ismount(settings.cgroups):
        _remove_tree(settings.cgroups / GROUP)
        run(["umount", settings.cgroups])


def group(settings: Settings, host: Host) -> Path:
    """The cgroup of a host."""
    return settings.cgroups / GROUP / host.name


def processes(settings: Settings, host: Host) -> list[int]:
    """Every process of the host, nspawn itself included."""
    found: list[int] = []
    for folder, _, _ in os.walk(group(settings, host)):  # passes over groups that go away while we look
        try:
            text = (Path(folder) / "cgroup.procs").read_text(encoding="ascii")
        except OSError:
            continue
        found += [int(line) for line in text.split()]
    return found


def init_pid(settings: Settings, host: Host) -> int | None:
    """The number of the host's PID 1 as the machine sees it; None while the host is down."""
    try:
        text = (group(settings, host) / "payload/init.scope/cgroup.procs").read_text(encoding="ascii")
    except OSError:
        return None
    pids = [int(line) for line in text.split()]
    return min(pids) if pids else None


def uptime(pid: int) -> float | None:
    """Seconds since a process began."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[19])
    except (OSError, IndexError):
        return None
    return max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK"))


def memory(settings: Settings, host: Host) -> int:
    """Bytes of memory that the host's processes hold: their shares of shared pages added up."""
    total = 0
    for pid in processes(settings, host):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return total


def boot(settings: Settings, host: Host, disk: Disk, base: Path) -> None:
    """Start the host on its disk, in a fresh network namespace. Returns at once; nobody has logged in yet."""
    clear(settings, host)
    network.plug(host)
    prepare_mount(disk)
    binds = (f"{settings.packages}:{PACKAGES_IN_HOST}", f"{settings.wheels}:{WHEELS_IN_HOST}")
    folders = (base, disk.upper, disk.work, disk.root, disk.console)
    arguments: list[str | Path] = ["boot", host.name, host.namespace, *folders, *binds]
    try:
        run(["unshare", "--mount", "--propagation", "slave", SCRIPT, *arguments])
    except CommandFailed as error:
        hint = ""
        if "overlay" in error.output:
            hint = f"; {settings.state} must be on a file system that overlays can lie on: set ARCA_LAB_DIR to another"
        raise BootFailed(f"{host.name} could not be started: {error.output.strip()}{hint}") from error


def stop(settings: Settings, host: Host, *, grace: float = 10.0) -> None:
    """Power the host off in good order; what has not ended after ``grace`` seconds is killed."""
    pid = init_pid(settings, host)
    if pid is not None:
        _signal(pid, STOP)
        _wait_empty(settings, host, grace)
    clear(settings, host)


def kill(settings: Settings, host: Host) -> bool:
    """Kill the host's PID 1, and so the host, as a power failure does; false if it was down."""
    pid = init_pid(settings, host)
    if pid is not None:
        _signal(pid, signal.SIGKILL)
        _wait_empty(settings, host, 5.0)
    clear(settings, host)
    return pid is not None


def clear(settings: Settings, host: Host) -> None:
    """Remove what is left of a host that is down, half dead, or never came up: processes, cgroup, namespace."""
    folder = group(settings, host)
    if folder.is_dir():
        (folder / "cgroup.kill").write_text("1", encoding="ascii")
        _wait_empty(settings, host, 5.0)
        _remove_tree(folder)
    network.unplug(host)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _wait_empty(settings: Settings, host: Host, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while processes(settings, host) and time.monotonic() < deadline:
        time.sleep(0.02)


def _remove_tree(folder: Path) -> None:
    """Remove a cgroup with all below it: they are empty of processes, and only directories can be removed."""
    for path, _, _ in os.walk(folder, topdown=False):
        for _ in range(50):
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.02)  # busy until the kernel has reaped its last process
