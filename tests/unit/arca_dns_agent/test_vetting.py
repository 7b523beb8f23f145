# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Content that does not validate by its own keys, under a head that is well signed: nobody is given it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns.config import Secret
from arca_dns.publish.catalog import Entry
from arca_dns.zone import names, rr
from arca_dns.zone.tree import ZoneRoot
from arca_dns_agent.controller import Controllers
from arca_dns_agent.primary import HeldZones
from arca_dns_agent.state import KEPT_VERSIONS, Served, State
from arca_dns_agent.sync import Synchroniser
from arca_dns_agent.vetting import Vetting, judge
from edge_agent import World

COM = names.from_text("example.com.")


class Edge:
    """What an agent holds and would send."""

    def __init__(self, world: World, directory: Path) -> None:
        settings = world.settings(directory)
        self.state = State(settings.state_directory)
        controllers = Controllers(settings.urls, Secret("key"), settings.tls, settings.blob_limit, world.transport())
        self.sync = Synchroniser(self.state, controllers, settings.head_keys, "stable", lambda: 0.0)
        self.world = world
        self.vetting = Vetting(self.sync.blobs)
        self.zones = HeldZones(self.state, lambda: {} if self.sync.held is None else self.sync.held.zones, self.vetting)

    def pull(self) -> Entry:
        asyncio.run(self.sync.take(self.world.service.head()))
        assert self.sync.held is not None
        return self.sync.held.zones[COM]

    def sends(self) -> int | None:
        found = self.zones.current(COM)
        return None if found is None else found.serial


@pytest.fixture
def world() -> World:
    return World(lambda: 1_800_000_000.0)


@pytest.fixture
def edge(world: World, tmp_path: Path) -> Iterator[Edge]:
    made = Edge(world, tmp_path)
    yield made
    made.state.close()


@pytest.mark.parametrize("signed", [True, False])
def test_what_was_published_as_it_should_be_is_sent(world: World, edge: Edge, signed: bool) -> None:
    world.create("example.com.", signed=signed)
    entry = edge.pull()
    assert edge.vetting.problem(entry) is None
    assert edge.sends() == entry.serial


def test_a_false_signature_is_told_and_the_version_before_is_sent(world: World, edge: Edge) -> None:
    world.create("example.com.")
    good = edge.pull().serial
    false = world.falsify("example.com.")
    entry = edge.pull()
    assert entry.serial == false
    assert (edge.vetting.problem(entry) or "").startswith("what was published does not validate: SOA: the RRSIG by key")
    assert edge.sends() == good
    mended = world.change("example.com.", "www", "192.0.2.7")
    assert edge.vetting.problem(edge.pull()) is None
    assert edge.sends() == mended


def test_a_new_zone_that_does_not_validate_is_not_sent(world: World, edge: Edge) -> None:
    world.create("example.com.")
    world.falsify("example.com.")
    edge.pull()
    assert edge.sends() is None


def test_what_is_served_is_still_there_after_many_false_versions(world: World, edge: Edge) -> None:
    world.create("example.com.")
    good = edge.pull()
    edge.state.keep_served([Served(COM, good.serial, good.root, signed=True)], [])
    for _version in range(KEPT_VERSIONS + 2):
        world.falsify("example.com.")
        edge.pull()
    assert edge.sends() == good.serial
    assert len(edge.state.versions(COM)) == KEPT_VERSIONS + 1


def test_times_are_left_alone(tmp_path: Path) -> None:
    world = World(lambda: 1_000_000_000.0)  # all that it signs expired long ago
    world.create("example.com.")
    edge = Edge(world, tmp_path)
    assert edge.vetting.problem(edge.pull()) is None
    edge.state.close()


def test_a_signed_zone_without_a_signature_of_its_keys_is_refused(world: World, edge: Edge) -> None:
    world.create("example.com.")
    blobs = edge.sync.blobs()
    root = ZoneRoot.load(blobs, edge.pull().root)
    node = rr.node_of(root.apex.get(COM) or b"")
    del node[rr.RRSIG]
    bare = root.update({COM: rr.node_wire(node.values())})
    assert judge(bare, COM) == "what was published does not validate: SOA: there is no RRSIG"
