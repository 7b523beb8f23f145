# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One signing: its keys, policy, epoch and apex, and the bytes of single owners made with them.

Which owners are made, and their place in the chain, is decided in :mod:`.signer` and :mod:`.incremental`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from struct import Struct

from ..errors import ChecksFailed, InputError, KeyUnavailable
from ..zone import names, rr
from . import denial, zonemd
from .authority import Kind, Slice, first_rdata, hashed_types, nsec_types, signed_types, slices
from .denial import Nsec3Parameters
from .keys import CSK, KSK, ZSK, KeyPair
from .policy import Policy
from .window import window

_RRSIG_HEAD = Struct(">HBBLLLH")  # type covered, algorithm, labels, original TTL, expiration, inception, key tag
_RR_HEAD = Struct(">HHLH")
_PREFIXES_KEPT = 20_000

Sign = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Held:
    """What a published owner has already: signatures that are still those of a full signing are not made again."""

    wires: dict[int, bytes] = field(default_factory=dict)
    signatures: dict[bytes, bytes] = field(default_factory=dict)  # RRSIG rdata up to the signature → whole rdata


_NOTHING_HELD = Held()


class Signing:
    """The constants of one signing of the zone *origin*."""

    def __init__(
        self,
        origin: bytes,
        keys: Sequence[KeyPair],
        policy: Policy,
        epoch: int,
        serial: int,
        apex: bytes | None,
        extra_apex: Iterable[rr.RRset] = (),
    ) -> None:
        self.origin = origin
        self.policy = policy
        self.epoch = epoch
        self._key_signers, self._zone_signers = _signers(origin, keys)
        self._prefixes: dict[tuple[int, int, int, int], list[tuple[bytes, Sign]]] = {}
        self._head_size = _RRSIG_HEAD.size + len(origin)
        self.nsec3: Nsec3Parameters | None = None
        if policy.denial == "nsec3":
            self.nsec3 = Nsec3Parameters(policy.nsec3_iterations, policy.salt, policy.nsec3_opt_out)
            if not denial.nsec3_fits(origin):
                raise ChecksFailed(f"{names.to_text(origin)} is too long for NSEC3; use NSEC")
        self.apex = self._apex(apex, keys, serial, extra_apex)
        soa = next(piece for piece in self.apex if piece.rdtype == rr.SOA)
        self.denial_ttl = min(soa.ttl, rr.soa_minimum(first_rdata(origin, soa)))  # RFC 9077

    def _apex(self, apex: bytes | None, keys: Sequence[KeyPair], serial: int, extra: Iterable[rr.RRset]) -> list[Slice]:
        """The RRsets of the apex before NSEC: the source's, with the serial, and those that signing adds."""
        origin = self.origin
        pieces = {piece.rdtype: piece for piece in slices(origin, apex or b"")}
        if rr.SOA not in pieces:
            raise ChecksFailed(f"{names.to_text(origin)} has no SOA")
        pieces[rr.SOA] = with_serial(pieces[rr.SOA], serial)
        added = [rr.RRset.of(origin, rr.DNSKEY, self.policy.dnskey_ttl, (pair.record.dnskey_rdata for pair in keys))]
        if self.nsec3 is not None:
            added.append(rr.RRset(origin, rr.NSEC3PARAM, 0, (self.nsec3.param(),)))
        if self.policy.zonemd:
            pieces[rr.ZONEMD] = zonemd.placeholder(origin, pieces[rr.SOA])
        for rrset in (*added, *extra):
            if rrset.owner != origin or rrset.rdtype in pieces:
                raise InputError(f"{rr.type_text(rrset.rdtype)} cannot be added to the apex")
            pieces[rrset.rdtype] = Slice(rrset.rdtype, rrset.ttl, rrset.wire())
        return [pieces[rdtype] for rdtype in sorted(pieces)]

    # -- owners -------------------------------------------------------------------------------

    def nsec(self, owner: bytes, following: bytes, types: tuple[int, ...]) -> Slice:
        """The NSEC of *owner*."""
        return self._single(owner, rr.NSEC, denial.nsec(following, types))

    def with_nsec(self, owner: bytes, kind: Kind, pieces: Sequence[Slice], following: bytes) -> list[Slice]:
        """*pieces* of a visible owner with its NSEC in its place."""
        types = nsec_types(kind, [piece.rdtype for piece in pieces])
        return sorted([*pieces, self.nsec(owner, following, types)], key=lambda piece: piece.rdtype)

    def apex_hashed_types(self) -> tuple[int, ...]:
        """The types that the apex's NSEC3 tells."""
        return hashed_types(Kind.AUTHORITATIVE, [piece.rdtype for piece in self.apex], opt_out=False) or ()

    def nsec3_slice(self, owner: bytes, following: bytes, type_bitmap: bytes) -> Slice:
        """The NSEC3 at the hashed *owner*."""
        parameters = self.nsec3
        if parameters is None:
            raise ValueError("the policy has no NSEC3")
        return self._single(owner, rr.NSEC3, parameters.nsec3(following, type_bitmap))

    def _single(self, owner: bytes, rdtype: int, rdata: bytes) -> Slice:
        ttl = self.denial_ttl
        return Slice(rdtype, ttl, owner + _RR_HEAD.pack(rdtype, 1, ttl, len(rdata)) + rdata)

    def node(self, owner: bytes, kind: Kind, pieces: Sequence[Slice], held: Held = _NOTHING_HELD) -> bytes:
        """The RRs of *owner* with their RRSIGs; *pieces* are its RRsets by type, NSEC among them where there is one."""
        if kind is Kind.OCCLUDED:
            return b"".join([piece.wire for piece in pieces])
        signatures = self._signatures(owner, kind, pieces, held)
        if not signatures:
            return b"".join([piece.wire for piece in pieces])
        before = [piece.wire for piece in pieces if piece.rdtype < rr.RRSIG]
        behind = [piece.wire for piece in pieces if piece.rdtype > rr.RRSIG]
        return b"".join([*before, *signatures, *behind])

    def _signatures(self, owner: bytes, kind: Kind, pieces: Sequence[Slice], held: Held) -> list[bytes]:
        wanted = signed_types(kind, [piece.rdtype for piece in pieces])
        if not wanted:  # most names of a zone of delegations with NSEC3
            return []
        times = window(self.policy, self.epoch, owner)
        labels = names.rrsig_labels(owner)
        rdatas: list[tuple[bytes, int]] = []
        for piece in pieces:
            rdtype, ttl, wire = piece.rdtype, piece.ttl, piece.wire
            if rdtype not in wanted:
                continue
            same = held.wires.get(rdtype) == wire
            for head, sign in self._heads(rdtype, labels, ttl, times):
                rdata = held.signatures.get(head) if same else None
                rdatas.append((head + sign(head + wire) if rdata is None else rdata, ttl))
        # By rdata: the type covered stands first, key tags part the signatures of one RRset.
        rdatas.sort()
        pack = _RR_HEAD.pack
        return [owner + pack(rr.RRSIG, 1, ttl, len(rdata)) + rdata for rdata, ttl in rdatas]

    def _heads(self, rdtype: int, labels: int, ttl: int, times: tuple[int, int]) -> list[tuple[bytes, Sign]]:
        """Per key that signs *rdtype*: RRSIG rdata up to the signature, and what signs."""
        inception, expiration = times
        key = (rdtype, labels, ttl, expiration)
        found = self._prefixes.get(key)
        if found is None:
            if len(self._prefixes) >= _PREFIXES_KEPT:
                self._prefixes.clear()
            pairs = self._key_signers if rdtype == rr.DNSKEY else self._zone_signers
            found = self._prefixes[key] = [
                (
                    _RRSIG_HEAD.pack(rdtype, pair.record.algorithm, labels, ttl, expiration, inception, pair.record.tag)
                    + self.origin,
                    pair.private.sign,
                )
                for pair in pairs
            ]
        return found

    def held(self, owner: bytes, data: bytes | None) -> Held:
        """What can be taken over from the published RRs of *owner*."""
        if not data:
            return _NOTHING_HELD
        found = Held()
        size = self._head_size
        for piece in slices(owner, data):
            if piece.rdtype == rr.RRSIG:
                rdata = first_rdata(owner, piece)
                found.signatures[rdata[:size]] = rdata
            else:
                found.wires[piece.rdtype] = piece.wire
        return found


def with_serial(soa: Slice, serial: int) -> Slice:
    """A SOA with another serial."""
    return Slice(soa.rdtype, soa.ttl, rr.soa_with_serial(soa.wire, serial))


def collision(name: bytes) -> ChecksFailed:
    """The error for two names with one NSEC3 hash (RFC 5155 section 7.1)."""
    return ChecksFailed(
        f"{names.to_text(name)} and another name of its zone have the same NSEC3 hash; use another salt, or NSEC"
    )


def _signers(origin: bytes, keys: Sequence[KeyPair]) -> tuple[list[KeyPair], list[KeyPair]]:
    """The keys that sign the DNSKEY RRset and those that sign the rest (RFC 4035 section 2.2)."""
    text = names.to_text(origin)
    if any(pair.record.zone != origin for pair in keys):
        raise KeyUnavailable(f"a key of another zone was given for {text}")
    if len({pair.record.tag for pair in keys}) != len(keys):
        raise KeyUnavailable(f"two keys of {text} have the same tag")
    ordered = sorted(keys, key=lambda pair: (pair.record.algorithm, pair.record.tag))
    key_signers = [pair for pair in ordered if pair.record.role in (KSK, CSK)]
    zone_signers = [pair for pair in ordered if pair.record.role in (ZSK, CSK)]
    for number in {pair.record.algorithm for pair in keys}:
        if not any(pair.record.algorithm == number for pair in key_signers):
            raise KeyUnavailable(f"{text} has no key of algorithm {number} that signs its DNSKEY RRset (KSK or CSK)")
        if not any(pair.record.algorithm == number for pair in zone_signers):
            raise KeyUnavailable(f"{text} has no key of algorithm {number} that signs its data (ZSK or CSK)")
    if not keys:
        raise KeyUnavailable(f"{text} has no keys")
    return key_signers, zone_signers
