# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Every write leaves one entry, in its own transaction; entries are found, and go when their time is over."""

from __future__ import annotations

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import PlanRefused, StaleVersion
from arca_dns.journal import PREFIX, Caller, Entry, Journal, called_by, entry_document
from arca_dns.publish.head import HeadKey
from arca_dns.retention import Rules
from arca_dns.service import Service
from arca_dns.store.base import Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.writing import Create, Delete
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from clock import Clock

ZONE = names.from_text("example.com.")
TEXT = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns h 1 2 3 4 1\n@ NS ns\nns A 192.0.2.1\nsecret TXT hunter2\n"
HOUR = 3600.0


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def journal(store: MemoryStore, clock: Clock) -> Journal:
    return Journal(store, clock)


@pytest.fixture
def service(store: MemoryStore, clock: Clock) -> Service:
    return Service(store, MemoryKeyStore(), HeadKey.generate(), clock=clock, history=Rules(journal_days=2))


def create(service: Service, name: str = "example.com.") -> str:
    parsed = parse(TEXT.replace("example.com.", name))
    version = service.create_zone(parsed.origin, parsed.rrsets, actor="alice", reason="a start").version
    assert version is not None
    return version


def change(service: Service, host: str, *, if_version: str | None = None, dry_run: bool = False) -> None:
    owner = names.from_text(host, ZONE)
    rrset = rr.RRset.of(owner, rr.A, 60, [b"\xc0\x00\x02\x07"])
    service.change_zone(ZONE, [Change(owner, rr.A, rrset)], if_version=if_version, actor="bob", dry_run=dry_run)


def kinds(journal: Journal, **options: object) -> list[str]:
    return [entry.kind for _key, entry in journal.entries(**options)]  # type: ignore[arg-type]


def test_an_entry_says_who_did_what_from_where_and_what_came_of_it(service: Service, journal: Journal) -> None:
    with called_by(Caller("192.0.2.99", "req-1")):
        version = create(service)
    ((_key, entry),) = journal.entries()
    assert entry == Entry(
        "zone.created",
        "alice",
        "2027-01-15T08:00:00Z",
        "192.0.2.99",
        "req-1",
        "example.com.",
        version,
        1,
        None,
        {
            "added": 4,
            "changed": 0,
            "removed": 0,
            "rrsets": ["example.com. NS", "example.com. SOA", "ns.example.com. A", "secret.example.com. TXT"],
        },
        "a start",
    )


def test_no_value_of_a_record_stands_in_it(service: Service, store: MemoryStore) -> None:
    create(service)
    assert "hunter2" not in str([document.value for document in store.scan(PREFIX)])


def test_each_kind_of_write_leaves_its_own(service: Service, journal: Journal, clock: Clock) -> None:
    first = create(service)
    for step in (
        lambda: change(service, "www"),
        lambda: service.rollback(ZONE, first, if_version=None, actor="bob"),
        lambda: service.replace_zone(ZONE, parse(TEXT.replace("60", "61")).rrsets, if_version=None, actor="bob"),
        lambda: service.delete_zone(ZONE, if_version=None, actor="bob", force=True),
        lambda: service.undelete(ZONE, actor="bob"),
    ):
        clock.now += 1
        step()
    assert kinds(journal) == [
        "zone.undeleted",
        "zone.deleted",
        "zone.replaced",
        "zone.rolled-back",
        "zone.changed",
        "zone.created",
    ]
    assert journal.entries()[1][1].summary["forced"]


def test_what_did_not_happen_leaves_none(service: Service, journal: Journal, clock: Clock) -> None:
    create(service)
    change(service, "www", dry_run=True)
    with pytest.raises(StaleVersion):
        change(service, "www", if_version="v" + "0" * 26)
    with pytest.raises(PlanRefused):
        service.delete_zone(ZONE, if_version=None, actor="bob")
    clock.now += 1
    change(service, "ns.example.com.")
    change(service, "ns.example.com.")  # nothing is left to change
    assert kinds(journal) == ["zone.changed", "zone.created"]


def test_a_bulk_leaves_one_for_each_zone(service: Service, journal: Journal, clock: Clock) -> None:
    parsed = [parse(TEXT.replace("example.com.", f"{name}.test.")) for name in "abc"]
    service.bulk([Create(one.origin, one.rrsets) for one in parsed], actor="alice")
    assert sorted(str(entry.zone) for _key, entry in journal.entries()) == ["a.test.", "b.test.", "c.test."]
    clock.now += 1
    service.bulk([Delete(parsed[0].origin)], actor="bob", force=True)
    assert kinds(journal, limit=1) == ["zone.deleted"]


def write(store: MemoryStore, moment: float, kind: str = "zone.changed") -> str:
    key, document = entry_document(moment, kind, "alice")
    store.commit(Transaction(writes={key: document}))
    return key.removeprefix(PREFIX)


def test_pages_go_back_to_the_first_without_a_gap_and_without_one_twice(
    store: MemoryStore, journal: Journal, clock: Clock
) -> None:
    # Minutes apart, then days, then a year: windows of all widths, some of them empty.
    moments = [clock.now - age for age in (0, 60, 61, 5000, 90_000, 90_001, 400_000, 2_000_000, 40_000_000)]
    written = [write(store, moment) for moment in moments]
    ahead = write(store, clock.now + 50)  # by the clock of another controller
    found: list[str] = []
    before = ""
    while True:
        page = [key for key, _entry in journal.entries(before=before, limit=2)]
        found += page
        if len(page) < 2:
            break
        before = page[-1]
    assert found == [ahead, *written]


def test_entries_are_chosen_by_what_they_say_and_by_their_time(
    store: MemoryStore, journal: Journal, clock: Clock
) -> None:
    old = write(store, clock.now - 10 * HOUR, "key.created")
    new = write(store, clock.now - HOUR, "zone.created")
    assert [key for key, _entry in journal.entries(lambda entry: entry.kind.startswith("key."))] == [old]
    assert [key for key, _entry in journal.entries(since=clock.now - 5 * HOUR)] == [new]
    assert journal.entries(since=clock.now + HOUR) == []


def test_an_empty_journal_has_no_entries(journal: Journal) -> None:
    assert journal.entries() == []


def test_entries_go_when_their_time_is_over(service: Service, journal: Journal, clock: Clock) -> None:
    create(service)
    clock.now += 86400
    change(service, "www")
    clock.now += 86400 + 60
    assert service.retain(whole=True).entries == 1
    assert kinds(journal) == ["zone.changed"]
