# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone's content as checks and plans see it: owners and their RRsets, from a tree, with or without edits.

Nothing here is copied: a view reads what is asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import Protocol

from . import names, rr
from .rr import Node, RRset
from .tree import ZoneRoot

#: Owner → type → the RRset it gets, or ``None`` where it is removed; an owner with ``None`` goes altogether.
Edits = Mapping[bytes, "Mapping[int, RRset | None] | None"]

_NOTHING: Node = {}


class View(Protocol):
    """The content of a zone. Owners outside of the zone are shown too, for checks to find."""

    @property
    def origin(self) -> bytes:
        """The apex."""

    def node(self, owner: bytes) -> Node:
        """The RRsets of *owner* by type; empty if it has none."""

    def items(self) -> Iterator[tuple[bytes, Node]]:
        """(owner, RRsets) of all owners: the apex, then the others in canonical order."""

    def below(self, owner: bytes) -> Iterator[bytes]:
        """The owners strictly below *owner*, in canonical order."""


def owners(view: View) -> Iterator[bytes]:
    """All owners of *view*: the apex, then the others in canonical order."""
    return (owner for owner, _node in view.items())


def has_below(view: View, owner: bytes) -> bool:
    """Whether anything is below *owner*: without records of its own it is then an empty non-terminal (RFC 8499)."""
    return next(view.below(owner), None) is not None


class TreeView:
    """The content of a source tree, read as needed."""

    def __init__(self, zone: ZoneRoot) -> None:
        self._zone = zone

    @property
    def origin(self) -> bytes:
        """The apex."""
        return self._zone.origin

    def node(self, owner: bytes) -> Node:
        """The RRsets of *owner* by type; empty if it has none."""
        data = self._zone.get(owner)
        return rr.node_of(data) if data else _NOTHING

    def items(self) -> Iterator[tuple[bytes, Node]]:
        """(owner, RRsets) of all owners: the apex, then the others in canonical order."""
        for tree in (self._zone.apex, self._zone.names):
            for owner, data in tree:
                yield owner, rr.node_of(data)

    def below(self, owner: bytes) -> Iterator[bytes]:
        """The owners strictly below *owner*, in canonical order."""
        # In canonical order all descendants of a name follow it directly.
        for found, _data in self._zone.names.items(owner):
            if found == owner:
                continue
            if not names.is_at_or_below(found, owner):
                return
            yield found


class Overlay:
    """*base* with edits, as it would be if they were applied."""

    def __init__(self, base: View, edits: Edits) -> None:
        self.base = base
        self._nodes = {owner: self._edited(owner, changes) for owner, changes in edits.items()}
        self._order = sorted((owner for owner in edits if owner != base.origin), key=names.sort_key)
        self._keys = [names.sort_key(owner) for owner in self._order]

    def _edited(self, owner: bytes, changes: Mapping[int, RRset | None] | None) -> Node:
        if changes is None:
            return _NOTHING
        node = {**self.base.node(owner), **changes}
        return {rdtype: rrset for rdtype, rrset in node.items() if rrset is not None}

    @property
    def origin(self) -> bytes:
        """The apex."""
        return self.base.origin

    def node(self, owner: bytes) -> Node:
        """The RRsets of *owner* by type; empty if it has none."""
        found = self._nodes.get(owner)
        return self.base.node(owner) if found is None else found

    def items(self) -> Iterator[tuple[bytes, Node]]:
        """(owner, RRsets) of all owners: the apex, then the others in canonical order."""
        apex = self.node(self.origin)
        if apex:
            yield self.origin, apex
        kept = ((owner, node) for owner, node in self.base.items() if owner != self.origin and owner not in self._nodes)
        edited = ((owner, self._nodes[owner]) for owner in self._order if self._nodes[owner])
        yield from _merged(kept, edited)

    def below(self, owner: bytes) -> Iterator[bytes]:
        """The owners strictly below *owner*, in canonical order."""
        kept = ((found, _NOTHING) for found in self.base.below(owner) if found not in self._nodes)
        for found, _node in _merged(kept, self._edited_below(owner)):
            yield found

    def _edited_below(self, owner: bytes) -> Iterator[tuple[bytes, Node]]:
        for found in self._order[bisect_right(self._keys, names.sort_key(owner)) :]:
            if not names.is_at_or_below(found, owner):
                return
            if self._nodes[found]:
                yield found, _NOTHING


def _merged(left: Iterator[tuple[bytes, Node]], right: Iterator[tuple[bytes, Node]]) -> Iterator[tuple[bytes, Node]]:
    """Two runs in canonical order as one."""
    pending = next(right, None)
    if pending is None:
        yield from left
        return
    key = names.sort_key(pending[0])
    for item in left:
        at = names.sort_key(item[0])
        while pending is not None and key < at:
            yield pending
            pending = next(right, None)
            if pending is not None:
                key = names.sort_key(pending[0])
        yield item
    while pending is not None:
        yield pending
        pending = next(right, None)
