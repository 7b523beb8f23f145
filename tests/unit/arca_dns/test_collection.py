# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Garbage collection: what goes, what stays, and that nothing goes where something is damaged.

Writers in between are in tests/conformance/store/test_collection.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from arca_dns.collection import ORDER, Marks
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings
from arca_dns.errors import CorruptBlob, MissingBlob
from arca_dns.moving.reach import Walk, roots
from arca_dns.publish.head import HeadKey
from arca_dns.retention import DAY, Rules
from arca_dns.service import Service
from arca_dns.store.base import Document, Transaction
from arca_dns.store.common import everything
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from clock import Clock

ZONE = names.from_text("example.com.")


class Store(MemoryStore):
    """Says what it holds, and counts what is read."""

    read = 0

    def digests(self) -> set[str]:
        return set(self._blobs)

    def lose(self, digest: str) -> None:
        del self._blobs[digest]

    def damage(self, digest: str) -> None:
        written, data = self._blobs[digest]
        self._blobs[digest] = (written, data + b"\0")

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        found = super().read_blobs(digests)
        self.read += len(found)
        return found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> Store:
    return Store(clock=clock)


@pytest.fixture
def service(store: Store, clock: Clock) -> Service:
    return Service(store, MemoryKeyStore(), HeadKey.generate(), clock=clock, history=Rules(max_versions_per_zone=1))


def create(service: Service, name: bytes = ZONE, hosts: int = 5, settings: ZoneSettings | None = None) -> str:
    lines = ["@ 300 SOA ns a 1 7200 3600 1209600 300", "@ 300 NS ns", "ns 300 A 192.0.2.1"]
    lines += [f"host{number} 300 A 192.0.2.2" for number in range(hosts)]
    outcome = service.create_zone(name, parse("\n".join(lines) + "\n", name).rrsets, actor="a", settings=settings)
    assert outcome.version is not None
    return outcome.version


def change(service: Service, address: int) -> None:
    owner = names.from_text("www", ZONE)
    edit = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 300, [address.to_bytes(4, "big")]))
    assert service.change_zone(ZONE, [edit], if_version=None, actor="a").published


def needed(store: Store) -> set[str]:
    """What documents need, by the code that copies stores."""
    walk = Walk(store.read_blobs)
    return {
        digest
        for document in everything(store, "")
        for found in walk.below(roots(document.key, document.value))
        for digest in found
    }


def test_what_documents_need_stays_and_the_rest_goes(service: Service, store: Store, clock: Clock) -> None:
    create(service)
    create(service, names.from_text("big.example."), 3000, ZoneSettings(policy={"denial": "nsec3"}))
    create(service, names.from_text("unsigned.example."), settings=ZoneSettings(dnssec=False))
    for address in range(5):
        change(service, address)
    clock.now += 2 * DAY
    assert service.retain(whole=True).versions == 5
    wanted = needed(store)
    before = store.digests()
    result = service.collect()
    assert store.digests() == wanted
    assert (result.kept, result.removed) == (len(wanted), len(before - wanted))
    assert result.removed > 10


def test_what_was_written_lately_stays(service: Service, store: Store, clock: Clock) -> None:
    store.write_blobs({"ab" * 32: b"x"})
    clock.now += 3599
    assert service.collect().removed == 0
    clock.now += 2
    assert service.collect().removed == 1


def test_what_is_written_while_marking_takes_long_stays(service: Service, store: Store, clock: Clock) -> None:
    create(service)
    store.write_blobs({"ab" * 32: b"old"})
    clock.now += 3601

    def slowly() -> Iterable[str]:
        store.write_blobs({"cd" * 32: b"new"})
        clock.now += 100 * 3600
        yield from Marks(store).needed()

    assert store.sweep(slowly()) == 1
    assert "cd" * 32 in store.digests()


def test_the_catalog_that_an_edge_attests_stays_whole(service: Service, store: Store, clock: Clock) -> None:
    create(service)
    held = service.publisher.line()
    assert held is not None
    entry = service.publisher.catalog(Blobs(store.read_blobs)).get(ZONE)
    assert entry is not None
    service.attest("edge1", {"head": held.head.revision})
    for address in range(3):
        change(service, address)
        clock.now += 2 * DAY
    service.retain(whole=True)
    service.collect()
    assert held.head.catalog in store.digests()
    assert set(ZoneRoot.load(Blobs(store.read_blobs), entry.root).blobs(entry.root)) <= store.digests()


def test_leaves_of_zones_are_not_read(service: Service, store: Store) -> None:
    create(service, hosts=5000)
    store.read = 0
    marks = Marks(store)
    found = len(set(marks.needed()))
    assert found == len(marks) > 120
    assert store.read < 50


@pytest.mark.parametrize(("harm", "error"), [(Store.lose, MissingBlob), (Store.damage, CorruptBlob)])
def test_where_a_node_is_damaged_nothing_goes_and_its_document_is_named(
    service: Service, store: Store, clock: Clock, harm, error: type[Exception]
) -> None:
    create(service)
    store.write_blobs({"ab" * 32: b"garbage"})
    clock.now += DAY
    harm(store, service.zone(ZONE).source.root)
    with pytest.raises(error, match=r"zone/example\.com\. needs: nothing is collected"):
        service.collect()
    assert "ab" * 32 in store.digests()


def test_a_document_that_goes_while_it_is_read_does_no_harm(store: Store, clock: Clock) -> None:
    """Its tree breaks off where another collection has been; what it shares with others is followed all the same."""

    class Going(Store):
        gone = False

        def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
            wanted = list(digests)
            if lost in wanted and not self.gone:
                self.gone = True
                self.commit(Transaction(deletes=["doomed"]))
            return super().read_blobs(digest for digest in wanted if digest != lost or not self.gone)

    made = Going(clock=clock)
    service = Service(made, MemoryKeyStore(), HeadKey.generate(), clock=clock)
    lost = ""
    create(service, hosts=500)
    root = service.zone(ZONE).source.root
    lost = "ef" * 32
    made.commit(Transaction(writes={"doomed": {"root": root, "catalog": lost}}))
    wanted = needed_without(made, "doomed")
    made.gone = False
    assert set(Marks(made).needed()) >= wanted
    assert made.get("doomed") is None


def needed_without(store: Store, key: str) -> set[str]:
    walk = Walk(store.read_blobs)
    return {
        digest
        for document in everything(store, "")
        if document.key != key
        for found in walk.below(roots(document.key, document.value))
        for digest in found
    }


def test_documents_are_read_in_the_order_of_the_proof(service: Service, store: Store) -> None:
    seen: list[str] = []

    class Recording(Store):
        def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
            found = store.scan(prefix, after, limit)
            if prefix:
                seen.extend(document.key for document in found)
            return found

        def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
            return store.read_blobs(digests)

    create(service, names.from_text("other.example."))
    create(service)
    change(service, 1)
    service.delete_zone(names.from_text("other.example."), if_version=None, actor="a")
    service.attest("edge1", {"head": 1})
    list(Marks(Recording()).needed())
    assert len(seen) == len(set(seen))
    places = [next(at for at, prefix in enumerate(ORDER) if key.startswith(prefix)) for key in seen]
    assert places == sorted(places)
    assert set(places) == set(range(len(ORDER)))
    own = [key for key in seen if key.startswith("version/example.com.")]
    assert own == sorted(own)
