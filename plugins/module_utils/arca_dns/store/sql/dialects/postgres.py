# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""PostgreSQL, by psycopg 3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from ...._deps import sqlalchemy
from ....config import Secret
from ....errors import StoreUnavailable
from ...credentials import Password, check_files
from .base import (
    IDLE_SECONDS,
    LOCK_SECONDS,
    Advance,
    Put,
    forget_connections,
    make_engine,
    primary_key,
)

#: The advisory lock of schema changes: "arca.dns" in ASCII.
_SCHEMA_LOCK = 0x617263612E646E73
_SETTINGS = f"""
SELECT current_setting('server_encoding'), current_setting('fsync'),
       set_config('lock_timeout', '{LOCK_SECONDS}s', false),
       set_config('statement_timeout', '{IDLE_SECONDS}s', false),
       set_config('idle_in_transaction_session_timeout', '{IDLE_SECONDS}s', false),
       set_config('synchronous_commit',
                  CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                  ELSE current_setting('synchronous_commit') END, false)
"""
#: Where commits are told of: each database has its own channels.
_CHANNEL = "arca_dns"
_READ_ONLY = "25006"
#: A serialization failure and a deadlock.
_UNDONE = ("40001", "40P01")
_LOCKED = "55P03"
_APPLICATION = "arca-dns"
#: The server counts no time while it waits for the rest of a statement, so a controller that stands still in the middle
#: of sending one would keep its locks for ever. A user may end the sessions of the same user.
_END_STUCK = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = current_user AND application_name = :application"
    " AND state = 'active' AND wait_event = 'ClientRead' AND state_change < now() - make_interval(secs => :seconds)"
)

# What the server's codes mean (its manual, appendix A), and what to do.
_CODES = {
    "25006": (
        "the server is read-only, as a standby is; name the primary in the option host, or set"
        " default_transaction_read_only = off"
    ),
    "28000": "the server refuses this user from this address; see pg_hba.conf on the server",
    "28P01": "the server refuses the user or the password; set the option password or password_file right",
    "3D000": "there is no such database; make it with CREATE DATABASE",
    "3F000": "the user has no permission; make the user the owner of the database",
    "42501": "the user has no permission; make the user the owner of the database",
    "42P01": "the database lacks a table of the store; restore it from a backup",
    "53100": "the server has no disk space left; free some, then try again",
    "53200": "the server has no memory left; try again",
    "53300": "the server has no connection left; raise its max_connections, or lower the option pool_size",
    "55P03": "another process held a lock for too long; try again",
    "57014": "the server took too long for a statement; try again",
    "57P01": "the server is stopping; try again",
    "57P02": "the server has crashed; try again when it is back",
    "57P03": "the server is starting or stopping; try again",
    "58030": "the server cannot read or write its files; look at its log",
    "XX001": "data on the server is damaged; look at its log, then restore a backup",
    "XX002": "an index on the server is damaged; look at its log, then REINDEX the database",
}
# The same where a connection is refused: libpq gives a text, no code.
_TEXTS = (
    ("password authentication failed", "28P01"),
    ("no password supplied", "28P01"),
    ("no pg_hba.conf entry", "28000"),
    ("authentication failed", "28000"),
    ("is not permitted to log in", "28000"),
    ("too many clients", "53300"),
    ("remaining connection slots", "53300"),
    ("the database system is", "57P03"),
    ("session is read-only", "25006"),
    ("server is in hot standby mode", "25006"),
    ("session is not read-only", "25006"),
)
_TLS = ("SSL error", "certificate", "server does not support SSL")
_DOWN = (
    "Connection refused",
    "No such file or directory",
    "timeout expired",
    "could not receive data",
    "server closed",
)


class Postgres:
    """A PostgreSQL database. Revisions are ordered by the row lock on ``arca_state``; keys collate by code point.

    *host* may be a folder with the server's socket, or several hosts with commas: the one that can be written is used.
    Times are in seconds. Commits wait for the disk whatever the server's default is; a server that runs
    with ``fsync = off`` is refused. With *ca_file* the server must prove its name, unless *sslmode* says less.
    """

    def __init__(
        self,
        database: str,
        *,
        host: str = "127.0.0.1",
        port: int = 5432,
        user: str = "arca_dns",
        password: Secret | str | None = None,
        password_file: str | None = None,
        sslmode: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        connect_timeout: float = 5.0,
        pool_size: int = 10,
    ) -> None:
        check_files("postgres", {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file})
        self._name = f"PostgreSQL at {host}, port {port}, database {database}"
        self._user = user
        arguments = {
            "host": host,
            "port": port,
            "dbname": database,
            "user": user,
            "sslmode": sslmode or ("verify-full" if ca_file else "prefer"),
            "sslrootcert": ca_file,
            "sslcert": cert_file,
            "sslkey": key_file,
            "gssencmode": "disable",
            "connect_timeout": max(2, round(connect_timeout)),  # libpq takes whole seconds, two at least
            "target_session_attrs": "read-write",
            "application_name": _APPLICATION,
            # A server that is gone without a word is noticed in half a minute.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        }
        arguments = {name: value for name, value in arguments.items() if value is not None}
        login = Password(password, password_file, "postgres")
        self.engine = make_engine("postgresql+psycopg", "psycopg[binary]", arguments, login, pool_size)
        self._reading = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        sqlalchemy.event.listen(self.engine, "connect", self._configure)
        forget_connections(self.engine, lambda error: getattr(error, "sqlstate", None) == _READ_ONLY)

    def reader(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`. Without BEGIN and ROLLBACK, which would be two more questions to the server."""
        return self._reading.connect()

    @contextmanager
    def writer(self) -> Iterator[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`. Who waited in vain for a lock sees whether it is kept by one that is stuck."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except sqlalchemy.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) == _LOCKED:
                self._end_stuck()
            raise

    @contextmanager
    def migrator(self) -> Iterator[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`. PostgreSQL changes its schema in transactions."""
        with self.engine.begin() as connection:
            connection.execute(sqlalchemy.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sqlalchemy.select(sqlalchemy.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            yield connection

    def advance(self, revision: sqlalchemy.Column[int]) -> Advance:
        """See :class:`~.base.Dialect`."""
        tell = sqlalchemy.func.pg_notify(_CHANNEL, sqlalchemy.cast(revision, sqlalchemy.Text))
        statement = sqlalchemy.update(revision.table).values(revision=revision + 1).returning(revision, tell)
        return lambda connection: connection.scalars(statement).one()

    def upsert(self, table: sqlalchemy.Table, *changed: str) -> Put:
        """See :class:`~.base.Dialect`. Rows go as one array a column.

        The driver would send many statements, one by one, and ask for their answers after the last. For a controller
        that is held up in between, no time is counted before it has asked.
        """
        # Without the collation that a column may have.
        types = {
            str: sqlalchemy.Text,
            int: sqlalchemy.BigInteger,
            bytes: sqlalchemy.LargeBinary,
            float: sqlalchemy.Double,
        }
        columns = {column.name: f"all_{column.name}" for column in table.columns}
        arrays = [
            sqlalchemy.bindparam(columns[column.name], type_=sqlalchemy.ARRAY(types[column.type.python_type]()))
            for column in table.columns
        ]
        given = sqlalchemy.func.unnest(*arrays).table_valued(*columns).render_derived()
        insert = sqlalchemy.dialects.postgresql.insert(table).from_select(list(columns), sqlalchemy.select(*given.c))
        new = {name: insert.excluded[name] for name in changed}
        statement = insert.on_conflict_do_update(index_elements=[primary_key(table)], set_=new)

        def put(connection: sqlalchemy.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
            connection.execute(statement, {array: [row[name] for row in rows] for name, array in columns.items()})

        return put

    @contextmanager
    def listen(self) -> Iterator[Callable[[float], int]]:
        """See :class:`~.base.Dialect`. A connection beside the pool's."""
        connection = self.engine.raw_connection()
        driver: Any = connection.driver_connection
        try:
            connection.detach()
            driver.autocommit = True
            driver.execute(f"LISTEN {_CHANNEL}")

            def wait(seconds: float) -> int:
                told = driver.notifies(timeout=seconds, stop_after=1)
                return max((int(one.payload) for one in told), default=0)

            yield wait
        finally:
            connection.invalidate()  # lets go of it without a ROLLBACK, at which one that is broken would fail
            driver.close()

    def undone(self, error: sqlalchemy.exc.DBAPIError) -> bool:
        """See :class:`~.base.Dialect`."""
        return getattr(error.orig, "sqlstate", None) in _UNDONE

    def explain(self, error: Exception) -> str:
        """See :class:`~.base.Dialect`."""
        origin = getattr(error, "orig", None) or error
        diagnosis = getattr(origin, "diag", None)
        text = str((diagnosis and diagnosis.message_primary) or origin)
        code = getattr(origin, "sqlstate", None)
        if code is None:
            code = next((code for part, code in _TEXTS if part in text), None)
        if code is None and "does not exist" in text and "database" in text:
            code = "3D000"
        if code is None and "role" in text and "does not exist" in text:
            code = "28P01"
        who = f" (user {self._user})" if code in ("28000", "28P01", "3F000", "42501") else ""
        if code in _CODES:
            return f"{self._name}: {_CODES[code]}{who}"
        if code is None and any(part in text for part in _TLS):
            return (
                f"{self._name}: the TLS connection fails; see the option ca_file, and that the server's certificate"
                f" names this host ({' '.join(text.split())})"
            )
        if code is None and any(part in text for part in _DOWN):
            return f"{self._name}: the server does not answer; see that it runs and can be reached from here"
        return f"{self._name}: {' '.join(text.split())}"

    def _end_stuck(self) -> None:
        """End the sessions of controllers that have been in the middle of a statement for too long."""
        with suppress(sqlalchemy.exc.SQLAlchemyError), self.reader() as connection:
            connection.execute(sqlalchemy.text(_END_STUCK), {"application": _APPLICATION, "seconds": IDLE_SECONDS})

    def _configure(self, connection: Any, _record: object) -> None:
        try:
            connection.autocommit = True
            encoding, fsync = connection.execute(_SETTINGS).fetchone()[:2]
            connection.autocommit = False
            if encoding != "UTF8":
                raise StoreUnavailable(
                    f"{self._name}: the database is in {encoding}; make one with ENCODING 'UTF8' TEMPLATE template0"
                )
            if fsync != "on":
                raise StoreUnavailable(
                    f"{self._name}: the server runs with fsync = off, so a crash could lose what was acknowledged;"
                    " set fsync = on in its configuration"
                )
        except BaseException:
            connection.close()
            raise
