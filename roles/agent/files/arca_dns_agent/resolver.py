# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keeping a resolver beside the name server in step: it asks there for the zones that are served, forgets what changed.

Nothing waits for a resolver: zones are told of once they are proved, and what cannot be done now is done later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

import structlog

from arca_dns.errors import ArcaError
from arca_dns.zone import names

from .unbound_file import Anchors, UnboundFile

log = structlog.get_logger(__name__)

_TICK = 1.0
_RELOAD_PAUSE = 2.0  # seconds between reloads, so that zones that come one after the other go together
_LEAST_PAUSE = 0.1
_AT_ONCE = 200
_FLUSH_ALL = 100  # zones: each is a walk through the cache, so for more of them all of it goes at once


class ResolverUnavailable(ArcaError):
    """The resolver's control socket does not answer."""

    code = "resolver-unavailable"


class Resolver(Protocol):
    """A resolver that asks the name server for some zones. Calls raise :class:`ResolverUnavailable`."""

    async def version(self) -> str:
        """Its name and version."""

    def generation(self) -> object:
        """Something that changes when it has been restarted; ``None`` while it is down."""

    async def differing(self, wanted: Mapping[bytes, bool]) -> list[bytes]:
        """The zones of *wanted* that it does not ask the name server for, or validates where *wanted* is true.

        And those that are not wanted, that it was told of, and that it still asks the name server for.
        """

    async def add(self, zone: bytes, *, insecure: bool) -> str | None:
        """Make it ask the name server for *zone*; returns why it refuses, if so. *insecure*: it is not validated."""

    async def remove(self, zone: bytes) -> None:
        """Make it ask for *zone* as for any other name."""

    async def flush(self, zones: Iterable[bytes]) -> None:
        """Make it forget what it knows at and below *zones*."""

    async def reload(self) -> None:
        """Make it read its configuration anew, and keep what it knows. It forgets what it was told."""


class ResolverKeeper:
    """Keeps *resolver* at *wanted*: each zone that is served, and whether it is unsigned.

    *changed* is called when its state is another. It is compared every *audit_interval* seconds, as a resolver that
    reloads its configuration forgets what it was told. With *file*, which that configuration includes, it finds there
    the zones and what *anchors* returns (``None``: not known yet).
    """

    def __init__(
        self,
        resolver: Resolver,
        wanted: Callable[[], Mapping[bytes, bool]],
        *,
        changed: Callable[[], None],
        audit_interval: float,
        file: UnboundFile | None = None,
        anchors: Callable[[], Anchors | None] = lambda: None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._resolver = resolver
        self._wanted = wanted
        self._changed = changed
        self._audit_interval = audit_interval
        self._file = file
        self._anchors = anchors
        self._file_due = self._file_former = file is not None
        self._file_problem: str | None = None
        self._reload_due = False
        self._next_reload = float("-inf")
        self._monotonic = monotonic
        self._sleep = sleep
        self.problem: str | None = None
        self.version = ""
        self._generation: object = None
        self._next_audit = 0.0
        self._due: dict[bytes, None] = {}  # zones to be added, altered or removed
        self._stale: dict[bytes, None] = {}
        self._given: dict[bytes, bool] = {}
        self._wake = asyncio.Event()

    def served(self, zone: bytes) -> None:
        """*zone* is served in another version, or no longer."""
        self._due[zone] = self._stale[zone] = None
        self._file_due = self._file is not None
        self._wake.set()

    async def run(self) -> None:
        """Keep it in step for ever."""
        while True:
            try:
                async with asyncio.timeout(_TICK):
                    await self._wake.wait()
            except TimeoutError:
                pass
            started = self._monotonic()
            await self.step()
            # Changes of a moment go together, and most of the time is for answering queries.
            await self._sleep(max(_LEAST_PAUSE, 3 * (self._monotonic() - started)))

    async def step(self) -> None:
        """Do what is due."""
        self._wake.clear()
        try:
            await self._write()
            generation = self._resolver.generation()
            if generation is None or generation != self._generation or self._monotonic() >= self._next_audit:
                await self._audit(restarted=generation != self._generation)
                self._generation = generation
                self._next_audit = self._monotonic() + self._audit_interval
            await self._give()
            await self._flush()
        except ResolverUnavailable as error:
            self._generation = None
            self._note(str(error))
        else:
            self._note(self._file_problem)
        if self._due and self.problem is None:
            self._wake.set()

    async def _write(self) -> None:
        """Keep the file, and have the resolver read its configuration anew when there are other trust anchors."""
        if self._file_due and self._file is not None and self._monotonic() >= self._next_reload:
            anchors = self._anchors()
            if anchors is None:
                return
            try:
                if self._file_former:
                    # An agent before this one may have ended before it had the resolver forget them.
                    former, wanted = await asyncio.to_thread(self._file.zones), self._wanted()
                    self._due.update(dict.fromkeys(zone for zone in former if zone not in wanted))
                    self._file_former = False
                changed = await asyncio.to_thread(self._file.write, dict(self._wanted()), anchors)
            except OSError as error:
                self._file_problem = f"the file of its zones cannot be written: {error.strerror or error}"
                return
            self._file_due, self._file_problem = False, None
            self._reload_due = self._reload_due or bool(changed)
            # What was looked up meanwhile was bogus.
            self._stale.update(dict.fromkeys(zone for zone in changed if zone in anchors))
        if self._reload_due:
            self._next_reload = self._monotonic() + _RELOAD_PAUSE
            await self._resolver.reload()
            log.info("resolver reloaded", reason="other trust anchors")
            self._reload_due = False
            self._generation = None

    async def _audit(self, *, restarted: bool) -> None:
        if restarted:
            self.version = await self._resolver.version()
            self._given.clear()
            self._changed()
        for zone in await self._resolver.differing(self._wanted()):
            self._given.pop(zone, None)
            self._due[zone] = None

    async def _give(self) -> None:
        added = removed = 0
        for zone in list(self._due)[:_AT_ONCE]:
            del self._due[zone]  # it is due again when it changes while the resolver is told
            insecure = self._wanted().get(zone)
            try:
                if insecure is None:
                    await self._resolver.remove(zone)
                    self._given.pop(zone, None)
                    removed += 1
                elif self._given.get(zone) is not insecure:
                    refused = await self._resolver.add(zone, insecure=insecure)
                    if refused is not None:
                        log.error("resolver refuses zone", zone=names.to_text(zone), reason=refused)
                    self._given[zone] = insecure
                    self._stale[zone] = None
                    added += 1
            except ResolverUnavailable:
                self._due[zone] = None
                raise
        if added or removed:
            log.info("resolver told", added=added, removed=removed)

    async def _flush(self) -> None:
        stale = [zone for zone in self._stale if zone not in self._due]
        if not stale:
            return
        for zone in stale:
            del self._stale[zone]  # it is stale again when it changes while the cache is flushed
        try:
            await self._resolver.flush([names.ROOT] if len(stale) > _FLUSH_ALL else stale)
        except ResolverUnavailable:
            self._stale.update(dict.fromkeys(stale))
            raise

    def _note(self, problem: str | None) -> None:
        if problem == self.problem:
            return
        if problem is None:
            log.info("resolver answers")
        else:
            log.warning("resolver unavailable", reason=problem)
        self.problem = problem
        self._changed()
