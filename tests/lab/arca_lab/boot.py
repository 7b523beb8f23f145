# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Waiting for a host to come up, and saying what is wrong when it does not."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

from . import container, ssh
from .disk import Disk
from .errors import BootFailed
from .settings import Settings
from .topology import Host

BOOT_SECONDS = 60.0
SSH_PORT = "0016"  # 22, as /proc/PID/net/tcp writes it
LISTENING = "0A"
BOOT_LINE = "lab: booting "  # host.sh writes it on the console when a boot begins


def wait_ready(settings: Settings, host: Host, disk: Disk, seconds: float = BOOT_SECONDS) -> list[str]:
    """Wait until the host's boot is over; return warnings (units that failed). Raises `BootFailed`."""
    deadline = time.monotonic() + seconds
    while not _listens(settings, host):
        if not container.processes(settings, host):
            raise BootFailed(f"{host.name} died while it booted; {_console(disk)}")
        if time.monotonic() > deadline:
            raise BootFailed(f"{host.name} has no sshd after {seconds:.0f} s; {_console(disk)}")
        time.sleep(0.03)
    state = _system_state(settings, host, deadline)
    if state == "degraded":
        failed = _ask(settings, host, "systemctl --failed --plain --no-legend | cut -d' ' -f1", 10.0)
        return [f"{host.name} is up, but these units failed: {' '.join(failed.split())}"]
    if state != "running":
        raise BootFailed(f"{host.name} is {state or 'silent'} after {seconds:.0f} s; {_console(disk)}")
    return []


def _listens(settings: Settings, host: Host) -> bool:
    """Whether something listens on port 22 in the host's network namespace: looked up, so that waiting costs little."""
    pid = container.init_pid(settings, host)
    if pid is None:
        return False
    try:
        lines = Path(f"/proc/{pid}/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    return any(fields[1].endswith(f":{SSH_PORT}") and fields[3] == LISTENING for fields in map(str.split, lines))


def _system_state(settings: Settings, host: Host, deadline: float) -> str:
    """What systemd says once the boot is over."""
    state = ""
    while state in ("", "starting", "initializing") and time.monotonic() < deadline:
        left = max(1.0, deadline - time.monotonic())
        state = _ask(settings, host, "systemctl is-system-running --wait", left).strip()
    return state


def _ask(settings: Settings, host: Host, command: str, seconds: float) -> str:
    argv = ssh.argv(settings, host, command)
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 255:
        time.sleep(0.05)  # sshd was not ready for us yet
    return done.stdout


def _console(disk: Disk) -> str:
    """What failed and the last words of this boot on the console, and where the rest is."""
    try:
        text = disk.console.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    text = text.rpartition(BOOT_LINE)[2]
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).splitlines()]
    failed = [line for line in lines if "FAILED" in line]
    last = "\n".join(f"    {line}" for line in failed + [line for line in lines if line][-10:])
    return f"its console log is {disk.console}:\n{last}"
