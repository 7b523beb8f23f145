# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Domain names as wire bytes: lower-case, uncompressed, absolute (RFC 1035 section 3.1, RFC 4034 section 6).

A name is ``bytes`` everywhere inside the library; text exists only at the edges.
Parsing of zone files lives in :mod:`.text`, rdata in :mod:`.rdata`.
"""

from __future__ import annotations

from functools import lru_cache

from .._deps import dns
from ..errors import BadName

ROOT = b"\0"


def labels(name: bytes) -> list[bytes]:
    """The labels of *name*, leftmost first, without the root label."""
    out = []
    i = 0
    while name[i]:
        n = name[i]
        out.append(name[i + 1 : i + 1 + n])
        i += n + 1
    return out


def label_count(name: bytes) -> int:
    """The number of labels of *name*, the root label not counted."""
    count = i = 0
    while name[i]:
        count += 1
        i += name[i] + 1
    return count


def rrsig_labels(name: bytes) -> int:
    """The Labels field of an RRSIG over *name*: a leading ``*`` does not count (RFC 4034 section 3.1.3)."""
    return label_count(name) - (name[:2] == b"\x01*")


def parent(name: bytes) -> bytes:
    """*name* without its leftmost label; the root has none and is returned itself."""
    return name[name[0] + 1 :] if name[0] else name


def is_wildcard(name: bytes) -> bool:
    """Whether the leftmost label is ``*``."""
    return name[:2] == b"\x01*"


def is_at_or_below(name: bytes, ancestor: bytes) -> bool:
    """Whether *name* equals *ancestor* or is a descendant of it (label-wise, not byte-wise)."""
    if not name.endswith(ancestor):
        return False
    i, at = 0, len(name) - len(ancestor)
    while i < at:
        i += name[i] + 1
    return i == at


def ancestors(name: bytes, origin: bytes) -> list[bytes]:
    """The names strictly between *name* and *origin*, nearest to *name* first; *name* must be below *origin*."""
    out = []
    name = parent(name)
    while len(name) > len(origin):
        out.append(name)
        name = parent(name)
    return out


def sort_key(name: bytes) -> bytes:
    """Bytes that compare as *name* sorts in canonical DNS order (RFC 4034 section 6.1).

    Labels from the root down, joined by 0; octets 0 and 1 inside a label are escaped so that
    the joint sorts before every octet.
    """
    parts = labels(name)
    parts.reverse()
    if b"\0" in name[:-1] or b"\1" in name:
        parts = [p.replace(b"\1", b"\1\2").replace(b"\0", b"\1\1") for p in parts]
    return b"\0".join(parts)


_ESCAPED = frozenset(b'".;\\@$()')


def _label_text(label: bytes) -> str:
    if label.isalnum():
        return label.decode("ascii")
    return "".join(f"\\{chr(c)}" if c in _ESCAPED else chr(c) if 0x20 < c < 0x7F else f"\\{c:03d}" for c in label)


def to_text(name: bytes) -> str:
    """*name* in zone-file form with the final dot; special octets are escaped (RFC 1035 section 5.1)."""
    if name == ROOT:
        return "."
    return ".".join(_label_text(label) for label in labels(name)) + "."


_MOST_TEXT = 4 * 255  # every octet as an escape of four


@lru_cache(maxsize=65536)
def from_text(text: str, origin: bytes | None = ROOT) -> bytes:
    """Read *text* as a name; relative to *origin* unless it ends with a dot; ``@`` is the origin.

    Non-ASCII labels are turned into A-labels (RFC 5891). *origin* ``None`` refuses relative names.
    Raises :class:`BadName`.
    """
    if text == "@":
        if origin is None:
            raise BadName("'@' stands for an origin, and there is none here")
        return origin
    if not text:
        raise BadName("a domain name must not be empty")
    if len(text) > _MOST_TEXT:
        raise BadName(f"{text[:40] + '...'!r} is too long: a name has at most 255 octets (RFC 1035)")
    try:
        if text.isascii():
            parsed = dns.name.from_text(text, None)
        else:
            parsed = dns.name.from_unicode(text, None, dns.name.IDNA_2008_Practical)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise BadName(f"{text!r} is not a domain name: {str(error) or type(error).__name__}") from None
    wire = b"".join(bytes((len(label),)) + label.lower() for label in parsed.labels)
    if not parsed.is_absolute():
        if origin is None:
            raise BadName(f"{text!r} has no final dot: write {text + '.'!r} if that is the whole name")
        wire += origin
    if len(wire) > 255:
        raise BadName(f"{text!r} is {len(wire)} octets long in wire form; a name has at most 255 (RFC 1035)")
    return wire


def read(data: bytes, at: int = 0) -> bytes:
    """The uncompressed name that begins at *at* in *data*, as it stands there."""
    i = at
    while data[i]:
        i += data[i] + 1
    return data[at : i + 1]


#: A table for ``bytes.translate``: letters in lower case, 0 for whatever a label without escapes does not hold.
PLAIN_OCTETS = bytes(
    0 if not 0x20 < c < 0x7F or c in b'".;\\@$()' else c + 32 if 65 <= c <= 90 else c for c in range(256)
)
_LENGTHS = tuple(bytes((length,)) for length in range(64))


def label_lengths(origin: bytes) -> tuple[bytes, ...]:
    """The length octets of labels that fit before *origin*, by length."""
    return _LENGTHS[: max(255 - len(origin), 0)]


class PlainNames(dict[bytes, bytes]):
    """Names without escapes as zone files write them, by their words; the short way for what :func:`from_text` reads.

    Raises :class:`ValueError`, :class:`KeyError` or :class:`IndexError` for a word that must take the long way.
    """

    def __init__(self, origin: bytes | None, limit: int = 65536) -> None:
        super().__init__()
        self.origin = origin
        self._limit = limit

    def __missing__(self, word: bytes) -> bytes:
        if len(self) >= self._limit:
            self.clear()
        name = self[word] = self._read(word)
        return name

    def _read(self, word: bytes) -> bytes:
        if len(word) > 255:
            raise ValueError
        labels = word.split(b".")
        tail = ROOT
        if labels[-1]:
            if self.origin is None:
                raise ValueError
            tail = self.origin
            if word == b"@":
                return tail
        else:
            labels.pop()
        name = b"".join([_LENGTHS[len(label)] + label.translate(PLAIN_OCTETS) for label in labels])
        # Neither an empty label nor an octet that is not plain.
        if not labels or b"\0" in name or len(name) + len(tail) > 255:
            raise ValueError
        return name + tail
