# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Damage on an edge's disk: whatever is bad is found and fetched again, and none of it keeps an edge from new heads."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from arca_dns.errors import IntegrityError
from arca_dns.zone import names
from arca_dns.zone.tree import ZoneRoot
from arca_dns_agent.disk import Alarm, Damaged
from arca_dns_agent.primary import HeldZones
from arca_dns_agent.state import StateLost
from arca_dns_agent.vetting import Vetting
from clock import Clock
from edge_agent import World
from following import Fixture

COM, NET = (names.from_text(f"example.{tld}.") for tld in ("com", "net"))


class Edge(Fixture):
    """A follower whose disk is damaged."""

    def restart(self) -> Edge:
        """Another agent with the same disk, as the daemon starts it."""
        self.state.close()
        again = Edge(self.world, self.directory, interval=0.0)
        again.lacking = self.lacking
        try:
            again.sync.restore()
        except IntegrityError:
            again.follower.damaged()
        return again

    def damage(self, digest: str) -> None:
        """Let other bytes stand under *digest*."""
        assert self.state.read([digest])
        self.state._writer.execute("UPDATE blobs SET data = x'00' WHERE digest = ?", (digest,))

    def catalog(self) -> str:
        held = self.sync.held
        assert held is not None
        assert held.head.catalog is not None
        return held.head.catalog

    def root(self, zone: bytes = COM) -> str:
        held = self.sync.held
        assert held is not None
        return held.zones[zone].root

    def whole(self) -> bool:
        """Whether the newest head is held, and all content of all its zones is on disk."""
        held = self.sync.held
        assert held is not None
        for entry in held.zones.values():
            for _item in ZoneRoot.load(self.sync.blobs(), entry.root).items():
                pass
        return held.head.revision == self.world.service.head().revision()


@pytest.fixture
def world() -> World:
    made = World(lambda: 1_800_000_000.0)
    made.create("example.com.", "example.net.")
    return made


@pytest.fixture
def edge(world: World, tmp_path: Path) -> Iterator[Edge]:
    made = Edge(world, tmp_path, interval=0.0)
    made.steps(1)
    yield made
    made.state.close()


def events(log: list[dict]) -> list[str]:  # type: ignore[type-arg]
    return [entry["event"] for entry in log]


def test_a_damaged_zone_that_changes_is_healed_and_no_controller_is_to_blame(world: World, edge: Edge) -> None:
    edge.damage(edge.root())
    world.change("example.com.", "www", "192.0.2.7")
    with structlog.testing.capture_logs() as log:
        edge.steps(2)
    assert edge.whole()
    assert "content on disk is damaged" in events(log)
    assert "refused" not in events(log)
    assert set(edge.hosts) == {"controller.test"}


def test_a_damaged_catalog_is_healed(world: World, edge: Edge) -> None:
    edge.damage(edge.catalog())
    world.change("example.com.", "www", "192.0.2.7")
    edge.steps(2)
    assert edge.whole()


def test_a_damaged_catalog_is_healed_after_a_restart_without_a_newer_head(edge: Edge) -> None:
    edge.damage(edge.catalog())
    again = edge.restart()
    assert again.sync.held is None
    again.steps(1)
    assert again.whole()
    again.state.close()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_newer_head_mends_what_no_controller_has_any_more(world: World, edge: Edge, restarted: bool) -> None:
    lost = edge.catalog()
    edge.damage(lost)
    edge.lacking = {lost}
    edge = edge.restart() if restarted else edge
    edge.follower.damaged()
    world.change("example.com.", "www", "192.0.2.7")
    with structlog.testing.capture_logs() as log:
        edge.steps(2)
    assert edge.whole()
    assert events(log).count("content on disk not mended") == 1
    assert "content on disk is whole" in events(log)
    edge.state.close()


def test_a_zone_that_was_removed_meanwhile_leaves_nothing_behind(world: World, edge: Edge) -> None:
    lost = edge.catalog()
    edge.damage(lost)
    edge.lacking = {lost}
    world.delete("example.net.")
    again = edge.restart()
    again.steps(1)
    assert again.whole()
    assert again.state.zones() == [COM]
    again.state.close()


def test_an_edge_that_lost_its_catalog_takes_no_older_head(world: World, edge: Edge) -> None:
    old = world.service.head()
    world.change("example.com.", "www", "192.0.2.7")
    edge.steps(1)
    lost = edge.catalog()
    edge.damage(lost)
    edge.lacking = {lost}
    again = edge.restart()
    again.again = {"controller.test": old, "second.test": old}
    with structlog.testing.capture_logs() as log:
        again.steps(1)
    assert again.sync.held is None
    assert "goes back" in next(entry["reason"] for entry in log if entry["event"] == "refused")
    again.state.close()


def test_an_edge_that_lost_its_catalog_holds_its_head_again_though_all_controllers_lag(
    world: World, edge: Edge
) -> None:
    old = world.service.head()
    world.change("example.com.", "www", "192.0.2.7")
    edge.steps(1)
    edge.damage(edge.catalog())
    again = edge.restart()
    again.again = {"controller.test": old, "second.test": old}
    again.steps(1)
    assert again.whole()
    again.state.close()


@pytest.mark.parametrize("where", ["mend", "take"])
def test_a_database_that_is_lost_ends_the_follower(
    world: World, edge: Edge, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    async def fails(*_arguments: object) -> bool:
        raise StateLost("state.sqlite is damaged")

    monkeypatch.setattr(edge.sync, where, fails)
    world.change("example.com.", "www", "192.0.2.7")
    if where == "mend":
        edge.follower.damaged()
    with pytest.raises(StateLost):
        edge.steps(1)


def test_while_no_controller_answers_what_is_damaged_is_looked_for_once(world: World, edge: Edge) -> None:
    edge.damage(edge.root())
    edge.follower.damaged()
    world.cut = True
    with structlog.testing.capture_logs() as log:
        for _step in range(50):
            edge.now += 30
            edge.steps(1)
    assert events(log).count("content on disk looked at") == 1
    world.cut = False
    edge.steps(1)
    assert edge.whole()


def test_damage_that_is_told_of_without_end_is_looked_for_ever_more_seldom(edge: Edge) -> None:
    with structlog.testing.capture_logs() as log:
        for _ten_seconds in range(360):
            edge.follower.damaged()
            edge.steps(1)
            edge.now += 10
    assert events(log).count("content on disk looked at") == 11


def test_what_a_controller_sends_is_no_reason_to_look_at_the_disk(world: World, edge: Edge) -> None:
    world.change("example.com.", "www", "192.0.2.7")
    world.tamper = lambda path, body: body[:-1] + b"?" if path == "/blobs/fetch" else body
    with structlog.testing.capture_logs() as log:
        edge.steps(3)
    assert set(events(log)) == {"refused", "controller answers"}


@pytest.mark.parametrize("told", [True, False])
def test_an_earlier_version_that_is_damaged_is_given_up(world: World, edge: Edge, told: bool) -> None:
    lost = edge.root()
    world.change("example.com.", "www", "192.0.2.7")
    edge.steps(1)
    edge.damage(lost)
    edge.lacking = {lost}
    if told:
        edge.follower.damaged()
        edge.steps(1)
    edge.sync.sweep()
    assert len(edge.state.versions(COM)) == 1
    assert edge.sync.sweep() == 0
    assert edge.whole()


def test_a_sweep_that_finds_the_content_damaged_removes_nothing_and_says_so(edge: Edge) -> None:
    gone = next(iter(ZoneRoot.load(edge.sync.blobs(), edge.root()).names.blobs()))
    edge.state.forget([gone])
    before = edge.state.digests()
    with pytest.raises(Damaged, match=f"blob {gone} is missing on disk"):
        edge.sync.sweep()
    assert edge.state.digests() == before


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_a_transfer_is_whole_where_the_version_that_it_would_begin_from_cannot_be_read(
    world: World, edge: Edge, how: str
) -> None:
    serial, root = world.serial("example.com."), edge.root()
    world.change("example.com.", "www", "192.0.2.7")
    edge.steps(1)
    zones = HeldZones(edge.state, lambda: edge.sync.held.zones if edge.sync.held else {}, Vetting(edge.sync.blobs))
    assert zones.earlier(COM, serial) is not None
    if how == "damaged":
        edge.damage(root)
    else:
        edge.state.forget([root])
    assert zones.earlier(COM, serial) is None
    assert zones.current(COM) is not None


def test_of_the_versions_before_a_false_one_the_latest_that_can_be_read_is_sent(world: World, edge: Edge) -> None:
    good = world.serial("example.com.")
    world.change("example.com.", "www", "192.0.2.7")
    edge.steps(1)
    edge.damage(edge.root())
    world.falsify("example.com.")
    asyncio.run(edge.sync.forget_damaged())
    asyncio.run(edge.sync.take(world.service.head()))
    zones = HeldZones(edge.state, lambda: edge.sync.held.zones if edge.sync.held else {}, Vetting(edge.sync.blobs))
    found = zones.current(COM)
    assert found is not None
    assert found.serial == good


def test_an_alarm_is_heard_at_once_after_a_calm_while() -> None:
    clock = Clock()
    alarm = Alarm(clock)
    assert not alarm.due()
    alarm.sound()
    assert alarm.due()
    assert not alarm.due(), "it was answered"
    alarm.sound()
    assert not alarm.due()
    clock.now += 10
    assert alarm.due()
    alarm.sound()
    alarm.clear()
    clock.now += 3600
    assert not alarm.due()
    alarm.sound()
    assert alarm.due()
