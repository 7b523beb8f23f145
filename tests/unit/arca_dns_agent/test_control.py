# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Commands to control sockets: there at once, answered in lines, and given up in time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns_agent.control import SocketSilent, ask, identity


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "ctl"))
        made.listen(1)
        yield made


def test_a_command_is_there_as_soon_as_the_connection_is(listener: socket.socket, tmp_path: Path) -> None:
    async def scenario() -> list[str]:
        asking = asyncio.create_task(ask(tmp_path / "ctl", "UBCT1 status", None, 5))
        await asyncio.sleep(0)
        with listener.accept()[0] as accepted:
            assert accepted.recv(100, socket.MSG_DONTWAIT) == b"UBCT1 status\n"
            accepted.sendall(b"one\ntwo\n")
        return await asking

    assert asyncio.run(scenario()) == ["one", "two"]


def test_input_follows_it_and_ends(listener: socket.socket, tmp_path: Path) -> None:
    def serve() -> bytes:
        found = b""
        with listener.accept()[0] as accepted:
            while not found.endswith(b"\x04\n"):
                found += accepted.recv(100)
            accepted.sendall(b"ok\n")
        return found

    async def scenario() -> tuple[bytes, list[str]]:
        serving = asyncio.create_task(asyncio.to_thread(serve))
        answer = await ask(tmp_path / "ctl", "NSDCT1 addzones", ["a x", "b x"], 5)
        return await serving, answer

    assert asyncio.run(scenario()) == (b"NSDCT1 addzones\na x\nb x\n\x04\n", ["ok"])


@pytest.mark.parametrize("waiting", [0, 2])
def test_one_that_answers_nobody_is_given_up(listener: socket.socket, tmp_path: Path, waiting: int) -> None:
    others = [socket.socket(socket.AF_UNIX) for _number in range(waiting)]
    for other in others:
        other.connect(str(tmp_path / "ctl"))
    try:
        with pytest.raises(SocketSilent, match="does not answer"):
            asyncio.run(ask(tmp_path / "ctl", "UBCT1 status", None, 0.05))
    finally:
        for other in others:
            other.close()


def test_one_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SocketSilent, match="cannot be used: No such file"):
        asyncio.run(ask(tmp_path / "ctl", "UBCT1 status", None, 5))
    assert identity(tmp_path / "ctl") is None
