# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The law of signing: an incremental signing gives the bytes of a full one, and both verify."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from arca_dns.dnssec import incremental
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.verifier import verify_change, verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.errors import VerificationFailed
from arca_dns.zone import names, rr, tree
from arca_dns.zone.tree import Blobs
from dnssec_zones import APEX, DENIALS, NOW, ORIGIN, a, build, dname, ds, fixed_random, nodes, ns, soa, txt, wire

EXAMPLES = int(os.environ.get("ARCA_DNS_FUZZ_EXAMPLES", "60"))
LABELS = ("a", "b", "c", "*", "\\000", "\\.x", "zz")

# Few labels, so that names meet: above, below and beside each other.
owners = st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join)
contents = st.sampled_from(("a", "txt", "ns", "ns+ds", "ns+a", "ns+ds+txt", "dname", "dname+a", "a+txt", "ds"))
edits = st.dictionaries(owners, st.one_of(st.none(), contents), min_size=1, max_size=5)
apexes = st.sampled_from(
    (
        APEX,
        (*APEX, txt("@")),
        (soa(3600, 60), *APEX[1:]),
        (soa(30, 600), *APEX[1:]),
        (soa(7200, 600), *APEX[1:]),
        (*APEX, dname("@")),
    )
)
steps = st.tuples(edits, st.one_of(st.none(), apexes), st.sampled_from((0, 0, 3600, 86400, 4 * 86400, 30 * 86400)))


def records(owner: str, content: str) -> list[tuple[str, int, int, tuple[bytes, ...]]]:
    makers = {"a": a, "txt": txt, "ds": ds, "dname": dname, "ns": lambda name: ns(name, f"ns.{name}", "ns1")}
    return [makers[part](owner) for part in content.split("+")]


def changes(edit: dict[str, str | None]) -> dict[bytes, bytes | None]:
    out: dict[bytes, bytes | None] = {}
    for owner, content in edit.items():
        out[wire(owner)] = None if content is None else nodes(records(owner, content))[wire(owner)]
    return out


@pytest.fixture(autouse=True)
def _small_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves of four owners, so that small zones have trees of some height."""
    monkeypatch.setattr(tree, "FANOUT_BITS", 2)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=edits, sequence=st.lists(steps, min_size=1, max_size=3))
def test_any_chain_of_incremental_signings_gives_the_bytes_of_a_full_one(
    policy: Policy, start: dict[str, str | None], sequence: list[tuple]
) -> None:
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source = build(APEX, blobs).update(changes(start))
    now, serial = NOW, 1
    signed = sign_zone(blobs, source, keys, policy, epoch_of(policy, now), serial)
    verify_zone(signed, now)
    for edit, apex, passed in sequence:
        after = source.update(changes(edit) | (nodes(apex) if apex is not None else {}))
        now, serial = now + passed, serial + 1
        epoch = epoch_of(policy, now)
        full = sign_zone(blobs, after, keys, policy, epoch, serial)
        made = resign(blobs, source, after, signed, keys, policy, epoch, serial)
        assert made.store(blobs) == full.store(blobs)
        verify_zone(made, now)
        verify_change(signed, made, now)
        source, signed = after, made


def link(owner: bytes, data: bytes | None) -> object:
    """What *owner* says of the chain: where its NSEC points, or all of its NSEC3."""
    node = rr.node_of(data) if data else {}
    if rr.NSEC3 in node:
        return node[rr.NSEC3].rdatas
    return names.read(node[rr.NSEC].rdatas[0]) if rr.NSEC in node else None


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(start=edits, edit=edits, data=st.data())
def test_a_single_link_of_the_chain_that_was_forgotten_is_found(
    policy: Policy, start: dict[str, str | None], edit: dict[str, str | None], data: st.DataObject
) -> None:
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source = build(APEX, blobs).update(changes(start))
    after = source.update(changes(edit))
    epoch = epoch_of(policy, NOW)
    signed = sign_zone(blobs, source, keys, policy, epoch, 1)
    made = resign(blobs, source, after, signed, keys, policy, epoch, 2)
    moved = [(owner, was) for owner, was, now in signed.diff(made) if link(owner, was) != link(owner, now)]
    if not moved:
        return
    owner, was = data.draw(st.sampled_from(moved))
    hashed = signed.nsec3.get(owner) or made.nsec3.get(owner)
    bad = made.update({}, {owner: was}) if hashed else made.update({owner: was})
    for verify in (lambda: verify_zone(bad, NOW), lambda: verify_change(signed, bad, NOW)):
        with pytest.raises(VerificationFailed):
            verify()


def test_a_change_of_one_record_signs_it_its_soa_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = DENIALS["nsec"]
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source = build([*APEX, *(a(f"host{i}") for i in range(300))], blobs)
    signed = sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1)
    after = source.update(nodes([a("host7", 99)]))
    made: list[bytes] = []
    private = type(keys[0].private)
    sign = private.sign

    def counted(self: object, message: bytes) -> bytes:
        made.append(message)
        return sign(self, message)

    monkeypatch.setattr(private, "sign", counted)
    resign(blobs, source, after, signed, keys, policy, epoch_of(policy, NOW), 2)
    assert sorted(int.from_bytes(message[:2], "big") for message in made) == [rr.A, rr.SOA]


def test_a_new_name_signs_its_own_rrsets_the_link_ahead_of_it_and_the_soa(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = DENIALS["nsec"]
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source = build([*APEX, *(a(f"host{i}") for i in range(300))], blobs)
    signed = sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1)
    made: list[bytes] = []
    private = type(keys[0].private)
    sign = private.sign

    def counted(self: object, message: bytes) -> bytes:
        made.append(message)
        return sign(self, message)

    monkeypatch.setattr(private, "sign", counted)
    resign(blobs, source, source.update(nodes([a("host7x")])), signed, keys, policy, epoch_of(policy, NOW), 2)
    assert sorted(int.from_bytes(message[:2], "big") for message in made) == [rr.A, rr.SOA, rr.NSEC, rr.NSEC]


def test_time_alone_re_signs_what_is_due_and_keeps_the_rest(policy: Policy, keys: tuple) -> None:
    blobs = Blobs.memory()
    source = build([*APEX, *(a(f"host{i}") for i in range(300))], blobs)
    signed = sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1)
    later = NOW + 86400
    made = resign(blobs, source, source, signed, keys, policy, epoch_of(policy, later), 2)
    renewed = sum(1 for _diff in signed.diff(made))
    # One day of a period of nine: about a ninth of the owners.
    total = signed.stats().owners
    assert total / 20 < renewed < total / 5
    assert made.stats().earliest_expiry > epoch_of(policy, later) + policy.refresh


def test_a_change_of_the_denial_ttl_is_signed_in_full(policy: Policy, keys: tuple) -> None:
    blobs = Blobs.memory()
    source = build([*APEX, a("www")], blobs)
    epoch = epoch_of(policy, NOW)
    signed = sign_zone(blobs, source, keys, policy, epoch, 1)
    after = source.update(nodes([soa(3600, 60), *APEX[1:]]))
    made = resign(blobs, source, after, signed, keys, policy, epoch, 2)
    assert made.store(blobs) == sign_zone(blobs, after, keys, policy, epoch, 2).store(blobs)


@pytest.mark.parametrize("other", [name for name in DENIALS if name != "nsec"])
def test_a_tree_signed_under_another_policy_is_signed_in_full(other: str) -> None:
    blobs = Blobs.memory()
    policy, was = DENIALS["nsec"], DENIALS[other]
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    source = build([*APEX, a("www"), ns("cut", "ns1")], blobs)
    epoch = epoch_of(policy, NOW)
    before = sign_zone(blobs, source, generate_keys(was, ORIGIN, (), fixed_random(2), lambda: NOW), was, epoch, 1)
    made = resign(blobs, source, source, before, keys, policy, epoch, 2)
    assert made.store(blobs) == sign_zone(blobs, source, keys, policy, epoch, 2).store(blobs)


def test_an_nsec3_collision_is_an_error_also_when_it_comes_with_a_change(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = DENIALS["nsec3"]
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source = build([*APEX, a("one")], blobs)
    epoch = epoch_of(policy, NOW)
    hashed = incremental.denial.hash_name

    def colliding(name: bytes, iterations: int = 0, salt: bytes = b"") -> bytes:
        return hashed(wire("one") if name == wire("two") else name, iterations, salt)

    monkeypatch.setattr(incremental.denial, "hash_name", colliding)
    signed = sign_zone(blobs, source, keys, policy, epoch, 1)
    after = source.update(nodes([a("two")]))
    with pytest.raises(Exception, match=r"same NSEC3 hash"):
        resign(blobs, source, after, signed, keys, policy, epoch, 2)
    with pytest.raises(Exception, match=r"same NSEC3 hash"):
        sign_zone(blobs, after, keys, policy, epoch, 2)
