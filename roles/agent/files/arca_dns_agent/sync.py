# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a signed head to everything that it names on disk: verified, fetched where missing, committed as one step.

Raises the library's ``IntegrityError`` classes for what must be refused, with the reason; what was held stays held.
What cannot be read from disk is :class:`.disk.Damaged`, whatever a controller says.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence, Set
from contextlib import aclosing
from dataclasses import dataclass

from arca_dns.errors import CorruptBlob, HeadRejected, IntegrityError, MissingBlob
from arca_dns.publish.catalog import Catalog, Entry
from arca_dns.publish.head import Head, SignedHead, mass_removal, open_head
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, Tree, ZoneRoot

from .controller import Controllers
from .disk import Damaged, DiskBlobs
from .state import State

_BATCH = 256  # blobs asked for at once
_WRITE = 4 << 20  # octets held before they are written
CACHE = 16 << 20


@dataclass(frozen=True, slots=True)
class Held:
    """A head whose every blob is on disk, and the zones that it publishes."""

    head: Head
    zones: dict[bytes, Entry]


class _Walk:
    """Walks down a tree of which some blobs are still to be fetched; what *old* has too is not looked at."""

    def __init__(self, new: Tree, old: Tree) -> None:
        self._new, self._old = new, old
        self.wanted: dict[str, int] = {} if new.root is None or new.root == old.root else {new.root: 0}
        self._known: dict[str, int] = {}
        self._level: int | None = None

    def descend(self) -> bool:
        """Go one level down, once *wanted* is there; false at the bottom."""
        new, old = self._new, self._old
        if not self.wanted:
            return False
        if self._level is None:
            self._level = max(new.height, old.height)
            self.wanted = dict.fromkeys(self.wanted, new.height)
            self._known = {} if old.root is None else {old.root: old.height}
        if self._level == 0:
            return False
        self.wanted = new.expand(self.wanted, self._level)
        self._known = old.expand(self._known, self._level)
        self._level -= 1
        self.wanted = {digest: at for digest, at in self.wanted.items() if digest not in self._known}
        return bool(self.wanted)


class Synchroniser:
    """Takes heads of *ring* signed by one of *keys*, which name at most *zone_limit* zones. *clock* gives unix seconds.

    Up to *parallel* fetches run at once. Each holds a few mebibytes before it writes them, and of blobs that are larger
    themselves all of them together hold one, so memory is bounded by that and the largest blob.
    """

    def __init__(
        self,
        state: State,
        controllers: Controllers,
        keys: list[bytes],
        ring: str,
        clock: Callable[[], float],
        parallel: int = 4,
        zone_limit: int = 200_000,
    ) -> None:
        self._state = state
        self._controllers = controllers
        self._keys = keys
        self._ring = ring
        self._clock = clock
        self._parallel = parallel
        self._zone_limit = zone_limit
        self.held: Held | None = None
        self._last: Head | None = None  # the one on disk, also where its content cannot be read
        self._whole = True  # as far as is known, nothing of what is held lacks on disk

    def blobs(self) -> Blobs:
        """What is on disk, through a cache of its own."""
        return DiskBlobs(self._state.read, CACHE)

    def restore(self) -> str | None:
        """Hold again what was held when the agent ended; returns what is odd about it, if anything.

        Raises :class:`IntegrityError` if it cannot be read.
        """
        signed = self._state.head()
        if signed is None:
            return None
        try:
            # An old head is better than none: its expiry is reported, not acted on.
            head, odd = open_head(signed, self._keys, ring=self._ring, now=0, minimum_revision=0), None
        except HeadRejected as error:
            try:
                head, odd = Head(**json.loads(signed.payload)), str(error)
            except (TypeError, ValueError):
                raise error from None
        self._last = head
        self.held = self._read(head)
        return odd

    def _read(self, head: Head) -> Held:
        return Held(head, {entry.zone: entry for entry in Catalog(self.blobs(), head.catalog)})

    @property
    def revision(self) -> int:
        """The revision that is held; 0 if it is of another ring than is followed now, for then the edge was moved."""
        return 0 if self.held is None or self.held.head.ring != self._ring else self.held.head.revision

    async def take(self, signed: SignedHead) -> bool:
        """Bring all that *signed* names to disk and hold it; false if it is held already.

        Raises :class:`HeadRejected`, other :class:`IntegrityError`, and what the controllers raise.
        """
        held, last = self.held, self._last
        minimum = last.revision if last is not None and last.ring == self._ring else 0
        head = open_head(signed, self._keys, ring=self._ring, now=int(self._clock()), minimum_revision=minimum)
        if last is not None and head.revision == minimum:
            if head != last:
                raise HeadRejected(f"there are two heads of revision {head.revision}; the first stays")
            if held is not None:
                return False
        # What may be damaged is nothing to build on: then all that the new head names is looked at.
        base = held if self._whole else None
        blobs = self.blobs()
        before = Catalog(blobs, None if base is None else base.head.catalog)
        new, old = Tree(blobs, head.catalog), Tree(blobs, before.root)
        await self._judge_size(head, new)
        await self._complete([_Walk(new, old)])
        pairs = await asyncio.to_thread(lambda: list(before.diff(Catalog(blobs, head.catalog))))
        changed = [(was, now) for was, now in pairs if now is not None]
        removed = [was.zone for was, now in pairs if was is not None and now is None]
        had = set(self._state.zones() if held is None else held.zones)
        if base is None:
            removed = list(had - {now.zone for _was, now in changed})
        if last is not None and last.ring == self._ring:
            self._judge_removal(last, head, len(had), len(removed))
        await self._zones(blobs, changed)
        zones = {} if held is None else dict(held.zones)
        entries = [now for _was, now in changed if zones.get(now.zone) != now]
        await asyncio.to_thread(self._state.commit, signed, entries, removed)
        for zone in removed:
            zones.pop(zone, None)
        zones.update((entry.zone, entry) for entry in entries)
        self.held, self._last, self._whole = Held(head, zones), head, True
        return True

    async def _judge_size(self, head: Head, catalog: Tree) -> None:
        """Refuse a catalog with too many zones, by what its root says, before the rest of it is fetched."""
        if head.catalog is None:
            return
        await self._fetch([head.catalog])
        try:
            count = await asyncio.to_thread(lambda: catalog.stats().owners)
        except ValueError as error:
            raise CorruptBlob(f"the catalog does not parse: {error}") from None
        if count > self._zone_limit:
            raise HeadRejected(
                f"the head of revision {head.revision} names {count} zones, but this edge takes {self._zone_limit};"
                " see agent.zone_limit"
            )

    @staticmethod
    def _judge_removal(last: Head, head: Head, before: int, removed: int) -> None:
        if mass_removal(before, removed) and head.mass_removal <= last.revision:
            raise HeadRejected(
                f"the head of revision {head.revision} removes {removed} of {before} zones"
                " without the controller's mark"
            )

    @property
    def whole(self) -> bool:
        """Whether all of what is held is on disk, as far as is known."""
        return self._whole

    async def forget_damaged(self) -> int:
        """Look at every blob on disk, and remove those that are damaged; returns how many."""
        self._whole = False
        damaged = await asyncio.to_thread(self._damaged)
        await asyncio.to_thread(self._state.forget, damaged)
        return len(damaged)

    async def mend(self) -> None:
        """Fetch what lacks of the last good head, and hold that if it could not be restored.

        Earlier versions that lack something are given up. Raises what :meth:`take` raises.
        """
        if self._last is not None:
            blobs = self.blobs()
            await self._complete([_Walk(Tree(blobs, self._last.catalog), Tree(blobs, None))])
            held = self.held
            if held is None:
                held = self.held = await asyncio.to_thread(self._read, self._last)
            await self._zones(blobs, [(None, entry) for entry in held.zones.values()])
            await asyncio.to_thread(self._needed, held)
        self._whole = True

    def _damaged(self) -> list[str]:
        found = []
        for digest in self._state.digests():
            data = self._state.read([digest]).get(digest)
            if data is not None and hashlib.sha256(data).hexdigest() != digest:
                found.append(digest)
        return found

    def sweep(self) -> int:
        """Remove blobs that no held head or version needs; returns how many. Not while :meth:`take` runs.

        Raises :class:`Damaged` where something of the held head lacks.
        """
        return 0 if self.held is None else self._state.sweep(self._needed(self.held))

    def _needed(self, held: Held) -> set[str]:
        """The digests of all that is held; earlier versions that lack something are given up."""
        blobs, there = self.blobs(), set(self._state.digests())
        needed = _nodes(Tree(blobs, held.head.catalog))
        current = {entry.root for entry in held.zones.values()}
        lost = []
        for root in self._state.roots():
            try:
                needed |= _of_zone(blobs, root, there)
            except Damaged:
                if root in current:
                    raise
                lost.append(root)
        if lost:
            self._state.give_up(lost)
        return needed

    # -- fetching ---------------------------------------------------------------------------

    async def _zones(self, blobs: Blobs, changed: Sequence[tuple[Entry | None, Entry]]) -> None:
        await self._fetch([now.root for _was, now in changed])
        walks = await asyncio.to_thread(
            lambda: [walk for was, now in changed for walk in _zone_walks(blobs, was, now)],
        )
        await self._complete(walks)
        await asyncio.to_thread(_check_serials, blobs, [now for _was, now in changed])

    async def _complete(self, walks: list[_Walk]) -> None:
        """Fetch all that is missing of several trees, level by level, so that many small ones cost few requests."""
        while walks:
            await self._fetch([digest for walk in walks for digest in walk.wanted])
            walks = await asyncio.to_thread(lambda now: [walk for walk in now if walk.descend()], walks)

    async def _fetch(self, digests: Iterable[str]) -> None:
        missing = await asyncio.to_thread(self._state.missing, digests)
        if not missing:
            return
        free = asyncio.Semaphore(self._parallel)

        async def one(batch: Sequence[str]) -> None:
            async with free:
                await self._fetch_batch(batch)

        try:
            async with asyncio.TaskGroup() as group:
                for at in range(0, len(missing), _BATCH):
                    group.create_task(one(missing[at : at + _BATCH]))
        except ExceptionGroup as errors:
            # What must be told is a refusal, if there is one among the failures.
            flat = errors.exceptions
            raise next((error for error in flat if isinstance(error, IntegrityError)), flat[0]) from None

    async def _fetch_batch(self, batch: Sequence[str]) -> None:
        due = set(batch)
        got: dict[str, bytes] = {}
        size = 0
        async with aclosing(self._controllers.blobs(batch)) as stream:
            async for digest, data in stream:
                if hashlib.sha256(data).hexdigest() != digest:
                    raise CorruptBlob(f"blob {digest} does not hash to its name")
                if digest not in due:
                    raise CorruptBlob(f"the controller sent blob {digest}, which was not asked for")
                due.discard(digest)
                got[digest] = data
                size += len(data)
                if size >= _WRITE:
                    await asyncio.to_thread(self._state.write, got)
                    got, size = {}, 0
        await asyncio.to_thread(self._state.write, got)
        if due:
            raise MissingBlob(f"the controller lacks {len(due)} blobs of its own head, {min(due)} among them")


def _zone_walks(blobs: Blobs, was: Entry | None, now: Entry) -> list[_Walk]:
    new = ZoneRoot.load(blobs, now.root)
    if new.origin != now.zone:
        raise CorruptBlob(f"the content of {names.to_text(now.zone)} is that of {names.to_text(new.origin)}")
    old = ZoneRoot.empty(blobs, now.zone) if was is None else ZoneRoot.load(blobs, was.root)
    return [_Walk(new.apex, old.apex), _Walk(new.names, old.names), _Walk(new.nsec3, old.nsec3)]


def _check_serials(blobs: Blobs, entries: Iterable[Entry]) -> None:
    for entry in entries:
        apex = ZoneRoot.load(blobs, entry.root).apex.get(entry.zone)
        soa = rr.node_of(apex or b"").get(rr.SOA)
        if soa is None or rr.soa_serial(soa.rdatas[0]) != entry.serial:
            zone = names.to_text(entry.zone)
            raise CorruptBlob(f"the SOA of {zone} does not have the serial of the catalog, {entry.serial}")


def _of_zone(blobs: Blobs, root: str, there: Set[str]) -> set[str]:
    """The digests of a zone's blobs. Raises :class:`Damaged` unless all of them are *there*."""
    zone = ZoneRoot.load(blobs, root)
    found = {root}.union(*(_nodes(tree) for tree in (zone.apex, zone.names, zone.nsec3)))
    if not found <= there:
        raise Damaged(f"blob {min(found - there)} is missing on disk")
    return found


def _nodes(tree: Tree) -> set[str]:
    """The digests of a tree's nodes; leaves are not read."""
    found: set[str] = set()
    level = tree.height
    nodes = {} if tree.root is None else {tree.root: level}
    while nodes:
        found.update(nodes)
        nodes = tree.expand(nodes, level) if level else {}
        level -= 1
    return found
