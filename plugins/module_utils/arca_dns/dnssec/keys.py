# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keys of a zone as records and pairs, their generation, key tags and DS. Where keys are kept: :mod:`.keystore`."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from ..errors import InputError, KeyUnavailable
from ..zone import names
from .algorithms import RSA_BITS, PrivateKey, Random, algorithm as algorithm_of
from .policy import Policy

KSK, ZSK, CSK = "ksk", "zsk", "csk"
ROLES = (KSK, ZSK, CSK)
ZONE_KEY, SEP, REVOKE = 0x0100, 0x0001, 0x0080  # DNSKEY flags (RFC 4034 section 2.1.1, RFC 5011 section 3)
PROTOCOL = 3
_DIGESTS = {2: hashlib.sha256, 4: hashlib.sha384}
_ATTEMPTS = 100


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What anybody may know of a key. *created* is unix seconds."""

    zone: bytes
    tag: int
    algorithm: int
    role: str
    dnskey_rdata: bytes
    created: int

    def __str__(self) -> str:
        return f"{self.role} {self.tag} (algorithm {self.algorithm}) of {names.to_text(self.zone)}"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A key record and the private key; only the record shows in ``repr``."""

    record: KeyRecord
    private: PrivateKey = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Dnskey:
    """DNSKEY rdata taken apart (RFC 4034 section 2.1)."""

    flags: int
    protocol: int
    algorithm: int
    public_key: bytes

    @classmethod
    def parse(cls, rdata: bytes) -> Dnskey:
        """Read *rdata*. Raises :class:`ValueError`."""
        if len(rdata) < 5:
            raise ValueError("the DNSKEY is malformed")
        return cls(int.from_bytes(rdata[:2], "big"), rdata[2], rdata[3], rdata[4:])

    def rdata(self) -> bytes:
        """The wire form."""
        return self.flags.to_bytes(2, "big") + bytes((self.protocol, self.algorithm)) + self.public_key


def key_tag(rdata: bytes) -> int:
    """The key tag of DNSKEY *rdata* (RFC 4034 appendix B)."""
    total = sum(rdata[::2]) * 256 + sum(rdata[1::2])
    return (total + (total >> 16 & 0xFFFF)) & 0xFFFF


def revoked_tag(rdata: bytes) -> int:
    """The key tag that DNSKEY *rdata* will have once it is revoked (RFC 5011 section 2.1)."""
    key = Dnskey.parse(rdata)
    return key_tag(Dnskey(key.flags | REVOKE, key.protocol, key.algorithm, key.public_key).rdata())


def ds_rdata(owner: bytes, dnskey_rdata: bytes, digest_type: int = 2) -> bytes:
    """DS rdata for a DNSKEY of *owner*; *digest_type* is 2 (SHA-256) or 4 (SHA-384) (RFC 4034 section 5, RFC 6605)."""
    digest = _DIGESTS.get(digest_type)
    if digest is None:
        raise InputError(f"DS digest type {digest_type} is not supported; use 2 (SHA-256) or 4 (SHA-384)")
    head = key_tag(dnskey_rdata).to_bytes(2, "big") + bytes((dnskey_rdata[3], digest_type))
    return head + digest(owner + dnskey_rdata).digest()


def roles_of(policy: Policy) -> tuple[str, ...]:
    """The roles of the keys that *policy* wants."""
    return (CSK,) if policy.keys == "csk" else (KSK, ZSK)


def generate_key(
    zone: bytes,
    algorithm: int,
    role: str,
    taken_tags: Collection[int] = (),
    random: Random = secrets.token_bytes,
    clock: Callable[[], float] = time.time,
    bits: int = RSA_BITS,
) -> KeyPair:
    """A new key whose tag, revoked or not, is none of *taken_tags*: a shared tag breaks validators (.ru, 2024).

    *bits* is the size of an RSA key; other families have one size. Raises :class:`InputError` for what cannot be.
    """
    if role not in ROLES:
        raise InputError(f"{role!r} is no role of a key; use one of {', '.join(ROLES)}")
    family = algorithm_of(algorithm)
    flags = ZONE_KEY if role == ZSK else ZONE_KEY | SEP
    for _attempt in range(_ATTEMPTS):
        private = family.generate(random, bits)
        rdata = Dnskey(flags, PROTOCOL, algorithm, private.public_key).rdata()
        tag = key_tag(rdata)
        if tag not in taken_tags and revoked_tag(rdata) not in taken_tags:
            return KeyPair(KeyRecord(zone, tag, algorithm, role, rdata, int(clock())), private)
    raise KeyUnavailable(f"no key with a free tag was found for {names.to_text(zone)} in {_ATTEMPTS} attempts")


def generate_keys(
    policy: Policy,
    zone: bytes,
    existing_tags: Collection[int] = (),
    random: Random = secrets.token_bytes,
    clock: Callable[[], float] = time.time,
) -> tuple[KeyPair, ...]:
    """The keys that *policy* wants for *zone*, no two tags alike and none of *existing_tags*."""
    taken = set(existing_tags)
    made: list[KeyPair] = []
    for role in roles_of(policy):
        pair = generate_key(zone, policy.algorithm, role, taken, random, clock, policy.rsa_bits)
        taken |= {pair.record.tag, revoked_tag(pair.record.dnskey_rdata)}
        made.append(pair)
    return tuple(made)
