# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""API keys in a store: found by their secret alone, rotated, expired, revoked."""

from __future__ import annotations

import hmac
from typing import Any

import pytest

from arca_dns.access.api_keys import ApiKeys
from arca_dns.errors import InputError, NotFound
from arca_dns.store.common import everything
from arca_dns.store.memory import MemoryStore

NOW = 1_800_000_000.0


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def keys(store: MemoryStore, clock: Clock) -> ApiKeys:
    return ApiKeys(store, clock)


def test_a_key_is_found_by_its_secret_and_nothing_else(keys: ApiKeys) -> None:
    key, secret = keys.create("pipeline", "editor", actor="alice")
    assert keys.find(secret) == key
    wrong = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    for other in (wrong, secret + "x", secret.upper(), f"arca_{key.id}_", "", "arca_" + "0" * 12 + "_" + "A" * 43):
        assert keys.find(other) is None


def test_only_hashes_are_stored(keys: ApiKeys, store: MemoryStore) -> None:
    key, secret = keys.create("pipeline", "editor", actor="alice")
    assert secret.split("_", 2)[2] not in str([document.value for document in everything(store, "")])
    assert "sha256" not in key.to_json()


def test_a_rotation_leaves_the_old_secret_for_its_grace(keys: ApiKeys, clock: Clock) -> None:
    key, old = keys.create("pipeline", "editor", actor="alice")
    _rotated, new = keys.rotate(key.id, grace=60)
    assert [keys.find(one) is not None for one in (old, new)] == [True, True]
    clock.now += 61
    assert [keys.find(one) is not None for one in (old, new)] == [False, True]
    _again, newest = keys.rotate(key.id)
    assert [keys.find(one) is not None for one in (new, newest)] == [False, True]


def test_a_key_expires(keys: ApiKeys, clock: Clock) -> None:
    _key, secret = keys.create("pipeline", "viewer", actor="alice", expires="2027-01-15T08:00:10Z")
    assert keys.find(secret) is not None
    clock.now += 10
    assert keys.find(secret) is None


def test_a_key_that_was_revoked_is_gone(keys: ApiKeys) -> None:
    key, secret = keys.create("pipeline", "viewer", actor="alice")
    keys.note_use(key.id)
    assert keys.used(key.id) == "2027-01-15T08:00:00Z"
    keys.revoke(key.id)
    assert keys.find(secret) is None
    assert keys.all() == []
    assert keys.used(key.id) is None
    keys.note_use(key.id)
    assert keys.used(key.id) is None, "a use that was noted late brings nothing back"
    with pytest.raises(NotFound):
        keys.get(key.id)


def test_an_unknown_id_is_compared_as_a_wrong_secret_is(keys: ApiKeys, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _secret = keys.create("pipeline", "viewer", actor="alice")
    compared: list[int] = []
    real = hmac.compare_digest

    def counted(a: Any, b: Any) -> bool:
        compared.append(len(b))
        return real(a, b)

    monkeypatch.setattr("arca_dns.access.api_keys.hmac.compare_digest", counted)
    for identity in (key.id, "0" * 12):
        keys.find(f"arca_{identity}_{'A' * 43}")
    assert compared == [64, 64]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "a\nb"}, "/name"),
        ({"name": ""}, "/name"),
        ({"role": "root"}, "/role"),
        ({"expires": "2020-01-01T00:00:00Z"}, "/expires"),
        ({"expires": "2030-01-01T00:00:00"}, "/expires"),
        ({"limits": {"zones": ["a..b"]}}, "/limits/zones/0"),
        ({"role": "acme", "limits": {"names": ["www"]}}, "/limits/names/0"),
    ],
)
def test_what_is_wrong_is_named(keys: ApiKeys, change: dict[str, Any], pointer: str) -> None:
    given = {"name": "pipeline", "role": "viewer", "actor": "alice", **change}
    with pytest.raises(InputError) as caught:
        keys.create(given.pop("name"), given.pop("role"), **given)
    assert [place.pointer for place in caught.value.places] == [pointer]
    assert keys.all() == []
