# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The documents of one zone, read together, and whether they fit each other and the trees that they name.

The trees themselves are visited by :mod:`.trees`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, TypeVar

from ..documents import (
    Dirty,
    PublishedVersion,
    Source,
    SourceVersion,
    ZoneSettings,
    dirty_key,
    encode,
    publication_key,
    published_key,
    version_key,
    zone_key,
)
from ..errors import ArcaError
from ..store.base import Document, JsonObject, Store
from ..store.common import everything
from ..zone import names
from ..zone.rr import serial_newer
from .findings import PUBLISHED, ROOT, SOURCE, Finding
from .trees import Trees, Wanted

T = TypeVar("T", Source, SourceVersion, PublishedVersion)

_RESTORE = "restore the document from a backup: 'arca-dns-controller restore' into an empty backend has all of it"
_WRITE = "write the zone again through the API, or roll it back to a version that is whole"
_REPAIR = "run 'arca-dns-controller fsck --repair'"


@dataclass(frozen=True, slots=True)
class Documents:
    """What a store holds of one zone. *deleted* is the note of a deletion that can be undone."""

    name: bytes
    source: Document | None
    published: Document | None
    dirty: Document | None
    deleted: Document | None
    versions: tuple[Document, ...]
    publications: tuple[Document, ...]

    def revisions(self) -> dict[str, int]:
        """Each document's revision: the same twice means that nothing has changed between."""
        single = [one for one in (self.source, self.published, self.dirty, self.deleted) if one is not None]
        return {one.key: one.revision for one in (*single, *self.versions, *self.publications)}

    def roots(self) -> Iterator[Root]:
        """The roots of the trees that these documents need."""
        for document, line in ((self.source, SOURCE), (self.published, PUBLISHED)):
            if document is not None:
                yield from _root(document, line, current=True)
        if self.published is not None:  # what the zone is signed from incrementally
            yield from _root(self.published, SOURCE, "source_root", "source")
        for document in self.versions:
            yield from _root(document, SOURCE)
        for document in self.publications:
            yield from _root(document, PUBLISHED)
        if self.deleted is not None:
            yield from _root(self.deleted, SOURCE)


@dataclass(frozen=True, slots=True)
class Root:
    """A tree's root, the document that names it, and the version that it is the content of."""

    digest: str
    document: Document
    line: str
    version: str
    current: bool


def deleted_key(zone: bytes) -> str:
    """Key of the note of a deletion."""
    return "deleted/" + zone_key(zone).removeprefix("zone/")


def load(store: Store, name: bytes) -> Documents:
    """The documents of zone *name* as they are now."""
    return Documents(
        name,
        store.get(zone_key(name)),
        store.get(published_key(name)),
        store.get(dirty_key(name)),
        store.get(deleted_key(name)),
        tuple(everything(store, version_key(name))),
        tuple(everything(store, publication_key(name))),
    )


def check(documents: Documents, trees: Trees) -> list[Finding]:
    """What is wrong with *documents*; damaged blobs are kept by *trees*."""
    return list(_Check(documents, trees).run())


class _Check:
    def __init__(self, documents: Documents, trees: Trees) -> None:
        self._documents = documents
        self._trees = trees
        self._zone = names.to_text(documents.name)
        self._found: list[Finding] = []

    def run(self) -> list[Finding]:
        held = self._documents
        self._trees.begin_zone()
        self._trees.visit(Wanted(root.digest, ROOT, held.name) for root in held.roots())
        source = None if held.source is None else self._parse(Source, held.source)
        published = None if held.published is None else self._parse(PublishedVersion, held.published)
        versions = self._parsed(SourceVersion, held.versions)
        publications = self._parsed(PublishedVersion, held.publications)
        self._history(versions)
        for key, publication in publications.items():
            self._tree(key, publication.root, publication.records, publication.earliest_expiry, publication.serial)
        if source is not None and held.source is not None:
            self._source(held.source.key, source, versions)
        if published is not None and held.published is not None:
            self._published(held.published.key, published, versions, publications)
        if held.source is None or source is not None:
            self._waiting(source, published, list(versions.values()))
        return self._found

    def _say(self, code: str, subject: str, problem: str, means: str = "", todo: str = "", **more: Any) -> None:
        self._found.append(Finding(code, subject, problem, means, todo, self._zone, **more))

    def _parse(self, kind: type[T], document: Document) -> T | None:
        try:
            return read_as(kind, document.value)
        except ValueError as error:
            self._say("bad-document", document.key, str(error), "what needs the document fails", _RESTORE)
            return None

    def _parsed(self, kind: type[T], documents: tuple[Document, ...]) -> dict[str, T]:
        found: dict[str, T] = {}
        for document in documents:
            value = self._parse(kind, document)
            if value is None:
                continue
            if value.version != document.key.rpartition("/")[2]:
                self._say("bad-document", document.key, f"it says that it is version {value.version}", todo=_RESTORE)
            found[document.key] = value
        return found

    def _history(self, versions: dict[str, SourceVersion]) -> None:
        by_name = {version.version: version for version in versions.values()}
        oldest = min(by_name, default="")
        for key, version in versions.items():
            if version.root:
                self._tree(key, version.root, version.records, None, 0)
            if version.parent is None:
                continue
            parent = by_name.get(version.parent)
            if version.parent >= version.version:
                self._say("chain", key, f"its parent {version.parent} is not older than it", todo=_RESTORE)
            elif parent is not None and serial_newer(parent.serial, version.serial):
                self._say(
                    "serial",
                    key,
                    f"its serial {version.serial} is behind {parent.serial} of its parent {version.parent}",
                    "name servers that know the later serial ignore the earlier one",
                    "write the zone once more: the next serial is ahead of what is published",
                )
            elif parent is None and version.parent > oldest:
                self._say(
                    "gap",
                    key,
                    f"its parent {version.parent} is not there, though older versions are",
                    "retention has removed it, or its document is lost",
                    damage=False,
                )

    def _tree(self, key: str, root: str, records: int, expiry: int | None, serial: int) -> None:
        stats = self._trees.stats(root)
        if stats is None:
            return
        if stats.records != records:
            self._say("counts", key, f"it says {records} records, its tree has {stats.records}", todo=_WRITE)
        if expiry is not None and stats.earliest_expiry != expiry:
            self._say(
                "counts",
                key,
                f"it says that its first signature expires at {expiry}, its tree says {stats.earliest_expiry}",
                "it may be signed again too late",
                "sign it again: write the zone once more",
            )
        held = self._trees.serial(root)
        if held is not None and held != serial:
            self._say("serial", key, f"the SOA in its tree has the serial {held}, not {serial}", todo=_WRITE)

    def _source(self, key: str, source: Source, versions: Mapping[str, SourceVersion]) -> None:
        name = self._documents.name
        try:
            ZoneSettings.from_json(source.settings)
        except ArcaError as error:
            self._say("bad-document", key, f"its settings are wrong: {error}", "it is not signed again", _RESTORE)
        version = versions.get(version_key(name, source.version))
        if version is None:
            self._say(
                "missing-document",
                version_key(name, source.version),
                "the zone's current version has no document",
                "history lacks it, and nobody can go back to it; the zone itself is whole",
                "write the zone once more, or " + _RESTORE,
            )
        elif (version.root, version.serial, version.records) != (source.root, source.serial, source.records):
            self._say(
                "bad-document",
                key,
                f"root, serial or records are not those of its version {source.version}",
                "what is shown, and what is signed next, may not be what was written last",
                _WRITE,
            )

    def _published(
        self,
        key: str,
        published: PublishedVersion,
        versions: Mapping[str, SourceVersion],
        publications: Mapping[str, PublishedVersion],
    ) -> None:
        name = self._documents.name
        wanted = publication_key(name, published.version)
        same = publications.get(wanted)
        if same is None and all(document.key != wanted for document in self._documents.publications):
            self._say(
                "missing-document",
                wanted,
                "the version that is published has no document",
                "serials of this name could go back after it is deleted and made again",
                _REPAIR,
                fix={wanted: asdict(published)},
            )
        elif same is not None and (same.root, same.source) != (published.root, published.source):
            self._say("bad-document", key, f"it is not as its version {published.version} is kept", todo=_WRITE)
        source = versions.get(version_key(name, published.source))
        if source is not None and source.root != published.source_root:
            self._say("bad-document", key, f"it is not signed from the root of version {published.source}", todo=_WRITE)

    def _waiting(
        self, source: Source | None, published: PublishedVersion | None, versions: list[SourceVersion]
    ) -> None:
        name, dirty = self._documents.name, self._documents.dirty
        key = dirty_key(name)
        if dirty is not None:
            if dirty.value.get("name") != self._zone:
                self._say("bad-document", key, "it names another zone", "the zone is not published", _RESTORE)
            elif dirty.value.get("problem"):
                problem = str(dirty.value["problem"])
                self._say("waiting", key, f"the zone is not published as it was written: {problem}", damage=False)
            return
        last = max(versions, key=lambda version: version.version, default=None)
        if source is not None and (published is None or published.source != source.version):
            if self._documents.published is not None and published is None:
                return  # told already: the document does not parse
            self._say(
                "not-waiting",
                key,
                f"version {source.version} is not published and nothing says that it waits to be",
                "edges never get what was written",
                _REPAIR,
                fix={key: encode(Dirty(self._zone))},
            )
        elif source is None and published is not None:
            removed = last is not None and not last.root
            self._say(
                "not-waiting" if removed else "missing-document",
                key if removed else zone_key(name),
                "the zone was deleted and is still published"
                if removed
                else "the zone is published and has no source, though nobody deleted it",
                "edges go on serving it; it is not signed again, so its signatures will expire",
                _REPAIR if removed else _RESTORE,
                fix={key: encode(Dirty(self._zone, removed=True))} if removed else {},
            )


def read_as(kind: type[T], value: JsonObject) -> T:
    """*value* as a document of *kind*; fields that this version does not know are left out. Raises ValueError."""
    found: dict[str, Any] = {}
    for item in fields(kind):
        if item.name not in value:
            if item.default is MISSING:
                raise ValueError(f"the field {item.name} is missing")
            continue
        held = value[item.name]
        wanted = {"str": str, "int": int, "str | None": str | None, "JsonObject": dict}[str(item.type)]
        if not isinstance(held, wanted) or isinstance(held, bool):
            raise ValueError(f"the field {item.name} is of another type than it should be")
        found[item.name] = held
    if (root := found.get("root")) and (len(root) != 64 or set(root) - set("0123456789abcdef")):
        raise ValueError("the field root is no SHA-256")
    return kind(**found)


def _root(
    document: Document, line: str, field: str = "root", version: str = "version", *, current: bool = False
) -> Iterator[Root]:
    digest = document.value.get(field)
    if isinstance(digest, str) and len(digest) == 64 and not set(digest) - set("0123456789abcdef"):
        yield Root(digest, document, line, str(document.value.get(version)), current)
