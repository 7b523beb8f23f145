# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the store asks of a database: how a transaction begins, how rows are replaced, what an error means.

Also what the databases that are servers share: the engine and its pool.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

from ...._deps import require, sqlalchemy
from ....errors import MissingDependency, StoreUnavailable
from ...credentials import Password
from ..listener import Listening

#: Writes rows, one at least, by one statement.
Put: TypeAlias = "Callable[[sqlalchemy.Connection, Sequence[Mapping[str, Any]]], None]"

#: Gives a transaction its revision.
Advance: TypeAlias = "Callable[[sqlalchemy.Connection], int]"

#: Seconds that a statement waits for a lock which another process holds.
LOCK_SECONDS = 30
#: Seconds that a server waits for a controller which has begun a transaction and says nothing more.
IDLE_SECONDS = 60
#: Seconds for which a connection that has just been used needs no trial.
_TRUSTED_SECONDS = 1.0


class Dialect(Protocol):
    """One kind of database."""

    engine: sqlalchemy.Engine

    @property
    def listen(self) -> Callable[[], Listening] | None:
        """Makes a connection that is told of commits, also of other processes; ``None`` where there are none such."""

    def reader(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A connection for statements that only read, each of which sees the newest commit."""

    def writer(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """A connection in a transaction that commits at the end and rolls back on an error.

        From the first statement that writes ``arca_state`` it excludes other transactions that do.
        """

    def migrator(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """The same, under the lock that lets one process at a time change the schema."""

    def advance(self, revision: sqlalchemy.Column[int]) -> Advance:
        """Adds one to *revision*, in the one row of its table, and returns what it is now."""

    def upsert(self, table: sqlalchemy.Table, *changed: str) -> Put:
        """Inserts rows or, where the primary key is there already, sets the columns *changed* of that row instead."""

    def undone(self, error: sqlalchemy.exc.DBAPIError) -> bool:
        """Whether *error* means that the database has undone the transaction and would take it again."""

    def explain(self, error: Exception) -> str:
        """What *error* of the database means, and what to do, without statement or parameters."""


def putting(statement: sqlalchemy.Insert) -> Put:
    """Runs *statement* for all rows by the driver's own way of doing so."""

    def put(connection: sqlalchemy.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        connection.execute(statement, rows)

    return put


@contextmanager
def explained(dialect: Dialect) -> Iterator[None]:
    """Turn errors of the database into :class:`StoreUnavailable`."""
    try:
        yield
    except (sqlalchemy.exc.SQLAlchemyError, OSError) as error:
        # "from None": the statement and its parameters stay out of logs
        raise StoreUnavailable(dialect.explain(error)) from None


def make_engine(
    driver: str, package: str, arguments: Mapping[str, object], password: Password, pool_size: int
) -> sqlalchemy.Engine:
    """An engine on *driver* (of the Python *package*) that connects with *arguments* and with *password*.

    It keeps at most *pool_size* connections, tries an idle one before its use, and forgets all when one is broken.
    """
    require("sqlalchemy", "alembic")
    try:
        engine = sqlalchemy.create_engine(
            f"{driver}://",
            connect_args=dict(arguments),
            isolation_level="READ COMMITTED",
            pool_size=pool_size,
            max_overflow=0,
            pool_timeout=LOCK_SECONDS,
            pool_use_lifo=True,
        )
    except ModuleNotFoundError:
        raise MissingDependency(f"this needs {package} on the Python path: pip install '{package}'") from None

    def connect(_dialect: object, _record: object, _arguments: object, named: dict[str, object]) -> None:
        secret = password.reveal()
        if secret is not None:
            named["password"] = secret

    # SQLAlchemy's own pool_pre_ping asks before each use; most uses come right after another one.
    def try_out(connection: sqlalchemy.engine.interfaces.DBAPIConnection, record: Any, _proxy: object) -> None:
        if time.monotonic() < record.info.get("used", 0.0) + _TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise sqlalchemy.exc.InvalidatePoolError from None

    def note(_connection: object, record: Any) -> None:
        record.info["used"] = time.monotonic()

    sqlalchemy.event.listen(engine, "do_connect", connect)
    sqlalchemy.event.listen(engine, "checkout", try_out)
    sqlalchemy.event.listen(engine, "checkin", note)
    return engine


def forget_connections(engine: sqlalchemy.Engine, when: Callable[[BaseException], bool]) -> None:
    """Give up all pooled connections after an error of the driver for which *when* is true, as after a lost one."""

    def handle(context: sqlalchemy.engine.ExceptionContext) -> None:
        if when(context.original_exception):
            context.is_disconnect = True

    sqlalchemy.event.listen(engine, "handle_error", handle)


def primary_key(table: sqlalchemy.Table) -> str:
    """The name of the one column that is the primary key of *table*."""
    (column,) = table.primary_key.columns
    name: str = column.name
    return name
