# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The sockets of the hidden primary: UDP and TCP, so many connections and transfers at once and no more."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar, cast

import structlog

from arca_dns.errors import ArcaError, ConfigError, Place
from arca_dns.transfer.primary import Answer, Primary
from arca_dns.zone import names

from .settings import Dns

log = structlog.get_logger(__name__)

_T = TypeVar("_T")
_DATAGRAMS = 64  # that are answered at once; more are dropped, and asked again
_BACKLOG = 128


def bind(settings: Dns) -> list[tuple[socket.socket, socket.socket]]:
    """The sockets (TCP, UDP) of each address to listen on. Raises :class:`ConfigError` naming those that fail."""
    made: list[tuple[socket.socket, socket.socket]] = []
    places: list[Place] = []
    for index, address in enumerate(settings.addresses()):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        tcp, udp = socket.socket(family, socket.SOCK_STREAM), socket.socket(family, socket.SOCK_DGRAM)
        made.append((tcp, udp))
        try:
            for sock in (tcp, udp):
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.setblocking(False)
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind(address)
            udp.bind(address)
        except OSError as error:
            reason = error.strerror or str(error)
            text = f"cannot listen on {address[0]}, port {address[1]}: {reason}"
            places.append(Place(text, pointer=f"dns.listen[{index}]"))
    if places:
        for pair in made:
            for sock in pair:
                sock.close()
        raise ConfigError("DNS cannot start", places)
    return made


class Listener:
    """Answers by *primary*. *told* hears the kind of each answer that was sent."""

    def __init__(self, primary: Primary, settings: Dns, told: Callable[[str], None]) -> None:
        self._primary = primary
        self._settings = settings
        self._told = told
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._connections: set[asyncio.Task[None]] = set()
        self._answers: set[asyncio.Task[None]] = set()
        self._transfers = asyncio.Semaphore(settings.max_transfers)
        # Apart from the API's threads, so that neither waits for the other.
        self._threads = ThreadPoolExecutor(settings.max_transfers + 8, thread_name_prefix="dns")

    async def start(self, sockets: list[tuple[socket.socket, socket.socket]]) -> None:
        """Listen on *sockets*, of :func:`bind`."""
        loop = asyncio.get_running_loop()
        for tcp, udp in sockets:
            self._servers.append(await asyncio.start_server(self._connected, sock=tcp, backlog=_BACKLOG))
            transport, _protocol = await loop.create_datagram_endpoint(lambda: _Datagrams(self.datagram), sock=udp)
            self._datagrams.append(transport)

    async def stop(self) -> None:
        """Listen no more, and break off what is being sent; updates that run are finished."""
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        tasks = [*self._connections, *self._answers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.to_thread(self._threads.shutdown)

    async def _run(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    # -- TCP --------------------------------------------------------------------------------

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        if len(self._connections) >= self._settings.max_connections:
            log.warning("connection refused", reason="there are dns.max_connections already")
            writer.close()
            return
        self._connections.add(task)
        try:
            address = str(writer.get_extra_info("peername")[0])
            while True:
                async with asyncio.timeout(self._settings.idle_timeout):
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(size)
                answer = await self._run(lambda data=data: self._primary.answer(data, address=address))  # type: ignore[misc]
                if answer is None:
                    return
                if answer.kind in ("AXFR", "IXFR"):
                    async with self._transfers:
                        await self._send(answer, writer, address)
                else:
                    await self._send(answer, writer, address)
        except (asyncio.IncompleteReadError, TimeoutError, OSError):
            return  # the client has gone, or reads too slowly
        except asyncio.CancelledError:
            if not writer.transport.is_closing():
                writer.transport.abort()
            raise
        except Exception:
            log.exception("connection broken off")
        finally:
            self._connections.discard(task)
            writer.close()

    async def _send(self, answer: Answer, writer: asyncio.StreamWriter, address: str) -> None:
        octets = 0
        try:
            while batch := await self._run(lambda: self._batch(answer)):
                writer.write(batch)
                try:
                    async with asyncio.timeout(self._settings.write_timeout):
                        await writer.drain()
                except TimeoutError:
                    log.warning(
                        "transfer broken off", zone=names.to_text(answer.zone), origin=address, reason="too slow"
                    )
                    writer.transport.abort()  # a close would wait for the client
                    raise
                octets += len(batch)
        except ArcaError as error:
            zone = names.to_text(answer.zone)
            log.error("transfer broken off", zone=zone, origin=address, reason=str(error))
            raise ConnectionAbortedError from None
        self._tell(answer, address, octets)

    def _batch(self, answer: Answer) -> bytes:
        """Messages of *answer*, framed, for one write."""
        held: list[bytes] = []
        size = 0
        for message in answer.messages:
            held += (len(message).to_bytes(2, "big"), message)
            size += len(message) + 2
            if size >= self._settings.write_size:
                break
        return b"".join(held)

    # -- UDP --------------------------------------------------------------------------------

    def datagram(self, data: bytes, address: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """Answer *data* from *address*, unless too much is being answered already."""
        if len(self._answers) < _DATAGRAMS:
            task = asyncio.create_task(self._answer(data, address, transport))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)

    async def _answer(self, data: bytes, address: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        def work() -> tuple[Answer, bytes] | None:
            answer = self._primary.answer(data, udp=True, address=address[0])
            return None if answer is None else (answer, next(answer.messages))

        try:
            made = await self._run(work)
        except Exception:
            log.exception("a query is not answered")
            return
        if made is not None and not transport.is_closing():
            with suppress(OSError):
                transport.sendto(made[1], address)
            self._tell(made[0], address[0], len(made[1]))

    def _tell(self, answer: Answer, address: str, octets: int) -> None:
        self._told(answer.kind)
        zone = names.to_text(answer.zone) if answer.zone else None
        if answer.kind in ("AXFR", "IXFR"):
            log.info(
                "transfer",
                zone=zone,
                kind=answer.kind,
                origin=address,
                from_serial=answer.from_serial,
                serial=answer.serial,
                octets=octets,
            )
        elif answer.kind not in ("SOA", "UPDATE"):
            log.info("query refused", zone=zone, origin=address, rcode=answer.kind)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, received: Callable[[bytes, tuple[str, int], asyncio.DatagramTransport], None]) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self._transport is not None:
            self._received(data, addr, self._transport)
