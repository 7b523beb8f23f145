# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""What a change costs on each backend, and how that grows with the zone and with the number of zones.

*change* is plan, checks and commit of one new address, by the library in process; *publish* is what follows: signing,
verifying, catalog and head. The median of some rounds, in milliseconds. Both are measured in a zone of 1,000 names
among 1,000 zones, then in a zone of ``--names`` names, then again in the small zone among ``--zones`` zones; each ``×``
is the ratio to the first. *space* is the octets of tree that 10 versions of the large zone take beside those of one.
*commits/s* is the store's, of one document; *raw/s* is INSERT and COMMIT, ``git commit``, or one PUT, on the same
server right after it; both one at a time.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import gc
import http.client
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pymysql

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
from arca_dns.store.open import open_store
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.tree import Blobs, ZoneRoot

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from running_etcd import RunningEtcd
from running_mysql import RunningMysql
from running_postgres import RunningPostgres

FEW_NAMES, FEW_ZONES = 1_000, 1_000
CHUNK = 250
RAW = 300
ROW = "x" * 300


@dataclass
class Cost:
    """Median milliseconds."""

    change: float
    publish: float


class Bench:
    """A service on a store that notes what publication takes, and what a write adds to the store."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        keys = DirectoryKeyStore(folder / "keys", MasterKey.obtain({}, folder / "master.key", create=True))
        self.service = Service(store, keys, HeadKey.generate())
        self._publish = self.service.publisher.publish
        self._write_blobs = store.write_blobs
        self.publishing = 0.0
        self.octets = 0
        self._zones = 0
        self._address = 0
        self._inside = False
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
        if not self._inside:
            self.octets += sum(map(len, blobs.values()))
        self._write_blobs(blobs)

    def create(self, name: str, count: int) -> bytes:
        """A signed zone of *count* names."""
        zone = names.from_text(name)
        self.service.create_zone(zone, content(zone, count), actor="bench")
        return zone

    def change(self, zone: bytes, rounds: int) -> Cost:
        """What one more address costs."""
        changes, publications = [], []
        for turn in range(rounds + 2):
            self._address += 1
            address = rr.RRset(
                names.from_text(f"new{self._address}", zone), rr.A, 300, (self._address.to_bytes(4, "big"),)
            )
            gc.collect()
            self.publishing = 0.0
            start = time.perf_counter()
            outcome = self.service.change_zone(
                zone, [Change(address.owner, rr.A, address)], if_version=None, actor="bench"
            )
            took = time.perf_counter() - start
            assert outcome.published, outcome.problem
            if turn >= 2:  # the first fill caches
                changes.append((took - self.publishing) * 1000)
                publications.append(self.publishing * 1000)
        return Cost(statistics.median(changes), statistics.median(publications))

    def fill(self, count: int) -> None:
        """As many unsigned, published zones of three records; many in one commit."""
        settings = ZoneSettings(dnssec=False).to_json()
        while self._zones < count:
            blobs = Blobs(self.store.read_blobs)
            now = time.time()
            writes = {}
            for number in range(self._zones, min(self._zones + CHUNK, count)):
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
            self._zones = min(self._zones + CHUNK, count)


def content(zone: bytes, count: int) -> list[rr.RRset]:
    """SOA, NS and *count* addresses."""
    server = names.from_text("ns1.elsewhere.test.")
    soa = server + server + b"".join(n.to_bytes(4, "big") for n in (0, 3600, 1800, 604800, 300))
    hosts = [rr.RRset(names.from_text(f"host{n:07}", zone), rr.A, 300, (n.to_bytes(4, "big"),)) for n in range(count)]
    return [rr.RRset(zone, rr.SOA, 3600, (soa,)), rr.RRset(zone, rr.NS, 3600, (server,)), *hosts]


def rate(work: Callable[[int], object], count: int = RAW) -> float:
    """How often a second."""
    start = time.perf_counter()
    for number in range(count):
        work(number)
    return count / (time.perf_counter() - start)


def raw_sqlite(folder: Path) -> float:
    with contextlib.closing(sqlite3.connect(folder / "raw.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, v TEXT)")
        return rate(
            lambda n: [db.execute(s) for s in ("BEGIN IMMEDIATE", f"INSERT INTO raw VALUES ({n}, '{ROW}')", "COMMIT")]
        )


def raw_git(folder: Path) -> float:
    path = str(folder / "raw")
    git = ["git", "-C", path, "-c", "user.name=bench", "-c", "user.email=bench@bench.test", "-c", "core.fsync=all"]
    subprocess.run(["git", "init", "-q", path], check=True)

    def commit(number: int) -> None:
        Path(path, "row").write_text(f"{number} {ROW}")
        subprocess.run([*git, "add", "row"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "row"], check=True)

    return rate(commit, 50)


def raw_postgres(options: Mapping[str, object]) -> float:
    with psycopg.connect(
        host=options["host"],
        port=options["port"],
        dbname=options["database"],
        user=options["user"],
        password=options["password"],
    ) as db:
        db.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, v TEXT)")
        db.commit()
        return rate(lambda n: (db.execute("INSERT INTO raw VALUES (%s, %s)", (n, ROW)), db.commit()))


def raw_mysql(options: Mapping[str, object]) -> float:
    with pymysql.connect(**options) as db, db.cursor() as cursor:  # type: ignore[arg-type]
        cursor.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, v TEXT)")
        return rate(lambda n: (cursor.execute("INSERT INTO raw VALUES (%s, %s)", (n, ROW)), db.commit()))


def raw_etcd(server: RunningEtcd) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.port)

    def commit(number: int) -> None:
        key, value = (base64.b64encode(text.encode()).decode() for text in (f"raw/{number}", ROW))
        connection.request("POST", "/v3/kv/put", json.dumps({"key": key, "value": value}))
        connection.getresponse().read()

    with contextlib.closing(connection):
        return rate(commit)


@contextlib.contextmanager
def backend(kind: str, folder: Path) -> Iterator[tuple[dict[str, object], Callable[[], float]]]:
    """The options of an empty backend, and the raw rate beside it."""
    if kind == "sqlite":
        yield {"path": str(folder / "state.db")}, lambda: raw_sqlite(folder)
    elif kind == "git":
        yield {"path": str(folder / "state.git")}, lambda: raw_git(folder)
    elif kind == "etcd":
        etcd = RunningEtcd(folder / "server", quota=8 << 30)
        etcd.start()
        try:
            yield etcd.options(), lambda: raw_etcd(etcd)
        finally:
            etcd.stop()
    else:
        server: RunningPostgres | RunningMysql
        server = RunningPostgres(folder / "server") if kind == "postgres" else RunningMysql(folder / "server")
        raw = raw_postgres if kind == "postgres" else raw_mysql
        server.start()
        try:
            options = server.options()
            yield options, lambda: raw(options)
        finally:
            server.stop()


def row(kind: str, many_names: int, many_zones: int, rounds: int) -> tuple[str, ...]:
    """One line of the table."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        options, raw = stack.enter_context(backend(kind, folder))
        store = stack.enter_context(contextlib.closing(open_store(kind, options)))
        bench = Bench(store, folder)
        small = bench.create("small.test.", FEW_NAMES)
        bench.fill(FEW_ZONES)
        base = bench.change(small, rounds)
        bench.octets = 0
        large = bench.create("large.test.", many_names)
        one = bench.octets
        big = bench.change(large, 7)  # and two that fill caches: ten versions with the first
        space = bench.octets / one
        bench.fill(many_zones)
        many = bench.change(small, rounds)
        ours = rate(lambda n: store.commit(Transaction(writes={f"bench/{n:06}": {"v": ROW}})))
        return (
            kind,
            *(f"{value:.1f}" for value in (base.change, base.publish, big.change, big.publish)),
            f"{big.change / base.change:.1f}",
            f"{big.publish / base.publish:.1f}",
            *(f"{value:.1f}" for value in (many.change, many.publish)),
            f"{many.change / base.change:.1f}",
            f"{many.publish / base.publish:.1f}",
            f"{space:.3f}",
            f"{ours:.0f}",
            f"{raw():.0f}",
        )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=1_000_000, help="names in the large zone")
    parser.add_argument("--zones", type=int, default=100_000, help="zones in the store that has many")
    parser.add_argument("--rounds", type=int, default=20, help="changes of which the median is told")
    parser.add_argument("backends", nargs="*", default=["sqlite", "git", "postgres", "mysql", "etcd"])
    options = parser.parse_args()
    titles = (
        "backend",
        "change",
        "publish",
        "large",
        "publish",
        "×",
        "×",
        "many",
        "publish",
        "×",
        "×",
        "space",
        "commits/s",
        "raw/s",
    )
    print(f"large: a zone of {options.names:,} names; many: {options.zones:,} zones; milliseconds")
    table = [titles]
    for kind in options.backends:
        table.append(row(kind, options.names, options.zones, options.rounds))
        print("  ".join(table[-1]), file=sys.stderr)
    widths = [max(len(line[column]) for line in table) for column in range(len(titles))]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
