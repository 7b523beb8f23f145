# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Makes damaged blobs anew from what else a store holds of the same content.

A source tree is in the published tree that was signed from it; a published tree is its source tree signed again, at the
time at which it was signed; a leaf may be put together from the versions before and after it. What comes of it counts
only where it hashes to the digest that is wanted: equal content has equal trees.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice, product

from ..documents import PublishedVersion, SourceVersion, publication_key, version_key, zone_key
from ..errors import ArcaError
from ..publish.catalog import Catalog, Entry
from ..publish.publisher import Publisher
from ..store.base import Document, Store
from ..store.common import everything
from ..zone import names, rr
from ..zone.changes import source_form
from ..zone.tree import Blobs, Tree, ZoneRoot
from .findings import APEX, HEAD, NAMES, PUBLISHED, SOURCE, Finding, Need, Spot
from .zones import T, read_as

_NEIGHBOURS = 8
_COMBINATIONS = 4096
_OWNERS = 20_000


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A blob as it was, and what it was made from."""

    data: bytes
    how: str


class Rebuilder:
    """Works on *store*; *publisher* signs, if there is one."""

    def __init__(self, store: Store, publisher: Publisher | None) -> None:
        self._store = store
        self._publisher = publisher

    def rebuild(self, findings: Sequence[Finding], spots: Mapping[str, Spot]) -> Iterator[tuple[str, Rebuilt]]:
        """(digest, what can be made of it) of the blobs of *findings*, which are those of *spots*.

        To be written as they come: sources come first, and published trees are made of them.
        """
        left = {finding.subject: finding for finding in findings if finding.subject in spots}
        for line in (SOURCE, PUBLISHED, HEAD):
            tried: set[str] = set()
            for digest, finding in list(left.items()):
                for need in sorted(finding.needs, key=lambda need: not need.current):
                    if digest not in left or need.line != line or need.key in tried:
                        continue
                    tried.add(need.key)
                    for how, made in self._made(need):
                        for other in made.keys() & left.keys():
                            del left[other]
                            yield other, Rebuilt(made[other], how)
            for digest, finding in list(left.items()) if line == SOURCE else ():
                found = self._from_neighbours(finding, spots[digest]) if spots[digest].part in (NAMES, APEX) else None
                if found is not None:
                    del left[digest]
                    yield digest, Rebuilt(found, "from the versions before and after")

    def _made(self, need: Need) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        """What can be made of the tree that *need* needs: how, and its blobs."""
        if need.line == HEAD:
            yield "from what is published", self._catalog()
            return
        zone = names.from_text(need.zone)
        if need.line == PUBLISHED:
            yield f"by signing the source of {need.version} again", self._signed(zone, need.version)
            return
        for publication in self._signed_from(zone, need.version):
            yield f"from the published version {publication.version}", self._unsigned(zone, publication)

    def _blobs(self) -> Blobs:
        return Blobs(self._store.read_blobs)

    def _catalog(self) -> Mapping[str, bytes]:
        entries: dict[bytes, Entry | None] = {}
        for document in everything(self._store, "published/"):
            zone = names.from_text(document.key.removeprefix("published/"))
            version = str(document.value["version"])
            # After a restoration the serial of what is published is ahead of the one that was.
            publication = self._store.get(publication_key(zone, version)) or document
            root, serial = str(publication.value["root"]), publication.value["serial"]
            entries[zone] = Entry(zone, int(str(serial)), root, version)
        blobs = Blobs.memory()
        Catalog(blobs, None).update(entries)
        return blobs.pending

    def _signed_from(self, zone: bytes, version: str) -> Iterator[PublishedVersion]:
        for document in everything(self._store, publication_key(zone)):
            if document.value.get("source") == version:
                yield from _read(PublishedVersion, document)

    def _unsigned(self, zone: bytes, publication: PublishedVersion) -> Mapping[str, bytes]:
        """The source tree of *publication*, as far as it can be read."""
        blobs = Blobs.memory()
        try:
            tree = ZoneRoot.load(self._blobs(), publication.root)
            stripped = _stripped(zone, (item for part in (tree.apex, tree.names) for item in part))
            made = ZoneRoot.build(blobs, zone, stripped)
            made.store(blobs)
        except (ArcaError, ValueError):
            return self._unsigned_parts(zone, publication)
        return blobs.pending

    def _unsigned_parts(self, zone: bytes, publication: PublishedVersion) -> Mapping[str, bytes]:
        """The same where the published tree is damaged too: what can be made of its whole parts."""
        found: dict[str, bytes] = {}
        for part in ("apex", "names"):
            blobs = Blobs.memory()
            try:
                tree = ZoneRoot.load(self._blobs(), publication.root)
                Tree.build(blobs, _stripped(zone, tree.apex if part == "apex" else tree.names))
                found.update(blobs.pending)
            except (ArcaError, ValueError):
                continue
        return found

    def _signed(self, zone: bytes, version: str) -> Mapping[str, bytes]:
        """The tree of the published *version*, signed again as it was."""
        held, current = self._store.get(publication_key(zone, version)), self._store.get(zone_key(zone))
        for publication in [] if held is None else _read(PublishedVersion, held):
            settings = None if current is None else current.value.get("settings")
            if self._publisher is None or not isinstance(settings, dict):
                continue
            blobs = self._blobs()
            with suppress(ArcaError, ValueError):
                self._publisher.sign_again(blobs, zone, publication, settings)
                return blobs.pending
        return {}

    # -- from the versions before and after ---------------------------------------------------

    def _from_neighbours(self, finding: Finding, spot: Spot) -> bytes | None:
        for need in finding.needs:
            if need.line == SOURCE:
                found = self._put_together(names.from_text(need.zone), need.version, spot)
                if found is not None:
                    return found
        return None

    def _put_together(self, zone: bytes, version: str, spot: Spot) -> bytes | None:
        """The blob of *spot*, each owner as it is in some version near *version*."""
        every = [v for d in everything(self._store, version_key(zone)) for v in _read(SourceVersion, d) if v.root]
        at = next((i for i, one in enumerate(every) if one.version == version), 0)
        near = sorted(range(len(every)), key=lambda i: abs(i - at))[: _NEIGHBOURS + 1]
        contents: list[dict[bytes, bytes]] = []
        signed = [self._range(one.root, spot) for one in self._signed_from(zone, version)]
        stripped = [dict(_stripped(zone, content.items())) for content in signed if content is not None]
        for content in (*stripped, *(self._range(every[i].root, spot) for i in near)):
            if content is not None and content not in contents:
                contents.append(content)
        if not contents:
            return None
        owners = sorted({owner for content in contents for owner in content}, key=names.sort_key)
        choices = [list(dict.fromkeys(content.get(owner) for content in contents)) for owner in owners]
        for made in islice(product(*choices), _COMBINATIONS):
            items = [(owner, data) for owner, data in zip(owners, made, strict=True) if data is not None]
            leaf = b"".join(data for _owner, data in items)
            if hashlib.sha256(leaf).hexdigest() == spot.digest:
                return leaf
            if len(contents) == 1 or len(items) > 200:
                blobs = Blobs.memory()
                Tree.build(blobs, items)
                if spot.digest in blobs.pending:
                    return blobs.pending[spot.digest]
        return None

    def _range(self, root: str, spot: Spot) -> dict[bytes, bytes] | None:
        """The owners that the blob of *spot* covers, as they are below *root*; ``None`` if they cannot be read."""
        try:
            zone = ZoneRoot.load(self._blobs(), root)
            tree = zone.apex if spot.part == APEX else zone.names
            found: dict[bytes, bytes] = {}
            if spot.first is not None and (first := tree.get(spot.first)) is not None:
                found[spot.first] = first
            end = None if spot.until is None else names.sort_key(spot.until)
            for owner, data in tree.items(spot.first):
                if end is not None and names.sort_key(owner) >= end:
                    break
                found[owner] = data
                if len(found) > _OWNERS:
                    return None
            return found
        except ArcaError:
            return None


def _stripped(zone: bytes, items: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """*items* without what signing adds, and the SOA with the serial 0 that source trees have."""
    for owner, data in items:
        kept = []
        for rrset in rr.rrsets(data):
            if rrset.rdtype in rr.SIGNER_TYPES:
                continue
            kept.append(source_form(rrset) if owner == zone else rrset)
        if kept:
            yield owner, rr.node_wire(kept)


def _read(kind: type[T], document: Document) -> list[T]:
    """The document as one of *kind*, or nothing if it is not whole."""
    try:
        return [read_as(kind, document.value)]
    except ValueError:
        return []
