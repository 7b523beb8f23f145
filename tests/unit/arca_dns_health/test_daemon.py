# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The loop, with rounds and a BIRD that are made up: what it tells BIRD, when, and what the state file says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from arca_dns.edge_files import Drain, Lease, Wish, write_drains, write_leases
from arca_dns_health import state
from arca_dns_health.bird import BirdError, Prefix, Routes, Session
from arca_dns_health.daemon import Clocks, Daemon, Pace
from arca_dns_health.decision import Round, Thresholds
from arca_dns_health.modes import Mode
from arca_dns_health.probe import Check
from arca_dns_health.stance import Softness
from arca_dns_health.wishes import Wishes

V4: Prefix = ip_network("203.0.113.53/32")
V6: Prefix = ip_network("2001:db8:53::53/128")
GOOD = Round()
BAD = Round(hard=("no answer",))
SLOW = Round(soft=("took 300 ms",))
LIMITS = Thresholds(failure=3, recovery=5)
SOFT = Softness(degrade=4, recovery=5, dwell=20, drain_wait=3)
MODES = (Mode.ANNOUNCED, Mode.DEGRADED, Mode.DRAINING)


class Rounds:
    """Gives every prefix the round that is set for it."""

    def __init__(self) -> None:
        self.next: dict[Prefix, Round] = {V4: GOOD, V6: GOOD}

    async def round(self, withdrawn: frozenset[Prefix]) -> tuple[Mapping[Prefix, Round], tuple[Check, ...]]:
        return self.next, ()


class MemoryBird:
    """A BIRD in memory with one established session; a protocol for each of *modes* and prefix."""

    def __init__(self, *announced: Prefix, modes: tuple[Mode, ...] = MODES) -> None:
        self.protocols = {p: {m: m is Mode.ANNOUNCED and p in announced for m in modes} for p in (V4, V6)}
        self.commands: list[tuple[str, Prefix]] = []
        self.broken = False
        self.sessions = (Session("router", True, "Established"),)

    @property
    def modes(self) -> dict[Prefix, Mode]:
        return {p: Routes(protocols=self.protocols).mode(p) for p in self.protocols}

    async def read(self) -> Routes:
        if self.broken:
            raise BirdError("BIRD is not there")
        names = tuple(session.name for session in self.sessions)
        exported = {p: () if mode is Mode.WITHDRAWN else names for p, mode in self.modes.items()}
        return Routes(self.sessions, {p: dict(found) for p, found in self.protocols.items()}, exported)

    async def set(self, prefix: Prefix, mode: Mode) -> None:
        self.commands.append((mode.value, prefix))
        if self.broken:
            raise BirdError("BIRD is not there")
        self.protocols[prefix] = {one: one is mode for one in self.protocols[prefix]}


class Scene:
    """A daemon on made-up parts; each round takes one second."""

    def __init__(self, path: Path, bird: MemoryBird) -> None:
        self.rounds, self.bird, self.path, self.now = Rounds(), bird, path, 0.0
        self.folder = path.parent
        self.start()

    def start(self) -> None:
        clocks = Clocks(lambda: self.now, lambda: datetime.fromtimestamp(self.now, UTC))
        wishes = Wishes(*(self.folder / f"{name}.json" for name in ("drains", "leases", "drained")))
        past = state.remembered(self.path)
        self.daemon = Daemon(
            {V4: "public", V6: ""}, LIMITS, SOFT, self.rounds, self.bird, clocks, wishes, self.path, past
        )

    def drain(self, *prefixes: Prefix, forced: bool = False) -> None:
        write_drains(self.folder / "drains.json", [Drain(str(p), "now", forced=forced) for p in prefixes])

    def lease(self, *prefixes: Prefix, wish: Wish = "drain", granted: bool = True) -> None:
        leases = [Lease(str(p), wish, granted, "" if granted else "no spare site") for p in prefixes]
        write_leases(self.folder / "leases.json", leases)

    def run(self, count: int) -> None:
        async def main() -> None:
            for _ in range(count):
                self.now += 1
                await self.daemon.step()

        asyncio.run(main())

    @property
    def state(self) -> Any:
        return json.loads(self.path.read_text())


def test_both_prefixes_are_announced_after_enough_good_rounds(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.run(LIMITS.recovery - 1)
    assert scene.bird.commands == []
    scene.run(1)
    assert scene.bird.commands == [("announced", V4), ("announced", V6)]
    assert scene.state["announced"] == [str(V4), str(V6)]


def test_a_failing_prefix_is_withdrawn_and_the_other_one_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.run(LIMITS.recovery)
    scene.rounds.next = {V4: BAD, V6: GOOD}
    scene.run(LIMITS.failure)
    assert scene.bird.modes == {V4: Mode.WITHDRAWN, V6: Mode.ANNOUNCED}
    entry = scene.state["prefixes"][0]
    assert (entry["state"], entry["health"], entry["reasons"]) == ("withdrawn", "failed", ["no answer"])


def test_a_new_daemon_takes_over_what_is_announced_without_a_flap(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(LIMITS.recovery + 1)
    assert scene.bird.commands == []


def test_what_a_restarted_bird_has_forgotten_is_announced_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.run(LIMITS.recovery)
    for found in scene.bird.protocols.values():
        found[Mode.ANNOUNCED] = False
    scene.run(1)
    assert scene.bird.modes == {V4: Mode.ANNOUNCED, V6: Mode.ANNOUNCED}


def test_a_bird_that_is_away_is_reported_and_followed_up(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.bird.broken = True
    scene.run(LIMITS.recovery)
    assert scene.state["bird_problem"] == "BIRD is not there"
    assert scene.state["announced"] == []
    scene.bird.broken = False
    scene.run(1)
    assert scene.state["bird_problem"] is None
    assert scene.state["announced"] == [str(V4), str(V6)]


def test_a_withdrawal_is_tried_even_if_bird_cannot_be_read(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(1)
    scene.bird.broken = True
    scene.rounds.next = {V4: BAD, V6: GOOD}
    scene.run(LIMITS.failure)
    assert ("withdrawn", V4) in scene.bird.commands


def test_a_prefix_that_no_session_takes_is_not_called_announced(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.bird.sessions = ()
    scene.run(LIMITS.recovery)
    assert scene.state["announced"] == []
    assert scene.state["prefixes"][0]["wanted"] == "announced"
    assert [entry["service"] for entry in scene.state["prefixes"]] == ["public", ""]


def test_a_stop_takes_the_prefixes_back_when_told_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(1)
    asyncio.run(scene.daemon.stop(withdraw=True))
    assert scene.bird.modes == {V4: Mode.WITHDRAWN, V6: Mode.WITHDRAWN}
    assert scene.state["announced"] == []


def test_a_restart_leaves_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(1)
    asyncio.run(scene.daemon.stop(withdraw=False))
    assert scene.bird.modes == {V4: Mode.ANNOUNCED, V6: Mode.ANNOUNCED}


def test_withdrawals_are_remembered_over_a_restart(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.rounds.next = {V4: BAD, V6: GOOD}
    scene.run(LIMITS.failure + 1)
    assert state.remembered(tmp_path / "health.json")[str(V4)].decision.withdrawals == (LIMITS.failure,)


def test_an_unwritable_state_file_stops_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "gone" / "health.json", MemoryBird())
    scene.run(LIMITS.recovery)
    assert scene.bird.modes == {V4: Mode.ANNOUNCED, V6: Mode.ANNOUNCED}


def test_a_drain_goes_through_draining_and_ends_withdrawn(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(1)
    scene.drain(V4)
    scene.run(3)
    assert scene.bird.modes[V4] is Mode.ANNOUNCED
    assert scene.state["prefixes"][0]["wish"] == "drain"
    assert scene.state["prefixes"][0]["refusal"] == "no controller has granted it yet"
    scene.lease(V4)
    scene.run(1)
    assert scene.bird.modes == {V4: Mode.DRAINING, V6: Mode.ANNOUNCED}
    assert scene.state["prefixes"][0]["mode"] == "draining"
    scene.run(3)
    assert scene.bird.modes[V4] is Mode.WITHDRAWN
    assert (scene.state["prefixes"][0]["condition"], scene.state["announced"]) == ("drained", [str(V6)])
    scene.drain()
    scene.run(1)
    assert scene.bird.modes[V4] is Mode.ANNOUNCED


def test_a_refused_drain_moves_nothing_and_says_why(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.drain(V4)
    scene.lease(V4, granted=False)
    scene.run(10)
    assert scene.bird.commands == []
    assert scene.state["prefixes"][0]["refusal"] == "no spare site"


def test_a_drain_outlives_the_daemon_and_a_boot(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.drain(V4)
    scene.lease(V4)
    scene.run(6)
    scene.start()
    scene.run(6)
    assert scene.bird.modes[V4] is Mode.WITHDRAWN
    (tmp_path / "leases.json").unlink()
    scene.path.unlink()
    scene.bird = MemoryBird()
    scene.start()
    scene.run(2 * LIMITS.recovery)
    assert scene.bird.modes == {V4: Mode.WITHDRAWN, V6: Mode.ANNOUNCED}
    assert scene.state["prefixes"][0]["condition"] == "drained"


def test_a_drain_that_nobody_granted_does_not_keep_a_prefix_down_after_a_boot(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.drain(V4)
    scene.run(3)
    scene.bird = MemoryBird()
    scene.path.unlink()
    scene.start()
    scene.run(LIMITS.recovery)
    assert scene.bird.modes[V4] is Mode.ANNOUNCED


def test_soft_reasons_degrade_with_a_lease_and_only_then(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.rounds.next = {V4: SLOW, V6: GOOD}
    scene.run(20)
    assert scene.bird.commands == []
    assert (scene.state["prefixes"][0]["condition"], scene.state["prefixes"][0]["wish"]) == ("degraded", "degrade")
    scene.lease(V4, wish="degrade")
    scene.run(1)
    assert scene.bird.modes == {V4: Mode.DEGRADED, V6: Mode.ANNOUNCED}
    scene.start()
    scene.run(2)
    assert scene.bird.modes[V4] is Mode.DEGRADED
    scene.rounds.next = {V4: GOOD, V6: GOOD}
    scene.run(30)
    assert scene.bird.modes[V4] is Mode.ANNOUNCED
    assert scene.state["prefixes"][0]["wish"] is None


def test_a_bird_without_the_other_modes_is_said_and_used_as_it_is(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6, modes=(Mode.ANNOUNCED,)))
    scene.run(1)
    scene.drain(V4, forced=True)
    scene.run(1)
    assert scene.bird.modes[V4] is Mode.WITHDRAWN
    assert "run role bird" in scene.state["bird_problem"]


def test_a_damaged_drains_file_changes_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.drain(V4, forced=True)
    scene.run(6)
    (tmp_path / "drains.json").write_text("{")
    scene.run(10)
    assert scene.bird.modes == {V4: Mode.WITHDRAWN, V6: Mode.ANNOUNCED}


class SlowRounds:
    """Rounds that all wait for an answer until *many* of them have begun; then each finds what *finds* says."""

    def __init__(self, many: int, finds: Round) -> None:
        self.many, self.finds = many, finds
        self.begun = self.cancelled = 0
        self._all = asyncio.Event()

    async def round(self, withdrawn: frozenset[Prefix]) -> tuple[Mapping[Prefix, Round], tuple[Check, ...]]:
        self.begun += 1
        if self.begun == self.many:
            self._all.set()
        try:
            await self._all.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return {V4: self.finds, V6: self.finds}, ()


def test_rounds_go_on_while_answers_are_missing(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(LIMITS.recovery)

    async def main() -> SlowRounds:
        rounds = SlowRounds(LIMITS.failure, BAD)
        scene.daemon._rounds = rounds
        scene.daemon._clocks = Clocks(asyncio.get_running_loop().time, lambda: datetime.fromtimestamp(0, UTC))
        stop = asyncio.Event()
        running = asyncio.create_task(scene.daemon.run(Pace(3600, 0.001), stop))
        while scene.bird.modes[V4] is not Mode.WITHDRAWN:
            await asyncio.sleep(0.001)
        stop.set()
        await running
        return rounds

    rounds = asyncio.run(main())
    assert rounds.begun >= LIMITS.failure
    assert scene.bird.modes == {V4: Mode.WITHDRAWN, V6: Mode.WITHDRAWN}


def test_it_ends_at_once_when_it_is_told_to_while_it_waits(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))

    async def main() -> int:
        rounds = SlowRounds(1000, GOOD)
        scene.daemon._rounds = rounds
        scene.daemon._clocks = Clocks(asyncio.get_running_loop().time, lambda: datetime.fromtimestamp(0, UTC))
        stop = asyncio.Event()
        running = asyncio.create_task(scene.daemon.run(Pace(3600, 0.001), stop))
        while rounds.begun < 2:
            await asyncio.sleep(0.001)
        stop.set()
        await running
        return rounds.begun - rounds.cancelled

    assert asyncio.run(main()) == 0
