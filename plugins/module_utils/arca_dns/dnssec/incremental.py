# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a change of the source, and the passing of time, do to a signed zone: the owners to replace, and no others.

Neighbours in a chain are found in the trees; nothing here reads a whole zone. The result is that of a full signing,
which lives in :mod:`.signer`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from ..zone import names, rr
from ..zone.tree import Tree, ZoneRoot
from . import denial
from .authority import Authority, Kind, Slice, first_rdata, slices, types_of
from .denial import Nsec3
from .signing import Signing, collision
from .window import due_until

Edits = dict[bytes, "bytes | None"]


def continues(signing: Signing, source_old: ZoneRoot, source_new: ZoneRoot, published: ZoneRoot) -> bool:
    """Whether *published* can be edited: nothing that concerns every owner has changed since."""
    origin = source_new.origin
    data, before = published.apex.get(origin), source_old.apex.get(origin)
    if source_old.origin != origin or published.origin != origin or not data or not before:
        return False
    held = {piece.rdtype: piece for piece in slices(origin, data) if piece.rdtype != rr.RRSIG}
    wanted = {piece.rdtype: piece for piece in signing.apex}
    if rr.SOA not in held or (rr.NSEC in held) != (signing.nsec3 is None):
        return False
    if any(held.get(rdtype) != wanted.get(rdtype) for rdtype in (rr.DNSKEY, rr.NSEC3PARAM)):
        return False
    old_soa = held[rr.SOA]
    if signing.denial_ttl != min(old_soa.ttl, rr.soa_minimum(first_rdata(origin, old_soa))):
        return False
    # A DNAME at the apex occludes the whole zone.
    return (rr.DNAME in types_of(slices(origin, before))) == (rr.DNAME in wanted) and _same_opt_out(signing, published)


def _same_opt_out(signing: Signing, published: ZoneRoot) -> bool:
    if signing.nsec3 is None:
        return published.nsec3.root is None
    owner = signing.nsec3.owner(signing.origin, signing.origin)
    data = published.nsec3.get(owner)
    return data is not None and _nsec3_in(owner, data).parameters.opt_out == signing.nsec3.opt_out


def edits(signing: Signing, source_old: ZoneRoot, source_new: ZoneRoot, published: ZoneRoot) -> tuple[Edits, Edits]:
    """The owners to replace in *published* (``None``: remove): apex and names, and the NSEC3 chain."""
    return _Incremental(signing, source_old, source_new, published).edits()


class _Incremental:
    """One incremental signing."""

    def __init__(self, signing: Signing, source_old: ZoneRoot, source_new: ZoneRoot, published: ZoneRoot) -> None:
        self._signing = signing
        self._origin = source_new.origin
        self._old = Authority(source_old)
        self._new = Authority(source_new)
        self._published = published

    def edits(self) -> tuple[Edits, Edits]:
        """See :func:`edits`."""
        touched = self._touched()
        if self._signing.nsec3 is None:
            relinked = self._relinked(touched)
            return self._names(touched | relinked), {}
        return self._names(touched), self._chain(touched)

    def _touched(self) -> set[bytes]:
        """The owners whose own data changed, or that came under a cut or out of one."""
        touched = {owner for owner, _old, _new in self._old.zone.diff(self._new.zone)}
        for owner in tuple(touched):
            if owner != self._origin and self._old.occludes(owner) != self._new.occludes(owner):
                touched.update(self._old.below(owner))
                touched.update(self._new.below(owner))
        touched.add(self._origin)  # the serial
        return touched

    def _relinked(self, touched: set[bytes]) -> set[bytes]:
        """The names whose NSEC points elsewhere because the one behind them came or went."""
        return {
            self._new.preceding(owner)
            for owner in touched
            if owner != self._origin and self._old.visible(owner) != self._new.visible(owner)
        }

    # -- names ----------------------------------------------------------------------------------

    def _names(self, remade: set[bytes]) -> Edits:
        made: Edits = {owner: self._name(owner) for owner in remade}
        until = due_until(self._signing.policy, self._signing.epoch)
        for owner, data in self._published.names.due(until):
            if owner not in made:
                made[owner] = self._renewed(owner, data)
        return made

    def _name(self, owner: bytes) -> bytes | None:
        """An owner made anew from the source; signatures that are still right are kept."""
        signing = self._signing
        published = self._published.get(owner)
        if owner == self._origin:
            pieces, kind = signing.apex, Kind.AUTHORITATIVE
        else:
            data = self._new.zone.get(owner)
            if data is None:
                return None
            found = self._new.kind(owner)
            if found is None or found is Kind.OCCLUDED:
                return data
            pieces, kind = slices(owner, data), found
        if signing.nsec3 is None:
            pieces = signing.with_nsec(owner, kind, pieces, self._new.following(owner))
        return signing.node(owner, kind, pieces, signing.held(owner, published))

    def _renewed(self, owner: bytes, data: bytes) -> bytes:
        """The same RRs with signatures of the current window. Only visible names have signatures to renew."""
        pieces = [piece for piece in slices(owner, data) if piece.rdtype != rr.RRSIG]
        delegation = owner != self._origin and rr.NS in types_of(pieces)
        return self._signing.node(owner, Kind.DELEGATION if delegation else Kind.AUTHORITATIVE, pieces)

    # -- NSEC3 ----------------------------------------------------------------------------------

    def _chain(self, touched: set[bytes]) -> Edits:
        signing, held = self._signing, self._published.nsec3
        parameters = signing.nsec3
        if parameters is None:
            raise ValueError("the policy has no NSEC3")
        origin = self._origin
        present: dict[bytes, bytes] = {}  # NSEC3 owner → bitmap, of what comes or changes
        coming: dict[bytes, bytes] = {}  # NSEC3 owner → name
        going: set[bytes] = set()
        around = set(touched)
        for owner in touched:
            if owner != origin:
                around.update(names.ancestors(owner, origin))
        around.discard(origin)
        for name in around:
            before = self._old.hashed_types(name, opt_out=parameters.opt_out)
            after = self._new.hashed_types(name, opt_out=parameters.opt_out)
            if before == after:
                continue
            owner = parameters.owner(name, origin)
            if after is None:
                going.add(owner)
                continue
            if before is None:
                if owner in coming:
                    raise collision(name)
                coming[owner] = name
            present[owner] = denial.bitmap(after)
        for owner in coming:
            if owner not in going and held.get(owner) is not None:
                raise collision(coming[owner])
        apex, told = parameters.owner(origin, origin), denial.bitmap(signing.apex_hashed_types())
        if _nsec3_in(apex, held.get(apex) or b"").type_bitmap != told:
            present[apex] = told
        going -= coming.keys()
        ring = _Ring(held, going, coming)
        remade = set(present)
        remade.update(ring.preceding(owner) for owner in (*coming, *going))
        made: Edits = dict.fromkeys(going)
        for owner in remade:
            made[owner] = self._nsec3(owner, present.get(owner), ring)
        for owner, data in held.due(due_until(signing.policy, signing.epoch)):
            if owner not in made:
                made[owner] = self._renewed_nsec3(owner, data)
        return made

    def _nsec3(self, owner: bytes, bitmap: bytes | None, ring: _Ring) -> bytes:
        signing = self._signing
        data = self._published.nsec3.get(owner)
        if bitmap is None:
            bitmap = _nsec3_in(owner, data or b"").type_bitmap
        following = denial.hash_of_owner(ring.following(owner))
        piece = signing.nsec3_slice(owner, following, bitmap)
        return signing.node(owner, Kind.AUTHORITATIVE, [piece], signing.held(owner, data))

    def _renewed_nsec3(self, owner: bytes, data: bytes) -> bytes:
        pieces = [piece for piece in slices(owner, data) if piece.rdtype == rr.NSEC3]
        return self._signing.node(owner, Kind.AUTHORITATIVE, pieces)


class _Ring:
    """The NSEC3 chain to be: a published one without the owners *going* and with those *coming*."""

    def __init__(self, held: Tree, going: set[bytes], coming: dict[bytes, bytes]) -> None:
        self._held = held
        self._going = going
        self._coming = sorted(coming)  # labels of one length: octet order is canonical order

    def following(self, owner: bytes) -> bytes:
        """The owner behind *owner*; the first one behind the last."""
        at = bisect_right(self._coming, owner)
        choices = self._coming[at : at + 1] + self._staying(self._held.items(owner))
        if not choices:
            choices = self._coming[:1] + self._staying(self._held.items())
        return min(choices)

    def preceding(self, owner: bytes) -> bytes:
        """The owner ahead of *owner*; the last one ahead of the first."""
        at = bisect_left(self._coming, owner)
        choices = self._coming[max(at - 1, 0) : at] + self._staying(self._held.reversed(owner))
        if not choices:
            choices = self._coming[-1:] + self._staying(self._held.reversed())
        return max(choices)

    def _staying(self, found: Iterator[tuple[bytes, bytes]]) -> list[bytes]:
        return next(([owner] for owner, _data in found if owner not in self._going), [])


def _nsec3_in(owner: bytes, data: bytes) -> Nsec3:
    """The NSEC3 among the RRs of *owner*."""
    piece: Slice = next(piece for piece in slices(owner, data) if piece.rdtype == rr.NSEC3)
    return Nsec3.parse(first_rdata(owner, piece))
