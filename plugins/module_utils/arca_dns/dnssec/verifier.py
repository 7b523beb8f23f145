# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Verifying signed zones before they are published: every signature, and the whole chain of denial.

:func:`verify_zone` reads all of a zone, :func:`verify_change` what differs from a zone that was verified. Both raise
``VerificationFailed``, whose places name each RRset and say what is wrong. Single owners
are checked in :mod:`.owners`, signatures in :mod:`.signatures`.
"""

from __future__ import annotations

from ..zone import names, rr
from ..zone.tree import NEVER, ZoneRoot, diff
from . import denial, zonemd
from .authority import (
    Authority,
    Kind,
    Slice,
    first_rdata,
)
from .denial import Nsec3Parameters
from .owners import OwnerChecks, bitmap_of, following_hash, nsec3_of, pieces_of
from .signatures import Problems, ZoneKeys, verify_rrset
from .whole import Checks, verify_whole
from .workers import SERIAL, Progress, Workers, no_progress

__all__ = ["verify_change", "verify_rrset", "verify_zone"]


def verify_zone(
    zone: ZoneRoot,
    now: int | None,
    *,
    minimum_validity: int = 0,
    workers: Workers = SERIAL,
    progress: Progress = no_progress,
) -> None:
    """Verify all of *zone* against its own DNSKEY RRset, shared out to *workers*. Raises ``VerificationFailed``.

    At *now* (unix seconds; ``None`` leaves times alone) every signature must be valid, and stay so for
    *minimum_validity* seconds.
    """
    problems = Problems(zone.origin)
    checks = _open(zone, now, minimum_validity, problems)
    if checks is not None:
        _whole(zone, checks, problems, workers, progress)
    problems.settle()


def verify_change(
    old: ZoneRoot,
    new: ZoneRoot,
    now: int | None,
    *,
    minimum_validity: int = 0,
    workers: Workers = SERIAL,
    progress: Progress = no_progress,
) -> None:
    """Verify *new* where it differs from *old*, which was verified; all of it if keys or chain parameters differ.

    Raises ``VerificationFailed``. What both have in common is not read, but for the earliest expiry, which trees keep,
    and for the digest of a zone that has a ZONEMD.
    """
    problems = Problems(new.origin)
    checks = _open(new, now, minimum_validity, problems)
    if checks is not None:
        if _comparable(old, new):
            _Verifier(new, checks, problems).changes(old)
        else:
            _whole(new, checks, problems, workers, progress)
    problems.settle()


def _whole(zone: ZoneRoot, checks: Checks, problems: Problems, workers: Workers, progress: Progress) -> None:
    verify_whole(zone, checks, problems, workers, progress)
    zonemd.check(zone, problems)


def _comparable(old: ZoneRoot, new: ZoneRoot) -> bool:
    """Whether what makes every other RRset right or wrong is the same in both."""
    if old.origin != new.origin:
        return False
    found = []
    for zone in (old, new):
        pieces = {piece.rdtype: piece for piece in pieces_of(zone.origin, zone.apex.get(zone.origin) or b"")}
        soa = pieces.get(rr.SOA)
        if soa is None:
            return False
        ttl = min(soa.ttl, rr.soa_minimum(first_rdata(zone.origin, soa)))
        found.append(
            (
                ttl,
                pieces.get(rr.DNSKEY),
                pieces.get(rr.NSEC3PARAM),
                rr.NSEC in pieces,
                rr.DNAME in pieces,
                _opt_out(zone),
            )
        )
    return found[0] == found[1]


def _opt_out(zone: ZoneRoot) -> bool:
    """Whether the NSEC3 chain of *zone* is with opt-out, by its first record; every record is checked to agree."""
    if zone.nsec3.root is None:
        return False
    owner, data = next(iter(zone.nsec3))
    record = nsec3_of(owner, pieces_of(owner, data))
    return record is not None and record.parameters.opt_out


def _open(zone: ZoneRoot, now: int | None, minimum_validity: int, problems: Problems) -> Checks | None:
    """What owners of *zone* are checked with, unless its apex is so wrong that nothing can be said of the rest."""
    origin = zone.origin
    pieces = {p.rdtype: p for p in pieces_of(origin, zone.apex.get(origin) or b"") if p.rdtype != rr.RRSIG}
    soa = pieces.get(rr.SOA)
    if soa is None or len(soa.wire) != len(origin) + 10 + len(first_rdata(origin, soa)):
        problems.add(origin, rr.SOA, "there must be exactly one")
    if rr.NS not in pieces:
        problems.add(origin, rr.NS, "there is none at the apex")
    keys = ZoneKeys.read(origin, pieces.get(rr.DNSKEY), now, minimum_validity, problems)
    parameters: Nsec3Parameters | None = None
    param = pieces.get(rr.NSEC3PARAM)
    if param is not None:
        try:
            stated = denial.parse_param(first_rdata(origin, param))
            parameters = Nsec3Parameters(stated.iterations, stated.salt, _opt_out(zone))
        except ValueError as error:
            problems.add(origin, rr.NSEC3PARAM, str(error))
            return None
    elif zone.nsec3.root is not None:
        problems.add(origin, rr.NSEC3PARAM, "there is none, but the zone has an NSEC3 chain")
    if soa is None or keys is None:
        return None
    ttl = min(soa.ttl, rr.soa_minimum(first_rdata(origin, soa)))
    return Checks(zone.apex.get(origin) or b"", keys, parameters, ttl)


class _Verifier(OwnerChecks):
    """One verification of one zone."""

    def __init__(self, zone: ZoneRoot, checks: Checks, problems: Problems) -> None:
        super().__init__(checks.keys, checks.parameters, checks.ttl, problems)
        self.zone = zone

    # -- what changed -----------------------------------------------------------------------

    def changes(self, old: ZoneRoot) -> None:
        """Check the owners that differ from *old*, what they hide or uncover, and the links around them."""
        zone, keys = self.zone, self.keys
        before, after = Authority(old), Authority(zone)
        touched: dict[bytes, bytes | None] = {}
        altered: set[bytes] = set()  # more than their RRSIGs
        for tree, other in ((old.apex, zone.apex), (old.names, zone.names)):
            for owner, was, now in diff(tree, other):
                touched[owner] = now
                before.learn(owner, was)
                after.learn(owner, now)
                if _without_signatures(owner, was) != _without_signatures(owner, now):
                    altered.add(owner)
        for owner in tuple(altered):
            if owner != self.origin and before.occludes(owner) != after.occludes(owner):
                for below in (*before.below(owner), *after.below(owner)):
                    altered.add(below)
                    if below not in touched:
                        touched[below] = zone.get(below)
        for owner, data in touched.items():
            if data is not None and self.in_order(owner, None, apex=owner == self.origin):
                self.check_node(owner, after.kind(owner) or Kind.AUTHORITATIVE, pieces_of(owner, data))
        if self.parameters is None:
            self._links(before, after, altered)
        else:
            self._chain_changes(old, after, altered)
        zonemd.check(zone, self.problems)
        earliest = zone.stats().earliest_expiry
        if keys.now is not None and earliest != NEVER and earliest < keys.now + keys.minimum_validity:
            self.problems.add(self.origin, None, f"an RRSIG somewhere in the zone expires too soon, at {earliest}")

    def _links(self, before: Authority, after: Authority, altered: set[bytes]) -> None:
        """Check the NSECs of *altered* names, and of those that have another name behind them than before."""
        moved = [owner for owner in altered if before.visible(owner) != after.visible(owner)]
        ahead = {after.preceding(owner) for owner in moved if owner != self.origin}
        for owner in altered | ahead:
            kind = after.kind(owner)
            if kind is not None and kind is not Kind.OCCLUDED:
                pieces = pieces_of(owner, self.zone.get(owner) or b"")
                self.check_link(owner, self.check_nsec(owner, kind, pieces), after.following(owner))

    def _chain_changes(self, old: ZoneRoot, after: Authority, altered: set[bytes]) -> None:
        parameters, chain = self.parameters, self.zone.nsec3
        if parameters is None:
            return
        around = set(altered)
        for owner in altered:
            if owner != self.origin:
                around.update(names.ancestors(owner, self.origin))
        known: dict[bytes, tuple[bytes, tuple[int, ...]]] = {}
        absent: dict[bytes, bytes] = {}
        for name in around:
            hashed = parameters.owner(name, self.origin)
            wanted = after.hashed_types(name, opt_out=parameters.opt_out)
            told = wanted if wanted is not None else after.hashed_types(name, opt_out=False)
            if told is not None:
                known[hashed] = (name, told)
                if wanted is not None and chain.get(hashed) is None:
                    self.problems.add(name, rr.NSEC3, f"is missing: there is no {names.to_text(hashed)}")
            else:
                absent[hashed] = name
        for hashed, name in absent.items():
            if hashed not in known and chain.get(hashed) is not None:
                self.problems.add(hashed, rr.NSEC3, f"is left over from {names.to_text(name)}")
        changed = {owner: (was, now) for owner, was, now in diff(old.nsec3, chain)}
        for owner in known.keys() - changed.keys():
            data = chain.get(owner)
            if data is not None:
                self.check_nsec3(owner, pieces_of(owner, data), known[owner], signatures=False)
        links: set[bytes] = set()
        for owner, (was, now) in changed.items():
            if now is not None and _without_signatures(owner, was) == _without_signatures(owner, now):
                self.check_nsec3(owner, pieces_of(owner, now), known.get(owner))
                continue
            links.add(self._ahead(owner))
            if now is None:
                if owner not in known and owner not in absent:
                    self.problems.add(owner, rr.NSEC3, "is gone, but its name has not changed")
                continue
            links.add(owner)
            pieces = pieces_of(owner, now)
            self.check_nsec3(owner, pieces, known.get(owner))
            if owner not in known and owner not in absent:
                self._unchanged_types(owner, was, pieces)
        for owner in links:
            data = chain.get(owner)
            if data is not None:
                following = next(chain.items(owner), None) or next(iter(chain))
                self.check_hash_link(owner, following_hash(owner, pieces_of(owner, data)), following[0])

    def _ahead(self, owner: bytes) -> bytes:
        chain = self.zone.nsec3
        found = chain.before(owner) or next(chain.reversed(), None)
        return owner if found is None else found[0]

    def _unchanged_types(self, owner: bytes, was: bytes | None, pieces: list[Slice]) -> None:
        """The NSEC3 of a name that did not change may point elsewhere, but tells the same types."""
        if was is None:
            self.problems.add(owner, rr.NSEC3, "belongs to no name of the zone")
        elif bitmap_of(owner, pieces_of(owner, was)) != bitmap_of(owner, pieces):
            self.problems.add(owner, rr.NSEC3, "tells other types than before, but its name has not changed")


def _without_signatures(owner: bytes, data: bytes | None) -> list[Slice]:
    return [piece for piece in pieces_of(owner, data or b"") if piece.rdtype != rr.RRSIG]
