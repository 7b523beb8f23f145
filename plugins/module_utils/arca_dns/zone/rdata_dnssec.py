# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The values of DNSSEC types between text and wire, on short ways: signed zones consist of them (RFC 4034, RFC 5155).

Each raises one of ``rdata.DOUBTS`` at whatever is unusual, and :mod:`.rdata` then asks dnspython.
"""

from __future__ import annotations

import time
from base64 import b32hexdecode, b32hexencode
from binascii import a2b_base64, b2a_base64, unhexlify
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from struct import Struct

from ..errors import ZoneTextError
from . import names, rr

_RRSIG = Struct(">HBBLLLH")
_DNSKEY = Struct(">HBB")
_NSEC3 = Struct(">BBHB")  # with the length of the salt
_HASH = 20
_CHUNK = 32

TypeNumber = Callable[[str], int]


def number(word: bytes, limit: int) -> int:
    """*word* as a number up to *limit*."""
    # int() takes signs, blanks and underscores: a zone file does not.
    if not word.isdigit():
        raise ValueError
    value = int(word)
    if value > limit:
        raise ValueError
    return value


# -- text to wire -----------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _seconds(word: bytes) -> int:
    """Unix seconds of ``YYYYMMDDHHmmSS``."""
    if len(word) != 14 or not word.isdigit():
        raise ValueError
    day = datetime(int(word[:4]), int(word[4:6]), int(word[6:8]), tzinfo=UTC)  # refuses a day that does not exist
    hour, minute, second = int(word[8:10]), int(word[10:12]), int(word[12:])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError
    return int(day.timestamp()) + (hour * 60 + minute) * 60 + second


def _base64(words: Sequence[bytes]) -> bytes:
    data = a2b_base64(b"".join(words), strict_mode=True)
    if not data:
        raise ValueError
    return data


class Readers:
    """The short ways from words to wire; *type_number* turns mnemonics into numbers."""

    def __init__(self, type_number: TypeNumber) -> None:
        self._mnemonic = type_number
        self._type_number = lru_cache(maxsize=1024)(self._number_of)
        self._bitmap = lru_cache(maxsize=4096)(self._make_bitmap)
        self.by_type: Mapping[int, Callable[[Sequence[bytes], names.PlainNames], bytes]] = {
            rr.RRSIG: self._rrsig,
            rr.NSEC: self._nsec,
            rr.NSEC3: self._nsec3,
            rr.DNSKEY: self._dnskey,
        }

    def _number_of(self, word: bytes) -> int:
        try:
            return self._mnemonic(word.decode("ascii"))
        except ZoneTextError:
            raise ValueError from None

    def _make_bitmap(self, words: tuple[bytes, ...]) -> bytes:
        windows: dict[int, bytearray] = {}
        for found in sorted({self._type_number(word) for word in words}):
            window = windows.setdefault(found >> 8, bytearray())
            at, bit = (found & 255) >> 3, 0x80 >> (found & 7)
            window.extend(bytes(at + 1 - len(window)))
            window[at] |= bit
        return b"".join([bytes((index, len(window))) + window for index, window in windows.items()])

    def _rrsig(self, words: Sequence[bytes], known: names.PlainNames) -> bytes:
        covered, algorithm, labels, ttl, expiration, inception, tag, signer, *signature = words
        head = _RRSIG.pack(
            self._type_number(covered),
            number(algorithm, 255),
            number(labels, 255),
            number(ttl, rr.MAX_TTL),
            _seconds(expiration),
            _seconds(inception),
            number(tag, 65535),
        )
        return head + known[signer] + _base64(signature)

    def _nsec(self, words: Sequence[bytes], known: names.PlainNames) -> bytes:
        following = words[0]
        # Its case is kept (RFC 6840 section 5.1); the short way knows lower case only.
        if following != following.lower():
            raise ValueError
        return known[following] + self._bitmap(tuple(words[1:]))

    def _nsec3(self, words: Sequence[bytes], _known: names.PlainNames) -> bytes:
        algorithm, flags, iterations, salt, following, *types = words
        octets = b"" if salt == b"-" else unhexlify(salt)
        if len(following) != 32:
            raise ValueError
        head = _NSEC3.pack(number(algorithm, 255), number(flags, 255), number(iterations, 65535), len(octets))
        hashed = b32hexdecode(following.upper())
        return head + octets + bytes((_HASH,)) + hashed + self._bitmap(tuple(types))

    @staticmethod
    def _dnskey(words: Sequence[bytes], _known: names.PlainNames) -> bytes:
        flags, protocol, algorithm, *key = words
        return _DNSKEY.pack(number(flags, 65535), number(protocol, 255), number(algorithm, 255)) + _base64(key)


# -- wire to text -----------------------------------------------------------------------------


@lru_cache(maxsize=4096)
def _time_text(seconds: int) -> str:
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(seconds))


def _base64_text(data: bytes) -> str:
    if not data:
        raise ValueError
    text = b2a_base64(data, newline=False).decode("ascii")
    return " ".join([text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)])


@lru_cache(maxsize=4096)
def _types_text(bitmap: bytes) -> str:
    """The types of a bitmap, a blank before each. Raises :class:`ValueError` for one that text would not give back."""
    found: list[int] = []
    at, last = 0, -1
    while at < len(bitmap):
        window, size = bitmap[at], bitmap[at + 1]
        octets = bitmap[at + 2 : at + 2 + size]
        if window <= last or not 0 < size <= 32 or len(octets) != size or not octets[-1]:
            raise ValueError
        found += [window << 8 | i << 3 | bit for i in range(size) for bit in range(8) if octets[i] & 0x80 >> bit]
        at, last = at + 2 + size, window
    if found and found[0] == 0:
        raise ValueError
    return "".join([f" {rr.type_text(rdtype)}" for rdtype in found])


def _rrsig_text(rdata: bytes) -> str:
    covered, algorithm, labels, ttl, expiration, inception, tag = _RRSIG.unpack_from(rdata)
    signer = names.read(rdata, _RRSIG.size)
    if signer != signer.lower() or ttl > rr.MAX_TTL:
        raise ValueError
    return (
        f"{rr.type_text(covered)} {algorithm} {labels} {ttl} {_time_text(expiration)} {_time_text(inception)} {tag} "
        f"{names.to_text(signer)} {_base64_text(rdata[_RRSIG.size + len(signer) :])}"
    )


def _nsec_text(rdata: bytes) -> str:
    following = names.read(rdata)
    return names.to_text(following) + _types_text(rdata[len(following) :])


def _nsec3_text(rdata: bytes) -> str:
    algorithm, flags, iterations, size = _NSEC3.unpack_from(rdata)
    at = _NSEC3.size + size
    if rdata[at] != _HASH or len(rdata) < at + 1 + _HASH:
        raise ValueError
    salt = rdata[_NSEC3.size : at].hex() or "-"
    hashed = b32hexencode(rdata[at + 1 : at + 1 + _HASH]).decode("ascii").lower()
    return f"{algorithm} {flags} {iterations} {salt} {hashed}{_types_text(rdata[at + 1 + _HASH :])}"


def _nsec3param_text(rdata: bytes) -> str:
    algorithm, flags, iterations, size = _NSEC3.unpack_from(rdata)
    if len(rdata) != _NSEC3.size + size:
        raise ValueError
    return f"{algorithm} {flags} {iterations} {rdata[_NSEC3.size :].hex() or '-'}"


def _dnskey_text(rdata: bytes) -> str:
    flags, protocol, algorithm = _DNSKEY.unpack_from(rdata)
    return f"{flags} {protocol} {algorithm} {_base64_text(rdata[_DNSKEY.size :])}"


#: The short ways from wire to text, in the form that dnspython writes.
TEXT: Mapping[int, Callable[[bytes], str]] = {
    rr.RRSIG: _rrsig_text,
    rr.NSEC: _nsec_text,
    rr.NSEC3: _nsec3_text,
    rr.NSEC3PARAM: _nsec3param_text,
    rr.DNSKEY: _dnskey_text,
    rr.CDNSKEY: _dnskey_text,
}
