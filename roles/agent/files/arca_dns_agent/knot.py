# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The driver for Knot DNS: batches of commands to ``knotc``, whose protocol with the server is not a public one.

Zones are added with a template of Knot's configuration, which names the agent as their master. Knot must run from a
configuration database (``knotd -C``), so that it knows its zones when it starts without the agent.

A transaction that has begun is ended: when something fails, when the agent stops, and by the next agent (see
:mod:`.unfinished`). It cannot be one run of ``knotc``, which goes on after a ``conf-begin`` that was refused: what
follows would go into the transaction of whoever has one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import structlog

from arca_dns.errors import BadName
from arca_dns.zone import names
from arca_dns.zone.rr import RRset

from .control import identity
from .server import Notifier, ServerUnavailable, ZoneStatus
from .unfinished import Unfinished, is_of

log = structlog.get_logger(__name__)

_Result = TypeVar("_Result")

#: Runs a command with some input; returns what it writes, one line to each line of input.
Runner: TypeAlias = "Callable[[Sequence[str], str], Awaitable[str]]"

_TIMEOUT = 60
_ATTEMPTS = 20
_BUSY_PAUSE = 0.25
_MINE = re.compile(r"zone\[(\S+)\]\.template = (\S+)")
_STATUS = re.compile(r"\[(\S+)\].*?serial: (\d+|\S+)")


class Knot:
    """Knot at its control socket *control*, asked by *knotc*, where zones of *template* are the agent's.

    NOTIFY goes through *notifier*, commands through *run*. *unfinished* remembers transactions.
    """

    def __init__(
        self,
        knotc: str,
        control: Path,
        template: str,
        notifier: Notifier,
        run: Runner,
        unfinished: Unfinished,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._command = [knotc, "-s", str(control), "-t", str(_TIMEOUT)]
        self._control = control
        self._template = template
        self._notifier = notifier
        self._run = run
        self._unfinished = unfinished
        self._sleep = sleep
        self._configuring = asyncio.Lock()

    async def version(self) -> str:
        """See :class:`.server.AuthoritativeServer`."""
        for line in await self._ask(["status version"]):
            if line.startswith("Version:"):
                return "Knot " + line.split(":", 1)[1].strip()
        return "Knot"

    def generation(self) -> object:
        """See :class:`.server.AuthoritativeServer`: Knot makes its socket anew when it starts."""
        return identity(self._control)

    async def zones(self) -> Mapping[bytes, ZoneStatus]:
        """See :class:`.server.AuthoritativeServer`."""
        found: dict[bytes, ZoneStatus] = {}
        for line in await self._ask(["conf-read zone"]):
            match = _MINE.match(line)
            if match is not None and match[2] == self._template:
                name = _name(match[1])
                found[name] = ZoneStatus(name, None)
        for line in await self._ask(["zone-status"]):
            match = _STATUS.match(line)
            if match is not None and (name := _name(match[1])) in found:
                found[name] = ZoneStatus(name, int(match[2]) if match[2].isdecimal() else None)
        return found

    async def add(self, zones: Iterable[bytes]) -> dict[bytes, str]:
        """See :class:`.server.AuthoritativeServer`."""
        wanted = list(zones)
        commands = [(f"conf-set zone[{_text(zone)}]", self._template) for zone in wanted]
        answers = await self._configure(
            wanted, [line for name, of in commands for line in (name, f"{name}.template {of}")]
        )
        # That a zone is there already is no error, but it would be the answer to the first of its two commands.
        results = zip(wanted, answers[1::2], strict=True)
        return {zone: answer.removeprefix("error: ") for zone, answer in results if answer != "OK"}

    async def remove(self, zones: Iterable[bytes]) -> None:
        """See :class:`.server.AuthoritativeServer`. What is left of them on disk goes with them."""
        gone = list(zones)
        await self._ask([f"zone-purge {_text(zone)}" for zone in gone], "-f")
        await self._configure(gone, [f"conf-unset zone[{_text(zone)}]" for zone in gone])

    async def notify(self, zone: bytes, soa: RRset) -> str | None:
        """See :class:`.server.AuthoritativeServer`."""
        return await self._notifier.notify(zone, soa)

    async def reload(self, zone: bytes) -> None:
        """See :class:`.server.AuthoritativeServer`."""
        await self._ask([f"zone-retransfer {_text(zone)}"])

    async def _configure(self, zones: Sequence[bytes], commands: Sequence[str]) -> list[str]:
        """Knot's answers to *commands*, which are one transaction that changes *zones*.

        An operator's that is open is waited for.
        """
        async with self._configuring:
            for attempt in range(_ATTEMPTS):
                if attempt:
                    await self._sleep(_BUSY_PAUSE)
                answers, done = await _to_its_end(self._transaction(zones, commands))
                if done:
                    return answers
        raise ServerUnavailable(f"Knot's configuration cannot be changed: {' '.join(answers)}")

    async def _transaction(self, zones: Sequence[bytes], commands: Sequence[str]) -> tuple[list[str], bool]:
        """Knot's answers to *commands*, or why none can begin now, and which of both."""
        await self._end_unfinished()
        self._unfinished.note(self.generation(), map(names.to_text, zones))
        begun = await self._ask(["conf-begin"])
        if begun != ["OK"]:
            self._unfinished.forget()
            return begun, False
        committed = False
        try:
            answers = await self._ask([*commands, "conf-commit"])
            committed = len(answers) == len(commands) + 1 and answers[-1] == "OK"
        finally:
            if not committed:
                await self._ask(["conf-abort"])
            self._unfinished.forget()
        if not committed:
            raise ServerUnavailable(f"Knot does not take a change of its configuration: {' '.join(answers[-1:])}")
        return answers[:-1], True

    async def _end_unfinished(self) -> None:
        """End the transaction that this agent or one before it left, if it is still the one that is open."""
        zones = self._unfinished.zones(self.generation())
        if zones is None:
            return
        differences = await self._ask(["conf-diff"])
        if is_of(differences, zones):
            log.warning("unfinished configuration transaction ended", zones=len(zones))
            await self._ask(["conf-abort"])
        self._unfinished.forget()

    async def _ask(self, commands: Sequence[str], *options: str) -> list[str]:
        if self.generation() is None:
            raise ServerUnavailable(f"Knot's control socket {self._control} is not there")
        try:
            answer = await self._run([*self._command, *options], "".join(f"{command}\n" for command in commands))
        except TimeoutError:
            raise ServerUnavailable(f"Knot's control socket {self._control} does not answer") from None
        except OSError as error:
            raise ServerUnavailable(f"{self._command[0]} cannot be run: {error.strerror or error}") from None
        lines = answer.splitlines()
        if any("failed to connect" in line or "connection timeout" in line for line in lines):
            raise ServerUnavailable(f"Knot's control socket {self._control} does not answer: {lines[-1]}")
        return lines


async def run(command: Sequence[str], given: str) -> str:
    """The :data:`Runner` that runs processes. Raises :class:`OSError` and :class:`TimeoutError`."""
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(_TIMEOUT + 5):
            answer, _none = await process.communicate(given.encode("ascii"))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return answer.decode("ascii", "replace")


async def _to_its_end(work: Coroutine[None, None, _Result]) -> _Result:
    """The result of *work*, which goes on when its caller is cancelled; the caller waits for it all the same."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise


def _text(zone: bytes) -> str:
    """A name as knotc reads it from its input, where a backslash stands before what is meant itself."""
    return names.to_text(zone).replace("\\", "\\\\")


def _name(text: str) -> bytes:
    try:
        return names.from_text(text).lower()
    except BadName:
        return b""
