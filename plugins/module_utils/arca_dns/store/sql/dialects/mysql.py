# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""MySQL and MariaDB, by PyMySQL. Tables are InnoDB; keys are compared octet by octet, which is code point order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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
    putting,
)

#: Seconds that an answer may take: longer than any lock is waited for.
_ANSWER_SECONDS = 2 * LOCK_SECONDS
#: One lock for each database of a server, whatever the length of its name.
_SCHEMA_LOCK = "CONCAT('arca.dns:', SHA1(DATABASE()))"
_SQL_MODE = "TRADITIONAL,NO_ENGINE_SUBSTITUTION"
# A session that says nothing for so long is ended, and with it a transaction that a stalled controller has left open.
_SETTINGS = (
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}, lock_wait_timeout = {LOCK_SECONDS},"
    f" wait_timeout = {IDLE_SECONDS}"
)
_DURABILITY = "SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog"

_READ_ONLY = (1290, 1792, 1836)
_DEADLOCK = 1213
_DOWN = "the server does not answer; see that it runs and can be reached from here"
_FULL = "the server has no disk space left; free some, then try again"
_LOST = "the connection to the server broke; try again"
_DENIED = "the user has no permission; GRANT ALL on the database to the user"
_STANDBY = (
    "the server is read-only, as a replica is; name the primary in the option host, or SET GLOBAL read_only = OFF"
)
_ENGINE_ERROR = 1030

# What the server's and the driver's codes mean, and what to do.
_CODES = {
    3: _FULL,
    1021: _FULL,
    1040: "the server has no connection left; raise its max_connections, or lower the option pool_size",
    1044: _DENIED,
    1045: "the server refuses the user or the password; set the option password or password_file right",
    1049: "there is no such database; make it with CREATE DATABASE",
    1053: "the server is stopping; try again",
    1114: _FULL,
    1130: "the server refuses connections from this address; see the host part of the user's name on the server",
    1142: _DENIED,
    1146: "the database lacks a table of the store; restore it from a backup",
    1153: "a value is larger than the server takes; raise its max_allowed_packet",
    1205: "another process held a lock for too long; try again",
    1227: _DENIED,
    1290: _STANDBY,
    1317: "somebody ended the statement on the server; try again",
    1698: "the server refuses the user or the password; set the option password or password_file right",
    1792: _STANDBY,
    1836: _STANDBY,
    1927: _LOST,
    2002: _DOWN,
    2003: _DOWN,
    2006: _LOST,
    2013: _LOST,
    2014: _LOST,
    2026: "the TLS connection fails; see the option ca_file, and that the server's certificate names this host",
    2055: _LOST,
    4031: _LOST,
}


class Mysql:
    """A MySQL or MariaDB database. Revisions are ordered by the row lock on ``arca_state``.

    *socket* is the server's local socket, used in place of *host* and *port*. Times are in seconds.
    A server that acknowledges commits before they are on disk (``innodb_flush_log_at_trx_commit``, and ``sync_binlog``
    where there is a binary log: both must be 1) is refused. With *ca_file* the server must prove its name.
    """

    listen = None

    def __init__(
        self,
        database: str,
        *,
        host: str = "127.0.0.1",
        port: int = 3306,
        socket: str | None = None,
        user: str = "arca_dns",
        password: Secret | str | None = None,
        password_file: str | None = None,
        ca_file: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        connect_timeout: float = 5.0,
        pool_size: int = 10,
    ) -> None:
        check_files("mysql", {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file})
        place = f"at {socket}" if socket else f"at {host}, port {port}"
        self._name = f"MySQL {place}, database {database}"
        self._user = user
        arguments: dict[str, object] = {
            "database": database,
            "user": user,
            "charset": "utf8mb4",
            "sql_mode": _SQL_MODE,
            "connect_timeout": max(1, round(connect_timeout)),
            "read_timeout": _ANSWER_SECONDS,
            "write_timeout": _ANSWER_SECONDS,
            **({"unix_socket": socket} if socket else {"host": host, "port": port}),
        }
        if ca_file or cert_file:
            arguments |= {"ssl_ca": ca_file, "ssl_cert": cert_file, "ssl_key": key_file}
            arguments |= {"ssl_verify_cert": bool(ca_file), "ssl_verify_identity": bool(ca_file)}
        login = Password(password, password_file, "mysql")
        self.engine = make_engine("mysql+pymysql", "PyMySQL", arguments, login, pool_size)
        sqlalchemy.event.listen(self.engine, "connect", self._configure)
        forget_connections(self.engine, lambda error: _code(error) in _READ_ONLY)

    def reader(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`."""
        return self.engine.connect()

    def writer(self) -> AbstractContextManager[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`."""
        return self.engine.begin()

    @contextmanager
    def migrator(self) -> Iterator[sqlalchemy.Connection]:
        """See :class:`~.base.Dialect`.

        Every change of the schema commits what stands before it, so the lock is one of the session.
        """
        with self.engine.connect() as connection:
            if connection.exec_driver_sql(f"SELECT GET_LOCK({_SCHEMA_LOCK}, {LOCK_SECONDS})").scalar() != 1:
                raise StoreUnavailable(f"{self._name}: another process changes the schema; try again")
            try:
                connection.rollback()
                with connection.begin():
                    yield connection
            finally:
                if not connection.invalidated:
                    connection.exec_driver_sql(f"SELECT RELEASE_LOCK({_SCHEMA_LOCK})")

    def advance(self, revision: sqlalchemy.Column[int]) -> Advance:
        """See :class:`~.base.Dialect`."""
        # The server's answer to an UPDATE carries the value of LAST_INSERT_ID: no second question.
        update = sqlalchemy.update(revision.table).values(revision=sqlalchemy.func.last_insert_id(revision + 1))
        return lambda connection: connection.execute(update).lastrowid

    def upsert(self, table: sqlalchemy.Table, *changed: str) -> Put:
        """See :class:`~.base.Dialect`."""
        insert = sqlalchemy.dialects.mysql.insert(table)
        return putting(insert.on_duplicate_key_update({name: insert.inserted[name] for name in changed}))

    def undone(self, error: sqlalchemy.exc.DBAPIError) -> bool:
        """See :class:`~.base.Dialect`."""
        return _code(error.orig) == _DEADLOCK

    def explain(self, error: Exception) -> str:
        """See :class:`~.base.Dialect`."""
        origin = getattr(error, "orig", None) or error
        code = _code(origin)
        text = str(origin.args[1]) if len(origin.args) > 1 else str(origin)
        if code == _ENGINE_ERROR and "28" in text:  # errno ENOSPC
            return f"{self._name}: {_FULL}"
        if code == 2003 and "ertificate" in text:
            code = 2026
        who = f" (user {self._user})" if code in (1044, 1045, 1130, 1142, 1227, 1698) else ""
        if code in _CODES:
            return f"{self._name}: {_CODES[code]}{who}"
        return f"{self._name}: {' '.join(text.split())}"

    def _configure(self, connection: Any, _record: object) -> None:
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SETTINGS)
                cursor.execute(_DURABILITY)
                flush, binary_log, sync_binary_log = cursor.fetchone()
            connection.rollback()
            wrong = "innodb_flush_log_at_trx_commit" if int(flush) != 1 else ""
            if not wrong and int(binary_log) and int(sync_binary_log) != 1:
                wrong = "sync_binlog"
            if wrong:
                raise StoreUnavailable(
                    f"{self._name}: the server's {wrong} is not 1, so a crash could lose what was acknowledged;"
                    f" SET GLOBAL {wrong} = 1 and write it into its configuration"
                )
        except BaseException:
            connection.close()
            raise


def _code(error: BaseException | None) -> int | None:
    code = error.args[0] if error is not None and error.args else None
    return code if isinstance(code, int) else None
