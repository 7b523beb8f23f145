# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""ZONEMD: the digests of RFC 8976 and of dnspython, kept right by every change, and checked before publishing."""

from __future__ import annotations

from collections.abc import Callable

import dns.rdata
import dns.zone
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.dnssec import zonemd
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.verifier import verify_change, verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.errors import VerificationFailed
from arca_dns.zone import names, rr
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import APEX, EVERYTHING, NOW, ORIGIN, a, build, fixed_random, nodes, txt

NSEC, NSEC3 = Policy(zonemd=True), Policy(denial="nsec3", zonemd=True)
BOTH = pytest.mark.parametrize("policy", [NSEC, NSEC3], ids=["nsec", "nsec3"])

# RFC 8976 appendices A.1, A.2 (without the name outside of the zone, which no tree holds) and A.4.
SIMPLE = """\
@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400
@ 86400 NS ns1
@ 86400 NS ns2
@ 86400 ZONEMD 2018031900 1 1 c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3 (
 a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c )
ns1 3600 A 203.0.113.63
ns2 3600 AAAA 2001:db8::63
"""
COMPLEX = """\
@ 86400 SOA ns1 admin 2018031900 1800 900 604800 86400
@ 86400 NS ns1
@ 86400 NS ns2
@ 86400 ZONEMD 2018031900 1 1 a3b69bad980a3504e1cffcb0fd6397f93848071c93151f55 (
 2ae2f6b1711d4bd2d8b39808226d7b9db71e34b72077f8fe )
ns1 3600 A 203.0.113.63
NS2 3600 AAAA 2001:db8::63
occluded.sub 7200 TXT "I'm occluded but must be digested"
sub 7200 NS ns1
duplicate 300 TXT "I must be digested just once"
duplicate 300 TXT "I must be digested just once"
UPPERCASE 3600 TXT "canonicalize uppercase owner names"
* 777 PTR dont-forget-about-wildcards
mail 3600 MX 20 MAIL1
mail 3600 MX 10 Mail2.Example.
sortme 3600 AAAA 2001:db8::5:61
sortme 3600 AAAA 2001:db8::3:62
sortme 3600 AAAA 2001:db8::4:63
sortme 3600 AAAA 2001:db8::1:65
sortme 3600 AAAA 2001:db8::2:64
non-apex 900 ZONEMD 2018031900 1 1 616c6c6f776564206275742069676e6f7265642e20616c6c (
 6f776564206275742069676e6f7265642e20616c6c6f7765 )
"""


def read(text: str) -> ZoneRoot:
    parsed = parse(text, ORIGIN)
    return ZoneRoot.build(Blobs.memory(), ORIGIN, parsed.nodes())


def signed(policy: Policy, serial: int = 1) -> ZoneRoot:
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    return sign_zone(Blobs.memory(), build(EVERYTHING), keys, policy, epoch_of(policy, NOW), serial)


def stated(zone: ZoneRoot) -> rr.RRset:
    return rr.node_of(zone.apex.get(ORIGIN) or b"")[rr.ZONEMD]


@pytest.mark.parametrize("text", [SIMPLE, COMPLEX], ids=["simple", "complex"])
def test_the_examples_of_the_rfc_have_their_digests(text: str) -> None:
    zone = read(text)
    assert stated(zone).rdatas[0][6:] == zonemd.digest(zone)


@BOTH
@pytest.mark.parametrize("algorithm", [zonemd.SHA384, zonemd.SHA512])
def test_the_digest_of_a_signed_zone_is_that_of_dnspython(policy: Policy, algorithm: int) -> None:
    zone = signed(policy)
    other = dns.zone.Zone("example.", relativize=False)
    for _owner, data in zone.items():
        for record in rr.iterate(data):
            rdata = dns.rdata.from_wire(1, record.rdtype, record.rdata, 0, len(record.rdata))
            covers = rdata.covers()
            found = other.find_rdataset(names.to_text(record.owner), record.rdtype, covers, create=True)
            found.add(rdata, record.ttl)
    assert zonemd.digest(zone, algorithm) == other.compute_digest(algorithm).digest


@BOTH
def test_the_record_has_serial_scheme_hash_and_ttl_of_the_soa(policy: Policy) -> None:
    zone = signed(policy, serial=77)
    found = stated(zone)
    assert found.ttl == 3600
    assert found.rdatas[0][:6] == (77).to_bytes(4, "big") + b"\x01\x01"
    assert found.rdatas[0][6:] == zonemd.digest(zone)
    verify_zone(zone, NOW)


@BOTH
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 20), st.sampled_from((None, 1, 2))), min_size=1, max_size=4))
def test_a_change_gives_the_digest_of_a_full_signing(policy: Policy, steps: list[tuple[int, int | None]]) -> None:
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source = build([*APEX, *(a(f"h{i}") for i in range(10))], blobs)
    epoch = epoch_of(policy, NOW)
    before = sign_zone(blobs, source, keys, policy, epoch, 1)
    for serial, (host, last) in enumerate(steps, 2):
        owner = names.from_text(f"h{host}", ORIGIN)
        after = source.update({owner: None} if last is None else nodes([a(f"h{host}", last)]))
        made = resign(blobs, source, after, before, keys, policy, epoch, serial)
        assert made.store(blobs) == sign_zone(blobs, after, keys, policy, epoch, serial).store(blobs)
        verify_change(before, made, NOW)
        source, before = after, made


@BOTH
def test_turning_it_on_and_off_needs_no_full_signing(policy: Policy) -> None:
    off = Policy(denial=policy.denial)
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source, epoch = build(EVERYTHING, blobs), epoch_of(policy, NOW)
    without = sign_zone(blobs, source, keys, off, epoch, 1)
    on = resign(blobs, source, source, without, keys, policy, epoch, 2)
    assert on.store(blobs) == sign_zone(blobs, source, keys, policy, epoch, 2).store(blobs)
    again = resign(blobs, source, source, on, keys, off, epoch, 3)
    assert again.store(blobs) == sign_zone(blobs, source, keys, off, epoch, 3).store(blobs)
    assert rr.ZONEMD not in rr.node_of(again.apex.get(ORIGIN) or b"")


def unsigned_occluded_change(zone: ZoneRoot) -> ZoneRoot:
    return zone.update(nodes([a("ns.secure", 99)]), {})


def stated_as(change: Callable[[bytes], list[bytes]]) -> Callable[[ZoneRoot], ZoneRoot]:
    def make(zone: ZoneRoot) -> ZoneRoot:
        found = stated(zone)
        data = zone.apex.get(ORIGIN) or b""
        altered = rr.RRset.of(ORIGIN, rr.ZONEMD, found.ttl, change(found.rdatas[0]))
        return zone.update({ORIGIN: data.replace(found.wire(), altered.wire())}, {})

    return make


@BOTH
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (unsigned_occluded_change, "has another digest than the zone"),
        (stated_as(lambda rdata: [rdata[:-1] + bytes((rdata[-1] ^ 1,))]), "has another digest than the zone"),
        (stated_as(lambda rdata: [b"\0\0\0\x09" + rdata[4:]]), "is of serial 9, but the SOA has 1"),
        (stated_as(lambda rdata: [rdata, rdata[:-1] + bytes((rdata[-1] ^ 1,))]), "there are several of scheme 1"),
        (stated_as(lambda rdata: [rdata[:10]]), "is malformed"),
    ],
    ids=["glue changed", "digest changed", "serial changed", "two", "cut short"],
)
def test_a_digest_that_does_not_hold_is_found_by_both_verifiers(policy: Policy, change: Callable, why: str) -> None:
    good = signed(policy)
    bad = change(good)
    for verify in (lambda: verify_zone(bad, NOW), lambda: verify_change(good, bad, NOW)):
        with pytest.raises(VerificationFailed) as caught:
            verify()
        assert any(place.pointer == "example. ZONEMD" and why in place.message for place in caught.value.places)


def test_digests_of_unknown_schemes_are_left_alone() -> None:
    zone = read(SIMPLE.replace("1 1 c680", "240 1 c680") + 'x 60 TXT "y"\n')
    from arca_dns.dnssec.signatures import Problems

    problems = Problems(ORIGIN)
    zonemd.check(zone, problems)
    problems.settle()


def test_a_name_that_is_the_owner_of_an_nsec3_too_is_digested_once_and_in_order() -> None:
    policy = NSEC3
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    plain = signed(policy)
    hashed = names.to_text(next(iter(plain.nsec3))[0]).removesuffix("example.").rstrip(".")
    zone = sign_zone(Blobs.memory(), build([*EVERYTHING, txt(hashed)]), keys, policy, epoch_of(policy, NOW), 1)
    verify_zone(zone, NOW)
    assert stated(zone).rdatas[0][6:] == zonemd.digest(zone)
