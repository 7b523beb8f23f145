# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Questions to one server over one UDP socket, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

_TIMEOUT = 1.0


class Exchange(asyncio.DatagramProtocol):
    """Sends messages and gives each its answer, by message id. *random* gives that many random octets."""

    def __init__(self, random: Callable[[int], bytes], timeout: float = _TIMEOUT) -> None:
        self._random = random
        self._timeout = timeout
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[int, asyncio.Future[bytes]] = {}

    async def open(self, address: tuple[str, int]) -> None:
        """Connect the socket to *address*."""
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, remote_addr=address)

    def close(self) -> None:
        """Give the socket back."""
        if self._transport is not None:
            self._transport.close()

    async def ask(self, message: Callable[[int], bytes]) -> bytes | None:
        """The answer to what *message* makes for an id; ``None`` if there is none in time."""
        number = int.from_bytes(self._random(2), "big")
        while number in self._waiting:
            number = (number + 1) & 0xFFFF
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = future
        try:
            if self._transport is None:
                return None
            self._transport.sendto(message(number))
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            return None
        finally:
            del self._waiting[number]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See :class:`asyncio.DatagramProtocol`."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        """See :class:`asyncio.DatagramProtocol`."""
        future = self._waiting.get(int.from_bytes(data[:2], "big"))
        if future is not None and not future.done() and len(data) >= 12 and data[2] & 0x80:
            future.set_result(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there now; the question's time runs out."""
