# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""NSD's control protocol as the driver speaks it, to a server that answers as NSD 4.6.1 does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from arca_dns.zone import names
from arca_dns_agent.datagram import Exchange
from arca_dns_agent.nsd import Nsd
from arca_dns_agent.server import Notifier, ServerUnavailable
from transfers import KEY

STATUS = """\
zone:\texample.com
\tpattern: arca
\tstate: ok
\tserved-serial: "2026112301 since 2026-11-23T02:58:05"
\tcommit-serial: "2026112301 since 2026-11-23T02:58:05"
zone:\tother.example
\tpattern: somebody-elses
\tstate: ok
\tserved-serial: "5 since 2026-11-23T02:58:05"
zone:\ta\\032b.example.
\tpattern: arca
\tstate: refreshing
\tserved-serial: none
"""


class FakeNsd:
    """Answers commands from a table and keeps what it was asked."""

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = (await reader.readline()).decode()
        assert line.startswith("NSDCT1 ")
        command = line.removeprefix("NSDCT1 ").strip()
        lines = []
        if command in ("addzones", "delzones"):
            while (line := (await reader.readline()).decode()) != "\x04\n":
                lines.append(line.strip())
                # NSD answers while it reads: whoever does not read then stands still.
                writer.write(f"added: {line}".encode())
                await writer.drain()
        self.asked.append(" ".join([command, *lines]))
        writer.write(self.answers.get(command, "ok\n").encode())
        await writer.drain()
        writer.close()


@asynccontextmanager
async def nsd(fake: FakeNsd, path: Path) -> AsyncIterator[Nsd]:
    server = await asyncio.start_unix_server(fake.serve, str(path))
    try:
        yield Nsd(path, "arca", Notifier(Exchange(bytes, timeout=0.01), KEY, time.time), timeout=5)
    finally:
        server.close()


def run(tmp_path: Path, answers: dict[str, str], story: Callable[[Nsd], Awaitable[object]]) -> tuple[object, list[str]]:
    fake = FakeNsd(answers)

    async def whole() -> object:
        async with nsd(fake, tmp_path / "ctl") as driver:
            return await story(driver)

    return asyncio.run(whole()), fake.asked


def zone(text: str) -> bytes:
    return names.from_text(text)


def test_only_zones_of_our_pattern_are_ours(tmp_path: Path) -> None:
    found, _asked = run(tmp_path, {"zonestatus": STATUS}, lambda driver: driver.zones())
    assert {names.to_text(name): status.serial for name, status in found.items()} == {  # type: ignore[attr-defined]
        "example.com.": 2026112301,
        "a\\032b.example.": None,
    }


def test_many_zones_are_added_in_one_go_without_standing_still(tmp_path: Path) -> None:
    many = [zone(f"zone-{n}.with-a-rather-long-name.example.") for n in range(20000)]
    failures, asked = run(tmp_path, {}, lambda driver: driver.add(many))
    assert failures == {}
    assert asked[0].count(" arca") == 20000


def test_a_zone_that_nsd_refuses_is_told_with_its_reason(tmp_path: Path) -> None:
    answer = "added: a.example\nerror cannot parse zone name\nerror for input line 'b.example arca'\nadded 1 zones\n"
    failures, _asked = run(
        tmp_path, {"addzones": answer}, lambda driver: driver.add([zone("a.example."), zone("b.example.")])
    )
    assert failures == {zone("b.example."): "cannot parse zone name"}


def test_removal_reload_and_version(tmp_path: Path) -> None:
    async def story(driver: Nsd) -> str:
        await driver.remove([zone("a.example."), zone("0/26.113.0.203.in-addr.arpa.")])
        await driver.reload(zone("a.example."))
        return await driver.version()

    version, asked = run(tmp_path, {"status": "version: 4.6.1\nverbosity: 1\n"}, story)
    assert version == "NSD 4.6.1"
    assert asked == ["delzones a.example 0/26.113.0.203.in-addr.arpa", "force_transfer a.example", "status"]


def test_a_socket_that_is_not_there_is_told(tmp_path: Path) -> None:
    driver = Nsd(tmp_path / "none", "arca", Notifier(Exchange(bytes), KEY, time.time))
    assert driver.generation() is None
    with pytest.raises(ServerUnavailable, match="No such file"):
        asyncio.run(driver.zones())


def test_a_restarted_nsd_is_another_generation(tmp_path: Path) -> None:
    path = tmp_path / "ctl"
    driver = Nsd(path, "arca", Notifier(Exchange(bytes), KEY, time.time))
    path.touch()
    first = driver.generation()
    assert first == driver.generation()
    other = tmp_path / "new"
    other.touch()
    other.replace(path)
    assert driver.generation() != first
