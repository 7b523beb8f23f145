# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns-agent drain and undrain: what an operator asks of this edge's prefixes, and what becomes of it.

A drain is a wish in a file that the health check reads; it needs the controller's lease, which the daemon asks for, and
which the last site does not get.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from arca_dns.edge_config import EdgeConfig, load
from arca_dns.edge_files import Drain, read_drains, read_leases, write_drains
from arca_dns.errors import ArcaError, NotFound, PlanRefused, StoreUnavailable

_LOOK_SECONDS = 0.2
#: The health check writes its state every round; older than that it does not run.
_STALE_SECONDS = 60.0
DEFAULT_CONFIG = Path("/etc/arca-dns/agent.yaml")

Config = Annotated[Path, typer.Option("--config", help="The edge's configuration file.")]
Prefixes = Annotated[list[str] | None, typer.Option("--prefix", help="Only this prefix; may be repeated.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is done, and take it back if it is refused.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Wait at most so many seconds.")]


class Draining:
    """The drains of the edge that *config* describes. Clock, time and pauses are passed in."""

    def __init__(
        self,
        config: EdgeConfig,
        *,
        utc: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._config = config
        self._drains = Path(config.health.state_directory) / "drains.json"
        self._leases = Path(config.health.state_file).with_name("leases.json")
        self._utc = utc
        self._monotonic = monotonic
        self._sleep = sleep

    def prefixes(self, named: Sequence[str]) -> list[str]:
        """Those *named*, or all of the edge. Raises :class:`NotFound` for one that is not the edge's."""
        known = list(self._config.bird.anycast_prefixes)
        for prefix in named:
            if prefix not in known:
                raise NotFound(f"{prefix} is no prefix of this edge: it has {', '.join(known)}")
        return list(named) or known

    def drain(self, prefixes: Iterable[str], reason: str, *, forced: bool) -> list[str]:
        """Ask for drains; returns the prefixes for which that is new. Raises :class:`StoreUnavailable`."""
        held = {drain.prefix: drain for drain in self._read()}
        since = self._utc().strftime("%Y-%m-%dT%H:%M:%SZ")
        new = [prefix for prefix in prefixes if prefix not in held or (forced and not held[prefix].forced)]
        held.update({prefix: Drain(prefix, since, reason, forced) for prefix in new})
        if new:
            self._write(held.values())
        return new

    def undrain(self, prefixes: Iterable[str]) -> list[str]:
        """Take drains back; returns the prefixes that had one. Raises :class:`StoreUnavailable`."""
        held = {drain.prefix: drain for drain in self._read()}
        gone = [prefix for prefix in prefixes if held.pop(prefix, None) is not None]
        if gone:
            self._write(held.values())
        return gone

    def wait_drained(self, prefixes: Sequence[str], timeout: float) -> None:
        """Return when all are drained. Raises :class:`PlanRefused`, and has taken the drains back, if one is refused.

        Raises the same where it takes longer than *timeout* seconds.
        """
        began = self._utc().timestamp()

        def refused() -> None:
            for lease in self._refusals(began):
                if lease[0] in prefixes:
                    self.undrain(prefixes)
                    raise PlanRefused(f"{lease[0]} is not drained: {lease[1]}")

        self._wait(prefixes, timeout, lambda one: one["condition"] == "drained" and one["mode"] == "withdrawn", refused)

    def wait_announced(self, prefixes: Sequence[str], timeout: float) -> None:
        """Return when all are announced. Raises :class:`PlanRefused` where it takes longer than *timeout* seconds."""
        self._wait(prefixes, timeout, lambda one: one["mode"] == "announced", lambda: None)

    def _wait(
        self,
        prefixes: Sequence[str],
        timeout: float,
        done: Callable[[Mapping[str, Any]], bool],
        look: Callable[[], None],
    ) -> None:
        until = self._monotonic() + timeout
        while True:
            state = {one["prefix"]: one for one in health_of(self._config)["prefixes"]}
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
                if lease.wish == "drain" and not lease.granted
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


def health_of(config: EdgeConfig) -> dict[str, Any]:
    """What the health check says. Raises :class:`StoreUnavailable` if it does not run."""
    path = Path(config.health.state_file)
    hint = "Is arca-dns-health.service running?"
    try:
        document = json.loads(path.read_bytes())
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError) as error:
        raise StoreUnavailable(f"the health check says nothing: {error}. {hint}") from None
    if not isinstance(document, dict) or age > _STALE_SECONDS:
        raise StoreUnavailable(f"the health check has written nothing for {age:.0f} s. {hint}")
    return document


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(drain)
    app.command()(undrain)


def drain(
    prefix: Prefixes = None,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for whoever looks next.")] = "",
    wait: Wait = False,
    timeout: Timeout = 60.0,
    force: Annotated[bool, typer.Option("--force", help="Also if no other site is left.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Lead traffic away from this edge, then withdraw its prefixes, until undrain; also over boots."""
    with _told():
        work = Draining(load(config))
        prefixes = work.prefixes(prefix or [])
        new = work.drain(prefixes, reason, forced=force)
        if wait:
            work.wait_drained(prefixes, timeout)
    for one in prefixes:
        asked = "is to be drained" if one in new else "is to be drained already"
        typer.echo(f"{one} {'is drained' if wait else asked}")


def undrain(
    prefix: Prefixes = None,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """End a drain: the prefixes are announced again as soon as the checks allow it."""
    with _told():
        work = Draining(load(config))
        prefixes = work.prefixes(prefix or [])
        gone = work.undrain(prefixes)
        if wait:
            work.wait_announced(prefixes, timeout)
    for one in prefixes:
        ended = "is drained no more" if one in gone else "was not drained"
        typer.echo(f"{one} {'is announced' if wait else ended}")


@contextmanager
def _told() -> Iterator[None]:
    """Errors as one line on standard error and a status of 1."""
    try:
        yield
    except (ArcaError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _why(prefix: str, state: Mapping[str, Any] | None) -> str:
    if state is None:
        return f"{prefix} is not known to the health check"
    reasons = [*([state["refusal"]] if state.get("refusal") else []), *state.get("reasons", ())]
    return f"{prefix} is {state['mode']} and {state['condition']}{': ' if reasons else ''}{'; '.join(reasons)}"
