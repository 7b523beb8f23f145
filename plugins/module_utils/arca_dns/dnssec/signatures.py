# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Checking RRSIGs: one RRset, or all those of one owner (RFC 4035 section 5.3, RFC 6840).

Which owners a zone must have, and their chain, is the subject of :mod:`.verifier`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from struct import Struct

from ..errors import InputError, Place, VerificationFailed
from ..zone import names, rr
from .algorithms import PublicKey, algorithm
from .authority import Kind, Slice, first_rdata, signed_types
from .keys import PROTOCOL, SEP, ZONE_KEY, Dnskey, key_tag

_HEAD = Struct(">HBBLLLH")
_PLACES = 100


@dataclass(frozen=True, slots=True)
class Rrsig:
    """RRSIG rdata taken apart (RFC 4034 section 3.1). Times are unix seconds."""

    covered: int
    algorithm: int
    labels: int
    original_ttl: int
    expiration: int
    inception: int
    key_tag: int
    signer: bytes
    signature: bytes
    head: bytes  # the rdata up to the signature

    @classmethod
    def parse(cls, rdata: bytes) -> Rrsig:
        """Read *rdata*. Raises :class:`ValueError`."""
        if len(rdata) <= _HEAD.size:
            raise ValueError("the RRSIG is malformed")
        covered, number, labels, ttl, expiration, inception, tag = _HEAD.unpack_from(rdata)
        try:
            signer = names.read(rdata, _HEAD.size)
        except IndexError:
            raise ValueError("the RRSIG is malformed") from None
        at = _HEAD.size + len(signer)
        return cls(covered, number, labels, ttl, expiration, inception, tag, signer, rdata[at:], rdata[:at])


class Problems:
    """What was found wrong; the first hundred are kept in full."""

    def __init__(self, origin: bytes) -> None:
        self._origin = origin
        self._places: list[Place] = []
        self._seen: set[Place] = set()
        self._count = 0

    def add(self, owner: bytes, rdtype: int | None, why: str) -> None:
        """Note that the RRset *owner* *rdtype* is wrong and why."""
        what = names.to_text(owner) if rdtype is None else f"{names.to_text(owner)} {rr.type_text(rdtype)}"
        place = Place(why, pointer=what)
        if place in self._seen:
            return
        self._count += 1
        if len(self._places) < _PLACES:
            self._seen.add(place)
            self._places.append(place)

    def found(self) -> tuple[int, tuple[Place, ...]]:
        """How many there were, and those that were kept: what :meth:`take` takes."""
        return self._count, tuple(self._places)

    def take(self, found: tuple[int, Iterable[Place]]) -> None:
        """Add what was found elsewhere in the zone."""
        count, places = found
        self._count += count
        self._places += [place for place in places if place not in self._seen][: _PLACES - len(self._places)]
        self._seen.update(self._places)

    def settle(self) -> None:
        """Raise ``VerificationFailed`` if there were any."""
        if self._count:
            many = f"{self._count} problems" if self._count > 1 else "1 problem"
            raise VerificationFailed(f"{names.to_text(self._origin)} does not verify, {many}", self._places)


@dataclass(frozen=True, slots=True)
class ZoneKeys:
    """The apex DNSKEY RRset as it verifies the rest of the zone *origin* at *now*."""

    origin: bytes
    keys: dict[tuple[int, int], list[tuple[Dnskey, PublicKey]]]  # algorithm, tag → keys
    now: int | None
    minimum_validity: int
    algorithms: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def read(
        cls, origin: bytes, piece: Slice | None, now: int | None, minimum_validity: int, problems: Problems
    ) -> ZoneKeys | None:
        """Read the DNSKEY RRset of the apex; its own signatures are checked with those of the apex."""
        if piece is None:
            problems.add(origin, rr.DNSKEY, "there is none at the apex")
            return None
        keys = _public_keys(origin, [record.rdata for record in rr.iterate(piece.wire)], problems)
        points = {number for (number, _tag), held in keys.items() if any(key.flags & SEP for key, _public in held)}
        if not points:
            problems.add(origin, rr.DNSKEY, "no key is a secure entry point (flag SEP)")
        return cls(origin, keys, now, minimum_validity, frozenset(number for number, _tag in keys))


def _public_keys(
    origin: bytes, rdatas: Iterable[bytes], problems: Problems
) -> dict[tuple[int, int], list[tuple[Dnskey, PublicKey]]]:
    keys: dict[tuple[int, int], list[tuple[Dnskey, PublicKey]]] = {}
    tags: set[int] = set()
    for rdata in rdatas:
        tag = key_tag(rdata)
        try:
            key = Dnskey.parse(rdata)
            if key.protocol != PROTOCOL or not key.flags & ZONE_KEY:
                raise ValueError("is no zone key of protocol 3")
            public = algorithm(key.algorithm).public(key.public_key)
        except (ValueError, InputError) as error:
            problems.add(origin, rr.DNSKEY, f"key {tag}: {error}")
            continue
        if tag in tags:
            problems.add(origin, rr.DNSKEY, f"two keys have the tag {tag}")
        tags.add(tag)
        keys.setdefault((key.algorithm, tag), []).append((key, public))
    return keys


def check_signatures(keys: ZoneKeys, owner: bytes, kind: Kind, pieces: Sequence[Slice], problems: Problems) -> None:
    """Check that what must be signed at *owner* is, by every algorithm of the zone, and that nothing else is."""
    rrsets: dict[int, Slice] = {}
    found: dict[int, list[tuple[int, Rrsig]]] = {}
    last = 0
    for piece in pieces:
        if piece.rdtype < last:
            problems.add(owner, piece.rdtype, "stands behind a higher type")
        last = piece.rdtype
        _check_form(owner, piece, problems)
        if piece.rdtype == rr.RRSIG:
            try:
                signature = Rrsig.parse(first_rdata(owner, piece))
            except ValueError as error:
                problems.add(owner, rr.RRSIG, str(error))
                continue
            found.setdefault(signature.covered, []).append((piece.ttl, signature))
        else:
            rrsets[piece.rdtype] = piece
    wanted = frozenset() if kind is Kind.OCCLUDED else frozenset(signed_types(kind, rrsets))
    for rdtype in found.keys() - wanted:
        if rdtype not in rrsets:
            why = "there is no such RRset"
        elif kind is Kind.OCCLUDED:
            why = "the name is occluded"
        else:
            why = "the zone has no authority over it"
        problems.add(owner, rdtype, f"is signed, but {why}")
    for rdtype in sorted(wanted):
        _check_rrset(keys, owner, rrsets[rdtype], found.get(rdtype, []), problems)


def _check_form(owner: bytes, piece: Slice, problems: Problems) -> None:
    """One TTL, one class, rdata sorted and without duplicates (RFC 2181 section 5.2, RFC 4034 section 6.3)."""
    head = owner + piece.rdtype.to_bytes(2, "big") + b"\0\1" + piece.ttl.to_bytes(4, "big")
    at, last = 0, None
    while at < len(piece.wire):
        if not piece.wire.startswith(head, at):
            problems.add(owner, piece.rdtype, "its RRs differ in owner, class or TTL")
            return
        at += len(head) + 2
        end = at + int.from_bytes(piece.wire[at - 2 : at], "big")
        rdata = piece.wire[at:end]
        if last is not None and rdata <= last:
            problems.add(owner, piece.rdtype, "its RRs are not sorted, or one stands twice")
            return
        at, last = end, rdata


def _check_rrset(
    keys: ZoneKeys, owner: bytes, piece: Slice, signatures: Sequence[tuple[int, Rrsig]], problems: Problems
) -> None:
    good: set[int] = set()
    seen: set[bytes] = set()
    for ttl, signature in signatures:
        why = _why_wrong(keys, owner, piece, ttl, signature)
        if signature.head in seen:
            why = "stands twice"
        seen.add(signature.head)
        if why is not None:
            problems.add(owner, piece.rdtype, f"its RRSIG by key {signature.key_tag} {why}")
        elif piece.rdtype != rr.DNSKEY or _is_sep(keys, signature):
            good.add(signature.algorithm)
    for number in sorted(keys.algorithms - good):
        who = " by a secure entry point" if piece.rdtype == rr.DNSKEY else ""
        problems.add(owner, piece.rdtype, f"has no good RRSIG{who} of algorithm {number}")


def _is_sep(keys: ZoneKeys, signature: Rrsig) -> bool:
    return any(key.flags & SEP for key, _public in keys.keys[signature.algorithm, signature.key_tag])


def _why_wrong(keys: ZoneKeys, owner: bytes, piece: Slice, ttl: int, signature: Rrsig) -> str | None:
    """Why *signature* is not good for the RRset in *piece*; ``None`` if it is."""
    if signature.signer != keys.origin:
        return f"names {names.to_text(signature.signer)} as the signer"
    held = keys.keys.get((signature.algorithm, signature.key_tag))
    if held is None:
        return f"is of algorithm {signature.algorithm} and that tag, which no DNSKEY of the zone has"
    if signature.labels != names.rrsig_labels(owner):
        return f"says {signature.labels} labels, the owner has {names.rrsig_labels(owner)}"
    if signature.original_ttl != piece.ttl or ttl != piece.ttl:
        return f"has TTL {ttl} and original TTL {signature.original_ttl}, the RRset {piece.ttl}"
    why = _why_not_now(signature, keys.now, keys.minimum_validity)
    if why is not None:
        return why
    message = signature.head + piece.wire
    if not any(public.verify(message, signature.signature) for _key, public in held):
        return "is not a signature of it: the signature does not verify"
    return None


def _why_not_now(signature: Rrsig, now: int | None, minimum_validity: int) -> str | None:
    if _later(signature.inception, signature.expiration):
        return "expires before it begins"
    if now is None:
        return None
    if _later(signature.inception, now):
        return f"begins only at {_utc(signature.inception)}"
    if not _later(signature.expiration, now):
        return f"expired at {_utc(signature.expiration)}"
    if minimum_validity and _later(now + minimum_validity, signature.expiration):
        return f"expires at {_utc(signature.expiration)}, in less than {minimum_validity} s"
    return None


def _later(time_a: int, time_b: int) -> bool:
    """Whether *time_a* is later than *time_b* in serial arithmetic (RFC 4034 section 3.1.5)."""
    return rr.serial_newer(time_a & 0xFFFFFFFF, time_b & 0xFFFFFFFF)


def _utc(moment: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def verify_rrset(rrset: rr.RRset, rrsig_rdata: bytes, dnskey_rdatas: Iterable[bytes], now: int | None) -> None:
    """Verify that *rrsig_rdata* is a good signature over *rrset* by one of *dnskey_rdatas*, as a validator does.

    Answers made from a wildcard verify too (RFC 4035 section 5.3.2). Raises ``VerificationFailed`` saying why not.
    """
    problems = Problems(rrset.owner)
    why: str | None
    try:
        signature = Rrsig.parse(rrsig_rdata)
        owner = _signed_owner(rrset.owner, signature.labels)
        why = None
    except ValueError as error:
        signature, owner, why = None, b"", str(error)
    if signature is not None:
        signed = rr.RRset.of(owner, rrset.rdtype, signature.original_ttl, rrset.rdatas)
        if signature.covered != rrset.rdtype:
            why = f"the RRSIG covers {rr.type_text(signature.covered)}"
        elif not names.is_at_or_below(rrset.owner, signature.signer):
            why = f"the RRSIG's signer {names.to_text(signature.signer)} is not above it"
        else:
            keys = _public_keys(signature.signer, dnskey_rdatas, problems)
            zone = ZoneKeys(signature.signer, keys, now, 0)
            piece = Slice(rrset.rdtype, signature.original_ttl, signed.wire())
            reason = _why_wrong(zone, owner, piece, signature.original_ttl, signature)
            # Keys of other algorithms, which this library cannot read, do not harm a signature that verifies.
            if reason is None:
                return
            why = f"the RRSIG by key {signature.key_tag} {reason}"
    problems.add(rrset.owner, rrset.rdtype, why or "the RRSIG is malformed")
    problems.settle()


def _signed_owner(owner: bytes, labels: int) -> bytes:
    """The owner that was signed: *owner* itself, or the wildcard that it was made from."""
    count = names.rrsig_labels(owner)
    if labels > count:
        raise ValueError(f"the RRSIG says {labels} labels, the owner has {count}")
    if labels == count:
        return owner
    for _label in range(names.label_count(owner) - labels):
        owner = names.parent(owner)
    return b"\x01*" + owner
