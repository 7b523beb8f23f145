# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Follows the head: what each new one changes is told to secondaries, and stands in the catalog zone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

import structlog

from arca_dns.documents import zone_key
from arca_dns.errors import ArcaError, MissingBlob
from arca_dns.publish.catalog import Catalog, Entry
from arca_dns.service import Service
from arca_dns.transfer.catalog_zone import CatalogZone
from arca_dns.zone import names
from arca_dns.zone.tree import Blobs

from ..feed import HeadFeed

log = structlog.get_logger(__name__)

_WAIT = 30.0
_PAGE = 1000
_MANY = 100  # zones that come at once, from which on all documents are read in pages


class Follower:
    """Calls *changed* with the zones that a new head changes, the first time with all of them."""

    def __init__(
        self, service: Service, feed: HeadFeed, catalog: CatalogZone | None, changed: Callable[[bytes], None]
    ) -> None:
        self._service = service
        self._feed = feed
        self._catalog = catalog
        self._changed = changed
        self._revision = 0
        self._root: str | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin, from within the running event loop."""
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _follow(self) -> None:
        while True:
            head = await self._feed.wait(self._revision, _WAIT)
            if head is None:
                await asyncio.sleep(0.1)  # the feed ends before this does
                continue
            try:
                found = head.head()
                zones = await asyncio.to_thread(self.step, found.revision, found.catalog)
            except ArcaError as error:
                log.error("the new head is not followed yet", reason=str(error))
                await asyncio.sleep(1)
                continue
            for zone in zones:
                self._changed(zone)

    def step(self, revision: int, root: str | None) -> list[bytes]:
        """Take in the head of *revision*, whose catalog is *root*; returns the zones with a new version."""
        differences = self._differences(root)
        changed = [after.zone for _before, after in differences if after is not None]
        if self._catalog is not None:
            come = {after.zone for before, after in differences if before is None and after is not None}
            # One that was deleted and made anew between two heads differs by its creation alone.
            kept = {after.zone for before, after in differences if before is not None and after is not None}
            gone = [before.zone for before, after in differences if before is not None and after is None]
            if self._catalog.update(revision, self._created(come | kept), gone):
                changed.append(self._catalog.name)
        self._revision, self._root = revision, root
        return changed

    def _differences(self, root: str | None) -> list[tuple[Entry | None, Entry | None]]:
        new = Catalog(Blobs(self._service.blobs), root)
        try:
            return list(Catalog(Blobs(self._service.blobs), self._root).diff(new))
        except MissingBlob:
            # The old catalog has been collected: look at all there is.
            known = {} if self._catalog is None else dict.fromkeys(self._catalog.members())
            found: list[tuple[Entry | None, Entry | None]] = [(None, entry) for entry in new]
            there = {entry.zone for _none, entry in found if entry is not None}
            return found + [(Entry(zone, 0, "", ""), None) for zone in known if zone not in there]

    def _created(self, zones: Iterable[bytes]) -> dict[bytes, str]:
        """When each of *zones* was made; those that are gone meanwhile are left out, for the next head says so."""
        wanted = set(zones)
        if len(wanted) < _MANY:
            found = {zone: self._service.store.get(zone_key(zone)) for zone in wanted}
            return {zone: str(document.value["created"]) for zone, document in found.items() if document is not None}
        created: dict[bytes, str] = {}
        after = ""
        while page := self._service.store.scan("zone/", after, _PAGE):
            for document in page:
                zone = names.from_text(str(document.value["name"]))
                if zone in wanted:
                    created[zone] = str(document.value["created"])
            after = page[-1].key
        return created
