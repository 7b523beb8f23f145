# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The driver for Unbound: stub zones and its cache, by its control protocol on its UNIX socket.

A stub of a signed zone is validated from whatever anchor Unbound has above it; that of an unsigned one is marked
insecure, since a parent that does not know the zone would deny it. Anchors cannot be given to a running Unbound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from arca_dns.zone import names

from .control import SocketSilent, ask, identity
from .resolver import ResolverUnavailable

#: Below these Unbound answers by itself unless it is told not to (RFC 6303, RFC 6761, RFC 8375).
_ITS_OWN = tuple(
    names.from_text(name)
    for name in ("in-addr.arpa.", "ip6.arpa.", "home.arpa.", "test.", "invalid.", "localhost.", "onion.")
)
_UNSHOWN = re.compile(rb"[^A-Za-z0-9_*-]")


class Unbound:
    """Unbound at its control socket *control*; *server* is where it asks for the zones."""

    def __init__(self, control: Path, server: tuple[str, int], timeout: float = 10.0) -> None:
        self._control = control
        self._address, port = server
        self._target = f"{self._address}@{port}"
        self._timeout = timeout

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
        """See :class:`.resolver.Resolver`. What it lists has no ports, and ``?`` for what is no letter."""
        found: dict[bytes, bool] = {}
        for line in await self._command("list_stubs"):
            words = line.split()
            if words[1:3] == ["IN", "stub"] and self._address in words[3:]:
                found[words[0].lower().encode("ascii", "replace")] = "+i" in words
        return [zone for zone, insecure in wanted.items() if found.get(_shown(zone)) is not insecure]

    async def add(self, zone: bytes, *, insecure: bool) -> str | None:
        """See :class:`.resolver.Resolver`."""
        name = names.to_text(zone)
        if any(names.is_at_or_below(zone, own) for own in _ITS_OWN):
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

    async def flush(self, zones: Iterable[bytes]) -> None:
        """See :class:`.resolver.Resolver`."""
        for zone in zones:
            await self._command(f"flush_zone {names.to_text(zone)}")

    async def _command(self, command: str) -> list[str]:
        try:
            return await ask(self._control, f"UBCT1 {command}", None, self._timeout)
        except SocketSilent as error:
            raise ResolverUnavailable(f"Unbound's {error}") from None


def _shown(zone: bytes) -> bytes:
    return b"".join(_UNSHOWN.sub(b"?", label) + b"." for label in names.labels(zone)) or b"."
