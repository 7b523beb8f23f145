# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the daemon asks systemd: whether a stop is a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path


def own_unit(cgroup: Path = Path("/proc/self/cgroup")) -> str | None:
    """The service that this process runs in, from its control group; ``None`` outside one."""
    try:
        text = cgroup.read_text(encoding="ascii")
    except OSError:
        return None
    for line in text.splitlines():
        for part in reversed(line.split("/")):
            if part.endswith(".service"):
                return part
    return None


def is_restart(unit: str, jobs: str) -> bool:
    """Whether *jobs*, the lines of ``systemctl list-jobs``, say that *unit* is stopped only to be started again."""
    for line in jobs.splitlines():
        fields = line.split()
        if len(fields) >= 3 and fields[1] == unit:
            return "restart" in fields[2]
    return False


async def restarting(timeout: float = 2.0) -> bool:
    """Whether systemd is restarting this process's unit; in doubt it is not."""
    unit = own_unit()
    if unit is None:
        return False
    try:
        async with asyncio.timeout(timeout):
            process = await asyncio.create_subprocess_exec(
                "systemctl",
                "list-jobs",
                "--no-legend",
                "--no-pager",
                "--plain",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            output, _errors = await process.communicate()
    except (OSError, TimeoutError):
        return False
    return is_restart(unit, output.decode("utf-8", "replace"))
