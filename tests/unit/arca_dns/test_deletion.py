# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones that are deleted and come back: content, settings, keys and history, and serials that never go back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.documents import Served, ZoneSettings, encode, served_key
from arca_dns.errors import AlreadyExists, ChecksFailed, NotFound
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change, Thresholds
from arca_dns.zone.text import parse
from clock import Clock

ZONE = names.from_text("example.com.")
OTHER = names.from_text("other.example.")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryStore:
    return MemoryStore(clock=clock)


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


@pytest.fixture
def service(store: MemoryStore, keys: MemoryKeyStore, clock: Clock) -> Iterator[Service]:
    made = Service(store, keys, HeadKey.generate(), clock=clock)
    create(made, OTHER)
    yield made
    made.close()


def rrsets(name: bytes, serial: int = 10) -> tuple[rr.RRset, ...]:
    lines = [f"@ 300 SOA ns1 hostmaster {serial} 7200 3600 1209600 300", "@ 300 NS ns1", "ns1 300 A 192.0.2.1"]
    lines += [f"host{number} 300 A 192.0.2.{number}" for number in range(12)]
    return parse("\n".join(lines) + "\n", name).rrsets


def create(service: Service, name: bytes, settings: ZoneSettings | None = None, serial: int = 10) -> str:
    outcome = service.create_zone(name, rrsets(name, serial), actor="alice", settings=settings)
    assert outcome.published, outcome.problem
    assert outcome.version is not None
    return outcome.version


def delete(service: Service, name: bytes = ZONE) -> None:
    outcome = service.delete_zone(name, if_version=None, actor="bob", reason="by mistake", force=True)
    assert outcome.published, outcome.problem


def test_an_undeleted_zone_has_its_content_settings_keys_and_history(service: Service, clock: Clock) -> None:
    settings = ZoneSettings(serial="increment", thresholds=Thresholds(0.5, 20))
    first = create(service, ZONE, settings)
    root, ds, created = service.zone(ZONE).source.root, service.ds(ZONE), service.zone(ZONE).source.created
    clock.now += 60
    delete(service)
    clock.now += 60
    outcome = service.undelete(ZONE, actor="carol", reason="it was needed")
    assert outcome.applied
    assert outcome.published, outcome.problem
    info = service.zone(ZONE)
    assert (info.source.root, info.settings, info.source.created) == (root, settings, created)
    assert service.ds(ZONE) == ds
    history = service.versions(ZONE)
    assert [(one.actor, one.reason) for one in history] == [
        ("alice", ""),
        ("bob", "by mistake"),
        ("carol", "it was needed"),
    ]
    assert history[0].version == first
    assert [one.parent for one in history] == [None, history[0].version, history[1].version]
    _published, tree = service.signed_zone(ZONE)
    verify_zone(tree, int(clock.now))
    assert service.deleted_zones() == []


def test_an_undeleted_zone_never_goes_back_in_serial(service: Service, clock: Clock) -> None:
    create(service, ZONE, ZoneSettings(serial="increment"), serial=3_000_000_000)
    clock.now += 11 * 86400
    service.maintain()  # signed again, with a serial that no version has
    before = service.signed_zone(ZONE)[0].serial
    delete(service)
    assert rr.serial_newer(service.undelete(ZONE, actor="a").serial, before)
    assert rr.serial_newer(service.signed_zone(ZONE)[0].serial, before)


def test_the_note_of_a_deletion_says_what_can_come_back(service: Service, clock: Clock) -> None:
    version = create(service, ZONE)
    clock.now += 60
    delete(service)
    (note,) = service.deleted_zones()
    assert (note.name, note.last, note.records, note.serial) == ("example.com.", version, 15, 10)
    assert (note.actor, note.reason, note.deleted) == ("bob", "by mistake", "2027-01-15T08:01:00Z")
    assert note.version == service.versions(ZONE)[-1].version


def test_deleted_zones_come_in_pages(service: Service) -> None:
    zones = [names.from_text(f"z{number}.example.") for number in range(5)]
    for zone in zones:
        create(service, zone)
        delete(service, zone)
    first = service.deleted_zones(limit=3)
    rest = service.deleted_zones(names.from_text(first[-1].name), limit=3)
    assert [note.name for note in first + rest] == [names.to_text(zone) for zone in zones]


def test_the_history_of_a_deleted_zone_is_read_as_before(service: Service) -> None:
    first = create(service, ZONE)
    change = Change(owner := names.from_text("new", ZONE), rr.A, rr.RRset.of(owner, rr.A, 300, [b"\1\2\3\4"]))
    second = service.change_zone(ZONE, [change], if_version=first, actor="a").version
    assert second is not None
    delete(service)
    assert [one.version for one in service.versions(ZONE)][:2] == [first, second]
    assert service.version(ZONE, first).records == 15
    assert [diff.owner for diff in service.diff(ZONE, first, second)] == [owner]
    assert service.newest_version(ZONE) == second
    with pytest.raises(NotFound):
        service.zone(ZONE)


def test_nothing_is_undeleted_that_was_never_there_or_is_there(service: Service) -> None:
    with pytest.raises(NotFound, match=r"no deleted zone example\.com\."):
        service.undelete(ZONE, actor="a")
    with pytest.raises(AlreadyExists, match="exists again"):
        service.undelete(OTHER, actor="a")


def test_a_zone_made_anew_takes_over_the_history_and_ends_the_deletion(service: Service, clock: Clock) -> None:
    first = create(service, ZONE)
    delete(service)
    clock.now -= 3600  # a clock that goes back must not put new versions before old ones
    again = create(service, ZONE, serial=5)
    assert rr.serial_newer(service.zone(ZONE).source.serial, 10)
    assert service.deleted_zones() == []
    with pytest.raises(AlreadyExists):
        service.undelete(ZONE, actor="a")
    assert [one.version for one in service.versions(ZONE)][::2] == [first, again]
    assert not service.rollback(ZONE, first, if_version=again, actor="a").changed, "both have the same content"


def test_a_dry_run_of_undelete_writes_nothing(service: Service, store: MemoryStore) -> None:
    create(service, ZONE)
    delete(service)
    before = store.scan("")
    outcome = service.undelete(ZONE, actor="a", dry_run=True)
    assert outcome.changed
    assert not outcome.applied
    assert len(outcome.plan.diffs) == 15
    assert store.scan("") == before


def test_a_dry_run_of_a_deletion_writes_nothing(service: Service, store: MemoryStore) -> None:
    create(service, ZONE)
    before = store.scan("")
    assert not service.delete_zone(ZONE, if_version=None, actor="a", dry_run=True).applied
    assert store.scan("") == before


def test_what_would_not_be_taken_today_does_not_come_back(service: Service, keys: MemoryKeyStore) -> None:
    create(service, ZONE)
    owner = names.from_text("slow", ZONE)
    slow = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 86400, [b"\1\2\3\4"]))
    service.change_zone(ZONE, [slow], if_version=None, actor="a")
    delete(service)
    strict = Service(
        service.store,
        keys,
        HeadKey.generate(),
        policy=replace(service.publisher._policy, refresh=86400),
        clock=service.publisher._clock,
    )
    with pytest.raises(ChecksFailed, match="TTL"):
        strict.undelete(ZONE, actor="a")


class Crowded(MemoryStore):
    """A store where somebody else comes first, just before a commit."""

    first: Callable[[], object] | None = None

    def commit(self, transaction: Transaction) -> int:
        go, self.first = self.first, None
        if go is not None:
            go()
        return super().commit(transaction)


def test_two_who_undelete_at_once_bring_back_one_zone(clock: Clock, keys: MemoryKeyStore) -> None:
    store, head = Crowded(clock=clock), HeadKey.generate()
    one, other = (Service(store, keys, head, clock=clock) for _ in range(2))
    create(one, ZONE)
    delete(one)
    store.first = lambda: other.undelete(ZONE, actor="faster")
    with pytest.raises(AlreadyExists, match="exists again"):
        one.undelete(ZONE, actor="slower")
    assert [version.actor for version in one.versions(ZONE)] == ["alice", "bob", "faster"]


def test_a_name_whose_keys_are_due_loses_them_before_it_is_a_zone_again(
    service: Service, store: MemoryStore, keys: MemoryKeyStore
) -> None:
    create(service, ZONE)
    old = {pair.record.dnskey_rdata for pair in keys.load(ZONE)}
    delete(service)
    gone = [document.key for prefix in ("version/", "publication/", "deleted/") for document in store.scan(prefix)]
    served = Served("example.com.", 50, keys_due=True)
    store.commit(
        Transaction(writes={served_key(ZONE): encode(served)}, deletes=[key for key in gone if "example.com." in key])
    )
    create(service, ZONE, serial=20)
    assert service.zone(ZONE).source.serial > 50
    assert old.isdisjoint(pair.record.dnskey_rdata for pair in keys.load(ZONE))
    document = store.get(served_key(ZONE))
    assert document is not None
    assert document.value["keys_due"] is False
