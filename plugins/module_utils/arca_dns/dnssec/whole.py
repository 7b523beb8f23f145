# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Verifying all of a zone, run by run: the names, then the NSEC3 chain against what the names ask of it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from ..errors import Place
from ..zone import names, rr
from ..zone.tree import ZoneRoot
from . import denial
from .authority import Kind, Walk, hashed_types, types_of
from .denial import HASH_SIZE, Nsec3Parameters
from .owners import OwnerChecks, pieces_of
from .ranges import Run, chain_runs, items, runs
from .signatures import Problems, ZoneKeys
from .workers import Progress, Workers

_Found = tuple[int, tuple[Place, ...]]


@dataclass(frozen=True, slots=True)
class Checks:
    """What the owners of one zone are checked with; read from its *apex*, whose keys were found good."""

    apex: bytes
    keys: ZoneKeys
    parameters: Nsec3Parameters | None
    ttl: int

    def __reduce__(self) -> tuple[object, ...]:
        keys = self.keys
        return _taken_over, (self.apex, keys.origin, keys.now, keys.minimum_validity, self.parameters, self.ttl)

    def names(self) -> Callable[[Run], _Names]:
        """What checks a run of names."""
        return partial(_check_names, self)

    def chain(self) -> Callable[[_ChainRun], _Found]:
        """What checks a run of the NSEC3 chain."""
        return partial(_check_chain, self)


def _taken_over(
    apex: bytes,
    origin: bytes,
    now: int | None,
    minimum_validity: int,
    parameters: Nsec3Parameters | None,
    ttl: int,
) -> Checks:
    piece = next((piece for piece in pieces_of(origin, apex) if piece.rdtype == rr.DNSKEY), None)
    problems = Problems(origin)
    keys = ZoneKeys.read(origin, piece, now, minimum_validity, problems)
    if keys is None:
        raise ValueError("the apex has no keys")
    return Checks(apex, keys, parameters, ttl)


@dataclass(frozen=True, slots=True)
class _Expected:
    """A name that the NSEC3 chain must have, or with opt-out may have."""

    digest: bytes
    name: bytes
    types: tuple[int, ...]
    required: bool

    def pack(self) -> bytes:
        """Bytes that sort by hash: a large zone has as many as it has names."""
        types = b"".join([rdtype.to_bytes(2, "big") for rdtype in self.types])
        return self.digest + bytes((self.required,)) + len(self.types).to_bytes(2, "big") + types + self.name

    @classmethod
    def unpack(cls, data: bytes) -> _Expected:
        """Read what :meth:`pack` made."""
        at = HASH_SIZE + 3
        end = at + 2 * int.from_bytes(data[at - 2 : at], "big")
        types = tuple(int.from_bytes(data[i : i + 2], "big") for i in range(at, end, 2))
        return cls(data[:HASH_SIZE], data[end:], types, bool(data[HASH_SIZE]))


@dataclass(frozen=True, slots=True)
class _Names:
    """What a run of names was found to be."""

    problems: _Found
    owners: int
    first: bytes | None  # the first visible name
    last: bytes | None  # the last one, whose NSEC points to
    points_to: bytes | None
    expected: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _ChainRun:
    """Leaves of the NSEC3 chain, and what the names ask of them."""

    leaves: tuple[bytes, ...]
    before: bytes | None
    following: bytes
    expected: tuple[bytes, ...]


def verify_whole(zone: ZoneRoot, checks: Checks, problems: Problems, workers: Workers, progress: Progress) -> None:
    """Check every name of *zone* and the whole chain."""
    with workers.together() as crew:
        _verify(zone, checks, problems, crew, progress)


def _verify(zone: ZoneRoot, checks: Checks, problems: Problems, workers: Workers, progress: Progress) -> None:
    whole = _Whole(zone, checks, problems)
    total, done = zone.names.stats().owners, 0
    for part in workers.run(checks.names, whole.runs()):
        whole.join(part)
        done += part.owners
        progress("verifying names", done, total)
    if checks.parameters is None:
        whole.close()
        return
    expected = whole.merged()
    total, done = len(expected), 0
    pieces = _chain_pieces(zone, expected)
    for found, size in _with_sizes(workers, checks, pieces):
        problems.take(found)
        done += size
        progress("verifying NSEC3 records", done, total)


def _with_sizes(workers: Workers, checks: Checks, pieces: Iterable[_ChainRun]) -> Iterator[tuple[_Found, int]]:
    sizes: list[int] = []

    def noted() -> Iterator[_ChainRun]:
        for piece in pieces:
            sizes.append(len(piece.expected))
            yield piece

    for i, found in enumerate(workers.run(checks.chain, noted())):
        yield found, sizes[i]


class _Whole:
    """Runs of names put together: links from one to the next, and what the chain must hold."""

    def __init__(self, zone: ZoneRoot, checks: Checks, problems: Problems) -> None:
        self._zone = zone
        self._problems = problems
        self._checks = OwnerChecks(checks.keys, checks.parameters, checks.ttl, problems)
        self._expected: list[bytes] = []
        self._last: bytes | None = None
        self._points_to: bytes | None = None
        for owner, data in zone.apex:
            if self._checks.in_order(owner, self._last, apex=True):
                self._apex(owner, data)

    def _apex(self, owner: bytes, data: bytes) -> None:
        pieces = pieces_of(owner, data)
        self._checks.check_node(owner, Kind.AUTHORITATIVE, pieces)
        self._last = owner
        if self._checks.parameters is None:
            self._points_to = self._checks.check_nsec(owner, Kind.AUTHORITATIVE, pieces)
        else:
            types = [piece.rdtype for piece in pieces if piece.rdtype != rr.RRSIG]
            told = hashed_types(Kind.AUTHORITATIVE, types, opt_out=False) or ()
            self._expected.append(_Expected(self._checks.parameters.hash(owner), owner, told, True).pack())

    def runs(self) -> Iterator[Run]:
        """The runs of the zone's names."""
        return runs(self._zone)

    def join(self, part: _Names) -> None:
        """Add the next run."""
        self._problems.take(part.problems)
        self._expected += part.expected
        if part.first is not None:
            self._link(part.first)
            self._last, self._points_to = part.last, part.points_to

    def close(self) -> None:
        """The last name points to the apex."""
        self._link(self._zone.origin)

    def _link(self, following: bytes) -> None:
        if self._checks.parameters is None and self._last is not None:
            self._checks.check_link(self._last, self._points_to, following)

    def merged(self) -> list[bytes]:
        """What the chain must hold and may hold, by hash, each once."""
        self._expected.sort()
        out: list[bytes] = []
        for entry in self._expected:
            if out and out[-1][:HASH_SIZE] == entry[:HASH_SIZE]:
                out[-1] = self._one(_Expected.unpack(out[-1]), _Expected.unpack(entry)).pack()
            else:
                out.append(entry)
        self._expected = []
        return out

    def _one(self, held: _Expected, other: _Expected) -> _Expected:
        """Two runs may both come upon an empty non-terminal; it is required if either says so."""
        if held.name != other.name:
            self._problems.add(other.name, rr.NSEC3, f"has the same hash as {names.to_text(held.name)}")
        types = held.types or other.types
        return _Expected(held.digest, held.name, types, held.required or other.required)


def _chain_pieces(zone: ZoneRoot, expected: Sequence[bytes]) -> Iterator[_ChainRun]:
    """The NSEC3 chain in runs, each with all that is expected from its first owner up to the next run's first."""
    start, origin = 0, zone.origin

    def place(entry: bytes) -> bytes:
        return names.sort_key(denial.nsec3_owner(entry[:HASH_SIZE], origin))

    if zone.nsec3.root is None:
        yield _ChainRun((), None, b"", tuple(expected))
    for (leaves, before, following), last in _last_marked(chain_runs(zone.nsec3)):
        end = len(expected) if last else max(bisect_left(expected, names.sort_key(following), key=place), start)
        yield _ChainRun(leaves, before, following, tuple(expected[start:end]))
        start = end


def _last_marked(
    found: Iterator[tuple[tuple[bytes, ...], bytes | None, bytes]],
) -> Iterator[tuple[tuple[tuple[bytes, ...], bytes | None, bytes], bool]]:
    held = next(found, None)
    while held is not None:
        coming = next(found, None)
        yield held, coming is None
        held = coming


def _check_names(checks: Checks, run: Run) -> _Names:
    origin = checks.keys.origin
    problems = Problems(origin)
    owners = OwnerChecks(checks.keys, checks.parameters, checks.ttl, problems)
    walk = Walk(origin, run.cut)
    before = run.before
    first: bytes | None = None
    last: bytes | None = None
    points_to: bytes | None = None
    expected = _Expectations(checks.parameters, origin, problems)
    count = 0
    for owner, data in run.items():
        count += 1
        if not owners.in_order(owner, before, apex=False):
            continue
        before = owner
        pieces = pieces_of(owner, data)
        kind = walk.kind(owner, types_of(pieces))
        owners.check_node(owner, kind, pieces)
        if kind is Kind.OCCLUDED:
            continue
        if checks.parameters is None:
            if last is not None:
                owners.check_link(last, points_to, owner)
            first = owner if first is None else first
            last, points_to = owner, owners.check_nsec(owner, kind, pieces)
        else:
            expected.add(owner, kind, [piece.rdtype for piece in pieces if piece.rdtype != rr.RRSIG])
    return _Names(problems.found(), count, first, last, points_to, expected.packed())


class _Expectations:
    """What the names of a run ask of the NSEC3 chain."""

    def __init__(self, parameters: Nsec3Parameters | None, origin: bytes, problems: Problems) -> None:
        self._parameters = parameters
        self._origin = origin
        self._problems = problems
        self._found: dict[bytes, _Expected] = {}

    def add(self, owner: bytes, kind: Kind, types: Sequence[int]) -> None:
        """The NSEC3 of a visible *owner*, and those of the empty non-terminals above it."""
        parameters = self._parameters
        if parameters is None:
            return
        required = hashed_types(kind, types, opt_out=parameters.opt_out) is not None
        told = hashed_types(kind, types, opt_out=False) or ()
        digest = parameters.hash(owner)
        held = self._found.get(digest)
        if held is not None and held.name != owner:
            self._problems.add(owner, rr.NSEC3, f"has the same hash as {names.to_text(held.name)}")
        self._found[digest] = _Expected(digest, owner, told, required)
        # What is above a name that was met already was met with it.
        for above in names.ancestors(owner, self._origin):
            digest = parameters.hash(above)
            held = self._found.get(digest)
            if held is not None and (held.required or not required):
                break
            self._found[digest] = _Expected(digest, above, () if held is None else held.types, required)

    def packed(self) -> tuple[bytes, ...]:
        """All of them."""
        return tuple([one.pack() for one in self._found.values()])


def _check_chain(checks: Checks, run: _ChainRun) -> _Found:
    origin = checks.keys.origin
    problems = Problems(origin)
    owners = OwnerChecks(checks.keys, checks.parameters, checks.ttl, problems)
    expected = {denial.nsec3_owner(one[:HASH_SIZE], origin): _Expected.unpack(one) for one in run.expected}
    present: set[bytes] = set()
    before, link, points_to = run.before, None, None
    for owner, data in items(run.leaves):
        if before is not None and names.sort_key(owner) <= names.sort_key(before):
            problems.add(owner, rr.NSEC3, "is not in canonical order")
        if link is not None:
            owners.check_hash_link(link, points_to, owner)
        known = expected.get(owner)
        if known is None:
            problems.add(owner, rr.NSEC3, "belongs to no name of the zone")
        told = None if known is None else (known.name, known.types)
        points_to = owners.check_nsec3(owner, pieces_of(owner, data), told)
        before = link = owner
        present.add(owner)
    if link is not None:
        owners.check_hash_link(link, points_to, run.following)
    for owner, one in expected.items():
        if one.required and owner not in present:
            problems.add(one.name, rr.NSEC3, f"is missing: there is no {names.to_text(owner)}")
    return problems.found()
