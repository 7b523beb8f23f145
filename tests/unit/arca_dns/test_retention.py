# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What of the past goes, what stays however old it is, and what a round costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings, head_history_key
from arca_dns.errors import NotFound
from arca_dns.publish.head import HeadKey
from arca_dns.retention import DAY, Retained, Rules
from arca_dns.service import Service
from arca_dns.store.base import Document, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from clock import Clock

ZONE = names.from_text("example.com.")
OTHER = names.from_text("other.example.")
UNSIGNED = ZoneSettings(dnssec=False)


class CountingStore(MemoryStore):
    """Counts what it is asked, and lets somebody else come first just before a commit."""

    calls = 0
    first: Callable[[], object] | None = None

    def get(self, key: str) -> Document | None:
        self.calls += 1
        return super().get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        self.calls += 1
        return super().scan(prefix, after, limit)

    def commit(self, transaction: Transaction) -> int:
        self.calls += 1
        go, self.first = self.first, None
        if go is not None:
            go()
        return super().commit(transaction)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> CountingStore:
    return CountingStore(clock=clock)


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def make(store: CountingStore, keys: MemoryKeyStore, clock: Clock) -> Callable[..., Service]:
    head = HeadKey.generate()

    def made(**rules: float) -> Service:
        return Service(store, keys, head, clock=clock, history=Rules(**rules))  # type: ignore[arg-type]

    return made


def create(service: Service, name: bytes = ZONE, settings: ZoneSettings = UNSIGNED) -> str:
    content = parse("@ 300 SOA ns a 1 7200 3600 1209600 300\n@ 300 NS ns\nns 300 A 192.0.2.1\n", name).rrsets
    outcome = service.create_zone(name, content, actor="a", settings=settings)
    assert outcome.version is not None
    return outcome.version


def change(service: Service, clock: Clock, times: int, name: bytes = ZONE, seconds: float = 3600) -> list[str]:
    made = []
    for number in range(times):
        clock.now += seconds
        owner = names.from_text("www", name)
        edit = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 300, [(int(clock.now) + number).to_bytes(4, "big")]))
        version = service.change_zone(name, [edit], if_version=None, actor="a").version
        assert version is not None
        made.append(version)
    return made


def versions(service: Service, name: bytes = ZONE) -> list[str]:
    return [one.version for one in service.versions(name)]


def test_by_default_no_version_goes(make: Callable[..., Service], clock: Clock) -> None:
    service = make()
    made = [create(service), *change(service, clock, 5)]
    clock.now += 10_000 * DAY
    assert service.retain(whole=True).versions == 0
    assert versions(service) == made


def test_the_newest_versions_stay_up_to_the_limit(make: Callable[..., Service], clock: Clock) -> None:
    service = make(max_versions_per_zone=3)
    create(service, OTHER)
    made = [create(service), *change(service, clock, 5)]
    assert service.retain(whole=True).versions == 3
    assert versions(service) == made[-3:]
    assert len(versions(service, OTHER)) == 1
    with pytest.raises(NotFound, match="has no version"):
        service.rollback(ZONE, made[0], if_version=None, actor="a")


def test_the_age_of_a_version_counts_from_when_it_was_superseded(make: Callable[..., Service], clock: Clock) -> None:
    service = make(max_age_days=10)
    made = [create(service)]
    made += change(service, clock, 1, seconds=100 * DAY)
    clock.now += 9 * DAY
    service.retain(whole=True)
    assert versions(service) == made, "the first was the current one until nine days ago"
    clock.now += 2 * DAY
    service.retain(whole=True)
    assert versions(service) == made[1:]


def test_the_version_that_is_published_stays(make: Callable[..., Service], store: CountingStore, clock: Clock) -> None:
    service = make(max_versions_per_zone=1)
    first = create(service)
    service.publisher.publish = lambda waiting=None: None  # type: ignore[method-assign]
    made = change(service, clock, 3)
    service.retain(whole=True)
    assert versions(service) == [first, made[-1]]


def test_a_writer_that_is_faster_keeps_what_it_needs(
    make: Callable[..., Service], store: CountingStore, clock: Clock
) -> None:
    service, other = make(max_versions_per_zone=1), make()
    made = [create(service), *change(service, clock, 2)]
    store.first = lambda: other.rollback(ZONE, made[0], if_version=None, actor="b")
    service.retain(whole=True)
    assert versions(service) == [service.zone(ZONE).source.version]
    assert service.rrset(ZONE, names.from_text("www", ZONE), rr.A) is None, "the content of the first"


def test_publications_stay_for_a_day_after_they_were_superseded(
    make: Callable[..., Service], store: CountingStore, clock: Clock
) -> None:
    service = make()
    create(service)
    change(service, clock, 3)
    assert len(store.scan("publication/")) == 4
    assert service.retain(whole=True).publications == 0
    clock.now += DAY - 3600
    assert service.retain(whole=True).publications == 2
    clock.now += 100 * DAY
    assert service.retain(whole=True).publications == 1
    (last,) = store.scan("publication/")
    assert last.value["version"] == service.signed_zone(ZONE)[0].version


def test_what_an_edge_attests_stays(make: Callable[..., Service], store: CountingStore, clock: Clock) -> None:
    service = make()
    create(service)
    attested, version = service.head().revision(), service.signed_zone(ZONE)[0].version
    service.attest("edge1", {"head": attested, "head_held": attested})
    change(service, clock, 3)
    clock.now += 2 * DAY
    removed = service.retain(whole=True)
    assert (removed.heads, removed.publications) == (2, 2)
    assert store.get(head_history_key("stable", attested)) is not None
    kept = [document.value["version"] for document in store.scan("publication/")]
    assert kept == [version, service.signed_zone(ZONE)[0].version]
    service.attest("edge1", {"head": service.head().revision()})
    assert service.retain(whole=True) == Retained(publications=1, heads=1)


def test_a_head_of_before_gets_its_history(make: Callable[..., Service], store: CountingStore) -> None:
    service = make()
    create(service)
    key = head_history_key("stable", service.head().revision())
    store.commit(Transaction(deletes=[key]))
    service.retain(whole=True)
    assert store.get(key) is not None


def test_a_deleted_zone_is_forgotten_in_the_end_but_for_its_serial(
    make: Callable[..., Service], store: CountingStore, keys: MemoryKeyStore, clock: Clock
) -> None:
    service = make(deleted_days=30)
    create(service, OTHER)
    create(service, settings=ZoneSettings(serial="increment"))
    change(service, clock, 250, seconds=1)
    serial = service.signed_zone(ZONE)[0].serial
    service.delete_zone(ZONE, if_version=None, actor="a", force=True)
    clock.now += 30 * DAY - 1
    assert service.retain(whole=True).zones == 0
    assert keys.load(ZONE)
    clock.now += 1
    removed = service.retain(whole=True)
    assert (removed.zones, removed.versions) == (1, 252)
    assert keys.load(ZONE) == []
    left = [document.key for document in store.scan("") if "example.com." in document.key]
    assert left == ["served/example.com."]
    with pytest.raises(NotFound):
        service.undelete(ZONE, actor="a")
    with pytest.raises(NotFound):
        service.versions(ZONE)
    create(service)
    assert rr.serial_newer(service.zone(ZONE).source.serial, serial)


def test_a_deleted_zone_that_comes_back_in_time_stays(
    make: Callable[..., Service], store: CountingStore, keys: MemoryKeyStore, clock: Clock
) -> None:
    service, other = make(), make()
    create(service, OTHER)
    create(service, settings=ZoneSettings())
    service.delete_zone(ZONE, if_version=None, actor="a", force=True)
    clock.now += 31 * DAY
    store.first = lambda: other.undelete(ZONE, actor="b")
    assert service.retain(whole=True).zones == 0
    assert service.zone(ZONE).published is not None
    assert keys.load(ZONE)


def test_keys_that_were_left_are_removed_later(
    make: Callable[..., Service], keys: MemoryKeyStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make()
    create(service, OTHER)
    create(service, settings=ZoneSettings())
    service.delete_zone(ZONE, if_version=None, actor="a", force=True)
    clock.now += 31 * DAY

    def dies(zone: bytes, tag: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(keys, "remove", dies)
        with pytest.raises(KeyboardInterrupt):
            service.retain(whole=True)
    assert keys.load(ZONE)
    service.retain(whole=True)
    assert keys.load(ZONE) == []


def test_with_no_limit_deleted_zones_stay_for_ever(make: Callable[..., Service], clock: Clock) -> None:
    service = make(deleted_days=0)
    create(service, OTHER)
    create(service)
    service.delete_zone(ZONE, if_version=None, actor="a", force=True)
    clock.now += 10_000 * DAY
    service.retain(whole=True)
    assert service.undelete(ZONE, actor="a").applied


def test_a_round_is_a_slice_and_a_pass_begins_once_an_interval(
    make: Callable[..., Service], store: CountingStore, clock: Clock
) -> None:
    service = make(interval=3600, max_versions_per_zone=1)
    create(service)
    change(service, clock, 2, seconds=1)
    template = store.scan("version/")[0].value
    store.commit(Transaction(writes={f"version/z{n:06}./v1": template for n in range(30_000)}))
    seconds = itertools.count(step=0.2)
    service._retention._monotonic = lambda: next(seconds)  # each step takes that long
    store.calls = 0
    total = service.retain()
    assert total.more
    assert store.calls < 20
    rounds = 1
    while total.more:
        total += service.retain()
        rounds += 1
    assert total.versions == 2
    assert 5 < rounds < 10
    store.calls = 0
    clock.now += 3599
    assert service.retain() == Retained()
    assert store.calls == 0, "nothing is read while the interval lasts"
    clock.now += 1
    assert service.retain().more
