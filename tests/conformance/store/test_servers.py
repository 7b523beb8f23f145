# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Databases that are servers: what happens when they are down, die, refuse, or are set up badly."""

from __future__ import annotations

import os
import random
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from arca_dns.errors import StoreError, StoreUnavailable
from arca_dns.store.base import Transaction
from arca_dns.store.open import open_store
from arca_dns.store.sql import SqlStore, migrations
from arca_dns.store.sql.dialects import Dialect, Mysql, Postgres
from arca_dns.store.sql.schema import tables
from certificates import Authority
from running_mysql import RunningMysql
from running_postgres import RunningPostgres

pytestmark = pytest.mark.conformance


@dataclass
class Server:
    """A running server, the kind of backend that it is, and how it says things of its own."""

    kind: str
    running: RunningPostgres | RunningMysql
    #: (error number of the server) → a statement that fails with it
    fail: str

    def open(self, **changed: object) -> SqlStore:
        store = open_store(self.kind, {**self.running.options(), **changed})
        assert isinstance(store, SqlStore)
        return store

    def dialect(self, options: dict[str, object]) -> Dialect:
        kind = Postgres if self.kind == "postgres" else Mysql
        return kind(**options)  # type: ignore[arg-type]


@pytest.fixture(params=["postgres", "mysql"])
def server(request: pytest.FixtureRequest) -> Server:
    fail = {
        "postgres": "DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '%s'; END $$",
        "mysql": "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = %s",
    }
    return Server(request.param, request.getfixturevalue(f"{request.param}_server"), fail[request.param])


@pytest.fixture
def store(server: Server) -> Iterator[SqlStore]:
    with closing(server.open()) as made:
        yield made


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    server.running.stop()
    try:
        yield
    finally:
        server.running.start()


def put(store: SqlStore, *keys: str) -> int:
    return store.commit(Transaction(writes={key: {} for key in keys}))


def test_a_server_that_is_down_is_said_and_found_again_when_it_is_back(server: Server, store: SqlStore) -> None:
    revision = put(store, "a")
    options = server.running.options()
    with stopped(server):
        with pytest.raises(StoreUnavailable):  # on a connection that worked a moment ago
            put(store, "b")
        for attempt in (lambda: put(store, "b"), lambda: store.get("a"), lambda: open_store(server.kind, options)):
            with pytest.raises(StoreUnavailable, match=rf"port {server.running.port}.*: the server does not answer"):
                attempt()
    found = store.get("a")
    assert found is not None
    assert found.revision == revision
    assert put(store, "b") > revision


def test_a_server_that_is_killed_under_load_loses_nothing_and_work_goes_on(server: Server, store: SqlStore) -> None:
    acknowledged: list[tuple[str, int]] = []
    failures: list[StoreUnavailable] = []
    done = threading.Event()

    def write(name: str) -> None:
        n = 0
        while not done.is_set():
            n += 1
            key = f"{name}/{n:05}"
            try:
                acknowledged.append((key, put(store, key, f"twin/{key}")))
            except StoreUnavailable as error:
                failures.append(error)
                done.wait(0.01)

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    moments = random.Random()
    try:
        for _ in range(5):
            done.wait(moments.uniform(0.1, 0.3))
            before = len(acknowledged)
            server.running.kill()
            server.running.start()
            deadline = threading.Event()
            while len(acknowledged) <= before + 4 and not deadline.wait(0.02):
                pass
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures
    documents = {document.key: document.revision for document in store.scan("", limit=1_000_000)}
    assert {key: documents.get(key) for key, _ in acknowledged} == dict(acknowledged)
    for key in documents:
        twin = key.removeprefix("twin/") if key.startswith("twin/") else f"twin/{key}"
        assert documents.get(twin) == documents[key], "half a transaction is there"
    assert len({revision for _, revision in acknowledged}) == len(acknowledged)


def test_a_commit_that_breaks_on_its_way_is_not_said_to_be_done_nor_repeated(server: Server, store: SqlStore) -> None:
    put(store, "a")
    kills = []

    def kill(_connection: sqlalchemy.Connection) -> None:
        kills.append(1)
        server.running.kill()

    sqlalchemy.event.listen(store._dialect.engine, "commit", kill)
    with pytest.raises(StoreUnavailable, match="it is not known whether it was applied: read again before"):
        put(store, "b")
    sqlalchemy.event.remove(store._dialect.engine, "commit", kill)
    server.running.start()
    assert kills == [1]
    assert store.get("b") is None
    put(store, "b")


def test_a_server_that_dies_before_the_commit_has_applied_nothing(server: Server, store: SqlStore) -> None:
    put(store, "a")

    def work(connection: sqlalchemy.Connection) -> None:
        connection.execute(sqlalchemy.update(tables().state).values(revision=99))
        server.running.kill()
        connection.execute(sqlalchemy.select(tables().state))

    with pytest.raises(StoreUnavailable) as caught:
        store._transact(work)
    server.running.start()
    assert "not known" not in str(caught.value)
    assert store.watch(0, 0).revision < 99


@pytest.mark.parametrize("wrong", [{"password": "hunter2-wrong"}, {"user": "nobody-knows", "password": "hunter2"}])
def test_a_wrong_password_is_said_without_the_password(server: Server, wrong: dict[str, object]) -> None:
    with pytest.raises(StoreUnavailable, match=r"refuses the user or the password.* \(user ") as caught:
        server.open(**wrong)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_password_may_come_from_a_file_that_is_read_again(server: Server, tmp_path: Path) -> None:
    options = server.running.options()
    file = tmp_path / "password"
    file.write_text(f"{options.pop('password')}\n")
    with closing(open_store(server.kind, {**options, "password_file": str(file)})) as store:
        store.commit(Transaction(writes={"a": {}}))
        assert isinstance(store, SqlStore)
        store._dialect.engine.dispose()
        file.write_text("no longer right")
        with pytest.raises(StoreUnavailable, match="refuses the user or the password"):
            store.get("a")


def test_a_database_that_is_missing_is_said(server: Server) -> None:
    if server.kind == "mysql":
        server.running.options()
        server.running.execute("GRANT ALL ON `missing`.* TO arca@localhost, arca@'127.0.0.1'")
    with pytest.raises(StoreUnavailable, match="there is no such database; make it with CREATE DATABASE"):
        server.open(database="missing")


def test_a_user_without_permission_is_said(server: Server) -> None:
    options = server.running.options()
    database = options["database"]
    if server.kind == "postgres":
        server.running.execute(f"ALTER DATABASE {database} OWNER TO root")
        server.running.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC", str(database))
    else:
        server.running.execute(f"REVOKE ALL ON {database}.* FROM arca@localhost, arca@'127.0.0.1'")
        server.running.execute(f"GRANT SELECT ON {database}.* TO arca@localhost, arca@'127.0.0.1'")
    with pytest.raises(StoreUnavailable, match=r"the user has no permission; .* \(user arca\)"):
        open_store(server.kind, options)


def test_a_table_that_is_gone_is_said(server: Server) -> None:
    options = server.running.options()
    with closing(open_store(server.kind, options)) as store:
        server.running.execute("DROP TABLE arca_documents", str(options["database"]))
        with pytest.raises(StoreUnavailable, match="the database lacks a table of the store; restore it from a backup"):
            store.get("a")


def test_a_server_that_becomes_read_only_is_said_and_used_again_when_it_is_not(server: Server, store: SqlStore) -> None:
    switch = {
        "postgres": ("ALTER SYSTEM SET default_transaction_read_only = {}", "SELECT pg_reload_conf()"),
        "mysql": ("SET GLOBAL read_only = {}",),
    }[server.kind]

    def says(expected: str) -> bool:
        try:
            put(store, "a")
        except StoreUnavailable as error:
            return expected in str(error)
        return expected == "done"

    for value, expected in (("on", "the server is read-only, as a "), ("off", "done")):
        for statement in switch:
            server.running.execute(statement.format(value))
        assert any(says(expected) for _ in range(1000)), "a session learns of it a moment later, but not this late"


@pytest.mark.parametrize(
    ("codes", "says"),
    [
        (("53100", 1114), "no disk space left; free some"),
        (("53300", 1040), "no connection left"),
        (("55P03", 1205), "another process held a lock for too long"),
    ],
)
def test_what_a_server_lacks_is_said(server: Server, store: SqlStore, codes: tuple[str, int], says: str) -> None:
    statement = server.fail % codes[server.kind == "mysql"]
    with pytest.raises(StoreUnavailable, match=says):
        store._transact(lambda connection: connection.exec_driver_sql(statement))


@pytest.mark.parametrize(("fails", "succeeds"), [(4, True), (5, False)])
def test_a_deadlock_is_tried_again_a_bounded_number_of_times(
    server: Server, store: SqlStore, fails: int, succeeds: bool
) -> None:
    statement = server.fail % ("40P01" if server.kind == "postgres" else 1213)
    attempts = []

    def work(connection: sqlalchemy.Connection) -> str:
        attempts.append(1)
        if len(attempts) <= fails:
            connection.exec_driver_sql(statement)
        return "done"

    if succeeds:
        assert store._transact(work) == "done"
    else:
        with pytest.raises(StoreUnavailable):
            store._transact(work)
    assert len(attempts) == 5


def test_a_server_that_acknowledges_before_the_disk_has_it_is_refused(server: Server) -> None:
    unsafe, safe, says = {
        "postgres": (
            ("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)"),
            ("ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()", "SELECT pg_sleep(0.2)"),
            "fsync = off",
        ),
        "mysql": (
            ("SET GLOBAL innodb_flush_log_at_trx_commit = 2",),
            ("SET GLOBAL innodb_flush_log_at_trx_commit = 1",),
            "innodb_flush_log_at_trx_commit is not 1",
        ),
    }[server.kind]
    for statement in unsafe:
        server.running.execute(statement)
    try:
        with pytest.raises(StoreUnavailable, match=rf"{says}, so a crash could lose what was acknowledged"):
            server.open()
    finally:
        for statement in safe:
            server.running.execute(statement)
    server.open().close()


def test_postgres_waits_for_the_disk_whatever_the_default_of_the_database(postgres_server: RunningPostgres) -> None:
    options = postgres_server.options()
    postgres_server.execute(f"ALTER DATABASE {options['database']} SET synchronous_commit = off")
    with closing(open_store("postgres", options)) as store:
        assert isinstance(store, SqlStore)
        with store._dialect.writer() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


@pytest.mark.parametrize(("application", "ended"), [("arca-dns", True), ("another", False)])
def test_postgres_is_freed_of_a_controller_that_stands_still_in_the_middle_of_a_statement(
    postgres_server: RunningPostgres, monkeypatch: pytest.MonkeyPatch, application: str, ended: bool
) -> None:
    monkeypatch.setattr("arca_dns.store.sql.dialects.postgres.IDLE_SECONDS", 1)
    options = postgres_server.options()

    def hurry(connection: psycopg.Connection, _record: object) -> None:
        connection.execute("SET lock_timeout = '500ms'")
        connection.commit()

    with closing(open_store("postgres", options)) as store:
        assert isinstance(store, SqlStore)
        put(store, "a")
        store._dialect.engine.dispose()
        sqlalchemy.event.listen(store._dialect.engine, "connect", hurry)
        login = {**options, "dbname": options["database"], "application_name": application}
        del login["database"]
        with closing(psycopg.connect(**login)) as stuck:  # type: ignore[arg-type]
            stuck.execute("SET idle_in_transaction_session_timeout = '1s'; SET statement_timeout = '1s'")
            stuck.commit()
            stuck.execute("UPDATE arca_state SET revision = revision")
            parse = b"\0SELECT length($1)\0" + struct.pack("!HI", 1, 25)
            bind = b"\0\0" + struct.pack("!HHi", 0, 1, 20_000) + b"x" * 8_000
            os.write(
                stuck.fileno(),
                b"P" + struct.pack("!I", len(parse) + 4) + parse + b"B" + struct.pack("!I", 20_016) + bind,
            )
            outcomes = []
            for _attempt in range(5):
                with suppress(StoreUnavailable):
                    outcomes.append(put(store, "a"))
        assert bool(outcomes) == ended
        assert put(store, "a")


def test_the_migrations_make_the_tables_that_the_code_uses(server: Server, store: SqlStore) -> None:
    with store._dialect.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == migrations.newest()
        assert compare_metadata(context, tables().metadata) == []


def test_a_newer_schema_is_refused(server: Server) -> None:
    options = server.running.options()
    open_store(server.kind, options).close()
    server.running.execute("UPDATE alembic_version SET version_num = '9999'", str(options["database"]))
    with pytest.raises(StoreError, match=r"schema 9999, this version knows up to 0001: run the newer version"):
        open_store(server.kind, options)


def test_a_migration_that_stops_at_any_statement_is_finished_by_the_next_one(server: Server) -> None:
    class StoppedError(Exception):
        pass

    stopped_at = 0
    while True:
        stopped_at += 1
        options = server.running.options()
        dialect = server.dialect(options)
        seen: list[str] = []

        def stop(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)  # noqa: B023
            if len(seen) == stopped_at:  # noqa: B023
                raise StoppedError

        sqlalchemy.event.listen(dialect.engine, "before_cursor_execute", stop)
        try:
            SqlStore(dialect).close()
            finished = True
        except StoppedError:
            finished = False
        dialect.engine.dispose()
        with closing(open_store(server.kind, options)) as store:
            assert store.commit(Transaction(writes={"a": {}})) == 1
        if finished:
            break
    assert stopped_at > 10


def test_a_value_larger_than_one_statement_is_kept(store: SqlStore) -> None:
    text = "ä'\\" * 1_000_000
    store.commit(Transaction(writes={f"k{n}": {"text": text} for n in range(3)}))
    assert all(document.value == {"text": text} for document in store.scan("k"))


def test_a_longest_key_is_kept_found_and_deleted(store: SqlStore) -> None:
    key = "😀" * 512
    with pytest.raises(ValueError, match="a key is 1 to 2048 octets"):
        put(store, key + "x")
    put(store, key)
    assert [document.key for document in store.scan("😀")] == [key]
    store.commit(Transaction(deletes=[key]))
    assert store.get(key) is None


def test_keys_that_differ_in_case_accents_or_trailing_spaces_are_different(store: SqlStore) -> None:
    written = sorted(["a", "A", "ä", "a ", "a  "])
    put(store, *written)
    assert [document.key for document in store.scan("")] == written


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_server_proves_its_name_and_the_controller_its_own(
    server: Server, authority: Authority, tmp_path: Path
) -> None:
    server.running.use_tls(authority)
    cert_file, key_file = authority.issue("arca")
    other = Authority(tmp_path / "other")
    options = server.running.options()
    files: dict[str, object] = {"cert_file": str(cert_file), "key_file": str(key_file)}
    with closing(open_store(server.kind, {**options, "ca_file": str(authority.ca_file)})) as store:
        assert isinstance(store, SqlStore)
        encrypted = {
            "postgres": "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            "mysql": "SELECT VARIABLE_VALUE FROM information_schema.SESSION_STATUS WHERE VARIABLE_NAME = 'Ssl_version'",
        }[server.kind]
        with store._dialect.reader() as connection:
            assert str(connection.exec_driver_sql(encrypted).scalar()).startswith("TLSv1.")
    with pytest.raises(StoreUnavailable, match="the TLS connection fails; see the option ca_file"):
        open_store(server.kind, {**options, "ca_file": str(other.ca_file)})
    with pytest.raises(StoreUnavailable, match="the TLS connection fails; see the option ca_file"):
        open_store(server.kind, {**options, "host": "localhost", "ca_file": str(authority.ca_file)})
    if server.kind == "mysql":
        server.running.execute("ALTER USER arca@'127.0.0.1', arca@localhost REQUIRE SUBJECT '/CN=arca'")
    try:
        with closing(open_store(server.kind, {**options, "ca_file": str(authority.ca_file), **files})) as store:
            assert isinstance(store, SqlStore)
            if server.kind == "postgres":
                with store._dialect.reader() as connection:
                    asked = "SELECT client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
                    assert connection.exec_driver_sql(asked).scalar() == "/CN=arca"
    finally:
        if server.kind == "mysql":
            server.running.execute("ALTER USER arca@'127.0.0.1', arca@localhost REQUIRE NONE")
