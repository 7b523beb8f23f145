# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A validating Unbound in front of NSD finds every answer from our zones secure, and every denial."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import pytest

from arca_dns.dnssec.authority import Kind, Walk, slices, types_of
from arca_dns.dnssec.keys import ds_rdata, generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import sign_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.text import parse, render
from arca_dns.zone.tree import Blobs, ZoneRoot
from running_nsd import RunningNsd
from running_unbound import RunningUnbound, stubs

pytestmark = pytest.mark.conformance

POLICIES = {
    "secure.test.": Policy(),
    "hashed.test.": Policy(denial="nsec3", zonemd=True),
    "opted.test.": Policy(denial="nsec3", nsec3_opt_out=True, keys="csk", algorithm=15),
    "salted.test.": Policy(denial="nsec3", nsec3_salt="aabb", nsec3_iterations=2, algorithm=8),
    "single.": Policy(keys="csk", algorithm=14),
}
PARENT = "$TTL 300\n@ SOA ns h 1 7200 3600 1209600 600\n@ NS ns\nns A 127.0.0.1\n"


def random_text(seed: int) -> str:
    """A zone with names above, below and beside each other, wildcards, escapes and empty non-terminals."""
    pick = random.Random(seed)
    lines = [PARENT, '@ TXT "apex"\n@ MX 10 mail\n*.wild TXT "star"\n*.wild A 192.0.2.9\nb.x\\.y.z A 192.0.2.8\n']
    lines += ["plain NS ns.plain\nns.plain A 127.0.0.9\n", "CNAME.a CNAME deep.er.a\ndeep.er.a TXT x\n"]
    # No label that sorts ahead of "*": where it has names below it, NSD 4.6 denies the wildcard with its NSEC, not
    # with that of the last of them.
    words = ["a", "b", "c", "+", "\\.x", "\\255", "zz", "0" * 63, "_tcp"]
    owners = {".".join(pick.choice(words) for _ in range(pick.randrange(1, 4))) for _ in range(40)}
    for owner in sorted(owners):
        for rdtype in pick.sample(["A", "TXT", "AAAA", "MX"], pick.randrange(1, 4)):
            value = {"A": "192.0.2.1", "TXT": '"x" "y"', "AAAA": "2001:db8::1", "MX": "10 mail"}[rdtype]
            lines.append(f"{owner} {rdtype} {value}\n")
    return "".join(lines)


class Served:
    """Signed zones in NSD, and an Unbound that trusts their keys."""

    def __init__(self, directory: Path) -> None:
        self.zones: dict[str, ZoneRoot] = {}
        (directory / "nsd").mkdir()
        (directory / "unbound").mkdir()
        self.nsd = RunningNsd(directory / "nsd")
        anchors = []
        now = int(time.time())
        with (self.nsd.directory / "nsd.conf").open("a") as config:
            for seed, (zone, policy) in enumerate(POLICIES.items()):
                origin = names.from_text(zone)
                source = ZoneRoot.build(Blobs.memory(), origin, parse(random_text(seed), origin).nodes())
                keys = generate_keys(policy, origin)
                signed = sign_zone(Blobs.memory(), source, keys, policy, epoch_of(policy, now), 1)
                self.zones[zone] = signed
                rrsets = (rrset for _owner, data in signed.items() for rrset in rr.rrsets(data))
                (self.nsd.directory / "zones" / f"{seed}.zone").write_text("".join(render(origin, rrsets)))
                config.write(f'zone:\n    name: "{zone}"\n    zonefile: "zones/{seed}.zone"\n')
                for pair in keys:
                    if pair.record.role != "zsk":
                        ds = ds_rdata(origin, pair.record.dnskey_rdata, 2)
                        anchors.append(f"{zone} IN DS {rdata.to_text(rr.DS, ds)}\n")
        stub = stubs(list(POLICIES), self.nsd.port)
        self.unbound = RunningUnbound(directory / "unbound", "".join(anchors), stub)

    def ask(self, name: str, rdtype: str) -> dns.message.Message:
        query = dns.message.make_query(name, rdtype, want_dnssec=True)
        return dns.query.udp_with_fallback(query, "127.0.0.1", timeout=5, port=self.unbound.port)[0]

    def secure(self, name: str, rdtype: str) -> dns.message.Message:
        """An answer that Unbound found secure."""
        answer = self.ask(name, rdtype)
        said = f"{name} {rdtype}: {answer}\n{self.unbound.log()[-1500:]}"
        assert answer.flags & dns.flags.AD, said
        return answer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    made = Served(tmp_path_factory.mktemp("served"))
    made.nsd.start()
    made.unbound.start()
    yield made
    made.unbound.stop()
    made.nsd.stop()


def contents(zone: ZoneRoot) -> Iterator[tuple[bytes, Kind, set[int]]]:
    """The names that are visible, without NSEC and RRSIG."""
    walk = Walk(zone.origin)
    for part in (zone.apex, zone.names):
        for owner, data in part:
            types = types_of(slices(owner, data))
            kind = walk.kind(owner, types)
            if kind is not Kind.OCCLUDED:
                yield owner, kind, types - {rr.RRSIG, rr.NSEC}


@pytest.mark.parametrize("name", POLICIES)
def test_every_rrset_is_secure(served: Served, name: str) -> None:
    count = 0
    for owner, kind, types in contents(served.zones[name]):
        if kind is Kind.DELEGATION:
            continue
        for rdtype in types:
            answer = served.secure(names.to_text(owner), rr.type_text(rdtype))
            wanted = {rdtype, rr.CNAME} & types
            assert answer.rcode() == dns.rcode.NOERROR
            assert {rrset.rdtype for rrset in answer.answer} & wanted
            count += 1
    assert count > 40


@pytest.mark.parametrize("name", POLICIES)
def test_types_that_names_do_not_have_are_denied_securely(served: Served, name: str) -> None:
    for owner, kind, types in contents(served.zones[name]):
        if kind is Kind.DELEGATION or rr.CNAME in types:
            continue
        answer = served.secure(names.to_text(owner), "HINFO")
        assert answer.rcode() == dns.rcode.NOERROR
        assert not answer.answer


@pytest.mark.parametrize("name", POLICIES)
def test_names_that_do_not_exist_are_denied_securely(served: Served, name: str) -> None:
    zone, pick = served.zones[name], random.Random(1)
    owners = [owner for owner, kind, _types in contents(zone) if kind is not Kind.DELEGATION]
    policy = POLICIES[name]
    for owner in pick.sample(owners, 15):
        below = f"nosuch\\{pick.randrange(256):03d}.{names.to_text(owner)}"
        if len(names.from_text(below)) > 240 or ".wild." in below:
            continue
        # An NSEC3 with opt-out proves no name's absence: RFC 5155 section 9.2 has no AD for it.
        answer = served.ask(below, "A") if policy.nsec3_opt_out else served.secure(below, "A")
        assert answer.rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("name", POLICIES)
def test_wildcards_answer_and_deny_securely(served: Served, name: str) -> None:
    optout = POLICIES[name].nsec3_opt_out
    get = served.ask if optout else served.secure
    for owner in ("one.wild", "two.three.wild", "\\000.wild"):
        for rdtype, count in (("TXT", 2), ("A", 2), ("MX", 0)):
            answer = get(f"{owner}.{name}", rdtype)
            assert answer.rcode() == dns.rcode.NOERROR
            assert len(answer.answer) == count, answer


@pytest.mark.parametrize("name", POLICIES)
def test_empty_non_terminals_exist(served: Served, name: str) -> None:
    for owner in ("z", "wild", "er.a"):
        answer = served.secure(f"{owner}.{name}", "A")
        assert answer.rcode() == dns.rcode.NOERROR
        assert not answer.answer


@pytest.mark.parametrize("name", POLICIES)
def test_a_delegation_without_ds_is_proved_insecure(served: Served, name: str) -> None:
    answer = served.ask(f"plain.{name}", "DS")
    assert answer.rcode() == dns.rcode.NOERROR
    assert not answer.answer
    if not POLICIES[name].nsec3_opt_out:
        assert answer.flags & dns.flags.AD


@pytest.fixture(scope="module", params=[True, False], ids=["right", "wrong"])
def digested(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[bool, str]]:
    """What Unbound says of a zone file with a digest, and of one whose glue changed afterwards."""
    directory = tmp_path_factory.mktemp("zonemd")
    policy, origin = Policy(zonemd=True, denial="nsec3"), names.from_text("digest.test.")
    source = ZoneRoot.build(Blobs.memory(), origin, parse(random_text(9), origin).nodes())
    keys = generate_keys(policy, origin)
    zone = sign_zone(Blobs.memory(), source, keys, policy, epoch_of(policy, int(time.time())), 1)
    text = "".join(render(origin, (rrset for _owner, data in zone.items() for rrset in rr.rrsets(data))))
    assert "127.0.0.9" in text
    (directory / "zone").write_text(text if request.param else text.replace("127.0.0.9", "127.0.0.10"))
    anchor = "".join(f"digest.test. DNSKEY {rdata.to_text(48, pair.record.dnskey_rdata)}\n" for pair in keys)
    more = f'auth-zone:\n    name: "digest.test."\n    zonefile: "{directory}/zone"\n    zonemd-check: yes\n'
    unbound = RunningUnbound(directory, anchor, more)
    unbound.start()
    query = dns.message.make_query("digest.test.", "SOA")
    answer = dns.query.udp(query, "127.0.0.1", timeout=5, port=unbound.port)
    yield request.param, f"{dns.rcode.to_text(answer.rcode())} {unbound.log()}"
    unbound.stop()


def test_unbound_serves_a_zone_whose_digest_holds_and_no_other(digested: tuple[bool, str]) -> None:
    right, said = digested
    assert said.startswith("NOERROR" if right else "SERVFAIL"), said
    assert ("ZONEMD verification failed" in said) != right or right, said
