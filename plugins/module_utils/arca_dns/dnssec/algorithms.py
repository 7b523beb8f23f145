# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""DNSSEC algorithms: one small class per family, all behind :class:`Algorithm`. Keys as records live in :mod:`.keys`.

Numbers are those of the IANA registry "DNS Security Algorithm Numbers".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .._deps import cryptography, require
from ..errors import InputError, KeyUnavailable, MissingDependency

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey

ECDSAP256SHA256 = 13

Random = Callable[[int], bytes]


class PrivateKey(Protocol):
    """A key that signs. Its secret never shows in ``repr``."""

    @property
    def algorithm(self) -> int:
        """The algorithm's number."""

    @property
    def public_key(self) -> bytes:
        """The Public Key field of its DNSKEY."""

    def sign(self, message: bytes) -> bytes:
        """The Signature field of an RRSIG; a pure function of *message* (RFC 6979 where the family needs a nonce)."""

    def secret(self) -> bytes:
        """The octets that :meth:`Algorithm.load` reads back; only ever to be sealed."""


class PublicKey(Protocol):
    """A key that verifies."""

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether *signature* is this key's over *message*."""


class Algorithm(Protocol):
    """One entry of the registry."""

    @property
    def number(self) -> int:
        """The algorithm's number."""

    @property
    def mnemonic(self) -> str:
        """The algorithm's name."""

    def generate(self, random: Random) -> PrivateKey:
        """A new key from *random*, which returns so many random octets."""

    def load(self, secret: bytes) -> PrivateKey:
        """The key that :meth:`PrivateKey.secret` gave. Raises :class:`KeyUnavailable`."""

    def public(self, public_key: bytes) -> PublicKey:
        """The key in a DNSKEY's Public Key field. Raises :class:`InputError` if it is none."""


class _EcdsaPrivateKey:
    """An ECDSA key on P-256; nonces are those of RFC 6979."""

    def __init__(self, algorithm: Ecdsa, private: EllipticCurvePrivateKey) -> None:
        ec = cryptography.hazmat.primitives.asymmetric.ec
        self.algorithm = algorithm.number
        self._private = private
        self._size = size = algorithm.size
        numbers = private.public_key().public_numbers()
        self.public_key = numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")
        try:
            self._scheme = ec.ECDSA(algorithm.digest(), deterministic_signing=True)
        except (TypeError, cryptography.exceptions.UnsupportedAlgorithm):
            raise MissingDependency(
                "signing with RFC 6979 nonces needs cryptography 44 or later on OpenSSL 3.2 or later:"
                " pip install 'cryptography>=44'"
            ) from None

    def __repr__(self) -> str:
        return f"<private key of algorithm {self.algorithm}>"

    def __reduce__(self) -> str:
        raise TypeError("private keys are not pickled")

    def sign(self, message: bytes) -> bytes:
        der = self._private.sign(message, self._scheme)
        # SEQUENCE of two INTEGERs, each shorter than 128 octets: slicing is four times as fast as decoding.
        size, length = self._size, der[3]
        r = der[4 : 4 + length]
        s = der[6 + length :]
        if len(r) == size == len(s):
            return r + s
        return r[-size:].rjust(size, b"\0") + s[-size:].rjust(size, b"\0")

    def secret(self) -> bytes:
        return self._private.private_numbers().private_value.to_bytes(self._size, "big")


class _EcdsaPublicKey:
    def __init__(self, algorithm: Ecdsa, public: EllipticCurvePublicKey) -> None:
        ec = cryptography.hazmat.primitives.asymmetric.ec
        self._public = public
        self._size = algorithm.size
        self._scheme = ec.ECDSA(algorithm.digest())

    def verify(self, message: bytes, signature: bytes) -> bool:
        size = self._size
        if len(signature) != 2 * size:
            return False
        encode = cryptography.hazmat.primitives.asymmetric.utils.encode_dss_signature
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            self._public.verify(encode(r, s), message, self._scheme)
        except (cryptography.exceptions.InvalidSignature, ValueError):
            return False
        return True


class Ecdsa:
    """ECDSA on P-256 with SHA-256 (RFC 6605)."""

    number = ECDSAP256SHA256
    mnemonic = "ECDSAP256SHA256"
    size = 32  # octets of a coordinate

    def __init__(self) -> None:
        require("cryptography")
        primitives = cryptography.hazmat.primitives
        self.digest = primitives.hashes.SHA256
        self._curve = primitives.asymmetric.ec.SECP256R1()
        self._order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

    def generate(self, random: Random) -> PrivateKey:
        # FIPS 186-5 A.2.1: 64 extra random bits make the bias of the reduction negligible.
        scalar = int.from_bytes(random(self.size + 8), "big") % (self._order - 1) + 1
        return self._derive(scalar)

    def load(self, secret: bytes) -> PrivateKey:
        scalar = int.from_bytes(secret, "big")
        if len(secret) != self.size or not 0 < scalar < self._order:
            raise KeyUnavailable(f"the private key is none of algorithm {self.number}")
        return self._derive(scalar)

    def _derive(self, scalar: int) -> PrivateKey:
        return _EcdsaPrivateKey(
            self, cryptography.hazmat.primitives.asymmetric.ec.derive_private_key(scalar, self._curve)
        )

    def public(self, public_key: bytes) -> PublicKey:
        ec = cryptography.hazmat.primitives.asymmetric.ec
        try:
            if len(public_key) != 2 * self.size:
                raise ValueError
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, b"\4" + public_key)
        except ValueError:
            raise InputError(f"the DNSKEY holds no public key of algorithm {self.number}") from None
        return _EcdsaPublicKey(self, point)


_ALGORITHMS: dict[int, Callable[[], Algorithm]] = {ECDSAP256SHA256: Ecdsa}
_made: dict[int, Algorithm] = {}

#: The numbers that :func:`algorithm` knows.
SUPPORTED = tuple(sorted(_ALGORITHMS))


def algorithm(number: int) -> Algorithm:
    """The algorithm *number*. Raises :class:`InputError` for one that is not supported."""
    found = _made.get(number)
    if found is None:
        make = _ALGORITHMS.get(number)
        if make is None:
            known = ", ".join(map(str, SUPPORTED))
            raise InputError(f"DNSSEC algorithm {number} is not supported; use one of: {known}")
        found = _made[number] = make()
    return found
