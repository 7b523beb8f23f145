# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The client of BIRD's control socket, against a socket that answers as BIRD 2.0.12 does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from ipaddress import ip_network
from pathlib import Path
from typing import TypeVar

import pytest

from arca_dns_health.bird import Bird, BirdError, Prefix, Routes, protocol_name
from arca_dns_health.modes import Mode

T = TypeVar("T")
V4: Prefix = ip_network("203.0.113.53/32")
V6: Prefix = ip_network("2001:db8:53::53/128")

PROTOCOLS = """\
2002-Name       Proto      Table      State  Since         Info
1002-device1    Device     ---        up     02:03:26.406  \n\
 bfd1       BFD        ---        up     02:03:26.406  \n\
 arca_anycast_203_0_113_53_32 Static     master4    up     02:03:31.090  \n\
 arca_degraded_203_0_113_53_32 Static     master4    down   02:03:31.090  \n\
 arca_draining_203_0_113_53_32 Static     master4    down   02:03:31.090  \n\
 arca_anycast_2001_db8_53__53_128 Static     master6    down   02:03:26.406  \n\
 router_v4  BGP        ---        up     02:03:27.167  Established   \n\
 router_v6  BGP        ---        start  02:03:26.406  Active        Socket: Connection closed
0000 \n"""


class FakeBird:
    """Answers each command with what is written here, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.connections: list[asyncio.Task[None] | None] = []
        self.answers = {
            "show protocols": PROTOCOLS,
            "show route 203.0.113.53/32 exported router_v4": (
                "1007-Table master4:\n"
                " 203.0.113.53/32      blackhole [arca_anycast_203_0_113_53_32 02:03:31.090] * (200)\n"
                "0000 \n"
            ),
            "show route 2001:db8:53::53/128 exported router_v4": "9001 No valid tables\n",
            "enable arca_degraded_203_0_113_53_32": "0011-arca_degraded_203_0_113_53_32: enabled\n0000 \n",
            "disable arca_degraded_203_0_113_53_32": "0009-arca_degraded_203_0_113_53_32: disabled\n0000 \n",
            "disable arca_draining_203_0_113_53_32": "0009-arca_draining_203_0_113_53_32: disabled\n0000 \n",
            "enable arca_anycast_203_0_113_53_32": "0011-arca_anycast_203_0_113_53_32: enabled\n0000 \n",
            "disable arca_anycast_203_0_113_53_32": "0008-arca_anycast_203_0_113_53_32: already disabled\n0000 \n",
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections.append(asyncio.current_task())
        writer.write(b"0001 BIRD 2.0.12 ready.\n")
        while line := await reader.readline():
            command = line.decode().strip()
            self.asked.append(command)
            answer = self.answers.get(command, "9001 syntax error, unexpected CF_SYM_UNDEFINED\n")
            if not answer:
                break
            writer.write(answer.encode())
        writer.close()
        await writer.wait_closed()

    async def run(self, path: str, call: Callable[[], Awaitable[T]]) -> T:
        """Serve *path* for the time of one call."""
        async with await asyncio.start_unix_server(self.serve, path):
            try:
                return await call()
            finally:
                await asyncio.gather(*filter(None, self.connections))


@pytest.fixture
def fake() -> FakeBird:
    return FakeBird()


@pytest.fixture
def ask(fake: FakeBird, tmp_path: Path) -> Callable[[Callable[[Bird], Awaitable[T]]], T]:
    """Runs one call against a socket that *fake* serves."""

    def run(call: Callable[[Bird], Awaitable[T]]) -> T:
        path = str(tmp_path / "bird.ctl")
        return asyncio.run(fake.run(path, lambda: call(Bird.at(path, tmp_path, [V4, V6]))))

    return run


def test_a_protocol_is_named_after_its_prefix() -> None:
    assert protocol_name(V4) == "arca_anycast_203_0_113_53_32"
    assert protocol_name(V6) == "arca_anycast_2001_db8_53__53_128"
    assert protocol_name(V4, Mode.DEGRADED) == "arca_degraded_203_0_113_53_32"
    assert protocol_name(V4, Mode.DRAINING) == "arca_draining_203_0_113_53_32"


def test_what_is_exported_is_read_back(ask: Callable[[Callable[[Bird], Awaitable[Routes]]], Routes]) -> None:
    routes = ask(lambda bird: bird.read())
    assert routes.protocols == {
        V4: {Mode.ANNOUNCED: True, Mode.DEGRADED: False, Mode.DRAINING: False},
        V6: {Mode.ANNOUNCED: False},
    }
    assert (routes.mode(V4), routes.mode(V6)) == (Mode.ANNOUNCED, Mode.WITHDRAWN)
    assert routes.supports(V4, Mode.DEGRADED)
    assert not routes.supports(V6, Mode.DEGRADED)
    assert routes.exported == {V4: ("router_v4",), V6: ()}
    assert routes.version == "BIRD 2.0.12"
    assert [(session.name, session.established) for session in routes.sessions] == [
        ("router_v4", True),
        ("router_v6", False),
    ]


def test_an_enabled_protocol_without_a_session_is_not_announced(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[Routes]]], Routes]
) -> None:
    fake.answers["show protocols"] = PROTOCOLS.replace("up     02:03:27.167  Established", "start  02:03:27.167  Idle")
    routes = ask(lambda bird: bird.read())
    assert routes.mode(V4) is Mode.ANNOUNCED
    assert routes.exported[V4] == ()


def test_a_prefix_without_a_protocol_does_not_hide_the_others(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[Routes]]], Routes]
) -> None:
    fake.answers["show protocols"] = "".join(
        line for line in PROTOCOLS.splitlines(keepends=True) if "arca_anycast_2001" not in line
    )
    assert list(ask(lambda bird: bird.read()).protocols) == [V4]


def files(path: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in path.glob("arca_*.conf")}


def test_announcing_leaves_word_for_the_next_configure(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[None]]], None], tmp_path: Path
) -> None:
    ask(lambda bird: bird.set(V4, Mode.ANNOUNCED))
    assert fake.asked == [
        "enable arca_anycast_203_0_113_53_32",
        "disable arca_degraded_203_0_113_53_32",
        "disable arca_draining_203_0_113_53_32",
    ]
    assert files(tmp_path) == {"arca_anycast_203_0_113_53_32.conf": "disabled no;\n"}


def test_another_mode_is_enabled_before_the_old_one_is_disabled(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[None]]], None], tmp_path: Path
) -> None:
    ask(lambda bird: bird.set(V4, Mode.DEGRADED))
    assert fake.asked[:2] == ["enable arca_degraded_203_0_113_53_32", "disable arca_anycast_203_0_113_53_32"]
    assert files(tmp_path) == {"arca_degraded_203_0_113_53_32.conf": "disabled no;\n"}


def test_withdrawing_takes_that_word_back(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[None]]], None], tmp_path: Path
) -> None:
    (tmp_path / "arca_anycast_203_0_113_53_32.conf").write_text("disabled no;\n")
    (tmp_path / "arca_degraded_203_0_113_53_32.conf").write_text("disabled no;\n")
    ask(lambda bird: bird.set(V4, Mode.WITHDRAWN))
    assert len(fake.asked) == 3
    assert all(command.startswith("disable ") for command in fake.asked)
    assert files(tmp_path) == {}


def test_a_missing_state_directory_does_not_stop_a_withdrawal(fake: FakeBird, tmp_path: Path) -> None:
    path = str(tmp_path / "bird.ctl")
    asyncio.run(fake.run(path, lambda: Bird.at(path, tmp_path / "gone", [V4]).set(V4, Mode.WITHDRAWN)))
    assert "disable arca_anycast_203_0_113_53_32" in fake.asked


def test_a_configuration_without_the_other_modes_is_enough_to_withdraw(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[None]]], None]
) -> None:
    for mode in ("degraded", "draining"):
        del fake.answers[f"disable arca_{mode}_203_0_113_53_32"]
    ask(lambda bird: bird.set(V4, Mode.WITHDRAWN))
    assert fake.asked[0] == "disable arca_anycast_203_0_113_53_32"


def test_an_error_of_bird_is_raised(ask: Callable[[Callable[[Bird], Awaitable[None]]], None]) -> None:
    with pytest.raises(BirdError, match="syntax error"):
        ask(lambda bird: bird.set(V6, Mode.ANNOUNCED))


def test_a_bird_that_hangs_up_is_an_error(
    fake: FakeBird, ask: Callable[[Callable[[Bird], Awaitable[Routes]]], Routes]
) -> None:
    fake.answers["show protocols"] = ""
    with pytest.raises(BirdError, match="closed the connection"):
        ask(lambda bird: bird.read())


def test_a_bird_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BirdError, match="not there"):
        asyncio.run(Bird.at(str(tmp_path / "none.ctl"), tmp_path, [V4]).read())


def test_a_bird_that_hangs_is_an_error(tmp_path: Path) -> None:
    async def silent() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.Future()

    with pytest.raises(BirdError, match="did not answer"):
        asyncio.run(Bird(silent, tmp_path, [V4], timeout=0.01).read())
