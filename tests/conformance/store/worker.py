# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A process that works on a store and may be killed at any moment: it says what the store acknowledged.

The server reads jobs from standard input and forks a process for each; the store is opened after the fork.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys

import dulwich.repo  # noqa: F401
import psycopg  # noqa: F401 - before the fork
import pymysql  # noqa: F401
import sqlalchemy.dialects.mysql.pymysql
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

from arca_dns.errors import Conflict
from arca_dns.store.base import Store, Transaction
from arca_dns.store.open import open_store

GROUP = 5


def say(text: str) -> None:
    os.write(1, (text + "\n").encode())


def write(store: Store) -> None:
    """Without end: a blob, then one transaction that names it in GROUP documents and counts."""
    while True:
        found = store.get("count")
        n = 1 + (int(str(found.value["n"])) if found else 0)
        data = b"%d " % n * 2000
        digest = hashlib.sha256(data).hexdigest()
        store.write_blobs({digest: data})
        writes = {f"group/{i}": {"n": n, "blob": digest} for i in range(GROUP)}
        writes["count"] = {"n": n}
        writes[f"log/{n:08}"] = {"blob": digest}
        gone = [f"log/{n - 20:08}"]
        revision = store.commit(Transaction({"count": found.revision if found else 0}, writes, gone))
        say(f"ack {n} {revision}")


def count(store: Store, name: str, times: int) -> None:
    """Compare and set *times* times."""
    done = 0
    while done < times:
        found = store.get("count")
        n = 1 + (int(str(found.value["n"])) if found else 0)
        try:
            writes = {"count": {"n": n}, f"by/{n:06}": {"who": name}}
            revision = store.commit(Transaction({"count": found.revision if found else 0}, writes))
        except Conflict:
            continue
        say(f"ack {n} {revision} {name}")
        done += 1


def put(store: Store, key: str) -> None:
    say(f"ack {store.commit(Transaction(writes={key: {}}))}")


def main() -> None:
    kind, options = sys.argv[1], json.loads(sys.argv[2])
    for line in sys.stdin:
        job, *arguments = line.split()
        if job == "use":
            options = json.loads(line.partition(" ")[2])
            continue
        if job == "wait":
            try:
                while True:
                    os.waitpid(-1, 0)
            except ChildProcessError:
                say("waited")
            continue
        if os.fork() == 0:
            say(f"pid {os.getpid()}")
            try:
                store = open_store(kind, options)
                if job == "write":
                    write(store)
                elif job == "count":
                    count(store, arguments[0], int(arguments[1]))
                elif job == "put":
                    put(store, arguments[0])
            except BaseException as error:
                say(f"error {type(error).__name__} {error}")
            os._exit(0)


main()
