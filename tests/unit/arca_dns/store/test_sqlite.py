# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What is SQLite's own: modes, durability settings, migrations, and errors that say what to do."""

from __future__ import annotations

import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from arca_dns.errors import StoreError, StoreUnavailable
from arca_dns.store.base import Changes, Transaction
from arca_dns.store.sql import SqlStore, migrations
from arca_dns.store.sql.dialects import Sqlite
from arca_dns.store.sql.schema import tables


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "made" / "arca.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqlStore]:
    with closing(SqlStore(Sqlite(str(path), busy_timeout=0.05))) as made:
        yield made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_files_are_readable_by_their_owner_only(store: SqlStore, path: Path) -> None:
    store.commit(Transaction(writes={"a": {}}))
    assert {file.name: mode(file) for file in path.parent.iterdir()} == {
        "arca.db": 0o600,
        "arca.db-wal": 0o600,
        "arca.db-shm": 0o600,
    }
    assert mode(path.parent) == 0o700


def test_commits_are_synced_to_a_write_ahead_log(path: Path) -> None:
    dialect = Sqlite(str(path))
    with dialect.engine.connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")
        }
    dialect.engine.dispose()
    assert settings == {"journal_mode": "wal", "synchronous": 2}


def test_keys_are_found_and_scanned_by_index(store: SqlStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for query in (
            "SELECT key FROM arca_documents WHERE key > 'a' AND key < 'b' ORDER BY key LIMIT 9",
            "SELECT key FROM arca_documents WHERE revision > 9",
            "SELECT data FROM arca_blobs WHERE digest IN (x'00', x'01')",
        ):
            plan = " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + query))
            assert "SEARCH" in plan
            assert "TEMP B-TREE" not in plan


def test_the_migrations_make_the_tables_that_the_code_uses(store: SqlStore, path: Path) -> None:
    dialect = Sqlite(str(path))
    with dialect.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == migrations.MIGRATIONS[-1].revision
        assert compare_metadata(context, tables().metadata) == []
    dialect.engine.dispose()


def test_opening_again_changes_nothing(store: SqlStore, path: Path) -> None:
    revision = store.commit(Transaction(writes={"a": {"n": 1}}))
    with closing(SqlStore(Sqlite(str(path)))) as again:
        found = again.get("a")
        assert found is not None
        assert found.revision == revision
        assert again.watch(0, 0).revision == revision


def test_only_the_missing_migrations_run_and_one_that_fails_leaves_the_schema_as_it_was(
    store: SqlStore, path: Path
) -> None:
    ran: list[str] = []

    def second(op) -> None:
        ran.append("second")
        op.create_table("extra", sqlalchemy.Column("x", sqlalchemy.Integer))

    def third(op) -> None:
        raise RuntimeError("halfway")

    steps = (*migrations.MIGRATIONS, migrations.Migration("0002", second))
    dialect = Sqlite(str(path))

    def upgrade(steps) -> list[str]:
        with dialect.migrator() as connection:
            return migrations.upgrade(connection, steps)

    with pytest.raises(RuntimeError, match="halfway"):
        upgrade((*steps, migrations.Migration("0003", third)))
    with dialect.engine.connect() as connection:
        assert migrations.current(connection) == migrations.MIGRATIONS[-1].revision
        assert not sqlalchemy.inspect(connection).has_table("extra")
    assert upgrade(steps) == ["0002"]
    assert upgrade(steps) == []
    assert ran == ["second", "second"]
    dialect.engine.dispose()


def test_a_newer_schema_is_refused(store: SqlStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    dialect = Sqlite(str(path))
    with pytest.raises(StoreError, match=r"schema 9999, this version knows up to 0001: run the newer version"):
        SqlStore(dialect)
    dialect.engine.dispose()


def test_two_that_open_an_empty_file_at_once_make_the_schema_once(path: Path) -> None:
    gate, errors = threading.Barrier(6, timeout=60), []

    def open_it() -> None:
        gate.wait()
        try:
            SqlStore(Sqlite(str(path))).close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []


def test_a_database_that_another_process_holds_is_unavailable_after_the_busy_timeout(
    store: SqlStore, path: Path
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="another process held the database for too long"):
            store.commit(Transaction(writes={"a": {}}))
        other.execute("ROLLBACK")
    store.commit(Transaction(writes={"a": {}}))


def test_a_reader_does_not_wait_for_a_writer(store: SqlStore, path: Path) -> None:
    store.commit(Transaction(writes={"a": {}}))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert store.get("a") is not None
        other.execute("ROLLBACK")


def test_a_full_disk_is_said_and_loses_nothing(store: SqlStore, path: Path) -> None:
    store.commit(Transaction(writes={"a": {"n": 1}}))
    with store._dialect.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable, match="no space left"):
        store.write_blobs({"00" * 32: bytes(10**6)})
    found = store.get("a")
    assert found is not None
    assert found.value == {"n": 1}


def test_what_is_no_database_is_said(tmp_path: Path) -> None:
    bad = tmp_path / "bad.db"
    bad.write_bytes(b"this is a text, not a database\n" * 100)
    dialect = Sqlite(str(bad))
    with pytest.raises(StoreUnavailable, match="not a SQLite database"):
        SqlStore(dialect)
    dialect.engine.dispose()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match=r"cannot open the database .*file/arca.db: "):
        Sqlite(str(tmp_path / "file" / "arca.db"))


def test_an_error_does_not_carry_the_values_of_the_statement(store: SqlStore, path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE arca_documents")
    with pytest.raises(StoreUnavailable) as caught:
        store.commit(Transaction(writes={"key": {"secret": "hunter2"}}))
    assert "hunter2" not in str(caught.value)
    assert str(caught.value).endswith("the database lacks a table of the store; restore it from a backup")
    assert caught.value.__suppress_context__


def test_old_deletions_are_forgotten_and_who_asks_for_them_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arca_dns.store.sql.store._PRUNING_EVERY", 10)
    with closing(SqlStore(Sqlite(str(path)), remembered=20)) as store:
        store.commit(Transaction(writes={"old": {}, "kept": {}}))
        store.commit(Transaction(deletes=["old"]))
        assert store.watch(1, 0) == Changes(2, ("old",))
        for _ in range(24):
            store.commit(Transaction(writes={"kept": {}}))
        store.commit(Transaction(writes={"young": {}}))
        store.commit(Transaction(deletes=["young"]))
        assert store.watch(1, 0).complete is False
        assert store.watch(7, 0).complete is False
        assert store.watch(8, 0) == Changes(28, ("kept", "young"))
        assert store.watch(0, 0).complete is True
        while store.commit(Transaction()) < 50:
            pass
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("SELECT key FROM arca_deletions").fetchall() == [("young",)]


@pytest.mark.parametrize("key", ["", "a\0b", "x" * 2049, "ä" * 1025])
def test_a_key_that_not_every_backend_can_keep_is_refused(store: SqlStore, key: str) -> None:
    with pytest.raises(ValueError, match="a key is 1 to 2048 octets"):
        store.commit(Transaction(writes={key: {}}))


class Contended:
    """A connection to a file that another process is turning to write-ahead logging at this moment, *times* over."""

    def __init__(self, times: int, message: str = "database is locked") -> None:
        self.left, self.message = times, message

    def execute(self, _statement: str) -> Contended:
        self.left -= 1
        if self.left >= 0:
            raise sqlite3.OperationalError(self.message)
        return self

    def close(self) -> None:
        pass


def test_two_that_make_a_database_at_once_wait_for_each_other(tmp_path: Path) -> None:
    dialect = Sqlite(str(tmp_path / "state.sqlite"), busy_timeout=10)
    contended = Contended(3)
    dialect._write_ahead(contended)  # type: ignore[arg-type]
    assert contended.left == -1
    with pytest.raises(sqlite3.OperationalError, match="disk I/O"):
        dialect._write_ahead(Contended(1, "disk I/O error"))  # type: ignore[arg-type]
    impatient = Sqlite(str(tmp_path / "other.sqlite"), busy_timeout=0)
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        impatient._write_ahead(Contended(1))  # type: ignore[arg-type]
