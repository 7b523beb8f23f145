# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Which process this is, told so that a later one on the same machine can see whether it still lives.

A controller that was killed and started again then need not wait until the lease of its former self runs out.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def identity(pid: int | None = None) -> str:
    """This process, or *pid* of this machine: machine, space of process ids, id, and when it started.

    Empty where the system does not tell.
    """
    here, process = _here(), os.getpid() if pid is None else pid
    started = _started(process)
    return f"{here} {process} {started}" if here and started else ""


def is_gone(told: str) -> bool:
    """Whether *told*, the identity of a process, is of one on this machine that certainly is no more."""
    here, _, rest = told.rpartition(" ")[0].rpartition(" ")
    if not here or here != _here() or not rest.isdigit():
        return False
    try:
        os.kill(int(rest), 0)  # tells also of processes of others, whose files are hidden
    except ProcessLookupError:
        return True
    except OSError:
        return False
    started = _started(int(rest))
    return bool(started) and told.rpartition(" ")[2] != started


def _here() -> str:
    """This machine and space of process ids; empty where they are not known."""
    try:
        # Hidden from the unit's processes; the others tell enough then.
        boot = _text("/proc/sys/kernel/random/boot_id") or "-"
        return "/".join((socket.gethostname(), _text("/etc/machine-id") or "-", boot, os.readlink("/proc/self/ns/pid")))
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When *pid* started, in ticks since the machine did; ``ended`` for one that nobody has waited for."""
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
