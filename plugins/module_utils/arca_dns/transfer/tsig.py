# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""TSIG: messages signed with a shared secret (RFC 8945), single ones and the chain of a transfer's messages."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from struct import Struct

from ..errors import InputError
from ..zone import names
from . import wire
from .wire import Message, Signed

FUDGE = 300
BADSIG, BADKEY, BADTIME = 16, 17, 18

_ALGORITHMS = {"hmac-sha256": hashlib.sha256, "hmac-sha384": hashlib.sha384, "hmac-sha512": hashlib.sha512}
_U16 = Struct(">H")
_U16X2 = Struct(">HH")
_U16X3 = Struct(">3H")
_FIXED = Struct(">HHLH")


@dataclass(frozen=True, slots=True)
class Key:
    """A shared secret and its name. *algorithm* is ``hmac-sha256``, ``hmac-sha384`` or ``hmac-sha512``."""

    name: bytes
    algorithm: str
    secret: bytes = field(repr=False)

    @classmethod
    def of(cls, name: str, algorithm: str, secret: str) -> Key:
        """A key from the texts that configuration files have (the secret in base64). Raises :class:`InputError`."""
        if algorithm.lower().rstrip(".") not in _ALGORITHMS:
            raise InputError(f"TSIG algorithm {algorithm!r} is not one of {', '.join(_ALGORITHMS)}")
        try:
            octets = base64.b64decode(secret, validate=True)
        except (binascii.Error, ValueError):
            raise InputError(f"the secret of TSIG key {name!r} is not base64") from None
        return cls(names.from_text(name), algorithm.lower().rstrip("."), octets)

    def mac(self, data: bytes) -> bytes:
        """The HMAC of *data*."""
        return hmac.digest(self.secret, data, _ALGORITHMS[self.algorithm])

    @property
    def algorithm_name(self) -> bytes:
        """The algorithm as a domain name."""
        return names.from_text(self.algorithm)

    @property
    def size(self) -> int:
        """How long the TSIG RR of a message is."""
        digest = _ALGORITHMS[self.algorithm]().digest_size
        return len(self.name) + 10 + len(self.algorithm_name) + 16 + digest


class Refused(Exception):
    """A signature that is not good: the TSIG error, and the key if it is only the time that is wrong."""

    def __init__(self, error: int, key: Key | None = None) -> None:
        super().__init__({BADSIG: "BADSIG", BADKEY: "BADKEY", BADTIME: "BADTIME"}[error])
        self.error = error
        self.key = key


def _variables(key: Key, time: int, fudge: int, error: int, other: bytes) -> bytes:
    return b"".join(
        (
            key.name,
            b"\0\xff\0\0\0\0",
            key.algorithm_name,
            time.to_bytes(6, "big"),
            _U16X3.pack(fudge, error, len(other)),
            other,
        )
    )


def _prior(mac: bytes) -> bytes:
    return _U16.pack(len(mac)) + mac if mac else b""


def _unsigned(message: Message, signed: Signed) -> bytes:
    """The message as it was before its TSIG RR was added."""
    data = message.wire
    additional = int.from_bytes(data[10:12], "big") - 1
    return _U16.pack(signed.original_id) + data[2:10] + _U16.pack(additional) + data[12 : signed.start]


def check(message: Message, keys: Mapping[bytes, Key], now: int, request_mac: bytes = b"") -> Key:
    """The key that *message* is signed with. Raises :class:`Refused` (BADKEY also where there is no signature)."""
    signed = message.signed
    key = None if signed is None else keys.get(signed.key)
    if signed is None or key is None or key.algorithm_name != signed.algorithm:
        raise Refused(BADKEY)
    variables = _variables(key, signed.time, signed.fudge, signed.error, signed.other)
    expected = key.mac(_prior(request_mac) + _unsigned(message, signed) + variables)
    if not hmac.compare_digest(expected, signed.mac):
        raise Refused(BADSIG)
    # What a client would allow itself beyond the usual lets others repeat its requests for as long.
    if abs(now - signed.time) > min(signed.fudge, FUDGE):
        raise Refused(BADTIME, key)
    return key


def _append(message: bytes, key_name: bytes, algorithm: bytes, rdata: bytes) -> bytes:
    additional = int.from_bytes(message[10:12], "big") + 1
    body = algorithm + rdata
    return b"".join(
        (
            message[:10],
            _U16.pack(additional),
            message[12:],
            key_name,
            _FIXED.pack(wire.TSIG, wire.ANY, 0, len(body)),
            body,
        )
    )


def _rdata(message: bytes, time: int, mac: bytes, error: int, other: bytes) -> bytes:
    return b"".join(
        (
            time.to_bytes(6, "big"),
            _U16X2.pack(FUDGE, len(mac)),
            mac,
            message[:2],
            _U16X2.pack(error, len(other)),
            other,
        )
    )


class Signer:
    """Signs the messages of one exchange in turn.

    The first is bound to *request_mac* (empty for a request), each later one to the MAC before it (section 5.3.1).
    """

    def __init__(self, key: Key, clock: Callable[[], float], request_mac: bytes = b"") -> None:
        self._key = key
        self._clock = clock
        self._first = True
        self.mac = request_mac
        self.size = key.size

    def sign(self, message: bytes, error: int = 0, other: bytes = b"", time: int | None = None) -> bytes:
        """*message* with its TSIG RR. *error*, *other* and *time* are for BADTIME answers."""
        key = self._key
        moment = int(self._clock()) if time is None else time
        if self._first:
            tail = _variables(key, moment, FUDGE, error, other)
        else:
            tail = moment.to_bytes(6, "big") + _U16.pack(FUDGE)
        mac = key.mac(_prior(self.mac) + message + tail)
        self.mac, self._first = mac, False
        return _append(message, key.name, key.algorithm_name, _rdata(message, moment, mac, error, other))


class Unsigned:
    """Stands in for a :class:`Signer` where a request without signature is answered: adds nothing."""

    size = 0

    def sign(self, message: bytes) -> bytes:
        """*message* as it is."""
        return message


def error_answer(request: Message, failure: Refused, clock: Callable[[], float]) -> bytes:
    """NOTAUTH with the TSIG error; signed only for BADTIME, when the secret is shared (RFC 8945 section 5.2)."""
    answer = wire.header(request, 0, rcode=wire.NOTAUTH) + wire.trailer(request)
    signed = request.signed
    if signed is None:
        return wire.header(request, 0, rcode=wire.REFUSED) + wire.trailer(request)
    if failure.key is not None:
        other = int(clock()).to_bytes(6, "big")
        # The time is the client's, or it could not check the signature (section 5.2.3).
        return Signer(failure.key, clock, signed.mac).sign(answer, failure.error, other, signed.time)
    return _append(answer, signed.key, signed.algorithm, _rdata(answer, signed.time, b"", failure.error, b""))
