# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""On every backend: who follows at one controller is told of what others write, each entry of the journal once."""

from __future__ import annotations

import threading

import pytest

from arca_dns import events
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import CursorLost
from arca_dns.journal import Caller, Journal, called_by
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.zone.text import parse

pytestmark = pytest.mark.conformance

WRITERS, EACH = 3, 4
TEXT = "$TTL 60\n@ SOA ns h 1 2 3 4 1\n@ NS ns\nns A 192.0.2.1\n"


def create(service: Service, name: str) -> None:
    parsed = parse(f"$ORIGIN {name}\n{TEXT}")
    assert service.create_zone(parsed.origin, parsed.rrsets, actor="alice").applied


def test_a_follower_gets_each_entry_of_all_writers_once_and_in_order(backend) -> None:  # type: ignore[no-untyped-def]
    stores = [backend.open() for _writer in range(WRITERS + 1)]
    key, keys = HeadKey.generate(), MemoryKeyStore()
    services = [Service(store, keys, key) for store in stores[1:]]
    cursor = events.newest(stores[0])

    def write(number: int) -> None:
        with called_by(Caller("192.0.2.7", f"request-{number}")):
            for zone in range(EACH):
                create(services[number], f"w{number}z{zone}.test.")

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    told: list[events.Event] = []
    published: set[str | None] = set()
    while len(told) < WRITERS * EACH or len(published) < WRITERS * EACH:
        found, reached = events.after(stores[0], cursor, 30)
        assert reached > cursor, "nothing more comes"
        told += [event for event in found if event.kind == "zone.created"]
        published |= {event.zone for event in found if event.kind == "zone.published"}
        cursor = reached
    for writer in writers:
        writer.join()
    found, _reached = events.after(stores[0], cursor)
    assert [event.kind for event in found if event.kind == "zone.created"] == []
    names = [f"w{number}z{zone}.test." for number in range(WRITERS) for zone in range(EACH)]
    assert sorted(str(event.zone) for event in told) == names
    assert [event.cursor for event in told] == sorted(event.cursor for event in told)
    for number in range(WRITERS):
        assert [event.zone for event in told if str(event.zone).startswith(f"w{number}")] == names[
            number * EACH : number * EACH + EACH
        ]
    entries = [entry for _id, entry in Journal(stores[0], backend.clock).entries()]
    assert {(entry.zone, entry.request) for entry in entries} == {(name, f"request-{name[1]}") for name in names}
    with pytest.raises(CursorLost):
        events.after(stores[0], events.newest(stores[0]) + 1000)
