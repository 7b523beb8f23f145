# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The driver for Unbound: stub zones and its cache, by its control protocol on its UNIX socket.

A stub of a signed zone is validated from whatever anchor Unbound has above it; that of an unsigned one is marked
insecure, since a parent that does not know the zone would deny it. Anchors cannot be given to a running Unbound, but it
reads those in its configuration anew without losing its cache.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from arca_dns.zone import names

from .control import SocketSilent, ask, identity
from .resolver import ResolverUnavailable
from .unbound_file import is_its_own

_RELOADING = 0.2  # seconds
_UNSHOWN = re.compile(rb"[^A-Za-z0-9_*-]")


class Unbound:
    """Unbound at its control socket *control*; *server* is where it asks for the zones."""

    def __init__(self, control: Path, server: tuple[str, int], timeout: float = 10.0) -> None:
        self._control = control
        self._address, port = server
        self._target = f"{self._address}@{port}"
        self._timeout = timeout
        self._told: dict[bytes, bytes] = {}  # the zones that it was told of, by how it lists them

    async def version(self) -> str:
        """See :class:`.resolver.Resolver`."""
        for line in await self._command("status"):
            if line.startswith("version:"):
                return "Unbound " + line.split(":", 1)[1].strip()
        return "Unbound"

    def generation(self) -> object:
        """See :class:`.resolver.Resolver`: Unbound makes its socket anew when it starts."""
        return identity(self._control)

    async def differing(self, wanted: Mapping[bytes, bool]) -> list[bytes]:
        """See :class:`.resolver.Resolver`. What it lists has no ports, and ``?`` for what is no letter.

        So stubs for other servers at the same address cannot be told from ours: only what was told here is taken back.
        """
        found: dict[bytes, bool] = {}
        for line in await self._command("list_stubs"):
            words = line.split()
            if words[1:3] == ["IN", "stub"] and self._address in words[3:]:
                found[words[0].lower().encode("ascii", "replace")] = "+i" in words
        left = [zone for shown, zone in self._told.items() if shown in found and zone not in wanted]
        return [zone for zone, insecure in wanted.items() if found.get(_shown(zone)) is not insecure] + left

    async def add(self, zone: bytes, *, insecure: bool) -> str | None:
        """See :class:`.resolver.Resolver`."""
        name = names.to_text(zone)
        self._told[_shown(zone)] = zone
        if is_its_own(zone):
            await self._command(f"local_zone {name} transparent")
        if insecure:
            answer = await self._command(f"stub_add +i {name} {self._target}")
        else:
            # As it may have been insecure before; an anchor of its configuration stays.
            await self._command(f"insecure_remove {name}")
            answer = await self._command(f"stub_add {name} {self._target}")
        return next((line for line in answer if line.startswith("error")), None)

    async def remove(self, zone: bytes) -> None:
        """See :class:`.resolver.Resolver`."""
        await self._command(f"stub_remove +i {names.to_text(zone)}")
        self._told.pop(_shown(zone), None)

    async def flush(self, zones: Iterable[bytes]) -> None:
        """See :class:`.resolver.Resolver`."""
        for zone in zones:
            await self._command(f"flush_zone {names.to_text(zone)}")

    async def reload(self) -> None:
        """See :class:`.resolver.Resolver`. Before version 1.17 it loses its cache."""
        try:
            answer = await self._command("reload_keep_cache")
        except ResolverUnavailable:
            # It may close the connection before it has answered; whether it is there is seen then.
            await asyncio.sleep(_RELOADING)
            await self._command("status")
            return
        if any(line.startswith("error") for line in answer):
            await self._command("reload")

    async def _command(self, command: str) -> list[str]:
        try:
            return await ask(self._control, f"UBCT1 {command}", None, self._timeout)
        except SocketSilent as error:
            raise ResolverUnavailable(f"Unbound's {error}") from None


def _shown(zone: bytes) -> bytes:
    return b"".join(_UNSHOWN.sub(b"?", label) + b"." for label in names.labels(zone)) or b"."
