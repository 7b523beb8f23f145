# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a signed zone consists of."""

from __future__ import annotations

from dataclasses import replace

import dns.dnssec
import dns.name
import dns.rdata
import dns.rrset
import pytest

from arca_dns.dnssec import denial
from arca_dns.dnssec.keys import generate_key, generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signatures import Rrsig
from arca_dns.dnssec.signer import publish_unsigned, sign_zone
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.dnssec.window import epoch_of, window
from arca_dns.errors import ChecksFailed, KeyUnavailable
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import APEX, DENIALS, EVERYTHING, NOW, ORIGIN, a, build, fixed_random, nodes, ns, soa, wire

NSEC = DENIALS["nsec"]


def sign(policy: Policy, source: ZoneRoot | None = None, **more: object) -> ZoneRoot:
    blobs = Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    return sign_zone(blobs, source or build(EVERYTHING), keys, policy, epoch_of(policy, NOW), 2026, **more)  # type: ignore[arg-type]


def node(zone: ZoneRoot, owner: str) -> dict[int, rr.RRset]:
    return rr.node_of(zone.get(wire(owner)) or b"")


def covered(zone: ZoneRoot, owner: str) -> list[int]:
    found = node(zone, owner).get(rr.RRSIG)
    return [] if found is None else [Rrsig.parse(rdata).covered for rdata in found.rdatas]


def test_the_same_inputs_give_the_same_root(policy: Policy) -> None:
    assert sign(policy).store(Blobs.memory()) == sign(policy).store(Blobs.memory())


def test_the_order_of_keys_does_not_matter() -> None:
    blobs = Blobs.memory()
    keys = generate_keys(NSEC, ORIGIN, (), fixed_random(1), lambda: NOW)
    one, two = (sign_zone(blobs, build(EVERYTHING), order, NSEC, NOW, 1) for order in (keys, keys[::-1]))
    assert one.store(blobs) == two.store(blobs)


def test_dnspython_validates_every_signature(policy: Policy) -> None:
    zone = sign(policy)
    origin = dns.name.from_text("example.")

    def rrset(found: rr.RRset, ttl: int) -> dns.rrset.RRset:
        owner = dns.name.from_wire(found.owner, 0)[0]
        rdatas = [dns.rdata.from_wire(1, found.rdtype, rdata, 0, len(rdata)) for rdata in found.rdatas]
        return dns.rrset.from_rdata_list(owner, ttl, rdatas)

    dnskey = node(zone, "@")[rr.DNSKEY]
    keys = {origin: rrset(dnskey, dnskey.ttl)}
    count = 0
    for _owner, data in zone.items():
        found = rr.node_of(data)
        for rdata in found[rr.RRSIG].rdatas if rr.RRSIG in found else ():
            target = found[int.from_bytes(rdata[:2], "big")]
            signature = dns.rdata.from_wire(1, rr.RRSIG, rdata, 0, len(rdata))
            dns.dnssec.validate_rrsig(rrset(target, target.ttl), signature, keys, origin, NOW)
            count += 1
    assert count >= 30


def test_delegations_sign_ds_and_nsec_only() -> None:
    zone = sign(NSEC)
    assert covered(zone, "secure") == [rr.DS, rr.NSEC]
    assert covered(zone, "insecure") == [rr.NSEC]


def test_glue_and_occluded_data_are_kept_and_not_signed() -> None:
    zone = sign(NSEC)
    for owner in ("ns.insecure", "hidden.deeper.secure", "below.alias", "cut.below.alias"):
        assert rr.RRSIG not in node(zone, owner)
        assert rr.NSEC not in node(zone, owner)
        assert node(zone, owner)


def test_the_bitmap_at_a_delegation_leaves_glue_out() -> None:
    told = denial.parse_nsec(node(sign(NSEC), "insecure")[rr.NSEC].rdatas[0])[1]
    assert denial.bitmap_types(told) == (rr.NS, rr.RRSIG, rr.NSEC)


def test_the_nsec_chain_is_the_visible_names_and_no_empty_non_terminals() -> None:
    zone = sign(NSEC)
    chain, at = [], ORIGIN
    while not chain or at != ORIGIN:
        chain.append(at)
        at = denial.parse_nsec(rr.node_of(zone.get(at) or b"")[rr.NSEC].rdatas[0])[0]
    texts = [names.to_text(name) for name in chain]
    assert "empty.example." not in texts
    assert "ns.insecure.example." not in texts
    assert texts == [names.to_text(name) for name in sorted(chain, key=names.sort_key)]
    assert {"insecure.example.", "a.only-delegations.example.", "alias.example."} < set(texts)


@pytest.mark.parametrize(("ttl", "minimum", "wanted"), [(3600, 600, 600), (60, 600, 60)])
@pytest.mark.parametrize("kind", ["nsec", "nsec3"])
def test_denial_has_the_smaller_of_soa_ttl_and_minimum(kind: str, ttl: int, minimum: int, wanted: int) -> None:
    zone = sign(DENIALS[kind], build([soa(ttl, minimum), *APEX[1:]]))
    found = [rrset for _owner, data in zone.items() for rrset in rr.rrsets(data)]
    ttls = {rrset.ttl for rrset in found if rrset.rdtype in (rr.NSEC, rr.NSEC3)}
    assert ttls == {wanted}


def test_nsec3_has_empty_non_terminals_and_insecure_delegations() -> None:
    policy = DENIALS["nsec3"]
    zone = sign(policy)
    parameters = denial.Nsec3Parameters()
    for owner in ("@", "empty", "deep.empty", "wild", "insecure", "only-delegations", "secure", "www"):
        assert zone.nsec3.get(parameters.owner(wire(owner), ORIGIN)), owner
    for owner in ("ns.insecure", "below.alias", "deeper.secure", "nothing"):
        assert zone.nsec3.get(parameters.owner(wire(owner), ORIGIN)) is None, owner


def test_opt_out_leaves_insecure_delegations_out_and_says_so() -> None:
    zone = sign(DENIALS["nsec3-opt-out"])
    parameters = denial.Nsec3Parameters()
    for owner in ("insecure", "a.only-delegations", "only-delegations"):
        assert zone.nsec3.get(parameters.owner(wire(owner), ORIGIN)) is None, owner
    assert zone.nsec3.get(parameters.owner(wire("secure"), ORIGIN))
    flags = {rr.node_of(data)[rr.NSEC3].rdatas[0][1] for _owner, data in zone.nsec3}
    assert flags == {1}
    assert node(zone, "@")[rr.NSEC3PARAM].rdatas == (b"\1\0\0\0\0",)


def test_the_bitmap_of_an_insecure_delegation_has_no_rrsig_in_nsec3() -> None:
    zone = sign(DENIALS["nsec3"])
    data = zone.nsec3.get(denial.Nsec3Parameters().owner(wire("insecure"), ORIGIN)) or b""
    told = denial.Nsec3.parse(rr.node_of(data)[rr.NSEC3].rdatas[0]).type_bitmap
    assert denial.bitmap_types(told) == (rr.NS,)


def test_the_dnskey_rrset_is_signed_by_the_ksk_and_the_rest_by_the_zsk() -> None:
    keys = generate_keys(NSEC, ORIGIN, (), fixed_random(1), lambda: NOW)
    tags = {pair.record.role: pair.record.tag for pair in keys}
    for rdata in node(sign(NSEC), "@")[rr.RRSIG].rdatas:
        signature = Rrsig.parse(rdata)
        assert signature.key_tag == tags["ksk" if signature.covered == rr.DNSKEY else "zsk"]


def test_several_keys_of_a_role_all_sign() -> None:
    keys = list(generate_keys(NSEC, ORIGIN, (), fixed_random(1), lambda: NOW))
    keys.append(generate_key(ORIGIN, 13, "zsk", {pair.record.tag for pair in keys}, fixed_random(9), lambda: NOW))
    zone = sign_zone(Blobs.memory(), build(EVERYTHING), keys, NSEC, NOW, 1)
    assert covered(zone, "www").count(rr.A) == 2
    verify_zone(zone, NOW)


def test_the_serial_is_the_one_given() -> None:
    assert rr.soa_serial(node(sign(NSEC), "@")[rr.SOA].rdatas[0]) == 2026


def test_extra_rrsets_at_the_apex_are_signed_and_told() -> None:
    cds = rr.RRset.of(ORIGIN, rr.CDS, 300, [b"\x30\x39\x0d\x02" + b"\1" * 32])
    zone = sign(NSEC, extra_apex=[cds])
    assert node(zone, "@")[rr.CDS] == cds
    assert rr.CDS in covered(zone, "@")
    verify_zone(zone, NOW)


def test_a_zone_with_no_names_but_its_apex_is_signed(policy: Policy) -> None:
    zone = sign(policy, build([soa(), ns("@", "ns.elsewhere.test.")]))
    verify_zone(zone, NOW)


def test_every_owner_signs_in_its_own_window() -> None:
    zone = sign(NSEC)
    for owner, data in zone.names:
        for rdata in rr.node_of(data).get(rr.RRSIG, rr.RRset(owner, rr.RRSIG, 0, ())).rdatas:
            signature = Rrsig.parse(rdata)
            assert (signature.inception, signature.expiration) == window(NSEC, epoch_of(NSEC, NOW), owner)


def test_an_origin_too_long_for_nsec3_is_refused() -> None:
    origin = names.from_text(".".join(["o" * 60] * 4) + ".")
    found = sorted(nodes([soa(), ns("@", "ns.test.")]).items())
    data = found[0][1].replace(ORIGIN, origin)
    items = [(origin, rr.node_wire([rr.RRset.of(origin, rr.SOA, 60, [origin + origin + bytes(20)])]))]
    assert data
    policy = DENIALS["nsec3"]
    source = ZoneRoot.build(Blobs.memory(), origin, items)
    with pytest.raises(ChecksFailed, match="too long for NSEC3"):
        sign_zone(Blobs.memory(), source, generate_keys(policy, origin, (), fixed_random(1)), policy, NOW, 1)


def test_a_zone_without_soa_is_refused(policy: Policy, keys: tuple) -> None:
    blobs = Blobs.memory()
    with pytest.raises(ChecksFailed, match="no SOA"):
        sign_zone(blobs, ZoneRoot.empty(blobs, ORIGIN), keys, policy, NOW, 1)
    with pytest.raises(ChecksFailed, match="no SOA"):
        publish_unsigned(blobs, ZoneRoot.empty(blobs, ORIGIN), 1)


@pytest.mark.parametrize(
    ("pick", "why"),
    [
        (lambda keys: [], "has no keys"),
        (lambda keys: [keys[0]], "signs its data"),
        (lambda keys: [keys[1]], "signs its DNSKEY RRset"),
        (lambda keys: [*keys, keys[0]], "same tag"),
    ],
)
def test_keys_that_do_not_suffice_are_refused(pick: object, why: str) -> None:
    keys = generate_keys(NSEC, ORIGIN, (), fixed_random(1), lambda: NOW)
    with pytest.raises(KeyUnavailable, match=why):
        sign_zone(Blobs.memory(), build(APEX), pick(keys), NSEC, NOW, 1)  # type: ignore[operator]


def test_keys_of_another_zone_are_refused() -> None:
    keys = generate_keys(NSEC, wire("child"), (), fixed_random(1), lambda: NOW)
    with pytest.raises(KeyUnavailable, match="another zone"):
        sign_zone(Blobs.memory(), build(APEX), keys, NSEC, NOW, 1)


def test_an_unsigned_zone_is_its_source_with_a_serial() -> None:
    blobs = Blobs.memory()
    source = build([*APEX, a("www")], blobs)
    zone = publish_unsigned(blobs, source, 5)
    assert rr.soa_serial(node(zone, "@")[rr.SOA].rdatas[0]) == 5
    assert zone.names.root == source.names.root
    assert zone.nsec3.root is None


def test_a_shorter_validity_moves_windows() -> None:
    short = replace(NSEC, validity=7 * 86400)
    assert window(short, NOW, ORIGIN) != window(NSEC, NOW, ORIGIN)
