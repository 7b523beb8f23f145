# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the agent keeps on disk: blobs, the last good head, the versions that transfers begin from, and what is proved.

One SQLite database with full synchronisation: a commit is there after a power loss, or none of it is. One that is
damaged is put aside, and all is fetched anew into another. Nothing here knows HTTP or NSD.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from arca_dns.errors import ArcaError, HeadRejected
from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import SignedHead

#: Versions of a zone that are held for IXFR, the current one among them; the one that is served is held besides.
KEPT_VERSIONS = 6
_BATCH = 500
_LOOKED_AT = ("heads", "versions", "served")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS heads (id INTEGER PRIMARY KEY CHECK (id = 1), signed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT, zone BLOB NOT NULL, serial INTEGER NOT NULL, root TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS versions_by_zone ON versions (zone, id);
CREATE TABLE IF NOT EXISTS served (
    zone BLOB PRIMARY KEY, serial INTEGER NOT NULL, root TEXT NOT NULL, signed INTEGER NOT NULL);
"""


class StateLost(ArcaError):
    """The database turned out to be damaged. It is put aside once it is closed, and the next agent begins anew."""

    code = "state-lost"


@dataclass(frozen=True, slots=True)
class Served:
    """A zone's version that a query has proved to be served; *signed* says whether with signatures."""

    zone: bytes
    serial: int
    root: str
    signed: bool


class State:
    """The database in *directory*. Every call is safe from any thread; reads do not wait for writes.

    Each raises :class:`StateLost` if the database is damaged, and :class:`sqlite3.Error` for what may pass, as a full
    disk. *lost* is called in the first case, from whatever thread.
    """

    def __init__(self, directory: Path, lost: Callable[[], None] = lambda: None) -> None:
        directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._path = directory / "state.sqlite"
        self._aside = self._path.with_suffix(".damaged")
        self._tell = lost
        #: What was found at run time, if the database is damaged.
        self.lost: StateLost | None = None
        #: Where a database went that could not be read, if that was so: then all is fetched anew.
        self.damaged: Path | None = None
        try:
            self._writer = self._open(look=True)
        except sqlite3.Error as error:
            if not _is_damage(error):  # no room, no right: nothing is wrong with the file
                raise
            self._put_aside()
            self.damaged = self._aside
            self._writer = self._open()
        self._reader = self._open()
        self._writing = threading.Lock()
        self._reading = threading.Lock()

    def _open(self, *, look: bool = False) -> sqlite3.Connection:
        """A connection; with *look*, all but the blobs is read once, which are too many for that."""
        connection = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.executescript(_SCHEMA)
            for table in _LOOKED_AT if look else ():
                for _row in connection.execute(f"SELECT * FROM {table}"):  # noqa: S608
                    pass
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def _put_aside(self) -> None:
        self._path.replace(self._aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Give back the files; put them aside if they are damaged."""
        with self._writing, self._reading:
            self._reader.close()
            self._writer.close()
            if self.lost is not None:
                self._put_aside()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._reading, self._judged():
            yield self._reader

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        """One transaction, whole or not at all."""
        with self._writing, self._judged(), self._writer:
            self._writer.execute("BEGIN IMMEDIATE")
            yield self._writer

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if not _is_damage(error):
                raise
            self.lost = StateLost(f"{self._path} is damaged ({error}); it is put aside as {self._aside.name}")
            self._tell()
            raise self.lost from None

    # -- blobs ------------------------------------------------------------------------------

    def read(self, digests: Sequence[str]) -> dict[str, bytes]:
        """The blobs of *digests* that are held."""
        found: dict[str, bytes] = {}
        for batch in _batches(digests):
            query = f"SELECT digest, data FROM blobs WHERE digest IN ({_marks(batch)})"  # noqa: S608
            with self._read() as database:
                found.update(database.execute(query, batch))
        return found

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Those of *digests* that are not held, each once, in order."""
        wanted = list(dict.fromkeys(digests))
        held: set[str] = set()
        for batch in _batches(wanted):
            query = f"SELECT digest FROM blobs WHERE digest IN ({_marks(batch)})"  # noqa: S608
            with self._read() as database:
                held.update(row[0] for row in database.execute(query, batch))
        return [digest for digest in wanted if digest not in held]

    def write(self, blobs: Mapping[str, bytes]) -> None:
        """Add *blobs*, whose digests the caller has checked."""
        with self._write() as database:
            database.executemany("INSERT OR IGNORE INTO blobs VALUES (?, ?)", blobs.items())

    def forget(self, digests: Iterable[str]) -> None:
        """Remove blobs that are damaged, so that they are fetched again."""
        with self._write() as database:
            database.executemany("DELETE FROM blobs WHERE digest = ?", ((digest,) for digest in digests))

    def digests(self) -> list[str]:
        """The digests of all blobs that are held."""
        with self._read() as database:
            return [row[0] for row in database.execute("SELECT digest FROM blobs")]

    def sweep(self, keep: Collection[str]) -> int:
        """Remove the blobs that are not in *keep*; returns how many."""
        garbage = [digest for digest in self.digests() if digest not in keep]
        for batch in _batches(garbage):
            self.forget(batch)
        return len(garbage)

    # -- the head and its versions -------------------------------------------------------------

    def head(self) -> SignedHead | None:
        """The last good head. Raises :class:`HeadRejected` for what is none."""
        with self._read() as database:
            row = database.execute("SELECT signed FROM heads").fetchone()
        try:
            return None if row is None else SignedHead.from_json(json.loads(row[0]))
        except ValueError:
            raise HeadRejected("the head on disk is not JSON") from None

    def commit(self, signed: SignedHead, changed: Iterable[Entry], removed: Iterable[bytes]) -> None:
        """Hold *signed*, whose blobs are all there, with the zones that it changes, as one step."""
        with self._write() as database:
            database.execute("INSERT OR REPLACE INTO heads VALUES (1, ?)", (json.dumps(signed.to_json()),))
            for entry in changed:
                database.execute(
                    "INSERT INTO versions (zone, serial, root) VALUES (?, ?, ?)", (entry.zone, entry.serial, entry.root)
                )
                database.execute(
                    "DELETE FROM versions WHERE zone = ?1 AND id NOT IN"
                    " (SELECT id FROM versions WHERE zone = ?1 ORDER BY id DESC LIMIT ?2)"
                    " AND root NOT IN (SELECT root FROM served WHERE zone = ?1)",
                    (entry.zone, KEPT_VERSIONS),
                )
            database.executemany("DELETE FROM versions WHERE zone = ?", ((zone,) for zone in removed))

    def root_of(self, zone: bytes, serial: int) -> str | None:
        """The root of the latest version of *zone* with *serial*, if it is still held."""
        query = "SELECT root FROM versions WHERE zone = ? AND serial = ? ORDER BY id DESC LIMIT 1"
        with self._read() as database:
            row = database.execute(query, (zone, serial)).fetchone()
        return None if row is None else str(row[0])

    def versions(self, zone: bytes) -> list[tuple[int, str]]:
        """Serial and root of the versions of *zone* that are held, the latest first."""
        query = "SELECT serial, root FROM versions WHERE zone = ? ORDER BY id DESC"
        with self._read() as database:
            return [(int(serial), str(root)) for serial, root in database.execute(query, (zone,))]

    def roots(self) -> list[str]:
        """The zone roots of all versions that are held."""
        with self._read() as database:
            return [row[0] for row in database.execute("SELECT DISTINCT root FROM versions")]

    def zones(self) -> list[bytes]:
        """The zones of which versions are held."""
        with self._read() as database:
            return [row[0] for row in database.execute("SELECT DISTINCT zone FROM versions")]

    def give_up(self, roots: Iterable[str]) -> None:
        """Hold versions no longer that cannot be read."""
        with self._write() as database:
            database.executemany("DELETE FROM versions WHERE root = ?", ((root,) for root in roots))

    # -- what is proved ------------------------------------------------------------------------

    def served(self) -> dict[bytes, Served]:
        """What was proved to be served, by zone."""
        with self._read() as database:
            rows = database.execute("SELECT zone, serial, root, signed FROM served").fetchall()
        return {row[0]: Served(row[0], row[1], row[2], bool(row[3])) for row in rows}

    def keep_served(self, proved: Iterable[Served], removed: Iterable[bytes]) -> None:
        """Remember what was proved, and forget zones that are no longer served."""
        with self._write() as database:
            database.executemany(
                "INSERT OR REPLACE INTO served VALUES (?, ?, ?, ?)",
                ((one.zone, one.serial, one.root, one.signed) for one in proved),
            )
            database.executemany("DELETE FROM served WHERE zone = ?", ((zone,) for zone in removed))


def _is_damage(error: sqlite3.Error) -> bool:
    """Whether *error* says that the file is no database, or not a whole one."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # not SQLite's own: text that is none any more cannot be decoded
        return error.__class__ is sqlite3.OperationalError
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _batches(items: Sequence[str]) -> Iterable[Sequence[str]]:
    return (items[at : at + _BATCH] for at in range(0, len(items), _BATCH))


def _marks(batch: Sequence[str]) -> str:
    return ",".join("?" * len(batch))
