# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who needs a damaged blob: found by going down from each version's root to where the blob hangs, and no further."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import IntegrityError
from ..publish.head import SignedHead
from ..store.base import Document, Store
from ..store.common import everything
from ..zone import names
from ..zone.tree import Blobs, inner_node, is_inner, is_zone, zone_node
from .findings import CATALOG, HEAD, NAMES, OTHER, ROOT, Need, Spot
from .zones import Documents, load

#: Prefix of documents that name the catalogs of earlier heads.
HEADS_OF_THE_PAST = "head-history/"
_CACHE_BYTES = 16 << 20


class Needs:
    """Looks in *store*; what it reads is kept for the next damaged blob."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._blobs = Blobs(store.read_blobs, _CACHE_BYTES)
        self._documents: dict[bytes, Documents] = {}
        self._bad: set[str] = set()

    def of(self, spot: Spot) -> tuple[Need, ...]:
        """The versions that need the blob of *spot*."""
        if spot.part == CATALOG:
            return tuple(self._heads(spot))
        if spot.part == OTHER:
            return ()
        return tuple(need for zone in _candidates(spot) for need in self._zone(zone, spot))

    def _zone(self, zone: bytes, spot: Spot) -> Iterator[Need]:
        held = self._documents.get(zone)
        if held is None:
            if len(self._documents) > 8:
                self._documents.clear()
            held = self._documents[zone] = load(self._store, zone)
        found: dict[tuple[str, str], Need] = {}
        for root in held.roots():
            if not self._hangs(root.digest, spot):
                continue
            before = found.get((root.line, root.version))
            current = root.current or (before is not None and before.current)
            need = Need(root.document.key, names.to_text(zone), root.version, root.line, current)
            found[root.line, root.version] = need
        yield from found.values()

    def _heads(self, spot: Spot) -> Iterator[Need]:
        for document in everything(self._store, "head/"):
            root = catalog_root(document)
            if root is not None and self._below(root, spot):
                yield Need(document.key, "", "", HEAD, True)
        for document in everything(self._store, HEADS_OF_THE_PAST):
            past = document.value.get("catalog")
            if isinstance(past, str) and self._below(past, spot):
                yield Need(document.key, "", "", HEAD, False)

    def _hangs(self, root: str, spot: Spot) -> bool:
        if root == spot.digest:
            return True
        if spot.part == ROOT:
            return False
        data = self._get(root)
        if data is None or not is_zone(data):
            return False
        return any(self._below(top, spot) for top in zone_node(data)[1] if top is not None)

    def _below(self, digest: str, spot: Spot) -> bool:
        wanted = None if spot.first is None else names.sort_key(spot.first)
        while digest != spot.digest:
            data = None if wanted is None else self._get(digest)
            if data is None or wanted is None or not is_inner(data):
                return False
            children = inner_node(data)[1]
            digest = next((c.digest for c in reversed(children) if names.sort_key(c.first) <= wanted), "")
            if not digest:
                return False
        return True

    def _get(self, digest: str) -> bytes | None:
        if digest in self._bad:
            return None
        try:
            return self._blobs.get(digest)
        except IntegrityError:
            self._bad.add(digest)
            return None


def catalog_root(document: Document) -> str | None:
    """The catalog that a head's document names, authenticated or not; ``None`` if it does not parse or is empty."""
    try:
        return SignedHead.from_json(document.value.get("signed")).head().catalog
    except IntegrityError:
        return None


def _candidates(spot: Spot) -> Iterable[bytes]:
    """Zones that may hold the blob: where it was found, and those that are above its first owner."""
    found = {} if spot.origin is None else {spot.origin: None}
    if spot.first is not None and spot.part == NAMES:
        name = spot.first
        while len(name) > 1:
            found[name] = None
            name = names.parent(name)
    return found
