# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Empty stores on real servers of the benchmark's own, and what the same server does in a bare client beside them."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pymysql

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from running_etcd import RunningEtcd
from running_mysql import RunningMysql
from running_postgres import RunningPostgres

KINDS = ("memory", "sqlite", "postgres", "mysql", "etcd", "git")
#: What each row or document of the comparison holds.
ROW = "x" * 300

#: Makes row *n* durable.
Raw = Callable[[int], object]


@dataclass(frozen=True)
class Backend:
    """*options* gives those of another empty store at each call; *raw* makes rows on the same server."""

    options: Callable[[], dict[str, object]]
    raw: Callable[[], AbstractContextManager[Raw]]


@contextlib.contextmanager
def raw_memory() -> Iterator[Raw]:
    rows: dict[int, str] = {}
    yield lambda n: rows.update({n: ROW})


@contextlib.contextmanager
def raw_sqlite(path: Path) -> Iterator[Raw]:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        db.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, v TEXT)")
        insert = "INSERT INTO raw VALUES (?, ?)"
        yield lambda n: (db.execute("BEGIN IMMEDIATE"), db.execute(insert, (n, ROW)), db.execute("COMMIT"))


@contextlib.contextmanager
def raw_git(path: Path) -> Iterator[Raw]:
    git = ["git", "-C", str(path), "-c", "user.name=bench", "-c", "user.email=bench@bench.test", "-c", "core.fsync=all"]
    subprocess.run(["git", "init", "-q", str(path)], check=True)

    def commit(number: int) -> None:
        (path / "row").write_text(f"{number} {ROW}")
        subprocess.run([*git, "add", "row"], check=True)
        subprocess.run([*git, "commit", "-q", "-m", "row"], check=True)

    yield commit


@contextlib.contextmanager
def raw_postgres(options: Mapping[str, object]) -> Iterator[Raw]:
    given = {"dbname" if name == "database" else name: value for name, value in options.items()}
    with psycopg.connect(**given) as db:  # type: ignore[arg-type]
        db.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, v TEXT)")
        db.commit()

        def commit(number: int) -> None:
            db.execute("INSERT INTO raw VALUES (%s, %s)", (number, ROW))
            db.commit()

        yield commit


@contextlib.contextmanager
def raw_mysql(options: Mapping[str, object]) -> Iterator[Raw]:
    with pymysql.connect(**options) as db, db.cursor() as cursor:  # type: ignore[call-overload]
        cursor.execute("CREATE TABLE raw (n INTEGER PRIMARY KEY, v TEXT)")

        def commit(number: int) -> None:
            cursor.execute("INSERT INTO raw VALUES (%s, %s)", (number, ROW))
            db.commit()

        yield commit


@contextlib.contextmanager
def raw_etcd(port: int) -> Iterator[Raw]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:

        def commit(number: int) -> None:
            key, value = (base64.b64encode(text.encode()).decode() for text in (f"raw/{number}", ROW))
            connection.request("POST", "/v3/kv/put", json.dumps({"key": key, "value": value}))
            connection.getresponse().read()

        yield commit


@contextlib.contextmanager
def backend(kind: str, folder: Path) -> Iterator[Backend]:
    """The backend *kind*, its server running; all that it keeps is in *folder*."""
    numbers = iter(range(1, 1000))
    if kind == "memory":
        yield Backend(dict, raw_memory)
    elif kind == "sqlite":
        yield Backend(lambda: {"path": str(folder / f"{next(numbers)}.db")}, lambda: raw_sqlite(folder / "raw.db"))
    elif kind == "git":
        yield Backend(lambda: {"path": str(folder / f"{next(numbers)}.git")}, lambda: raw_git(folder / "raw"))
    else:
        server: RunningPostgres | RunningMysql | RunningEtcd
        if kind == "postgres":
            server = postgres = RunningPostgres(folder / "server")
            raw: Callable[[], AbstractContextManager[Raw]] = lambda: raw_postgres(postgres.options())  # noqa: E731
        elif kind == "mysql":
            server = mysql = RunningMysql(folder / "server")
            raw = lambda: raw_mysql(mysql.options())  # noqa: E731
        else:
            server = etcd = RunningEtcd(folder / "server", quota=8 << 30)
            raw = lambda: raw_etcd(etcd.port)  # noqa: E731
        server.start()
        try:
            yield Backend(server.options, raw)
        finally:
            server.stop()
