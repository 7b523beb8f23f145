# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Transactions in a real Knot that an agent did not end, and those of an operator."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from arca_dns.zone import names
from arca_dns_agent.datagram import Exchange
from arca_dns_agent.knot import Knot, run
from arca_dns_agent.server import Notifier, ServerUnavailable
from arca_dns_agent.unfinished import Unfinished
from running_knot import RunningKnot
from running_nsd import tool
from transfers import KEY

pytestmark = pytest.mark.conformance

ZONES = [names.from_text(name) for name in ("example.com.", "0/26.113.0.203.in-addr.arpa.", r"a\032b.example.")]


@pytest.fixture
def knot(tmp_path: Path) -> Iterator[RunningKnot]:
    made = RunningKnot(tmp_path)
    made.start()
    yield made
    made.stop()


class Agent:
    """An agent's driver, which is *killed* after it has given its changes."""

    def __init__(self, knot: RunningKnot) -> None:
        self.killed = False
        self.cut = False
        self.slept = 0
        control, note = knot.directory / "knot.sock", Unfinished(knot.directory / "note.json")
        notifier = Notifier(Exchange(bytes, timeout=0.01), KEY, time.time)
        self.driver = Knot(tool("knotc", "knot"), control, "arca", notifier, self._run, note, self._sleep)

    async def _run(self, command: Sequence[str], given: str) -> str:
        if self.cut:
            raise TimeoutError
        if self.killed and "conf-commit" in given:
            await run(command, given.replace("conf-commit\n", ""))
            self.cut = True
            raise TimeoutError
        return await run(command, given)

    async def _sleep(self, _seconds: float) -> None:
        self.slept += 1

    def leave(self) -> None:
        self.killed = True
        with pytest.raises(ServerUnavailable):
            asyncio.run(self.driver.add(ZONES))

    def zones(self) -> set[bytes]:
        return set(asyncio.run(self.driver.zones()))


def ask(knot: RunningKnot, *lines: str) -> list[str]:
    """An operator's `knotc`."""
    command = [tool("knotc", "knot"), "-s", str(knot.directory / "knot.sock")]
    return asyncio.run(run(command, "".join(f"{line}\n" for line in lines))).splitlines()


def test_what_a_killed_agent_left_open_is_ended_by_the_next(knot: RunningKnot) -> None:
    Agent(knot).leave()
    assert ask(knot, "conf-begin") == ["error: (too many transactions)"]
    second = Agent(knot)
    assert asyncio.run(second.driver.add(ZONES[:1])) == {}
    assert second.zones() == {ZONES[0]}
    assert second.slept == 0
    asyncio.run(second.driver.remove(ZONES[:1]))
    assert second.zones() == set()


def test_an_operators_transaction_stays_also_where_an_agent_was_killed_before(knot: RunningKnot) -> None:
    Agent(knot).leave()
    assert ask(knot, "conf-abort", "conf-begin", "conf-set zone[mine.example.]") == ["OK"] * 3
    second = Agent(knot)
    with pytest.raises(ServerUnavailable, match="too many transactions"):
        asyncio.run(second.driver.add(ZONES))
    assert ask(knot, "conf-diff") == ["+zone.domain = mine.example."]
    assert ask(knot, "conf-commit") == ["OK"]
    assert asyncio.run(second.driver.add(ZONES)) == {}
    assert second.zones() == set(ZONES)
