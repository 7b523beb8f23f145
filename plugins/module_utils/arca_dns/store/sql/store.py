# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store on any database that a :class:`~.dialects.Dialect` describes.

Commits are ordered by the lock that the dialect's writer holds, so revisions become visible in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from threading import Condition
from typing import Any, TypeVar

from ..._deps import sqlalchemy
from ...errors import Conflict, StoreUnavailable
from ..base import Changes, Document, Transaction
from ..common import GRACE_SECONDS, broken_preconditions, decode, encode, prefix_end, validate
from . import migrations
from .dialects import Dialect
from .schema import tables

#: Values in one statement: databases limit them.
_BATCH = 500
#: How often a watcher looks for commits of other processes, in seconds.
_POLL_SECONDS = 0.25

T = TypeVar("T")


def _batches(items: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


class SqlStore:
    """A :class:`~.base.Store` in a database. Opening it applies the migrations that are missing.

    *clock* gives unix seconds. A blob written less than half of *grace* seconds ago survives every sweep.
    """

    def __init__(
        self, dialect: Dialect, *, grace: float = GRACE_SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        self._dialect = dialect
        self._grace = grace
        self._clock = clock
        self._committed = Condition()
        self._commits = 0  # of this process, to wake its watchers
        self._tables = tables()
        with self._errors(), dialect.migrator() as connection:
            migrations.upgrade(connection)

    def get(self, key: str) -> Document | None:
        """The document at *key*, or ``None``."""
        t = self._tables.documents.c
        found = self._read(sqlalchemy.select(t.key, t.revision, t.value).where(t.key == key))
        return _document(found[0]) if found else None

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Up to *limit* documents whose key begins with *prefix* and is greater than *after*, in key order."""
        t = self._tables.documents.c
        query = sqlalchemy.select(t.key, t.revision, t.value).order_by(t.key).limit(max(limit, 0))
        query = query.where(t.key > after if after >= prefix else t.key >= prefix)
        end = prefix_end(prefix)
        if end is not None:
            query = query.where(t.key < end)
        return [_document(row) for row in self._read(query)]

    def commit(self, transaction: Transaction) -> int:
        """Apply *transaction* durably; returns the new revision. Raises ``Conflict``."""
        validate(transaction)
        texts = {key: encode(value) for key, value in transaction.writes.items()}
        state = self._tables.state
        with self._errors(), self._dialect.writer() as connection:
            # First the row that orders commits: where the database locks rows, this is the lock.
            connection.execute(state.update().values(revision=state.c.revision + 1))
            revision: int = connection.execute(sqlalchemy.select(state.c.revision)).scalar_one()
            found = self._revisions(connection, {*transaction.preconditions, *texts, *transaction.deletes})
            broken = broken_preconditions(transaction, found)
            if broken:
                raise Conflict(f"the store has moved on: {broken}")
            self._write(connection, texts, found, revision)
            self._delete(connection, [key for key in transaction.deletes if key in found], revision)
        with self._committed:
            self._commits += 1
            self._committed.notify_all()
        return revision

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* that exist."""
        t = self._tables.blobs.c
        found: dict[str, bytes] = {}
        for batch in _batches(bytes.fromhex(digest) for digest in digests):
            for row in self._read(sqlalchemy.select(t.digest, t.data).where(t.digest.in_(batch))):
                found[bytes(row.digest).hex()] = bytes(row.data)
        return found

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Make *blobs* durable; idempotent. A blob that is there already is young again for :meth:`sweep`."""
        if not blobs:
            return
        now = self._clock()
        table = self._tables.blobs
        rows = ({"digest": bytes.fromhex(digest), "written": now, "data": data} for digest, data in blobs.items())
        with self._errors(), self._dialect.writer() as connection:
            for batch in _batches(rows):
                wanted = [row["digest"] for row in batch]
                there = connection.execute(
                    sqlalchemy.select(table.c.digest, table.c.written).where(table.c.digest.in_(wanted))
                ).all()
                ageing = [row.digest for row in there if row.written < now - self._grace / 2]
                if ageing:
                    connection.execute(table.update().where(table.c.digest.in_(ageing)).values(written=now))
                old = {bytes(row.digest) for row in there}
                new = [row for row in batch if row["digest"] not in old]
                if new:
                    connection.execute(table.insert(), new)

    def watch(self, after: int, timeout: float) -> Changes:
        """Wait up to *timeout* seconds for commits later than revision *after*, of this process or of others."""
        deadline = time.monotonic() + timeout
        while True:
            commits = self._commits
            revision = self._revision()
            left = deadline - time.monotonic()
            if revision > after or left <= 0:
                return Changes(revision, self._changed(after, revision))
            with self._committed:
                self._committed.wait_for(lambda seen=commits: self._commits != seen, min(left, _POLL_SECONDS))  # type: ignore[misc]

    def sweep(self, keep: Iterable[str]) -> int:
        """Remove blobs that are not in *keep* and were last written more than the grace ago; returns how many.

        Goes in small transactions, so that writers need not wait.
        """
        kept = {bytes.fromhex(digest) for digest in keep}
        oldest = self._clock() - self._grace
        table = self._tables.blobs
        removed, at = 0, b""
        while True:
            page = [
                bytes(digest)
                for (digest,) in self._read(
                    sqlalchemy.select(table.c.digest)
                    .where(table.c.digest > at, table.c.written < oldest)
                    .order_by(table.c.digest)
                    .limit(_BATCH)
                )
            ]
            if not page:
                return removed
            at = page[-1]
            doomed = [digest for digest in page if digest not in kept]
            if doomed:
                with self._errors(), self._dialect.writer() as connection:
                    # asked again: a writer may have made one of them young since
                    removed += connection.execute(
                        table.delete().where(table.c.digest.in_(doomed), table.c.written < oldest)
                    ).rowcount

    def close(self) -> None:
        """Give back connections and files."""
        self._dialect.engine.dispose()

    def _read(self, query: sqlalchemy.Select[*tuple[Any, ...]]) -> Sequence[sqlalchemy.Row[*tuple[Any, ...]]]:
        with self._errors(), self._dialect.engine.connect() as connection:
            return connection.execute(query).all()

    def _revision(self) -> int:
        found: int = self._read(sqlalchemy.select(self._tables.state.c.revision))[0][0]
        return found

    def _changed(self, after: int, until: int) -> tuple[str, ...]:
        if until <= after:
            return ()
        found: list[sqlalchemy.Row[*tuple[Any, ...]]] = []
        for table in (self._tables.documents, self._tables.deletions):
            t = table.c
            found += self._read(sqlalchemy.select(t.revision, t.key).where(t.revision > after, t.revision <= until))
        return tuple(row.key for row in sorted(found, key=tuple))

    def _revisions(self, connection: sqlalchemy.Connection, keys: Iterable[str]) -> dict[str, int]:
        t = self._tables.documents.c
        found: dict[str, int] = {}
        for batch in _batches(sorted(keys)):
            rows = connection.execute(sqlalchemy.select(t.key, t.revision).where(t.key.in_(batch)))
            found.update((row.key, row.revision) for row in rows)
        return found

    def _write(
        self, connection: sqlalchemy.Connection, texts: Mapping[str, str], found: Mapping[str, int], revision: int
    ) -> None:
        documents, deletions = self._tables.documents, self._tables.deletions
        new = [key for key in texts if key not in found]
        if new:
            connection.execute(
                documents.insert(), [{"key": key, "revision": revision, "value": texts[key]} for key in new]
            )
            for batch in _batches(new):
                connection.execute(deletions.delete().where(deletions.c.key.in_(batch)))
        old = [{"at": key, "new_value": text} for key, text in texts.items() if key in found]
        if old:
            connection.execute(
                documents.update()
                .where(documents.c.key == sqlalchemy.bindparam("at"))
                .values(revision=revision, value=sqlalchemy.bindparam("new_value")),
                old,
            )

    def _delete(self, connection: sqlalchemy.Connection, keys: Sequence[str], revision: int) -> None:
        documents, deletions = self._tables.documents, self._tables.deletions
        for batch in _batches(keys):
            connection.execute(documents.delete().where(documents.c.key.in_(batch)))
            connection.execute(deletions.insert(), [{"key": key, "revision": revision} for key in batch])

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlalchemy.exc.SQLAlchemyError as error:
            # "from None": the statement and its parameters stay out of logs
            raise StoreUnavailable(self._dialect.explain(error)) from None


def _document(row: sqlalchemy.Row[*tuple[Any, ...]]) -> Document:
    return Document(row.key, row.revision, decode(row.value))
