# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the daemon asks systemd: whether a stop is a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

log = structlog.get_logger()

_PAUSE = 0.02


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


def job_of(unit: str, jobs: str) -> str | None:
    """What systemd does with *unit*, as ``restart`` or ``stop``, by *jobs*, the lines of ``systemctl list-jobs``."""
    for line in jobs.splitlines():
        fields = line.split()
        if len(fields) >= 3 and fields[1] == unit:
            return fields[2]
    return None


async def restarting(
    timeout: float = 2.0,
    unit: str | None = None,
    list_jobs: Callable[[], Awaitable[str | None]] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> bool:
    """Whether systemd is restarting *unit*, by default this process's; in doubt it is not.

    ``systemctl`` runs in the unit's own control group, so that the signal which stops that may end it too: then systemd
    is asked again, for *timeout* seconds.
    """
    unit = unit or own_unit()
    if unit is None:
        return False
    try:
        async with asyncio.timeout(timeout):
            while True:
                jobs = await (list_jobs or _list_jobs)()
                job = None if jobs is None else job_of(unit, jobs)
                if job is not None:
                    return "restart" in job
                await sleep(_PAUSE)
    except (OSError, TimeoutError):
        return False


async def _list_jobs() -> str | None:
    """The lines of ``systemctl list-jobs``; ``None`` where there is no answer."""
    process = await asyncio.create_subprocess_exec(
        "systemctl",
        "list-jobs",
        "--no-legend",
        "--no-pager",
        "--plain",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    if process.returncode:
        log.warning("systemd does not say what it does", reason=errors.decode("utf-8", "replace").strip())
        return None
    return output.decode("utf-8", "replace")
