# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Which names of a zone are authoritative, which are delegations, which are occluded, and who stands beside whom.

Works on a source tree and on a signed one alike, and reads only the names that it is asked about. What is signed
at each kind of name (RFC 4035 section 2.2) and which names a chain has (section 2.3, RFC 5155 section 7.1) follow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from struct import Struct

from ..zone import names, rr
from ..zone.tree import Tree, ZoneRoot

_HEAD = Struct(">HHLH")
# Sorts behind every descendant of the name that it is put in front of: no name has as many octets.
_LAST = (b"\x3f" + b"\xff" * 63) * 4


class Kind(Enum):
    """What a name that has data is to its zone."""

    AUTHORITATIVE = 1
    DELEGATION = 2
    OCCLUDED = 3  # below a delegation or a DNAME: glue, or data that nobody sees


@dataclass(frozen=True, slots=True)
class Slice:
    """One RRset of an owner as the bytes that stand in a leaf, which are also what an RRSIG covers."""

    rdtype: int
    ttl: int
    wire: bytes


def slices(owner: bytes, data: bytes) -> list[Slice]:
    """The RRsets in the RRs of *owner*; RRSIGs come as one slice each. Raises :class:`ValueError` for other bytes."""
    out: list[Slice] = []
    head, size, end = len(owner), len(data), 0
    start, last, last_ttl = 0, 0, 0
    unpack = _HEAD.unpack_from
    while end < size:
        rdtype, _class, ttl, length = unpack(data, end + head)
        if last and (rdtype != last or last == rr.RRSIG):
            out.append(Slice(last, last_ttl, data[start:end]))
            last = 0
        if not last:
            start, last, last_ttl = end, rdtype, ttl
        end += head + 10 + length
    if last:
        out.append(Slice(last, last_ttl, data[start:end]))
    if end != size:
        raise ValueError("an RR runs past the end of its owner")
    return out


def first_rdata(owner: bytes, piece: Slice) -> bytes:
    """The rdata of the first RR of *piece*."""
    at = len(owner) + 10
    return piece.wire[at : at + int.from_bytes(piece.wire[at - 2 : at], "big")]


def types_of(pieces: Iterable[Slice]) -> set[int]:
    """The types in *pieces*."""
    return {piece.rdtype for piece in pieces}


def occludes(owner: bytes, types: Iterable[int], origin: bytes) -> bool:
    """Whether an owner with *types* hides what is below it (RFC 1034 section 4.2.1, RFC 6672 section 2.4)."""
    return rr.DNAME in types or (rr.NS in types and owner != origin)


class Walk:
    """Tells the kind of each name when names come in canonical order."""

    __slots__ = ("_cut", "_origin")

    def __init__(self, origin: bytes, cut: bytes | None = None) -> None:
        self._origin = origin
        self._cut = cut

    def kind(self, owner: bytes, types: Iterable[int]) -> Kind:
        """The kind of *owner*, the next name in order."""
        cut = self._cut
        if cut is not None:
            if owner != cut and names.is_at_or_below(owner, cut):
                return Kind.OCCLUDED
            self._cut = None
        if occludes(owner, types, self._origin):
            self._cut = owner
            if rr.NS in types and owner != self._origin:
                return Kind.DELEGATION
        return Kind.AUTHORITATIVE


class Authority:
    """Questions about single names of a zone; each costs a few look-ups. Answers are kept: use it for one task."""

    def __init__(self, zone: ZoneRoot) -> None:
        self.zone = zone
        self.origin = zone.origin
        self._names: Tree = zone.names
        self._types: dict[bytes, frozenset[int]] = {}

    def types(self, owner: bytes) -> frozenset[int]:
        """The types at *owner*; none if it has no data."""
        found = self._types.get(owner)
        if found is None:
            data = self.zone.get(owner)
            found = self._types[owner] = frozenset(types_of(slices(owner, data)) if data else ())
        return found

    def learn(self, owner: bytes, data: bytes | None) -> None:
        """Take the RRs of *owner*, read elsewhere already, instead of a look-up."""
        self._types[owner] = frozenset(types_of(slices(owner, data)) if data else ())

    def occludes(self, owner: bytes) -> bool:
        """Whether *owner* hides what is below it."""
        return occludes(owner, self.types(owner), self.origin)

    def hidden_by(self, owner: bytes) -> bytes | None:
        """The topmost name above *owner* that hides it, or ``None``."""
        if owner == self.origin:
            return None
        for above in (self.origin, *reversed(names.ancestors(owner, self.origin))):
            if self.occludes(above):
                return above
        return None

    def kind(self, owner: bytes) -> Kind | None:
        """The kind of *owner*; ``None`` if it has no data."""
        types = self.types(owner)
        if not types:
            return None
        if self.hidden_by(owner) is not None:
            return Kind.OCCLUDED
        return Kind.DELEGATION if rr.NS in types and owner != self.origin else Kind.AUTHORITATIVE

    def visible(self, owner: bytes) -> bool:
        """Whether *owner* has data that is not occluded: it stands in an NSEC chain."""
        return self.kind(owner) in (Kind.AUTHORITATIVE, Kind.DELEGATION)

    # -- neighbours ---------------------------------------------------------------------------

    def following(self, owner: bytes) -> bytes:
        """The visible name behind *owner*, which need not exist; the apex behind the last one."""
        above = owner if self.occludes(owner) else self.hidden_by(owner)
        if above is not None and above != self.origin:
            found = self._names.after(_LAST + above)
        elif above == self.origin:
            return self.origin
        else:
            found = self._names.after(owner)
        # What comes first behind a visible name or a cut's last descendant has no cut above it that was not passed.
        return self.origin if found is None else found[0]

    def preceding(self, owner: bytes) -> bytes:
        """The visible name ahead of *owner*, which need not exist; the last one ahead of the apex."""
        found = self._names.before(_LAST + owner if owner == self.origin else owner)
        if found is None:
            return self.origin
        return self.hidden_by(found[0]) or found[0]

    def below(self, owner: bytes) -> Iterator[bytes]:
        """The names with data below *owner*, in canonical order."""
        for found, _data in self._names.items(owner):
            if not names.is_at_or_below(found, owner):
                return
            yield found

    # -- NSEC3 ----------------------------------------------------------------------------------

    def hashed_types(self, owner: bytes, *, opt_out: bool) -> tuple[int, ...] | None:
        """The types that the NSEC3 for *owner* tells; ``None`` if *owner* has none (RFC 5155 section 7.1).

        Empty non-terminals have an empty tuple. With *opt_out* insecure delegations have none, nor have the
        empty non-terminals that exist for them alone.
        """
        types = self.types(owner)
        if not types:
            return () if self._is_empty_non_terminal(owner, opt_out) else None
        kind = self.kind(owner)
        if kind is Kind.OCCLUDED or kind is None:
            return None
        return hashed_types(kind, types, opt_out=opt_out)

    def _is_empty_non_terminal(self, owner: bytes, opt_out: bool) -> bool:
        if self.hidden_by(owner) is not None:
            return False
        at = owner
        while (found := self._names.after(at)) is not None and names.is_at_or_below(found[0], owner):
            if not opt_out:
                return True
            types = self.types(found[0])
            if rr.NS not in types or rr.DS in types:
                return True
            at = _LAST + found[0]
        return False


def signed_types(kind: Kind, types: Iterable[int]) -> list[int]:
    """Those of *types* that have an RRSIG at a visible name."""
    if kind is Kind.DELEGATION:
        return [rdtype for rdtype in types if rdtype in (rr.DS, rr.NSEC)]
    return [rdtype for rdtype in types if rdtype != rr.RRSIG]


def nsec_types(kind: Kind, types: Iterable[int]) -> tuple[int, ...]:
    """The types that the NSEC of a visible name tells (RFC 4035 section 2.3)."""
    present = {rr.NS, rr.DS}.intersection(types) if kind is Kind.DELEGATION else set(types)
    return tuple(sorted(present | {rr.RRSIG, rr.NSEC}))


def hashed_types(kind: Kind, types: Iterable[int], *, opt_out: bool) -> tuple[int, ...] | None:
    """The types that the NSEC3 of a visible name tells; ``None`` for an insecure delegation that is opted out."""
    if kind is Kind.DELEGATION:
        if rr.DS in types:
            return (rr.NS, rr.DS, rr.RRSIG)
        return None if opt_out else (rr.NS,)
    return tuple(sorted({*types, rr.RRSIG}))
