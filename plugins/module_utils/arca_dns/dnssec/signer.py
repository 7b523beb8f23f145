# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Signing a zone: a pure function of source, keys, policy, epoch and serial (RFC 4035 section 2, RFC 5155 section 7.1).

:func:`sign_zone` makes everything anew, :func:`resign` only what changed or is due, and both give the same bytes.
The names of a zone are made by range, independent of each other, so that ranges can be shared out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors import ChecksFailed
from ..zone import names, rr
from ..zone.tree import Blobs, Tree, ZoneRoot
from . import denial, zonemd
from .authority import Authority, Kind, Slice, Walk, hashed_types, slices, types_of
from .incremental import continues, edits
from .keys import KeyPair
from .policy import Policy
from .signing import Signing, collision, with_serial

#: Hash of a name → the bitmap of its NSEC3.
Chain = dict[bytes, bytes]


def sign_zone(
    blobs: Blobs,
    source: ZoneRoot,
    keys: Sequence[KeyPair],
    policy: Policy,
    epoch: int,
    serial: int,
    *,
    extra_apex: Sequence[rr.RRset] = (),
) -> ZoneRoot:
    """The signed zone of *source*, all of it made anew. *extra_apex* are RRsets to add there (CDS, CDNSKEY).

    Raises ``KeyUnavailable`` if the keys do not suffice, ``ChecksFailed`` for a zone that cannot be signed.
    """
    origin = source.origin
    signing = Signing(origin, keys, policy, epoch, serial, source.apex.get(origin), extra_apex)
    chain: Chain = {}
    tree = Tree.build(blobs, sign_names(signing, source, chain))
    signed = ZoneRoot(origin, _sign_apex(blobs, signing, source, chain), tree, _sign_chain(blobs, signing, chain))
    return zonemd.completed(signing, signed) if policy.zonemd else signed


def resign(
    blobs: Blobs,
    source_old: ZoneRoot,
    source_new: ZoneRoot,
    published: ZoneRoot,
    keys: Sequence[KeyPair],
    policy: Policy,
    epoch: int,
    serial: int,
    *,
    extra_apex: Sequence[rr.RRset] = (),
) -> ZoneRoot:
    """The signed zone of *source_new*, the same as :func:`sign_zone` makes; costs what changed and what is due.

    *published* must have been signed from *source_old* with the same keys and policy at the same or an earlier epoch.
    A change of the whole zone (another denial TTL, a DNAME at the apex) is signed in full. With ZONEMD all of the
    zone is read, and little of it made.
    """
    origin = source_new.origin
    signing = Signing(origin, keys, policy, epoch, serial, source_new.apex.get(origin), extra_apex)
    if not continues(signing, source_old, source_new, published):
        return sign_zone(blobs, source_new, keys, policy, epoch, serial, extra_apex=extra_apex)
    signed = published.update(*edits(signing, source_old, source_new, published))
    return zonemd.completed(signing, signed) if policy.zonemd else signed


def publish_unsigned(blobs: Blobs, source: ZoneRoot, serial: int) -> ZoneRoot:
    """*source* with *serial* in its SOA: what an unsigned zone serves."""
    origin = source.origin
    pieces = slices(origin, source.apex.get(origin) or b"")
    if rr.SOA not in types_of(pieces):
        raise ChecksFailed(f"{names.to_text(origin)} has no SOA")
    data = b"".join((with_serial(piece, serial) if piece.rdtype == rr.SOA else piece).wire for piece in pieces)
    return ZoneRoot(origin, Tree.build(blobs, [(origin, data)]), source.names, Tree(blobs, None))


def sign_names(
    signing: Signing, source: ZoneRoot, chain: Chain, after: bytes | None = None, until: bytes | None = None
) -> Iterator[tuple[bytes, bytes]]:
    """(owner, signed RRs) of the names below the apex, those behind *after* up to *until* if given.

    With NSEC3 the hashes of what stands in the chain, empty non-terminals included, are added to *chain*.
    """
    if signing.nsec3 is None:
        return _names_with_nsec(signing, _walk(source, after), until)
    return _names_with_nsec3(signing, _walk(source, after), until, chain)


def _walk(source: ZoneRoot, after: bytes | None) -> Iterator[tuple[bytes, Kind, list[Slice]]]:
    """(owner, its kind, its RRsets) in canonical order."""
    origin = source.origin
    authority = Authority(source)
    cut = origin if authority.occludes(origin) else None
    if after is not None:
        cut = authority.hidden_by(after) or (after if authority.occludes(after) else None)
    walk = Walk(origin, cut)
    for owner, data in source.names.items(after):
        pieces = slices(owner, data)
        yield owner, walk.kind(owner, [piece.rdtype for piece in pieces]), pieces


def _names_with_nsec(
    signing: Signing, walk: Iterable[tuple[bytes, Kind, list[Slice]]], until: bytes | None
) -> Iterator[tuple[bytes, bytes]]:
    end = None if until is None else names.sort_key(until)
    waiting: list[tuple[bytes, Kind, list[Slice]]] = []  # a visible name and the occluded ones behind it

    def flush(following: bytes) -> Iterator[tuple[bytes, bytes]]:
        for owner, kind, pieces in waiting:
            if kind is not Kind.OCCLUDED:
                pieces = signing.with_nsec(owner, kind, pieces, following)
            yield owner, signing.node(owner, kind, pieces)
        waiting.clear()

    for owner, kind, pieces in walk:
        visible = kind is not Kind.OCCLUDED
        if visible:
            yield from flush(owner)
        if end is not None and names.sort_key(owner) > end:
            if visible:
                return
            continue
        waiting.append((owner, kind, pieces))
    yield from flush(signing.origin)


def _names_with_nsec3(
    signing: Signing, walk: Iterable[tuple[bytes, Kind, list[Slice]]], until: bytes | None, chain: Chain
) -> Iterator[tuple[bytes, bytes]]:
    parameters = signing.nsec3
    if parameters is None:
        raise ValueError("the policy has no NSEC3")
    end = None if until is None else names.sort_key(until)
    origin = signing.origin
    last: bytes | None = None  # the last name that went into the chain
    for owner, kind, pieces in walk:
        if end is not None and names.sort_key(owner) > end:
            return
        if kind is not Kind.OCCLUDED:
            types = hashed_types(kind, [piece.rdtype for piece in pieces], opt_out=parameters.opt_out)
            if types is not None:
                # In canonical order, an ancestor of an earlier name is one of the last name too.
                for above in names.ancestors(owner, origin):
                    if last is not None and names.is_at_or_below(last, above):
                        break
                    _link(signing, chain, above, ())
                _link(signing, chain, owner, types)
                last = owner
        yield owner, signing.node(owner, kind, pieces)


def _link(signing: Signing, chain: Chain, name: bytes, types: tuple[int, ...]) -> None:
    if signing.nsec3 is not None:
        digest = signing.nsec3.hash(name)
        # Two ranges may both come upon an empty non-terminal.
        if digest in chain and (types or chain[digest]):
            raise collision(name)
        chain[digest] = denial.bitmap(types)


def _sign_apex(blobs: Blobs, signing: Signing, source: ZoneRoot, chain: Chain) -> Tree:
    origin, pieces = signing.origin, signing.apex
    if signing.nsec3 is None:
        following = Authority(source).following(origin)
        pieces = signing.with_nsec(origin, Kind.AUTHORITATIVE, pieces, following)
    else:
        _link(signing, chain, origin, signing.apex_hashed_types())
    return Tree.build(blobs, [(origin, signing.node(origin, Kind.AUTHORITATIVE, pieces))])


def _sign_chain(blobs: Blobs, signing: Signing, chain: Chain) -> Tree:
    digests = sorted(chain)
    return Tree.build(blobs, sign_hashes(signing, chain, digests, digests[0] if digests else b""))


def sign_hashes(
    signing: Signing, chain: Mapping[bytes, bytes], digests: Sequence[bytes], following: bytes
) -> Iterator[tuple[bytes, bytes]]:
    """(owner, signed NSEC3) of *digests*, a sorted run of the chain; *following* is the one behind the run."""
    for i, digest in enumerate(digests):
        behind = digests[i + 1] if i + 1 < len(digests) else following
        owner = denial.nsec3_owner(digest, signing.origin)
        piece = signing.nsec3_slice(owner, behind, chain[digest])
        yield owner, signing.node(owner, Kind.AUTHORITATIVE, [piece])
