# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Rdata between text and canonical wire form (RFC 4034 section 6.2), for every type dnspython knows and RFC 3597.

The common types are read and written here, for speed; dnspython does the rest.
Which records may stand together is the business of :mod:`.checks`.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from struct import Struct, error as StructError
from typing import cast

from .._deps import dns, require
from ..errors import BadName, ZoneTextError
from . import names, rdata_dnssec, rr
from .lexer import SPECIAL, Lexer
from .rdata_dnssec import number as _number

#: Types whose names are lower-cased in canonical form: RFC 4034 section 6.2 without NSEC (RFC 6840 section 5.1).
#: NS MD MF CNAME SOA MB MG MR PTR MINFO MX RP AFSDB RT SIG PX NXT SRV NAPTR KX A6 DNAME RRSIG
LOWERED = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 12, 14, 15, 17, 18, 21, 24, 26, 30, 33, 35, 36, 38, 39, 46})

# Obsolete ones that dnspython treats as opaque, though they consist of names.
_MINFO = 14
_MAILBOXES = frozenset({7, 8, 9, _MINFO})
_ONLY_NAMES = _MAILBOXES | {3, 4}

_MAX_STRING = 255
_U16 = Struct(">H")
_SOA = Struct(">5L")
_SRV = Struct(">3H")

#: What a value of the type reads like, for error messages.
_SHAPES: Mapping[int, str] = {
    rr.SOA: "PRIMARY-SERVER CONTACT SERIAL REFRESH RETRY EXPIRE MINIMUM",
    rr.MX: "PREFERENCE MAIL-SERVER, as in: 10 mail.example.com.",
    rr.SRV: "PRIORITY WEIGHT PORT TARGET, as in: 10 60 5060 sip.example.com.",
    rr.DS: "KEY-TAG ALGORITHM DIGEST-TYPE DIGEST",
    rr.TXT: 'one or more "strings" of up to 255 octets each',
    13: '"CPU" "OS"',
    17: "MAILBOX TXT-NAME",
    35: 'ORDER PREFERENCE "FLAGS" "SERVICE" "REGEXP" REPLACEMENT',
    44: "ALGORITHM FINGERPRINT-TYPE FINGERPRINT",
    52: "USAGE SELECTOR MATCHING-TYPE DATA",
    64: 'PRIORITY TARGET [KEY=VALUE ...], as in: 1 . alpn="h2,h3"',
    65: 'PRIORITY TARGET [KEY=VALUE ...], as in: 1 . alpn="h2,h3"',
    256: 'PRIORITY WEIGHT "URI"',
    257: 'FLAGS TAG "VALUE", as in: 0 issue "ca.example.net"',
}


# -- types ------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def type_from_text(text: str) -> int:
    """The number of a record type from its mnemonic or ``TYPE65280`` form (RFC 3597). Raises :class:`ZoneTextError`.

    Types that only queries have (ANY, AXFR, ...) and meta types (OPT, TSIG, ...) are refused: they are no data.
    """
    require("dns")
    try:
        rdtype = int(dns.rdatatype.from_text(text))
    except (dns.exception.DNSException, ValueError):
        raise ZoneTextError(
            f"there is no record type {text!r}; write an unknown one as TYPE and its number (RFC 3597)"
        ) from None
    if not is_data(rdtype):
        raise ZoneTextError(f"{text.upper()} is a type of queries and messages; a zone cannot hold it")
    return rdtype


def is_data(rdtype: int) -> bool:
    """Whether a zone may hold records of *rdtype*: neither reserved, nor OPT, nor a query or meta type (RFC 6895)."""
    return 0 < rdtype < 65535 and rdtype != 41 and not 128 <= rdtype <= 255


# -- text to wire -----------------------------------------------------------------------------

# The short ways read words as bytes, as they stand in a file.


@lru_cache(maxsize=8)
def _plain_names(origin: bytes | None) -> names.PlainNames:
    return names.PlainNames(origin, 16384)


def _one(words: Sequence[bytes]) -> bytes:
    (word,) = words
    return word


def _plain_a(words: Sequence[bytes], _known: names.PlainNames) -> bytes:
    return inet_pton(AF_INET, _one(words).decode("ascii"))


def _plain_aaaa(words: Sequence[bytes], _known: names.PlainNames) -> bytes:
    return inet_pton(AF_INET6, _one(words).decode("ascii"))


def _plain_target(words: Sequence[bytes], known: names.PlainNames) -> bytes:
    return known[_one(words)]


def _plain_mx(words: Sequence[bytes], known: names.PlainNames) -> bytes:
    preference, exchange = words
    return _U16.pack(_number(preference, 65535)) + known[exchange]


def _plain_srv(words: Sequence[bytes], known: names.PlainNames) -> bytes:
    priority, weight, port, target = words
    numbers = (_number(priority, 65535), _number(weight, 65535), _number(port, 65535))
    return _SRV.pack(*numbers) + known[target]


def _plain_soa(words: Sequence[bytes], known: names.PlainNames) -> bytes:
    mname, rname, *numbers = words
    values = [_number(number, 0xFFFFFFFF) for number in numbers]
    if max(values[1:]) > rr.MAX_TTL:
        raise ValueError
    return known[mname] + known[rname] + _SOA.pack(*values)


# Octets of the digest by digest type (RFC 3658, 4509, 5933, 6605).
_DIGESTS = {1: 20, 2: 32, 4: 48}


def _plain_ds(words: Sequence[bytes], _known: names.PlainNames) -> bytes:
    tag, algorithm, digest_type, *digest = words
    data = unhexlify(b"".join(digest))
    kind = _number(digest_type, 255)
    if _DIGESTS[kind] != len(data):
        raise ValueError
    return _U16.pack(_number(tag, 65535)) + bytes((_number(algorithm, 255), kind)) + data


def _plain_txt(words: Sequence[bytes], _known: names.PlainNames) -> bytes:
    parts = []
    for word in words:
        if word[0] == _QUOTE:
            if word[-1] != _QUOTE or len(word) < 2:
                raise ValueError
            word = word[1:-1]
        elif _OPENS.search(word) is not None:
            raise ValueError
        if b"\\" in word or b'"' in word or not word.isascii():
            raise ValueError
        # ValueError for more than 255.
        parts.append(bytes((len(word),)) + word)
    if not parts:
        raise ValueError
    return b"".join(parts)


_QUOTE = ord('"')
_OPENS = re.compile(rb"[();]")

#: Short ways by type. They take words without escapes and raise one of :data:`DOUBTS` at whatever is unusual.
PLAIN: Mapping[int, Callable[[Sequence[bytes], names.PlainNames], bytes]] = {
    rr.A: _plain_a,
    rr.NS: _plain_target,
    rr.CNAME: _plain_target,
    rr.SOA: _plain_soa,
    rr.PTR: _plain_target,
    rr.MX: _plain_mx,
    rr.TXT: _plain_txt,
    rr.AAAA: _plain_aaaa,
    rr.SRV: _plain_srv,
    rr.DNAME: _plain_target,
    rr.DS: _plain_ds,
    **rdata_dnssec.Readers(type_from_text).by_type,
}
DOUBTS = (ValueError, KeyError, IndexError, OSError, StructError)


def from_text(rdtype: int, text: str, origin: bytes | None) -> bytes:
    """Canonical wire form of one record's value; relative names are relative to *origin*.

    Raises :class:`ZoneTextError`. *text* is what stands behind the type in a zone file; comments are refused,
    for in a single value a ``;`` outside of quotes is a TXT string that lacks its quotes.
    """
    require("dns")
    if not SPECIAL.search(text) and "\n" not in text:
        return from_fields(rdtype, text.split(), origin)
    lines = text.split("\n")
    entry = Lexer(lines).entry(0)
    if entry.problems:
        raise ZoneTextError(entry.problems[0].message)
    if any(line.strip() for line in lines[entry.end :]):
        raise ZoneTextError("a value is one line, unless parentheses join several")
    _refuse_comments(lines[: entry.end])
    return from_fields(rdtype, [word.text for word in entry.words], origin)


_COMMENT = re.compile(r'(?:[^";\\]|\\.|"(?:[^"\\]|\\.)*")*;')


def _refuse_comments(lines: Sequence[str]) -> None:
    if any(_COMMENT.match(line) for line in lines):
        raise ZoneTextError("a ';' begins a comment: put the whole text in double quotes")


def from_parsed(rdtype: int, parsed: dns.rdata.Rdata) -> bytes:
    """The canonical wire form of a value that dnspython has read; its names must be absolute."""
    wire = cast(bytes, parsed.to_wire(None, None, None, rdtype in LOWERED))
    # Label lengths are at most 63, below the letters.
    return wire.lower() if rdtype in _ONLY_NAMES else wire


def from_fields(rdtype: int, fields: Sequence[str], origin: bytes | None) -> bytes:
    """As :func:`from_text`, from the words of the value as they are written, quotes and escapes included."""
    plain = PLAIN.get(rdtype)
    if plain is not None:
        try:
            return plain([field.encode("ascii") for field in fields], _plain_names(origin))
        except DOUBTS:
            pass
    _expect_fields(rdtype, fields)
    text = " ".join(fields)
    if rdtype in _MAILBOXES and fields[0] != r"\#":
        return _mailboxes(rdtype, fields, origin)
    try:
        parsed = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.RdataType.make(rdtype),
            dns.tokenizer.Tokenizer(text, idna_codec=dns.name.IDNA_2008_Practical),
            None if origin is None else _dns_name(origin),
            False,
        )
        wire = from_parsed(rdtype, parsed)
    except dns.name.NeedAbsoluteNameOrOrigin:
        raise ZoneTextError(
            f"{rr.type_text(rdtype)} value {_short(text)} has a name without final dot, and no origin is known: "
            "end the name with a dot, or put an $ORIGIN line at the top"
        ) from None
    except (dns.exception.DNSException, ValueError, OverflowError, IndexError, StructError, AttributeError) as error:
        raise ZoneTextError(_explain(rdtype, text, error)) from None
    if len(wire) > 65535:
        raise ZoneTextError(f"{rr.type_text(rdtype)} value is {len(wire)} octets long; a record holds at most 65535")
    return wire


def _mailboxes(rdtype: int, fields: Sequence[str], origin: bytes | None) -> bytes:
    """A value that is one name, or two for MINFO (RFC 1035 section 3.3)."""
    wanted = 2 if rdtype == _MINFO else 1
    if len(fields) != wanted:
        raise ZoneTextError(
            f"{rr.type_text(rdtype)} takes {wanted} name{'s' * (wanted - 1)}, here are {len(fields)} words"
        )
    return b"".join(names.from_text(field, origin) for field in fields)


def _expect_fields(rdtype: int, fields: Sequence[str]) -> None:
    """Raise the clearest message for the most common slips."""
    kind = rr.type_text(rdtype)
    if not fields:
        raise ZoneTextError(f"{kind} record without a value" + _shape(rdtype))
    if fields[0] == r"\#":
        return
    if rdtype in (rr.A, rr.AAAA):
        version = 4 if rdtype == rr.A else 6
        if len(fields) > 1:
            raise ZoneTextError(f"{kind} takes one address, here are {len(fields)} words: write one record for each")
        hint = " (that is an IPv6 address: use AAAA)" if rdtype == rr.A and ":" in fields[0] else ""
        raise ZoneTextError(f"{_short(fields[0])} is not an IPv{version} address{hint}")
    if rdtype in (rr.NS, rr.CNAME, rr.PTR, rr.DNAME) and len(fields) > 1:
        raise ZoneTextError(f"{kind} takes one name, here are {len(fields)} words")
    if rdtype in (rr.TXT, 99):
        for field in fields:
            size = len(field.strip('"').encode(errors="replace"))
            if size > _MAX_STRING and "\\" not in field:
                raise ZoneTextError(
                    f"{kind} string of {size} octets; one holds at most 255: "
                    'split it into several "strings" side by side'
                )


def _explain(rdtype: int, text: str, error: Exception) -> str:
    if isinstance(error, BadName):
        return error.message
    reason = str(error).rstrip(".") or type(error).__name__
    if "generic rdata does not start with" in reason:
        return (
            f"{rr.type_text(rdtype)} value {_short(text)} does not parse: values of this type are written in "
            r"hexadecimal, as \# LENGTH HEX (RFC 3597)"
        )
    return f"{rr.type_text(rdtype)} value {_short(text)} does not parse: {reason}{_shape(rdtype)}"


def _shape(rdtype: int) -> str:
    shape = _SHAPES.get(rdtype)
    return f"; it reads {shape}" if shape else ""


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


@lru_cache(maxsize=64)
def _dns_name(name: bytes) -> dns.name.Name:
    return dns.name.Name([*names.labels(name), b""])


# -- wire to text -----------------------------------------------------------------------------


def strings(rdata: bytes) -> list[bytes]:
    """The character strings that a TXT-like rdata consists of."""
    out = []
    at = 0
    while at < len(rdata):
        end = at + 1 + rdata[at]
        if end > len(rdata):
            raise ValueError("a character string runs past the end")
        out.append(rdata[at + 1 : end])
        at = end
    return out


def one_string(word: str) -> str:
    """What *word* says, quoted or not, with its escapes resolved. Raises :class:`ZoneTextError`."""
    return strings(from_fields(rr.TXT, [word], names.ROOT))[0].decode("utf-8", "surrogateescape")


_STRING_TEXT = {
    octet: chr(octet) if 0x20 <= octet < 0x7F and chr(octet) not in '"\\' else f"\\{octet:03d}" for octet in range(256)
} | {ord('"'): '\\"', ord("\\"): "\\\\"}


def _quoted(string: bytes) -> str:
    return '"' + "".join([_STRING_TEXT[octet] for octet in string]) + '"'


def _target_text(rdata: bytes) -> str:
    return names.to_text(_whole(rdata, 0))


def _whole(rdata: bytes, at: int) -> bytes:
    name = names.read(rdata, at)
    if at + len(name) != len(rdata):
        raise ValueError("octets behind the name")
    return name


def _minfo_text(rdata: bytes) -> str:
    responsible = names.read(rdata)
    return f"{names.to_text(responsible)} {names.to_text(_whole(rdata, len(responsible)))}"


def _soa_text(rdata: bytes) -> str:
    mname = names.read(rdata)
    rname = names.read(rdata, len(mname))
    serial, *timers = _SOA.unpack(rdata[len(mname) + len(rname) :])
    return " ".join((names.to_text(mname), names.to_text(rname), str(serial), *map(str, timers)))


def _srv_text(rdata: bytes) -> str:
    return "{} {} {} ".format(*_SRV.unpack_from(rdata)) + names.to_text(_whole(rdata, 6))


def _ds_text(rdata: bytes) -> str:
    if _DIGESTS.get(rdata[3], len(rdata) - 4) != len(rdata) - 4 or len(rdata) == 4:
        raise ValueError("a digest of another length")
    return f"{_U16.unpack_from(rdata)[0]} {rdata[2]} {rdata[3]} {rdata[4:].hex().upper()}"


_CAA = 257


def _caa_text(rdata: bytes) -> str:
    end = 2 + rdata[1]
    tag = rdata[2:end]
    # All of it there, with a character of the value at least: dnspython judges other cases.
    if not tag.isalnum() or end >= len(rdata):
        raise ValueError
    return f"{rdata[0]} {tag.decode('ascii')} {_quoted(rdata[end:])}"


_TEXT: Mapping[int, Callable[[bytes], str]] = {
    rr.A: lambda rdata: inet_ntop(AF_INET, rdata),
    rr.NS: _target_text,
    rr.CNAME: _target_text,
    rr.SOA: _soa_text,
    rr.PTR: _target_text,
    rr.MX: lambda rdata: f"{_U16.unpack_from(rdata)[0]} {names.to_text(_whole(rdata, 2))}",
    rr.TXT: lambda rdata: " ".join(map(_quoted, strings(rdata))),
    rr.AAAA: lambda rdata: inet_ntop(AF_INET6, rdata),
    rr.SRV: _srv_text,
    rr.DNAME: _target_text,
    rr.DS: _ds_text,
    _CAA: _caa_text,
    **dict.fromkeys((7, 8, 9), _target_text),
    _MINFO: _minfo_text,
    **rdata_dnssec.TEXT,
}


#: What these cannot write, dnspython cannot either.
_OWN = frozenset(_TEXT) - frozenset(rdata_dnssec.TEXT) - {_CAA}


def to_text(rdtype: int, rdata: bytes) -> str:
    """*rdata* as it stands in a zone file: names with final dot. :func:`from_text` reads the same octets back.

    What has no form that does so is written as RFC 3597 has it.
    """
    common = _TEXT.get(rdtype)
    if common is not None:
        try:
            text = common(rdata)
            if text:
                return text
        except DOUBTS:
            pass
        if rdtype in _OWN:
            return generic_text(rdata)
    return _long_to_text(rdtype, rdata)


@lru_cache(maxsize=8192)
def _long_to_text(rdtype: int, rdata: bytes) -> str:
    require("dns")
    try:
        kind = dns.rdatatype.RdataType.make(rdtype)
        text = dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata)).to_text()
        if from_text(rdtype, text, names.ROOT) == rdata:
            return text
    except (dns.exception.DNSException, ZoneTextError, ValueError, StructError):
        pass
    return generic_text(rdata)


def generic_text(rdata: bytes) -> str:
    r"""*rdata* in the form for unknown types, ``\# LENGTH HEX`` (RFC 3597 section 5)."""
    return rf"\# {len(rdata)} {rdata.hex()}".rstrip()
