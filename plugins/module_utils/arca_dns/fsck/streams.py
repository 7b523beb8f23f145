# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads the documents of all zones side by side, page by page, and gives them zone by zone.

What is held at any moment is one zone's documents and a page of each kind.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..store.base import Document, Store
from ..store.common import everything
from ..zone import names
from .zones import Documents

#: Kinds of documents with one for each zone, and with many.
SINGLE, MANY = ("zone", "published", "dirty", "deleted"), ("version", "publication")


def zones(store: Store) -> Iterator[tuple[str, Documents]]:
    """(zone as in keys, its documents) of every zone that has any."""
    single = {kind: _Single(store, kind) for kind in SINGLE}
    many = {kind: _Many(store, kind) for kind in MANY}
    while (waiting := [group.name for group in many.values() if group.name is not None]) != []:
        name = min(waiting, key=_order)
        runs = {kind: group.take(name) for kind, group in many.items()}
        yield name, _documents(name, {kind: one.take(name) for kind, one in single.items()}, runs)
    left: dict[str, dict[str, Document | None]] = {}
    for kind, one in single.items():
        for name, document in one.rest():
            left.setdefault(name, dict.fromkeys(SINGLE))[kind] = document
    for name in sorted(left):
        yield name, _documents(name, left[name], dict.fromkeys(MANY, ()))


def _documents(name: str, single: dict[str, Document | None], many: dict[str, tuple[Document, ...]]) -> Documents:
    return Documents(
        names.from_text(name),
        single["zone"],
        single["published"],
        single["dirty"],
        single["deleted"],
        many["version"],
        many["publication"],
    )


def _order(name: str) -> str:
    """How names of zones sort in the keys of versions, where a slash follows them."""
    return f"{name}/"


class _Single:
    """Documents that each zone has one of at most."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self._kind = kind
        self._stream = everything(store, f"{kind}/")
        self._next = next(self._stream, None)
        self._passed: dict[str, Document] = {}

    def take(self, name: str) -> Document | None:
        """The document of zone *name*; names come in :func:`_order`."""
        while self._next is not None and _order(_name(self._next)) <= _order(name):
            self._passed[_name(self._next)] = self._next
            self._next = next(self._stream, None)
        found = self._passed.pop(name, None)
        # Where names differ in octets below the slash, the two orders differ: such a one comes later in the stream.
        return found if found is not None or self._next is None else self._store.get(f"{self._kind}/{name}")

    def rest(self) -> Iterator[tuple[str, Document]]:
        """Those that nobody took."""
        yield from self._passed.items()
        while self._next is not None:
            yield _name(self._next), self._next
            self._next = next(self._stream, None)


class _Many:
    """Documents that a zone has many of."""

    def __init__(self, store: Store, kind: str) -> None:
        self._stream = everything(store, f"{kind}/")
        self._next = next(self._stream, None)

    @property
    def name(self) -> str | None:
        """The zone of those that come next."""
        return None if self._next is None else _name(self._next)

    def take(self, name: str) -> tuple[Document, ...]:
        """Those of zone *name*, if they come next."""
        found = []
        while self._next is not None and _name(self._next) == name:
            found.append(self._next)
            self._next = next(self._stream, None)
        return tuple(found)


def _name(document: Document) -> str:
    return document.key.split("/")[1]
