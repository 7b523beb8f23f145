# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent as a primary: clients that hang, clients that stay, and what is remembered of transfers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat

import pytest
import structlog

from arca_dns.transfer.primary import Answer
from arca_dns.zone import names
from arca_dns_agent.primary import Listener, Transfer

ZONE = names.from_text("example.")
QUERY = b"\0\x01?"


class FakePrimary:
    """Gives one answer to whatever is asked."""

    def __init__(self, kind: str, messages: Callable[[], Iterator[bytes]]) -> None:
        self.kind = kind
        self.messages = messages

    def answer(self, _data: bytes) -> Answer:
        return Answer(self.kind, self.messages(), ZONE, None, 7)


def listener(kind: str, messages: Callable[[], Iterator[bytes]], idle: float = 60.0) -> Listener:
    return Listener(FakePrimary(kind, messages), lambda: None, idle)  # type: ignore[arg-type]


class Client:
    """A client that is connected to *listener* by a pair of sockets."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener

    async def __aenter__(self) -> Client:
        near, far = socket.socketpair()
        self.reader, self.writer = await asyncio.open_connection(sock=near)
        self.served = asyncio.create_task(self.listener._serve(*await asyncio.open_connection(sock=far)))
        return self

    async def __aexit__(self, *_exception: object) -> None:
        self.writer.close()
        await self.served

    async def ask(self) -> None:
        self.writer.write(QUERY)
        await self.writer.drain()

    async def read(self) -> bytes:
        size = int.from_bytes(await self.reader.readexactly(2), "big")
        return await self.reader.readexactly(size)


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(20):
            await story()

    asyncio.run(limited())


def test_a_transfer_that_nobody_reads_is_broken_off_and_no_longer_counts_as_on_its_way() -> None:
    endless = listener("AXFR", lambda: repeat(bytes(60_000)), idle=0.05)

    async def story() -> None:
        async with Client(endless) as client:
            await client.ask()
            await client.served
            assert endless.transfer(ZONE) == Transfer(), "not sent, and not being sent"

    with structlog.testing.capture_logs() as log:
        run(story)
    assert [(entry["event"], entry["reason"]) for entry in log] == [
        ("transfer broken off", "nothing of it was read for 0.05 s")
    ]


def test_clients_that_keep_their_connection_keep_no_other_waiting() -> None:
    one = listener("SOA", lambda: iter((b"answer",)))

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            clients = [Client(one) for _client in range(128)]
            for client in clients:
                group.create_task(client.__aenter__())
        for client in clients:
            await client.ask()
            assert await client.read() == b"answer"
        for client in clients:
            await client.__aexit__()

    run(story)


@pytest.mark.parametrize(("kind", "whole"), [("AXFR", True), ("IXFR", False)])
def test_of_transfers_it_is_known_when_the_last_whole_one_was_asked_for(kind: str, whole: bool) -> None:
    one = listener(kind, lambda: iter((b"first", b"second")))

    async def story() -> None:
        async with Client(one) as client:
            began = asyncio.get_running_loop().time()
            for _time in range(2):
                await client.ask()
                assert [await client.read(), await client.read()] == [b"first", b"second"]
        sent = one.transfer(ZONE)
        assert sent is not None
        assert (sent.serial, sent.times, sent.sending) == (7, 2, 0)
        assert (began <= sent.whole <= sent.ended) is whole

    run(story)
