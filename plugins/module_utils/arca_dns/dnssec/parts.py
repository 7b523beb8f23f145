# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The parts of a full signing that can be made apart: runs of names, and runs of the NSEC3 chain.

What is put together from them, and in which order, is decided in :mod:`.signer`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from ..zone import names, rr
from ..zone.tree import Leaf, begins_leaf, make_leaves
from . import denial, ranges
from .algorithms import algorithm
from .authority import Kind, Slice, Walk, hashed_types, slices
from .denial import HASH_SIZE
from .keys import KeyPair, KeyRecord
from .policy import Policy
from .ranges import Run
from .signing import Signing, collision


@dataclass(frozen=True, slots=True)
class SignedNames:
    """A run of names, signed; with NSEC3 also what it adds to the chain: hashes, each with its bitmap behind it."""

    leaves: tuple[Leaf, ...]
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class HashRun:
    """A sorted run of the chain: hashes, each with its bitmap behind it, and the hash behind the run."""

    hashes: tuple[bytes, ...]
    following: bytes


class SigningJob:
    """One full signing, as it is given to workers. Pickling it hands over the private keys."""

    def __init__(
        self,
        origin: bytes,
        keys: Sequence[KeyPair],
        policy: Policy,
        epoch: int,
        serial: int,
        apex: bytes | None,
        extra_apex: Sequence[rr.RRset] = (),
    ) -> None:
        self.origin = origin
        self._keys = tuple(keys)
        self._rest = (policy, epoch, serial, apex, tuple(extra_apex))

    @cached_property
    def signing(self) -> Signing:
        """The constants of this signing. Raises ``KeyUnavailable`` or ``ChecksFailed``."""
        return Signing(self.origin, self._keys, *self._rest)

    def __reduce__(self) -> tuple[object, ...]:
        secrets = tuple((pair.record, pair.private.secret()) for pair in self._keys)
        return _taken_over, (self.origin, secrets, *self._rest)

    def names(self) -> Callable[[Run], SignedNames]:
        """What signs a run of names."""
        return partial(sign_run, self.signing)

    def chain(self) -> Callable[[HashRun], tuple[Leaf, ...]]:
        """What signs a run of the NSEC3 chain."""
        return partial(_sign_hashes, self.signing)


def _taken_over(
    origin: bytes,
    secrets: Iterable[tuple[KeyRecord, bytes]],
    policy: Policy,
    epoch: int,
    serial: int,
    apex: bytes | None,
    extra_apex: Sequence[rr.RRset],
) -> SigningJob:
    keys = [KeyPair(record, algorithm(record.algorithm).load(secret)) for record, secret in secrets]
    return SigningJob(origin, keys, policy, epoch, serial, apex, extra_apex)


def sign_run(signing: Signing, run: Run) -> SignedNames:
    """*run* signed."""
    chain: dict[bytes, bytes] = {}
    walk = _walk(signing.origin, run)
    if signing.nsec3 is None:
        signed = _names_with_nsec(signing, walk, run.following)
    else:
        signed = _names_with_nsec3(signing, walk, run.above, chain)
    leaves = tuple(make_leaves(signed))
    return SignedNames(leaves, tuple([digest + bitmap for digest, bitmap in chain.items()]))


def _walk(origin: bytes, run: Run) -> Iterator[tuple[bytes, Kind, list[Slice]]]:
    """(owner, its kind, its RRsets) in canonical order."""
    walk = Walk(origin, run.cut)
    for owner, data in run.items():
        pieces = slices(owner, data)
        yield owner, walk.kind(owner, [piece.rdtype for piece in pieces]), pieces


def _names_with_nsec(
    signing: Signing, walk: Iterable[tuple[bytes, Kind, list[Slice]]], following: bytes
) -> Iterator[tuple[bytes, bytes]]:
    waiting: list[tuple[bytes, Kind, list[Slice]]] = []  # a visible name and the occluded ones behind it

    def flush(following: bytes) -> Iterator[tuple[bytes, bytes]]:
        for owner, kind, pieces in waiting:
            if kind is not Kind.OCCLUDED:
                pieces = signing.with_nsec(owner, kind, pieces, following)
            yield owner, signing.node(owner, kind, pieces)
        waiting.clear()

    for owner, kind, pieces in walk:
        if kind is not Kind.OCCLUDED:
            yield from flush(owner)
        waiting.append((owner, kind, pieces))
    yield from flush(following)


def _names_with_nsec3(
    signing: Signing,
    walk: Iterable[tuple[bytes, Kind, list[Slice]]],
    above: frozenset[bytes],
    chain: dict[bytes, bytes],
) -> Iterator[tuple[bytes, bytes]]:
    parameters = signing.nsec3
    if parameters is None:
        raise ValueError("the policy has no NSEC3")
    origin = signing.origin
    last: bytes | None = None  # the last name that went into the chain
    for owner, kind, pieces in walk:
        if kind is not Kind.OCCLUDED:
            types = hashed_types(kind, [piece.rdtype for piece in pieces], opt_out=parameters.opt_out)
            if types is not None:
                # In canonical order, an ancestor of an earlier name is one of the last name too.
                for name in names.ancestors(owner, origin):
                    if name in above or (last is not None and names.is_at_or_below(last, name)):
                        break
                    _link(signing, chain, name, ())
                _link(signing, chain, owner, types)
                last = owner
        yield owner, signing.node(owner, kind, pieces)


def _link(signing: Signing, chain: dict[bytes, bytes], name: bytes, types: tuple[int, ...]) -> None:
    if signing.nsec3 is not None:
        digest = signing.nsec3.hash(name)
        if digest in chain:
            raise collision(name)
        chain[digest] = denial.bitmap(types)


def hash_runs(hashes: Sequence[bytes], origin: bytes) -> Iterator[HashRun]:
    """*hashes*, the whole chain in order, in runs that begin leaves."""
    start = 0
    while start < len(hashes):
        end = start + ranges.OWNERS
        while end < len(hashes) and not begins_leaf(denial.nsec3_owner(hashes[end][:HASH_SIZE], origin)):
            end += 1
        behind = hashes[end] if end < len(hashes) else hashes[0]
        yield HashRun(tuple(hashes[start:end]), behind[:HASH_SIZE])
        start = end


def _sign_hashes(signing: Signing, run: HashRun) -> tuple[Leaf, ...]:
    return tuple(make_leaves(_nsec3_records(signing, run)))


def _nsec3_records(signing: Signing, run: HashRun) -> Iterator[tuple[bytes, bytes]]:
    behind = (*run.hashes[1:], run.following)
    for entry, following in zip(run.hashes, behind, strict=True):
        owner = denial.nsec3_owner(entry[:HASH_SIZE], signing.origin)
        piece = signing.nsec3_slice(owner, following[:HASH_SIZE], entry[HASH_SIZE:])
        yield owner, signing.node(owner, Kind.AUTHORITATIVE, [piece])
