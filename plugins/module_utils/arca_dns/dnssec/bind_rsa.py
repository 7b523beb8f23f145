# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""RSA secrets as BIND's ``.private`` files have them: eight numbers, each in base64, where we keep PKCS #8.

The numbers are those of RFC 8017 section 3.2. Secrets never show in an error.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from .._deps import cryptography
from ..errors import KeyUnavailable
from .algorithms import RSASHA256, algorithm

#: The fields, in the order in which BIND writes them.
FIELDS = (
    "Modulus",
    "PublicExponent",
    "PrivateExponent",
    "Prime1",
    "Prime2",
    "Exponent1",
    "Exponent2",
    "Coefficient",
)


def fields_of(secret: bytes) -> dict[str, str]:
    """The fields of the key whose PKCS #8 form is *secret*."""
    key = cryptography.hazmat.primitives.serialization.load_der_private_key(secret, None)
    numbers = key.private_numbers()  # type: ignore[union-attr]
    public = numbers.public_numbers
    values = (
        *(public.n, public.e, numbers.d, numbers.p, numbers.q),  # type: ignore[union-attr]
        *(numbers.dmp1, numbers.dmq1, numbers.iqmp),  # type: ignore[union-attr]
    )
    return {name: _encoded(value) for name, value in zip(FIELDS, values, strict=True)}


def secret_of(fields: Mapping[str, str], what: str) -> bytes:
    """The PKCS #8 form of the key that *fields* of the file *what* describe. Raises :class:`KeyUnavailable`."""
    rsa = cryptography.hazmat.primitives.asymmetric.rsa
    serialization = cryptography.hazmat.primitives.serialization
    n, e, d, p, q, dmp1, dmq1, iqmp = (_decoded(fields, name, what) for name in FIELDS)
    try:
        numbers = rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, rsa.RSAPublicNumbers(e, n))
        key = numbers.private_key()
    except ValueError:
        raise KeyUnavailable(f"{what}: its numbers make no RSA key") from None
    secret = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    algorithm(RSASHA256).load(secret)  # refuses a size that is not used
    return secret


def _encoded(value: int) -> str:
    return base64.b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).decode("ascii")


def _decoded(fields: Mapping[str, str], name: str, what: str) -> int:
    if name not in fields:
        raise KeyUnavailable(f"{what} has no {name} field, which an RSA key needs")
    return int.from_bytes(octets_of(fields, name, what), "big")


def octets_of(fields: Mapping[str, str], name: str, what: str) -> bytes:
    """The octets of the field *name*, which is there. Raises :class:`KeyUnavailable`."""
    try:
        return base64.b64decode(fields[name], validate=True)
    except (binascii.Error, ValueError):
        raise KeyUnavailable(f"the {name} field of {what} is no base64") from None
