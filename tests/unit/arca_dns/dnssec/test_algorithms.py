# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Each algorithm: the vectors of its RFC, dnspython as a second opinion, and what is refused."""

from __future__ import annotations

import base64
import pickle

import dns.dnssec
import dns.name
import dns.rdata
import dns.rrset
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from arca_dns.dnssec.algorithms import SUPPORTED, algorithm
from arca_dns.dnssec.envelope import MasterKey
from arca_dns.dnssec.keys import KeyPair, ds_rdata, generate_key, generate_keys, key_tag
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import sign_zone
from arca_dns.dnssec.verifier import verify_rrset, verify_zone
from arca_dns.errors import InputError, KeyUnavailable, VerificationFailed
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs
from dnssec_zones import EVERYTHING, NOW, ORIGIN, build, fixed_random, wire

SIGNATURE_SIZES = {8: 256, 13: 64, 14: 96, 15: 64, 16: 114}
KEYS = {number: generate_key(ORIGIN, number, "csk", (), fixed_random(5), lambda: NOW) for number in SUPPORTED}

# RFC 8080 section 6: private key, public key, key tag of the DNSKEY with flags 257, RRSIG of the MX of example.com.
RFC_8080 = {
    15: (
        "ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=",
        "l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
        3613,
        "oL9krJun7xfBOIWcGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg==",
    ),
    16: (
        "xZ+5Cgm463xugtkY5B0Jx6erFTXp13rYegst0qRtNsOYnaVpMx0Z/c5EiA9x8wWbDDct/U3FhYWA",
        "3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPodx1FYYUcJKm1MDpJtIA",
        9713,
        "3cPAHkmlnxcDHMyg7vFC34l0blBhuG1qpwLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07"
        "+4RQvE581N3Aj/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA",
    ),
}
# RFC 6605 section 6.2: the DNSKEY of example.net and the RRSIG of an A of www.
P384_PUBLIC = (
    "xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJhyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/m"
    "lVNgF6W/qTI37m40"
)
P384_RRSIG = (
    "A 14 3 3600 20100909102025 20100812102025 10771 example.net. /L5hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouu"
    "roGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7wnqXL5bdcJzusdnI0RSMROxxwGipWcJm"
)


@pytest.fixture(params=SUPPORTED)
def pair(request: pytest.FixtureRequest) -> KeyPair:
    return KEYS[request.param]


def rdata_of(text: str) -> bytes:
    return dns.rdata.from_text("IN", "RRSIG", text).to_wire() or b""


@pytest.mark.parametrize("number", RFC_8080)
def test_eddsa_signs_as_rfc_8080_says(number: int) -> None:
    secret, public, tag, signature = RFC_8080[number]
    private = algorithm(number).load(base64.b64decode(secret))
    dnskey = b"\1\1\3" + bytes((number,)) + private.public_key
    mx = rr.RRset(names.from_text("example.com."), rr.MX, 3600, (b"\0\x0a" + names.from_text("mail.example.com."),))
    rdata = rdata_of(f"MX {number} 2 3600 1440021600 1438207200 {tag} example.com. {signature}")
    size = SIGNATURE_SIZES[number]
    assert base64.b64encode(private.public_key).decode() == public
    assert key_tag(dnskey) == tag
    assert private.sign(rdata[:-size] + mx.wire()) == rdata[-size:]
    verify_rrset(mx, rdata, [dnskey], None)


def test_ecdsa_p384_verifies_as_rfc_6605_says() -> None:
    www = rr.RRset(names.from_text("www.example.net."), rr.A, 3600, (b"\xc0\0\2\1",))
    dnskey = b"\1\1\3\x0e" + base64.b64decode(P384_PUBLIC)
    verify_rrset(www, rdata_of(P384_RRSIG), [dnskey], None)
    with pytest.raises(VerificationFailed, match="does not verify"):
        verify_rrset(rr.RRset(www.owner, rr.A, 3600, (b"\xc0\0\2\2",)), rdata_of(P384_RRSIG), [dnskey], None)


def test_ecdsa_p384_signs_as_rfc_6979_says() -> None:
    # RFC 6979 A.2.6, SHA-384, message "sample".
    secret = "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5"
    wanted = (
        "94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46"
        "99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8"
    )
    assert algorithm(14).load(bytes.fromhex(secret)).sign(b"sample").hex().upper() == wanted


def test_what_is_signed_verifies_and_is_the_same_each_time(pair: KeyPair) -> None:
    public = algorithm(pair.record.algorithm).public(pair.private.public_key)
    for size in range(40):
        signature = pair.private.sign(bytes(size))
        assert len(signature) == SIGNATURE_SIZES[pair.record.algorithm]
        assert signature == pair.private.sign(bytes(size))
        assert public.verify(bytes(size), signature)
        assert not public.verify(bytes(size + 1), signature)
        assert not public.verify(bytes(size), signature[:-1])
        assert not public.verify(bytes(size), signature[:-1] + bytes((signature[-1] ^ 1,)))


def test_dnspython_verifies_what_is_signed(pair: KeyPair) -> None:
    number, rdata = pair.record.algorithm, pair.record.dnskey_rdata
    zone = sign_zone(Blobs.memory(), build(EVERYTHING), [pair], Policy(algorithm=number, keys="csk"), NOW, 1)
    data = zone.get(wire("www")) or b""
    found = {record.rdtype: record.rdata for record in rr.iterate(data) if record.rdtype == rr.A}
    signature = next(r.rdata for r in rr.iterate(data) if r.rdtype == rr.RRSIG and r.rdata[:2] == b"\0\1")
    rrset = dns.rrset.from_rdata("www.example.", 300, dns.rdata.from_wire(1, 1, found[rr.A], 0, 4))
    rrsig = dns.rdata.from_wire(1, 46, signature, 0, len(signature))
    dnskey = dns.rdata.from_wire(1, 48, rdata, 0, len(rdata))
    keys = {dns.name.from_text("example."): dns.rrset.from_rdata("example.", 3600, dnskey)}
    dns.dnssec.validate(rrset, dns.rrset.from_rdata("www.example.", 300, rrsig), keys, now=NOW)
    wanted = dns.dnssec.make_ds("example.", dnskey, "SHA256")
    assert ds_rdata(ORIGIN, rdata, 2) == wanted.to_wire()


@pytest.mark.parametrize("keys", ["csk", "ksk-zsk"])
@pytest.mark.parametrize("number", SUPPORTED)
def test_a_zone_signed_with_it_verifies(number: int, keys: str) -> None:
    policy = Policy(algorithm=number, keys=keys)
    pairs = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    verify_zone(sign_zone(Blobs.memory(), build(EVERYTHING), pairs, policy, NOW, 1), NOW)


def test_a_zone_signed_with_two_algorithms_has_both_everywhere() -> None:
    blobs = Blobs.memory()
    zone = sign_zone(blobs, build(EVERYTHING, blobs), [KEYS[13], KEYS[15]], Policy(), NOW, 1)
    verify_zone(zone, NOW)
    owner = wire("www")
    parts = [r for r in rr.iterate(zone.get(owner) or b"") if not (r.rdtype == rr.RRSIG and r.rdata[2] == 15)]
    bad = zone.update({owner: b"".join(rr.RRset(owner, r.rdtype, r.ttl, (r.rdata,)).wire() for r in parts)})
    with pytest.raises(VerificationFailed, match="no good RRSIG of algorithm 15"):
        verify_zone(bad, NOW)


def test_a_key_comes_back_from_its_envelope(pair: KeyPair) -> None:
    master = MasterKey.generate(fixed_random(2))
    again = master.open(pair.record, master.seal(pair))
    assert again.private.sign(b"message") == pair.private.sign(b"message")


def test_a_private_key_shows_nowhere(pair: KeyPair) -> None:
    shown = repr(pair) + str(pair) + repr(pair.private) + str(pair.private)
    for form in (pair.private.secret().hex(), base64.b64encode(pair.private.secret()).decode()):
        assert form not in shown
    with pytest.raises(TypeError):
        pickle.dumps(pair.private)


@pytest.mark.parametrize("number", SUPPORTED)
@pytest.mark.parametrize("octets", [b"", b"\1", b"\3\1\0\1" + b"\xff" * 64, b"\0\0\1"])
def test_octets_that_are_no_key_are_refused(number: int, octets: bytes) -> None:
    with pytest.raises(InputError, match=f"no public key of algorithm {number}"):
        algorithm(number).public(octets)
    with pytest.raises(KeyUnavailable, match=f"none of algorithm {number}"):
        algorithm(number).load(octets)


def test_a_key_of_another_family_is_refused() -> None:
    other = serialization.load_der_private_key(KEYS[8].private.secret(), None)
    assert isinstance(other, rsa.RSAPrivateKey)
    with pytest.raises(KeyUnavailable, match="none of algorithm 15"):
        algorithm(15).load(KEYS[8].private.secret())


# -- RSA ----------------------------------------------------------------------------------------


def test_rsa_keys_are_written_as_rfc_3110_says() -> None:
    public = KEYS[8].private.public_key
    assert public[:4] == b"\3\1\0\1"
    assert len(public) == 4 + 256
    long_form = b"\0\0\3" + public[1:]
    assert algorithm(8).public(long_form).verify(b"message", KEYS[8].private.sign(b"message"))


def test_rsa_keys_have_the_size_that_the_policy_says() -> None:
    policy = Policy(algorithm=8, keys="csk", rsa_bits=3072)
    (made,) = generate_keys(policy, ORIGIN)
    assert len(made.private.sign(b"")) == 3072 // 8


@pytest.mark.parametrize("bits", [512, 1024, 2047, 4097])
def test_rsa_keys_of_other_sizes_are_not_made(bits: int) -> None:
    with pytest.raises(ValueError, match="rsa_bits must be 2048 to 4096"):
        Policy(algorithm=8, rsa_bits=bits)
    with pytest.raises(InputError, match=f"{bits} bits is not made; use 2048 to 4096"):
        generate_key(ORIGIN, 8, "csk", bits=bits)


def test_a_short_rsa_key_made_elsewhere_still_signs() -> None:
    private = rsa.generate_private_key(65537, 1024)
    secret = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = algorithm(8).load(secret)
    assert algorithm(8).public(key.public_key).verify(b"message", key.sign(b"message"))
