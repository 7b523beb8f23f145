# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Asking an edge to be drained, on the edge itself, and waiting for what becomes of it.

A drain is a wish in a file that the health check reads. It needs the controller's lease, which the agent asks for and
which the last site does not get.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .edge_files import STALE_SECONDS, Drain, read_drains, read_leases, write_drains
from .errors import NotFound, PlanRefused, StoreUnavailable

#: Where an edge keeps what is said here, unless its configuration says otherwise.
DIRECTORY, HEALTH_FILE = "/var/lib/arca-dns/health", "/run/arca-dns/health.json"
_LOOK_SECONDS = 0.2


class Draining:
    """The drains of an edge: *directory* is the health check's, *health_file* where it says how things stand.

    Clock, time and pauses are passed in.
    """

    def __init__(
        self,
        directory: Path,
        health_file: Path,
        *,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._drains = directory / "drains.json"
        self._health_file = health_file
        self._leases = health_file.with_name("leases.json")
        self._utc = utc
        self._monotonic = monotonic
        self._sleep = sleep

    def prefixes(self, named: Sequence[str]) -> list[str]:
        """Those *named*, or all of the edge. Raises :class:`NotFound` for one that is not the edge's."""
        known = [str(one["prefix"]) for one in self.states()]
        for prefix in named:
            if prefix not in known:
                raise NotFound(f"{prefix} is no prefix of this edge: it has {', '.join(known)}")
        return list(named) or known

    def states(self) -> list[Mapping[str, Any]]:
        """What the health check says of each prefix. Raises :class:`StoreUnavailable` if it does not run."""
        return list(read_health(self._health_file)["prefixes"])

    def drained(self) -> dict[str, Drain]:
        """The drains that are asked for, by prefix. Raises :class:`StoreUnavailable`."""
        return {drain.prefix: drain for drain in self._read()}

    def drain(self, prefixes: Iterable[str], reason: str, *, forced: bool, take_over: bool = False) -> list[str]:
        """Ask for drains; returns the prefixes for which that is new. Raises :class:`StoreUnavailable`.

        With *take_over* a drain that is there gets *reason*, if there is one: so whoever asked for it first, such as a
        playbook that stopped half-way, does not end it.
        """
        held = {drain.prefix: drain for drain in self._read()}
        since = self._utc().strftime("%Y-%m-%dT%H:%M:%SZ")
        wanted = list(prefixes)
        new = [prefix for prefix in wanted if prefix not in held or (forced and not held[prefix].forced)]
        changed = {prefix: Drain(prefix, since, reason, forced) for prefix in new}
        if take_over and reason:
            others = [held[prefix] for prefix in wanted if prefix not in changed and held[prefix].reason != reason]
            changed |= {drain.prefix: replace(drain, reason=reason) for drain in others}
        held |= changed
        if changed:
            self._write(held.values())
        return new

    def undrain(self, prefixes: Iterable[str]) -> list[str]:
        """Take drains back; returns the prefixes that had one. Raises :class:`StoreUnavailable`."""
        held = {drain.prefix: drain for drain in self._read()}
        gone = [prefix for prefix in prefixes if held.pop(prefix, None) is not None]
        if gone:
            self._write(held.values())
        return gone

    def wait_drained(self, prefixes: Sequence[str], timeout: float, asked: Collection[str]) -> None:
        """Return when all are drained. Raises :class:`PlanRefused` if one is refused, or after *timeout* seconds.

        Of what was *asked* just now all is taken back if something is refused; and after the time what has not begun:
        it must not begin when nobody expects it any more.
        """
        began = self._utc().timestamp()

        def refused() -> None:
            for prefix, reason in self._refusals(began):
                if prefix in prefixes:
                    self.undrain(asked)
                    raise PlanRefused(f"{prefix} is not drained: {reason}")

        try:
            self._wait(prefixes, timeout, is_drained, refused)
        except PlanRefused:
            begun = {one["prefix"] for one in self.states() if one["condition"] == "drained"}
            self.undrain([prefix for prefix in asked if prefix not in begun])
            raise

    def wait_announced(self, prefixes: Sequence[str], timeout: float) -> None:
        """Return when all are announced. Raises :class:`PlanRefused` where it takes longer than *timeout* seconds."""
        self._wait(prefixes, timeout, is_announced, lambda: None)

    def _wait(
        self,
        prefixes: Sequence[str],
        timeout: float,
        done: Callable[[Mapping[str, Any]], bool],
        look: Callable[[], None],
    ) -> None:
        until = self._monotonic() + timeout
        while True:
            state = {one["prefix"]: one for one in self.states()}
            left = [prefix for prefix in prefixes if prefix not in state or not done(state[prefix])]
            if not left:
                return
            look()
            if self._monotonic() >= until:
                raise PlanRefused("; ".join(_why(prefix, state.get(prefix)) for prefix in left))
            self._sleep(_LOOK_SECONDS)

    def _refusals(self, since: float) -> list[tuple[str, str]]:
        """The drains that the controller has refused *since* (unix seconds), and why."""
        try:
            if self._leases.stat().st_mtime < since:
                return []
            return [
                (lease.prefix, lease.reason)
                for lease in read_leases(self._leases)
                if lease.wish == "drain" and not lease.granted and not lease.pending
            ]
        except (OSError, ValueError):
            return []

    def _read(self) -> tuple[Drain, ...]:
        try:
            return read_drains(self._drains)
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"{self._drains} cannot be read: {error}") from None

    def _write(self, drains: Iterable[Drain]) -> None:
        try:
            write_drains(self._drains, drains)
        except OSError as error:
            raise StoreUnavailable(f"{self._drains} cannot be written: {error.strerror}") from None


def read_health(path: Path) -> dict[str, Any]:
    """What the health check says in its state file. Raises :class:`StoreUnavailable` if it does not run."""
    hint = "Is arca-dns-health.service running?"
    try:
        document = json.loads(path.read_bytes())
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError) as error:
        raise StoreUnavailable(f"the health check says nothing: {error}. {hint}") from None
    if not isinstance(document, dict) or age > STALE_SECONDS:
        raise StoreUnavailable(f"the health check has written nothing for {age:.0f} s. {hint}")
    return document


def is_drained(state: Mapping[str, Any]) -> bool:
    """Whether the prefix of *state* is withdrawn by a drain."""
    return (state["condition"], state["mode"]) == ("drained", "withdrawn")


def is_announced(state: Mapping[str, Any]) -> bool:
    """Whether the prefix of *state* is announced the normal way."""
    return bool(state["mode"] == "announced")


def _why(prefix: str, state: Mapping[str, Any] | None) -> str:
    if state is None:
        return f"{prefix} is not known to the health check"
    reasons = [*([state["refusal"]] if state.get("refusal") else []), *state.get("reasons", ())]
    return f"{prefix} is {state['mode']} and {state['condition']}{': ' if reasons else ''}{'; '.join(reasons)}"
