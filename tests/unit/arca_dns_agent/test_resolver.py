# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keeping a resolver in step: a fake one, which forgets, refuses and goes away; what Unbound is told in its words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from arca_dns.zone import names
from arca_dns_agent.resolver import ResolverKeeper, ResolverUnavailable
from arca_dns_agent.unbound import Unbound
from arca_dns_agent.unbound_file import UnboundFile, trusted

COM, NET, REVERSE = (names.from_text(name) for name in ("example.com.", "example.net.", "0/26.113.0.203.in-addr.arpa."))


class FakeResolver:
    """What it was told, and whether it is up."""

    def __init__(self) -> None:
        self.stubs: dict[bytes, bool] = {}
        self.flushed: list[list[bytes]] = []
        self.refuses: dict[bytes, str] = {}
        self.added = 0
        self.up = True
        self.started = 1
        self.reloads = 0

    def _check(self) -> None:
        if not self.up:
            raise ResolverUnavailable("the control socket is gone")

    async def version(self) -> str:
        self._check()
        return f"Fake {self.started}"

    def generation(self) -> object:
        return self.started if self.up else None

    async def differing(self, wanted: Mapping[bytes, bool]) -> list[bytes]:
        self._check()
        left = [zone for zone in self.stubs if zone not in wanted]
        return [zone for zone, insecure in wanted.items() if self.stubs.get(zone) is not insecure] + left

    async def add(self, zone: bytes, *, insecure: bool) -> str | None:
        self._check()
        self.added += 1
        if zone not in self.refuses:
            self.stubs[zone] = insecure
        return self.refuses.get(zone)

    async def remove(self, zone: bytes) -> None:
        self._check()
        self.stubs.pop(zone, None)

    async def flush(self, zones: Iterable[bytes]) -> None:
        self._check()
        self.flushed.append(list(zones))

    async def reload(self) -> None:
        self._check()
        self.reloads += 1
        self.stubs.clear()


class World:
    """A keeper whose clock moves when it is told."""

    def __init__(self, file: Path | None = None) -> None:
        self.resolver = FakeResolver()
        self.wanted: dict[bytes, bool] = {}
        self.anchors: dict[bytes, tuple[bytes, ...]] | None = None
        self.now = 0.0
        self.keeper = ResolverKeeper(
            self.resolver,
            lambda: dict(self.wanted),
            changed=lambda: None,
            audit_interval=30.0,
            file=None if file is None else UnboundFile(file, ("127.0.0.1", 5300)),
            anchors=lambda: self.anchors,
            monotonic=lambda: self.now,
        )

    def step(self, count: int = 1) -> None:
        for _step in range(count):
            asyncio.run(self.keeper.step())


@pytest.fixture
def world() -> World:
    return World()


def test_zones_that_are_served_are_asked_for_at_the_name_server(world: World) -> None:
    world.wanted = {COM: False, NET: True}
    world.step()
    assert world.resolver.stubs == {COM: False, NET: True}
    assert world.resolver.flushed == [[COM, NET]], "it may know that they do not exist"
    assert world.keeper.version == "Fake 1"


def test_a_changed_zone_is_forgotten_and_not_told_again(world: World) -> None:
    world.wanted = {COM: False, NET: False}
    world.step()
    world.keeper.served(COM)
    world.keeper.served(COM)
    world.step(3)
    assert world.resolver.flushed[1:] == [[COM]]
    assert world.resolver.added == 2


def test_a_zone_that_becomes_signed_is_validated_from_then_on(world: World) -> None:
    world.wanted = {COM: True}
    world.step()
    world.wanted = {COM: False}
    world.keeper.served(COM)
    world.step()
    assert world.resolver.stubs == {COM: False}


def test_a_zone_that_is_gone_is_asked_for_elsewhere_and_forgotten(world: World) -> None:
    world.wanted = {COM: False}
    world.step()
    world.wanted = {}
    world.keeper.served(COM)
    world.step()
    assert world.resolver.stubs == {}
    assert world.resolver.flushed[-1] == [COM]


def test_a_restarted_resolver_gets_everything_again(world: World) -> None:
    world.wanted = {COM: False, NET: False}
    world.step()
    world.resolver.up = False
    world.step()
    assert world.keeper.problem == "the control socket is gone"
    world.resolver.up, world.resolver.started, world.resolver.stubs = True, 2, {}
    world.keeper.served(COM)
    world.step()
    assert world.keeper.problem is None
    assert world.keeper.version == "Fake 2"
    assert world.resolver.stubs == {COM: False, NET: False}


def test_a_resolver_that_reloaded_its_configuration_is_found_by_the_audit(world: World) -> None:
    world.wanted = {COM: False}
    world.step()
    world.resolver.stubs = {}
    world.step()
    assert world.resolver.stubs == {}
    world.now += 31
    world.step()
    assert world.resolver.stubs == {COM: False}


def test_many_changes_empty_the_cache_once_and_go_in_portions(world: World) -> None:
    world.wanted = {names.from_text(f"zone-{n}.example."): False for n in range(450)}
    world.step()
    assert len(world.resolver.stubs) == 200
    world.step(2)
    assert len(world.resolver.stubs) == 450
    assert world.resolver.flushed[:2] == [[names.ROOT]] * 2


def test_a_refused_zone_keeps_no_other_waiting(world: World) -> None:
    world.resolver.refuses = {COM: "error cannot parse"}
    world.wanted = {COM: False, NET: False}
    world.step(2)
    assert world.resolver.stubs == {NET: False}
    assert world.resolver.added == 2


def test_a_zone_that_is_removed_while_others_are_told_of_is_not_told_of(world: World) -> None:
    add = world.resolver.add

    async def slow(zone: bytes, *, insecure: bool) -> str | None:
        if zone == COM:
            del world.wanted[NET]
            world.keeper.served(NET)
        return await add(zone, insecure=insecure)

    world.resolver.add = slow  # type: ignore[method-assign]
    world.wanted = {COM: False, NET: False}
    world.step(3)
    assert world.resolver.stubs == {COM: False}


def test_a_zone_that_becomes_signed_while_it_is_told_of_is_told_of_again(world: World) -> None:
    add = world.resolver.add

    async def slow(zone: bytes, *, insecure: bool) -> str | None:
        if insecure:
            world.wanted[zone] = False
            world.keeper.served(zone)
        return await add(zone, insecure=insecure)

    world.resolver.add = slow  # type: ignore[method-assign]
    world.wanted = {COM: True}
    world.step(2)
    assert world.resolver.stubs == {COM: False}


def test_a_version_that_comes_while_the_cache_is_flushed_is_flushed_too(world: World) -> None:
    world.wanted = {COM: False}
    world.step()
    flush, served = world.resolver.flush, [COM]

    async def slow(zones: Iterable[bytes]) -> None:
        await flush(zones)
        if served:
            world.keeper.served(served.pop())

    world.resolver.flush = slow  # type: ignore[method-assign]
    world.keeper.served(COM)
    world.step(3)
    assert world.resolver.flushed[1:] == [[COM], [COM]]


@pytest.mark.parametrize("what", ["remove", "flush"])
def test_what_a_resolver_could_not_be_told_is_told_later(world: World, what: str) -> None:
    world.wanted = {COM: False, NET: False}
    world.step()

    async def silent(*_given: object) -> None:
        raise ResolverUnavailable("the control socket does not answer")

    setattr(world.resolver, what, silent)
    del world.wanted[COM]
    world.keeper.served(COM)
    world.step()
    assert world.keeper.problem is not None
    delattr(world.resolver, what)
    world.resolver.flushed.clear()
    world.step()
    assert world.resolver.stubs == {NET: False}
    assert COM in world.resolver.flushed[0]


def test_a_zone_that_is_asked_for_here_and_not_wanted_is_found_by_the_audit(world: World) -> None:
    world.wanted = {COM: False}
    world.step()
    world.wanted = {}
    world.step()
    assert world.resolver.stubs == {COM: False}, "nobody said so"
    world.now += 31
    world.step()
    assert world.resolver.stubs == {}


def test_zones_that_an_agent_before_this_one_left_are_taken_back(tmp_path: Path) -> None:
    first = World(tmp_path / "zones.conf")
    first.wanted, first.anchors = {COM: False, REVERSE: True}, {COM: (KEY,)}
    first.step()
    world = World(tmp_path / "zones.conf")
    removed: list[bytes] = []

    async def remove(zone: bytes) -> None:
        removed.append(zone)

    world.resolver.remove = remove  # type: ignore[method-assign]
    world.wanted = {COM: False}
    world.step()
    assert removed == [], "it is not known yet what is served"
    world.anchors = {COM: (KEY,)}
    world.step()
    assert removed == [REVERSE]


LISTED = """\
. IN stub prime A.ROOT-SERVERS.NET. 198.41.0.4
Example.com. IN stub noprime 127.0.0.1
example.net. IN stub noprime +i ::1 127.0.0.1
0?26.113.0.203.in-addr.arpa. IN stub noprime 192.0.2.1
"""


def unbound(tmp_path: Path, listed: str = "") -> tuple[Unbound, list[str]]:
    asked: list[str] = []
    driver = Unbound(tmp_path / "ctl", ("127.0.0.1", 5300))

    async def command(words: str) -> list[str]:
        asked.append(words)
        return listed.splitlines() if words == "list_stubs" else ["ok"]

    driver._command = command  # type: ignore[method-assign]
    return driver, asked


def test_what_unbound_lists_is_compared_in_its_own_spelling(tmp_path: Path) -> None:
    driver, _asked = unbound(tmp_path, LISTED)
    wanted = {COM: False, NET: True, REVERSE: False}
    assert asyncio.run(driver.differing(wanted)) == [REVERSE], "that one is asked for elsewhere"
    assert asyncio.run(driver.differing({COM: True, NET: False})) == [COM, NET]
    driver, _asked = unbound(tmp_path, LISTED.replace("192.0.2.1", "127.0.0.1"))
    assert asyncio.run(driver.differing(wanted)) == []


def test_of_stubs_that_are_not_wanted_those_are_ours_that_we_told_unbound_of(tmp_path: Path) -> None:
    driver, _asked = unbound(tmp_path, LISTED.replace("192.0.2.1", "127.0.0.1"))
    assert asyncio.run(driver.differing({COM: False})) == [], "they may be an operator's, for another port"
    for zone in (NET, REVERSE):
        asyncio.run(driver.add(zone, insecure=True))
    assert asyncio.run(driver.differing({COM: False})) == [NET, REVERSE]
    asyncio.run(driver.remove(NET))
    assert asyncio.run(driver.differing({COM: False})) == [REVERSE]


def test_unbound_is_kept_from_answering_reverse_zones_itself(tmp_path: Path) -> None:
    driver, asked = unbound(tmp_path)
    asyncio.run(driver.add(REVERSE, insecure=True))
    asyncio.run(driver.add(COM, insecure=False))
    assert asked == [
        "local_zone 0/26.113.0.203.in-addr.arpa. transparent",
        "stub_add +i 0/26.113.0.203.in-addr.arpa. 127.0.0.1@5300",
        "insecure_remove example.com.",
        "stub_add example.com. 127.0.0.1@5300",
    ]


def test_an_unbound_that_is_not_there_is_told(tmp_path: Path) -> None:
    driver = Unbound(tmp_path / "none", ("127.0.0.1", 5300))
    assert driver.generation() is None
    with pytest.raises(ResolverUnavailable, match=r"Unbound's control socket .* No such file"):
        asyncio.run(driver.version())


KEY, ROLLED = bytes.fromhex("0101030d") + b"key", bytes.fromhex("0101030d") + b"other"


def test_trust_anchors_are_kept_in_their_file_and_read_again_when_they_change(tmp_path: Path) -> None:
    file = tmp_path / "zones.conf"
    world = World(file)
    world.step()
    assert not file.exists(), "nothing is known yet"
    world.wanted, world.anchors = {COM: False}, {COM: (KEY,)}
    world.step()
    assert 'trust-anchor: "example.com. DNSKEY 257 3 13 a2V5"' in file.read_text()
    assert 'stub-zone:\n    name: "example.com."\n    stub-addr: 127.0.0.1@5300\n' in file.read_text()
    assert (world.resolver.reloads, world.resolver.stubs) == (1, {COM: False}), "what a reload forgets is told again"
    assert [COM] in world.resolver.flushed
    world.now += 10
    world.keeper.served(COM)
    world.step()
    assert world.resolver.reloads == 1, "another version has the same keys"
    world.anchors = {COM: (ROLLED,)}
    world.keeper.served(COM)
    world.step()
    assert world.resolver.reloads == 2
    world.anchors, world.wanted = {}, {}
    world.keeper.served(COM)
    world.step()
    assert world.resolver.reloads == 2, "reloads are some time apart"
    world.now += 3
    world.step()
    assert world.resolver.reloads == 3
    assert "trust-anchor" not in file.read_text()


def test_a_new_agent_does_not_reload_for_what_the_file_says_already(tmp_path: Path) -> None:
    for _start in range(2):
        world = World(tmp_path / "zones.conf")
        world.wanted, world.anchors = {COM: False}, {COM: (KEY,)}
        world.step()
    assert world.resolver.reloads == 0
    assert world.resolver.stubs == {COM: False}


def test_a_new_agent_tells_a_resolver_nothing_that_it_was_told_and_empties_no_cache(tmp_path: Path) -> None:
    first = World(tmp_path / "zones.conf")
    first.wanted, first.anchors = {COM: False, NET: True}, {COM: (KEY,)}
    first.step()
    world = World(tmp_path / "zones.conf")
    world.resolver.stubs.update(first.wanted)
    world.wanted, world.anchors = first.wanted, first.anchors
    world.step(3)
    assert (world.resolver.added, world.resolver.flushed) == (0, [])


def test_a_reload_that_is_missed_is_made_up_for(tmp_path: Path) -> None:
    world = World(tmp_path / "zones.conf")
    world.wanted, world.anchors = {COM: False}, {COM: (KEY,)}
    world.resolver.up = False
    world.step()
    assert world.keeper.problem == "the control socket is gone"
    world.resolver.up = True
    world.now += 5
    world.step()
    assert world.resolver.reloads == 1


def test_a_file_that_cannot_be_written_is_said_and_stubs_go_on(tmp_path: Path) -> None:
    world = World(tmp_path / "gone" / "zones.conf")
    world.wanted, world.anchors = {COM: False}, {COM: (KEY,)}
    world.step()
    assert world.resolver.stubs == {COM: False}
    assert "the file of its zones cannot be written: No such file or directory" in str(world.keeper.problem)
    (tmp_path / "gone").mkdir()
    world.step()
    assert world.keeper.problem is None
    assert world.resolver.reloads == 1


def test_of_a_zone_its_secure_entry_points_are_trusted_or_all_of_its_keys() -> None:
    signing, revoked = bytes.fromhex("0100030d") + b"zsk", bytes.fromhex("0181030d") + b"old"
    assert trusted((KEY, signing, revoked)) == (KEY,)
    assert trusted((signing, revoked)) == (signing,)
    assert trusted(()) == ()


def test_unsigned_zones_and_those_that_unbound_has_itself_are_in_the_file_without_a_reload(tmp_path: Path) -> None:
    world = World(tmp_path / "zones.conf")
    world.wanted, world.anchors = {NET: True, REVERSE: True}, {}
    world.step()
    text = (tmp_path / "zones.conf").read_text()
    assert '    domain-insecure: "example.net."\n' in text
    assert '    local-zone: "0/26.113.0.203.in-addr.arpa." transparent\n' in text
    assert 'local-zone: "example.net."' not in text
    assert world.resolver.reloads == 0
