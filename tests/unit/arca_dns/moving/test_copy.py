# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Copying a store's state into another store."""

from __future__ import annotations

import pytest

from arca_dns.errors import CorruptBlob, MissingBlob, StoreError
from arca_dns.lease import Lease
from arca_dns.moving import marker
from arca_dns.moving.copy import Progress, batches, migrate, verify
from arca_dns.moving.marker import Marker
from arca_dns.store.base import Document, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from moved_state import content, create, fill, service

NOTE = Marker("migrate", "here", "2026-01-01T00:00:00Z")


class Broken(Exception):
    """What ends a migration in the middle."""


def filled() -> MemoryStore:
    store = MemoryStore()
    fill(service(store))
    return store


def silent(_at: Progress) -> None:
    """Nobody looks."""


def test_the_target_is_equal_and_open_to_controllers() -> None:
    source, target = filled(), MemoryStore()
    copied = migrate(source, target, NOTE)
    assert content(target) == content(source)
    assert copied.copied_documents == copied.documents == len(content(source))
    assert copied.copied_blobs == copied.blobs > 10
    marker.refuse_unfinished(target)


def test_only_blobs_that_documents_need_are_copied() -> None:
    source, target = filled(), MemoryStore()
    source.write_blobs({"ab" * 32: b"nobody names me"})
    migrate(source, target, NOTE)
    assert not target.read_blobs(["ab" * 32])


def test_it_goes_on_where_it_was_broken_off() -> None:
    source, target = filled(), MemoryStore()

    def breaks(at: Progress) -> None:
        if at.blobs > 5:
            raise Broken

    with pytest.raises(Broken):
        migrate(source, target, NOTE, breaks)
    with pytest.raises(StoreError, match=r"half filled: a migrate from here began at 2026-.*--undo"):
        marker.refuse_unfinished(target)
    copied = migrate(source, target, NOTE)
    assert copied.resumed
    assert 0 < copied.copied_blobs < copied.blobs
    assert content(target) == content(source)


def test_what_changes_meanwhile_follows() -> None:
    source, target = filled(), MemoryStore()
    made = service(source)
    told: list[Progress] = []

    def changes(at: Progress) -> None:
        if not told:
            create(made, "late.example", 10)
            made.delete_zone(names.from_text("b.example."), if_version=None, actor="test", force=True)
        told.append(at)

    migrate(source, target, NOTE, changes)
    assert content(target) == content(source)
    assert "zone/late.example." in content(target)
    assert "zone/b.example." not in content(target)
    verify(target, silent)


def test_a_source_that_never_rests_is_told_and_the_target_stays_half_filled() -> None:
    source, target = filled(), MemoryStore()
    made = service(source)
    with pytest.raises(StoreError, match=r"a controller is still writing to it\. Stop every controller"):
        migrate(source, target, NOTE, lambda at: made.attest("edge1", {"documents": at.documents, "blobs": at.blobs}))
    assert marker.read(target) == NOTE
    assert migrate(source, target, NOTE).resumed


@pytest.mark.parametrize("key", ["zone/x.example.", "head/stable", "anything"])
def test_a_target_that_holds_anything_is_refused(key: str) -> None:
    target = MemoryStore()
    target.commit(Transaction(writes={key: {}}))
    with pytest.raises(StoreError, match=f"not empty, it holds '{key}'"):
        migrate(filled(), target, NOTE)
    assert list(content(target)) == [key]


def test_a_target_that_is_half_filled_from_elsewhere_is_refused() -> None:
    target = MemoryStore()
    marker.begin(target, Marker("migrate", "elsewhere", "2026-01-01T00:00:00Z"))
    with pytest.raises(StoreError, match="half filled by a migrate from elsewhere"):
        migrate(filled(), target, NOTE)


def test_a_half_filled_source_is_refused() -> None:
    source = filled()
    source.commit(Transaction(writes={marker.KEY: {"kind": "migrate", "source": "x", "started": "y"}}))
    with pytest.raises(StoreError, match="half filled"):
        migrate(source, MemoryStore(), NOTE)


def test_undo_empties_a_half_filled_target_and_no_other() -> None:
    source, target = filled(), MemoryStore()
    with pytest.raises(StoreError, match="nothing was removed"):
        marker.undo(source)
    migrate(source, target, NOTE)
    count = len(content(target))
    target.commit(Transaction(writes={marker.KEY: {"kind": "migrate", "source": "x", "started": "y"}}))
    assert marker.undo(target) == count
    assert target.scan("") == []


def test_a_blob_that_is_missing_is_named_with_the_document_that_needs_it() -> None:
    source = filled()
    root = str(content(source)["zone/a.example."]["root"])
    del source._blobs[root]
    with pytest.raises(MissingBlob, match=rf"blob {root} is missing, which (published|version)/a\.example"):
        migrate(source, MemoryStore(), NOTE)


def test_a_blob_that_is_damaged_is_told() -> None:
    source = filled()
    root = str(content(source)["zone/a.example."]["root"])
    source._blobs[root] = (0.0, b"something else")
    with pytest.raises(CorruptBlob, match=f"blob {root} does not hash to its name"):
        migrate(source, MemoryStore(), NOTE)


def test_a_digest_of_something_else_is_no_missing_blob() -> None:
    source, target = MemoryStore(), MemoryStore()
    source.commit(Transaction(writes={"note/x": {"fingerprint": "ab" * 32}}))
    migrate(source, target, NOTE)
    assert content(target) == content(source)


def test_a_lease_stays_where_it_is_and_keeps_nobody_from_ending() -> None:
    source, target = filled(), MemoryStore()
    lease = Lease(source, "scheduler", "one", lambda: 0.0, 15)
    lease.acquire()
    migrate(source, target, NOTE, lambda _at: None if lease.renew() else pytest.fail("the lease is lost"))
    assert target.scan("lease/") == []
    assert content(target) == content(source)
    assert source.get(lease.key) is not None


def test_a_difference_is_told_also_while_a_lease_is_renewed() -> None:
    source, target = filled(), Altered()
    lease = Lease(source, "scheduler", "one", lambda: 0.0, 15)
    lease.acquire()
    with pytest.raises(StoreError, match="is not the same in the target"):
        migrate(source, target, NOTE, lambda _at: None if lease.renew() else pytest.fail("the lease is lost"))


class Altered(MemoryStore):
    """Does not keep what it is given."""

    def commit(self, transaction: Transaction) -> int:
        writes = {
            key: {**value, "x": 1} if key.startswith("version/") else value for key, value in transaction.writes.items()
        }
        return super().commit(Transaction(transaction.preconditions, writes, transaction.deletes))


def test_transactions_are_of_a_size_that_every_backend_takes() -> None:
    found = list(batches((f"key{n:04}", {"n": n} if n % 3 else None) for n in range(120)))
    assert [len(one.writes) + len(one.deletes) for one in found] == [50, 50, 20]
    large = list(batches((f"key{n}", {"text": "x" * 200_000}) for n in range(3)))
    assert [len(one.writes) for one in large] == [1, 1, 1]


def test_the_catalog_that_a_head_names_is_copied_with_its_zones() -> None:
    source, target = filled(), MemoryStore()
    head = source.get("head/stable")
    assert isinstance(head, Document)
    only = MemoryStore()
    only.commit(Transaction(writes={"head/stable": head.value}))
    only._blobs = source._blobs
    copied = migrate(only, target, NOTE)
    assert service(target).publisher.line() is not None
    assert copied.blobs > 3
    for name in ("a.example.", "unsigned.example."):
        published = content(source)[f"published/{name}"]
        assert target.read_blobs([str(published["root"])])
