# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Where keys are kept, and the envelope around them."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from arca_dns.dnssec.envelope import ENVIRONMENT, Envelope, MasterKey
from arca_dns.dnssec.keys import generate_key, generate_keys
from arca_dns.dnssec.keystore import DirectoryKeyStore, KeyStore, MemoryKeyStore, safe_name
from arca_dns.dnssec.policy import Policy
from arca_dns.errors import AlreadyExists, KeyUnavailable, NotFound
from arca_dns.keyring import BackendKeyStore
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from dnssec_zones import NOW, ORIGIN, fixed_random

MASTER = MasterKey(b"m" * 32)
PAIRS = generate_keys(Policy(), ORIGIN, (), fixed_random(1), lambda: NOW)
ODD_ZONES = [
    ".",
    "example.",
    "0/25.2.0.192.in-addr.arpa.",
    "with\\.dot.example.",
    "..%2f\\000\\255.".replace("..", "\\.\\."),
    ".".join(["\\255" * 60] * 3) + ".",
    "xn--bcher-kva.example.",
]


@pytest.fixture(params=["directory", "backend", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> KeyStore:
    if request.param == "backend":
        return BackendKeyStore(MemoryStore(), MASTER)
    return DirectoryKeyStore(tmp_path / "keys", MASTER) if request.param == "directory" else MemoryKeyStore()


# -- every store ----------------------------------------------------------------------------


def test_keys_come_back_as_they_were_kept(store: KeyStore) -> None:
    store.add(PAIRS)
    held = store.load(ORIGIN)
    assert [pair.record for pair in held] == [pair.record for pair in PAIRS]
    assert [pair.private.sign(b"x") for pair in held] == [pair.private.sign(b"x") for pair in PAIRS]


def test_a_zone_without_keys_has_none(store: KeyStore) -> None:
    assert store.load(ORIGIN) == []
    assert store.zones() == []


def test_zones_of_every_form_have_their_own_keys(store: KeyStore) -> None:
    zones = [names.from_text(text) for text in ODD_ZONES]
    for i, zone in enumerate(zones):
        store.add(generate_keys(Policy(keys="csk"), zone, (), fixed_random(i), lambda: NOW), first=True)
    assert store.zones() == sorted(zones, key=names.sort_key)
    for zone in zones:
        assert [pair.record.zone for pair in store.load(zone)] == [zone]


def test_a_tag_is_kept_once(store: KeyStore) -> None:
    store.add(PAIRS)
    with pytest.raises(AlreadyExists, match=str(PAIRS[0].record.tag)):
        store.add(PAIRS[:1])
    assert len(store.load(ORIGIN)) == 2


def test_more_keys_join_those_there_are(store: KeyStore) -> None:
    store.add(PAIRS)
    store.add([generate_key(ORIGIN, 13, "zsk", {p.record.tag for p in PAIRS}, fixed_random(7), lambda: NOW)])
    assert [pair.record.role for pair in store.load(ORIGIN)] == ["ksk", "zsk", "zsk"]


def test_first_keys_are_refused_where_there_are_some(store: KeyStore) -> None:
    store.add(PAIRS, first=True)
    others = generate_keys(Policy(), ORIGIN, (), fixed_random(5), lambda: NOW)
    with pytest.raises(AlreadyExists, match="has keys already"):
        store.add(others, first=True)
    assert len(store.load(ORIGIN)) == 2


def test_a_removed_key_is_gone_and_can_be_kept_again(store: KeyStore) -> None:
    store.add(PAIRS)
    for pair in PAIRS:
        store.remove(ORIGIN, pair.record.tag)
    assert store.load(ORIGIN) == []
    assert store.zones() == []
    store.add(PAIRS, first=True)
    assert len(store.load(ORIGIN)) == 2


def test_removing_what_is_not_there_says_so(store: KeyStore) -> None:
    with pytest.raises(NotFound, match="no key with tag 1"):
        store.remove(ORIGIN, 1)


def test_two_keys_with_one_tag_are_refused(store: KeyStore) -> None:
    with pytest.raises(AlreadyExists, match="same tag"):
        store.add([PAIRS[0], PAIRS[0]])


def test_when_many_make_the_first_keys_one_wins(tmp_path: Path) -> None:
    barrier, outcomes = threading.Barrier(4, timeout=60), []

    def work(seed: int) -> None:
        mine = DirectoryKeyStore(tmp_path / "keys", MASTER)
        pairs = generate_keys(Policy(), ORIGIN, (), fixed_random(seed), lambda: NOW)
        barrier.wait()
        try:
            mine.add(pairs, first=True)
            outcomes.append("won")
        except AlreadyExists:
            outcomes.append("lost")

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["lost", "lost", "lost", "won"]
    assert len(DirectoryKeyStore(tmp_path / "keys", MASTER).load(ORIGIN)) == 2
    assert [entry.name for entry in (tmp_path / "keys").iterdir()] == ["example."]


# -- files ----------------------------------------------------------------------------------


def files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file())


def test_files_are_the_owners_alone_and_hold_no_secret(tmp_path: Path) -> None:
    DirectoryKeyStore(tmp_path / "keys", MASTER).add(PAIRS)
    found = files(tmp_path)
    assert [file.name for file in found] == sorted(f"Kexample.+013+{p.record.tag:05d}.json" for p in PAIRS)
    for file in found:
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700
        for pair in PAIRS:
            secret = pair.private.secret()
            assert base64.b64encode(secret) not in file.read_bytes()
            assert secret not in file.read_bytes()


@pytest.mark.parametrize("zone", ODD_ZONES)
def test_every_zone_name_is_a_safe_file_name(zone: str) -> None:
    name = safe_name(names.from_text(zone))
    assert "/" not in name
    assert name not in (".", "..")
    assert not name.startswith(".")
    assert len(name) < 230
    assert name.isascii()
    assert name.isprintable()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda value: "{", "damaged"),
        (lambda value: json.dumps({**value, "tag": 1}), "another tag"),
        (lambda value: json.dumps({**value, "role": "boss"}), "no role"),
        (lambda value: json.dumps({**value, "algorithm": 8}), "another algorithm"),
        (lambda value: json.dumps({**value, "role": "csk"}), "was changed or belongs to another key"),
        (lambda value: json.dumps({**value, "zone": "other."}), "holds a key of other"),
        (lambda value: json.dumps({k: v for k, v in value.items() if k != "private"}), "damaged"),
    ],
)
def test_a_file_that_was_changed_is_refused(tmp_path: Path, change: Callable[[dict], str], why: str) -> None:
    store = DirectoryKeyStore(tmp_path / "keys", MASTER)
    store.add(PAIRS)
    file = files(tmp_path)[0]
    file.write_text(change(json.loads(file.read_text())))
    with pytest.raises(KeyUnavailable, match=why):
        store.load(ORIGIN)


def test_a_write_that_was_cut_off_leaves_nothing_behind_that_is_read(tmp_path: Path) -> None:
    store = DirectoryKeyStore(tmp_path / "keys", MASTER)
    store.add(PAIRS)
    (tmp_path / "keys" / ".new-0123").mkdir()
    (tmp_path / "keys" / ".new-0123" / "Kother.+013+00001.json").write_text("{")
    (tmp_path / "keys" / "example." / ".0123").write_text("{")
    assert len(store.load(ORIGIN)) == 2
    assert store.zones() == [ORIGIN]


# -- master key and envelope --------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"zone": names.from_text("other.")},
        {"tag": 1},
        {"algorithm": 14},
        {"role": "zsk"},
    ],
)
def test_an_envelope_opens_for_its_own_record_only(other: dict[str, object]) -> None:
    envelope = MASTER.seal(PAIRS[0])
    assert MASTER.open(PAIRS[0].record, envelope).private.secret() == PAIRS[0].private.secret()
    with pytest.raises(KeyUnavailable, match="was changed or belongs to another key"):
        MASTER.open(replace(PAIRS[0].record, **other), envelope)  # type: ignore[arg-type]


def test_an_envelope_that_was_changed_does_not_open() -> None:
    envelope = MASTER.seal(PAIRS[0])
    for bad in (
        replace(envelope, ciphertext=bytes((envelope.ciphertext[0] ^ 1,)) + envelope.ciphertext[1:]),
        replace(envelope, nonce=bytes(12)),
        replace(envelope, nonce=b""),
    ):
        with pytest.raises(KeyUnavailable, match="was changed"):
            MASTER.open(PAIRS[0].record, bad)


def test_another_master_key_is_named_in_the_error() -> None:
    other = MasterKey(b"o" * 32)
    with pytest.raises(KeyUnavailable, match=f"master key {MASTER.id}, this one is {other.id}"):
        other.open(PAIRS[0].record, MASTER.seal(PAIRS[0]))


def test_what_other_processes_do_to_the_files_shows_at_once(tmp_path: Path) -> None:
    ours, theirs = (DirectoryKeyStore(tmp_path / "keys", MASTER) for _ in range(2))
    assert ours.load(ORIGIN) == []
    theirs.add(PAIRS)
    assert len(ours.load(ORIGIN)) == 2
    theirs.remove(ORIGIN, PAIRS[0].record.tag)
    assert [pair.record for pair in ours.load(ORIGIN)] == [PAIRS[1].record]
    theirs.add(PAIRS[:1])
    assert len(ours.load(ORIGIN)) == 2
    ours.load(ORIGIN).clear()
    assert len(ours.load(ORIGIN)) == 2


def test_a_public_key_that_is_not_the_private_keys_is_refused() -> None:
    record = replace(PAIRS[0].record, dnskey_rdata=PAIRS[1].record.dnskey_rdata)
    with pytest.raises(KeyUnavailable, match="do not belong together"):
        MASTER.open(record, MASTER.seal(PAIRS[0]))


def test_each_seal_has_its_own_nonce() -> None:
    assert MASTER.seal(PAIRS[0]) != MASTER.seal(PAIRS[0])


@pytest.mark.parametrize("value", [None, {}, {"cipher": "ROT13"}, {"cipher": "AES-256-GCM", "nonce": "AA=="}])
def test_documents_that_are_no_envelope_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="envelope"):
        Envelope.from_json(value)


def test_the_master_key_shows_nowhere() -> None:
    assert "mmmm" not in repr(MASTER) + str(MASTER)
    with pytest.raises(TypeError):
        MASTER.__reduce__()


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    text = base64.b64encode(b"e" * 32).decode()
    assert MasterKey.obtain({ENVIRONMENT: text}, tmp_path / "none").id == MasterKey(b"e" * 32).id


@pytest.mark.parametrize(("text", "why"), [("!!", "not base64"), (base64.b64encode(b"short").decode(), "5 octets")])
def test_a_master_key_in_bad_form_is_refused_and_not_repeated(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(KeyUnavailable, match=why) as caught:
        MasterKey.obtain({ENVIRONMENT: text}, tmp_path / "none")
    assert text not in str(caught.value)
    assert ENVIRONMENT in str(caught.value)


def test_a_master_key_that_is_not_there_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match=r"openssl rand -base64 32"):
        MasterKey.obtain({}, tmp_path / "master.key")


def test_a_master_key_is_made_once_when_told(tmp_path: Path) -> None:
    path = tmp_path / "dir" / "master.key"
    first = MasterKey.obtain({}, path, create=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert MasterKey.obtain({}, path, create=True).id == first.id
    assert MasterKey.load(path).id == first.id
    assert os.listdir(path.parent) == ["master.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_master_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    MasterKey.create(path)
    path.chmod(mode)
    with pytest.raises(KeyUnavailable, match=f"chmod 600 {path}"):
        MasterKey.load(path)


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    store = DirectoryKeyStore(folder, MASTER)
    store.ready()
    folder.mkdir()
    store.ready()
    folder.rmdir()
    folder.write_text("no folder")
    with pytest.raises(KeyUnavailable, match="cannot be read from"):
        store.ready()
