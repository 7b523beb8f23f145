# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Several processes on one durable backend, and processes that are killed while they write."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import pytest

from arca_dns.store.base import Store, Transaction

pytestmark = pytest.mark.conformance

KILLS = 25
GROUP = 5


def acknowledged(lines: list[str]) -> list[list[str]]:
    assert not [line for line in lines if not line.startswith("ack ")], lines
    return [line.split()[1:] for line in lines]


def check_whole(store: Store, acks: int) -> int:
    """Every acknowledged write is there, and no transaction is there by half; returns the count."""
    store.commit(Transaction())  # a server may still be applying what a killed process had asked for: wait for that
    found = store.get("count")
    count = int(str(found.value["n"])) if found else 0
    assert count >= acks, "an acknowledged write is lost"
    group = store.scan("group/")
    assert len(group) == (GROUP if count else 0)
    assert all(document.value["n"] == count for document in group), "half a transaction is there"
    log = store.scan("log/")
    assert [d.key for d in log] == [f"log/{n:08}" for n in range(max(1, count - 19), count + 1)]
    named = {str(document.value["blob"]) for document in [*group, *log]}
    blobs = store.read_blobs(named)
    assert set(blobs) == named, "a blob that a document names is lost"
    assert all(hashlib.sha256(data).hexdigest() == digest for digest, data in blobs.items())
    return count


def test_processes_that_compare_and_set_lose_no_count(durable, workers) -> None:
    for number in range(4):
        workers.start("count", f"w{number}", 50)
    acks = acknowledged(workers.wait())
    store = durable.open()
    found = store.get("count")
    assert found is not None
    assert found.value == {"n": 200}
    assert sorted(int(n) for n, _, _ in acks) == list(range(1, 201))
    assert {f"by/{int(n):06}": who for n, _, who in acks} == {d.key: d.value["who"] for d in store.scan("by/")}
    revisions = [int(revision) for _, revision, _ in sorted(acks, key=lambda ack: int(ack[0]))]
    assert revisions == sorted(set(revisions))
    assert Counter(who for _, _, who in acks) == {f"w{number}": 50 for number in range(4)}


def test_watch_sees_a_commit_of_another_process(durable, workers) -> None:
    store = durable.open()
    revision = store.commit(Transaction(writes={"a": {}}))
    workers.start("put", "from-elsewhere")
    assert store.watch(revision, 60).keys == ("from-elsewhere",)
    workers.wait()


def test_a_writer_killed_at_any_moment_loses_nothing_and_leaves_nothing_half_done(durable, workers) -> None:
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    acks = written = 0
    for turn in range(KILLS):
        pid = workers.start("write")
        # Some die while they connect, the others some time after their first acknowledged write.
        said = [] if turn % 5 == 0 else workers.first()
        said += workers.said(moments.uniform(0.0, 0.12 if durable.kind == "sqlite" else 0.3))
        workers.kill(pid)
        said += workers.wait()
        acks = max([acks, *(int(n) for n, _ in acknowledged(said))])
        written = check_whole(durable.open(), acks)
        durable.handles.pop().close()
    assert written > KILLS, f"the writers hardly wrote (seed {seed})"


def test_a_process_killed_while_it_makes_the_schema_leaves_a_store_that_opens(durable, empty, workers) -> None:
    moments = random.Random()
    for _ in range(8):
        backend = empty()
        workers.use(backend)
        pid = workers.start("write")
        workers.said(moments.uniform(0.0, 0.02 if durable.kind == "sqlite" else 0.06))
        workers.kill(pid)
        workers.wait()
        check_whole(backend.open(), 0)


def test_processes_that_open_an_empty_store_at_once_all_succeed(workers) -> None:
    for number in range(8):
        workers.start("put", f"k{number}")
    assert len(acknowledged(workers.wait())) == 8
