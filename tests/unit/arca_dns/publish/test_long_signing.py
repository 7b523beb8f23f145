# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Other zones are published while a large zone is signed for the first time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from arca_dns.dnssec.envelope import MasterKey
from arca_dns.dnssec.keystore import DirectoryKeyStore
from arca_dns.dnssec.workers import SERIAL, Serial
from arca_dns.publish import publisher
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns.zone.changes import Change
from arca_dns.zone.rr import A, RRset
from arca_dns.zone.text import parse

BIG = parse("$ORIGIN big.\n$TTL 300\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n$GENERATE 1-60 n$ A 192.0.2.$\n")
SMALL = parse("$ORIGIN small.\n$TTL 300\n@ SOA ns1 h 1 2 3 4 5\n@ NS ns1\nns1 A 192.0.2.1\n")


class Held(Serial):
    """Workers that hold runs of many leaves up until they are let go."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()

    def run(self, start: Callable[[], Callable[[Any], Any]], pieces: Iterable[Any]) -> Iterator[Any]:
        pieces = list(pieces)
        if any(b"big" in leaf for piece in pieces for leaf in getattr(piece, "leaves", ())):
            self.begun.set()
            assert self.go.wait(30)
        return SERIAL.run(start, pieces)


@pytest.fixture
def held(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Service, Held, threading.Thread]]:
    monkeypatch.setattr(publisher, "_LONG", 50)
    workers = Held()
    master = MasterKey.obtain({}, tmp_path / "master.key", create=True)
    keys = DirectoryKeyStore(tmp_path / "keys", master)
    service = Service(MemoryStore(), keys, HeadKey.load_or_create(tmp_path / "head.key"), workers=workers)
    thread = threading.Thread(target=lambda: service.create_zone(BIG.origin, BIG.rrsets, actor="test"))
    thread.start()
    assert workers.begun.wait(30)
    yield service, workers, thread
    workers.go.set()
    thread.join(30)


def test_another_zone_is_published_meanwhile(held: tuple[Service, Held, threading.Thread]) -> None:
    service, workers, thread = held
    outcome = service.create_zone(SMALL.origin, SMALL.rrsets, actor="test")
    assert outcome.published
    assert service.publisher.published(BIG.origin) is None
    workers.go.set()
    thread.join(30)
    assert service.publisher.published(BIG.origin) is not None


def test_a_change_that_comes_meanwhile_is_published_after_it(held: tuple[Service, Held, threading.Thread]) -> None:
    service, workers, thread = held
    change = Change(b"\x03new" + BIG.origin, A, RRset(b"\x03new" + BIG.origin, A, 300, (b"\xc0\0\2\1",)))
    writer = threading.Thread(target=lambda: service.change_zone(BIG.origin, [change], if_version=None, actor="test"))
    writer.start()
    workers.go.set()
    thread.join(30)
    writer.join(30)
    published = service.publisher.published(BIG.origin)
    assert published is not None
    assert published.source == service.zone(BIG.origin).source.version
    assert "dirty" not in str(service.zone(BIG.origin).problem)


def test_a_zone_deleted_meanwhile_is_not_left_published(held: tuple[Service, Held, threading.Thread]) -> None:
    service, workers, thread = held
    service.create_zone(SMALL.origin, SMALL.rrsets, actor="test")
    service.delete_zone(BIG.origin, if_version=None, actor="test", force=True)
    workers.go.set()
    thread.join(30)
    service.publisher.maintain()
    assert service.publisher.published(BIG.origin) is None
