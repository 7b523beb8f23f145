# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A store's state in one file, and back, so that nothing that edges have seen goes back."""

from __future__ import annotations

import io
import json
import random
import threading
import zipfile

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import IntegrityError, MissingBlob, StoreError
from arca_dns.moving import marker
from arca_dns.moving.archive import Archive, backup
from arca_dns.moving.copy import verify
from arca_dns.moving.forward import SERIAL_STEP, restore, serial_ahead
from arca_dns.moving.marker import Marker
from arca_dns.publish.head import Head, HeadKey, open_head
from arca_dns.store.base import JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from arca_dns.zone.rr import serial_newer
from arca_dns.zone.text import parse
from moved_state import consistent, content, create, fill, service, snapshot, zone_text

NOTE = Marker("restore", "the test", "2026-01-01T00:00:00Z")
NOW = 1_800_000_000.0


def backed_up(store: MemoryStore, keys: tuple[tuple[str, bytes], ...] = ()) -> io.BytesIO:
    out = io.BytesIO()
    backup(store, out, program="test", created="2026-01-01T00:00:00Z", keys=lambda: keys)
    return out


def filled() -> MemoryStore:
    store = MemoryStore()
    fill(service(store))
    return store


def restored(file: io.BytesIO) -> MemoryStore:
    archive = Archive(file, "file")
    archive.check()
    store = MemoryStore()
    restore(archive, store, NOTE, now=NOW)
    return store


def history(store: MemoryStore) -> dict[str, JsonObject]:
    """What a restoration keeps as it was."""
    moved = ("published/", "deleted/", "dirty/", "restored/")
    return {key: value for key, value in content(store).items() if not key.startswith(moved)}


def test_what_was_backed_up_comes_back() -> None:
    store = filled()
    again = restored(backed_up(store))
    assert history(again) == history(store)
    assert set(content(store)) < set(content(again))
    marker.refuse_unfinished(again)


def test_the_backup_says_what_is_in_it() -> None:
    store = filled()
    archive = Archive(backed_up(store, (("head.key", b"k"), ("a.example./K1.json", b"{}"))), "file")
    assert archive.check() == {"a.example.", "b.example."}
    assert archive.manifest.lines == len(content(store))
    assert list(archive.key_files()) == [("a.example./K1.json", b"{}"), ("head.key", b"k")]


@pytest.mark.parametrize("name", ["../x", "a/../x", "a/b/c", "..", "/x"])
def test_a_key_file_with_a_path_is_refused(name: str) -> None:
    archive = Archive(backed_up(MemoryStore(), ((name, b""),)), "file")
    with pytest.raises(IntegrityError, match="key file of the name"):
        archive.check()


def test_no_octet_may_change() -> None:
    data = bytearray(backed_up(filled()).getvalue())
    chance = random.Random(1)
    for _ in range(200):
        at = chance.randrange(len(data))
        damaged = bytearray(data)
        damaged[at] ^= 1 << chance.randrange(8)
        try:
            archive = Archive(io.BytesIO(damaged), "file")
            archive.check()
        except IntegrityError:
            continue
        # What hashes do not cover are fields of the container that say nothing of the content.
        assert restorable(archive) == restorable(Archive(io.BytesIO(data), "file"))


def restorable(archive: Archive) -> tuple[object, object]:
    return list(archive.documents()), list(archive.blobs())


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_told(share: float) -> None:
    data = backed_up(filled()).getvalue()
    with pytest.raises(IntegrityError, match=r"no backup of arca\.dns, or only a part"):
        Archive(io.BytesIO(data[: int(len(data) * share)]), "file").check()


def test_another_format_is_told() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        held = {"format": 2, "program": "arca-dns 9", "created": "", "revision": 0, "lines": 0, "blobs": 0, "keys": 0}
        archive.writestr("manifest.json", json.dumps({**held, "members": {}}))
    with pytest.raises(IntegrityError, match=r"format 2, this version reads format 1: .*arca-dns 9"):
        Archive(out, "file")


def test_a_missing_blob_fails_the_backup() -> None:
    store = filled()
    del store._blobs[str(content(store)["zone/a.example."]["root"])]
    with pytest.raises(MissingBlob):
        backed_up(store)


def test_a_half_filled_store_is_not_backed_up() -> None:
    store = MemoryStore()
    marker.begin(store, NOTE)
    with pytest.raises(StoreError, match="half filled"):
        backed_up(store)


def test_a_restoration_that_broke_off_goes_on() -> None:
    class Broken(Exception):
        pass

    def breaks(at: object) -> None:
        told.append(at)
        if len(told) == 3:
            raise Broken

    told: list[object] = []
    store, target = filled(), MemoryStore()
    archive = Archive(backed_up(store), "file")
    with pytest.raises(Broken):
        restore(archive, target, NOTE, now=NOW, tell=breaks)
    with pytest.raises(StoreError, match="half filled: a restore"):
        marker.refuse_unfinished(target)
    restore(archive, target, NOTE, now=NOW)
    assert history(target) == history(store)


def test_only_an_empty_store_is_filled() -> None:
    store = filled()
    with pytest.raises(StoreError, match="not empty"):
        restore(Archive(backed_up(store), "file"), store, NOTE, now=NOW)


def test_edges_that_have_seen_later_heads_and_serials_follow_the_restored_controller() -> None:
    store, keys, key = MemoryStore(), MemoryKeyStore(), HeadKey.generate()
    made = service(store, keys, key)
    fill(made)
    file = backed_up(store)
    gone = names.from_text("gone.example.")
    lost = made.undelete(gone, actor="test").serial
    for n in range(3, 30):  # what is lost
        parsed = parse(zone_text("a.example", 40, n))
        made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
    seen = head_of(made, key, 0)
    served = {zone.name: zone.published.serial for zone in made.zones() if zone.published is not None}
    target = restored(file)
    again = service(target, keys, key)
    again.maintain()
    head = head_of(again, key, seen.revision)
    assert head.revision >= int(NOW * 1000) > seen.revision
    for zone in again.zones():
        assert zone.problem is None
        assert zone.published is not None
        assert serial_newer(zone.published.serial, served[zone.name])
        assert again.signed_zone(zone.name)[1].stats().records == zone.published.records
    assert list(again.rrsets(names.from_text("a.example.")))
    assert head.mass_removal < head.revision
    assert serial_newer(again.undelete(gone, actor="test").serial, lost)
    create(again, "next.example", 3)
    assert head_of(again, key, 0).revision == head.revision + 2


def test_the_loss_of_zones_since_the_backup_is_approved_only_when_that_is_said() -> None:
    store, keys, key = MemoryStore(), MemoryKeyStore(), HeadKey.generate()
    fill(service(store, keys, key))
    archive = Archive(backed_up(store), "file")
    target = MemoryStore()
    restore(archive, target, NOTE, now=NOW, approve_removal=True)
    again = service(target, keys, key)
    again.maintain()
    head = head_of(again, key, 0)
    assert head.mass_removal == head.revision
    create(again, "next.example", 3)
    assert head_of(again, key, 0).mass_removal == head.revision


def head_of(made: object, key: HeadKey, minimum: int) -> Head:
    return open_head(made.head(), [key.public], ring="stable", now=0, minimum_revision=minimum)  # type: ignore[attr-defined]


@pytest.mark.parametrize("serial", [1, 2_026_112_301, 1_799_999_000, 1_800_000_500, 2**32 - 1, 2**32 - SERIAL_STEP])
def test_serials_go_ahead_as_rfc_1982_counts(serial: int) -> None:
    ahead = serial_ahead(serial, NOW)
    assert 0 < ahead < 2**32
    assert serial_newer(ahead, serial)
    assert serial_newer(ahead, (serial + SERIAL_STEP - 1) & 0xFFFFFFFF)


def test_a_backup_beside_writers_is_of_one_moment() -> None:
    store = MemoryStore()
    made = service(store)
    for n in range(4):
        create(made, f"z{n}.example", 20)
    stop = threading.Event()
    problems: list[BaseException] = []

    def writes(n: int) -> None:
        try:
            first = 0
            while not stop.is_set():
                first += 1
                parsed = parse(zone_text(f"z{n}.example", 20, first))
                made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
                if first % 5 == 0:
                    made.delete_zone(parsed.origin, if_version=None, actor="test", force=True)
                    create(made, f"z{n}.example", 20)
        except BaseException as error:
            problems.append(error)

    writers = [threading.Thread(target=writes, args=(n,)) for n in range(4)]
    for writer in writers:
        writer.start()
    try:
        seen = [snapshot(store)]
        while not problems and (len(seen) < 8 or seen[0] == seen[-1]):
            seen.append(snapshot(store))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not problems
    for found in seen:
        consistent(found)


def test_a_write_at_any_moment_of_a_backup_is_in_it_whole() -> None:
    store = MemoryStore()
    made = service(store)
    for n in range(3):
        create(made, f"z{n}.example", 10)
    told: list[int] = []

    def writes() -> None:
        told.append(len(told))
        if len(told) <= 20:
            parsed = parse(zone_text(f"z{len(told) % 3}.example", 10, len(told)))
            made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)

    found = snapshot(store, writes)
    consistent(found)
    assert found == content(store)
    assert len(told) > 40


def test_what_is_deleted_meanwhile_is_not_in_the_backup() -> None:
    store = filled()
    done: list[bool] = []

    def deletes() -> None:
        if not done:
            done.append(True)
            store.commit(Transaction(deletes=["edge/edge1"]))

    assert "edge/edge1" not in snapshot(store, deletes)


def test_a_restored_store_verifies() -> None:
    assert verify(restored(backed_up(filled())), lambda _at: None).blobs > 10
