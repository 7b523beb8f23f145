# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The command's daemon as a process would run it: on a real socket, stopped by a signal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from arca_dns.edge_config import load
from arca_dns_health import cli
from arca_dns_health.settings import Settings

PROTOCOLS = "1002-arca_anycast_127_0_0_2_32 Static     master4    up     02:03:31.090\n0000 \n"


async def bird(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: list[str]) -> None:
    writer.write(b"0001 BIRD 2.0.12 ready.\n")
    while line := await reader.readline():
        asked.append(line.decode().strip())
        writer.write(PROTOCOLS.encode() if line == b"show protocols\n" else b"0009 done\n")
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(
    ("on_stop", "restarting", "withdrawn"),
    [("withdraw", False, True), ("withdraw", True, False), ("keep", False, False)],
)
def test_a_stop_withdraws_only_if_told_to_and_never_on_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_stop: str, restarting: bool, withdrawn: bool
) -> None:
    config = tmp_path / "agent.yaml"
    config.write_text(
        json.dumps(
            {
                "controller": {"url": "http://127.0.0.1:1", "api_key": "k"},
                "agent": {"state_directory": str(tmp_path)},
                "bird": {
                    "socket_path": str(tmp_path / "bird.ctl"),
                    "state_directory": str(tmp_path),
                    "anycast_prefixes": ["127.0.0.2/32"],
                },
                "health": {"state_file": str(tmp_path / "health.json"), "on_stop": on_stop, "check_interval": "50ms"},
            }
        )
    )
    asked: list[str] = []
    connections: list[asyncio.Task[None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.append(task)
        await bird(reader, writer, asked)

    async def is_restart() -> bool:
        return restarting

    def ready(*assignments: str) -> None:
        if "READY=1" in assignments:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(cli, "restarting", is_restart)
    monkeypatch.setattr("arca_dns_health.daemon.notify", ready)

    async def main() -> None:
        async with await asyncio.start_unix_server(answer, str(tmp_path / "bird.ctl")):
            await cli._serve(Settings.of(load(config)))
            await asyncio.gather(*connections)

    asyncio.run(main())
    assert ("disable arca_anycast_127_0_0_2_32" in asked) is withdrawn
    assert (tmp_path / "health.json").exists()
