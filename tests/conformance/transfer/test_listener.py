# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The hidden primary's sockets: what clients that are slow, many, silent or senseless get."""

from __future__ import annotations

import asyncio
import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import dns.asyncquery
import dns.message
import dns.rcode
import pytest

from arca_dns.errors import ConfigError
from arca_dns.transfer.allow import Rule, allowed
from arca_dns.transfer.primary import Primary
from arca_dns_controller.dns.listener import Listener, bind
from arca_dns_controller.dns.settings import Dns
from dnssec_zones import APEX, txt
from running_nsd import free_port
from transfers import KEY, History, query, version

pytestmark = pytest.mark.conformance

LARGE = version([*APEX, *(txt(f"host-{n}", b"x" * 200) for n in range(40_000))], 3)
SMALL = version(APEX, 3)


@asynccontextmanager
async def listening(zone: object, **options: Any) -> AsyncIterator[tuple[int, list[str]]]:
    port = free_port()
    settings = Dns(listen=(f"127.0.0.1:{port}",), **options)
    kinds: list[str] = []
    rules = [Rule.read("127.0.0.1")]
    primary = Primary(
        History(zone),  # type: ignore[arg-type]
        {KEY.name: KEY},
        time.time,
        access=lambda _zone, _rdtype, key, address: allowed(rules, address, key),
        compress=True,
    )
    listener = Listener(primary, settings, kinds.append)
    await listener.start(bind(settings))
    try:
        yield port, kinds
    finally:
        await listener.stop()


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(work(), 30))


def framed(message: dns.message.Message) -> bytes:
    data = message.to_wire()
    return len(data).to_bytes(2, "big") + data


async def read_all(reader: asyncio.StreamReader) -> int:
    octets = 0
    while data := await reader.read(1 << 20):
        octets += len(data)
    return octets


def test_a_client_that_does_not_read_is_left_behind_and_others_are_served() -> None:
    async def work() -> None:
        async with listening(LARGE, max_transfers=1, write_timeout=1.0, write_size=65536) as (port, kinds):
            loop = asyncio.get_running_loop()
            slow = socket.socket()
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.setblocking(False)
            await loop.sock_connect(slow, ("127.0.0.1", port))
            await loop.sock_sendall(slow, framed(query("AXFR", key=None)))
            await asyncio.sleep(0.3)
            answer = await dns.asyncquery.tcp(query("SOA", key=None), "127.0.0.1", 5, port)
            assert answer.rcode() == dns.rcode.NOERROR
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(framed(query("AXFR", key=None)))
            writer.write_eof()
            assert await read_all(reader) > 8_000_000
            assert kinds == ["SOA", "AXFR"]
            writer.close()
            slow.close()

    run(work)


def test_connections_beyond_the_most_are_closed_and_silent_ones_after_a_time() -> None:
    async def work() -> None:
        async with listening(SMALL, max_connections=2, idle_timeout=1.0) as (port, _kinds):
            held = [await asyncio.open_connection("127.0.0.1", port) for _number in range(2)]
            await asyncio.sleep(0.05)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            assert await reader.read() == b""
            writer.close()
            for silent, other in held:
                assert await silent.read() == b""
                other.close()
            answer = await dns.asyncquery.tcp(query("SOA", key=None), "127.0.0.1", 5, port)
            assert answer.rcode() == dns.rcode.NOERROR

    run(work)


def test_senseless_messages_are_answered_shortly_or_not_at_all() -> None:
    generator = random.Random(4)

    async def work() -> None:
        async with listening(SMALL) as (port, kinds):
            loop = asyncio.get_running_loop()
            udp = socket.socket(type=socket.SOCK_DGRAM)
            udp.setblocking(False)
            udp.connect(("127.0.0.1", port))
            good = query("AXFR").to_wire()
            sent = 0
            for _number in range(300):
                data = bytearray(good if generator.random() < 0.7 else generator.randbytes(generator.randrange(90)))
                for _flip in range(generator.randrange(4)):
                    if data:
                        data[generator.randrange(len(data))] = generator.randrange(256)
                udp.send(bytes(data))
                sent += 1
                try:
                    async with asyncio.timeout(0.05 if len(data) < 12 or data[2] & 0x80 else 2):
                        assert len(await loop.sock_recv(udp, 65535)) <= max(12, len(data))
                except TimeoutError:
                    assert len(data) < 12 or data[2] & 0x80
            udp.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\xff\xff" + os.urandom(100))
            writer.close()
            assert await read_all(reader) == 0
            answer = await dns.asyncquery.udp(query("SOA", key=None), "127.0.0.1", 5, port)
            assert answer.answer
            assert sent == 300
            assert set(kinds) <= {"FORMERR", "NOTAUTH", "REFUSED", "NOTIMP", "SOA"}

    run(work)


def test_an_address_that_is_taken_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1, port {port}: Address already in use"):
            bind(Dns(listen=(f"127.0.0.1:{port}",)))
