# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The short way through a zone file: usual records go straight from words to the bytes that trees hold.

A line that is unusual in any way is read by :mod:`.reader`. A file with a mistake is given up: the long way reads it
anew and tells all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from io import BytesIO
from itertools import islice
from socket import AF_INET, AF_INET6, inet_pton
from struct import Struct
from typing import NamedTuple

from ..errors import ZoneTextError
from . import names, rdata, rr
from .includes import Includes
from .lexer import Entry, Lexer
from .reader import BLANKS, Reader, Source, ttl_from_text

_FIXED = Struct(">HHLH")  # type, class, TTL, rdata length
_HEAD = _FIXED.size
_TARGETS = {b"NS": rr.NS, b"CNAME": rr.CNAME, b"PTR": rr.PTR, b"DNAME": rr.DNAME}
_SEVERAL = {
    **{b"MX": rr.MX, b"SRV": rr.SRV, b"DS": rr.DS},
    **{b"RRSIG": rr.RRSIG, b"NSEC": rr.NSEC, b"NSEC3": rr.NSEC3, b"DNSKEY": rr.DNSKEY},
}
_CACHE = 65536
_QUOTE = ord('"')


#: Many owners have the same values.
_REPEATED = frozenset({rr.MX, rr.SRV})


class _Unlike(Exception):
    """RRs of one owner and type with different TTLs."""


class _Targets(dict[bytes, bytes]):
    """RRs, without owner, of a type whose value is one name: by that name's word."""

    def __init__(self, rdtype: int, ttl: int, known: names.PlainNames) -> None:
        super().__init__()
        self._rdtype = rdtype
        self._ttl = ttl
        self._known = known

    def __missing__(self, word: bytes) -> bytes:
        if len(self) >= _CACHE:
            self.clear()
        name = self._known[word]
        data = self[word] = _FIXED.pack(self._rdtype, 1, self._ttl, len(name)) + name
        return data


_Values = dict[bytes, Callable[[bytes], bytes]]
_Lists = dict[bytes, Callable[[bytes, list[bytes], int], bytes]]


class _Types:
    """How the values of usual types become RRs of one TTL, still without owner."""

    def __init__(self, ttl: int, known: names.PlainNames) -> None:
        self.ttl = ttl
        self._known = known
        a, aaaa = _FIXED.pack(rr.A, 1, ttl, 4), _FIXED.pack(rr.AAAA, 1, ttl, 16)
        #: For values of one word.
        self.one: _Values = {
            b"A": lambda word: a + inet_pton(AF_INET, word.decode()),
            b"AAAA": lambda word: aaaa + inet_pton(AF_INET6, word.decode()),
            b"TXT": lambda word: self._wire(rr.TXT, (word,)),
        }
        for word, rdtype in _TARGETS.items():
            self.one[word] = _Targets(rdtype, ttl, known).__getitem__
        #: For values of several words, from line, words, and the index of the value's first word.
        self.several: _Lists = {word: self._reader(rdtype) for word, rdtype in _SEVERAL.items()} | {b"TXT": self._text}
        self.one |= {word.lower(): read for word, read in self.one.items()}
        self.several |= {word.lower(): read for word, read in self.several.items()}

    def _reader(self, rdtype: int) -> Callable[[bytes, list[bytes], int], bytes]:
        plain, known, pack = rdata.PLAIN[rdtype], self._known, _FIXED.pack
        ttl = self.ttl

        cache: dict[bytes, bytes] = {}

        def read_again(_line: bytes, words: list[bytes], at: int) -> bytes:
            key = b" ".join(words[at:])
            found = cache.get(key)
            if found is None:
                if len(cache) >= _CACHE:
                    cache.clear()
                found = cache[key] = read(_line, words, at)
            return found

        def read(_line: bytes, words: list[bytes], at: int) -> bytes:
            data = plain(words[at:], known)
            return pack(rdtype, 1, ttl, len(data)) + data

        return read_again if rdtype in _REPEATED else read

    def _wire(self, rdtype: int, words: Sequence[bytes]) -> bytes:
        data = rdata.PLAIN[rdtype](words, self._known)
        return _FIXED.pack(rdtype, 1, self.ttl, len(data)) + data

    def _text(self, line: bytes, words: list[bytes], at: int) -> bytes:
        if b'"' not in line:
            return self._wire(rr.TXT, words[at:])
        # Blanks within quotes are kept. No word ahead of the value has a quote, or it would not be usual.
        if words[at][0] != _QUOTE:
            raise ValueError
        rest = line.partition(b'"')[2]
        string, quote, behind = rest.partition(b'"')
        if quote and not behind.strip() and b"\\" not in string and string.isascii():
            size = len(string)
            return _FIXED.pack(rr.TXT, 1, self.ttl, size + 1) + bytes((size,)) + string
        strings = []
        while True:
            string, quote, rest = rest.partition(b'"')
            if not quote:
                raise ValueError
            strings.append(b'"' + string + b'"')
            gap, quote, rest = rest.partition(b'"')
            if gap.strip() or (quote and not gap):
                raise ValueError
            if not quote:
                return self._wire(rr.TXT, strings)


class _NoTypes(_Types):
    """No TTL is known yet: nothing is usual."""

    def __init__(self) -> None:
        super().__init__(0, names.PlainNames(None))
        self.one = {}
        self.several = {}


class _ByTtl(dict[bytes, _Types]):
    """The types by a TTL's word."""

    def __init__(self, known: names.PlainNames) -> None:
        super().__init__()
        self._known = known

    def __missing__(self, word: bytes) -> _Types:
        if len(self) >= 256:
            self.clear()
        try:
            found = self[word] = _Types(ttl_from_text(word.decode()), self._known)
        except ZoneTextError:
            raise ValueError from None
        return found


class _State(NamedTuple):
    """What usual lines are read with: it changes with directives and unusual records only."""

    origin: bytes
    prefix: bytes  # of the sort keys of names just below the origin
    lengths: tuple[bytes, ...]
    known: names.PlainNames
    ttls: _ByTtl
    standing: _Types


class FastReader(Reader):
    """One run over a zone file that gives the same zone as :class:`.reader.Reader`, or gives up."""

    def __init__(
        self, source: Source, zone: bytes | None, default_ttl: int | None, includes: Includes | None = None
    ) -> None:
        super().__init__(source, zone, default_ttl, includes=includes)
        # Sort key → the RRs of an owner. Flat, with nothing that the garbage collector must follow.
        self._nodes: dict[bytes, bytes] = {}
        self._again: set[bytes] = set()  # keys of owners whose records stand apart
        self._soas: dict[bytes, None] = {}
        self._stream = BytesIO(source.data)

    def soa_owners(self) -> list[bytes]:
        """The owners that have a SOA."""
        return list(self._soas)

    def content(self) -> tuple[bytes, ...]:
        """The RRs of each owner, in canonical order; they are handed over."""
        nodes, self._nodes = self._nodes, {}
        return tuple([nodes[key] for key in sorted(nodes)])

    def add(self, owner: bytes, rdtype: int, ttl: int, wire: bytes, line: int) -> None:
        """Keep a record from the long way."""
        if rdtype == rr.SOA:
            self._soas[owner] = None
        self._keep(names.sort_key(owner), owner + _FIXED.pack(rdtype, 1, ttl, len(wire)) + wire)

    def read(self) -> bool:
        """Read all lines; whether there was no mistake."""
        self.origin = self.zone
        try:
            self._lines()
            for key in self._again:
                self._nodes[key] = _again(self._nodes[key])
        except _Unlike:
            return False
        return not self.places and (self.zone is not None or len(self._soas) == 1 or self.first_origin is not None)

    def _lines(self) -> None:
        # A long function with everything in local variables: this is where a large file's time goes.
        nodes, again = self._nodes, self._again
        doubts = rdata.DOUBTS
        plain, zero = names.PLAIN_OCTETS, b"\0"
        last: bytes | None = None  # how the owner was written
        owner = key = b""
        run: list[bytes] = []  # RRs of the owner, without it
        state = self._state(None)
        origin, prefix, lengths, known, ttls, standing = state
        one, several = standing.one, standing.several
        for line in self._stream:
            words = line.split()
            try:
                if line[0] > 0x24:  # neither a blank, a quote nor a dollar sign
                    word = words[0]
                    if word != last:
                        if run:
                            data = owner + run[0] if len(run) == 1 else _joined(owner, run)
                            if nodes.setdefault(key, data) is not data:
                                nodes[key] += data
                                again.add(key)
                            run = []
                        label = word.translate(plain)
                        if zero not in label:
                            owner = lengths[len(label)] + label + origin
                            key = prefix + label
                        else:
                            owner = known[word]
                            key = names.sort_key(owner)
                        last = word
                    at = 1
                elif owner:
                    at = 0
                else:
                    raise ValueError
                word = words[at]
                if word == b"IN" or word == b"in":
                    at += 1
                    word = words[at]
                elif word not in one and word not in several:
                    types = ttls[word]
                    at += 1
                    word = words[at]
                    if word == b"IN" or word == b"in":
                        at += 1
                        word = words[at]
                    if self.declared_ttl is None:
                        self.last_ttl = types.ttl
                        standing, one, several = types, types.one, types.several
                    if len(words) == at + 2:
                        run.append(types.one[word](words[-1]))
                    else:
                        run.append(types.several[word](line, words, at + 1))
                    continue
                if len(words) == at + 2:
                    run.append(one[word](words[-1]))
                else:
                    run.append(several[word](line, words, at + 1))
            except doubts:
                if line[0] == 0x3B or not words:
                    continue
                if run:
                    self._keep(key, _joined(owner, run))
                    run = []
                last = None
                self.last_owner = owner or None
                if not self._long(line):
                    return
                owner = self.last_owner or b""
                key = names.sort_key(owner) if owner else b""
                state = self._state(state)
                origin, prefix, lengths, known, ttls, standing = state
                one, several = standing.one, standing.several
        if run:
            self._keep(key, _joined(owner, run))

    def _state(self, last: _State | None) -> _State:
        """What the lines that follow are read with."""
        if last is not None and last.known.origin == self.origin:
            known, ttls = last.known, last.ttls
        else:
            known = names.PlainNames(self.origin)
            ttls = _ByTtl(known)
        ttl = self._standing_ttl()
        standing = _NoTypes() if ttl is None else ttls[b"%d" % ttl]
        origin = self.origin
        if origin is None:
            return _State(b"", b"", (), known, ttls, standing)
        prefix = b"" if origin == names.ROOT else names.sort_key(origin) + b"\0"
        return _State(origin, prefix, names.label_lengths(origin), known, ttls, standing)

    def _standing_ttl(self) -> int | None:
        """The TTL of records without one, if it does not depend on them."""
        if self.declared_ttl is not None:
            return self.declared_ttl
        return self.last_ttl if self.last_ttl is not None else self.default_ttl

    def _keep(self, key: bytes, data: bytes) -> None:
        held = self._nodes.get(key)
        if held is None:
            self._nodes[key] = data
        else:
            self._nodes[key] = held + data
            self._again.add(key)

    def _long(self, line: bytes) -> bool:
        """Take the entry that begins with *line*, which was just read, on the long way; false where it is wrong."""
        entry = self._entry(line)
        if entry.problems:
            self.places.extend(entry.problems)
        elif entry.words:
            self.take(line[:1].decode("latin-1") in BLANKS, entry.words)
        return not self.places

    def _entry(self, line: bytes) -> Entry:
        """The words of the entry that begins with *line*; the stream stands behind it afterwards."""
        entry = Lexer([self.source.line(line)]).entry(0)
        for ahead in (16, 1024):
            if not entry.problems or b"(" not in line:
                break
            start = self._stream.tell()
            lines = [line, *islice(self._stream, ahead)]
            entry = Lexer([self.source.line(one) for one in lines]).entry(0)
            self._stream.seek(start + sum(map(len, lines[1 : entry.end])))
            if entry.problems:
                self._stream.seek(start)
        return entry


def _joined(owner: bytes, run: list[bytes]) -> bytes:
    """The RRs of *owner* in canonical order."""
    if len(run) == 2:
        one, other = run
        # Plain order is canonical unless two of one type are equal, or of another length or TTL.
        if one != other and (one[:_HEAD] == other[:_HEAD] or one[:2] != other[:2]):
            return owner + one + owner + other if one < other else owner + other + owner + one
    run.sort()
    last, kind, head = b"", b"", b""
    for one in run:
        if one[:2] == kind and (one == last or one[:_HEAD] != head):
            run = _canonical(run)
            break
        last, kind, head = one, one[:2], one[:_HEAD]
    return owner + owner.join(run)


def _canonical(run: Iterable[bytes]) -> list[bytes]:
    """*run* in canonical order without duplicates; RRSIGs by TTL first. Raises :class:`_Unlike`."""
    ordered = sorted(set(run), key=_order)
    last = b""
    for one in ordered:
        if one[:2] == last[:2] and one[4:8] != last[4:8] and one[:2] != _RRSIG:
            raise _Unlike
        last = one
    return ordered


_RRSIG = rr.RRSIG.to_bytes(2, "big")


def _order(record: bytes) -> tuple[bytes, bytes, bytes]:
    kind = record[:2]
    return kind, record[4:8] if kind == _RRSIG else b"", record[_HEAD:]


def _again(data: bytes) -> bytes:
    """The RRs of one owner, in whatever order, in canonical order."""
    owner = names.read(data)
    size = len(owner)
    return owner + owner.join(_canonical(data[record.start + size : record.end] for record in rr.iterate(data)))
