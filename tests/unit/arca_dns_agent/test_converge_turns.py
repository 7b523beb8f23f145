# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What turns while the name server is being brought in step: serials that go back, zones that go, rings that change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import pytest

from arca_dns.zone import names
from arca_dns_agent.primary import Transfer
from arca_dns_agent.prove import Proof
from arca_dns_agent.server import ServerUnavailable
from converging import OTHER, ZONE, World


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.runner:
        yield made


# -- serials that go back -----------------------------------------------------------------------


def test_a_newer_serial_is_taken_back_on_disk_before_the_server_goes_back(world: World) -> None:
    world.hold({ZONE: 10, OTHER: 5})
    world.settle()
    reload, written = world.server.reload, len(world.flushed)

    async def watched(zone: bytes) -> None:
        assert world.flushed[written:] == [("other.example.", "add 2")]
        assert world.converger.going_back[zone].serial == 7
        await reload(zone)

    world.server.reload = watched  # type: ignore[method-assign]
    world.hold({ZONE: 7, OTHER: 5})
    world.settle()
    assert world.proved() == {ZONE: 7, OTHER: 5}
    assert not world.converger.going_back
    assert not world.converger.problems


def test_zones_that_go_back_together_are_taken_back_in_one_write(world: World) -> None:
    zones = [names.from_text(f"zone-{n}.example.") for n in range(20)]
    world.hold(dict.fromkeys(zones, 10))
    world.settle()
    world.flushed.clear()
    world.hold(dict.fromkeys(zones, 5))
    world.settle()
    assert len(world.flushed) == 1
    assert set(world.proved().values()) == {5}


def test_a_newer_serial_is_not_said_where_the_older_version_fails(world: World) -> None:
    world.hold({ZONE: 10})
    world.settle()
    world.server.bogus.add(ZONE)
    world.hold({ZONE: 5})
    world.settle()
    assert world.proved() == {}
    assert "expired" in world.converger.problems[ZONE]
    assert dict(world.converger.unsigned) == {ZONE: True}, "a resolver goes on asking here"
    world.server.bogus.clear()
    world.hold({ZONE: 11})
    world.settle()
    assert world.proved() == {ZONE: 11}
    assert not world.converger.going_back


def test_a_zone_that_goes_back_twice_may_answer_with_the_oldest_serial(world: World) -> None:
    world.hold({ZONE: 10})
    world.settle()

    async def aim() -> None:
        for serial in (7, 5, 8):
            world.hold({ZONE: serial})
            await world.converger.step()

    world.runner.run(aim())
    assert world.converger.going_back[ZONE].serial == 5
    world.settle()
    assert world.proved() == {ZONE: 8}


def test_a_server_does_not_go_back_while_the_newer_serial_stands_on_disk(world: World) -> None:
    world.hold({ZONE: 10})
    world.settle()
    flush = world.converger._claims._flush

    async def full() -> None:
        raise OSError(28, "No space left on device")

    world.converger._claims._flush = full
    world.hold({ZONE: 5})
    world.settle()
    assert "reload" not in world.server.calls
    assert "No space left" in world.converger.problems[ZONE]
    world.converger._claims._flush = flush
    world.now += 20
    world.settle()
    assert world.proved() == {ZONE: 5}


# -- the same serial with other content ---------------------------------------------------------


def test_other_content_with_the_same_serial_is_proved_by_a_whole_transfer_only(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    before = world.converger.proved[ZONE]
    world.server.transfers[ZONE] = Transfer(serial=1, times=1, ended=world.now, whole=world.now)
    world.now += 100
    world.hold({ZONE: 1}, www=7)
    world.settle()
    assert world.server.calls.count("reload") == 1
    assert world.converger.problems == {ZONE: "serial 1 is not served: other content may be, with the same serial"}
    assert world.converger.proved[ZONE] == before

    async def transferred(_zone: bytes) -> None:
        world.server.transfers[ZONE] = Transfer(serial=1, times=2, ended=world.now, whole=world.now)

    world.server.reload = transferred  # type: ignore[method-assign]
    world.now += 20
    world.settle()
    assert world.held is not None
    assert world.converger.proved[ZONE].root == world.held.zones[ZONE].root
    assert not world.converger.problems


def test_changes_of_content_that_is_in_doubt_are_not_sent_as_differences(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    world.hold({ZONE: 1}, www=7)
    world.settle()
    world.server.calls.clear()

    async def transferred(zone: bytes) -> None:
        world.server.calls.append("reload")
        world.server.serials[zone] = world.server.wanted[zone]
        world.server.transfers[zone] = Transfer(serial=2, times=1, ended=world.now, whole=world.now)

    world.server.reload = transferred  # type: ignore[method-assign]
    world.hold({ZONE: 2})
    world.settle()
    assert world.server.calls == ["reload"]
    assert world.proved() == {ZONE: 2}


# -- rings --------------------------------------------------------------------------------------


def test_an_edge_that_is_moved_to_a_ring_of_the_same_revision_takes_its_catalog(world: World) -> None:
    world.hold({ZONE: 1}, ring="canary", revision=101)
    world.settle()
    assert (world.converger.settled, world.converger.settled_ring) == (101, "canary")
    world.server.up = False
    world.hold({ZONE: 2}, ring="stable", revision=101)
    world.settle()
    assert (world.converger.settled, world.converger.settled_ring) == (101, "canary"), "until the other is served"
    world.server.up = True
    world.settle()
    assert world.proved() == {ZONE: 2}
    assert (world.converger.settled, world.converger.settled_ring) == (101, "stable")


# -- zones that are removed while they are worked on --------------------------------------------


async def remove(world: World) -> None:
    world.hold({OTHER: 5})
    await world.converger.step()


def test_a_proof_that_comes_after_the_zone_was_removed_does_not_bring_it_back(world: World) -> None:
    prove = world.server.prove

    async def slow(zone: bytes, keys: tuple[bytes, ...]) -> Proof:
        proof = await prove(zone, keys)
        if zone == ZONE and proof.serial == 1:
            await remove(world)
        return proof

    world.server.prove = slow  # type: ignore[method-assign]
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    assert world.proved() == {OTHER: 5}


@pytest.mark.parametrize("problem", [ServerUnavailable("the control socket is gone"), OSError(5, "I/O error")])
def test_a_zone_that_fails_after_it_was_removed_is_no_failure(world: World, problem: Exception) -> None:
    async def failing(zone: bytes, _keys: tuple[bytes, ...]) -> Proof:
        if zone == ZONE:
            await remove(world)
            raise problem
        return Proof(5)

    world.server.prove = failing  # type: ignore[method-assign]
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    assert not world.converger.problems
    assert world.converger._quarantine.due() == []


def test_a_zone_that_was_given_after_it_was_removed_is_taken_back(world: World) -> None:
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.now += 11
    del world.server.serials[ZONE]
    add = world.server.add

    async def slow(zones: Iterable[bytes]) -> dict[bytes, str]:
        await remove(world)
        return await add(zones)

    world.server.add = slow  # type: ignore[method-assign]
    world.hold({ZONE: 2, OTHER: 5})
    world.settle()
    assert world.server.calls[-2:] == ["add 1", "remove example."]
    assert world.server.serials == {OTHER: 5}


def test_a_failure_of_a_version_that_was_replaced_meanwhile_is_not_held_against_the_next(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    reason = world.vetting.problem

    def replaced(entry: object) -> str | None:
        if entry.serial == 2:  # type: ignore[attr-defined]
            world.hold({ZONE: 3})
            asyncio.run_coroutine_threadsafe(world.converger.step(), world.runner.get_loop()).result(5)
        return reason(entry)  # type: ignore[arg-type]

    prove, problems = world.server.prove, []

    async def watched(zone: bytes, keys: tuple[bytes, ...]) -> Proof:
        problems.append(dict(world.converger.problems))
        return await prove(zone, keys)

    world.server.prove = watched  # type: ignore[method-assign]
    world.vetting.serials.add(2)
    world.vetting.problem = replaced  # type: ignore[method-assign, assignment]
    world.hold({ZONE: 2})
    world.settle()
    assert world.proved() == {ZONE: 3}
    assert not any(problems)


@pytest.mark.parametrize("fails", ["flush", "remove"])
def test_that_a_zone_is_removed_is_told_also_where_the_removal_fails(world: World, fails: str) -> None:
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.served.clear()

    async def failing(*_given: object) -> None:
        raise OSError(28, "No space left on device") if fails == "flush" else ServerUnavailable("restarting")

    flush = world.converger._claims._flush
    if fails == "flush":
        world.converger._claims._flush = failing
    else:
        world.server.remove = failing  # type: ignore[method-assign]
    world.hold({OTHER: 5})
    world.settle()
    assert ZONE in world.served
    assert ZONE in world.server.serials
    world.settle()
    assert ZONE in world.server.serials, "while served.json names it, it is served"
    world.converger._claims._flush = flush
    if fails == "remove":
        del world.server.remove  # type: ignore[method-assign]
    world.settle()
    assert world.server.serials == {OTHER: 5}


def test_a_zone_that_the_audit_removes_is_told_of(world: World) -> None:
    world.server.serials = {ZONE: 1, OTHER: 9}
    world.hold({ZONE: 1})
    world.settle()
    assert OTHER in world.served


# -- many zones at once -------------------------------------------------------------------------


def test_a_server_that_does_not_know_new_zones_at_once_is_not_given_them_again(world: World) -> None:
    prove, asked = world.server.prove, 0

    async def late(zone: bytes, keys: tuple[bytes, ...]) -> Proof:
        nonlocal asked
        asked += 1
        return Proof(None, "the server answers REFUSED", unknown=True) if asked < 20 else await prove(zone, keys)

    world.server.prove = late  # type: ignore[method-assign]
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    assert [call for call in world.server.calls if call.startswith("add")] == ["add 2"]
    assert world.proved() == {ZONE: 1, OTHER: 5}


def test_a_zone_that_the_server_has_lost_is_given_again(world: World) -> None:
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.now += 11
    del world.server.serials[ZONE]
    world.hold({ZONE: 2, OTHER: 5})
    world.settle()
    assert world.proved() == {ZONE: 2, OTHER: 5}
