# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone cut into runs of whole leaves, each with what must be known of the names around it.

A run is signed or verified without looking at the rest of the zone. Where leaves begin depends on owners alone, so the
leaves of a signed run are those of the whole signed tree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..zone import names
from ..zone.tree import Tree, ZoneRoot, owners_of
from .authority import Authority

#: Owners in a run: some tenths of a second of signing, and few enough that zones of usual size are one run.
OWNERS = 4096


@dataclass(frozen=True, slots=True)
class Run:
    """Leaves of the names below the apex."""

    leaves: tuple[bytes, ...]
    before: bytes | None  # the owner ahead of the first, if there is one
    cut: bytes | None  # the topmost name ahead of the first that hides it
    above: frozenset[bytes]  # the names above the first that have data, the apex aside
    following: bytes  # the visible name behind the last

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """(owner, its RRs) in order."""
        return items(self.leaves)


def items(leaves: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """(owner, its RRs) of *leaves*, in order."""
    for leaf in leaves:
        yield from owners_of(leaf)


def last_of(leaves: Iterable[bytes]) -> bytes:
    """The last owner of *leaves*, of which there is one at least."""
    return max((owner for owner, _data in items(leaves)), key=names.sort_key)


def runs(zone: ZoneRoot, owners: int | None = None) -> Iterator[Run]:
    """The names of *zone* below its apex, about *owners* in a run."""
    origin = zone.origin
    before: bytes | None = None
    for leaves in zone.names.runs(owners or OWNERS):
        authority = Authority(zone)
        first, last = names.read(leaves[0]), last_of(leaves[-1:])
        yield Run(
            tuple(leaves),
            before,
            authority.hidden_by(first),
            frozenset(name for name in names.ancestors(first, origin) if authority.types(name)),
            authority.following(last),
        )
        before = last


def chain_runs(chain: Tree, owners: int | None = None) -> Iterator[tuple[tuple[bytes, ...], bytes | None, bytes]]:
    """The leaves of an NSEC3 *chain*: (leaves, the owner ahead of the first, the owner behind the last)."""
    first: bytes | None = None
    before: bytes | None = None
    held: list[bytes] | None = None
    for leaves in chain.runs(owners or OWNERS):
        begins = names.read(leaves[0])
        if held is None:
            first = begins
        else:
            yield tuple(held), before, begins
            before = last_of(held[-1:])
        held = leaves
    if held is not None and first is not None:
        yield tuple(held), before, first
