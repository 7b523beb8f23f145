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
    from cryptography.hazmat.primitives.asymmetric.ec import (
        EllipticCurve,
        EllipticCurvePrivateKey,
        EllipticCurvePublicKey,
    )
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey, Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
    from cryptography.hazmat.primitives.hashes import HashAlgorithm

RSASHA256, ECDSAP256SHA256, ECDSAP384SHA384, ED25519, ED448 = 8, 13, 14, 15, 16
#: Bits of a modulus: what new RSA keys have unless told, the least and the most that they may have.
RSA_BITS, RSA_LEAST, RSA_MOST = 2048, 2048, 4096
_RSA_READ_LEAST = 1024  # keys made elsewhere; RFC 5702 section 2 allows 512, OpenSSL no longer does
_RSA_EXPONENT = 65537

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

    def generate(self, random: Random, bits: int = RSA_BITS) -> PrivateKey:
        """A new key from *random*, which returns so many random octets.

        RSA takes OpenSSL's own randomness and a modulus of *bits*; the size of other keys is that of their family.
        Raises :class:`InputError` for a size that is not allowed.
        """

    def load(self, secret: bytes) -> PrivateKey:
        """The key that :meth:`PrivateKey.secret` gave. Raises :class:`KeyUnavailable`."""

    def public(self, public_key: bytes) -> PublicKey:
        """The key in a DNSKEY's Public Key field. Raises :class:`InputError` if it is none."""


class _EcdsaPrivateKey:
    """An ECDSA key; nonces are those of RFC 6979."""

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
    """ECDSA on P-256 with SHA-256, or on P-384 with SHA-384 (RFC 6605)."""

    def __init__(self, number: int) -> None:
        require("cryptography")
        primitives = cryptography.hazmat.primitives
        ec, hashes = primitives.asymmetric.ec, primitives.hashes
        self.number = number
        self._curve: EllipticCurve
        self.digest: type[HashAlgorithm]
        if number == ECDSAP256SHA256:
            self.mnemonic = "ECDSAP256SHA256"
            self.size = 32  # octets of a coordinate
            self._order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
            self._curve, self.digest = ec.SECP256R1(), hashes.SHA256
        else:
            self.mnemonic = "ECDSAP384SHA384"
            self.size = 48
            self._order = int(
                "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
            )
            self._curve, self.digest = ec.SECP384R1(), hashes.SHA384

    def generate(self, random: Random, bits: int = RSA_BITS) -> PrivateKey:
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


class _EddsaPrivateKey:
    """An EdDSA key, which needs no nonce."""

    def __init__(self, algorithm: int, private: Ed25519PrivateKey | Ed448PrivateKey) -> None:
        self.algorithm = algorithm
        self.public_key = private.public_key().public_bytes_raw()
        self._private = private

    def __repr__(self) -> str:
        return f"<private key of algorithm {self.algorithm}>"

    def __reduce__(self) -> str:
        raise TypeError("private keys are not pickled")

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)

    def secret(self) -> bytes:
        return self._private.private_bytes_raw()


class _EddsaPublicKey:
    def __init__(self, public: Ed25519PublicKey | Ed448PublicKey) -> None:
        self._public = public

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._public.verify(signature, message)
        except (cryptography.exceptions.InvalidSignature, ValueError):
            return False
        return True


class Eddsa:
    """Ed25519 or Ed448 (RFC 8080)."""

    def __init__(self, number: int) -> None:
        require("cryptography")
        self.number = number
        self.mnemonic, self.size = ("ED25519", 32) if number == ED25519 else ("ED448", 57)

    def generate(self, random: Random, bits: int = RSA_BITS) -> PrivateKey:
        return self.load(random(self.size))

    def load(self, secret: bytes) -> PrivateKey:
        asymmetric = cryptography.hazmat.primitives.asymmetric
        private: Ed25519PrivateKey | Ed448PrivateKey
        try:
            if self.number == ED25519:
                private = asymmetric.ed25519.Ed25519PrivateKey.from_private_bytes(secret)
            else:
                private = asymmetric.ed448.Ed448PrivateKey.from_private_bytes(secret)
        except ValueError:
            raise KeyUnavailable(f"the private key is none of algorithm {self.number}") from None
        return _EddsaPrivateKey(self.number, private)

    def public(self, public_key: bytes) -> PublicKey:
        asymmetric = cryptography.hazmat.primitives.asymmetric
        try:
            if self.number == ED25519:
                return _EddsaPublicKey(asymmetric.ed25519.Ed25519PublicKey.from_public_bytes(public_key))
            return _EddsaPublicKey(asymmetric.ed448.Ed448PublicKey.from_public_bytes(public_key))
        except ValueError:
            raise InputError(f"the DNSKEY holds no public key of algorithm {self.number}") from None


class _RsaPrivateKey:
    """An RSA key; PKCS #1 v1.5 signatures need no nonce."""

    algorithm = RSASHA256

    def __init__(self, private: RSAPrivateKey) -> None:
        primitives = cryptography.hazmat.primitives
        self._private = private
        self._padding = primitives.asymmetric.padding.PKCS1v15()
        self._digest = primitives.hashes.SHA256()
        numbers = private.public_key().public_numbers()
        self.public_key = _rsa_public_key(numbers.e, numbers.n)

    def __repr__(self) -> str:
        return f"<private key of algorithm {self.algorithm}>"

    def __reduce__(self) -> str:
        raise TypeError("private keys are not pickled")

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message, self._padding, self._digest)

    def secret(self) -> bytes:
        serialization = cryptography.hazmat.primitives.serialization
        return self._private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


class _RsaPublicKey:
    def __init__(self, public: RSAPublicKey) -> None:
        primitives = cryptography.hazmat.primitives
        self._public = public
        self._padding = primitives.asymmetric.padding.PKCS1v15()
        self._digest = primitives.hashes.SHA256()

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._public.verify(signature, message, self._padding, self._digest)
        except (cryptography.exceptions.InvalidSignature, ValueError):
            return False
        return True


def _rsa_public_key(exponent: int, modulus: int) -> bytes:
    """The Public Key field (RFC 3110 section 2)."""
    octets = exponent.to_bytes((exponent.bit_length() + 7) // 8, "big")
    length = bytes((len(octets),)) if len(octets) < 256 else b"\0" + len(octets).to_bytes(2, "big")
    return length + octets + modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")


class Rsa:
    """RSA with SHA-256 (RFC 5702). The secret is PKCS #8."""

    number = RSASHA256
    mnemonic = "RSASHA256"

    def __init__(self) -> None:
        require("cryptography")

    def generate(self, random: Random, bits: int = RSA_BITS) -> PrivateKey:
        if not RSA_LEAST <= bits <= RSA_MOST:
            raise InputError(f"an RSA key of {bits} bits is not made; use {RSA_LEAST} to {RSA_MOST}")
        return _RsaPrivateKey(cryptography.hazmat.primitives.asymmetric.rsa.generate_private_key(_RSA_EXPONENT, bits))

    def load(self, secret: bytes) -> PrivateKey:
        asymmetric = cryptography.hazmat.primitives.asymmetric
        try:
            private = cryptography.hazmat.primitives.serialization.load_der_private_key(secret, None)
        except (ValueError, TypeError, cryptography.exceptions.UnsupportedAlgorithm):
            private = None
        if not isinstance(private, asymmetric.rsa.RSAPrivateKey):
            raise KeyUnavailable(f"the private key is none of algorithm {self.number}")
        if not _RSA_READ_LEAST <= private.key_size <= RSA_MOST:
            raise KeyUnavailable(
                f"the RSA key has {private.key_size} bits; those of {_RSA_READ_LEAST} to {RSA_MOST} are used"
            )
        return _RsaPrivateKey(private)

    def public(self, public_key: bytes) -> PublicKey:
        at = 1
        length = public_key[0] if public_key else 0
        if not length:
            at, length = 3, int.from_bytes(public_key[1:3], "big")
        exponent = int.from_bytes(public_key[at : at + length], "big")
        modulus = int.from_bytes(public_key[at + length :], "big")
        try:
            if not _RSA_READ_LEAST <= modulus.bit_length() <= RSA_MOST or modulus <= exponent:
                raise ValueError
            numbers = cryptography.hazmat.primitives.asymmetric.rsa.RSAPublicNumbers(exponent, modulus)
            return _RsaPublicKey(numbers.public_key())
        except ValueError:
            raise InputError(
                f"the DNSKEY holds no public key of algorithm {self.number} with {_RSA_READ_LEAST} to {RSA_MOST} bits"
            ) from None


_ALGORITHMS: dict[int, Callable[[], Algorithm]] = {
    RSASHA256: Rsa,
    ECDSAP256SHA256: lambda: Ecdsa(ECDSAP256SHA256),
    ECDSAP384SHA384: lambda: Ecdsa(ECDSAP384SHA384),
    ED25519: lambda: Eddsa(ED25519),
    ED448: lambda: Eddsa(ED448),
}
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
