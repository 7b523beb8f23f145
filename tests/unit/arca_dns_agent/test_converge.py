# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Bringing a name server in step: a fake one, which can be slow, stubborn, down, or gone back."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

import pytest

from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head
from arca_dns.zone import names, rr
from arca_dns.zone.rr import RRset
from arca_dns.zone.tree import ZoneRoot
from arca_dns_agent.primary import Transfer
from arca_dns_agent.sync import Held
from converging import OTHER, ZONE, World, soa_of


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    with made.runner:
        yield made


def test_new_zones_are_added_together_and_proved(world: World) -> None:
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    assert world.server.calls[0] == "add 2"
    assert world.proved() == {ZONE: 1, OTHER: 5}
    assert world.converger.settled == 1


def test_a_new_version_is_notified_and_proved(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    world.server.calls.clear()
    world.hold({ZONE: 2})
    world.settle()
    assert world.server.calls == ["notify 2"]
    assert world.proved() == {ZONE: 2}


def test_the_server_is_not_told_of_a_version_that_does_not_validate(world: World) -> None:
    world.hold({ZONE: 1, OTHER: 1})
    world.settle()
    world.server.calls.clear()
    world.vetting.serials.add(2)
    world.hold({ZONE: 2, OTHER: 3})
    world.settle()
    assert world.server.calls == ["notify 3"]
    assert world.proved() == {ZONE: 1, OTHER: 3}
    assert world.converger.problems == {ZONE: "what was published does not validate"}
    assert world.converger.settled == 2, "no head waits for it"
    world.hold({ZONE: 4, OTHER: 3})
    world.settle()
    assert world.proved() == {ZONE: 4, OTHER: 3}
    assert not world.converger.problems


def test_the_keys_of_what_is_served_are_known_also_where_the_wanted_version_is_refused(world: World) -> None:
    first, second = bytes.fromhex("0101030d") + b"first", bytes.fromhex("0101030d") + b"second"

    def hold(serial: int, key: bytes) -> None:
        dnskey = RRset(ZONE, rr.DNSKEY, 60, (key,)).wire()
        root = ZoneRoot.build(world.blobs, ZONE, [(ZONE, soa_of(ZONE, serial) + dnskey)])
        world.revision += 1
        entry = Entry(ZONE, serial, root.store(world.blobs), "v")
        world.held = Held(Head("stable", world.revision, None, 0, 2**40), {ZONE: entry})
        world.server.wanted = {ZONE: serial}

    hold(1, first)
    world.settle()
    assert world.converger.anchors() == {ZONE: (first,)}
    world.server.bogus.add(ZONE)
    hold(2, second)
    world.settle()
    assert world.proved() == {ZONE: 1}
    world.converger.content.clear()  # as in an agent that has been started again
    assert world.converger.anchors() == {ZONE: (first,)}
    world.server.bogus.clear()
    world.now += 100
    world.settle()
    assert world.converger.anchors() == {ZONE: (second,)}


def test_no_second_notice_while_a_transfer_is_in_flight(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    world.server.delay = 3
    world.server.overlaps = 0

    async def burst() -> None:
        work = asyncio.create_task(world.converger._worker())
        for serial in range(2, 12):
            world.hold({ZONE: serial})
            await world.converger.step()
            await asyncio.sleep(0.001)
        for _round in range(400):
            await asyncio.sleep(0.0005)
            if not world.converger.waiting():
                break
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    world.runner.run(burst())
    assert world.proved() == {ZONE: 11}
    assert world.server.overlaps == 0


def test_a_removed_zone_is_first_taken_back_in_word_then_in_fact(world: World) -> None:
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.hold({ZONE: 1})
    world.settle()
    assert world.server.calls[-1] == "remove other.example."
    assert world.flushed[-1][0] == "example."
    assert "remove other.example." not in world.flushed[-1]


def test_a_zone_that_the_server_refuses_is_reported_and_others_go_on(world: World) -> None:
    world.server.refused = {OTHER: "cannot parse zone name"}
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    assert world.proved() == {ZONE: 1}
    assert OTHER in world.converger.problems
    assert world.converger.settled == 1


def test_a_zone_that_is_not_taken_in_time_is_a_failure_and_tried_again(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    world.server.ignores_notify = True
    world.hold({ZONE: 2})
    world.settle()
    assert world.proved() == {ZONE: 1}
    assert world.converger.problems[ZONE] == "serial 2 is not served: serial 1 is"
    assert "reload" not in world.server.calls
    world.now += 100
    world.settle()
    assert world.server.calls.count("reload") == 1, "a server that ignores NOTIFY is made to transfer"
    assert world.proved() == {ZONE: 2}
    assert world.converger.problems == {}


def test_a_served_serial_with_a_bad_signature_is_a_failure(world: World) -> None:
    world.server.bogus = {ZONE}
    world.hold({ZONE: 1})
    world.settle()
    assert world.proved() == {}
    assert "expired" in world.converger.problems[ZONE]


def test_a_server_that_is_down_is_told_and_gets_everything_when_it_is_back(world: World) -> None:
    world.server.up = False
    world.hold({ZONE: 1})
    world.settle()
    assert world.converger.server_problem == "the control socket is gone"
    assert world.converger.settled is None
    world.server.up = True
    world.settle()
    assert world.converger.server_problem is None
    assert world.proved() == {ZONE: 1}


def test_a_restarted_server_is_compared_and_brought_in_step(world: World) -> None:
    world.hold({ZONE: 3, OTHER: 5})
    world.settle()
    world.server.started = 2
    world.server.serials = {ZONE: 2}
    world.server.calls.clear()
    world.settle()
    assert "add 1" in world.server.calls
    assert "notify 3" in world.server.calls
    assert world.server.serials == {ZONE: 3, OTHER: 5}


def test_zones_of_ours_that_nobody_published_are_removed_at_the_start(world: World) -> None:
    world.server.serials = {ZONE: 1, OTHER: 9}
    world.hold({ZONE: 1})
    world.settle()
    assert world.server.serials == {ZONE: 1}


def test_without_a_head_the_server_is_left_alone(world: World) -> None:
    world.server.serials = {ZONE: 1}
    world.settle()
    assert world.server.calls == []
    assert world.server.serials == {ZONE: 1}


def test_a_server_that_is_ahead_is_made_to_take_the_zone_anew(world: World) -> None:
    world.server.serials = {ZONE: 100}
    world.hold({ZONE: 1})
    world.settle()
    assert "reload" in world.server.calls
    assert world.proved() == {ZONE: 1}


def test_content_that_cannot_be_read_is_reported_for_repair(world: World) -> None:
    world.hold({ZONE: 1})
    assert world.held is not None
    world.held.zones[ZONE] = Entry(ZONE, 1, "0" * 64, "v")
    world.settle()
    assert world.damage == 1
    assert "missing" in world.converger.problems[ZONE]


def test_a_refused_zone_is_tried_again_with_growing_pauses_and_at_once_when_it_changes(world: World) -> None:
    world.server.refused = {OTHER: "cannot parse zone name"}
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.server.calls.clear()
    tries = []
    for _second in range(80):
        world.now += 1
        world.settle()
        tries.append(len(world.server.calls))
    assert tries[-1] == 3, "after 10 s, 20 s more, 40 s more"
    assert tries[:9] == [0] * 9
    assert world.converger.problems == {OTHER: "cannot parse zone name"}
    world.server.refused = {}
    world.hold({ZONE: 1, OTHER: 6})
    world.settle()
    assert world.proved() == {ZONE: 1, OTHER: 6}
    assert world.converger.problems == {}


def test_a_zone_that_is_tried_again_keeps_no_head_waiting(world: World) -> None:
    world.server.ignores_notify = True
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.hold({ZONE: 1, OTHER: 6})
    world.settle()
    assert list(world.converger.problems) == [OTHER]
    world.converger._active[OTHER] = None
    world.hold({ZONE: 1, OTHER: 6})
    world.settle(rounds=1)
    assert world.converger.settled == 3


def test_zones_that_failed_do_not_take_all_workers(world: World) -> None:
    failed = [names.from_text(f"bad-{n}.example.") for n in range(8)]
    world.server.refused = dict.fromkeys(failed, "no")
    world.hold({**dict.fromkeys(failed, 1), ZONE: 1})
    world.settle()
    for zone in failed:
        world.converger._queue(zone)
    taken = []
    while (zone := world.converger._next()) is not None:
        world.converger._active[zone] = None
        taken.append(zone)
    assert len(taken) == 4
    world.converger._active.clear()
    world.converger._pending.clear()


def test_a_zone_that_was_transferred_again_and_again_and_is_not_served_is_refused_content(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    world.server.ignores_notify = True
    world.server.transfers[ZONE] = Transfer(serial=2, times=1, ended=world.now)
    world.hold({ZONE: 2})

    async def transferred_again(_zone: bytes, _soa: RRset) -> None:
        sent = world.server.transfers[ZONE]
        sent.times, sent.ended = sent.times + 4, world.now

    world.server.notify = transferred_again  # type: ignore[method-assign, assignment]
    world.converger._timeout = 1000.0
    world.settle(rounds=4000)
    assert world.converger.problems == {ZONE: "serial 2 was transferred 4 times and is not served"}
    assert world.proved() == {ZONE: 1}


def test_no_notice_while_a_transfer_is_being_sent_however_long_it_takes(world: World) -> None:
    world.hold({ZONE: 1})
    world.settle()
    world.server.calls.clear()
    sending = world.server.transfers[ZONE] = Transfer(sending=1)
    began = world.now
    world.hold({ZONE: 2})
    pause = world._sleep

    async def done_after_a_minute(seconds: float) -> None:
        await pause(seconds)
        if world.now - began > 60:
            sending.sending = 0

    world.converger._sleep = done_after_a_minute
    world.settle(rounds=4000)
    assert world.now - began > 60, "longer than the timeout of 5 s"
    assert world.server.calls == ["notify 2"]
    assert world.proved() == {ZONE: 2}


def test_changes_of_a_large_zone_go_out_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arca_dns_agent.converge._LARGE", 1)
    world.server.delay = 0
    world.hold({ZONE: 1})
    world.settle()
    world.server.calls.clear()
    world.hold({ZONE: 2})
    world.settle()
    first = world.now
    world.hold({ZONE: 3})
    world.settle()
    assert world.now - first > 0.15
    world.now += 1
    quiet = world.now
    world.hold({ZONE: 4})
    world.settle()
    assert world.now - quiet < 0.1, "after a pause a change goes out at once"
    assert world.server.calls == ["notify 2", "notify 3", "notify 4"]


def test_zones_that_change_or_go_are_told_of_once_they_are_served(world: World) -> None:
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    world.hold({ZONE: 2})
    world.settle()
    assert sorted(world.served[:2]) == sorted([ZONE, OTHER])
    assert sorted(world.served[2:]) == sorted([OTHER, ZONE])


def test_zones_that_are_being_given_are_not_added_one_by_one(world: World) -> None:
    add = world.server.add

    async def slow(zones: Iterable[bytes]) -> dict[bytes, str]:
        await asyncio.sleep(0.005)
        return await add(zones)

    world.server.add = slow  # type: ignore[method-assign]
    world.hold({ZONE: 1, OTHER: 5})
    world.settle()
    assert [call for call in world.server.calls if call.startswith("add")] == ["add 2"]
    assert world.proved() == {ZONE: 1, OTHER: 5}
