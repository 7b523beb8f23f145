# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What there is to transfer: published zones and their history from the store, and the catalog zone; and who may."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from arca_dns.access.scope import Scope
from arca_dns.documents import PublishedVersion, ZoneSettings, decode, publication_key, zone_key
from arca_dns.errors import MissingBlob, NotFound
from arca_dns.service import Service
from arca_dns.store.base import JsonObject
from arca_dns.transfer.allow import Rule, allowed
from arca_dns.transfer.catalog_zone import CatalogZone
from arca_dns.transfer.primary import Version
from arca_dns.zone import rr
from arca_dns.zone.tree import Blobs, ZoneRoot

_PAGE = 1000
_BLOB_CACHE = 4 << 20  # of one transfer, beside what the service keeps for all


class PublishedZones:
    """See :class:`arca_dns.transfer.primary.Zones`."""

    def __init__(self, service: Service, catalog: CatalogZone | None) -> None:
        self._service = service
        self._catalog = catalog

    def current(self, zone: bytes) -> Version | None:
        """The version to send, or ``None`` if the zone is not published."""
        if self._catalog is not None and zone == self._catalog.name:
            return self._catalog.current()
        try:
            version, _root = self._service.signed_zone(zone)
        except NotFound:
            return None
        return Version(version.serial, self._load(version.root))

    def earlier(self, zone: bytes, serial: int) -> Version | None:
        """The published version with *serial*, if retention has left it."""
        if self._catalog is not None and zone == self._catalog.name:
            return self._catalog.earlier(serial)
        found: str | None = None
        after = ""
        while True:
            page = self._service.store.scan(publication_key(zone), after, _PAGE)
            for document in page:
                version = decode(PublishedVersion, document)
                if version.serial == serial:
                    found = version.root
            if len(page) < _PAGE:
                break
            after = page[-1].key
        try:
            return None if found is None else Version(serial, self._load(found))
        except MissingBlob:
            return None

    def _load(self, root: str) -> ZoneRoot:
        return ZoneRoot.load(Blobs(self._service.blobs, _BLOB_CACHE), root)


class TransferAccess:
    """Who may transfer a zone: by its own list, or by the controller's *rules* if it has none.

    A key with *scopes* may see the SOA of the zones that it updates.
    """

    def __init__(self, service: Service, rules: Sequence[Rule], scopes: Mapping[bytes, Sequence[Scope]]) -> None:
        self._service = service
        self._rules = rules
        self._scopes = scopes

    def __call__(self, zone: bytes, rdtype: int, key: bytes | None, address: str | None) -> bool:
        """See :data:`arca_dns.transfer.primary.Access`."""
        if rdtype == rr.SOA and key is not None and any(scope.has_zone(zone) for scope in self._scopes.get(key, ())):
            return True
        return allowed(self._of(zone), address, key)

    def _of(self, zone: bytes) -> Sequence[Rule]:
        document = self._service.store.get(zone_key(zone))
        if document is None:
            return self._rules
        own = ZoneSettings.from_json(cast(JsonObject, document.value["settings"])).allow_transfer
        return self._rules if own is None else [Rule.read(text) for text in own]
