# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The catalog zone of RFC 9432, as it grows and shrinks."""

from __future__ import annotations

import pytest

from arca_dns.transfer.catalog_zone import CatalogZone, is_name, member_label
from arca_dns.transfer.difference import difference
from arca_dns.zone import names, rr

NAME = names.from_text("catalog.invalid.")
A, B = names.from_text("a.example."), names.from_text("b.example.")


def lines(zone: CatalogZone) -> dict[str, set[bytes]]:
    version = zone.current()
    assert version is not None
    found: dict[str, set[bytes]] = {}
    for _owner, data in version.root.items():
        for rrset in rr.rrsets(data):
            found[f"{names.to_text(rrset.owner)} {rr.type_text(rrset.rdtype)}"] = set(rrset.rdatas)
    return found


def test_an_empty_catalog_is_a_zone_already() -> None:
    zone = CatalogZone(NAME)
    assert zone.current() is None
    assert zone.update(4, {}, [])
    assert set(lines(zone)) == {"catalog.invalid. SOA", "catalog.invalid. NS", "version.catalog.invalid. TXT"}
    assert lines(zone)["version.catalog.invalid. TXT"] == {b"\1\62"}
    version = zone.current()
    assert version is not None
    assert version.serial == 4
    assert rr.soa_serial(next(iter(lines(zone)["catalog.invalid. SOA"]))) == 4


def test_members_come_and_go_and_keep_their_label() -> None:
    zone = CatalogZone(NAME)
    zone.update(1, {A: "then"}, [])
    label = member_label(A, "then").decode()
    owner = f"{label}.zones.catalog.invalid. PTR"
    assert lines(zone)[owner] == {A}
    assert not zone.update(2, {A: "then"}, [])
    assert zone.update(3, {B: "later"}, [])
    assert lines(zone)[owner] == {A}
    assert zone.update(4, {}, [A])
    assert owner not in lines(zone)
    assert zone.members() == [B]
    assert not zone.update(5, {}, [A])


def test_a_zone_made_anew_is_another_member() -> None:
    zone = CatalogZone(NAME)
    zone.update(1, {A: "then"}, [])
    assert zone.update(2, {A: "now"}, [])
    assert [one for one in lines(zone) if " PTR" in one] == [
        f"{member_label(A, 'now').decode()}.zones.catalog.invalid. PTR"
    ]


def test_the_last_versions_are_kept_for_ixfr() -> None:
    zone = CatalogZone(NAME)
    for serial in range(1, 101):
        zone.update(serial, {names.from_text(f"z{serial}.example."): "t"}, [])
    old, new = zone.earlier(99), zone.current()
    assert old is not None
    assert new is not None
    changes = difference(old.root, new.root)
    assert changes is not None
    assert len(list(changes)) == 5
    assert zone.earlier(1) is None


def test_what_no_version_has_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arca_dns.transfer.catalog_zone._SWEEP", 50)
    zone = CatalogZone(NAME)
    for serial in range(1, 400):
        zone.update(serial, {A: str(serial)}, [])
    version = zone.current()
    assert version is not None
    assert len(list(version.root.items())) == 3
    assert len(zone._blobs.pending) < 400


def test_a_name_must_leave_room_for_members() -> None:
    assert is_name(NAME)
    assert not is_name(names.ROOT)
    assert not is_name(names.from_text(".".join(["a" * 60] * 4)))
