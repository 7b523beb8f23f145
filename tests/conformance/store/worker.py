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
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import count as count_up

import dulwich.repo  # noqa: F401
import psycopg  # noqa: F401 - before the fork
import pymysql  # noqa: F401
import sqlalchemy.dialects.mysql.pymysql
import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings, zone_key
from arca_dns.errors import AlreadyExists, Conflict
from arca_dns.publish.head import HeadKey
from arca_dns.retention import Rules
from arca_dns.service import Service
from arca_dns.store.base import Store, Transaction
from arca_dns.store.open import open_store
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse

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


def ahead_of_time(seconds: float) -> float:
    return time.time() + seconds


def service(store: Store, clock: Callable[[], float]) -> Service:
    rules = Rules(max_versions_per_zone=2, deleted_days=1)
    return Service(store, MemoryKeyStore(), HeadKey.generate(), clock=clock, history=rules)


def change(made: Service, zone: bytes) -> None:
    """Without end: change the unsigned *zone*, now and then delete it and bring it back."""
    content = "@ 300 SOA ns a 1 7200 3600 1209600 300\n@ 300 NS ns\nns 300 A 192.0.2.1\n"
    content += "".join(f"h{number} 300 A 192.0.2.1\n" for number in range(100))
    with suppress(AlreadyExists):
        made.create_zone(zone, parse(content, zone).rrsets, actor="w", settings=ZoneSettings(dnssec=False))
    for n in count_up():
        if n % 7 == 6:
            made.delete_zone(zone, if_version=None, actor="w", force=True)
        if n % 7 == 6 or made.store.get(zone_key(zone)) is None:
            made.undelete(zone, actor="w")
        owner = names.from_text(f"h{n % 100}", zone)
        edit = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 300, [os.urandom(4)]))
        say(f"ack {made.change_zone(zone, [edit], if_version=None, actor='w').version}")


def collect(made: Service) -> None:
    """Without end: remove history and garbage."""
    while True:
        made.retain(whole=True)
        say(f"swept {made.collect().removed}")


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
                ahead = float(arguments[0]) if job in ("change", "collect") else 0.0
                clock = partial(ahead_of_time, ahead)
                store = open_store(kind, options, clock=clock)
                if job == "write":
                    write(store)
                elif job == "count":
                    count(store, arguments[0], int(arguments[1]))
                elif job == "put":
                    put(store, arguments[0])
                elif job == "change":
                    change(service(store, clock), names.from_text(arguments[1]))
                elif job == "collect":
                    collect(service(store, clock))
            except BaseException as error:
                say(f"error {type(error).__name__} {error}")
            os._exit(0)


main()
