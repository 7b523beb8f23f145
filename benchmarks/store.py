# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""What a change costs on each backend, and how that grows with the zone and with the number of zones.

*change* is plan, checks and commit of one new address, by the library in process; *publish* is what follows: signing,
verifying, catalog and head. The median of some rounds, in milliseconds: of a signed zone of 1,000 names among 1,000
zones, of a signed zone of ``--names`` names beside it, and of the small zone in a store with ``--zones`` zones. The
three take turns, so that what else the machine does falls on all of them; ``×`` is a ratio to the first.
*space* is how many octets of blobs 10 versions of the large zone that differ by one record take, beside those that one
takes; *signed* is the same of the published versions, with the catalog. *commits/s* is the store's, of one document;
*raw/s* is INSERT and COMMIT, ``git commit``, or one PUT, on the same server in turns with it; *share* is their ratio.

What the stores hold is made once, in memory, by the library; the zones beside the two are unsigned and have three
records. It is copied into each backend by the store's own calls: ``load`` is how many seconds that took.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, repeat
from pathlib import Path
from typing import TypeVar

from backends import KINDS, ROW, Raw, backend

from arca_dns.dnssec.envelope import MasterKey
from arca_dns.dnssec.keystore import DirectoryKeyStore
from arca_dns.documents import (
    Dirty,
    Source,
    SourceVersion,
    ZoneSettings,
    dirty_key,
    encode,
    new_version_id,
    utc,
    version_key,
    zone_key,
)
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import Store, Transaction
from arca_dns.store.common import everything
from arca_dns.store.memory import MemoryStore
from arca_dns.store.open import open_store
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.tree import Blobs, ZoneRoot

FEW_NAMES, FEW_ZONES = 1_000, 1_000
SMALL, LARGE = names.from_text("small.test."), names.from_text("large.test.")
#: Zones that are made and blobs that are copied together, documents that are committed together, and octets of blobs.
CHUNK, DOCUMENTS = 200, 2_000
OCTETS = 1 << 20
#: Documents that are committed, and rows that are written, in turns.
TURNS, COMMITS = 10, 20

T = TypeVar("T")


def say(text: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} load {os.getloadavg()[0]:.1f}  {text}", file=sys.stderr, flush=True)


def lots(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """*items* in lists of *size*."""
    source = iter(items)
    while some := list(islice(source, size)):
        yield some


class Bench:
    """A service on a store that notes what publication takes, and what a write adds to the store."""

    def __init__(self, store: Store, keys: DirectoryKeyStore, head_key: HeadKey) -> None:
        self.store = store
        self.service = Service(store, keys, head_key)
        self._publish = self.service.publisher.publish
        self._write_blobs = store.write_blobs
        self._address = 0
        self._inside = False
        self.publishing = 0.0
        self.octets = 0
        self.signed_octets = 0
        self.digests: dict[str, None] = {}
        self.service.publisher.publish = self._timed  # type: ignore[method-assign]
        store.write_blobs = self._counted  # type: ignore[method-assign]

    def _timed(self, waiting: bytes | None = None) -> None:
        start = time.perf_counter()
        self._inside = True
        try:
            self._publish(waiting)
        finally:
            self._inside = False
            self.publishing += time.perf_counter() - start

    def _counted(self, blobs: Mapping[str, bytes]) -> None:
        octets = sum(map(len, blobs.values()))
        if self._inside:
            self.signed_octets += octets
        else:
            self.octets += octets
        self.digests.update(zip(blobs, repeat(None)))
        self._write_blobs(blobs)

    def create(self, zone: bytes, count: int) -> None:
        """A signed zone of *count* names."""
        self.service.create_zone(zone, content(zone, count), actor="bench")

    def change(self, zone: bytes) -> tuple[float, float]:
        """What one more address costs: milliseconds of the change and of its publication."""
        self._address += 1
        owner = names.from_text(f"new{self._address}", zone)
        address = rr.RRset(owner, rr.A, 300, (self._address.to_bytes(4, "big"),))
        gc.collect()
        self.publishing = 0.0
        start = time.perf_counter()
        outcome = self.service.change_zone(zone, [Change(owner, rr.A, address)], if_version=None, actor="bench")
        took = time.perf_counter() - start
        assert outcome.published, outcome.problem
        return (took - self.publishing) * 1000, self.publishing * 1000

    def fill(self, count: int) -> None:
        """As many unsigned, published zones of three records; many in one commit."""
        settings = ZoneSettings(dnssec=False).to_json()
        for some in lots(range(count)):
            blobs = Blobs(self.store.read_blobs)
            now = time.time()
            writes = {}
            for number in some:
                zone = names.from_text(f"zone{number}.many.test.")
                items = [(r.owner, r.wire()) for r in content(zone, 1)]
                apex = b"".join(data for owner, data in items if owner == zone)
                tree = ZoneRoot.build(blobs, zone, [(zone, apex), *(item for item in items if item[0] != zone)])
                text, version, root = names.to_text(zone), new_version_id(now), tree.store(blobs)
                made = SourceVersion(version, None, root, 1, 3, "bench", "", utc(now))
                writes[zone_key(zone)] = encode(Source(text, version, root, 1, 3, settings, utc(now), utc(now)))
                writes[version_key(zone, version)] = encode(made)
                writes[dirty_key(zone)] = encode(Dirty(text))
            self.store.write_blobs(blobs.pending)
            self.store.commit(Transaction(writes=writes))
            self._publish()
            if some[-1] % 10_000 == 10_000 - 1:
                say(f"  {some[-1] + 1:,} zones")


def content(zone: bytes, count: int) -> list[rr.RRset]:
    """SOA, NS and *count* addresses."""
    server = names.from_text("ns1.elsewhere.test.")
    soa = server + server + b"".join(n.to_bytes(4, "big") for n in (0, 3600, 1800, 604800, 300))
    hosts = [rr.RRset(names.from_text(f"host{n:07}", zone), rr.A, 300, (n.to_bytes(4, "big"),)) for n in range(count)]
    return [rr.RRset(zone, rr.SOA, 3600, (soa,)), rr.RRset(zone, rr.NS, 3600, (server,)), *hosts]


class Prepared:
    """What the stores are to hold: *few* zones with the large one, and *many* zones."""

    def __init__(self, folder: Path, many_names: int, many_zones: int) -> None:
        self._keys = DirectoryKeyStore(folder / "keys", MasterKey.obtain({}, folder / "master.key", create=True))
        self._head_key = HeadKey.generate()
        self.few, self.many = self._made(FEW_ZONES), self._made(many_zones)
        say(f"making a signed zone of {many_names:,} names")
        before = self.few.octets, self.few.signed_octets
        self.few.create(LARGE, many_names)
        self.octets, self.signed_octets = self.few.octets - before[0], self.few.signed_octets - before[1]

    def _made(self, zones: int) -> Bench:
        say(f"making {zones:,} zones")
        made = self.bench(MemoryStore())
        made.create(SMALL, FEW_NAMES)
        made.fill(zones)
        return made

    def bench(self, store: Store) -> Bench:
        """A service on *store* with the keys of what is prepared."""
        return Bench(store, self._keys, self._head_key)


def load(source: Bench, target: Store) -> None:
    """Copy what *source* holds into the empty store *target*, blobs first."""
    for blobs in by_size(source.store.read_blobs(some) for some in lots(source.digests)):
        target.write_blobs(blobs)
    for number, documents in enumerate(lots(everything(source.store, ""), DOCUMENTS)):
        target.commit(Transaction(writes={document.key: document.value for document in documents}))
        if number % (50_000 // DOCUMENTS) == 0:
            say(f"  {number * DOCUMENTS:,} documents")


def by_size(parts: Iterable[Mapping[str, bytes]]) -> Iterator[dict[str, bytes]]:
    """The blobs of *parts* in lots of no more than some octets, where a blob itself is no larger."""
    some: dict[str, bytes] = {}
    size = 0
    for part in parts:
        for digest, data in part.items():
            if size + len(data) > OCTETS and some:
                yield some
                some, size = {}, 0
            some[digest] = data
            size += len(data)
    if some:
        yield some


@dataclass(frozen=True)
class Cost:
    """Median milliseconds of a change and of its publication."""

    change: float
    publish: float


def measure(rounds: int, *subjects: tuple[Bench, bytes]) -> list[Cost]:
    """What a change costs in each of *subjects*, which take turns."""
    taken: list[list[tuple[float, float]]] = [[] for _subject in subjects]
    for turn in range(rounds + 2):
        for (bench, zone), costs in zip(subjects, taken, strict=True):
            cost = bench.change(zone)
            if turn >= 2:  # the first ones fill caches
                costs.append(cost)
    return [Cost(statistics.median(c for c, _p in costs), statistics.median(p for _c, p in costs)) for costs in taken]


def rates(store: Store, raw: Raw) -> tuple[float, float]:
    """How many commits of one document a second, and how many raw ones; medians of some turns."""

    def rate(work: Callable[[int], object], turn: int) -> float:
        start = time.perf_counter()
        for number in range(turn * COMMITS, (turn + 1) * COMMITS):
            work(number)
        return COMMITS / (time.perf_counter() - start)

    def commit(number: int) -> None:
        store.commit(Transaction(writes={f"bench/{number:06}": {"v": ROW}}))

    taken = [(rate(commit, turn), rate(raw, turn)) for turn in range(TURNS)]
    return statistics.median(ours for ours, _raw in taken), statistics.median(theirs for _ours, theirs in taken)


def row(kind: str, prepared: Prepared, rounds: int) -> tuple[str, ...]:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        server = stack.enter_context(backend(kind, Path(name)))
        few, many = (stack.enter_context(contextlib.closing(open_store(kind, server.options()))) for _ in range(2))
        start = time.perf_counter()
        for source, target in ((prepared.few, few), (prepared.many, many)):
            say(f"{kind}: copying")
            load(source, target)
        took = time.perf_counter() - start
        gc.freeze()
        stack.callback(gc.unfreeze)
        say(f"{kind}: measuring")
        among_few, among_many = prepared.bench(few), prepared.bench(many)
        small, large, many_zones = measure(rounds, (among_few, SMALL), (among_few, LARGE), (among_many, SMALL))
        before = among_few.octets, among_few.signed_octets
        for _version in range(9):
            among_few.change(LARGE)
        space = 1 + (among_few.octets - before[0]) / prepared.octets
        signed = 1 + (among_few.signed_octets - before[1]) / prepared.signed_octets
        with server.raw() as raw:
            ours, theirs = rates(few, raw)
        return (
            kind,
            *(f"{cost:.1f}" for cost in (small.change, small.publish)),
            *(f"{cost:.1f}" for cost in (large.change, large.publish)),
            *ratios(small, large),
            *(f"{cost:.1f}" for cost in (many_zones.change, many_zones.publish)),
            *ratios(small, many_zones),
            f"{space:.3f}",
            f"{signed:.3f}",
            f"{ours:.0f}",
            f"{theirs:.0f}",
            f"{ours / theirs:.2f}",
            f"{took:.0f}",
        )


def ratios(base: Cost, cost: Cost) -> tuple[str, str]:
    """How much more than *base* it is."""
    return f"{cost.change / base.change:.1f}", f"{cost.publish / base.publish:.1f}"


TITLES = (
    *("backend", "change", "publish", "large", "publish", "×", "×", "many", "publish", "×", "×"),
    *("space", "signed", "commits/s", "raw/s", "share", "load s"),
)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=1_000_000, help="names in the large zone")
    parser.add_argument("--zones", type=int, default=100_000, help="zones in the store that has many")
    parser.add_argument("--rounds", type=int, default=20, help="changes of which the median is told")
    parser.add_argument("backends", nargs="*", default=KINDS, metavar="backend", help=f"of {', '.join(KINDS)}")
    options = parser.parse_args()
    table: list[tuple[str, ...]] = [TITLES]
    with tempfile.TemporaryDirectory() as name:
        prepared = Prepared(Path(name), options.names, options.zones)
        for kind in options.backends:
            table.append(row(kind, prepared, options.rounds))
            say("  ".join(table[-1]))
    print(f"large: a zone of {options.names:,} names; many: {options.zones:,} zones; milliseconds")
    widths = [max(len(line[column]) for line in table) for column in range(len(TITLES))]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
