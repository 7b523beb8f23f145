# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The heads and the catalogs that they name, beside what the documents say is published."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from ..documents import Dirty, dirty_key, encode, publication_key, published_key, zone_key
from ..errors import HeadRejected, IntegrityError
from ..publish.catalog import Catalog, Entry
from ..publish.head import Head, SignedHead, open_head
from ..publish.line import follows
from ..store.base import Document, Store
from ..store.common import everything
from ..zone import names
from ..zone.tree import Blobs
from .findings import CATALOG, Finding
from .trees import Trees, Wanted

_PREFIX = "head/"
_REPAIR = "run 'arca-dns-controller fsck --repair'"
_RESTORE = (
    "restore a backup into an empty backend ('arca-dns-controller restore'): the head that follows is ahead of all that"
    " edges have seen"
)


def mark(version: str, root: str) -> bytes:
    """What is remembered of a published zone until the catalog is read."""
    return hashlib.blake2b(f"{version} {root}".encode(), digest_size=16).digest()


class Heads:
    """Checks the heads in *store* against *keys*, the public head keys; without any, signatures are not looked at."""

    def __init__(self, store: Store, trees: Trees, keys: Sequence[bytes], now: int) -> None:
        self._store = store
        self._trees = trees
        self._keys = list(keys)
        self._now = now

    def check(self, published: Mapping[bytes, bytes] | None, only: bytes | None) -> Iterator[Finding]:
        """What is wrong with the heads. *published* are marks of all zones; or *only* one zone is looked for."""
        found = False
        for document in everything(self._store, _PREFIX):
            found = found or not follows(document)
            yield from self._head(document)
        if not found and (published or (only is not None and self._store.get(published_key(only)) is not None)):
            yield Finding("head", _PREFIX, "there is no head, and zones are published", _NO_HEAD, _RESTORE)
        if found:
            yield from self._catalog(published, only)

    def _head(self, document: Document) -> Iterator[Finding]:
        try:
            signed = SignedHead.from_json(document.value.get("signed"))
            head = signed.head()
        except HeadRejected as error:
            yield Finding("head", document.key, error.message, _NO_HEAD, _RESTORE)
            return
        ring = document.key.removeprefix(_PREFIX)
        if self._keys:
            try:
                open_head(signed, self._keys, ring=ring, now=0, minimum_revision=0)
            except HeadRejected as error:
                yield Finding(
                    "head",
                    document.key,
                    error.message.replace("this edge's head keys", "the controller's"),
                    _NO_HEAD,
                    "see that publish.head_key_file is the key that edges trust; the next head is signed with it",
                )
        if document.value.get("revision") != head.revision:
            yield Finding(
                "head",
                document.key,
                f"it is kept as revision {document.value.get('revision')}, and signed as {head.revision}",
                todo="write any zone: the next head replaces it",
            )
        if head.expires <= self._now:
            yield Finding(
                "waiting",
                document.key,
                f"the head expired {self._now - head.expires} s ago",
                "edges go on serving what they have and take nothing new",
                "start the controller: it renews the head",
                damage=False,
            )
        if head.catalog is not None:
            self._trees.visit([Wanted(head.catalog, CATALOG)])

    def _catalog(self, published: Mapping[bytes, bytes] | None, only: bytes | None) -> Iterator[Finding]:
        suspects: set[bytes] = set()
        try:
            _document, _head, catalog = self._now_served()
            if published is None:
                suspects = set() if only is None else {only}
            else:
                left = dict(published)
                for entry in catalog:
                    if left.pop(entry.zone, None) != mark(entry.version, entry.root):
                        suspects.add(entry.zone)
                suspects.update(left)
        except IntegrityError:
            return  # what is damaged is told as a blob, or as a head
        for zone in sorted(suspects, key=names.sort_key):
            yield from self._entry(zone)

    def _now_served(self) -> tuple[Document | None, Head | None, Catalog]:
        document = self._line()
        head = None if document is None else SignedHead.from_json(document.value.get("signed")).head()
        return document, head, Catalog(Blobs(self._store.read_blobs), None if head is None else head.catalog)

    def _line(self) -> Document | None:
        """The head that publications move; others are promoted."""
        return next((document for document in everything(self._store, _PREFIX) if not follows(document)), None)

    def _entry(self, zone: bytes) -> Iterator[Finding]:
        """What is wrong with the catalog's entry of *zone*, read again at one moment."""
        while True:
            document, _head, catalog = self._now_served()
            try:
                entry = catalog.get(zone)
            except IntegrityError:
                return
            published = self._store.get(published_key(zone))
            again = self._line()
            if (again and again.revision) == (document and document.revision):
                break
        yield from self._compare(zone, entry, published)

    def _compare(self, zone: bytes, entry: Entry | None, published: Document | None) -> Iterator[Finding]:
        name = names.to_text(zone)
        line = self._line()
        at = _PREFIX if line is None else line.key
        waits = self._store.get(dirty_key(zone)) is not None
        there = self._store.get(zone_key(zone)) is not None
        says = None if published is None else (published.value.get("version"), published.value.get("root"))
        serves = None if entry is None else (entry.version, entry.root)
        if says == serves:
            publication = None if entry is None else self._store.get(publication_key(zone, entry.version))
            if entry is not None and publication is not None and publication.value.get("serial") != entry.serial:
                yield Finding(
                    "catalog",
                    publication.key,
                    f"the catalog has it with the serial {entry.serial}",
                    "edges refuse the zone, and serve what they had",
                    _REPAIR,
                    name,
                    fix={} if waits else {dirty_key(zone): encode(Dirty(name))},
                )
            return
        if serves is None:
            problem, means = "the zone is published and the catalog lacks it", "edges do not serve it"
        elif says is None:
            problem, means = "the catalog has the zone, and nothing is published of it", "edges serve it"
        else:
            problem = f"the catalog has version {serves[0]}, and {says[0]} is published"
            means = "edges serve another version than the controller says"
        fix = {} if waits or not there else {dirty_key(zone): encode(Dirty(name))}
        yield Finding("catalog", at, problem, means, _REPAIR if fix or waits else _RESTORE, name, fix=fix)


_NO_HEAD = "edges refuse it and go on serving what they have; new edges get nothing"
