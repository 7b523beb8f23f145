# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What this edge says that it serves: to the health check, to the controller, to the resolver.

A version is said once it is proved, and taken back, on disk too, before the name server is made to serve less: else the
health check would find a server that serves something older than was proved, and withdraw.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from arca_dns.errors import ArcaError
from arca_dns.publish.catalog import Entry
from arca_dns.zone import rr
from arca_dns.zone.tree import Blobs, ZoneRoot

from .content import Content
from .state import Served
from .unbound_file import trusted


@dataclass(frozen=True, slots=True)
class GoingBack:
    """A zone on its way to an older serial: *before* is what was proved of it.

    Until the older version is proved, no serial below *serial* may be answered.
    """

    before: Served
    content: Content | None
    serial: int


class Claims:
    """What is *proved*, by zone. *flush* writes it to disk."""

    def __init__(self, proved: dict[bytes, Served], flush: Callable[[], Awaitable[None]]) -> None:
        self.proved = proved
        self.content: dict[bytes, Content] = {}  # of proved zones, known once they are proved in this process
        self.going_back: dict[bytes, GoingBack] = {}
        self._flush = flush
        self._taken_back = self._written = 0

    def last(self, zone: bytes) -> Served | None:
        """What was proved of *zone* at last, taken back or not."""
        back = self.going_back.get(zone)
        return self.proved.get(zone) if back is None else back.before

    def prove(self, one: Served, content: Content) -> None:
        """*one* is served."""
        self.going_back.pop(one.zone, None)
        self.proved[one.zone], self.content[one.zone] = one, content

    def aim(self, entries: Iterable[Entry]) -> None:
        """Take back what is proved of zones that are to go back to *entries*, whose serials are older."""
        for entry in entries:
            one, back = self.proved.get(entry.zone), self.going_back.get(entry.zone)
            if one is not None and rr.serial_newer(one.serial, entry.serial):
                back = GoingBack(one, self.content.get(entry.zone), entry.serial)
            elif back is not None and rr.serial_newer(back.serial, entry.serial):
                back = replace(back, serial=entry.serial)
            else:
                continue
            self.forget(entry.zone)
            self.going_back[entry.zone] = back

    def forget(self, zone: bytes) -> None:
        """Take back what is said of *zone*."""
        self.proved.pop(zone, None)
        self.content.pop(zone, None)
        self.going_back.pop(zone, None)
        self._taken_back += 1

    async def written(self) -> None:
        """Return once all that was taken back is so on disk. Raises what *flush* raises."""
        while self._written < (now := self._taken_back):
            await self._flush()
            self._written = max(self._written, now)

    def anchors(self, blobs: Callable[[], Blobs]) -> dict[bytes, tuple[bytes, ...]]:
        """The keys to trust of each signed zone that is served, also of one whose wanted version the server refuses."""
        found: dict[bytes, tuple[bytes, ...]] = {}
        known = {zone: back.content for zone, back in self.going_back.items() if back.content is not None}
        for zone in (*self.proved, *self.going_back):
            content, one = self.content.get(zone) or known.get(zone), self.last(zone)
            if content is not None:
                found[zone] = content.anchors
            elif one is not None and one.signed:
                try:
                    node = rr.node_of(ZoneRoot.load(blobs(), one.root).apex.get(zone) or b"")
                except ArcaError:
                    continue
                found[zone] = trusted(node[rr.DNSKEY].rdatas) if rr.DNSKEY in node else ()
        return {zone: keys for zone, keys in found.items() if keys}


class Unsigned(Mapping[bytes, bool]):
    """The zones that the name server answers for by *claims*, as they are at any time, and whether each is unsigned."""

    def __init__(self, claims: Claims) -> None:
        self._claims = claims

    def __getitem__(self, zone: bytes) -> bool:
        one = self._claims.last(zone)
        if one is None:
            raise KeyError(zone)
        return not one.signed

    def __iter__(self) -> Iterator[bytes]:
        yield from self._claims.proved
        yield from self._claims.going_back

    def __len__(self) -> int:
        return len(self._claims.proved) + len(self._claims.going_back)
