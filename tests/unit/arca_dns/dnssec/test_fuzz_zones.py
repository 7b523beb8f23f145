# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Random zones under random policies, keys and changes of both: the law of signing, and single corruptions.

``make fuzz`` runs this for as long as it is told; ``ARCA_DNS_FUZZ_EXAMPLES`` is the number of examples of one run.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from arca_dns.dnssec.denial import nsec3_fits
from arca_dns.dnssec.keys import CSK, KSK, ZSK, KeyPair, generate_key
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.verifier import verify_change, verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.errors import ArcaError, VerificationFailed
from arca_dns.zone import names, rr, tree
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import NOW, fixed_random

EXAMPLES = int(os.environ.get("ARCA_DNS_FUZZ_EXAMPLES", "60"))
LAW = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)

LONG = names.from_text(".".join(["o" * 63, "p" * 63, "q" * 63]))  # 193 octets: 30 are left for names below with NSEC3
ORIGINS = (names.ROOT, names.from_text("tld."), names.from_text("a.b.example."), LONG, names.from_text("\\000\\255.x."))
Node = dict[int, tuple[int, tuple[bytes, ...]]]  # type → TTL, rdatas
Zone = dict[bytes, Node]


@pytest.fixture(autouse=True)
def _small_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves of four owners, so that small zones have trees of some height."""
    monkeypatch.setattr(tree, "FANOUT_BITS", 2)


# -- what zones are made of -------------------------------------------------------------------

labels = st.one_of(
    st.sampled_from((b"a", b"b", b"*", b"\0", b"\xff", b".", b"z" * 63)),
    st.binary(min_size=1, max_size=4).map(bytes.lower),
)
ttls = st.sampled_from((0, 1, 300, 86400, 2**31 - 1))
addresses = st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=4)
hosts = st.lists(labels, min_size=1, max_size=2).map(
    lambda parts: b"".join(bytes((len(p),)) + p for p in parts) + b"\0"
)
strings = st.lists(st.binary(max_size=40).map(lambda s: bytes((len(s),)) + s), min_size=1, max_size=3).map(b"".join)
ds_values = st.binary(min_size=32, max_size=32).map(lambda digest: b"\x30\x39\x0d\x02" + digest)


def rrset(rdtype: int, values: st.SearchStrategy[Sequence[bytes]]) -> st.SearchStrategy[Node]:
    # A value may come twice: duplicate RRs are one.
    return st.tuples(ttls, values).map(lambda made: {rdtype: (made[0], tuple(sorted(set(made[1]))))})


several = {"min_size": 1, "max_size": 3}
large = st.integers(200, 400).map(lambda count: [b"\xc0" + number.to_bytes(3, "big") for number in range(count)])
parts = st.one_of(
    rrset(rr.A, addresses),
    rrset(rr.A, large),
    rrset(rr.TXT, st.lists(strings, **several)),
    rrset(rr.NS, st.lists(hosts, **several)),
    rrset(rr.NS, st.lists(hosts, **several)),
    rrset(rr.DS, st.lists(ds_values, **several)),
    rrset(rr.DNAME, hosts.map(lambda host: [host])),
    rrset(65280, st.lists(st.binary(max_size=6), **several)),
)
contents = st.lists(parts, min_size=1, max_size=3).map(lambda found: {k: v for part in found for k, v in part.items()})


@st.composite
def below(draw: st.DrawFn, origin: bytes) -> bytes:
    """A name below *origin*."""
    name = origin
    for label in draw(st.lists(labels, min_size=1, max_size=4)):
        if len(name) + 1 + len(label) > 255:
            break
        name = bytes((len(label),)) + label + name
    assume(name != origin)
    return name


def soa(serial: int, ttl: int, minimum: int) -> tuple[int, tuple[bytes, ...]]:
    return ttl, (b"\1m\0\1h\0" + b"".join(n.to_bytes(4, "big") for n in (serial, 7200, 3600, 1209600, minimum)),)


@st.composite
def apexes(draw: st.DrawFn) -> Node:
    """SOA, NS and perhaps more."""
    extra = draw(st.one_of(st.just({}), rrset(rr.TXT, st.lists(strings, **several)), rrset(rr.A, addresses)))
    times = draw(st.sampled_from(((3600, 600), (30, 600), (3600, 0), (86400, 86400))))
    return {**extra, rr.SOA: soa(0, *times), rr.NS: (3600, (b"\1n\0",))}


def node_bytes(owner: bytes, node: Node) -> bytes:
    return rr.node_wire(rr.RRset.of(owner, rdtype, ttl, rdatas) for rdtype, (ttl, rdatas) in node.items())


@dataclass(frozen=True)
class Step:
    """What happens before the next signing."""

    edits: dict[bytes, bytes | None]
    passed: int
    policy: Policy
    keys: tuple[KeyPair, ...]


policies = st.builds(
    Policy,
    denial=st.just("nsec3"),
    nsec3_salt=st.sampled_from(("", "", "aabb")),
    nsec3_iterations=st.sampled_from((0, 0, 2)),
    nsec3_opt_out=st.booleans(),
    zonemd=st.booleans(),
) | st.builds(Policy, zonemd=st.booleans())
# ECDSA and EdDSA mostly: RSA is slow.
algorithms = st.sampled_from((13, 13, 13, 13, 14, 15, 16, 8))


@cache
def key(origin: bytes, algorithm: int, role: str, seed: int) -> KeyPair:
    """RSA keys take their time to make: one of each will do."""
    return generate_key(origin, algorithm, role, (), fixed_random(seed), lambda: NOW)


@st.composite
def key_sets(draw: st.DrawFn, origin: bytes) -> tuple[KeyPair, ...]:
    """The keys of one algorithm or of two: a CSK, or several KSKs and ZSKs."""
    made: list[KeyPair] = []
    for algorithm in draw(st.lists(algorithms, min_size=1, max_size=2, unique=True)):
        roles = draw(st.sampled_from(((CSK,), (KSK, ZSK), (KSK, ZSK, ZSK), (KSK, KSK, ZSK), (CSK, ZSK))))
        for role in roles:
            made.append(key(origin, algorithm, role, draw(st.integers(0, 5))))
    assume(len({pair.record.tag for pair in made}) == len(made))
    return tuple(made)


@st.composite
def histories(draw: st.DrawFn) -> tuple[bytes, dict[bytes, bytes], list[Step]]:
    """An origin, what its zone has first, and what becomes of it."""
    origin = draw(st.sampled_from(ORIGINS))

    def some(most: int) -> dict[bytes, Node]:
        return draw(st.dictionaries(below(origin), contents, max_size=most))

    first = {origin: node_bytes(origin, draw(apexes()))}
    first.update((owner, node_bytes(owner, node)) for owner, node in some(8).items())
    policy, keys, steps = draw(policies), draw(key_sets(origin)), []
    assume(policy.denial == "nsec" or nsec3_fits(origin))
    held = set(first)
    for number in range(draw(st.integers(1, 4))):
        edits: dict[bytes, bytes | None] = {}
        if number:
            edits.update((owner, node_bytes(owner, node)) for owner, node in some(3).items())
            for owner in draw(st.lists(st.sampled_from(sorted(held)), max_size=2)):
                edits[owner] = node_bytes(owner, draw(apexes())) if owner == origin else None
            if draw(st.integers(0, 4)) == 0:
                policy = draw(policies)
                assume(policy.denial == "nsec" or nsec3_fits(origin))
        held = (held | edits.keys()) - {owner for owner, data in edits.items() if data is None}
        passed = draw(st.sampled_from((0, 0, 3600, 86400, 5 * 86400, 30 * 86400))) if number else 0
        steps.append(Step(edits, passed, policy, keys))
    return origin, first, steps


# -- the laws ---------------------------------------------------------------------------------


def source_of(blobs: Blobs, origin: bytes, content: dict[bytes, bytes]) -> ZoneRoot:
    return ZoneRoot.build(blobs, origin, sorted(content.items(), key=lambda item: names.sort_key(item[0])))


@LAW
@given(history=histories())
def test_whatever_happens_incremental_is_full_and_verifies(
    history: tuple[bytes, dict[bytes, bytes], list[Step]],
) -> None:
    origin, first, steps = history
    blobs = Blobs.memory()
    source, signed, now = source_of(blobs, origin, first), None, NOW
    for serial, step in enumerate(steps, 1):
        now += step.passed
        epoch = epoch_of(step.policy, now)
        after = source.update(step.edits)
        full = sign_zone(blobs, after, step.keys, step.policy, epoch, serial)
        verify_zone(full, now)
        if signed is not None:
            made = resign(blobs, source, after, signed, step.keys, step.policy, epoch, serial)
            assert made.store(blobs) == full.store(blobs)
            verify_change(signed, made, now)
        source, signed = after, full


@LAW
@given(history=histories(), data=st.data())
def test_a_single_corruption_is_found_wherever_it_is(
    history: tuple[bytes, dict[bytes, bytes], list[Step]], data: st.DataObject
) -> None:
    origin, first, (step, *_later) = history
    blobs = Blobs.memory()
    good = sign_zone(blobs, source_of(blobs, origin, first), step.keys, step.policy, epoch_of(step.policy, NOW), 1)
    bad = corrupted(good, data)
    for verify in (lambda: verify_zone(bad, NOW), lambda: verify_change(good, bad, NOW)):
        with pytest.raises(ArcaError) as caught:
            verify()
        if isinstance(caught.value, VerificationFailed):
            assert all(place.pointer and place.message for place in caught.value.places)


def corrupted(zone: ZoneRoot, data: st.DataObject) -> ZoneRoot:
    """*zone* with one RRSIG, one RR of the chain, or one bit of either other than it was."""
    signing = (rr.RRSIG, rr.NSEC, rr.NSEC3)
    records = [
        (chained, record)
        for chained, part in ((False, zone.apex), (False, zone.names), (True, zone.nsec3))
        for _owner, found in part
        for record in rr.iterate(found)
        if record.rdtype in signing
    ]
    chained, record = data.draw(st.sampled_from(records))
    owner = record.owner
    held = (zone.nsec3 if chained else zone).get(owner) or b""
    what = data.draw(st.sampled_from(("drop", "flip", "TTL", "twice")))
    whole = held[record.start : record.end]
    if what == "drop" and record.rdtype == rr.RRSIG and _another_signs(held, record.rdata):
        what = "flip"  # one good signature of each algorithm is enough
    if what == "drop":
        new = b""
    elif what == "flip":
        at = data.draw(st.integers(len(owner) + 10, len(whole) - 1))
        new = whole[:at] + bytes((whole[at] ^ 1 << data.draw(st.integers(0, 7)),)) + whole[at + 1 :]
    elif what == "TTL":
        new = whole[: len(owner) + 4] + (record.ttl ^ 1).to_bytes(4, "big") + whole[len(owner) + 8 :]
    else:
        new = whole + whole[:-1] + bytes((whole[-1] ^ 1,))
    data_after = (held[: record.start] + new + held[record.end :]) or None
    return zone.update({}, {owner: data_after}) if chained else zone.update({owner: data_after}, {})


def _another_signs(data: bytes, rdata: bytes) -> bool:
    """Whether two keys of one algorithm sign what *rdata*, an RRSIG, covers."""
    same = [one for one in rr.iterate(data) if one.rdtype == rr.RRSIG and one.rdata[:3] == rdata[:3]]
    return len(same) > 1
