# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What every backend promises (arca_dns.store.base), checked one promise at a time."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, strategies as st

from arca_dns.errors import Conflict, CorruptBlob
from arca_dns.store.base import ABSENT, Store, Transaction
from arca_dns.store.common import GRACE_SECONDS, prefix_end
from damage import corrupt, lose

pytestmark = pytest.mark.conformance


def put(store: Store, *keys: str) -> int:
    return store.commit(Transaction(writes={key: {"key": key} for key in keys}))


def blobs(*data: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(d).hexdigest(): d for d in data}


def keys(store: Store, prefix: str = "", after: str = "", limit: int = 1000) -> list[str]:
    return [document.key for document in store.scan(prefix, after, limit)]


def test_a_key_that_was_never_written_is_none(store: Store) -> None:
    assert store.get("zone/example.com.") is None
    assert store.scan("") == []


def test_a_document_comes_back_as_it_was_written(store: Store) -> None:
    value = {"text": "ä€😀\0\n", "none": None, "big": 2**53, "list": [1, 2.5, True, {"a": []}], "": ""}
    revision = store.commit(Transaction(writes={"k": value}))
    found = store.get("k")
    assert found is not None
    assert (found.key, found.revision, found.value) == ("k", revision, value)


def test_a_document_is_not_changed_through_the_value_that_was_written_or_read(store: Store) -> None:
    value = {"list": [1]}
    store.commit(Transaction(writes={"k": value}))
    value["list"].append(2)
    read = store.get("k")
    assert read is not None
    read.value["more"] = 1
    again = store.get("k")
    assert again is not None
    assert again.value == {"list": [1]}


@pytest.mark.parametrize("value", [{"x": math.nan}, {"x": b""}])
def test_a_value_that_json_cannot_say_is_refused_and_nothing_is_written(store: Store, value: dict) -> None:
    with pytest.raises((TypeError, ValueError)):
        store.commit(Transaction(writes={"a": {}, "b": value}))
    assert store.scan("") == []


def test_revisions_only_grow_also_over_deletes_and_conflicts(store: Store) -> None:
    seen = [store.watch(0, 0).revision]
    for _ in range(3):
        seen.append(put(store, "a"))
        seen.append(store.commit(Transaction(deletes=["a"])))
        with pytest.raises(Conflict):
            store.commit(Transaction({"a": 1}, {"a": {}}))
    assert seen == sorted(set(seen))


def test_a_revision_is_that_of_the_documents_own_last_write(store: Store) -> None:
    first = put(store, "a", "b")
    second = put(store, "b")
    assert {d.key: d.revision for d in store.scan("")} == {"a": first, "b": second}


def test_a_transaction_on_the_revision_read_succeeds_once(store: Store) -> None:
    revision = put(store, "a")
    newer = store.commit(Transaction({"a": revision}, {"a": {"n": 1}}))
    with pytest.raises(Conflict, match=rf"a is at revision {newer}, not at {revision}"):
        store.commit(Transaction({"a": revision}, {"a": {"n": 2}}))
    found = store.get("a")
    assert found is not None
    assert found.value == {"n": 1}


def test_absent_demands_that_a_key_does_not_exist(store: Store) -> None:
    store.commit(Transaction({"a": ABSENT}, {"a": {}}))
    with pytest.raises(Conflict, match=r"a is at revision \d+, not absent"):
        store.commit(Transaction({"a": ABSENT}, {"a": {}}))
    store.commit(Transaction(deletes=["a"]))
    store.commit(Transaction({"a": ABSENT}, {"a": {}}))


def test_a_deleted_key_does_not_have_its_old_revision(store: Store) -> None:
    revision = put(store, "a")
    store.commit(Transaction(deletes=["a"]))
    with pytest.raises(Conflict, match=f"a does not exist, not at {revision}"):
        store.commit(Transaction({"a": revision}, {"a": {}}))


def test_a_precondition_may_be_on_a_key_that_is_not_written(store: Store) -> None:
    revision = put(store, "guard")
    store.commit(Transaction({"guard": revision}, {"a": {}}))
    put(store, "guard")
    with pytest.raises(Conflict):
        store.commit(Transaction({"guard": revision}, {"b": {}}))
    assert store.get("b") is None


def test_a_transaction_whose_precondition_fails_does_nothing(store: Store) -> None:
    put(store, "a", "gone")
    before = store.scan("")
    with pytest.raises(Conflict):
        store.commit(Transaction({"a": 999}, {"a": {"n": 1}, "new": {}}, ["gone"]))
    assert store.scan("") == before


def test_writes_and_deletes_of_one_transaction_share_a_revision(store: Store) -> None:
    put(store, "old")
    revision = store.commit(Transaction(writes={"a": {}, "b": {}}, deletes=["old"]))
    assert [(d.key, d.revision) for d in store.scan("")] == [("a", revision), ("b", revision)]


def test_a_delete_of_what_does_not_exist_is_no_error(store: Store) -> None:
    revision = put(store, "a")
    assert store.commit(Transaction(deletes=["never"])) > revision
    assert keys(store) == ["a"]


def test_a_key_both_written_and_deleted_is_a_callers_mistake(store: Store) -> None:
    with pytest.raises(ValueError, match="both writes and deletes a"):
        store.commit(Transaction(writes={"a": {}}, deletes=["a"]))


def test_a_transaction_may_have_thousands_of_keys(store: Store) -> None:
    many = [f"many/{n:05}" for n in range(3000)]
    revision = put(store, *many)
    assert keys(store, "many/", limit=5000) == many
    store.commit(Transaction(dict.fromkeys(many, revision), deletes=many))
    assert store.scan("many/") == []


def test_scan_goes_in_code_point_order_and_keeps_to_the_prefix(store: Store) -> None:
    written = ["a", "a/", "a/b", "a/B", "a/é", "a/😀", "a/\uffee", "a0", "b", "A/x", "a/b%", "a/b_"]
    put(store, *written)
    assert keys(store) == sorted(written)
    assert keys(store, "a/") == sorted(k for k in written if k.startswith("a/"))
    assert keys(store, "a/b%") == ["a/b%"]


def test_scan_pages_with_after_and_limit(store: Store) -> None:
    written = [f"p/{n:03}" for n in range(25)]
    put(store, "o/9", "q/0", *written)
    found: list[str] = []
    while page := keys(store, "p/", found[-1] if found else "", 10):
        assert len(page) <= 10
        found += page
    assert found == written
    assert keys(store, "p/", "p/0225") == ["p/023", "p/024"]
    assert keys(store, "p/", "o") == written
    assert keys(store, "p/", "q") == []
    assert keys(store, "p/", limit=0) == []


def test_blobs_come_back_and_absent_ones_are_left_out(store: Store) -> None:
    written = blobs(b"", b"\0\xff" * 100, bytes(range(256)) * 8192)
    store.write_blobs(written)
    assert store.read_blobs([*written, "00" * 32]) == written
    assert store.read_blobs([]) == {}


def test_writing_a_blob_again_changes_nothing(store: Store) -> None:
    written = blobs(b"a", b"b")
    store.write_blobs(written)
    store.write_blobs({**written, **blobs(b"c")})
    store.write_blobs({})
    assert store.read_blobs(written) == written


@pytest.mark.parametrize("size", [100, 400 << 10])
def test_a_commit_takes_the_blobs_that_its_documents_need(backend, store: Store, size: int) -> None:
    held = blobs(b"here already")
    store.write_blobs(held)
    written = blobs(bytes(size), b"x" * size)
    store.commit(Transaction(writes={"k": {}}, blobs={**held, **written}))
    assert backend.open().read_blobs([*held, *written]) == {**held, **written}
    backend.clock.now += GRACE_SECONDS + 1
    store.commit(Transaction(writes={"k": {}}, blobs=written))
    assert store.sweep([]) == 1
    assert store.read_blobs([*held, *written]) == written


def test_blobs_of_a_commit_that_failed_can_be_committed_again(backend, store: Store) -> None:
    written = blobs(b"sooner or later")
    with pytest.raises(Conflict):
        store.commit(Transaction({"k": 7}, {"k": {}}, blobs=written))
    store.commit(Transaction({"k": ABSENT}, {"k": {}}, blobs=written))
    assert backend.open().read_blobs(written) == written


def test_thousands_of_blobs_in_one_call(store: Store) -> None:
    written = blobs(*(b"%d" % n for n in range(2500)))
    store.write_blobs(written)
    assert store.read_blobs(written) == written


@pytest.mark.parametrize("harm", [corrupt, lose])
def test_a_blob_that_was_damaged_is_replaced_and_the_others_stay(backend, store: Store, harm) -> None:
    held = blobs(*(bytes([n]) * 5000 + str(n).encode() * n for n in range(20)))
    digests = list(held)
    store.write_blobs(held)
    put(store, "k")
    damaged = digests[7]
    harm(backend.kind, backend.options, damaged, store)
    assert backend.open().read_blobs([damaged]).get(damaged) != held[damaged]
    store.write_blobs({damaged: held[damaged]})
    store.replace_blobs({damaged: held[damaged]})
    store.replace_blobs({damaged: held[damaged], **blobs(b"new")})
    assert store.read_blobs([*held, *blobs(b"new")]) == {**held, **blobs(b"new")}
    assert backend.open().read_blobs(held) == held
    assert put(store, "l") > 1
    assert backend.open().read_blobs(held) == held


def test_bytes_that_do_not_hash_to_their_digest_replace_nothing(store: Store) -> None:
    (digest,) = held = blobs(b"right")
    store.write_blobs(held)
    with pytest.raises(ValueError, match="do not hash"):
        store.replace_blobs({digest: b"wrong"})
    assert store.read_blobs([digest]) == held


def test_a_sweep_removes_what_is_not_kept_and_is_old(backend, store: Store) -> None:
    written = blobs(*(b"%d" % n for n in range(1200)))
    kept = dict(list(written.items())[::3])
    store.write_blobs(written)
    backend.clock.now += GRACE_SECONDS + 1
    young = blobs(b"young")
    store.write_blobs(young)
    assert store.sweep(iter(kept)) == 800
    assert store.read_blobs([*written, *young]) == {**kept, **young}
    assert store.sweep(kept) == 0


def test_a_blob_written_again_is_young_again(backend, store: Store) -> None:
    written = blobs(b"wanted again")
    store.write_blobs(written)
    backend.clock.now += GRACE_SECONDS + 1
    store.write_blobs(written)
    assert store.sweep([]) == 0
    backend.clock.now += GRACE_SECONDS + 1
    assert store.sweep([]) == 1


def test_what_is_written_while_a_sweep_is_told_what_to_keep_stays(backend, store: Store) -> None:
    old, new = blobs(b"old"), blobs(b"new")
    store.write_blobs(old)
    backend.clock.now += GRACE_SECONDS + 1

    def slowly() -> Iterator[str]:
        store.write_blobs(new)
        backend.clock.now += 10 * GRACE_SECONDS
        yield from ()

    assert store.sweep(slowly()) == 1
    assert store.read_blobs([*old, *new]) == new


def test_a_sweep_that_cannot_be_told_what_to_keep_removes_nothing(backend, store: Store) -> None:
    written = blobs(b"needed")
    store.write_blobs(written)
    backend.clock.now += GRACE_SECONDS + 1

    def breaks() -> Iterator[str]:
        yield from ()
        raise CorruptBlob("a node")

    with pytest.raises(CorruptBlob):
        store.sweep(breaks())
    assert store.read_blobs(written) == written


def test_watch_returns_at_once_what_was_written_and_deleted_since(store: Store) -> None:
    put(store, "old", "gone")
    start = store.watch(0, 0).revision
    assert store.watch(start, 0).keys == ()
    put(store, "b")
    last = store.commit(Transaction(writes={"a": {}}, deletes=["gone"]))
    changes = store.watch(start, 60)
    assert changes.revision == last
    assert changes.keys == ("b", "a", "gone")
    assert sorted(store.watch(0, 60).keys) == ["a", "b", "gone", "old"]


def test_watch_tells_a_key_that_came_back_once(store: Store) -> None:
    put(store, "a")
    store.commit(Transaction(deletes=["a"]))
    put(store, "a")
    assert store.watch(0, 60).keys == ("a",)


def test_watch_gives_up_after_its_timeout(store: Store) -> None:
    revision = put(store, "a")
    changes = store.watch(revision, 0.05)
    assert (changes.revision, changes.keys) == (revision, ())


def test_watch_wakes_for_a_commit_of_another_handle_and_thread(backend, store: Store) -> None:
    other = backend.open()
    revision = put(store, "a")
    thread = threading.Timer(0.02, put, (other, "b"))
    thread.start()
    changes = store.watch(revision, 60)
    thread.join()
    assert changes.keys == ("b",)


def race(jobs: list[Callable[[], None]]) -> None:
    """Run *jobs* at once; raises what any of them raised."""
    errors: list[BaseException] = []
    gate = threading.Barrier(len(jobs), timeout=60)

    def run(job: Callable[[], None]) -> None:
        gate.wait()
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_threads_that_compare_and_set_lose_no_count(backend, store: Store) -> None:
    put_first = store.commit(Transaction(writes={"count": {"n": 0}}))
    revisions: list[int] = [put_first]

    def count() -> None:
        mine, done = backend.open(), 0
        while done < 20:
            found = mine.get("count")
            assert found is not None
            try:
                writes = {"count": {"n": int(str(found.value["n"])) + 1}}
                revisions.append(mine.commit(Transaction({"count": found.revision}, writes)))
                done += 1
            except Conflict:
                pass

    race([count] * 6)
    found = store.get("count")
    assert found is not None
    assert found.value == {"n": 120}
    assert len(set(revisions)) == 121


def test_a_reader_never_sees_half_a_transaction(backend, store: Store) -> None:
    group = [f"g/{n}" for n in range(4)]
    store.commit(Transaction(writes={key: {"n": -1} for key in group}))
    done = threading.Event()

    def write() -> None:
        for n in range(60):
            store.commit(Transaction(writes={key: {"n": n} for key in group}))
        done.set()

    def read() -> None:
        mine = backend.open()
        while not done.is_set():
            seen = mine.scan("g/")
            assert len({(d.revision, d.value["n"]) for d in seen}) == 1

    race([write, read, read])


@given(st.text(max_size=8), st.text(max_size=8))
def test_the_end_of_a_prefix_is_above_what_has_the_prefix_and_nothing_else(prefix: str, text: str) -> None:
    end = prefix_end(prefix)
    inside = text >= prefix and (end is None or text < end)
    assert inside == text.startswith(prefix)
