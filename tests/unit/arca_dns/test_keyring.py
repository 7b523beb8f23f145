# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Private keys in the backend, and the note by which controllers on one store agree on keys."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from arca_dns.dnssec.envelope import MasterKey
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.errors import AlreadyExists, KeyUnavailable
from arca_dns.keyring import BackendKeyStore, Keyring, adopt, agree, all_sealed, put_sealed
from arca_dns.store.base import Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.store.open import open_store
from arca_dns.zone import names
from dnssec_zones import ORIGIN

MASTER = MasterKey(b"m" * 32)
OURS = Keyring("backend", "", MASTER.id, "head")


def test_two_controllers_that_make_first_keys_at_once_end_with_the_same(tmp_path: Path) -> None:
    options = {"path": str(tmp_path / "state.sqlite")}
    made: list[str] = []
    gate = threading.Barrier(4, timeout=60)

    def make() -> None:
        store = open_store("sqlite", options)
        keys = BackendKeyStore(store, MASTER)
        pairs = generate_keys(Policy(), ORIGIN)
        gate.wait()
        try:
            keys.add(pairs, first=True)
            made.append("made")
        except AlreadyExists:
            made.append("found")
        store.close()

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made) == ["found", "found", "found", "made"]
    store = open_store("sqlite", options)
    assert len(BackendKeyStore(store, MASTER).load(ORIGIN)) == 2
    store.close()


@pytest.mark.parametrize("kind", ["sqlite", "git"])
def test_no_private_key_is_readable_in_the_files_of_the_backend(kind: str, tmp_path: Path) -> None:
    store = open_store(kind, {"path": str(tmp_path / "state")})
    pairs = generate_keys(Policy(), ORIGIN)
    BackendKeyStore(store, MASTER).add(pairs)
    store.close()
    files = [file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()]
    for pair in pairs:
        secret = pair.private.secret()
        for form in (secret, secret.hex().encode(), secret[:16]):
            assert not any(form in content for content in files)


def test_keys_move_sealed_as_they_are() -> None:
    source, target = MemoryStore(), MemoryStore()
    BackendKeyStore(source, MASTER).add(generate_keys(Policy(), ORIGIN))
    ((zone, sealed),) = all_sealed(source)
    assert put_sealed(target, zone, sealed) == 2
    assert put_sealed(target, zone, sealed) == 0
    assert [p.record for p in BackendKeyStore(target, MASTER).load(ORIGIN)] == [
        p.record for p in BackendKeyStore(source, MASTER).load(ORIGIN)
    ]
    with pytest.raises(AlreadyExists, match="the backend has another key"):
        put_sealed(target, zone, [{**sealed[0], "created": 1}])


def test_a_damaged_document_is_named_with_its_zone() -> None:
    store = MemoryStore()
    zone = names.to_text(ORIGIN)
    store.commit(Transaction(writes={f"keys/{zone}": {"zone": zone, "keys": [{"tag": 1}]}}))
    with pytest.raises(KeyUnavailable, match=f"a key of {zone} in the backend is damaged"):
        BackendKeyStore(store, MASTER).load(ORIGIN)


def test_the_first_controller_notes_its_keys_and_others_must_have_them() -> None:
    store = MemoryStore()
    agree(store, OURS)
    agree(store, OURS)
    for theirs, says in (
        (
            replace(OURS, store="directory", directory="x"),
            "set it to backend, or move the keys: arca-dns-controller keys move",
        ),
        (replace(OURS, master="other"), "sealed under master key"),
        (replace(OURS, head="other"), "edges trust no other; if it is meant to be another one"),
    ):
        with pytest.raises(KeyUnavailable, match=says):
            agree(store, theirs)


def test_two_folders_of_keys_on_one_store_are_refused() -> None:
    store = MemoryStore()
    agree(store, Keyring("directory", "one", MASTER.id, "head"))
    with pytest.raises(
        KeyUnavailable, match=r"set dnssec\.key_store to backend where several controllers share a store"
    ):
        agree(store, Keyring("directory", "two", MASTER.id, "head"))


def test_what_was_replaced_on_purpose_is_adopted() -> None:
    store = MemoryStore()
    agree(store, OURS)
    assert adopt(store, replace(OURS, head="new"))
    assert not adopt(store, replace(OURS, head="new"))
    agree(store, replace(OURS, head="new"))
    with pytest.raises(KeyUnavailable):
        agree(store, OURS)
