# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""BIRD over its control socket: one static protocol per prefix is switched, and what is exported is read back.

Sessions are never touched. Because a plain ``configure`` brings protocols to what the
configuration says, each protocol includes a file from the runtime directory that says
whether it is disabled; this module writes that file before it sends the command. At boot
the directory is empty, and the configuration's own ``disabled yes`` holds.

Replies are numbered lines (BIRD's ``doc/reply_codes``): ``NNNN-text`` goes on, ``NNNN text``
ends, a line that begins with a space continues the code before it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Protocol, TypeAlias

Prefix: TypeAlias = IPv4Network | IPv6Network
Dialer: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Ask: TypeAlias = Callable[[str], Awaitable[list["Line"]]]

_FIRST_ERROR = 8000
_PROTOCOL_LINE = 1002
_LINE = re.compile(rb"(\d{4})([- ])(.*)")


class BirdError(Exception):
    """BIRD did not do what it was told, or did not answer in time."""


def protocol_name(prefix: Prefix) -> str:
    """The static protocol of *prefix*, as role bird names it: ``arca_anycast_203_0_113_53_32``."""
    return "arca_anycast_" + re.sub(r"[.:/]", "_", str(prefix))


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a reply."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session: its protocol's name, whether it is established, and what BIRD says about it."""

    name: str
    established: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Routes:
    """What BIRD does at this moment.

    *exported* holds the sessions to which each prefix has really been exported. A prefix that
    BIRD's configuration has no protocol for is missing from *enabled*.
    """

    sessions: tuple[Session, ...] = ()
    enabled: Mapping[Prefix, bool] = field(default_factory=dict)
    exported: Mapping[Prefix, tuple[str, ...]] = field(default_factory=dict)


class RouteController(Protocol):
    """What announces and withdraws prefixes."""

    async def read(self) -> Routes:
        """What is announced now. Raises :class:`BirdError`."""

    async def announce(self, prefix: Prefix) -> None:
        """Start announcing *prefix*. Raises :class:`BirdError`."""

    async def withdraw(self, prefix: Prefix) -> None:
        """Stop announcing *prefix*. Raises :class:`BirdError`."""


class Bird:
    """A :class:`RouteController` on BIRD 2's control socket; every call has its own connection and deadline."""

    def __init__(self, dial: Dialer, state_directory: Path, prefixes: Iterable[Prefix], timeout: float = 2.0) -> None:
        self._dial = dial
        self._directory = state_directory
        self._prefixes = tuple(prefixes)
        self._timeout = timeout

    @classmethod
    def at(cls, socket_path: str, state_directory: Path, prefixes: Iterable[Prefix]) -> Bird:
        """The BIRD that listens on *socket_path*."""
        return cls(lambda: asyncio.open_unix_connection(socket_path), state_directory, prefixes)

    async def announce(self, prefix: Prefix) -> None:
        """Enable the protocol of *prefix*."""
        name = protocol_name(prefix)
        self._remember(name, announced=True)
        await self._change(f"enable {name}")

    async def withdraw(self, prefix: Prefix) -> None:
        """Disable the protocol of *prefix*."""
        name = protocol_name(prefix)
        self._remember(name, announced=False)
        await self._change(f"disable {name}")

    async def read(self) -> Routes:
        """The sessions, the protocols' states, and for each prefix the sessions that it has been exported to."""
        async with self._connection() as ask:
            states = {}
            sessions = []
            for line in await ask("show protocols"):
                if line.code == _PROTOCOL_LINE:
                    name, kind, _table, state, *rest = line.text.split()
                    states[name] = state
                    if kind == "BGP":
                        sessions.append(Session(name, state == "up", " ".join(rest[-1:]) if rest else state))
            exported: dict[Prefix, tuple[str, ...]] = {}
            enabled = {}
            for prefix in self._prefixes:
                found = states.get(protocol_name(prefix))
                if found is None:
                    continue
                enabled[prefix] = found != "down"
                exported[prefix] = tuple(
                    [s.name for s in sessions if s.established and await _is_exported(ask, prefix, s.name)]
                )
            return Routes(tuple(sessions), enabled, exported)

    async def _change(self, command: str) -> None:
        async with self._connection() as ask:
            last = (await ask(command))[-1]
            if last.code >= _FIRST_ERROR:
                raise BirdError(f"{command!r}: {last.text}")

    def _remember(self, name: str, announced: bool) -> None:
        """Leave word for BIRD's next ``configure`` or restart; a full disk must not stop a withdrawal."""
        path = self._directory / f"{name}.conf"
        with contextlib.suppress(OSError):
            if announced:
                fresh = path.with_suffix(".new")
                fresh.write_text("disabled no;\n", encoding="ascii")
                os.replace(fresh, path)
            else:
                path.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[Ask]:
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await self._dial()
                try:
                    await _reply(reader)

                    async def ask(command: str) -> list[Line]:
                        writer.write(command.encode("ascii") + b"\n")
                        return await _reply(reader)

                    yield ask
                finally:
                    writer.close()
                    with contextlib.suppress(OSError):
                        await writer.wait_closed()
        except TimeoutError:
            raise BirdError(f"BIRD did not answer within {self._timeout:g} s") from None
        except (OSError, EOFError) as error:
            raise BirdError(f"BIRD is not there: {error}") from None


async def _is_exported(ask: Ask, prefix: Prefix, session: str) -> bool:
    """Whether the session has the route; it has not, too, where BIRD says that the session carries no such table."""
    lines = await ask(f"show route {prefix} exported {session}")
    return any(1000 <= line.code < 2000 and str(prefix) in line.text for line in lines)


async def _reply(reader: asyncio.StreamReader) -> list[Line]:
    """The lines of one reply, the last one included."""
    lines: list[Line] = []
    code = 0
    while True:
        raw = await reader.readline()
        if not raw.endswith(b"\n"):
            raise EOFError("it closed the connection")
        if raw.startswith(b"+"):  # an asynchronous message, for interactive clients
            continue
        found = _LINE.match(raw)
        if found is None:
            lines.append(Line(code, raw.strip().decode("utf-8", "replace")))
            continue
        code = int(found[1])
        lines.append(Line(code, found[3].strip().decode("utf-8", "replace")))
        if found[2] == b" ":
            return lines
