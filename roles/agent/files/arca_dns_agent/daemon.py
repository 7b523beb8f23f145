# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent put together: one event loop with the follower, the converger, the primary's sockets and the reports."""

from __future__ import annotations

import asyncio
import random
import secrets
import sqlite3
import time
from contextlib import suppress

import httpx2
import structlog

from arca_dns.errors import ArcaError
from arca_dns.store.base import JsonObject
from arca_dns.systemd import notify
from arca_dns.transfer.primary import Primary

from . import report
from .controller import Controllers
from .converge import Converger
from .datagram import Exchange
from .follow import Contact, Follower
from .knot import Knot, run as run_knotc
from .leases import HealthFile, LeaseKeeper
from .nsd import Nsd
from .primary import HeldZones, Listener
from .prove import Prover
from .resolver import ResolverKeeper
from .server import AuthoritativeServer, Notifier
from .settings import Settings
from .state import Served, State, StateLost
from .sync import Synchroniser
from .unbound import Unbound
from .unbound_file import Anchors, UnboundFile
from .unfinished import Unfinished
from .vetting import Vetting

log = structlog.get_logger(__name__)

_WRITE_PAUSE = 0.05
_ATTEST_PAUSE = 0.2
_ATTEST_LOOK = 2.0
_ATTEST_EVERY = 60.0
_WATCHDOG = 10.0
_RESOLVER_AUDIT = 5.0


class Daemon:
    """The agent. *transport* stands in for the network to the controller."""

    def __init__(self, settings: Settings, transport: httpx2.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._started = time.time()
        self._lost = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.state = State(settings.state_directory, self._state_lost)
        self._controllers = Controllers(
            settings.urls, settings.api_key, settings.tls, settings.blob_limit, transport, called=self._roll_called
        )
        self.contact = Contact(time.time)
        self.synchroniser = Synchroniser(
            self.state,
            self._controllers,
            settings.head_keys,
            settings.ring,
            time.time,
            settings.parallel_fetches,
            settings.zone_limit,
        )
        self._exchange = Exchange(secrets.token_bytes)
        self._due = asyncio.Event()
        self._writing = asyncio.Lock()
        self._attest_due = asyncio.Event()
        self._called = False
        self._written: dict[bytes, Served] = self.state.served()
        self._health = HealthFile(settings.health_file)
        self._leases = LeaseKeeper(
            self._controllers,
            settings.edge,
            self._health,
            settings.health_file.with_name("leases.json"),
            told=self._attest_due.set,
        )
        self._follower = Follower(
            self._controllers,
            self.synchroniser,
            self.contact,
            settings.ring,
            settings.sync_interval,
            moved=self._moved,
            told=self._changed,
            random=random.random,
        )
        vetting = Vetting(self.synchroniser.blobs)
        zones = HeldZones(self.state, lambda: {} if (held := self.synchroniser.held) is None else held.zones, vetting)
        primary = Primary(zones, {settings.tsig.name: settings.tsig}, time.time)
        self._listener = Listener(primary, self._follower.damaged)
        self.converger = Converger(
            _server(settings, Notifier(self._exchange, settings.tsig, time.time)),
            Prover(self._exchange, settings.server, time.time),
            lambda: self.synchroniser.held,
            self.synchroniser.blobs,
            dict(self._written),
            vetting,
            flush=self._flush,
            changed=self._changed,
            damaged=self._follower.damaged,
            timeout=settings.server_timeout,
            audit_interval=settings.sync_interval,
            transfer=self._listener.transfer,
            served=self._served,
        )
        self.resolver = (
            None
            if settings.resolver_socket is None
            else ResolverKeeper(
                Unbound(settings.resolver_socket, settings.server),
                lambda: self.converger.unsigned,
                changed=self._changed,
                audit_interval=min(_RESOLVER_AUDIT, settings.sync_interval),
                file=(None if settings.resolver_file is None else UnboundFile(settings.resolver_file, settings.server)),
                anchors=self._anchors,
            )
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Work until *stop*.

        Raises :class:`OSError` if the primary's address cannot be had, and :class:`StateLost` if the database is
        damaged, which has been put aside then.
        """
        try:
            self._restore()
            await self._listener.start(self._settings.listen)
            await self._exchange.open(self._settings.server)
            notify("READY=1")
            await self._work(stop)
        finally:
            self.state.close()

    async def _work(self, stop: asyncio.Event) -> None:
        tasks = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("follow", self._follower.run()),
                ("converge", self.converger.run()),
                ("write", self._write_loop()),
                ("attest", self._attest_loop()),
                ("lease", self._leases.run()),
                *(() if self.resolver is None else (("resolve", self.resolver.run()),)),
                ("watchdog", _watchdog()),
                ("lost", _wait(self._lost)),
                ("stop", _wait(stop)),
            )
        ]
        try:
            done, _rest = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if self.state.lost is not None:
                raise self.state.lost
            for task in done:
                if (error := task.exception()) is not None:
                    raise _cause(error)
        finally:
            notify("STOPPING=1")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._listener.stop()
            self._exchange.close()
            await self._controllers.close()

    def _restore(self) -> None:
        if self.state.damaged is not None:
            log.error("the database could not be read and was put aside", path=str(self.state.damaged))
        try:
            odd = self.synchroniser.restore()
        except StateLost:
            raise
        except ArcaError as error:
            log.error("what was held cannot be read; the name server keeps what it has", reason=str(error))
            self._follower.damaged()
            return
        held = self.synchroniser.held
        if odd is not None:
            log.warning("the held head would not be taken today; it stays", reason=odd)
        if held is not None:
            log.info("head restored", revision=held.head.revision, zones=len(held.zones))

    def _state_lost(self) -> None:
        """The database is damaged, as whichever thread found: all ends."""
        with suppress(RuntimeError):  # the loop is closed already
            self._loop.call_soon_threadsafe(self._lost.set)

    # -- telling ----------------------------------------------------------------------------

    def _moved(self) -> None:
        self.converger.wake()
        self._changed()

    def _changed(self) -> None:
        self._due.set()
        self._attest_due.set()

    def _roll_called(self) -> None:
        """Whether this edge is there is asked, whatever it attested before."""
        self._called = True
        self._attest_due.set()

    def _served(self, zone: bytes) -> None:
        if self.resolver is not None:
            self.resolver.served(zone)

    def _anchors(self) -> Anchors | None:
        """The keys of all zones that are served, once it is known which these are."""
        return None if self.converger.settled is None else self.converger.anchors()

    async def _flush(self) -> None:
        """Write what is proved to the database and to the files that others read."""
        async with self._writing:
            await self._flush_now()

    async def _flush_now(self) -> None:
        proved = dict(self.converger.proved)
        changed = [one for zone, one in proved.items() if self._written.get(zone) != one]
        removed = [zone for zone in self._written if zone not in proved]
        held, now = self.synchroniser.held, time.time()
        # An agent that begins with nothing knows nothing: what the one before it has proved is served on.
        known = bool(proved) or bool(self._written) or self.converger.settled is not None
        served = report.served(held, self.converger, self.contact, now) if known else None
        status = report.status(
            self._settings.edge, self._controllers.url, held, self.converger, self.contact, now, self.resolver
        )
        await asyncio.to_thread(self._write, changed, removed, served, status)
        self._written = proved

    def _write(
        self, changed: list[Served], removed: list[bytes], served: JsonObject | None, status: JsonObject
    ) -> None:
        if changed or removed:
            self.state.keep_served(changed, removed)
        if served is not None:
            report.write(self._settings.state_directory / "served.json", served)
        report.write(self._settings.state_directory / "status.json", status)

    async def _write_loop(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            started = time.monotonic()
            try:
                await self._flush()
            except (OSError, sqlite3.Error) as error:
                log.error("state cannot be written", reason=str(error))
                await asyncio.sleep(1.0)
                self._due.set()
            # With very many zones writing takes a while: most of the time is for other things.
            await asyncio.sleep(max(_WRITE_PAUSE, 3 * (time.monotonic() - started)))

    async def _attest_loop(self) -> None:
        last: JsonObject | None = None
        sent = float("-inf")
        failures = 0
        while True:
            try:
                async with asyncio.timeout(_ATTEST_LOOK):
                    await self._attest_due.wait()
            except TimeoutError:
                pass
            self._attest_due.clear()
            if self.converger.settled is None and self.converger.server_problem is None:
                continue
            started = time.monotonic()
            document = report.attestation(
                self.synchroniser.held, self.converger, self._health, self._started, self.resolver
            )
            if self._called or report.news(document) != last or time.monotonic() - sent >= _ATTEST_EVERY:
                called, self._called = self._called, False
                try:
                    await self._controllers.attest(
                        self._settings.edge, {**document, "attested": report.utc(time.time())}
                    )
                except ArcaError as error:
                    failures += 1
                    self._called = self._called or called
                    if failures == 1:
                        log.warning("not attested", reason=str(error))
                    await asyncio.sleep(min(30.0, 2.0 ** min(failures - 1, 5)) * (0.5 + random.random() / 2))  # noqa: S311
                    self._attest_due.set()
                    continue
                failures, last, sent = 0, report.news(document), time.monotonic()
            # With very many zones this takes a while: most of the time is for other things.
            await asyncio.sleep(max(_ATTEST_PAUSE, min(5.0, 5 * (time.monotonic() - started))))


def _server(settings: Settings, notifier: Notifier) -> AuthoritativeServer:
    if settings.driver == "knot":
        unfinished = Unfinished(settings.state_directory / "knot-transaction.json")
        return Knot(settings.knotc, settings.control_socket, settings.pattern, notifier, run_knotc, unfinished)
    return Nsd(settings.control_socket, settings.pattern, notifier)


def _cause(error: BaseException) -> BaseException:
    """What ended a task, and not the group that it came in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _watchdog() -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(_WATCHDOG)


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()
