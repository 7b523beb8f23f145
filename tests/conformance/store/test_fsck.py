# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Blobs that are damaged behind a store's back, in each backend: found, named, and repaired."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING

import pytest

from arca_dns.errors import IntegrityError
from arca_dns.fsck.check import check
from arca_dns.fsck.findings import Report
from arca_dns.fsck.repair import copy_of_archive, repair
from arca_dns.moving.archive import Archive, backup
from arca_dns.moving.copy import verify
from arca_dns.service import Service
from arca_dns.store.base import Store
from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from damage import corrupt, lose
from moved_state import fill, service, zone_text

if TYPE_CHECKING:
    from conftest import Backend

pytestmark = pytest.mark.conformance

SIGNED, UNSIGNED = names.from_text("a.example."), names.from_text("unsigned.example.")


def look(store: Store) -> Report:
    return check(store, now=time.time())


def leaf(store: Store, root: str, number: int) -> str:
    """The digest of a leaf of names."""
    blobs = Blobs(store.read_blobs)
    tree = ZoneRoot.load(blobs, root).names
    return [digest for digest in tree.blobs() if blobs.children(digest) is None][number]


def named(report: Report) -> set[str]:
    return {finding.subject for finding in report.damage}


@pytest.fixture
def made(store: Store) -> Service:
    filled = service(store)
    fill(filled, hosts=300)
    return filled


def test_what_is_whole_is_found_whole(store: Store, made: Service) -> None:
    report = look(store)
    assert report.findings == ()
    assert report.blobs == verify(store, lambda _at: None).blobs


@pytest.mark.parametrize("harm", [corrupt, lose])
def test_damage_is_named_and_repaired_from_what_the_store_holds(backend: Backend, made: Service, harm) -> None:
    store = made.store
    info = made.zone(SIGNED)
    assert info.published is not None
    source, published = leaf(store, info.source.root, 1), leaf(store, info.published.root, 2)
    before = store.read_blobs([source, published])
    for digest in before:
        harm(backend.kind, backend.options, digest, store)
    started = service(backend.open())
    with pytest.raises(IntegrityError, match="'arca-dns-controller fsck' says what needs it and repairs it"):
        list(started.rrsets(SIGNED))
    assert started.blobs([published]) == {}
    report = look(backend.open())
    assert named(report) == {source, published}
    finding = next(found for found in report.damage if found.subject == source)
    assert finding.zone == "a.example."
    assert finding.owners.startswith("host")
    assert {need.line for need in finding.needs} == {"source"}
    assert info.source.version in {need.version for need in finding.needs if need.current}
    repaired = repair(store, lambda: look(store), publisher=made.publisher)
    assert repaired.damage == ()
    assert {found.subject for found in repaired.findings} == {source, published}
    assert backend.open().read_blobs(before) == before
    assert started.blobs(before) == before
    assert list(started.rrsets(SIGNED)) == list(made.rrsets(SIGNED))
    assert made.zone(SIGNED).published == info.published
    assert look(backend.open()).findings == ()


def test_what_only_a_backup_has_comes_from_there(backend: Backend, made: Service) -> None:
    store = made.store
    file = io.BytesIO()
    backup(store, file, program="test", created="2026-01-01T00:00:00Z")
    root = made.zone(UNSIGNED).source.root
    digest = leaf(store, root, 0)
    corrupt(backend.kind, backend.options, digest, store)
    lose(backend.kind, backend.options, root, store)
    without = repair(store, lambda: look(store), publisher=made.publisher)
    assert root in named(without)
    copies = [copy_of_archive("the backup", Archive(file, "the backup"))]
    report = repair(store, lambda: look(store), copies=copies, publisher=made.publisher)
    assert report.damage == ()
    assert "from the backup" in {found.repaired for found in report.findings}
    verify(backend.open(), lambda _at: None)


def test_writers_beside_a_check_are_no_damage(backend: Backend, made: Service) -> None:
    stop = threading.Event()
    other = backend.open()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            parsed = parse(zone_text("a.example", 300, number))
            made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
            name = names.from_text(f"new{number}.example.")
            parsed = parse(zone_text(f"new{number}.example", 3))
            made.create_zone(name, parsed.rrsets, actor="test")
            made.delete_zone(name, if_version=None, actor="test", force=True)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            assert [found for found in look(other).findings if found.damage] == []
    finally:
        stop.set()
        writer.join()
