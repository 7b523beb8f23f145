# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The driver for NSD: its own control protocol on its UNIX socket, as nsd-control does, but reading while it writes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from arca_dns.errors import BadName
from arca_dns.zone import names
from arca_dns.zone.rr import RRset

from .control import SocketSilent, ask, identity
from .server import Notifier, ServerUnavailable, ZoneStatus

_SERIAL = re.compile(r"\d+")


class Nsd:
    """NSD at its control socket *control*, where zones of *pattern* are the agent's; NOTIFY goes through *notifier*."""

    def __init__(self, control: Path, pattern: str, notifier: Notifier, timeout: float = 30.0) -> None:
        self._control = control
        self._pattern = pattern
        self._notifier = notifier
        self._timeout = timeout

    async def version(self) -> str:
        """See :class:`.server.AuthoritativeServer`."""
        for line in await self._command("status"):
            if line.startswith("version:"):
                return "NSD " + line.split(":", 1)[1].strip()
        return "NSD"

    def generation(self) -> object:
        """See :class:`.server.AuthoritativeServer`: NSD makes its socket anew when it starts."""
        return identity(self._control)

    async def zones(self) -> Mapping[bytes, ZoneStatus]:
        """See :class:`.server.AuthoritativeServer`."""
        found: dict[bytes, ZoneStatus] = {}
        name = b""
        mine = False
        for line in await self._command("zonestatus"):
            word, _colon, rest = line.strip().partition(":")
            if word == "zone":
                name, mine = _name(rest.strip()), False
            elif word == "pattern":
                mine = rest.strip() == self._pattern
                if mine:
                    found[name] = ZoneStatus(name, None)
            elif word == "served-serial" and mine:
                serial = _SERIAL.search(rest)
                found[name] = ZoneStatus(name, int(serial[0]) if serial else None)
        return found

    async def add(self, zones: Iterable[bytes]) -> dict[bytes, str]:
        """See :class:`.server.AuthoritativeServer`."""
        wanted = list(zones)
        answer = await self._command("addzones", [f"{_text(zone)} {self._pattern}" for zone in wanted])
        failures: dict[bytes, str] = {}
        reason = ""
        by_line = {f"{_text(zone)} {self._pattern}": zone for zone in wanted}
        for line in answer:
            if line.startswith("error for input line '"):
                zone = by_line.get(line.removeprefix("error for input line '").rstrip("'"))
                if zone is not None:
                    failures[zone] = reason or "NSD refuses it"
            reason = line.removeprefix("error ").strip() if line.startswith("error ") else ""
        return failures

    async def remove(self, zones: Iterable[bytes]) -> None:
        """See :class:`.server.AuthoritativeServer`."""
        await self._command("delzones", [_text(zone) for zone in zones])

    async def notify(self, zone: bytes, soa: RRset) -> str | None:
        """See :class:`.server.AuthoritativeServer`."""
        return await self._notifier.notify(zone, soa)

    async def reload(self, zone: bytes) -> None:
        """See :class:`.server.AuthoritativeServer`."""
        await self._command(f"force_transfer {_text(zone)}")

    async def _command(self, command: str, lines: Iterable[str] | None = None) -> list[str]:
        """NSD's answer to *command*, with *lines* as its input, read while they are written."""
        try:
            return await ask(self._control, f"NSDCT1 {command}", lines, self._timeout)
        except SocketSilent as error:
            raise ServerUnavailable(f"NSD's {error}") from None


def _text(zone: bytes) -> str:
    text = names.to_text(zone)
    return text if text == "." else text[:-1]


def _name(text: str) -> bytes:
    try:
        return names.from_text(text).lower()
    except BadName:
        return b""
