# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Whatever single thing is wrong with a signed zone, the verifier finds it and names the RRset."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from arca_dns.dnssec import denial
from arca_dns.dnssec.authority import slices
from arca_dns.dnssec.denial import Nsec3
from arca_dns.dnssec.keys import KeyPair, generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import publish_unsigned, resign, sign_zone
from arca_dns.dnssec.verifier import verify_change, verify_rrset, verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.errors import CorruptBlob, VerificationFailed
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import APEX, DENIALS, EVERYTHING, NOW, ORIGIN, a, build, fixed_random, nodes, ns, soa, txt, wire

Corruption = Callable[[ZoneRoot], ZoneRoot]


def signed_with(policy: Policy, blobs: Blobs | None = None) -> tuple[ZoneRoot, tuple[KeyPair, ...]]:
    blobs = blobs or Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    return sign_zone(blobs, build(EVERYTHING, blobs), keys, policy, epoch_of(policy, NOW), 7), keys


def data_of(zone: ZoneRoot, owner: bytes) -> bytes:
    data = zone.get(owner) or zone.nsec3.get(owner)
    assert data is not None
    return data


def put(zone: ZoneRoot, owner: bytes, data: bytes | None) -> ZoneRoot:
    if zone.nsec3.get(owner) is not None:
        return zone.update({}, {owner: data})
    return zone.update({owner: data})


def parts(zone: ZoneRoot, owner: bytes) -> list[tuple[int, int, bytes]]:
    """(type, TTL, rdata) of each RR of *owner*."""
    return [(record.rdtype, record.ttl, record.rdata) for record in rr.iterate(data_of(zone, owner))]


def join(owner: bytes, records: list[tuple[int, int, bytes]]) -> bytes:
    return b"".join(rr.RRset(owner, rdtype, ttl, (rdata,)).wire() for rdtype, ttl, rdata in records)


def edit(zone: ZoneRoot, owner: bytes, change: Callable[[int, int, bytes], tuple[int, int, bytes] | None]) -> ZoneRoot:
    records = [found for record in parts(zone, owner) if (found := change(*record)) is not None]
    return put(zone, owner, join(owner, records) or None)


def covers(rdata: bytes, rdtype: int) -> bool:
    return int.from_bytes(rdata[:2], "big") == rdtype


def chain_owner(zone: ZoneRoot, owner: str) -> bytes:
    """Where the denial record of *owner* stands."""
    name = wire(owner)
    data = zone.apex.get(ORIGIN) or b""
    for piece in slices(ORIGIN, data):
        if piece.rdtype == rr.NSEC3PARAM:
            return denial.parse_param(piece.wire[len(ORIGIN) + 10 :]).owner(name, ORIGIN)
    return name


def flip(at: int, owner: str, rdtype: int) -> Corruption:
    """One bit of octet *at* of the RRSIG over an RRset."""

    def change(zone: ZoneRoot) -> ZoneRoot:
        def one(found: int, ttl: int, rdata: bytes) -> tuple[int, int, bytes]:
            if found == rr.RRSIG and covers(rdata, rdtype):
                i = at % len(rdata)
                rdata = rdata[:i] + bytes((rdata[i] ^ 1,)) + rdata[i + 1 :]
            return found, ttl, rdata

        return edit(zone, wire(owner), one)

    return change


def drop(owner: str, rdtype: int, *, signature: bool = False) -> Corruption:
    """Without an RRset, or without the RRSIG over it."""

    def change(zone: ZoneRoot) -> ZoneRoot:
        def one(found: int, ttl: int, rdata: bytes) -> tuple[int, int, bytes] | None:
            gone = found == rr.RRSIG and covers(rdata, rdtype) if signature else found == rdtype
            return None if gone else (found, ttl, rdata)

        return edit(zone, wire(owner), one)

    return change


def replace(owner: str, rdtype: int, rdata: bytes) -> Corruption:
    def change(zone: ZoneRoot) -> ZoneRoot:
        return edit(zone, wire(owner), lambda t, ttl, old: (t, ttl, rdata if t == rdtype else old))

    return change


def retime(owner: str, rdtype: int, ttl: int) -> Corruption:
    def change(zone: ZoneRoot) -> ZoneRoot:
        return edit(zone, wire(owner), lambda t, old, rdata: (t, ttl if t == rdtype else old, rdata))

    return change


def add(owner: str, rdtype: int, rdata: bytes) -> Corruption:
    def change(zone: ZoneRoot) -> ZoneRoot:
        name = wire(owner)
        records = sorted([*parts(zone, name), (rdtype, 300, rdata)], key=lambda record: record[0])
        return put(zone, name, join(name, records))

    return change


def stray(owner: str, rdtype: int) -> Corruption:
    """An RRSIG, good in form, where none belongs."""

    def change(zone: ZoneRoot) -> ZoneRoot:
        template = next(rdata for t, _ttl, rdata in parts(zone, wire("www")) if t == rr.RRSIG)
        return add(owner, rr.RRSIG, rdtype.to_bytes(2, "big") + template[2:])(zone)

    return change


def without_denial(owner: str) -> Corruption:
    def change(zone: ZoneRoot) -> ZoneRoot:
        at = chain_owner(zone, owner)
        if at == wire(owner):
            return drop(owner, rr.NSEC, signature=True)(drop(owner, rr.NSEC)(zone))
        return put(zone, at, None)

    return change


def resigned_denial(owner: str, keys: tuple[KeyPair, ...], change: Callable[[bytes], bytes]) -> Corruption:
    """Another denial record with a signature that is right: the lie itself must be seen."""

    def make(zone: ZoneRoot) -> ZoneRoot:
        at = chain_owner(zone, owner)
        signer = next(pair for pair in keys if pair.record.role in ("zsk", "csk"))
        records = parts(zone, at)
        rdtype = rr.NSEC if at == wire(owner) else rr.NSEC3
        out = []
        rdata = next(change(rdata) for t, _ttl, rdata in records if t == rdtype)
        ttl = next(ttl for t, ttl, _rdata in records if t == rdtype)
        for t, old_ttl, old in records:
            if t == rr.RRSIG and covers(old, rdtype):
                head = old[: 18 + len(ORIGIN)]
                old = head + signer.private.sign(head + rr.RRset(at, rdtype, ttl, (rdata,)).wire())
            elif t == rdtype:
                old = rdata
            out.append((t, old_ttl, old))
        return put(zone, at, join(at, out))

    return make


def other_bitmap(types: Callable[[set[int]], set[int]]) -> Callable[[bytes], bytes]:
    def change(rdata: bytes) -> bytes:
        if rdata[:1] == b"\x01" and rdata[1] in (0, 1):  # NSEC3
            told = Nsec3.parse(rdata).type_bitmap
        else:
            told = denial.parse_nsec(rdata)[1]
        return rdata[: len(rdata) - len(told)] + denial.bitmap(tuple(sorted(types(set(denial.bitmap_types(told))))))

    return change


def other_link(rdata: bytes) -> bytes:
    if rdata[:1] == b"\x01" and rdata[1] in (0, 1):
        following = Nsec3.parse(rdata).following
        return rdata.replace(following, following[:-1] + bytes((following[-1] ^ 1,)))
    following, told = denial.parse_nsec(rdata)
    return wire("nowhere") + told


CORRUPTIONS: dict[str, tuple[Corruption, str, str]] = {
    # what is done: (how, the RRset that is named, why)
    "a bit of a signature": (flip(-1, "www", rr.A), "www.example. A", "does not verify"),
    "a bit of the SOA's signature": (flip(-9, "@", rr.SOA), "example. SOA", "does not verify"),
    "a bit of the DNSKEY RRset's signature": (flip(-9, "@", rr.DNSKEY), "example. DNSKEY", "does not verify"),
    "a bit of a DS's signature": (flip(-1, "secure", rr.DS), "secure.example. DS", "does not verify"),
    "another algorithm": (flip(2, "www", rr.A), "www.example. A", "which no DNSKEY"),
    "another label count": (flip(3, "www", rr.A), "www.example. A", "labels"),
    "another original TTL": (flip(7, "www", rr.A), "www.example. A", "original TTL"),
    "another expiration": (flip(11, "www", rr.A), "www.example. A", "does not verify"),
    "another inception": (flip(15, "www", rr.A), "www.example. A", "does not verify"),
    "another key tag": (flip(17, "www", rr.A), "www.example. A", "which no DNSKEY"),
    "another signer": (flip(19, "www", rr.A), "www.example. A", "as the signer"),
    "a wildcard's signature": (flip(-1, "*.wild", rr.TXT), r"\*.wild.example. TXT", "does not verify"),
    "other rdata": (replace("www", rr.A, b"\xc0\0\2\x63"), "www.example. A", "does not verify"),
    "another TTL": (retime("www", rr.A, 301), "www.example. A", "TTL"),
    "no signature": (drop("www", rr.A, signature=True), "www.example. A", "has no good RRSIG"),
    "no signature of a DNAME": (drop("alias", rr.DNAME, signature=True), "alias.example. DNAME", "no good RRSIG"),
    "no DNSKEY signature": (drop("@", rr.DNSKEY, signature=True), "example. DNSKEY", "by a secure entry point"),
    "an RRset that went": (drop("www", rr.A), "www.example. A", "there is no such RRset"),
    "an RRset that came": (add("www", rr.TXT, b"\1x"), "www.example. TXT", "has no good RRSIG"),
    "a second SOA": (add("@", rr.SOA, APEX[0][3][0] + b""), "example. SOA", "exactly one"),
    "no SOA": (drop("@", rr.SOA), "example. SOA", "exactly one"),
    "no NS": (drop("@", rr.NS), "example. NS", "none at the apex"),
    "no DNSKEY": (drop("@", rr.DNSKEY), "example. DNSKEY", "none at the apex"),
    "a stray signature on glue": (stray("ns.insecure", rr.A), "ns.insecure.example. A", "occluded"),
    "a stray signature at a cut": (stray("insecure", rr.A), "insecure.example. A", "no authority"),
    "a signature on a delegation's NS": (stray("secure", rr.NS), "secure.example. NS", "no authority"),
    "a stray signature below a DNAME": (stray("below.alias", rr.A), "below.alias.example. A", "occluded"),
    "a signature over nothing": (stray("www", rr.MX), "www.example. MX", "no such RRset"),
    "a SOA below the apex": (add("www", rr.SOA, APEX[0][3][0]), "www.example. SOA", "below the apex"),
    "an NSEC on glue": (add("ns.insecure", rr.NSEC, ORIGIN + b"\0\1\2"), "ns.insecure.example. NSEC", "must not be"),
    "a name that is new": (
        lambda zone: zone.update(nodes([a("brand-new")])),
        "brand-new.example. A",
        "has no good RRSIG",
    ),
    "a name that went": (lambda zone: zone.update({wire("www"): None}), "", "(next|belongs to no name|left over)"),
    "a denial that went": (without_denial("www"), "", "is missing|is gone"),
    "a denial of a cut that went": (without_denial("secure"), "", "is missing|is gone"),
}


@pytest.mark.parametrize("what", CORRUPTIONS)
def test_a_single_corruption_is_found_and_named(policy: Policy, what: str) -> None:
    corrupt, rrset, why = CORRUPTIONS[what]
    zone, _keys = signed_with(policy)
    verify_zone(zone, NOW)
    bad = corrupt(zone)
    for verify in (lambda: verify_zone(bad, NOW), lambda: verify_change(zone, bad, NOW)):
        with pytest.raises(VerificationFailed, match=why) as caught:
            verify()
        assert rrset.replace("\\", "") in str(caught.value)


LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a type too much": (other_bitmap(lambda types: types | {99}), "SPF too much"),
    "a type missing": (other_bitmap(lambda types: types - {rr.A}), "A missing"),
    "another next name": (other_link, "points to"),
    "a bitmap in bad form": (lambda rdata: rdata + b"\0\1\1", "malformed"),
}


@pytest.mark.parametrize("what", LIES)
def test_a_denial_that_lies_is_found_though_its_signature_is_right(policy: Policy, what: str) -> None:
    change, why = LIES[what]
    zone, keys = signed_with(policy)
    bad = resigned_denial("www", keys, change)(zone)
    with pytest.raises(VerificationFailed, match=why):
        verify_zone(bad, NOW)
    with pytest.raises(VerificationFailed, match=f"{why}|tells other types than before"):
        verify_change(zone, bad, NOW)


def test_a_denial_ttl_other_than_rfc_9077_is_found(policy: Policy) -> None:
    zone, _keys = signed_with(policy)
    at = chain_owner(zone, "www")
    bad = edit(zone, at, lambda t, ttl, rdata: (t, 601 if t in (rr.NSEC, rr.NSEC3) else ttl, rdata))
    with pytest.raises(VerificationFailed, match="RFC 9077"):
        verify_zone(bad, NOW)


def test_an_nsec3_that_belongs_to_no_name_is_found() -> None:
    policy = DENIALS["nsec3"]
    zone, _keys = signed_with(policy)
    blobs = Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    more = sign_zone(blobs, build([*EVERYTHING, a("other")], blobs), keys, policy, epoch_of(policy, NOW), 7)
    bad = ZoneRoot(ORIGIN, zone.apex, zone.names, more.nsec3)
    for verify in (lambda: verify_zone(bad, NOW), lambda: verify_change(zone, bad, NOW)):
        with pytest.raises(VerificationFailed, match="belongs to no name"):
            verify()


def test_an_empty_non_terminal_needs_its_nsec3() -> None:
    zone, _keys = signed_with(DENIALS["nsec3"])
    bad = put(zone, chain_owner(zone, "empty"), None)
    with pytest.raises(VerificationFailed, match=r"empty\.example\. NSEC3: is missing"):
        verify_zone(bad, NOW)


@pytest.mark.parametrize("moved", ["-2 years", "+2 years"])
def test_times_that_do_not_hold_are_found(policy: Policy, moved: str) -> None:
    zone, _keys = signed_with(policy)
    year = 365 * 86400
    now, why = (NOW - 2 * year, "begins only at") if moved == "-2 years" else (NOW + 2 * year, "expired at")
    with pytest.raises(VerificationFailed, match=why):
        verify_zone(zone, now)
    verify_zone(zone, None)


def test_too_little_validity_is_found_by_both_verifiers(policy: Policy) -> None:
    zone, _keys = signed_with(policy)
    verify_zone(zone, NOW, minimum_validity=policy.refresh)
    verify_change(zone, zone, NOW, minimum_validity=policy.refresh)
    for verify in (
        lambda: verify_zone(zone, NOW, minimum_validity=policy.validity),
        lambda: verify_change(zone, zone, NOW, minimum_validity=policy.validity),
    ):
        with pytest.raises(VerificationFailed, match=r"expires"):
            verify()


def test_an_expired_signature_in_what_did_not_change_is_found(policy: Policy, keys: tuple) -> None:
    blobs = Blobs.memory()
    source = build([*APEX, *(a(f"host{i}") for i in range(50))], blobs)
    zone = sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1)
    with pytest.raises(VerificationFailed, match="somewhere in the zone expires too soon"):
        verify_change(zone, zone, NOW + 20 * 86400)


def test_another_key_set_is_verified_in_full(policy: Policy) -> None:
    zone, _keys = signed_with(policy)
    blobs = Blobs.memory()
    others = generate_keys(policy, ORIGIN, (), fixed_random(2), lambda: NOW)
    good = sign_zone(blobs, build(EVERYTHING, blobs), others, policy, epoch_of(policy, NOW), 8)
    verify_change(zone, good, NOW)
    mixed = ZoneRoot(ORIGIN, good.apex, zone.names, zone.nsec3)
    with pytest.raises(VerificationFailed, match="which no DNSKEY of the zone has"):
        verify_change(zone, mixed, NOW)


def test_an_unsigned_zone_does_not_verify() -> None:
    blobs = Blobs.memory()
    with pytest.raises(VerificationFailed, match=r"DNSKEY: there is none"):
        verify_zone(publish_unsigned(blobs, build(EVERYTHING, blobs), 3), NOW)


def test_a_cut_that_came_needs_what_is_below_it_unsigned(policy: Policy) -> None:
    blobs = Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    source = build([*APEX, a("x"), a("y.x"), a("z")], blobs)
    epoch = epoch_of(policy, NOW)
    zone = sign_zone(blobs, source, keys, policy, epoch, 1)
    after = source.update(nodes([ns("x", "y.x")]))
    good = resign(blobs, source, after, zone, keys, policy, epoch, 2)
    bad = put(good, wire("y.x"), data_of(zone, wire("y.x")))
    with pytest.raises(VerificationFailed, match=r"y\.x\.example\. A: is signed, but the name is occluded"):
        verify_change(zone, bad, NOW)


def test_many_problems_are_counted_and_a_hundred_told() -> None:
    policy = DENIALS["nsec"]
    blobs = Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    zone = sign_zone(blobs, build([*APEX, *(a(f"h{i}") for i in range(150))], blobs), keys, policy, NOW, 1)
    bare = zone.update({wire(f"h{i}"): nodes([a(f"h{i}")])[wire(f"h{i}")] for i in range(150)})
    with pytest.raises(VerificationFailed) as caught:
        verify_zone(bare, NOW)
    assert len(caught.value.places) == 100
    assert "problems" in caught.value.message


# -- single RRsets, as a health check asks -------------------------------------------------------


def answer(zone: ZoneRoot, owner: str, rdtype: int) -> tuple[rr.RRset, bytes, tuple[bytes, ...]]:
    node = rr.node_of(data_of(zone, wire(owner)))
    signature = next(rdata for rdata in node[rr.RRSIG].rdatas if covers(rdata, rdtype))
    return node[rdtype], signature, rr.node_of(zone.apex.get(ORIGIN) or b"")[rr.DNSKEY].rdatas


def test_one_rrset_verifies_with_its_signature() -> None:
    rrset, signature, dnskeys = answer(signed_with(DENIALS["nsec"])[0], "@", rr.SOA)
    verify_rrset(rrset, signature, dnskeys, NOW)


def test_an_answer_with_an_aged_ttl_in_any_order_verifies() -> None:
    rrset, signature, dnskeys = answer(signed_with(DENIALS["nsec"])[0], "@", rr.NS)
    aged = rr.RRset(rrset.owner, rrset.rdtype, 5, tuple(reversed(rrset.rdatas)))
    verify_rrset(aged, signature, dnskeys, NOW)


def test_an_answer_made_from_a_wildcard_verifies() -> None:
    rrset, signature, dnskeys = answer(signed_with(DENIALS["nsec"])[0], "*.wild", rr.TXT)
    expanded = rr.RRset(wire("some.thing.wild"), rrset.rdtype, rrset.ttl, rrset.rdatas)
    verify_rrset(expanded, signature, dnskeys, NOW)


def test_keys_that_cannot_be_read_do_not_harm_a_good_signature() -> None:
    rrset, signature, dnskeys = answer(signed_with(DENIALS["nsec"])[0], "@", rr.SOA)
    verify_rrset(rrset, signature, (b"\1\1\3\xfd" + b"x" * 8, *dnskeys), NOW)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda r, s, k: (rr.RRset(r.owner, r.rdtype, r.ttl, (b"\1\2\3\4",)), s, k), "does not verify"),
        (lambda r, s, k: (rr.RRset(wire("x"), r.rdtype, r.ttl, r.rdatas), s, k), "does not verify"),
        (lambda r, s, k: (rr.RRset(r.owner, rr.TXT, r.ttl, r.rdatas), s, k), "covers A"),
        (lambda r, s, k: (rr.RRset(names.from_text("www.other."), r.rdtype, r.ttl, r.rdatas), s, k), "not above it"),
        (lambda r, s, k: (rr.RRset(ORIGIN, r.rdtype, r.ttl, r.rdatas), s, k), "labels"),
        (lambda r, s, k: (r, s[:-1] + bytes((s[-1] ^ 1,)), k), "does not verify"),
        (lambda r, s, k: (r, s[:10], k), "malformed"),
        (lambda r, s, k: (r, s, ()), "which no DNSKEY"),
    ],
)
def test_one_rrset_that_is_wrong_is_refused_with_the_reason(change: Callable, why: str) -> None:
    with pytest.raises(VerificationFailed, match=why):
        verify_rrset(*change(*answer(signed_with(DENIALS["nsec"])[0], "www", rr.A)), NOW)


def test_an_rrset_whose_signature_expired_is_refused() -> None:
    with pytest.raises(VerificationFailed, match="expired at"):
        verify_rrset(*answer(signed_with(DENIALS["nsec"])[0], "www", rr.A), NOW + 30 * 86400)


def test_apex_data_is_kept_apart_from_names() -> None:
    zone, _keys = signed_with(DENIALS["nsec"])
    moved = ZoneRoot(ORIGIN, zone.apex, zone.names.update({ORIGIN: nodes([soa(), txt("@")])[ORIGIN]}), zone.nsec3)
    with pytest.raises(VerificationFailed, match="does not belong here"):
        verify_zone(moved, NOW)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_in_what_is_signed_is_found(policy: Policy, data: st.DataObject) -> None:
    zone = signed(policy)
    owners = [owner for owner, found in zone.items() if any(r.rdtype == rr.RRSIG for r in rr.iterate(found))]
    owner = data.draw(st.sampled_from(owners))
    found = data_of(zone, owner)
    delegation = owner != ORIGIN and rr.NS in rr.node_of(found)
    unsigned = {rr.NS, rr.A} if delegation else set()
    record = data.draw(st.sampled_from([r for r in rr.iterate(found) if r.rdtype not in unsigned]))
    # Owner and length frame the RR: other bytes there are other RRs, which the tree itself refuses.
    frame = record.start + len(owner)
    at = data.draw(st.sampled_from([*range(frame, frame + 8), *range(frame + 10, record.end)]))
    bad = put(zone, owner, found[:at] + bytes((found[at] ^ 1 << data.draw(st.integers(0, 7)),)) + found[at + 1 :])
    for verify in (lambda: verify_zone(bad, NOW), lambda: verify_change(zone, bad, NOW)):
        with pytest.raises((VerificationFailed, CorruptBlob)):
            verify()


@lru_cache
def signed(policy: Policy) -> ZoneRoot:
    return signed_with(policy)[0]
