# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone signed and verified run by run is the zone signed and verified as a whole."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from arca_dns.dnssec import denial, ranges
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.signer import sign_zone
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.dnssec.workers import Serial
from arca_dns.errors import ArcaError, Place, VerificationFailed
from arca_dns.zone import names, tree
from arca_dns.zone.tree import Blobs, Tree, ZoneRoot
from dnssec_zones import APEX, DENIALS, EVERYTHING, NOW, ORIGIN, a, build, dname, ds, fixed_random, ns, txt, wire

WHOLE = 1 << 30
SERIAL = 7
# Names that runs part from what is above them: below cuts, below empty non-terminals, below names with data.
SPREAD = (
    *EVERYTHING,
    *(record for i in range(30) for record in (a(f"x.y{i % 7}.n{i}"), a(f"n{i}.deep.empty"), txt(f"z{i}"))),
    *(record for i in range(12) for record in (ns(f"cut{i}", f"ns.cut{i}"), a(f"ns.cut{i}"), a(f"b.ns.cut{i}"))),
    *(record for i in range(6) for record in (dname(f"d{i}"), a(f"under.d{i}"), ds(f"cut{i}"))),
)


class Pickled(Serial):
    """Workers that get everything through pickles, as processes do."""

    def run(self, start: Callable[[], Callable[[Any], Any]], pieces: Iterable[Any]) -> Iterator[Any]:
        works = [pickle.loads(pickle.dumps(start))() for _worker in range(2)]
        for i, piece in enumerate(pieces):
            yield pickle.loads(pickle.dumps(works[i % 2](pickle.loads(pickle.dumps(piece)))))


@pytest.fixture(autouse=True)
def small_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "FANOUT_BITS", 1)


def signed(blobs: Blobs, policy: Any, keys: Any, records: Iterable[Any] = SPREAD, workers: Any = None) -> ZoneRoot:
    options = {} if workers is None else {"workers": workers}
    return sign_zone(blobs, build(records, blobs), keys, policy, epoch_of(policy, NOW), SERIAL, **options)


def places(zone: ZoneRoot) -> set[Place]:
    try:
        verify_zone(zone, NOW)
    except VerificationFailed as error:
        return set(error.places)
    return set()


def test_runs_of_any_size_give_the_same_zone(policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = set()
    for size in (WHOLE, 1, 5):
        monkeypatch.setattr(ranges, "OWNERS", size)
        blobs = Blobs.memory()
        zone = signed(blobs, policy, keys)
        verify_zone(zone, NOW)
        roots.add(zone.store(blobs))
    assert len(roots) == 1


def test_other_workers_give_the_same_zone(policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "OWNERS", 4)
    blobs = Blobs.memory()
    zone = signed(blobs, policy, keys, workers=Pickled())
    verify_zone(zone, NOW, workers=Pickled())
    assert zone.store(blobs) == signed(blobs, policy, keys).store(blobs)


def test_a_run_after_an_opted_out_or_hidden_name_knows_what_is_above_it(
    policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [*APEX, a("m"), *(ns(f"c{i}.m", "ns1") for i in range(9)), *(a(f"x{i}.deep.m") for i in range(9))]
    roots = set()
    for size in (WHOLE, 1):
        monkeypatch.setattr(ranges, "OWNERS", size)
        blobs = Blobs.memory()
        zone = signed(blobs, policy, keys, records)
        verify_zone(zone, NOW)
        roots.add(zone.store(blobs))
    assert len(roots) == 1


def test_what_is_missing_or_stray_is_found_in_runs_as_in_the_whole(
    policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = Blobs.memory()
    zone = signed(blobs, policy, keys)
    chain = list(zone.nsec3)
    content = list(zone.names)
    broken: list[ZoneRoot] = []
    for i in range(0, len(content), 9):
        kept = content[:i] + content[i + 1 :]
        broken.append(ZoneRoot(ORIGIN, zone.apex, Tree.build(blobs, kept), zone.nsec3))
    for i in range(0, len(chain), 9):
        kept = chain[:i] + chain[i + 1 :]
        broken.append(ZoneRoot(ORIGIN, zone.apex, zone.names, Tree.build(blobs, kept)))
    broken.append(ZoneRoot(ORIGIN, zone.apex, Tree.build(blobs, [*content[1:], content[0]]), zone.nsec3))
    if chain:
        broken.append(ZoneRoot(ORIGIN, zone.apex, zone.names, Tree(blobs, None)))
    harmless = 0
    for other in broken:
        monkeypatch.setattr(ranges, "OWNERS", WHOLE)
        whole = places(other)
        monkeypatch.setattr(ranges, "OWNERS", 1)
        in_runs = places(other)
        assert bool(whole) == bool(in_runs)
        harmless += not whole
    # Data under a cut is not signed, and nobody misses it; so are delegations with opt-out.
    assert harmless < len(broken) / 2


def test_a_flipped_bit_is_found_in_a_later_run(policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "OWNERS", 3)
    blobs = Blobs.memory()
    zone = signed(blobs, policy, keys)
    owner, data = next((owner, data) for owner, data in zone.names if owner.startswith(b"\x03z29"))
    other = zone.update({owner: data[:-1] + bytes((data[-1] ^ 1,))})
    assert places(other)
    with pytest.raises(VerificationFailed, match="z29"):
        verify_zone(other, NOW, workers=Pickled())


def test_two_names_with_one_hash_in_different_runs_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    policy = DENIALS["nsec3"]
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
    hashed = denial.hash_name

    def colliding(name: bytes, iterations: int = 0, salt: bytes = b"") -> bytes:
        return hashed(wire("z28") if name == wire("z1") else name, iterations, salt)

    monkeypatch.setattr(denial, "hash_name", colliding)
    monkeypatch.setattr(ranges, "OWNERS", 1)
    with pytest.raises(ArcaError, match="same NSEC3 hash"):
        signed(Blobs.memory(), policy, keys)


def test_progress_ends_with_everything_done(policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "OWNERS", 10)
    told: dict[str, list[tuple[int, int]]] = {}
    blobs = Blobs.memory()
    source = build(SPREAD, blobs)

    def tell(what: str, done: int, total: int) -> None:
        told.setdefault(what, []).append((done, total))

    zone = sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1, progress=tell)
    verify_zone(zone, NOW, progress=tell)
    assert told
    for steps in told.values():
        assert len(steps) > 1
        assert steps == sorted(steps)
        assert steps[-1][0] == steps[-1][1]


def test_blobs_are_written_while_a_zone_is_signed(policy: Any, keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_WAITING_BYTES", 1000)
    written: dict[str, bytes] = {}
    blobs = Blobs(
        lambda digests: {digest: written[digest] for digest in digests if digest in written}, write=written.update
    )
    zone = signed(blobs, policy, keys)
    assert sum(map(len, blobs.pending.values())) <= 1000 + max(map(len, written.values()))
    verify_zone(zone, NOW)
    assert [names.to_text(owner) for owner, _data in zone.items()]
