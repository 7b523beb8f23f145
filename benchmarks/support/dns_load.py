# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Asks a service address at a steady rate until standard input ends, and says what became of each query.

``dns_load.py ADDRESS NAME RATE TCP_SHARE`` prints one JSON line a query: ``[sent (unix time), seconds or null, server,
"udp" or "tcp"]``. UDP goes out from 256 ports in turn, so that a router's flow hash spreads them over its paths; each
TCP query has a connection of its own. No query is sent again: one that has no answer after a second is lost.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sys
import threading
import time

import dns.edns
import dns.message

PORTS = 256
TIMEOUT = 1.0
_NSID = re.compile(rb"edge\d+")


def server(wire: bytes) -> str:
    """The server's identity, which is at the end of the answer."""
    found = _NSID.findall(wire[-64:])
    return found[-1].decode() if found else ""


class Load:
    """The queries that are out, and what came of the others."""

    def __init__(self, address: str, query: bytes) -> None:
        self._address = address
        self._query = query
        self._waiting: dict[int, tuple[float, float]] = {}
        self._number = 0
        self._sockets: list[socket.socket] = []

    def open(self) -> None:
        """Open the ports."""
        loop = asyncio.get_running_loop()
        for _port in range(PORTS):
            made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.setblocking(False)
            made.connect((self._address, 53))
            loop.add_reader(made, self._readable, made)
            self._sockets.append(made)

    def send(self) -> None:
        """Send one query from the next port."""
        self._number = (self._number + 1) & 0xFFFF
        self._waiting[self._number] = (time.time(), time.monotonic())
        try:
            self._sockets[self._number % PORTS].send(self._number.to_bytes(2, "big") + self._query[2:])
        except OSError:
            return  # it counts as lost

    def _readable(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(4096)
        except OSError:
            return
        found = self._waiting.pop(int.from_bytes(data[:2], "big"), None)
        if found is not None:
            tell(found[0], time.monotonic() - found[1], server(data), "udp")

    def expire(self, *, everything: bool = False) -> None:
        """Give up what waits for too long."""
        now = time.monotonic()
        for number, (sent, since) in list(self._waiting.items()):
            if everything or now - since > TIMEOUT:
                del self._waiting[number]
                tell(sent, None, "", "udp")

    async def over_tcp(self) -> None:
        """One query on a connection of its own."""
        sent, since = time.time(), time.monotonic()
        try:
            async with asyncio.timeout(TIMEOUT):
                reader, writer = await asyncio.open_connection(self._address, 53)
                try:
                    writer.write(len(self._query).to_bytes(2, "big") + self._query)
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    data = await reader.readexactly(size)
                finally:
                    writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            tell(sent, None, "", "tcp")
        else:
            tell(sent, time.monotonic() - since, server(data), "tcp")


def tell(sent: float, seconds: float | None, name: str, transport: str) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps([sent, seconds, name, transport]) + "\n")


async def main(address: str, name: str, rate: float, share: float) -> None:
    """*rate* queries a second, *share* of them over TCP, until standard input ends."""
    option = dns.edns.GenericOption(dns.edns.OptionType.NSID, b"")
    load = Load(address, dns.message.make_query(name, "SOA", use_edns=0, options=[option]).to_wire())
    load.open()
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    loop = asyncio.get_running_loop()
    start, number, tasks = loop.time(), 0, set()
    while not ended.is_set():
        due = int((loop.time() - start) * rate)
        for _one in range(due - number):
            number += 1
            if share and number % round(1 / share) == 0:
                task = asyncio.create_task(load.over_tcp())
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            else:
                load.send()
        load.expire()
        await asyncio.sleep(0.002)
    await asyncio.sleep(TIMEOUT)
    load.expire(everything=True)
    await asyncio.gather(*tasks)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])))
