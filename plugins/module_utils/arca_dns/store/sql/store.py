# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store on any database that a :class:`~.dialects.Dialect` describes.

Commits are ordered by the lock that the dialect's writer holds, so revisions become visible in order.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import count, islice
from threading import Condition
from typing import Any, TypeVar

from ..._deps import sqlalchemy
from ...errors import Conflict, StoreUnavailable
from ..base import Changes, Document, Transaction
from ..common import (
    DELETIONS_REMEMBERED,
    GRACE_SECONDS,
    broken_preconditions,
    check_digests,
    decode,
    encode,
    prefix_end,
    validate,
)
from .dialects import Dialect, explained
from .listener import Listener
from .schema import tables
from .statements import Statements
from .upgrade import upgrade_schema

#: Values in one statement: databases limit them.
_BATCH = 500
#: How often a watcher looks for commits of other processes, in seconds.
_POLL_SECONDS = 0.25
#: The same where the database tells of them.
_TOLD_POLL_SECONDS = 5.0

#: How often a transaction is tried that the database itself undoes.
_ATTEMPTS = 5
#: Octets of rows in one statement; a row that is larger goes alone. MySQL takes 16 MiB of escaped text by default.
_STATEMENT_OCTETS = 4 << 20
#: Octets of blobs that go with their commit; others wait for it, so more goes ahead of it.
_WITH_COMMIT_OCTETS = 256 << 10
#: How many revisions pass between two prunings of what is known of deletions.
_PRUNING_EVERY = 1000

T = TypeVar("T")


def _batches(items: Iterable[T], size: int = _BATCH) -> Iterator[list[T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def _by_size(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """*rows* in lists of no more than ``_BATCH`` rows and some octets."""
    some: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        octets = sum(len(value) for value in row.values() if isinstance(value, str | bytes))
        if some and (len(some) == _BATCH or size + octets > _STATEMENT_OCTETS):
            yield some
            some, size = [], 0
        some.append(row)
        size += octets
    if some:
        yield some


class SqlStore:
    """A :class:`~.base.Store` in a database. Opening it applies the migrations that are missing.

    *clock* gives unix seconds. A blob written less than half of *grace* seconds ago survives every sweep.
    Deletions are known to :meth:`watch` for *remembered* revisions at least.
    """

    def __init__(
        self,
        dialect: Dialect,
        *,
        grace: float = GRACE_SECONDS,
        remembered: int = DELETIONS_REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._dialect = dialect
        self._grace = grace
        self._remembered = remembered
        self._clock = clock
        self._committed = Condition()
        self._commits = 0  # that watchers were woken for
        self._newest = 0  # of the revisions that they were woken for
        self._tables = tables()
        self._statements = Statements(self._tables)
        self._advance = dialect.advance(self._tables.state.c.revision)
        self._put_documents = dialect.upsert(self._tables.documents, "revision", "value")
        self._put_deletions = dialect.upsert(self._tables.deletions, "revision")
        self._put_blobs = dialect.upsert(self._tables.blobs, "written")
        self._repair_blobs = dialect.upsert(self._tables.blobs, "written", "data")
        self._listener = None if dialect.listen is None else Listener(dialect.listen, self._wake)
        upgrade_schema(dialect)

    def get(self, key: str) -> Document | None:
        """The document at *key*, or ``None``."""
        found = self._read(self._statements.document, key=key)
        return _document(found[0]) if found else None

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Up to *limit* documents whose key begins with *prefix* and is greater than *after*, in key order."""
        end, inside = prefix_end(prefix), after >= prefix
        query = self._statements.scans[inside, end is not None]
        edges = {"edge": after if inside else prefix, "many": max(limit, 0)}
        return [_document(row) for row in self._read(query, **edges, **({} if end is None else {"end": end}))]

    def commit(self, transaction: Transaction) -> int:
        """Apply *transaction* durably; returns the new revision. Raises ``Conflict``."""
        validate(transaction)
        texts = {key: encode(value) for key, value in transaction.writes.items()}
        ahead = sum(map(len, transaction.blobs.values())) > _WITH_COMMIT_OCTETS
        if ahead:
            self.write_blobs(transaction.blobs)
        blobs = [] if ahead else self._blob_rows(transaction.blobs)
        deletions = self._tables.deletions

        def work(connection: sqlalchemy.Connection) -> int:
            # First the row that orders commits: where the database locks rows, this is the lock.
            revision = self._advance(connection)
            found = self._revisions(connection, {*transaction.preconditions, *texts, *transaction.deletes})
            broken = broken_preconditions(transaction, found)
            if broken:
                raise Conflict(f"the store has moved on: {broken}")
            for some in _by_size(blobs):
                self._put_blobs(connection, some)
            self._write(connection, texts, found, revision)
            self._delete(connection, [key for key in transaction.deletes if key in found], revision)
            if revision % _PRUNING_EVERY == 0:
                forgotten = deletions.c.revision <= revision - self._remembered - _PRUNING_EVERY
                connection.execute(deletions.delete().where(forgotten))
            return revision

        revision = self._transact(work)
        self._wake(revision)
        return revision

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* that exist."""
        found: dict[str, bytes] = {}
        for batch in _batches(bytes.fromhex(digest) for digest in digests):
            for row in self._read(self._statements.blobs, some=batch):
                found[bytes(row.digest).hex()] = bytes(row.data)
        return found

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Make *blobs* durable; idempotent. A blob that is there already is young again for :meth:`sweep`."""
        if not blobs:
            return
        now = self._clock()
        table = self._tables.blobs
        # In one order, so that two who write the same do not wait for each other.
        data = {bytes.fromhex(digest): blobs[digest] for digest in sorted(blobs)}

        def work(connection: sqlalchemy.Connection) -> None:
            for batch in _batches(data):
                young = connection.scalars(
                    sqlalchemy.select(table.c.digest).where(
                        table.c.digest.in_(batch), table.c.written >= now - self._grace / 2
                    )
                )
                there = {bytes(digest) for digest in young}
                # One that is old is sent again: a sweep may be removing it at this moment.
                rows = [{"digest": d, "written": now, "data": data[d]} for d in batch if d not in there]
                for some in _by_size(rows):
                    self._put_blobs(connection, some)

        self._transact(work)

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Write *blobs* over what stands under their digests, however young that is; idempotent."""
        check_digests(blobs)
        rows = self._blob_rows(blobs)

        def work(connection: sqlalchemy.Connection) -> None:
            for some in _by_size(rows):
                self._repair_blobs(connection, some)

        if rows:
            self._transact(work)

    def watch(self, after: int, timeout: float) -> Changes:
        """Wait up to *timeout* seconds for commits later than revision *after*, of this process or of others."""
        deadline = time.monotonic() + timeout
        while True:
            commits = self._commits
            revision = self._revision()
            left = deadline - time.monotonic()
            if revision > after or left <= 0:
                # Below this revision deletions may have been forgotten; who asks from 0 has seen none of the keys.
                complete = after == 0 or after >= revision - self._remembered
                return Changes(revision, self._changed(after, revision), complete)
            if self._listener is not None:
                self._listener.start()
            with self._committed:
                told = self._listener is not None and self._listener.listens
                pause = min(left, _TOLD_POLL_SECONDS if told else _POLL_SECONDS)
                self._committed.wait_for(lambda seen=commits: self._commits != seen, pause)  # type: ignore[misc]

    def sweep(self, keep: Iterable[str]) -> int:
        """Remove blobs that are not in *keep* and were last written more than the grace ago; returns how many.

        Goes in small transactions, so that writers need not wait.
        """
        oldest = self._clock() - self._grace
        kept = {bytes.fromhex(digest) for digest in keep}
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
                # asked again: a writer may have made one of them young since
                removed += self._transact(
                    lambda connection, doomed=doomed: (
                        connection.execute(  # type: ignore[misc]
                            table.delete().where(table.c.digest.in_(doomed), table.c.written < oldest)
                        ).rowcount
                    )
                )

    def close(self) -> None:
        """Give back connections and files."""
        if self._listener is not None:
            self._listener.close()
        self._dialect.engine.dispose()

    def _wake(self, revision: int) -> None:
        """Let watchers look, unless they have looked at *revision* already; 0 is any."""
        with self._committed:
            if not revision or revision > self._newest:
                self._newest = revision  # 0: after a failover revisions may come again
                self._commits += 1
                self._committed.notify_all()

    def _blob_rows(self, blobs: Mapping[str, bytes]) -> list[dict[str, Any]]:
        """The rows of *blobs*, in one order, so that two who write the same do not wait for each other."""
        now = self._clock()
        return [{"digest": bytes.fromhex(digest), "written": now, "data": blobs[digest]} for digest in sorted(blobs)]

    def _read(
        self, query: sqlalchemy.Select[*tuple[Any, ...]], **values: object
    ) -> Sequence[sqlalchemy.Row[*tuple[Any, ...]]]:
        with explained(self._dialect), self._dialect.reader() as connection:
            return connection.execute(query, values).all()

    def _revision(self) -> int:
        found: int = self._read(self._statements.revision)[0][0]
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
        found: dict[str, int] = {}
        for batch in _batches(sorted(keys)):
            rows = connection.execute(self._statements.revisions, {"some": batch})
            found.update((row.key, row.revision) for row in rows)
        return found

    def _write(
        self, connection: sqlalchemy.Connection, texts: Mapping[str, str], found: Mapping[str, int], revision: int
    ) -> None:
        rows = [{"key": key, "revision": revision, "value": text} for key, text in sorted(texts.items())]
        for some in _by_size(rows):
            self._put_documents(connection, some)
        for batch in _batches(key for key in texts if key not in found):
            connection.execute(self._statements.remember, {"some": batch})

    def _delete(self, connection: sqlalchemy.Connection, keys: Sequence[str], revision: int) -> None:
        for batch in _batches(keys):
            connection.execute(self._statements.delete, {"some": batch})
            self._put_deletions(connection, [{"key": key, "revision": revision} for key in batch])

    def _transact(self, work: Callable[[sqlalchemy.Connection], T]) -> T:
        """What *work* returns, once its transaction is durable.

        It is run again only where the database says that it has undone it, as after a deadlock.
        """
        for attempt in count(1):
            worked = False
            try:
                with self._dialect.writer() as connection:
                    result = work(connection)
                    worked = True
                return result
            except sqlalchemy.exc.DBAPIError as error:
                if attempt < _ATTEMPTS and self._dialect.undone(error):
                    continue
                reason = self._dialect.explain(error)
                if worked and error.connection_invalidated:
                    reason += (
                        "; this happened while a write was being committed, so it is not known whether it was applied:"
                        " read again before you repeat it"
                    )
                raise StoreUnavailable(reason) from None
            except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
                raise StoreUnavailable(self._dialect.explain(error)) from None
        raise AssertionError  # count() does not end


def _document(row: sqlalchemy.Row[*tuple[Any, ...]]) -> Document:
    return Document(row.key, row.revision, decode(row.value))
