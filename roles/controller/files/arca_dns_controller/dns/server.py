# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The hidden primary as a whole: made from the configuration, started and stopped with the application."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable

import structlog
from prometheus_client import Counter

from arca_dns.access.scope import Scope
from arca_dns.errors import ArcaError, ConfigError, Place
from arca_dns.service import Service
from arca_dns.transfer.catalog_zone import CatalogZone
from arca_dns.transfer.primary import Primary
from arca_dns.transfer.tsig import Key
from arca_dns.zone import names

from ..feed import HeadFeed
from ..metrics import PREFIX, Metrics
from .follow import Follower
from .listener import Listener, bind
from .notifier import Notifier
from .settings import Dns, Secondary
from .updates import Updates
from .zones import PublishedZones, TransferAccess

log = structlog.get_logger(__name__)


class DnsServer:
    """Does nothing where *settings* have no address to listen on. For the event loop, but for :meth:`bind`."""

    def __init__(
        self,
        settings: Dns,
        service: Service,
        feed: HeadFeed,
        metrics: Metrics,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._service = service
        self._feed = feed
        self._clock = clock
        self._sockets: list[tuple[socket.socket, socket.socket]] = []
        self._keys: dict[bytes, Key] = {}
        self._listener: Listener | None = None
        self._follower: Follower | None = None
        self._notifiers: list[Notifier] = []
        self._answers = Counter(
            f"{PREFIX}_dns_answers", "Answers of the hidden primary.", ("kind",), registry=metrics.registry
        )
        self._notifies = Counter(
            f"{PREFIX}_dns_notifies", "NOTIFYs by what became of them.", ("outcome",), registry=metrics.registry
        )

    def bind(self) -> None:
        """Take the sockets and read the keys. Raises :class:`ConfigError` if there is no way to start."""
        places = []
        for index, one in enumerate(self._settings.tsig_keys):
            try:
                key = one.key()
            except ArcaError as error:
                places.append(Place(error.message, pointer=f"dns.tsig_keys[{index}].secret_file"))
            else:
                self._keys[key.name] = key
        if places:
            raise ConfigError("DNS cannot start", places)
        self._sockets = bind(self._settings)

    async def start(self) -> None:
        """Begin to answer and to notify. Raises :class:`ConfigError` if that was not found out by :meth:`bind`."""
        settings = self._settings
        if not settings.listen:
            return
        if not self._sockets:
            self.bind()
        keys = self._keys
        catalog = None if settings.catalog_zone is None else CatalogZone(names.from_text(settings.catalog_zone))
        zones = PublishedZones(self._service, catalog)
        scopes: dict[bytes, list[Scope]] = {}
        for policy in settings.update_policy:
            scopes.setdefault(names.from_text(policy.key), []).append(policy.scope())
        access = TransferAccess(self._service, settings.rules(), scopes)
        updates = Updates(self._service, scopes, settings.updates_per_minute, time.monotonic)
        primary = Primary(zones, keys, self._clock, access=access, updates=updates, compress=True)
        self._listener = Listener(primary, settings, lambda kind: self._answers.labels(kind).inc())
        await self._listener.start(self._sockets)
        for one in settings.secondaries:
            key = None if one.tsig_key is None else keys[names.from_text(one.tsig_key)]
            notifier = Notifier(
                one, key, zones, access, self._source(one), lambda outcome: self._notifies.labels(outcome).inc()
            )
            notifier.start()
            self._notifiers.append(notifier)
        self._follower = Follower(self._service, self._feed, catalog, self._tell)
        self._follower.start()
        log.info("dns", listen=list(settings.listen))

    async def stop(self) -> None:
        """Finish updates that run, break off the rest."""
        if self._follower is not None:
            await self._follower.stop()
        for notifier in self._notifiers:
            await notifier.stop()
        if self._listener is not None:
            await self._listener.stop()

    def _tell(self, zone: bytes) -> None:
        for notifier in self._notifiers:
            notifier.tell(zone)

    def _source(self, secondary: Secondary) -> str | None:
        """The address to notify *secondary* from: one that it knows as its primary, if there is one of its kind."""
        version = ipaddress.ip_address(secondary.address).version
        for host, _port in self._settings.addresses():
            address = ipaddress.ip_address(host)
            if address.version != version or address.is_unspecified:
                continue
            if not address.is_loopback or ipaddress.ip_address(secondary.address).is_loopback:
                return host
        return None
