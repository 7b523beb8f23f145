# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent as a whole beside a name server that is not there: what its disk can do to it, and how it ends."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
from typer.testing import CliRunner

from arca_dns.zone import names
from arca_dns.zone.tree import ZoneRoot
from arca_dns_agent import cli
from arca_dns_agent.daemon import Daemon
from arca_dns_agent.settings import Settings
from arca_dns_agent.state import State, StateLost
from edge_agent import World, agent, until
from malformed import malform


@pytest.fixture
def world() -> World:
    made = World()
    made.create("example.com.")
    return made


@pytest.fixture
def settings(world: World, tmp_path: Path) -> Settings:
    return replace(world.settings(tmp_path), listen=("127.0.0.1", 0))


def holds(daemon: Daemon) -> bool:
    """Whether the newest head is held, with all content on disk."""
    held = daemon.synchroniser.held
    if held is None or not daemon.synchroniser.whole:
        return False
    root = ZoneRoot.load(daemon.synchroniser.blobs(), held.zones[names.from_text("example.com.")].root)
    return len(list(root.items())) > 0


async def run(world: World, settings: Settings) -> None:
    """An agent, until it holds the newest head."""
    async with agent(world, settings) as daemon:
        await until("the head is held", lambda: holds(daemon))


async def ends(make: Callable[[], Daemon]) -> None:
    """An agent, until it ends by itself."""
    async with asyncio.timeout(15):
        await make().run(asyncio.Event())


@pytest.mark.parametrize("table", ["served", "blobs"])
def test_a_malformed_database_is_put_aside_and_filled_anew(world: World, settings: Settings, table: str) -> None:
    asyncio.run(run(world, settings))
    malform(settings.state_directory / "state.sqlite", table)
    if table == "blobs":
        with structlog.testing.capture_logs() as log, pytest.raises(StateLost):
            asyncio.run(ends(lambda: Daemon(settings, world.transport())))
        assert log == [], "how it ends says all"
    asyncio.run(run(world, settings))
    assert (settings.state_directory / "state.damaged").exists()


def test_an_agent_that_begins_with_nothing_leaves_what_was_said_to_be_served(world: World, settings: Settings) -> None:
    settings.state_directory.mkdir()
    told = settings.state_directory / "served.json"
    told.write_text("what an agent before it has proved")

    async def story() -> None:
        async with agent(world, settings) as daemon:
            await until("the head is held", lambda: holds(daemon))
            await until("its status is written", (settings.state_directory / "status.json").exists)
            assert told.read_text() == "what an agent before it has proved"

    asyncio.run(story())


def test_damage_that_shows_while_it_works_ends_an_agent(world: World, settings: Settings) -> None:
    async def story() -> None:
        daemon = Daemon(settings, world.transport())
        running = asyncio.create_task(daemon.run(asyncio.Event()))
        await until("the head is held", lambda: holds(daemon))
        error = sqlite3.DatabaseError("database disk image is malformed")
        error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        with pytest.raises(StateLost), daemon.state._read():
            raise error
        async with asyncio.timeout(15):
            await running

    with pytest.raises(StateLost, match="malformed"):
        asyncio.run(story())
    assert not (settings.state_directory / "state.sqlite").exists()


def test_a_damaged_catalog_is_mended_when_an_agent_starts(world: World, settings: Settings) -> None:
    asyncio.run(run(world, settings))
    state = State(settings.state_directory)
    catalog = world.service.head().head().catalog
    state._writer.execute("UPDATE blobs SET data = x'00' WHERE digest = ?", (catalog,))
    state.close()
    with structlog.testing.capture_logs() as log:
        asyncio.run(run(world, settings))
    events = [entry["event"] for entry in log]
    assert "content on disk is whole" in events
    assert "content on disk is damaged" not in events, "it is looked at before a head is taken"


def test_what_ends_an_agent_is_told_without_the_group_that_it_came_in(
    world: World, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_zone: bytes) -> None:
        raise RuntimeError("nobody thought of this")

    def made() -> Daemon:
        daemon = Daemon(settings, world.transport())
        monkeypatch.setattr(daemon.converger, "_converge", fails)
        daemon.converger._queue(names.from_text("example.com."))
        return daemon

    with pytest.raises(RuntimeError, match="nobody thought of this"):
        asyncio.run(ends(made))


def test_a_damaged_database_is_one_line_and_no_traceback(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(_settings: Settings) -> None:
        raise StateLost("state.sqlite is damaged")

    monkeypatch.setattr(cli, "configure", lambda: None)
    monkeypatch.setattr(cli, "_serve", fails)
    monkeypatch.setattr(cli, "_settings", lambda _path: settings)
    done = CliRunner().invoke(cli.app, ["daemon"])
    assert done.exit_code == 1
    assert done.output == "the agent cannot work: state.sqlite is damaged\n"
