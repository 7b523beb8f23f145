# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keys: tags, DS, generation, algorithms; policies and windows."""

from __future__ import annotations

import base64
import pickle
from dataclasses import replace

import dns.dnssec
import dns.name
import dns.rdata
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.dnssec import keys as keys_module
from arca_dns.dnssec.algorithms import SUPPORTED, algorithm
from arca_dns.dnssec.denial import (
    Nsec3Parameters,
    base32hex,
    bitmap,
    bitmap_types,
    hash_name,
    hash_of_owner,
    nsec3_owner,
)
from arca_dns.dnssec.keys import ds_rdata, generate_key, generate_keys, key_tag, revoked_tag
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.window import due_until, epoch_of, window
from arca_dns.errors import InputError, KeyUnavailable, MissingDependency
from arca_dns.zone import names
from dnssec_zones import NOW, ORIGIN, fixed_random

PAIR = generate_keys(Policy(keys="csk"), ORIGIN, (), fixed_random(3), lambda: NOW)[0]


# -- algorithms --------------------------------------------------------------------------------


def test_ecdsa_p256_signs_as_rfc_6979_says() -> None:
    # RFC 6979 A.2.5, SHA-256, message "sample".
    secret = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")
    wanted = (
        "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"
        "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"
    )
    assert algorithm(13).load(secret).sign(b"sample").hex().upper() == wanted


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=100))
def test_what_is_signed_verifies_and_has_64_octets(message: bytes) -> None:
    signature = PAIR.private.sign(message)
    public = algorithm(13).public(PAIR.record.dnskey_rdata[4:])
    assert len(signature) == 64
    assert public.verify(message, signature)
    assert not public.verify(message + b"x", signature)


def test_a_cryptography_that_is_too_old_to_sign_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def old(digest: object) -> None:
        """What cryptography 38 offers: no deterministic_signing."""

    monkeypatch.setattr("cryptography.hazmat.primitives.asymmetric.ec.ECDSA", old)
    with pytest.raises(MissingDependency, match="cryptography>=44"):
        algorithm(13).load(b"\1" * 32)


@pytest.mark.parametrize("signature", [b"", b"x" * 63, b"\0" * 64, b"\xff" * 64])
def test_what_is_no_signature_does_not_verify(signature: bytes) -> None:
    assert not algorithm(13).public(PAIR.record.dnskey_rdata[4:]).verify(b"message", signature)


@pytest.mark.parametrize("number", [1, 5, 7, 10, 12, 253, 0])
def test_other_algorithms_are_refused_by_number(number: int) -> None:
    with pytest.raises(InputError, match=f"algorithm {number} is not supported"):
        algorithm(number)
    assert number not in SUPPORTED


@pytest.mark.parametrize("public_key", [b"", b"\1" * 64, b"\0" * 63])
def test_octets_that_are_no_point_are_refused(public_key: bytes) -> None:
    with pytest.raises(InputError, match="no public key"):
        algorithm(13).public(public_key)


@pytest.mark.parametrize("secret", [b"", b"\0" * 32, b"\xff" * 32, b"\1" * 31])
def test_octets_that_are_no_private_key_are_refused(secret: bytes) -> None:
    with pytest.raises(KeyUnavailable):
        algorithm(13).load(secret)


def test_a_private_key_shows_nowhere() -> None:
    secret = PAIR.private.secret()
    shown = repr(PAIR) + str(PAIR) + repr(PAIR.private) + str(PAIR.private) + str(PAIR.record)
    for form in (
        secret.hex(),
        repr(secret)[2:-1],
        base64.b64encode(secret).decode(),
        str(int.from_bytes(secret, "big")),
    ):
        assert form not in shown
    with pytest.raises(TypeError):
        pickle.dumps(PAIR.private)


# -- tags and DS ------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=80), st.sampled_from((256, 257, 385)))
def test_key_tags_are_those_of_dnspython(public_key: bytes, flags: int) -> None:
    rdata = flags.to_bytes(2, "big") + b"\3\x0d" + public_key
    assert key_tag(rdata) == dns.dnssec.key_id(dns.rdata.from_wire(1, 48, rdata, 0, len(rdata)))


@pytest.mark.parametrize(("digest_type", "name"), [(2, "SHA256"), (4, "SHA384")])
def test_ds_is_that_of_dnspython(digest_type: int, name: str) -> None:
    rdata = PAIR.record.dnskey_rdata
    wanted = dns.dnssec.make_ds("example.", dns.rdata.from_wire(1, 48, rdata, 0, len(rdata)), name)
    assert ds_rdata(ORIGIN, rdata, digest_type) == wanted.to_wire()


def test_sha1_digests_are_refused() -> None:
    with pytest.raises(InputError, match="digest type 1"):
        ds_rdata(ORIGIN, PAIR.record.dnskey_rdata, 1)


def test_policies_say_which_keys_are_made() -> None:
    split = generate_keys(Policy(), ORIGIN, (), fixed_random(1), lambda: NOW)
    assert [(pair.record.role, pair.record.dnskey_rdata[:4]) for pair in split] == [
        ("ksk", b"\1\1\3\x0d"),
        ("zsk", b"\1\0\3\x0d"),
    ]
    assert [(pair.record.role, pair.record.dnskey_rdata[:4]) for pair in (PAIR,)] == [("csk", b"\1\1\3\x0d")]
    assert {pair.record.created for pair in split} == {NOW}


def test_a_tag_that_is_taken_is_never_given_again() -> None:
    first = generate_key(ORIGIN, 13, "csk", (), fixed_random(1))
    again = generate_key(ORIGIN, 13, "csk", {first.record.tag}, fixed_random(1))
    assert again.record.tag != first.record.tag


def test_a_tag_that_would_collide_once_revoked_is_not_given() -> None:
    first = generate_key(ORIGIN, 13, "csk", (), fixed_random(1))
    taken = {revoked_tag(first.record.dnskey_rdata)}
    assert generate_key(ORIGIN, 13, "csk", taken, fixed_random(1)).record != first.record


def test_when_no_tag_is_free_it_gives_up_with_a_clear_error() -> None:
    with pytest.raises(KeyUnavailable, match="free tag"):
        generate_key(ORIGIN, 13, "csk", range(65536), fixed_random(1))


def test_unknown_roles_are_refused() -> None:
    with pytest.raises(InputError, match="no role"):
        generate_key(ORIGIN, 13, "boss")
    assert keys_module.ROLES == ("ksk", "zsk", "csk")


# -- denial -----------------------------------------------------------------------------------


def test_hashes_are_those_of_rfc_5155_appendix_a() -> None:
    parameters = Nsec3Parameters(12, bytes.fromhex("aabbccdd"))
    for name, hashed in {
        "example.": b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tom",
        "ns1.example.": b"2t7b4g4vsa5smi47k61mv5bv1a22bojr",
        "*.w.example.": b"r53bq7cc2uvmubfu5ocmm6pers9tk9en",
        "x.y.w.example.": b"2vptu5timamqttgl4luu9kg21e0aor3s",
    }.items():
        assert parameters.owner(names.from_text(name), ORIGIN) == b"\x20" + hashed + ORIGIN


@given(st.binary(min_size=20, max_size=20))
def test_base32hex_round_trips_in_hash_order(digest: bytes) -> None:
    assert hash_of_owner(nsec3_owner(digest, ORIGIN)) == digest
    other = hash_name(digest)
    assert (base32hex(digest) < base32hex(other)) == (digest < other)


@given(st.sets(st.integers(1, 65535), max_size=40))
def test_bitmaps_round_trip(types: set[int]) -> None:
    ordered = tuple(sorted(types))
    assert bitmap_types(bitmap(ordered)) == ordered


@pytest.mark.parametrize("data", [b"\0", b"\0\0", b"\0\1\0", b"\0\2\1", b"\1\1\1\0\1\1", b"\0\x21" + b"\1" * 33])
def test_bitmaps_in_bad_form_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        bitmap_types(data)


# -- policy and windows -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("algorithm", 5),
        ("algorithm", "13"),
        ("keys", "zsk"),
        ("denial", "nsec5"),
        ("nsec3_iterations", 51),
        ("nsec3_iterations", -1),
        ("nsec3_salt", "xyz"),
        ("nsec3_salt", "00" * 256),
        ("nsec3_opt_out", 1),
        ("validity", 0),
        ("validity", True),
        ("validity", 400 * 86400),
        ("refresh", 14 * 86400),
        ("dnskey_ttl", 5 * 86400),
        ("quantum", 30 * 86400),
        ("inception_offset", -1),
    ],
)
def test_policies_that_cannot_be_are_refused(option: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match=r"\w"):
        replace(Policy(), **{option: value})  # type: ignore[arg-type]


policies = st.builds(
    lambda refresh, period, quantum: Policy(validity=refresh + max(period, quantum), refresh=refresh, quantum=quantum),
    st.integers(8000, 10**6),
    st.integers(1, 10**6),
    st.integers(1, 10**5),
)
owners = st.binary(min_size=1, max_size=20).map(lambda label: bytes((len(label),)) + label + ORIGIN)


@given(policies, st.integers(10**9, 3 * 10**9), owners)
def test_at_any_time_the_window_is_open_and_has_refresh_left(policy: Policy, now: int, owner: bytes) -> None:
    epoch = epoch_of(policy, now)
    inception, expiration = window(policy, epoch, owner)
    assert inception <= epoch <= now
    assert expiration - epoch > policy.refresh
    assert expiration - inception == policy.validity + policy.inception_offset


@given(policies, st.integers(10**9, 2 * 10**9), st.integers(0, 10**7), owners)
def test_a_signature_is_due_exactly_when_its_window_is_no_longer_the_current_one(
    policy: Policy, now: int, passed: int, owner: bytes
) -> None:
    then, later = epoch_of(policy, now), epoch_of(policy, now + passed)
    old = window(policy, then, owner)
    assert (old[1] <= due_until(policy, later)) == (window(policy, later, owner) != old)


def test_owners_are_spread_over_the_period() -> None:
    policy = Policy()
    ends = {window(policy, NOW, bytes((4,)) + b"%04d" % i + ORIGIN)[1] for i in range(2000)}
    assert len(ends) == policy.period // policy.quantum
