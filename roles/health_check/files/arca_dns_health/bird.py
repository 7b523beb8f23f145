# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""BIRD over its control socket: a prefix's static protocols are switched, and what is exported is read back.

Each prefix has a protocol for each :class:`.modes.Mode` in which it is announced, with preferences in their
order: of those that are enabled BIRD exports the first. The wanted one is enabled before others are disabled,
so that what changes is the attributes of a route that stays. Sessions are never touched.

Because a plain ``configure`` brings protocols to what the configuration says, each protocol includes a file from
the runtime directory that says whether it is disabled; this module writes that file before it sends the command.
At boot the directory is empty, and the configuration's own ``disabled yes`` holds.

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

from .modes import Mode

Prefix: TypeAlias = IPv4Network | IPv6Network
Dialer: TypeAlias = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]
Ask: TypeAlias = Callable[[str], Awaitable[list["Line"]]]

_FIRST_ERROR = 8000
_PROTOCOL_LINE = 1002
_UNKNOWN = 9001  # a name that its configuration does not have
_LINE = re.compile(rb"(\d{4})([- ])(.*)")


class BirdError(Exception):
    """BIRD did not do what it was told, or did not answer in time."""


#: What the protocols are called that announce, by mode, the preferred one first.
_PROTOCOLS = {Mode.ANNOUNCED: "arca_anycast_", Mode.DEGRADED: "arca_degraded_", Mode.DRAINING: "arca_draining_"}


def protocol_name(prefix: Prefix, mode: Mode = Mode.ANNOUNCED) -> str:
    """The static protocol of *prefix* for *mode*, as role bird names it: ``arca_anycast_203_0_113_53_32``."""
    return _PROTOCOLS[mode] + re.sub(r"[.:/]", "_", str(prefix))


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

    *exported* holds the sessions to which each prefix has really been exported. *protocols* are the modes that a
    prefix has a protocol for and whether it is enabled; a prefix that BIRD's configuration does not know is missing.
    """

    sessions: tuple[Session, ...] = ()
    protocols: Mapping[Prefix, Mapping[Mode, bool]] = field(default_factory=dict)
    exported: Mapping[Prefix, tuple[str, ...]] = field(default_factory=dict)
    version: str = ""

    def mode(self, prefix: Prefix) -> Mode:
        """How *prefix* is announced as far as it depends on its protocols."""
        enabled = self.protocols.get(prefix, {})
        return next((mode for mode in _PROTOCOLS if enabled.get(mode)), Mode.WITHDRAWN)

    def supports(self, prefix: Prefix, mode: Mode) -> bool:
        """Whether *prefix* can be announced in *mode*."""
        return mode is Mode.WITHDRAWN or mode in self.protocols.get(prefix, {})

    def is_as(self, prefix: Prefix, mode: Mode) -> bool:
        """Whether *prefix* is in *mode*, with no other protocol enabled behind it."""
        enabled = {one for one, on in self.protocols.get(prefix, {}).items() if on}
        return enabled == ({mode} - {Mode.WITHDRAWN})


class RouteController(Protocol):
    """What announces and withdraws prefixes."""

    async def read(self) -> Routes:
        """What is announced now. Raises :class:`BirdError`."""

    async def set(self, prefix: Prefix, mode: Mode) -> None:
        """Announce *prefix* in *mode*, or withdraw it. Raises :class:`BirdError`."""


class Bird:
    """A :class:`RouteController` on BIRD 2's control socket; every call has its own connection and deadline."""

    def __init__(self, dial: Dialer, state_directory: Path, prefixes: Iterable[Prefix], timeout: float = 2.0) -> None:
        self._dial = dial
        self._directory = state_directory
        self._prefixes = tuple(prefixes)
        self._timeout = timeout
        self._version = ""

    @classmethod
    def at(cls, socket_path: str, state_directory: Path, prefixes: Iterable[Prefix]) -> Bird:
        """The BIRD that listens on *socket_path*."""
        return cls(lambda: asyncio.open_unix_connection(socket_path), state_directory, prefixes)

    async def set(self, prefix: Prefix, mode: Mode) -> None:
        """Enable the protocol of *prefix* for *mode* and disable its others."""
        for one in _PROTOCOLS:
            self._remember(protocol_name(prefix, one), announced=one is mode)
        async with self._connection() as ask:
            if mode is not Mode.WITHDRAWN:
                await _order(ask, f"enable {protocol_name(prefix, mode)}")
            for one in _PROTOCOLS:
                if one is not mode:
                    await _order(ask, f"disable {protocol_name(prefix, one)}", absent=one is not Mode.ANNOUNCED)

    async def read(self) -> Routes:
        """The sessions, the protocols' states, and for each prefix the sessions that it has been exported to."""
        async with self._connection() as ask:
            sessions: list[Session] = []
            states = await _states(ask, sessions)
            exported: dict[Prefix, tuple[str, ...]] = {}
            protocols: dict[Prefix, dict[Mode, bool]] = {}
            for prefix in self._prefixes:
                named = {mode: states.get(protocol_name(prefix, mode)) for mode in _PROTOCOLS}
                found = {mode: state != "down" for mode, state in named.items() if state is not None}
                if not found:
                    continue
                protocols[prefix] = found
                exported[prefix] = tuple(
                    [s.name for s in sessions if s.established and await _is_exported(ask, prefix, s.name)]
                )
            return Routes(tuple(sessions), protocols, exported, self._version)

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
                    greeting = await _reply(reader)
                    self._version = greeting[-1].text.removesuffix(" ready.")

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


async def _states(ask: Ask, sessions: list[Session] | None = None) -> dict[str, str]:
    """The state of each protocol; BGP sessions are added to *sessions*."""
    states = {}
    for line in await ask("show protocols"):
        if line.code == _PROTOCOL_LINE:
            name, kind, _table, state, *rest = line.text.split()
            states[name] = state
            if kind == "BGP" and sessions is not None:
                sessions.append(Session(name, state == "up", " ".join(rest[-1:]) if rest else state))
    return states


async def _order(ask: Ask, command: str, *, absent: bool = False) -> None:
    """Have BIRD do *command*; with *absent*, no matter if it does not know the protocol."""
    last = (await ask(command))[-1]
    if last.code >= _FIRST_ERROR and not (absent and last.code == _UNKNOWN):
        raise BirdError(f"{command!r}: {last.text}")


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
