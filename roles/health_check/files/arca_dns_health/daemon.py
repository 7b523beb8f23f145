# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon's loop: probe, decide, tell BIRD, read back, write the state file; then wait for the next round.

A round that has no answers yet when the next one may be due does not hold that up: so a server that hangs is noticed by
as many rounds in about the time that one of them waits.

What BIRD exports is the truth: it is read every round, and a prefix that BIRD announces
or withholds against the decision is put right, so a restarted or reconfigured BIRD follows.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import structlog

from arca_dns.systemd import notify

from .bird import BirdError, Prefix, RouteController, Routes
from .decision import Health, Round, Thresholds
from .modes import Mode
from .probe import Check
from .stance import Past, Softness, Stance
from .state import CheckState, PrefixState, SessionState, State, timestamp, write
from .wishes import Wishes

log = structlog.get_logger()

_AT_ONCE = 4

#: What a round found: per prefix, and each check.
Found: TypeAlias = tuple[Mapping[Prefix, Round], tuple[Check, ...]]


class Rounds(Protocol):
    """What runs the checks; :class:`.probe.Prober` is the real one."""

    async def round(self, withdrawn: frozenset[Prefix]) -> Found:
        """Run all checks once; for the prefixes *withdrawn* now also those that only the way back needs."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Time, as the daemon needs it: *monotonic* seconds for decisions, *utc* for people."""

    monotonic: Callable[[], float]
    utc: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between the starts of two rounds: normally, and while a prefix is about to move or answers are out."""

    normal: float
    fast: float


class Daemon:
    """Keeps what is announced in step with what the checks say.

    *services* has the prefixes, with the name of each one's service (empty: none).
    """

    def __init__(
        self,
        services: Mapping[Prefix, str],
        thresholds: Thresholds,
        softness: Softness,
        rounds: Rounds,
        bird: RouteController,
        clocks: Clocks,
        wishes: Wishes,
        state_file: Path,
        pasts: Mapping[str, Past] | None = None,
    ) -> None:
        pasts = pasts or {}
        drained = wishes.drained()
        self._stances = {
            prefix: Stance(thresholds, softness, pasts.get(str(prefix)), drained=str(prefix) in drained)
            for prefix in services
        }
        self._services = services
        self._wishes = wishes
        self._rounds = rounds
        self._bird = bird
        self._clocks = clocks
        self._state_file = state_file
        self._routes = Routes()
        self._bird_problem: str | None = "not read yet"
        self._adopted = False
        self._checks: tuple[Check, ...] = ()
        self._health: dict[Prefix, Health] = {}
        self._since: dict[Prefix, tuple[Mode, datetime]] = {}
        self._last_withdrawal: dict[Prefix, datetime] = {}

    async def run(self, pace: Pace, stop: asyncio.Event) -> None:
        """Run rounds until *stop* is set."""
        await self._read_routes()
        self._write_state()
        notify("READY=1")
        stopped = asyncio.create_task(stop.wait())
        begun: deque[asyncio.Task[Found]] = deque()
        last = float("-inf")
        pause = 0.0
        try:
            while not stop.is_set():
                left = last + pause - self._clocks.monotonic()
                if left <= 0 and len(begun) < _AT_ONCE:
                    last, pause, left = self._clocks.monotonic(), pace.fast, pace.fast
                    begun.append(asyncio.create_task(self._round()))
                waiting: set[asyncio.Task[Any]] = {stopped, *list(begun)[:1]}
                until = None if len(begun) == _AT_ONCE else max(0.0, left)
                await asyncio.wait(waiting, timeout=until, return_when=asyncio.FIRST_COMPLETED)
                if not begun or not begun[0].done():
                    continue
                if await self._follow(begun.popleft().result()):
                    # What began before the move was judged by what was announced then.
                    await _cancel(begun)
                notify("WATCHDOG=1", f"STATUS={self._summary()}")
                if not begun:
                    pause = pace.fast if any(one.changing for one in self._stances.values()) else pace.normal
        finally:
            await _cancel([*begun, stopped])

    async def step(self) -> None:
        """One round, and all that follows from it."""
        await self._follow(await self._round())

    async def _round(self) -> Found:
        withdrawn = frozenset(prefix for prefix, stance in self._stances.items() if not stance.decision.wanted)
        return await self._rounds.round(withdrawn)

    async def _follow(self, found: Found) -> bool:
        """Do all that follows from a round; whether a prefix is to be announced in another way than before."""
        rounds, self._checks = found
        before_it = [stance.mode for stance in self._stances.values()]
        drains, leases = self._wishes.read()
        now = self._clocks.monotonic()
        for prefix, stance in self._stances.items():
            before = stance.mode
            moved = stance.observe(rounds[prefix], now, drains.get(str(prefix)), leases.get(str(prefix)))
            self._tell(prefix, stance, before if moved else None)
        self._wishes.keep([str(prefix) for prefix, stance in self._stances.items() if stance.drained])
        await self._reconcile()
        self._write_state()
        return [stance.mode for stance in self._stances.values()] != before_it

    async def stop(self, withdraw: bool) -> None:
        """Leave: with *withdraw*, take every prefix back first and see that it is gone."""
        if withdraw:
            moves = [self._bird.set(prefix, Mode.WITHDRAWN) for prefix in self._stances]
            results = await asyncio.gather(*moves, return_exceptions=True)
            for prefix, result in zip(self._stances, results, strict=True):
                log.info(
                    "stopping", prefix=str(prefix), withdrawn=result is None, error=str(result) if result else None
                )
            await self._read_routes()
            self._write_state()
        else:
            log.info("stopping", announced=[str(prefix) for prefix in self._announced()])

    async def _reconcile(self) -> None:
        await self._read_routes()
        if self._bird_problem is not None:
            # A withdrawal is tried even if BIRD could not be read.
            wrong = {
                prefix: Mode.WITHDRAWN for prefix, stance in self._stances.items() if stance.mode is Mode.WITHDRAWN
            }
        else:
            targets = {prefix: self._possible(prefix, stance.mode) for prefix, stance in self._stances.items()}
            wrong = {
                prefix: mode
                for prefix, mode in targets.items()
                if prefix in self._routes.protocols and not self._routes.is_as(prefix, mode)
            }
        if not wrong:
            return
        moves: list[Awaitable[None]] = [self._bird.set(prefix, mode) for prefix, mode in wrong.items()]
        problem = self._bird_problem
        for prefix, result in zip(wrong, await asyncio.gather(*moves, return_exceptions=True), strict=True):
            if isinstance(result, BirdError):
                problem = str(result)
            elif isinstance(result, BaseException):
                raise result
            else:
                log.info(wrong[prefix].value, prefix=str(prefix))
        await self._read_routes()
        self._bird_problem = self._bird_problem or problem

    def _possible(self, prefix: Prefix, mode: Mode) -> Mode:
        """*mode*, or what comes closest to it of what BIRD's configuration has protocols for."""
        if prefix not in self._routes.protocols:
            self._bird_problem = f"BIRD's configuration has no protocol for {prefix}"
        elif not self._routes.supports(prefix, mode):
            self._bird_problem = f"BIRD's configuration cannot have {prefix} {mode.value}: run role bird"
            return Mode.WITHDRAWN if mode is Mode.DRAINING else Mode.ANNOUNCED
        return mode

    async def _read_routes(self) -> None:
        try:
            self._routes = await self._bird.read()
        except BirdError as error:
            if str(error) != self._bird_problem:
                log.error("bird unavailable", reason=str(error))
            self._routes = Routes()
            self._bird_problem = str(error)
            return
        self._bird_problem = None
        if not self._adopted:
            self._adopted = True
            for prefix, stance in self._stances.items():
                found = self._routes.mode(prefix)
                if found is not Mode.WITHDRAWN:
                    stance.adopt(found)
                    log.info("adopted", prefix=str(prefix), found=found.value, wanted=stance.mode.value)

    def _announced(self) -> list[Prefix]:
        return [prefix for prefix in self._stances if self._routes.exported.get(prefix)]

    def _tell(self, prefix: Prefix, stance: Stance, before: Mode | None) -> None:
        decision = stance.decision
        if before is not None and stance.mode is Mode.WITHDRAWN and not stance.drained:
            self._last_withdrawal[prefix] = self._clocks.utc()
            held = decision.held_for(self._clocks.monotonic())
            log.warning("withdrawing", prefix=str(prefix), reasons=decision.reasons, held_for_seconds=round(held))
        elif before is not None:
            log.info("moving", prefix=str(prefix), **{"from": before.value, "to": stance.mode.value})
        if self._health.get(prefix) != decision.health:
            self._health[prefix] = decision.health
            log.info("health", prefix=str(prefix), health=decision.health.value, reasons=decision.reasons)

    def _summary(self) -> str:
        announced = [str(prefix) for prefix in self._announced()]
        return f"announced: {', '.join(announced) or 'nothing'}"

    def _write_state(self) -> None:
        now = self._clocks.utc()
        try:
            write(self._state_file, self._state(now))
        except OSError as error:
            log.error("state file not written", path=str(self._state_file), reason=str(error))

    def _state(self, now: datetime) -> State:
        announced = self._announced()
        for prefix in self._stances:
            mode = self._mode(prefix)
            if prefix not in self._since or self._since[prefix][0] is not mode:
                self._since[prefix] = (mode, now)
        return State(
            updated=timestamp(now),
            announced=tuple(str(prefix) for prefix in announced),
            prefixes=tuple(self._prefix_state(prefix, stance) for prefix, stance in self._stances.items()),
            sessions=tuple(SessionState(s.name, s.established) for s in self._routes.sessions),
            checks=tuple(
                CheckState(check.name, check.reason is None, check.reason, round(check.latency * 1000, 1))
                for check in self._checks
            ),
            bird_problem=self._bird_problem,
            bird_version=self._routes.version,
        )

    def _mode(self, prefix: Prefix) -> Mode:
        """How *prefix* is really announced: what no session has got is withdrawn."""
        return self._routes.mode(prefix) if self._routes.exported.get(prefix) else Mode.WITHDRAWN

    def _prefix_state(self, prefix: Prefix, stance: Stance) -> PrefixState:
        decision = stance.decision
        mode, since = self._since[prefix]
        last = self._last_withdrawal.get(prefix)
        return PrefixState(
            prefix=str(prefix),
            service=self._services[prefix],
            state="withdrawn" if mode is Mode.WITHDRAWN else "announced",
            mode=mode.value,
            wanted=stance.mode.value,
            condition=stance.condition.value,
            wish=stance.wish,
            refusal=stance.refusal,
            health=decision.health.value,
            since=timestamp(since),
            good_rounds=decision.good,
            bad_rounds=decision.bad,
            exported_to=self._routes.exported.get(prefix, ()),
            reasons=decision.reasons,
            held_for_seconds=round(decision.held_for(self._clocks.monotonic())),
            last_withdrawal=timestamp(last) if last else None,
            past=stance.past,
        )


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    """End *tasks*; those of a deque are taken out of it."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    if isinstance(tasks, deque):
        tasks.clear()
