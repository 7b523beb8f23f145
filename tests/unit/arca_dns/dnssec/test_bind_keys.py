# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""BIND's key files: what is written reads back, and what does not fit is refused without telling a secret."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from arca_dns.dnssec.bind_keys import load, load_all, private_text, public_text, read_pair, save
from arca_dns.dnssec.keys import CSK, KSK, ZSK, KeyPair, generate_key
from arca_dns.errors import KeyUnavailable
from arca_dns.zone import names
from dnssec_zones import NOW, ORIGIN, fixed_random

OTHER = names.from_text("other.")


def made(role: str = KSK, seed: int = 1, zone: bytes = ORIGIN) -> KeyPair:
    return generate_key(zone, 13, role, (), fixed_random(seed), lambda: NOW)


@pytest.mark.parametrize("role", [KSK, ZSK])
def test_what_is_saved_is_loaded(tmp_path: Path, role: str) -> None:
    pair = made(role)
    stem = save(tmp_path, pair)
    assert stem.name == f"Kexample.+013+{pair.record.tag:05}"
    for path in (stem, Path(f"{stem}.key"), Path(f"{stem}.private")):
        found = load(path)
        assert found == pair
        assert found.private.secret() == pair.private.secret()


def test_a_secret_without_its_leading_zeros_is_read() -> None:
    pair = next(pair for seed in range(5000) if (pair := made(KSK, seed)).private.secret()[0] == 0)
    secret = pair.private.secret()
    text = private_text(pair).replace(
        base64.b64encode(secret).decode(), base64.b64encode(secret.lstrip(b"\0")).decode()
    )
    assert text != private_text(pair)
    assert read_pair(public_text(pair.record), text, "Kexample.").private.secret() == secret


def test_secrets_are_readable_by_the_owner_alone_and_never_replaced(tmp_path: Path) -> None:
    stem = save(tmp_path, made())
    assert Path(f"{stem}.private").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        save(tmp_path, made())


def test_a_folder_gives_the_keys_of_the_zone(tmp_path: Path) -> None:
    pairs = (made(KSK, 1), made(ZSK, 2))
    for pair in (*pairs, made(KSK, 3, OTHER)):
        save(tmp_path, pair)
    assert set(load_all([tmp_path], ORIGIN)) == set(pairs)
    with pytest.raises(KeyUnavailable, match="no key of third"):
        load_all([tmp_path], names.from_text("third."))


def test_a_lone_key_with_the_sep_flag_signs_everything(tmp_path: Path) -> None:
    stem = save(tmp_path, made(KSK))
    (pair,) = load_all([stem, tmp_path], ORIGIN)
    assert pair.record.role == CSK


def test_a_key_of_another_zone_that_is_named_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match="a key of other"):
        load_all([save(tmp_path, made(KSK, 3, OTHER))], ORIGIN)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable, match=r"Kx\.key cannot be read"):
        load(tmp_path / "Kx")


@pytest.fixture(scope="module")
def rsa() -> KeyPair:
    return generate_key(ORIGIN, 8, KSK, (), fixed_random(1), lambda: NOW)


def test_an_rsa_key_reads_back(rsa: KeyPair) -> None:
    found = read_pair(public_text(rsa.record), private_text(rsa), "K")
    assert found.record == rsa.record
    assert found.private.secret() == rsa.private.secret()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("Prime1:", "Prime9:", "no Prime1 field"),
        ("Coefficient: ", "Coefficient: !", "Coefficient field of K.private is no base64"),
        ("Exponent1: ", "Exponent1: AQAB", "make no RSA key"),
        ("Modulus: ", "Modulus: AQAB", "make no RSA key"),
    ],
)
def test_rsa_numbers_that_do_not_fit_are_refused(rsa: KeyPair, before: str, after: str, message: str) -> None:
    private = private_text(rsa).replace(before, after)
    with pytest.raises(KeyUnavailable, match=message) as caught:
        read_pair(public_text(rsa.record), private, "K")
    secrets = [line.split()[1] for line in private_text(rsa).splitlines() if line.startswith(("Pr", "Ex", "Coe"))]
    assert not any(secret in str(caught.value) for secret in secrets)


PUBLIC, PRIVATE = public_text(made().record), private_text(made())
SECRET = next(line for line in PRIVATE.splitlines() if line.startswith("PrivateKey:")).split()[1]


@pytest.mark.parametrize(
    ("public", "private", "message"),
    [
        ("", PRIVATE, "one DNSKEY record"),
        ("example. IN A 192.0.2.1\n", PRIVATE, "no DNSKEY|one DNSKEY"),
        (PUBLIC * 2 + "x. A 192.0.2.1\n", PRIVATE, "one DNSKEY record"),
        (PUBLIC.replace(" 257 ", " 0 "), PRIVATE, "flags 256 or 257"),
        (PUBLIC, "", "Private-key-format"),
        (PUBLIC, PRIVATE.replace("v1.3", "v2.0"), "Private-key-format"),
        (PUBLIC, PRIVATE.replace("Algorithm: 13", "Algorithm: 15"), "is of algorithm 15"),
        (PUBLIC, PRIVATE.replace("PrivateKey:", "Modulus:"), "no PrivateKey field"),
        (PUBLIC, PRIVATE.replace(SECRET, f"!{SECRET}"), "no base64"),
        (PUBLIC, PRIVATE.replace(SECRET, SECRET[4:]), "public keys differ"),
        (PUBLIC, PRIVATE.replace(SECRET, f"AAAA{SECRET}"), "none of algorithm 13"),
        (PUBLIC, private_text(made(KSK, 9)), "public keys differ"),
    ],
)
def test_what_does_not_fit_is_refused(public: str, private: str, message: str) -> None:
    with pytest.raises(KeyUnavailable, match=message) as caught:
        read_pair(public, private, "K")
    assert SECRET not in str(caught.value)
    assert SECRET[4:] not in str(caught.value)
