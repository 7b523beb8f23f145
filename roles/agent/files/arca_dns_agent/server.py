# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the agent needs of an authoritative name server, whichever it is.

A driver implements :class:`AuthoritativeServer`: :mod:`.nsd` for NSD, :mod:`.knot` for Knot DNS. It says which zones
the server has and tells it of new versions; the server fetches them from the agent by AXFR and IXFR. What is served is
asked by :mod:`.prove`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from arca_dns.errors import ArcaError
from arca_dns.transfer.notify import Notification
from arca_dns.transfer.tsig import Key
from arca_dns.zone.rr import RRset

from .datagram import Exchange


class ServerUnavailable(ArcaError):
    """The name server's control socket does not answer."""

    code = "server-unavailable"


@dataclass(frozen=True, slots=True)
class ZoneStatus:
    """A zone as the server has it: *serial* is that which it serves, if any."""

    zone: bytes
    serial: int | None


class AuthoritativeServer(Protocol):
    """A name server that takes zones by transfer from the agent. Calls raise :class:`ServerUnavailable`."""

    async def version(self) -> str:
        """Its name and version."""

    def generation(self) -> object:
        """Something that changes when the server has been restarted; ``None`` while it is down."""

    async def zones(self) -> Mapping[bytes, ZoneStatus]:
        """The zones that this agent gave it."""

    async def add(self, zones: Iterable[bytes]) -> dict[bytes, str]:
        """Give it zones, which it may have already; returns the refused ones with the reason."""

    async def remove(self, zones: Iterable[bytes]) -> None:
        """Take zones from it."""

    async def notify(self, zone: bytes, soa: RRset) -> str | None:
        """Tell it of a new version; returns why it does not take the notice, if so."""

    async def reload(self, zone: bytes) -> None:
        """Make it transfer the whole zone, whatever its serial."""


class Notifier:
    """Sends NOTIFY through *exchange*, signed with *key*. *clock* gives unix seconds."""

    def __init__(self, exchange: Exchange, key: Key, clock: Callable[[], float]) -> None:
        self._exchange = exchange
        self._key = key
        self._clock = clock

    async def notify(self, zone: bytes, soa: RRset) -> str | None:
        """Tell the server of the version with *soa*; returns why it does not take the notice, if so."""
        notification: list[Notification] = []

        def message(number: int) -> bytes:
            notification.append(Notification(zone, soa, self._key, number, self._clock))
            return notification[-1].message

        answer = await self._exchange.ask(message)
        if answer is None:
            return "the server does not answer NOTIFY"
        rcode = notification[-1].accepted(answer)
        if rcode is None:
            return "the server answers NOTIFY with a bad signature"
        return None if rcode == 0 else f"the server answers NOTIFY with rcode {rcode}"
