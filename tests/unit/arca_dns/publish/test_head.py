# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A head authenticates exactly what was signed, for its ring, in its time, and only forward."""

from __future__ import annotations

import base64
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from arca_dns.errors import HeadRejected, KeyUnavailable
from arca_dns.publish.head import Head, HeadKey, SignedHead, mass_removal, open_head

KEY = HeadKey.generate()
HEAD = Head("stable", 7, "ab" * 32, issued=1000, expires=2000)


def opened(signed: SignedHead, **options: object) -> Head:
    arguments: dict[str, object] = {"ring": "stable", "now": 1500, "minimum_revision": 0, **options}
    return open_head(signed, [KEY.public], **arguments)  # type: ignore[arg-type]


def test_a_signed_head_opens_to_what_was_signed() -> None:
    assert opened(KEY.sign(HEAD)) == HEAD


def test_a_head_survives_its_json() -> None:
    signed = KEY.sign(HEAD)
    assert SignedHead.from_json(json.loads(json.dumps(signed.to_json()))) == signed


@pytest.mark.parametrize("at", range(0, 120, 7))
def test_no_octet_of_the_payload_can_be_changed(at: int) -> None:
    signed = KEY.sign(HEAD)
    payload = signed.payload
    bent = replace(signed, payload=payload[:at] + chr(ord(payload[at]) ^ 1) + payload[at + 1 :])
    with pytest.raises(HeadRejected, match="signature is wrong"):
        opened(bent)


def test_a_bent_signature_is_refused() -> None:
    signed = KEY.sign(HEAD)
    raw = bytearray(base64.b64decode(signed.signature))
    raw[5] ^= 1
    with pytest.raises(HeadRejected, match="signature is wrong"):
        opened(replace(signed, signature=base64.b64encode(bytes(raw)).decode()))


def test_another_key_is_refused_by_name() -> None:
    with pytest.raises(HeadRejected, match="not one of this edge's head keys"):
        opened(HeadKey.generate().sign(HEAD))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ring": "canary"}, "for ring 'stable'"),
        ({"minimum_revision": 8}, "goes back"),
        ({"now": 2000}, "expired"),
    ],
)
def test_a_head_for_another_ring_an_older_or_an_expired_one_is_refused(options: dict[str, object], reason: str) -> None:
    with pytest.raises(HeadRejected, match=reason):
        opened(KEY.sign(HEAD), **options)


def test_the_head_already_held_is_accepted_again() -> None:
    assert opened(KEY.sign(HEAD), minimum_revision=7) == HEAD


@pytest.mark.parametrize("value", [None, [], {}, {"payload": "x"}, {"payload": 1, "key_id": "", "signature": ""}])
def test_what_is_no_head_is_refused(value: object) -> None:
    with pytest.raises(HeadRejected):
        SignedHead.from_json(value)


def test_the_private_key_shows_nowhere() -> None:
    raw = base64.b64encode(KEY._private.private_bytes_raw()).decode()
    assert raw not in repr(KEY)
    assert raw not in str(KEY)


def test_a_key_file_is_private_and_made_once(tmp_path: Path) -> None:
    path = tmp_path / "head.key"
    first = HeadKey.load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert HeadKey.load_or_create(path).public == first.public


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.key"
    HeadKey.create(path)
    path.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="chmod 600"):
        HeadKey.load(path)


@pytest.mark.parametrize(
    ("before", "removed", "expected"),
    [(0, 0, False), (1, 1, True), (9, 8, False), (9, 9, True), (10, 3, False), (10, 4, True), (100, 1, False)],
)
def test_what_counts_as_a_mass_removal(before: int, removed: int, expected: bool) -> None:
    assert mass_removal(before, removed) is expected
