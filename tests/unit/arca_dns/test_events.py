# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Events come in the order of commits; each entry of the journal is told once, whatever the steps of who follows."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns import events
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import CursorLost
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone.text import parse

TEXT = "$TTL 60\n@ SOA ns h 1 2 3 4 1\n@ NS ns\nns A 192.0.2.1\n"


def create(service: Service, name: str) -> None:
    parsed = parse(f"$ORIGIN {name}\n{TEXT}")
    service.create_zone(parsed.origin, parsed.rrsets, actor="alice", reason="why")


@pytest.fixture
def service() -> Service:
    return Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate())


def test_a_write_is_told_then_what_is_published_then_the_head(service: Service) -> None:
    before = events.newest(service.store)
    create(service, "0/25.2.0.192.in-addr.arpa.")
    found, cursor = events.after(service.store, before)
    assert [(event.kind, event.zone) for event in found] == [
        ("zone.created", "0/25.2.0.192.in-addr.arpa."),
        ("head.moved", None),
        ("zone.published", "0/25.2.0.192.in-addr.arpa."),
    ]
    assert found[0].cursor < found[1].cursor == found[2].cursor == cursor
    assert (found[0].data["actor"], found[0].data["reason"]) == ("alice", "why")
    assert "origin" not in found[0].to_json()
    assert events.after(service.store, cursor) == ([], cursor)


@given(st.lists(st.booleans(), max_size=12))
def test_whoever_follows_in_whatever_steps_gets_every_entry_once(looks: list[bool]) -> None:
    service = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate())
    cursor, told = events.newest(service.store), []
    for number, look in enumerate([*looks, True]):
        create(service, f"z{number}.test.")
        if look:
            found, cursor = events.after(service.store, cursor)
            told += [event for event in found if event.kind == "zone.created"]
    assert [event.zone for event in told] == [f"z{number}.test." for number in range(len(looks) + 1)]
    assert [event.cursor for event in told] == sorted(event.cursor for event in told)


def test_a_cursor_of_another_store_or_from_long_ago_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    at = events.newest(store)
    with pytest.raises(CursorLost):
        events.after(store, at + 1)
    monkeypatch.setattr(events, "REACH", 2)
    for number in range(3):
        store.commit(Transaction(writes={f"a{number}": {}}))
    with pytest.raises(CursorLost):
        events.after(store, at)
    assert events.after(store, at + 1) == ([], at + 3)
