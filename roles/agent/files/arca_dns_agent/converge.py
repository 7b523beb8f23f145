# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Bringing the name server to what is held: zones added and removed, told of new versions, and proved one by one.

A zone that the server does not take is reported and tried again; the others go on. Where heads come from is not
known here, nor which name server it is.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import structlog

from arca_dns.errors import ArcaError
from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs

from .claims import Claims, Unsigned
from .content import Apex, apex as apex_of
from .primary import Transfer
from .prove import Proof, Prover
from .quarantine import Quarantine
from .server import AuthoritativeServer, ServerUnavailable
from .state import Served
from .sync import Held
from .vetting import Vetting

log = structlog.get_logger(__name__)

_WORKERS = 32
_WORKERS_FOR_FAILED = 4  # zones that failed before do not keep others waiting
_LARGE = 100_000  # records
_LARGE_PAUSE = 0.2
_LOADING, _LOADING_LARGE = 2.0, 10.0  # seconds that a server may take to serve what it was sent
_ENOUGH = 4  # times that it was sent one version
_TICK = 1.0
_FIRST_POLL, _LAST_POLL = 0.004, 0.25
_FIRST_NOTICE, _LAST_NOTICE = 1.0, 10.0
_KNOWN = 10.0  # seconds until a server knows all of very many zones that it was given


#: Ring, revision and catalog: an edge that is moved to another ring may find the revision there that it had.
_Goal: TypeAlias = "tuple[str, int, str | None]"


class Converger:
    """Keeps *server* at what *held* returns.

    *flush* writes what is proved to disk, *changed* says it is due. *timeout* is how many seconds without progress
    make a zone a failure, *audit_interval* how often everything is compared. *transfer* knows the latest transfer of a
    zone to the server; *served* is told of zones that are proved in another version or removed. Versions that *vetting*
    refuses are failures that the server is not told of.
    """

    def __init__(
        self,
        server: AuthoritativeServer,
        prover: Prover,
        held: Callable[[], Held | None],
        blobs: Callable[[], Blobs],
        proved: dict[bytes, Served],
        vetting: Vetting,
        *,
        flush: Callable[[], Awaitable[None]],
        changed: Callable[[], None],
        damaged: Callable[[], None],
        timeout: float,
        audit_interval: float,
        transfer: Callable[[bytes], Transfer | None] = lambda _zone: None,
        served: Callable[[bytes], None] = lambda _zone: None,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._server = server
        self._prover = prover
        self._held = held
        self._blobs = blobs
        self._vetting = vetting
        self._changed = changed
        self._damaged = damaged
        self._timeout = timeout
        self._audit_interval = audit_interval
        self._transfer = transfer
        self._served = served
        self._monotonic = monotonic
        self._sleep = sleep
        self._claims = Claims(proved, flush)
        self.proved = self._claims.proved
        self.content = self._claims.content
        self.going_back = self._claims.going_back
        self.unsigned = Unsigned(self._claims)
        self._quarantine = Quarantine(monotonic)
        self.server_problem: str | None = None
        self.server_version = ""
        self._settled: _Goal | None = None
        self._applied: dict[bytes, Entry] = {}
        self._given: set[bytes] = set()  # what the server has
        self._giving: set[bytes] = set()  # what it is about to be given
        self._added: dict[bytes, float] = {}  # when it was given them
        self._aimed: _Goal | None = None
        self._generation: object = None
        self._next_audit = 0.0
        self._pending: dict[bytes, None] = {}
        self._active: dict[bytes, Entry | None] = {}  # with the version that is worked on
        self._doubted: set[bytes] = set()  # the server may have other content with a serial of theirs
        self._fresh: set[bytes] = set()
        self._told: dict[bytes, float] = {}  # when the server was last told of a large zone
        self._wake = asyncio.Event()
        self._work = asyncio.Event()

    def wake(self) -> None:
        """Something new is held."""
        self._wake.set()

    @property
    def problems(self) -> dict[bytes, str]:
        """The zones that failed, and why."""
        return self._quarantine.reasons

    def anchors(self) -> dict[bytes, tuple[bytes, ...]]:
        """The keys to trust of each zone that is served. See :meth:`.claims.Claims.anchors`."""
        return self._claims.anchors(self._blobs)

    @property
    def settled(self) -> int | None:
        """The latest revision of which every zone is proved or failed."""
        return None if self._settled is None else self._settled[1]

    @property
    def settled_ring(self) -> str | None:
        """The ring of the head with that revision."""
        return None if self._settled is None else self._settled[0]

    def waiting(self) -> int:
        """How many zones are not proved or failed yet, or are being tried again."""
        return len(self._pending) + len(self._active)

    async def run(self) -> None:
        """Converge for ever."""
        async with asyncio.TaskGroup() as group:
            for _worker in range(_WORKERS):
                group.create_task(self._worker())
            while True:
                await self.step()
                try:
                    async with asyncio.timeout(_TICK):
                        await self._wake.wait()
                except TimeoutError:
                    continue

    async def step(self) -> None:
        """Take in a new head, a restarted server, or the time for an audit."""
        self._wake.clear()
        held = self._held()
        if held is None:
            return
        try:
            generation = self._server.generation()
            first = self._aimed is None
            if generation != self._generation or generation is None or self._monotonic() >= self._next_audit:
                await self._aim(held)
                await self._audit(everything=first or generation != self._generation)
                self._generation = generation
                self._next_audit = self._monotonic() + self._audit_interval
            elif _goal(held.head) != self._aimed:
                await self._aim(held)
                await self._give(held.zones.keys() - self._given)
            for zone in self._quarantine.due():
                if zone not in self._active:
                    self._queue(zone)
        except ServerUnavailable as error:
            self._generation = None
            if self.server_problem != str(error):
                log.error("name server unavailable", reason=str(error))
                self.server_problem = str(error)
                self._changed()
            return
        except (OSError, sqlite3.Error) as error:
            log.error("state cannot be written", reason=str(error))
            self._generation = None
            return
        finally:
            self._giving.clear()
        if self.server_problem is not None:
            log.info("name server answers")
            self.server_problem = None
            self._changed()
        self._settle()

    async def _aim(self, held: Held) -> None:
        """Make *held* the goal.

        Zones that it lacks, or has with an older serial, are taken back, first in the agent's word, then in fact.
        """
        if _goal(held.head) == self._aimed:
            return
        removed = [zone for zone in self._applied.keys() | self.proved.keys() if zone not in held.zones]
        changed = [zone for zone, entry in held.zones.items() if self._applied.get(zone) != entry]
        self._applied, self._aimed = dict(held.zones), _goal(held.head)
        for zone in removed:
            self._claims.forget(zone)
            self._quarantine.release(zone)
            self._pending.pop(zone, None)
            self._told.pop(zone, None)
            self._added.pop(zone, None)
            self._doubted.discard(zone)
            self._vetting.forget(zone)
            self._served(zone)
        self._claims.aim(held.zones[zone] for zone in changed)
        new = [zone for zone in changed if zone not in self._given]
        self._giving.update(new)
        self._fresh.update(new)
        for zone in changed:
            self._queue(zone)
        await self._claims.written()
        gone = self._given.intersection(removed)
        self._given -= gone
        if gone:
            await self._server.remove(gone)
            log.info("zones removed", zones=len(gone))

    async def _audit(self, *, everything: bool) -> None:
        """Compare what the server has with the goal; with *everything*, prove each zone again."""
        status = await self._server.zones()
        self.server_version = await self._server.version()
        self._given = set(status)
        extra = self._given - self._applied.keys()
        if extra:
            for zone in extra:
                self._served(zone)
            await self._claims.written()
            await self._server.remove(extra)
            self._given -= extra
            log.info("zones removed", zones=len(extra))
        missing = self._applied.keys() - self._given
        await self._give(missing if everything else missing - self.problems.keys())
        for zone, entry in self._applied.items():
            served = status.get(zone)
            behind = served is None or served.serial != entry.serial
            if everything or (behind and not self._quarantine.holds(zone, entry)):
                self._queue(zone)

    async def _give(self, zones: Iterable[bytes]) -> None:
        wanted = list(zones)
        if not wanted:
            return
        # The server asks for a new zone by itself: no NOTIFY at first.
        self._fresh.update(wanted)
        failures = await self._server.add(wanted)
        given, now = [zone for zone in wanted if zone not in failures], self._monotonic()
        self._given.update(given)
        self._added.update(dict.fromkeys(given, now))
        for zone, reason in failures.items():
            self._fail(zone, reason)
        log.info("zones added", zones=len(wanted) - len(failures), failed=len(failures))

    def _queue(self, zone: bytes) -> None:
        self._pending[zone] = None
        self._work.set()

    def _settle(self) -> None:
        if self.server_problem is not None:
            return
        # A zone that failed in this version and is tried again has been told of: no head waits for it.
        if not all(self._quarantine.holds(zone, self._applied.get(zone)) for zone in (*self._active, *self._pending)):
            return
        if self._settled != self._aimed:
            self._settled = self._aimed
            log.info("head settled", revision=self.settled, zones=len(self.proved), failed=len(self.problems))
            self._changed()

    # -- one zone ---------------------------------------------------------------------------

    async def _worker(self) -> None:
        while True:
            zone = self._next()
            if zone is None:
                self._work.clear()
                await self._work.wait()
                continue
            del self._pending[zone]
            self._active[zone] = None
            try:
                await self._converge(zone)
            except ServerUnavailable as error:
                self._fail(zone, str(error))
            except ArcaError as error:
                if self._fail(zone, str(error)):
                    self._damaged()
            except (OSError, sqlite3.Error) as error:
                self._fail(zone, f"state cannot be read or written: {error}")
            finally:
                del self._active[zone]
                if self._pending:
                    self._work.set()
            self._settle()

    def _next(self) -> bytes | None:
        """The next zone to be worked on, those that have not failed before first."""
        failed = sum(zone in self.problems for zone in self._active)
        again: bytes | None = None
        for zone in self._pending:
            if zone in self._active:
                continue
            if not self._quarantine.holds(zone, self._applied.get(zone)):
                return zone
            again = again or zone
        return again if failed < _WORKERS_FOR_FAILED else None

    async def _converge(self, zone: bytes) -> None:
        """Bring one zone to its wanted version; versions that come meanwhile are taken in, one transfer at a time."""
        entry: Entry | None = None
        progress = self._monotonic()
        seen: int | None = None
        notified: int | None = None
        notice_pause, poll_pause = _FIRST_NOTICE, _FIRST_POLL
        next_notice = progress + (_FIRST_NOTICE if zone in self._fresh else 0.0)
        self._fresh.discard(zone)
        gave = False
        renewed = float("-inf")  # when the whole zone was asked to be transferred
        sent = 0
        while (wanted := self._applied.get(zone)) is not None:
            if wanted != entry:
                entry = self._active[zone] = wanted
                apex = await asyncio.to_thread(apex_of, self._blobs(), entry)
                large = apex.records >= _LARGE
                before = self._claims.last(zone)
                if before is None or before.root != entry.root:
                    refused = await asyncio.to_thread(self._vetting.problem, entry)
                    if refused is not None:
                        self._fail(zone, refused)
                        return
                if before is not None and before.serial == entry.serial and before.root != entry.root:
                    self._doubted.add(zone)
                reloaded = zone in self._doubted
                if reloaded:
                    renewed = self._monotonic()
                    await self._reload(zone)
                past = self._transfer(zone)
                sent = past.times if past is not None and past.serial == entry.serial else 0
            proof = await self._prover.prove(zone, apex.keys)
            now = self._monotonic()
            transfer = self._transfer(zone) or Transfer()
            loading = min(_LOADING_LARGE if large else _LOADING, self._timeout)
            loaded = now - transfer.ended >= loading
            renewal = zone in self._doubted and transfer.whole >= renewed  # the server has all of it, or will soon
            known = zone not in self._doubted or (renewal and loaded)
            if proof.serial == entry.serial and known and self._may_be_said(entry):
                self._proved(entry, apex, proof)
                return
            if self._applied.get(zone) != entry:
                continue
            in_flight = transfer.sending > 0 or (not loaded and (renewal or transfer.serial != proof.serial))
            times = transfer.times - sent if transfer.serial == entry.serial else 0
            if (in_flight and times < _ENOUGH) or (proof.serial is not None and proof.serial != seen):
                seen, progress = proof.serial, now
            if times >= _ENOUGH and now - transfer.ended > 1:
                self._fail(zone, f"serial {entry.serial} was transferred {times} times and is not served")
                return
            if now - progress > self._timeout:
                self._fail(zone, f"serial {entry.serial} is not served: {_state(proof, entry)}")
                return
            if proof.unknown and zone not in self._giving and now - self._added.get(zone, float("-inf")) > _KNOWN:
                gave = True
                failures = await self._server.add([zone])
                if zone in failures:
                    self._fail(zone, failures[zone])
                    return
                self._given.add(zone)
                self._added[zone] = self._monotonic()
                if self._applied.get(zone) != entry:
                    continue
            if in_flight:
                pass
            elif proof.serial is not None and rr.serial_newer(proof.serial, entry.serial) and not reloaded:
                log.warning("serial went back", zone=names.to_text(zone), served=proof.serial, serial=entry.serial)
                await self._reload(zone)
                reloaded = True
            elif large and now - self._told.get(zone, float("-inf")) < _LARGE_PAUSE:
                pass  # changes of the next moments go out together
            # While the version told of last is on its way, no other is told of.
            elif now >= next_notice or (notified not in (None, entry.serial) and proof.serial == notified):
                if zone in self.problems and proof.serial is not None and not reloaded:
                    # It took no NOTIFY the last time: it may believe that it has this serial.
                    await self._reload(zone)
                    reloaded = True
                if large:
                    self._told[zone] = now
                await self._server.notify(zone, apex.soa)
                if notified == entry.serial:
                    notice_pause = min(notice_pause * 2, _LAST_NOTICE)
                notified, next_notice, poll_pause = entry.serial, self._monotonic() + notice_pause, _FIRST_POLL
            await self._sleep(poll_pause)
            poll_pause = min(poll_pause * 1.3, _LAST_POLL)
        if gave:
            # It was removed while it was given.
            self._given.discard(zone)
            self._added.pop(zone, None)
            await self._server.remove([zone])

    async def _reload(self, zone: bytes) -> None:
        """Have the server transfer the whole zone, which may bring an older serial: nobody may expect more by then."""
        await self._claims.written()
        await self._server.reload(zone)

    def _may_be_said(self, entry: Entry) -> bool:
        """Whether *entry* is still wanted, or on the way to what is; it may have been removed or replaced meanwhile."""
        wanted = self._applied.get(entry.zone)
        return wanted == entry or (wanted is not None and rr.serial_newer(wanted.serial, entry.serial))

    def _proved(self, entry: Entry, apex: Apex, proof: Proof) -> None:
        zone = entry.zone
        if proof.problem is not None:
            self._fail(zone, proof.problem)
            return
        before = self.proved.get(zone)
        if before is None or (before.serial, before.root) != (entry.serial, entry.root):
            log.info("served", zone=names.to_text(zone), serial=entry.serial)
            self._served(zone)
        self._claims.prove(Served(zone, entry.serial, entry.root, bool(apex.keys)), apex.content)
        self._doubted.discard(zone)
        self._quarantine.release(zone)
        self._changed()

    def _fail(self, zone: bytes, reason: str) -> bool:
        """Put *zone* aside, unless the version that failed is wanted no more; what the server has of it stays."""
        wanted = self._applied.get(zone)
        if wanted is None or (self._active.get(zone) or wanted) != wanted:
            return False
        if self._quarantine.put(zone, wanted, reason):
            log.error("zone failed", zone=names.to_text(zone), reason=reason)
        self._changed()
        return True


def _goal(head: Head) -> _Goal:
    return head.ring, head.revision, head.catalog


def _state(proof: Proof, entry: Entry) -> str:
    if proof.problem is not None:
        return proof.problem
    if proof.serial == entry.serial:
        return "other content may be, with the same serial"
    return "there is no answer" if proof.serial is None else f"serial {proof.serial} is"
