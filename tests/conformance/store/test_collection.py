# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Whatever writers, deletions, retention and collections do between each other's calls, no document lacks a blob.

Two controllers share a store. One is stopped before any of its calls to the store, and the other does whole operations
meanwhile; time passes at such moments too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random

import pytest
from hypothesis import Phase, given, settings, strategies as st

from arca_dns.collection import Collected
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings
from arca_dns.errors import AlreadyExists, Conflict, MissingBlob, NotFound, StaleVersion
from arca_dns.moving.reach import Walk, roots
from arca_dns.publish.head import HeadKey
from arca_dns.retention import DAY, Rules
from arca_dns.service import Service
from arca_dns.store.base import Changes, Document, Store, Transaction
from arca_dns.store.common import everything
from arca_dns.store.memory import MemoryStore
from arca_dns.store.open import open_store
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse

pytestmark = pytest.mark.conformance

KILLS = 5
KEY, KEYS = HeadKey.generate(), MemoryKeyStore()
ZONES = [names.from_text(name) for name in ("a.example.", "b.example.", "signed.example.")]
RULES = Rules(max_versions_per_zone=1, max_age_days=1, deleted_days=2, interval=0)
#: What somebody else may have done just before.
EXPECTED = (NotFound, AlreadyExists, Conflict, StaleVersion)


@lru_cache
def content(zone: bytes, variant: int) -> tuple[rr.RRset, ...]:
    hosts = 8 if zone == ZONES[2] else 150
    lines = ["@ 300 SOA ns a 1 7200 3600 1209600 300", "@ 300 NS ns", "ns 300 A 192.0.2.1"]
    lines += [f"h{number} 300 A 192.0.2.{variant if number % 50 == variant else 9}" for number in range(hosts)]
    return parse("\n".join(lines) + "\n", zone).rrsets


class Stopped:
    """A store that does something else just before its call number *at*."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls = 0
        self.at = -1
        self.then: Callable[[], object] = lambda: None
        self.hurried = False  # between write_blobs and the commit

    def _step(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.then()

    def get(self, key: str) -> Document | None:
        self._step()
        return self._store.get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        self._step()
        return self._store.scan(prefix, after, min(limit, 3))  # small pages, for more moments in between

    def commit(self, transaction: Transaction) -> int:
        self._step()
        self.hurried = False
        return self._store.commit(transaction)

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        self._step()
        return self._store.read_blobs(digests)

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        self._step()
        self.hurried = True
        self._store.write_blobs(blobs)

    def watch(self, after: int, timeout: float) -> Changes:
        return self._store.watch(after, timeout)

    def sweep(self, keep: Iterable[str]) -> int:
        self._step()

        def found() -> Iterator[str]:
            yield from keep
            self._step()

        return self._store.sweep(found())

    def close(self) -> None:
        self._store.close()


def create(service: Service, zone: bytes, variant: int) -> None:
    signed = ZoneSettings(dnssec=zone == ZONES[2])
    service.create_zone(zone, content(zone, variant), actor="a", settings=signed)


def replace(service: Service, zone: bytes, variant: int) -> None:
    service.replace_zone(zone, content(zone, variant), if_version=None, actor="a", force=True)


def change(service: Service, zone: bytes, variant: int) -> None:
    owner = names.from_text(f"h{variant}", zone)
    edit = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 300, [bytes([10, 0, 0, variant])]))
    service.change_zone(zone, [edit], if_version=None, actor="a", force=True)


def rollback(service: Service, zone: bytes, variant: int) -> None:
    versions = [one.version for one in service.versions(zone) if one.root] or [""]
    service.rollback(zone, versions[variant % len(versions)], if_version=None, actor="a", force=True)


def delete(service: Service, zone: bytes, _variant: int) -> None:
    service.delete_zone(zone, if_version=None, actor="a", force=True)


OPERATIONS: dict[str, Callable[[Service, bytes, int], object]] = {
    "create": create,
    "replace": replace,
    "change": change,
    "rollback": rollback,
    "delete": delete,
    "undelete": lambda service, zone, _variant: service.undelete(zone, actor="a"),
    "maintain": lambda service, _zone, _variant: service.maintain(),
    "attest": lambda service, _zone, variant: service.attest(f"edge{variant % 2}", {"head": service.head().revision()}),
    "retain": lambda service, _zone, _variant: service.retain(whole=True),
    "collect": lambda service, _zone, _variant: service.collect(),
}
#: What somebody else does meanwhile: half of the time what makes garbage of the past and removes it.
CLEANING = [["retain", "collect"], ["collect"], ["change", "retain", "collect"], ["delete", "retain", "collect"]]
WEIGHTS = {"rollback": 4, "undelete": 5, "collect": 4, "change": 3}


class Controllers:
    """Two controllers on one store, and the clock."""

    def __init__(
        self, open_it: Callable[[Callable[[], float]], Store], random: Random, zones: Sequence[bytes] = ZONES
    ) -> None:
        self.random = random
        self.now = 1_800_000_000.0
        self.raw = open_it(lambda: self.now)
        self.stopped = Stopped(self.raw)
        self.one, self.other = (
            Service(store, KEYS, KEY, clock=lambda: self.now, history=RULES) for store in (self.stopped, self.raw)
        )
        self.serials: dict[str, int] = {}
        self.calls: dict[str, int] = {}
        self.removed = 0
        for zone in zones:
            create(self.other, zone, 1)

    def run(self, steps: int) -> None:
        """Do *steps* random things; the store is looked at after each that has removed blobs, and at the end."""
        for _ in range(steps):
            before = self.removed
            self.step()
            if self.removed != before:
                self.check()
        self.check()

    def step(self) -> None:
        chance = self.random.random()
        if chance < 0.25:
            self.now += self.random.choice([1, 1900, 4000, 4000, DAY, 3 * DAY])
        elif chance < 0.5:
            self.do(self.other, self.pick(), self.random.choice(ZONES))
        else:
            self.stop_in_between()

    def pick(self) -> str:
        return self.random.choices(list(OPERATIONS), [WEIGHTS.get(name, 1) for name in OPERATIONS])[0]

    def do(self, service: Service, name: str, zone: bytes) -> None:
        try:
            result = OPERATIONS[name](service, zone, self.random.randint(1, 6))
        except EXPECTED:
            return
        except MissingBlob:
            # Who reads for long what is removed meanwhile is told so, and writes nothing.
            assert service is self.one
            assert name != "collect"
            return
        if isinstance(result, Collected):
            self.removed += result.removed

    def stop_in_between(self) -> None:
        name, zone = self.pick(), self.random.choice(ZONES)
        cleaning = self.random.random() < 0.5
        meanwhile = (
            self.random.choice(CLEANING) if cleaning else [self.pick() for _ in range(self.random.randint(1, 4))]
        )

        def then() -> None:
            # Who has written blobs must commit within half of the grace; all else may take its time.
            pauses = [0, 10, 850] if self.stopped.hurried else [0, 10, 4000, 3 * DAY]
            self.now += self.random.choice(pauses)
            for one in meanwhile:
                self.do(self.other, one, zone if self.random.random() < 0.7 else self.random.choice(ZONES))
            self.now += self.random.choice(pauses)

        stopped = self.stopped
        stopped.calls, stopped.hurried, stopped.then = 0, False, then
        stopped.at = self.random.randint(1, self.calls.get(name, 20))
        self.do(self.one, name, zone)
        self.calls[name] = max(stopped.calls, 2)
        stopped.at = -1

    def check(self) -> None:
        """Every document has its blobs, to the last leaf, and what belongs together is there together."""
        walk = Walk(self.raw.read_blobs)
        documents = {document.key: document.value for document in everything(self.raw, "")}
        for key, value in documents.items():
            for _blobs in walk.below(roots(key, value)):
                pass
            kind, _slash, name = key.partition("/")
            if kind == "zone":
                twin = documents[f"version/{name}/{value['version']}"]
                assert (twin["root"], twin["serial"]) == (value["root"], value["serial"])
            elif kind == "published":
                assert documents[f"publication/{name}/{value['version']}"] == value
                assert f"version/{name}/{value['source']}" in documents
                serial = int(str(value["serial"]))
                before = self.serials.get(name, serial)
                assert before == serial or rr.serial_newer(serial, before), f"{name} goes back"
                self.serials[name] = serial
            elif kind == "deleted":
                assert documents[f"version/{name}/{value['last']}"]["root"]
                assert f"zone/{name}" not in documents


SIGNED, PLAIN = ZONES[2], ZONES[0]
#: What one controller does, what the other does at a moment in between, how long that takes, and in which zone.
MEETINGS = {
    "a rollback, whose target goes": ("rollback", ["retain", "collect"], 10, PLAIN),
    "a change, whose zone moves on": ("change", ["change", "retain", "collect"], 10, PLAIN),
    "a publication, and another": ("change", ["change", "retain", "collect"], 10, SIGNED),
    "an undelete as retention ends": ("undelete", ["retain", "collect"], 3 * DAY, PLAIN),
    "a deletion, undone": ("delete", ["undelete", "retain", "collect"], 10, PLAIN),
    "a collection, and writers": ("collect", ["change", "rollback", "retain"], 4000, PLAIN),
    "a collection, and a return": ("collect", ["delete", "undelete", "retain"], 4000, SIGNED),
    "a collection, and the end of a zone": ("collect", ["delete", "create", "retain"], 4000, PLAIN),
    "a collection, and another": ("collect", ["change", "retain", "collect"], 4000, SIGNED),
    "retention, and writers": ("retain", ["rollback", "collect"], 4000, PLAIN),
    "retention, and itself": ("retain", ["change", "retain", "collect"], 4000, SIGNED),
    "the end of a zone, and its return": ("forget", ["undelete", "collect"], 0, SIGNED),
}


@pytest.mark.parametrize("meeting", MEETINGS)
def test_no_document_lacks_a_blob_wherever_two_controllers_meet(meeting: str) -> None:
    at, stopped = 0, True
    while stopped:
        at += 1
        stopped = meet(*MEETINGS[meeting], at)
    assert at > 5


def meet(name: str, meanwhile: list[str], pause: int, zone: bytes, at: int) -> bool:
    """Whether the first has made as many calls as *at*, before which the other comes."""
    controllers = Controllers(lambda clock: MemoryStore(clock=clock), Random(at), [zone])
    for variant in (2, 3, 4):
        controllers.now += 2 * DAY  # so that nothing but versions holds what was before
        replace(controllers.other, zone, variant)
    controllers.now += 2 * DAY
    if name in ("undelete", "forget"):
        delete(controllers.other, zone, 0)
        controllers.now += 3 * DAY if name == "forget" else 7200
    met = []

    def then() -> None:
        met.append(at)
        controllers.now += 0 if controllers.stopped.hurried else pause
        for one in meanwhile:
            controllers.do(controllers.other, one, zone)
        controllers.now += 0 if controllers.stopped.hurried else pause

    controllers.stopped.at, controllers.stopped.then = at, then
    controllers.do(controllers.one, "retain" if name == "forget" else name, zone)
    controllers.check()
    controllers.now += 7200
    for service in (controllers.one, controllers.other):
        service.maintain()
        service.collect()
        controllers.check()
    return bool(met)


def simulate(open_it: Callable[[Callable[[], float]], Store], seed: int, steps: int) -> int:
    controllers = Controllers(open_it, Random(seed))
    try:
        controllers.run(steps)
    finally:
        controllers.raw.close()
    return controllers.removed


@settings(max_examples=15, deadline=None, derandomize=True, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32))
def test_no_document_ever_lacks_a_blob_in_memory(seed: int) -> None:
    assert simulate(lambda clock: MemoryStore(clock=clock), seed, 150) > 0


def test_no_document_ever_lacks_a_blob_in_sqlite(tmp_path: Path) -> None:
    def opened(clock: Callable[[], float]) -> Store:
        return open_store("sqlite", {"path": f"{tmp_path}/state.sqlite"}, clock=clock)

    assert simulate(opened, 1, 150) > 100


def test_collectors_and_writers_that_are_killed_leave_every_tree_whole(durable, workers) -> None:
    """Each round is two days after the one before, so what it finds is old enough to be swept."""
    store, random, said = durable.open(), Random(durable.kind), []
    for number in range(KILLS):
        ahead = number * 2 * DAY
        jobs = [("change", ahead, "a.example."), ("change", ahead, "b.example."), ("collect", ahead)]
        pids = [workers.start(*job) for job in jobs]
        acks = 0
        for _ in range(600):
            found = workers.said(0.1)
            said += found
            acks += sum(line.startswith("ack") for line in found)
            if acks > 5:
                break
        said += workers.said(random.uniform(0, 0.3))
        for pid in pids:
            workers.kill(pid)
        said += workers.wait()
        store.commit(Transaction())  # a server may still be applying what a killed process had asked for
        walk = Walk(store.read_blobs)
        for document in everything(store, ""):
            for _blobs in walk.below(roots(document.key, document.value)):
                pass
    assert [line for line in said if line.startswith("error")] == []
    assert sum(int(line.split()[1]) for line in said if line.startswith("swept")) > 0
    assert len([line for line in said if line.startswith("ack")]) > 5 * KILLS
