# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Signing a zone: a pure function of source, keys, policy, epoch and serial (RFC 4035 section 2, RFC 5155 section 7.1).

:func:`sign_zone` makes everything anew, :func:`resign` only what changed or is due, and both give the same bytes.
A full signing is made of runs, independent of each other, which :mod:`.workers` may share out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..errors import ChecksFailed
from ..zone import names, rr
from ..zone.tree import Blobs, Leaf, Tree, ZoneRoot
from . import denial, zonemd
from .authority import Authority, Kind, slices, types_of
from .denial import HASH_SIZE
from .incremental import continues, edits
from .keys import KeyPair
from .parts import SigningJob, hash_runs
from .policy import Policy
from .ranges import runs
from .signing import Signing, with_serial
from .workers import SERIAL, Progress, Workers, no_progress


def sign_zone(
    blobs: Blobs,
    source: ZoneRoot,
    keys: Sequence[KeyPair],
    policy: Policy,
    epoch: int,
    serial: int,
    *,
    extra_apex: Sequence[rr.RRset] = (),
    workers: Workers = SERIAL,
    progress: Progress = no_progress,
) -> ZoneRoot:
    """The signed zone of *source*, all of it made anew. *extra_apex* are RRsets to add there (CDS, CDNSKEY).

    *workers* share the names out; the result does not depend on them. Raises ``KeyUnavailable`` if the keys do not
    suffice, ``ChecksFailed`` for a zone that cannot be signed.
    """
    origin = source.origin
    job = SigningJob(origin, keys, policy, epoch, serial, source.apex.get(origin), extra_apex)
    signing = job.signing
    hashes: list[bytes] = []
    with workers.together() as crew:
        tree = Tree.of_leaves(blobs, _sign_names(source, job, hashes, crew, progress))
        apex = _sign_apex(blobs, signing, source, hashes)
        signed = ZoneRoot(origin, apex, tree, _sign_chain(blobs, job, hashes, crew, progress))
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
    workers: Workers = SERIAL,
    progress: Progress = no_progress,
) -> ZoneRoot:
    """The signed zone of *source_new*, the same as :func:`sign_zone` makes; costs what changed and what is due.

    *published* must have been signed from *source_old* with the same keys and policy at the same or an earlier epoch.
    A change of the whole zone (another denial TTL, a DNAME at the apex) is signed in full. With ZONEMD all of the
    zone is read, and little of it made.
    """
    origin = source_new.origin
    signing = Signing(origin, keys, policy, epoch, serial, source_new.apex.get(origin), extra_apex)
    if not continues(signing, source_old, source_new, published):
        return sign_zone(
            blobs,
            source_new,
            keys,
            policy,
            epoch,
            serial,
            extra_apex=extra_apex,
            workers=workers,
            progress=progress,
        )
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


def _sign_names(
    source: ZoneRoot, job: SigningJob, hashes: list[bytes], workers: Workers, progress: Progress
) -> Iterator[Leaf]:
    """The signed leaves of the names below the apex; with NSEC3 what goes into its chain is added to *hashes*."""
    total, done = source.names.stats().owners, 0
    for part in workers.run(job.names, runs(source)):
        yield from part.leaves
        hashes += part.hashes
        done += sum(leaf.stats.owners for leaf in part.leaves)
        progress("signing names", done, total)


def _sign_apex(blobs: Blobs, signing: Signing, source: ZoneRoot, hashes: list[bytes]) -> Tree:
    origin, pieces = signing.origin, signing.apex
    if signing.nsec3 is None:
        following = Authority(source).following(origin)
        pieces = signing.with_nsec(origin, Kind.AUTHORITATIVE, pieces, following)
    else:
        hashes.append(signing.nsec3.hash(origin) + denial.bitmap(signing.apex_hashed_types()))
    return Tree.build(blobs, [(origin, signing.node(origin, Kind.AUTHORITATIVE, pieces))])


def _sign_chain(blobs: Blobs, job: SigningJob, hashes: list[bytes], workers: Workers, progress: Progress) -> Tree:
    hashes.sort()
    _without_doubles(hashes)
    total, done = len(hashes), 0

    def leaves() -> Iterator[Leaf]:
        nonlocal done
        for part in workers.run(job.chain, hash_runs(hashes, job.origin)):
            yield from part
            done += sum(leaf.stats.owners for leaf in part)
            progress("signing NSEC3 records", done, total)

    return Tree.of_leaves(blobs, leaves())


def _without_doubles(hashes: list[bytes]) -> None:
    """Drop what two runs came upon, an empty non-terminal; any other double is a collision."""
    doubles = [i for i in range(1, len(hashes)) if hashes[i][:HASH_SIZE] == hashes[i - 1][:HASH_SIZE]]
    for i in reversed(doubles):
        if len(hashes[i]) != HASH_SIZE:
            raise ChecksFailed(
                f"two names have the same NSEC3 hash {denial.base32hex(hashes[i][:HASH_SIZE]).decode('ascii')};"
                " use another salt, or NSEC"
            )
        del hashes[i]
