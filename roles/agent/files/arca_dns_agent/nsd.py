# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The driver for NSD: its own control protocol on its UNIX socket, as nsd-control does, but reading while it writes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from arca_dns.errors import BadName
from arca_dns.zone import names
from arca_dns.zone.rr import RRset

from .server import Notifier, ServerUnavailable, ZoneStatus

_END = b"\x04\n"
_LIMIT = 64 << 20
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
        try:
            status = self._control.stat()
        except OSError:
            return None
        return (status.st_ino, status.st_ctime_ns)

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
            async with asyncio.timeout(self._timeout):
                reader, writer = await asyncio.open_unix_connection(str(self._control), limit=_LIMIT)
                try:
                    reading = asyncio.create_task(reader.read())
                    writer.write(f"NSDCT1 {command}\n".encode("ascii"))
                    for line in lines or ():
                        writer.write(line.encode("ascii") + b"\n")
                        await writer.drain()
                    if lines is not None:
                        writer.write(_END)
                    await writer.drain()
                    answer = await reading
                finally:
                    reading.cancel()
                    writer.close()
        except TimeoutError:
            raise ServerUnavailable(f"NSD's control socket {self._control} does not answer") from None
        except OSError as error:
            reason = error.strerror or str(error)
            raise ServerUnavailable(f"NSD's control socket {self._control} cannot be used: {reason}") from None
        return answer.decode("ascii", "replace").splitlines()


def _text(zone: bytes) -> str:
    text = names.to_text(zone)
    return text if text == "." else text[:-1]


def _name(text: str) -> bytes:
    try:
        return names.from_text(text).lower()
    except BadName:
        return b""
