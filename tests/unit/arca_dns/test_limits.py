# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a controller is set to hold at most: zones, records of a zone, values of an RRset."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import LimitExceeded
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns.writing import Limits
from arca_dns.zone import changes, names, rr
from arca_dns.zone.changes import Amend, Change, counts, crowded, growth, whole_zone
from arca_dns.zone.text import parse
from arca_dns.zone.tree import ZoneRoot

ZONE = names.from_text("example.com.")
TEXT = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns h 1 2 3 4 1\n@ NS ns\nns A 192.0.2.1\n"
Make = Callable[[Limits], Service]


@pytest.fixture
def make() -> Make:
    return lambda limits: Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate(), limits=limits)


def create(service: Service, more: str = "", name: str = "example.com.") -> None:
    parsed = parse(TEXT.replace("example.com.", name) + more)
    service.create_zone(parsed.origin, parsed, actor="me")


def hosts(count: int) -> str:
    return "".join(f"h{n} A 192.0.2.{n}\n" for n in range(count))


def values(count: int, host: str = "many") -> str:
    return "".join(f"{host} A 198.51.100.{n}\n" for n in range(count))


def test_so_many_zones_and_no_more(make: Make) -> None:
    service = make(Limits(zones=2))
    create(service)
    create(service, name="b.test.")
    with pytest.raises(LimitExceeded, match="2 zones are allowed"):
        create(service, name="c.test.")
    service.delete_zone(ZONE, if_version=None, actor="me", force=True)
    create(service, name="c.test.")


def test_so_many_records_whichever_way_they_come(make: Make) -> None:
    service = make(Limits(records=5))
    with pytest.raises(LimitExceeded) as caught:
        create(service, hosts(3))
    assert caught.value.places[0].message == "the zone would have 6 records; 5 are allowed"
    create(service, hosts(2))
    owner = names.from_text("x", ZONE)
    rrset = rr.RRset.of(owner, rr.A, 60, [b"\xc0\x00\x02\x07"])
    with pytest.raises(LimitExceeded):
        service.change_zone(ZONE, [Change(owner, rr.A, rrset)], if_version=None, actor="me")
    gone = names.from_text("h0", ZONE)
    both = [Change(owner, rr.A, rrset), Change(gone, rr.A, None)]
    assert service.change_zone(ZONE, both, if_version=None, actor="me").applied


@pytest.mark.parametrize("held", [changes._HELD, 0], ids=["held", "read from the tree"])
def test_so_many_values_of_one_rrset(make: Make, monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(changes, "_HELD", held)
    service = make(Limits(values=3))
    with pytest.raises(LimitExceeded) as caught:
        create(service, values(4) + values(3, "few"))
    assert [place.message for place in caught.value.places] == ["many.example.com. A would have more than 3 values"]
    create(service, values(3))
    owner = names.from_text("many", ZONE)
    more = Amend(owner, rr.A, add=(b"\xc0\x00\x02\x07",))
    with pytest.raises(LimitExceeded):
        service.change_zone(ZONE, [more], if_version=None, actor="me")


def test_zero_is_no_limit(make: Make) -> None:
    create(make(Limits()), values(200) + hosts(200))


@pytest.mark.parametrize("gone", [True, False])
def test_a_whole_zone_is_counted_as_its_differences_are(monkeypatch: pytest.MonkeyPatch, gone: bool) -> None:
    service = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate())
    create(service, values(5) + hosts(9))
    tree: ZoneRoot = service.content(ZONE)[0]
    held = whole_zone(tree, gone=gone)
    monkeypatch.setattr(changes, "_HELD", 0)
    read = whole_zone(tree, gone=gone)
    assert isinstance(held, tuple)
    assert not isinstance(read, tuple)
    assert tuple(read) == held
    assert (counts(read), growth(read)) == (counts(held), growth(held))
    assert list(crowded(read, 4)) == list(crowded(held, 4))
