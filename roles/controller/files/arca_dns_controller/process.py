# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Which process this is, told so that a later one on the same machine can see whether it still lives.

A controller that was killed and started again then need not wait until the lease of its former self runs out.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

_UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class _Process:
    machine: str
    boot: str
    space: str  # of process ids: containers have their own
    pid: str
    started: str  # ticks since the machine started


def identity(pid: int | None = None) -> str:
    """This process, or *pid* of this machine; empty where the system does not tell."""
    process = _process(os.getpid() if pid is None else pid)
    told = (process.machine, process.boot, process.space, process.pid, process.started)
    return " ".join(told) if process.space and process.started else ""


def is_gone(told: str, *, one_machine: bool = False) -> bool:
    """Whether *told*, the identity of a process, is of one on this machine that certainly is no more.

    With *one_machine* there is no other machine that it could be of: then one from before a reboot is gone, too.
    """
    parts = told.split(" ")
    if len(parts) != 5 or not parts[3].isdigit():
        return False
    other, here = _Process(*parts), _process(os.getpid())
    if one_machine and _UNKNOWN not in (other.boot, here.boot) and other.boot != here.boot:
        return True
    if (other.machine, other.boot, other.space) != (here.machine, here.boot, here.space):
        return False
    try:
        os.kill(int(other.pid), 0)  # tells also of processes of others, whose files are hidden
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    now = _started(int(other.pid))
    return bool(now) and now != other.started


def _process(pid: int) -> _Process:
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    # The boot is hidden from processes of the unit; process ids and their times tell enough then.
    boot = _text("/proc/sys/kernel/random/boot_id") or _UNKNOWN
    machine = f"{socket.gethostname()}/{_text('/etc/machine-id') or _UNKNOWN}"
    return _Process(machine, boot, space, str(pid), _started(pid))


def _started(pid: int) -> str:
    """When *pid* started; ``ended`` for one that nobody has waited for, empty for one that is not seen."""
    # Its name, in parentheses, may hold anything.
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    if len(fields) < 20:
        return ""
    return "ended" if fields[0] in "ZX" else fields[19]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""
