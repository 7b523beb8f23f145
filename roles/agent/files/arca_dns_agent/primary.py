# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent as NSD's primary: sockets around :mod:`arca_dns.transfer.primary`, on loopback, TSIG required."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import cast

import structlog

from arca_dns.errors import ArcaError, IntegrityError
from arca_dns.publish.catalog import Entry
from arca_dns.transfer.primary import Answer, Primary, Version
from arca_dns.zone import names
from arca_dns.zone.tree import Blobs, ZoneRoot

from .state import State
from .vetting import Vetting, judge

log = structlog.get_logger(__name__)

_IDLE = 60.0
_REMEMBERED = 4096  # transfers
_REMEMBERED_FOR = 600.0
_CONNECTIONS = 256  # NSD opens 128, and keeps them open, when it is given many zones
_CLIENTS = 64  # answered at once
_AT_ONCE = 16  # messages made before they are sent
_BLOB_CACHE = 8 << 20


@dataclass(slots=True)
class Transfer:
    """Transfers of one zone: how many are being sent, and which serial the last whole one had, how often, and when.

    *whole* is when the last AXFR among them was asked for: all of the zone's content was sent since then.
    """

    sending: int = 0
    serial: int | None = None
    times: int = 0
    ended: float = float("-inf")
    whole: float = float("-inf")


class HeldZones:
    """What is held on disk, as transfers need it. *current* gives the entry of each published zone.

    A version that *vetting* refuses is not given to anyone: the one before it stays the current one.
    """

    def __init__(self, state: State, current: Callable[[], Mapping[bytes, Entry]], vetting: Vetting) -> None:
        self._state = state
        self._current = current
        self._vetting = vetting

    def current(self, zone: bytes) -> Version | None:
        """See :class:`arca_dns.transfer.primary.Zones`."""
        entry = self._current().get(zone)
        if entry is None:
            return None
        root = self._load(entry.root)
        if self._vetting.problem(entry) is None:
            return Version(entry.serial, root)
        for serial, earlier in self._state.versions(zone):
            try:
                if earlier != entry.root and judge(root := self._load(earlier), zone) is None:
                    return Version(serial, root)
            except IntegrityError:
                continue  # it is given up when what is on disk is looked at
        return None

    def earlier(self, zone: bytes, serial: int) -> Version | None:
        """See :class:`arca_dns.transfer.primary.Zones`."""
        root = self._state.root_of(zone, serial)
        try:
            return None if root is None else Version(serial, self._load(root))
        except IntegrityError:
            return None  # all of the zone is sent then

    def _load(self, root: str) -> ZoneRoot:
        return ZoneRoot.load(Blobs(self._state.read, _BLOB_CACHE), root)


class Listener:
    """Serves *primary* over UDP and TCP. *damaged* is called when content on disk cannot be read.

    A client that sends or reads nothing for *idle* seconds is left.
    """

    def __init__(self, primary: Primary, damaged: Callable[[], None], idle: float = _IDLE) -> None:
        self._primary = primary
        self._damaged = damaged
        self._idle = idle
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self._connections = asyncio.Semaphore(_CONNECTIONS)
        self._clients = asyncio.Semaphore(_CLIENTS)
        self._transfers: dict[bytes, Transfer] = {}

    def transfer(self, zone: bytes) -> Transfer | None:
        """The latest transfer of *zone*, if there was one lately."""
        return self._transfers.get(zone)

    async def start(self, address: tuple[str, int]) -> None:
        """Listen at *address*. Raises :class:`OSError`."""
        host, port = address
        self._server = await asyncio.start_server(self._serve, host, port)
        transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: _Datagrams(self._primary, self._told), local_addr=address
        )
        self._datagrams = transport

    async def stop(self) -> None:
        """Listen no more."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._connections:
                while True:
                    async with asyncio.timeout(self._idle):
                        size = int.from_bytes(await reader.readexactly(2), "big")
                        data = await reader.readexactly(size)
                    async with self._clients:
                        started = time.monotonic()
                        answer = await asyncio.to_thread(self._primary.answer, data)
                        if answer is None:
                            return
                        await self._send(answer, writer, started)
        except TimeoutError:
            writer.transport.abort()  # what it has not read is not kept for it
        except (asyncio.IncompleteReadError, OSError):
            return  # the client has gone
        finally:
            writer.close()

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter, started: float) -> None:
        octets = messages = 0
        transfer = self._begin(answer, started) if answer.kind in ("AXFR", "IXFR") else None
        try:
            while batch := await asyncio.to_thread(lambda: list(islice(answer.messages, _AT_ONCE))):
                writer.write(b"".join(len(message).to_bytes(2, "big") + message for message in batch))
                async with asyncio.timeout(self._idle):
                    await writer.drain()
                octets += sum(map(len, batch))
                messages += len(batch)
            if transfer is not None:
                transfer.times = transfer.times + 1 if transfer.serial == answer.serial else 1
                transfer.serial, transfer.ended = answer.serial, time.monotonic()
                if answer.kind == "AXFR":
                    transfer.whole = started
        except TimeoutError:
            reason = f"nothing of it was read for {self._idle:g} s"
            log.error("transfer broken off", zone=names.to_text(answer.zone), reason=reason)
            raise
        except ArcaError as error:
            log.error("transfer broken off", zone=names.to_text(answer.zone), reason=str(error))
            self._damaged()
            raise ConnectionAbortedError from None
        finally:
            if transfer is not None:
                transfer.sending -= 1
        self._told(answer, octets, messages, time.monotonic() - started)

    def _begin(self, answer: Answer, now: float) -> Transfer:
        if len(self._transfers) >= _REMEMBERED:
            self._transfers = {
                zone: one for zone, one in self._transfers.items() if one.sending or now - one.ended < _REMEMBERED_FOR
            }
        transfer = self._transfers.setdefault(answer.zone, Transfer())
        transfer.sending += 1
        return transfer

    def _told(self, answer: Answer, octets: int, messages: int, seconds: float) -> None:
        zone = names.to_text(answer.zone) if answer.zone else None
        if answer.kind in ("AXFR", "IXFR"):
            log.info(
                "transfer",
                zone=zone,
                kind=answer.kind,
                from_serial=answer.from_serial,
                serial=answer.serial,
                octets=octets,
                messages=messages,
                seconds=round(seconds, 4),
            )
        elif answer.kind != "SOA":
            log.warning("query refused", zone=zone, rcode=answer.kind)
        if answer.kind == "SERVFAIL":
            self._damaged()


class _Datagrams(asyncio.DatagramProtocol):
    """Answers over UDP are single messages made from one leaf, so they are made at once."""

    def __init__(self, primary: Primary, told: Callable[[Answer, int, int, float], None]) -> None:
        self._primary = primary
        self._told = told
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._primary.answer(data, udp=True)
        if answer is not None and self._transport is not None:
            self._transport.sendto(next(answer.messages), addr)
            self._told(answer, 0, 1, 0.0)
