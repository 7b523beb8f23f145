# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""An operator's own check: a command that is run each round, without a shell.

Its exit status is the verdict, as with other monitoring plugins: 0 is good, 1 a soft reason, 2 and more a hard one. The
first line that it prints is the reason. A command that cannot be run, or takes too long, is a soft reason.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

#: Runs a command for so many seconds at most: its status and what it printed. Raises OSError or TimeoutError.
Runner: TypeAlias = Callable[[Sequence[str], float], Awaitable[tuple[int, str]]]
_LINE = 200


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the command says: a *hard* reason, or a *soft* one, or neither."""

    hard: str | None = None
    soft: str | None = None


async def run(argv: Sequence[str], timeout: float) -> tuple[int, str]:
    """Run *argv* and kill it after *timeout* seconds."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(timeout):
            output, _none = await process.communicate()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return process.returncode or 0, output.decode("utf-8", "replace")


async def verdict(argv: Sequence[str], timeout: float, runner: Runner = run) -> Verdict:
    """Run the check *argv* and judge it."""
    name = argv[0].rsplit("/", 1)[-1]
    try:
        status, output = await runner(argv, timeout)
    except TimeoutError:
        return Verdict(soft=f"{name} took longer than {timeout:g} s")
    except OSError as error:
        return Verdict(soft=f"{name} cannot be run: {error.strerror or error}")
    if status == 0:
        return Verdict()
    lines = output.strip().splitlines()
    reason = f"{name}: {lines[0][:_LINE] if lines else f'exit status {status}'}"
    return Verdict(soft=reason) if status == 1 else Verdict(hard=reason)
