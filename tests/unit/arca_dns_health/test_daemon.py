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

from arca_dns_health import state
from arca_dns_health.bird import BirdError, Prefix, Routes, Session
from arca_dns_health.daemon import Clocks, Daemon
from arca_dns_health.decision import Round, Thresholds
from arca_dns_health.probe import Check

V4: Prefix = ip_network("203.0.113.53/32")
V6: Prefix = ip_network("2001:db8:53::53/128")
GOOD = Round()
BAD = Round(hard=("no answer",))
LIMITS = Thresholds(failure=3, recovery=5)


class Rounds:
    """Gives every prefix the round that is set for it."""

    def __init__(self) -> None:
        self.next: dict[Prefix, Round] = {V4: GOOD, V6: GOOD}

    async def round(self, withdrawn: frozenset[Prefix]) -> tuple[Mapping[Prefix, Round], tuple[Check, ...]]:
        return self.next, ()


class MemoryBird:
    """A BIRD in memory with one established session."""

    def __init__(self, *enabled: Prefix) -> None:
        self.enabled = {V4: V4 in enabled, V6: V6 in enabled}
        self.commands: list[tuple[str, Prefix]] = []
        self.broken = False
        self.sessions = (Session("router", True, "Established"),)

    async def read(self) -> Routes:
        if self.broken:
            raise BirdError("BIRD is not there")
        names = tuple(session.name for session in self.sessions)
        return Routes(self.sessions, dict(self.enabled), {p: names if on else () for p, on in self.enabled.items()})

    async def announce(self, prefix: Prefix) -> None:
        await self._change("announce", prefix, True)

    async def withdraw(self, prefix: Prefix) -> None:
        await self._change("withdraw", prefix, False)

    async def _change(self, what: str, prefix: Prefix, enabled: bool) -> None:
        self.commands.append((what, prefix))
        if self.broken:
            raise BirdError("BIRD is not there")
        self.enabled[prefix] = enabled


class Scene:
    """A daemon on made-up parts; each round takes one second."""

    def __init__(self, path: Path, bird: MemoryBird) -> None:
        self.rounds, self.bird, self.path, self.now = Rounds(), bird, path, 0.0
        clocks = Clocks(lambda: self.now, lambda: datetime.fromtimestamp(self.now, UTC))
        self.daemon = Daemon([V4, V6], LIMITS, self.rounds, bird, clocks, path, state.remembered(path))

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
    assert scene.bird.commands == [("announce", V4), ("announce", V6)]
    assert scene.state["announced"] == [str(V4), str(V6)]


def test_a_failing_prefix_is_withdrawn_and_the_other_one_stays(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.run(LIMITS.recovery)
    scene.rounds.next = {V4: BAD, V6: GOOD}
    scene.run(LIMITS.failure)
    assert scene.bird.enabled == {V4: False, V6: True}
    entry = scene.state["prefixes"][0]
    assert (entry["state"], entry["health"], entry["reasons"]) == ("withdrawn", "failed", ["no answer"])


def test_a_new_daemon_takes_over_what_is_announced_without_a_flap(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(LIMITS.recovery + 1)
    assert scene.bird.commands == []


def test_what_a_restarted_bird_has_forgotten_is_announced_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.run(LIMITS.recovery)
    scene.bird.enabled = {V4: False, V6: False}
    scene.run(1)
    assert scene.bird.enabled == {V4: True, V6: True}


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
    assert ("withdraw", V4) in scene.bird.commands


def test_a_prefix_that_no_session_takes_is_not_called_announced(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird())
    scene.bird.sessions = ()
    scene.run(LIMITS.recovery)
    assert scene.state["announced"] == []
    assert scene.state["prefixes"][0]["wanted"] == "announced"


def test_a_stop_takes_the_prefixes_back_when_told_so(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(1)
    asyncio.run(scene.daemon.stop(withdraw=True))
    assert scene.bird.enabled == {V4: False, V6: False}
    assert scene.state["announced"] == []


def test_a_restart_leaves_them(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.run(1)
    asyncio.run(scene.daemon.stop(withdraw=False))
    assert scene.bird.enabled == {V4: True, V6: True}


def test_withdrawals_are_remembered_over_a_restart(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "health.json", MemoryBird(V4, V6))
    scene.rounds.next = {V4: BAD, V6: GOOD}
    scene.run(LIMITS.failure + 1)
    assert state.remembered(tmp_path / "health.json")[str(V4)].withdrawals == (LIMITS.failure,)


def test_an_unwritable_state_file_stops_nothing(tmp_path: Path) -> None:
    scene = Scene(tmp_path / "gone" / "health.json", MemoryBird())
    scene.run(LIMITS.recovery)
    assert scene.bird.enabled == {V4: True, V6: True}
