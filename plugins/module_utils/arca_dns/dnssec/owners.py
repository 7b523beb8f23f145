# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What must hold at one owner of a signed zone: its RRSIGs, its NSEC or NSEC3, its link to the next of the chain.

Which owners are checked, and who is next, is decided in :mod:`.verifier`.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import CorruptBlob
from ..zone import names, rr
from . import denial
from .authority import Kind, Slice, first_rdata, nsec_types, slices, types_of
from .denial import Nsec3, Nsec3Parameters
from .signatures import Problems, ZoneKeys, check_signatures


class OwnerChecks:
    """The checks of single owners of one zone, and what they share."""

    def __init__(self, keys: ZoneKeys, parameters: Nsec3Parameters | None, denial_ttl: int, problems: Problems) -> None:
        self.origin = keys.origin
        self.keys = keys
        self.parameters = parameters
        self.ttl = denial_ttl
        self.problems = problems

    def in_order(self, owner: bytes, last: bytes | None, *, apex: bool) -> bool:
        """Check that *owner* belongs into the tree where it stands, behind *last*."""
        if not names.is_at_or_below(owner, self.origin) or apex != (owner == self.origin):
            self.problems.add(owner, None, "does not belong here in the zone")
            return False
        if last is not None and names.sort_key(owner) <= names.sort_key(last):
            self.problems.add(owner, None, f"stands behind {names.to_text(last)}, which is not canonical order")
            return False
        return True

    def check_node(self, owner: bytes, kind: Kind, pieces: list[Slice]) -> None:
        """Check the RRsets and signatures of a name, its NSEC left aside."""
        check_signatures(self.keys, owner, kind, pieces, self.problems)
        types = types_of(pieces)
        if rr.NSEC3 in types:
            self.problems.add(owner, rr.NSEC3, "stands among the names, not in the chain")
        if owner != self.origin:
            for rdtype in types & {rr.DNSKEY, rr.NSEC3PARAM, rr.SOA}:
                self.problems.add(owner, rdtype, "stands below the apex")
        if rr.NSEC in types and (self.parameters is not None or kind is Kind.OCCLUDED):
            why = "the zone has NSEC3" if self.parameters is not None else "the name is occluded"
            self.problems.add(owner, rr.NSEC, f"must not be here: {why}")

    def check_nsec(self, owner: bytes, kind: Kind, pieces: list[Slice]) -> bytes | None:
        """Check the NSEC of a visible name; returns the name it points to."""
        piece = next((piece for piece in pieces if piece.rdtype == rr.NSEC), None)
        if piece is None:
            self.problems.add(owner, rr.NSEC, "is missing")
            return None
        try:
            rdata = _only_rdata(owner, piece)
            following, told = denial.parse_nsec(rdata)
        except ValueError as error:
            self.problems.add(owner, rr.NSEC, str(error))
            return None
        if piece.ttl != self.ttl:
            self.problems.add(owner, rr.NSEC, f"has TTL {piece.ttl}, not {self.ttl} (RFC 9077)")
        self._check_types(owner, rr.NSEC, told, nsec_types(kind, types_of(pieces)))
        return following

    def check_nsec3(
        self,
        owner: bytes,
        pieces: list[Slice],
        known: tuple[bytes, tuple[int, ...]] | None,
        *,
        signatures: bool = True,
    ) -> bytes | None:
        """Check the NSEC3 at *owner*, for the name and types in *known*; returns the hash it points to."""
        if signatures:
            check_signatures(self.keys, owner, Kind.AUTHORITATIVE, pieces, self.problems)
        if names.parent(owner) != self.origin:
            self.problems.add(owner, rr.NSEC3, "stands not directly below the apex")
        for rdtype in types_of(pieces) - {rr.NSEC3, rr.RRSIG}:
            self.problems.add(owner, rdtype, "stands in the NSEC3 chain")
        piece = next((piece for piece in pieces if piece.rdtype == rr.NSEC3), None)
        try:
            denial.hash_of_owner(owner)
            if piece is None:
                raise ValueError("is missing")
            record = Nsec3.parse(_only_rdata(owner, piece))
        except ValueError as error:
            self.problems.add(owner, rr.NSEC3, str(error))
            return None
        if record.parameters != self.parameters or record.flags & ~denial.OPT_OUT:
            self.problems.add(owner, rr.NSEC3, "has other parameters or flags than the rest of the chain")
        if piece.ttl != self.ttl:
            self.problems.add(owner, rr.NSEC3, f"has TTL {piece.ttl}, not {self.ttl} (RFC 9077)")
        if known is not None:
            self._check_types(owner, rr.NSEC3, record.type_bitmap, known[1], known[0])
        return record.following

    def _check_types(
        self, owner: bytes, rdtype: int, told: bytes, types: tuple[int, ...], name: bytes | None = None
    ) -> None:
        if told == denial.bitmap(types):
            return
        try:
            found = set(denial.bitmap_types(told))
        except ValueError as error:
            self.problems.add(owner, rdtype, str(error))
            return
        what = [f"{rr.type_text(t)} too much" for t in sorted(found - set(types))]
        what += [f"{rr.type_text(t)} missing" for t in sorted(set(types) - found)]
        of = f" of {names.to_text(name)}" if name is not None else ""
        self.problems.add(owner, rdtype, f"has a wrong type bitmap{of}: {', '.join(what) or 'not in canonical form'}")

    def check_link(self, owner: bytes, found: bytes | None, following: bytes) -> None:
        """Check that the NSEC of *owner*, which points to *found*, points to *following*.

        A signer may keep the case that the next name was written in (RFC 6840 §5.1).
        """
        if found is not None and found.lower() != following:
            self.problems.add(
                owner, rr.NSEC, f"points to {names.to_text(found)}, the next name is {names.to_text(following)}"
            )

    def check_hash_link(self, owner: bytes, found: bytes | None, following: bytes) -> None:
        """Check that the NSEC3 at *owner*, which points to hash *found*, points to the owner *following*."""
        if found is not None and denial.nsec3_owner(found, self.origin) != following:
            self.problems.add(
                owner,
                rr.NSEC3,
                f"points to {denial.base32hex(found).decode('ascii')}, the next is {names.to_text(following)}",
            )


def pieces_of(owner: bytes, data: bytes) -> list[Slice]:
    """The RRsets of *owner*. Raises :class:`CorruptBlob` for bytes that are no RRs."""
    try:
        return slices(owner, data)
    except Exception as error:  # struct.error, ValueError: bytes that are no RRs
        raise CorruptBlob(f"the RRs of {names.to_text(owner)} do not parse") from error


def _only_rdata(owner: bytes, piece: Slice) -> bytes:
    rdata = first_rdata(owner, piece)
    if len(piece.wire) != len(owner) + 10 + len(rdata):
        raise ValueError("there is more than one")
    return rdata


def nsec3_of(owner: bytes, pieces: Iterable[Slice]) -> Nsec3 | None:
    """The NSEC3 among *pieces*, if there is one in good form."""
    for piece in pieces:
        if piece.rdtype == rr.NSEC3:
            try:
                return Nsec3.parse(first_rdata(owner, piece))
            except ValueError:
                return None
    return None


def following_hash(owner: bytes, pieces: Iterable[Slice]) -> bytes | None:
    """The hash that the NSEC3 among *pieces* points to."""
    record = nsec3_of(owner, pieces)
    return None if record is None else record.following


def bitmap_of(owner: bytes, pieces: Iterable[Slice]) -> bytes | None:
    """The type bitmap of the NSEC3 among *pieces*."""
    record = nsec3_of(owner, pieces)
    return None if record is None else record.type_bitmap
