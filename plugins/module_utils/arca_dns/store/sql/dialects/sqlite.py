# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""SQLite: one file, several processes on one machine."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock

from ...._deps import require, sqlalchemy
from ....errors import StoreUnavailable
from .base import Advance, Put, primary_key, putting

#: Why a file cannot be opened, and what to do.
_OPENING = {
    errno.EROFS: "its file system is read-only: mount it writable",
    errno.EACCES: "permission denied: let the controller's user own the file and its folder",
    errno.ENOSPC: "the file system is full: make room",
}
#: The execution option that marks a connection whose next transaction writes.
WRITES = "arca_writes"
_PAUSE = 0.005


class Sqlite:
    """A SQLite file: write-ahead log, every commit synced, ``BEGIN IMMEDIATE`` so that waiting for the lock works.

    The file and its folder are made if they are missing, readable by their owner only. *busy_timeout* is in seconds.
    """

    listen = None

    def __init__(self, path: str, *, busy_timeout: float = 30.0) -> None:
        require("sqlalchemy", "alembic")
        self.path = path
        self._busy_timeout = busy_timeout
        self._turn = Lock()  # SQLite's own waiting polls; within a process, wait properly
        try:
            folder = os.path.dirname(os.path.abspath(path))
            os.makedirs(folder, mode=0o700, exist_ok=True)
            # -wal and -shm inherit the mode of the file
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            reason = _OPENING.get(error.errno or 0, error.strerror)
            raise StoreUnavailable(f"cannot open the database {path}: {reason}") from None
        url = sqlalchemy.URL.create("sqlite", database=path)
        self.engine = sqlalchemy.create_engine(
            url, connect_args={"timeout": busy_timeout}, pool_size=8, max_overflow=56
        )
        sqlalchemy.event.listen(self.engine, "connect", self._configure)
        sqlalchemy.event.listen(self.engine, "begin", self._begin)

    def reader(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`."""
        return self.engine.connect()

    @contextmanager
    def writer(self) -> Iterator[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`."""
        with self._turn, self.engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def migrator(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """The write lock is the schema lock: SQLite changes its schema in transactions."""
        return self.writer()

    def advance(self, revision: sqlalchemy.Column[int]) -> Advance:
        """See :class:`~.base.Dialect`."""
        # RETURNING needs SQLite 3.35, which EL 9 does not have.
        update = sqlalchemy.update(revision.table).values(revision=revision + 1)
        select = sqlalchemy.select(revision)

        def advance(connection: sqlalchemy.Connection) -> int:
            connection.execute(update)
            return connection.scalars(select).one()

        return advance

    def upsert(self, table: sqlalchemy.Table, *changed: str) -> Put:
        """See :class:`~.base.Dialect`."""
        insert = sqlalchemy.dialects.sqlite.insert(table)
        new = {name: insert.excluded[name] for name in changed}
        return putting(insert.on_conflict_do_update(index_elements=[primary_key(table)], set_=new))

    def undone(self, error: sqlalchemy.exc.DBAPIError) -> bool:
        """Never: writers wait for each other, and what fails then would fail again."""
        return False

    def explain(self, error: Exception) -> str:
        """See :class:`~.base.Dialect`."""
        text = str(getattr(error, "orig", None) or error)
        if "locked" in text or "busy" in text:
            return f"{self.path}: another process held the database for too long; try again"
        if "full" in text:
            return f"{self.path}: no space left for the database; free some and try again"
        if "readonly" in text or "read-only" in text:
            return (
                f"{self.path}: the database cannot be written: mount its file system writable, and let the controller's"
                " user own the file and its folder"
            )
        if "not a database" in text or "malformed" in text:
            return (
                f"{self.path}: this is not a SQLite database, or it is damaged ({text}): stop the controller, move the"
                " file away (and those of the same name with -wal and -shm), then restore a backup with"
                " 'arca-dns-controller restore'"
            )
        if "no such table" in text:
            return f"{self.path}: the database lacks a table of the store; restore it from a backup"
        if "disk I/O error" in text:
            return f"{self.path}: the file cannot be read or written ({text}); look at the system's log for the disk"
        return f"{self.path}: {text}"

    def _configure(self, connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # _begin begins transactions; what only reads needs none
        self._write_ahead(connection)
        for pragma in ("synchronous = FULL", "cache_size = -16384"):
            connection.execute(f"PRAGMA {pragma}").close()

    def _write_ahead(self, connection: sqlite3.Connection) -> None:
        """Turn the write-ahead log on. SQLite's own waiting does not hold where two do that to a new file at once."""
        deadline = time.monotonic() + self._busy_timeout
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").close()
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() >= deadline:
                    raise
                time.sleep(_PAUSE)
            else:
                return

    @staticmethod
    def _begin(connection: sqlalchemy.Connection) -> None:
        if connection.get_execution_options().get(WRITES, False):
            connection.exec_driver_sql("BEGIN IMMEDIATE")
