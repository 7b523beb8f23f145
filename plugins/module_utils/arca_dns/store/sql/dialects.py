# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What differs between databases: how to connect, how a write transaction begins, what an error means.

SQLite is here. Another database is another class with the same four members.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Protocol

from ..._deps import require, sqlalchemy
from ...errors import StoreUnavailable

#: The execution option that marks a connection whose next transaction writes.
WRITES = "arca_writes"


class Dialect(Protocol):
    """One kind of database."""

    engine: sqlalchemy.Engine

    def writer(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A connection in a transaction that excludes other writers; commits at the end, rolls back on an error."""

    def migrator(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """The same, under the lock that lets one process at a time change the schema."""

    def explain(self, error: Exception) -> str:
        """What *error* of the database means, and what to do, without statement or parameters."""


class Sqlite:
    """A SQLite file: write-ahead log, every commit synced, ``BEGIN IMMEDIATE`` so that waiting for the lock works.

    The file and its folder are made if they are missing, readable by their owner only. *busy_timeout* is in seconds.
    """

    def __init__(self, path: str, *, busy_timeout: float = 30.0) -> None:
        require("sqlalchemy", "alembic")
        self.path = path
        self._turn = Lock()  # SQLite's own waiting polls; within a process, wait properly
        try:
            folder = os.path.dirname(os.path.abspath(path))
            os.makedirs(folder, mode=0o700, exist_ok=True)
            # -wal and -shm inherit the mode of the file
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise StoreUnavailable(f"cannot open the database {path}: {error.strerror}") from None
        url = sqlalchemy.URL.create("sqlite", database=path)
        self.engine = sqlalchemy.create_engine(
            url, connect_args={"timeout": busy_timeout}, pool_size=8, max_overflow=56
        )
        sqlalchemy.event.listen(self.engine, "connect", self._configure)
        sqlalchemy.event.listen(self.engine, "begin", self._begin)

    @contextmanager
    def writer(self) -> Iterator[sqlalchemy.Connection]:
        """See :class:`Dialect`."""
        with self._turn, self.engine.connect() as connection:
            connection = connection.execution_options(**{WRITES: True})
            with connection.begin():
                yield connection

    def migrator(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """The write lock is the schema lock: SQLite changes its schema in transactions."""
        return self.writer()

    def explain(self, error: Exception) -> str:
        """See :class:`Dialect`."""
        text = str(getattr(error, "orig", None) or error)
        if "locked" in text or "busy" in text:
            return f"{self.path}: another process held the database for too long; try again"
        if "full" in text:
            return f"{self.path}: no space left for the database; free some and try again"
        if "readonly" in text or "read-only" in text:
            return f"{self.path}: the database cannot be written by this user or on this file system"
        if "not a database" in text or "malformed" in text:
            return f"{self.path}: this is not a SQLite database, or it is damaged ({text}); restore a backup"
        return f"{self.path}: {text}"

    @staticmethod
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where _begin says, not where sqlite3 guesses
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "cache_size = -16384"):
            connection.execute(f"PRAGMA {pragma}").close()

    @staticmethod
    def _begin(connection: sqlalchemy.Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
