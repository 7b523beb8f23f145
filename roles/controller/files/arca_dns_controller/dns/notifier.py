# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""NOTIFY to secondaries: at once when a zone has a new version, again and again while there is no answer."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

import structlog

from arca_dns.errors import ArcaError
from arca_dns.transfer import wire
from arca_dns.transfer.notify import Notification
from arca_dns.transfer.primary import Access, Zones
from arca_dns.transfer.tsig import Key
from arca_dns.zone import names, rr

from .settings import Secondary

log = structlog.get_logger(__name__)

#: Seconds to wait for each answer; behind the last a secondary is given up until the next version.
WAITS = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
_WORKERS = 8


class Notifier:
    """Tells one *secondary* of zones; *source* is the address to send from. *told* hears what became of each."""

    def __init__(
        self,
        secondary: Secondary,
        key: Key | None,
        zones: Zones,
        access: Access,
        source: str | None,
        told: Callable[[str], None],
        waits: tuple[float, ...] = WAITS,
    ) -> None:
        self._secondary = secondary
        self._key = key
        self._zones = zones
        self._access = access
        self._source = source
        self._told = told
        self._waits = waits
        self._pending: dict[bytes, None] = {}
        self._wake = asyncio.Event()
        self._workers: list[asyncio.Task[None]] = []
        self._down = False

    def start(self) -> None:
        """Begin, from within the running event loop."""
        self._workers = [asyncio.create_task(self._work()) for _number in range(_WORKERS)]

    async def stop(self) -> None:
        """Tell no more."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)

    def tell(self, zone: bytes) -> None:
        """Let the secondary know of *zone*'s current version, soon."""
        self._pending[zone] = None
        self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            if not self._pending:
                self._wake.clear()
                continue
            zone = next(iter(self._pending))
            del self._pending[zone]
            try:
                await self._notify(zone)
            except ArcaError as error:
                log.error("secondary not notified", zone=names.to_text(zone), reason=str(error))
            except Exception:
                log.exception("secondary not notified")

    async def _notify(self, zone: bytes) -> None:
        # A secondary that is down is asked once for each zone, so that those behind it do not wait for long.
        for wait in self._waits[:1] if self._down else self._waits:
            soa = await asyncio.to_thread(self._soa, zone)
            if soa is None:
                return
            rcode = await self._ask(zone, soa, wait)
            if rcode is not None:
                self._down = False
                self._done(zone, rcode)
                return
            if zone in self._pending:
                return  # a newer version is waiting to be told
        if not self._down:
            log.warning("secondary does not answer", address=self._secondary.address, port=self._secondary.port)
        self._down = True
        self._told("unanswered")

    def _soa(self, zone: bytes) -> rr.RRset | None:
        """The SOA to send, or ``None`` if the zone is gone or not for this secondary."""
        if not self._access(zone, wire.AXFR, None if self._key is None else self._key.name, self._secondary.address):
            return None
        version = self._zones.current(zone)
        if version is None:
            return None
        return rr.node_of(version.root.apex.get(zone) or b"").get(rr.SOA)

    async def _ask(self, zone: bytes, soa: rr.RRset, wait: float) -> int | None:
        """The rcode of the secondary's answer; ``None`` if there is none in *wait* seconds."""
        notification = Notification(zone, soa, self._key, secrets.randbelow(65536), time.time)
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[int] = loop.create_future()
        deadline = loop.time() + wait
        try:
            transport, _protocol = await loop.create_datagram_endpoint(
                lambda: _Answers(notification, answered),
                remote_addr=(self._secondary.address, self._secondary.port),
                local_addr=None if self._source is None else (self._source, 0),
            )
        except OSError:
            await asyncio.sleep(wait)
            return None
        try:
            transport.sendto(notification.message)
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    return await answered
            return None
        finally:
            transport.close()

    def _done(self, zone: bytes, rcode: int) -> None:
        good = rcode == wire.NOERROR
        self._told("accepted" if good else "refused")
        report = log.info if good else log.warning
        report("secondary notified", zone=names.to_text(zone), address=self._secondary.address, rcode=rcode)


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, notification: Notification, answered: asyncio.Future[int]) -> None:
        self._notification = notification
        self._answered = answered

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        rcode = self._notification.accepted(data)
        if rcode is not None and not self._answered.done():
            self._answered.set_result(rcode)
