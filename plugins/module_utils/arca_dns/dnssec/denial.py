# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""NSEC and NSEC3 as rdata: type bitmaps, hashes, base32hex (RFC 4034 section 4, RFC 5155).

Which names stand in a chain is decided in :mod:`.authority`; chains are built by the signer.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from ..zone import names

OPT_OUT = 1
HASH_SHA1 = 1
HASH_SIZE = 20
_MAX_ORIGIN = 255 - 33  # a 32-octet label and its length stand in front
_ALPHABET = "0123456789abcdefghijklmnopqrstuv"
_PAIRS = [(a + b).encode("ascii") for a in _ALPHABET for b in _ALPHABET]
_SHIFTS = tuple(range(150, -1, -10))


@lru_cache(maxsize=4096)
def bitmap(types: tuple[int, ...]) -> bytes:
    """The Type Bit Maps field for *types*, which must be in ascending order (RFC 4034 section 4.1.2)."""
    windows: dict[int, bytearray] = {}
    for rdtype in types:
        windows.setdefault(rdtype >> 8, bytearray(32))[(rdtype & 255) >> 3] |= 0x80 >> (rdtype & 7)
    out = []
    for number in sorted(windows):
        bits = bytes(windows[number]).rstrip(b"\0")
        out.append(bytes((number, len(bits))) + bits)
    return b"".join(out)


def bitmap_types(data: bytes) -> tuple[int, ...]:
    """The types that a Type Bit Maps field names. Raises :class:`ValueError` if it is none."""
    types: list[int] = []
    at, last = 0, -1
    while at < len(data):
        number, size = data[at], data[at + 1] if at + 1 < len(data) else 0
        bits = data[at + 2 : at + 2 + size]
        if number <= last or not 1 <= size <= 32 or len(bits) != size or not bits[-1]:
            raise ValueError("the type bitmap is malformed")
        types.extend(
            number << 8 | octet << 3 | bit for octet in range(size) for bit in range(8) if bits[octet] & 0x80 >> bit
        )
        at, last = at + 2 + size, number
    return tuple(types)


def nsec(following: bytes, types: tuple[int, ...]) -> bytes:
    """NSEC rdata: the next name of the chain and the types at this one."""
    return following + bitmap(types)


def hash_name(name: bytes, iterations: int = 0, salt: bytes = b"") -> bytes:
    """The NSEC3 hash of *name* (RFC 5155 section 5)."""
    digest = hashlib.sha1(name + salt, usedforsecurity=False).digest()
    for _round in range(iterations):
        digest = hashlib.sha1(digest + salt, usedforsecurity=False).digest()
    return digest


def base32hex(digest: bytes) -> bytes:
    """A hash of 20 octets as the 32 lower-case characters of an NSEC3 owner (RFC 4648 section 7, no padding)."""
    value = int.from_bytes(digest, "big")
    return b"".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])


def hash_of_owner(owner: bytes) -> bytes:
    """The hash in the first label of an NSEC3 owner. Raises :class:`ValueError` if there is none."""
    label = owner[1 : owner[0] + 1]
    if len(label) != 32:
        raise ValueError("the first label is no NSEC3 hash")
    digest = base64.b32hexdecode(label, casefold=True)
    if base32hex(digest) != label:
        raise ValueError("the first label is no lower-case base32hex")
    return digest


@dataclass(frozen=True, slots=True)
class Nsec3Parameters:
    """What an NSEC3 chain is made with; *opt_out* is the flag of its records, never of NSEC3PARAM."""

    iterations: int = 0
    salt: bytes = b""
    opt_out: bool = False

    def hash(self, name: bytes) -> bytes:
        """The hash of *name* with these parameters."""
        return hash_name(name, self.iterations, self.salt)

    def owner(self, name: bytes, origin: bytes) -> bytes:
        """The owner of the NSEC3 for *name*."""
        return nsec3_owner(self.hash(name), origin)

    def _fixed(self, flags: int) -> bytes:
        return bytes((HASH_SHA1, flags)) + self.iterations.to_bytes(2, "big") + bytes((len(self.salt),)) + self.salt

    def param(self) -> bytes:
        """NSEC3PARAM rdata (RFC 5155 section 4.2)."""
        return self._fixed(0)

    def nsec3(self, following: bytes, type_bitmap: bytes) -> bytes:
        """NSEC3 rdata: the next hash of the chain and the types at the name."""
        return self._fixed(OPT_OUT if self.opt_out else 0) + bytes((HASH_SIZE,)) + following + type_bitmap


def nsec3_owner(digest: bytes, origin: bytes) -> bytes:
    """The owner of the NSEC3 for a name with hash *digest*."""
    return b"\x20" + base32hex(digest) + origin


def nsec3_fits(origin: bytes) -> bool:
    """Whether hashed owners below *origin* are names at all."""
    return len(origin) <= _MAX_ORIGIN


@dataclass(frozen=True, slots=True)
class Nsec3:
    """NSEC3 rdata taken apart (RFC 5155 section 3.2)."""

    parameters: Nsec3Parameters
    flags: int
    following: bytes
    type_bitmap: bytes

    @classmethod
    def parse(cls, rdata: bytes) -> Nsec3:
        """Read *rdata*. Raises :class:`ValueError`."""
        parameters, flags, at = _parse_fixed(rdata)
        if len(rdata) < at + 1 + HASH_SIZE or rdata[at] != HASH_SIZE:
            raise ValueError("the NSEC3 is malformed")
        following = rdata[at + 1 : at + 1 + HASH_SIZE]
        opt_out = Nsec3Parameters(parameters.iterations, parameters.salt, bool(flags & OPT_OUT))
        return cls(opt_out, flags, following, rdata[at + 1 + HASH_SIZE :])


def parse_param(rdata: bytes) -> Nsec3Parameters:
    """Read NSEC3PARAM rdata. Raises :class:`ValueError`."""
    parameters, flags, at = _parse_fixed(rdata)
    if flags or at != len(rdata):
        raise ValueError("the NSEC3PARAM is malformed or has flags")
    return parameters


def _parse_fixed(rdata: bytes) -> tuple[Nsec3Parameters, int, int]:
    if len(rdata) < 5 or rdata[0] != HASH_SHA1 or len(rdata) < 5 + rdata[4]:
        raise ValueError("the NSEC3 parameters are malformed or of an unknown hash algorithm")
    salt = rdata[5 : 5 + rdata[4]]
    return Nsec3Parameters(int.from_bytes(rdata[2:4], "big"), salt), rdata[1], 5 + rdata[4]


def parse_nsec(rdata: bytes) -> tuple[bytes, bytes]:
    """(next name, type bitmap) of NSEC rdata. Raises :class:`ValueError`."""
    try:
        following = names.read(rdata)
    except IndexError:
        raise ValueError("the NSEC is malformed") from None
    return following, rdata[len(following) :]


def sorted_types(types: Iterable[int]) -> tuple[int, ...]:
    """*types* as :func:`bitmap` wants them."""
    return tuple(sorted(set(types)))
