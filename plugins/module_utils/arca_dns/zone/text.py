# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone files in and out (RFC 1035 section 5, RFC 2308 section 4, RFC 3597; ``$GENERATE`` as in BIND).

Every line is read even when others are wrong, and each mistake is told with its line. Whether the records
make a sound zone is the business of :mod:`.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from .._deps import require
from ..errors import BadName, Place, ZoneTextError
from . import generate, names, rdata, rr
from .lexer import SPECIAL, Lexer, Word


@dataclass(frozen=True, slots=True)
class ParsedZone:
    """What a zone file holds: RRsets in canonical order, and the line where each (owner, type) begins.

    RRSIGs, whose TTLs follow what they cover, are one RRset for each TTL.
    """

    origin: bytes
    rrsets: tuple[rr.RRset, ...]
    lines: Mapping[tuple[bytes, int], int]


def parse(text: str | bytes, origin: bytes | None = None, default_ttl: int | None = None) -> ParsedZone:
    """Read a zone file. Raises :class:`ZoneTextError` with a place for every mistake.

    *origin* is the zone, and the origin until the first ``$ORIGIN``; without it the zone is the owner of the SOA,
    else the first ``$ORIGIN``. A record without TTL has that of ``$TTL``, else the last one written (RFC 1035),
    else *default_ttl*; a SOA its own MINIMUM. Bytes are UTF-8; octets that are not are kept as they are.
    """
    require("dns")
    reader = _Reader(_lines(text), origin, default_ttl)
    reader.read()
    return reader.result()


_BLANKS = (" ", "\t")
_CLASSES = {"IN": 1, "CLASS1": 1, "CH": 3, "CLASS3": 3, "HS": 4, "CLASS4": 4, "CS": 2}
_TTL = re.compile(r"(?:[0-9]+[wdhms])+", re.IGNORECASE)
_TTL_PART = re.compile(r"([0-9]+)([wdhms])", re.IGNORECASE)
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_QUOTED_TXT = re.compile(r'([^"();\\]*[ \t]TXT[ \t]+)("[^"\\]*")[ \t\r]*')
_PLAIN_TYPES = frozenset({"A", "NS", "CNAME", "SOA", "PTR", "MX", "TXT", "AAAA", "SRV", "DNAME", "DS"})
_UNDECODED = re.compile("[\udc80-\udcff]")
_BROKEN = b""  # the owner of lines whose owner is wrong; no name is empty


def ttl_from_text(text: str) -> int:
    """Seconds from ``3600`` or ``1h30m`` (BIND's units w, d, h, m, s). Raises :class:`ZoneTextError`."""
    if text.isascii() and text.isdigit():
        value = int(text)
    elif _TTL.fullmatch(text):
        value = sum(int(count) * _SECONDS[unit.lower()] for count, unit in _TTL_PART.findall(text))
    else:
        raise ZoneTextError(f"{text!r} is not a TTL: write seconds, or units as in 1h30m")
    if value > rr.MAX_TTL:
        raise ZoneTextError(f"TTL {text} is too large: a TTL is 0 to {rr.MAX_TTL} seconds (RFC 2181 section 8)")
    return value


def _lines(text: str | bytes) -> list[str]:
    if isinstance(text, bytes):
        text = text.decode("utf-8-sig", "surrogateescape")
        if _UNDECODED.search(text):
            text = _UNDECODED.sub(lambda match: f"\\{ord(match.group()) - 0xDC00:03d}", text)
    elif text.startswith("\ufeff"):
        text = text[1:]
    return text.replace("\r\n", "\n").split("\n")


def _type_then_ttl(key: int) -> tuple[int, int]:
    return key & 0xFFFF, key


def _looks_like_ttl(text: str) -> bool:
    return text[:1].isdigit() or text[:1] == "-"


class _Wrong(Exception):
    """A mistake in the line at hand."""

    def __init__(self, message: str, word: Word | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.word = word


@dataclass(slots=True)
class _Head:
    """What stands before the value of a record."""

    ttl: int | None
    rdtype: int
    value: int  # index of the first word of the value


@dataclass(slots=True)
class _Reader:
    """One run over the lines of a zone file."""

    lines: list[str]
    zone: bytes | None
    default_ttl: int | None
    origin: bytes | None = None
    first_origin: bytes | None = None
    declared_ttl: int | None = None
    last_ttl: int | None = None
    last_owner: bytes | None = None
    last_word: str | None = None  # how the last owner was written, while the short way knows
    # By type, and for RRSIG by TTL too: owner → TTL, line and value of the first record; further values apart.
    # Flat, with few objects that the garbage collector must follow: it is half of the time otherwise.
    sets: dict[int, dict[bytes, tuple[int, int, bytes]]] = field(default_factory=dict)
    further: dict[tuple[bytes, int], list[bytes]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    types: dict[str, int] = field(default_factory=dict)

    def read(self) -> None:
        """Read all lines: plain ones on a short way, and those that it doubts on the long one."""
        self.origin = self.zone
        lexer = Lexer(self.lines)
        lines, special = self.lines, SPECIAL.search
        at, end = 0, len(lines)
        while at < end:
            line = lines[at]
            at += 1
            if not line or line[0] == ";":
                continue
            if line[0] != "$" and line.isascii():
                if special(line) is None:
                    fields = line.split()
                    if not fields or self._plain(line[0] in _BLANKS, fields, at):
                        continue
                elif (quoted := _QUOTED_TXT.fullmatch(line)) is not None:
                    fields = quoted[1].split()
                    fields.append(quoted[2])
                    if self._plain(line[0] in _BLANKS, fields, at):
                        continue
            entry = lexer.entry(at - 1)
            at = entry.end
            self.last_word = None
            if entry.problems:
                self.places.extend(entry.problems)
                self._forget_owner(line)
            elif entry.words:
                self._entry(line[0] in _BLANKS, entry.words)

    # -- the short way ----------------------------------------------------------------------

    def _plain(self, blank: bool, fields: list[str], number: int) -> bool:
        """Take the record on line *number* if it is a usual one; false, and nothing done, otherwise."""
        try:
            if blank:
                owner = self.last_owner
                if not owner:
                    return False
                at = 0
            else:
                word = fields[0]
                if word == self.last_word and self.last_owner:
                    owner = self.last_owner
                else:
                    owner = rdata.plain_name(word, self.origin)
                at = 1
            word = fields[at]
            rdtype = self.types.get(word)
            ttl = None
            if rdtype is None:
                if word == "IN":
                    at += 1
                    word = fields[at]
                elif word.isdigit():
                    ttl = ttl_from_text(word)
                    at += 1
                    word = fields[at]
                    if word == "IN":
                        at += 1
                        word = fields[at]
                rdtype = self.types.get(word)
                if rdtype is None:
                    if word.upper() not in _PLAIN_TYPES:
                        return False
                    rdtype = self.types[word] = rdata.type_from_text(word)
            wire = rdata.PLAIN[rdtype](fields[at + 1 :], self.origin)
        except rdata.DOUBTS:
            return False
        except ZoneTextError:
            return False
        self.last_owner = owner
        self.last_word = None if blank else fields[0]
        if ttl is None:
            ttl = self.declared_ttl
            if ttl is None:
                ttl = self._implied_ttl(rdtype, wire)
                if ttl is None:
                    return False
        else:
            self.last_ttl = ttl
        self._add(owner, rdtype, ttl, wire, number)
        return True

    # -- the long way -----------------------------------------------------------------------

    def _entry(self, blank: bool, words: list[Word]) -> None:
        first = words[0]
        try:
            if first.text[0] == "$" and not blank:
                self._directive(words)
            else:
                self._record(blank, words)
        except _Wrong as wrong:
            at = wrong.word or first
            self.places.append(Place(wrong.message, at.line, at.column))

    def _directive(self, words: list[Word]) -> None:
        name = words[0].text.upper()
        if name == "$ORIGIN":
            self.origin = self._name(self._only(words, "a name, as in: $ORIGIN example.com."))
            self.first_origin = self.first_origin or self.origin
        elif name == "$TTL":
            word = self._only(words, "a TTL, as in: $TTL 1h")
            self.declared_ttl = self._ttl(word)
        elif name == "$INCLUDE":
            raise _Wrong(
                "$INCLUDE is not supported: a zone comes as one text. Put the lines of the included file here", words[0]
            )
        elif name == "$GENERATE":
            self._generate(words)
        else:
            raise _Wrong(
                f"there is no directive {words[0].text}; known are $ORIGIN, $TTL and $GENERATE "
                "(a name that begins with a dollar sign is written \\$)",
                words[0],
            )

    @staticmethod
    def _only(words: list[Word], wanted: str) -> Word:
        if len(words) != 2:
            raise _Wrong(f"{words[0].text} takes {wanted}", words[2] if len(words) > 2 else words[0])
        return words[1]

    def _record(self, blank: bool, words: list[Word]) -> None:
        at = 0
        if not blank:
            at = 1
            try:
                self.last_owner = self._name(words[0])
            except _Wrong as wrong:
                # The rest of the line, and lines that inherit this owner, still get their checks.
                self.places.append(Place(wrong.message, words[0].line, words[0].column))
                self.last_owner = _BROKEN
        elif self.last_owner is None:
            raise _Wrong("a line that begins with a blank repeats the owner of the last record, and there is none yet")
        owner = self.last_owner
        head = self._head(words, at)
        wire = self._value(head, words[head.value :], words)
        ttl = head.ttl
        if ttl is not None:
            self.last_ttl = ttl
        else:
            ttl = self.declared_ttl if self.declared_ttl is not None else self._implied_ttl(head.rdtype, wire)
        if ttl is None:
            raise self._no_ttl(words[0])
        if owner:
            self._add(owner, head.rdtype, ttl, wire, words[0].line)

    def _head(self, words: Sequence[Word], at: int) -> _Head:
        """TTL and class in either order, both optional, and the type."""
        ttl: int | None = None
        seen_class = False
        while at < len(words):
            word = words[at]
            text = word.text
            number = self._class(text)
            if number is not None and not seen_class:
                if number != 1:
                    raise _Wrong(f"class {text} is not supported: zones here are of class IN", word)
                seen_class = True
            elif ttl is None and _looks_like_ttl(text):
                try:
                    ttl = ttl_from_text(text)
                except ZoneTextError as error:
                    raise _Wrong(error.message + self._hint(words, at), word) from None
            else:
                return _Head(ttl, self._type(word, words, at), at + 1)
            at += 1
        raise _Wrong("a record needs a type and a value, as in: www 3600 IN A 192.0.2.1", words[-1])

    @staticmethod
    def _class(text: str) -> int | None:
        upper = text.upper()
        known = _CLASSES.get(upper)
        if known is None and upper.startswith("CLASS") and upper[5:].isdigit():
            return int(upper[5:])
        return known

    def _type(self, word: Word, words: Sequence[Word], at: int) -> int:
        try:
            return rdata.type_from_text(word.text)
        except ZoneTextError as error:
            raise _Wrong(error.message + self._hint(words, at), word) from None

    @staticmethod
    def _hint(words: Sequence[Word], at: int) -> str:
        """Advice where the owner reads like a type: the blank that repeats the last owner has gone."""
        if at != 1:
            return ""
        try:
            rdata.type_from_text(words[0].text)
        except ZoneTextError:
            return ""
        return "; if the owner is to be that of the line before, begin the line with a blank"

    def _value(self, head: _Head, value: Sequence[Word], words: Sequence[Word]) -> bytes:
        fields = [word.text for word in value]
        try:
            return rdata.from_fields(head.rdtype, fields, self.origin)
        except (ZoneTextError, BadName) as error:
            self._miss_origin(lambda: rdata.from_fields(head.rdtype, fields, names.ROOT))
            raise _Wrong(error.message, value[0] if value else words[-1]) from None

    def _name(self, word: Word) -> bytes:
        if word.text[0] == '"':
            raise _Wrong("a name is written without quotes", word)
        try:
            return names.from_text(word.text, self.origin)
        except BadName as error:
            message = error.message
            if self._miss_origin(lambda: names.from_text(word.text)):
                message += "; for relative names put an $ORIGIN line at the top, as in: $ORIGIN example.com."
            raise _Wrong(message, word) from None

    def _miss_origin(self, again: Callable[[], bytes]) -> bool:
        """Whether a missing origin alone made a line bad; it is told once, and supposed for the lines that follow."""
        if self.origin is not None:
            return False
        try:
            again()
        except (ZoneTextError, BadName):
            return False
        self.origin = names.ROOT
        return True

    def _no_ttl(self, word: Word) -> _Wrong:
        self.declared_ttl = 0  # told once
        return _Wrong("no TTL: put a $TTL line at the top of the file, as in: $TTL 3600", word)

    def _ttl(self, word: Word) -> int:
        try:
            return ttl_from_text(word.text)
        except ZoneTextError as error:
            raise _Wrong(error.message, word) from None

    def _implied_ttl(self, rdtype: int, wire: bytes) -> int | None:
        """The TTL of a record without one, where no ``$TTL`` stands before it."""
        if self.last_ttl is not None:
            return self.last_ttl
        if rdtype == rr.SOA:
            self.last_ttl = rr.soa_minimum(wire)
            return self.last_ttl
        return self.default_ttl

    def _forget_owner(self, line: str) -> None:
        """After an entry that could not be told apart: lines that inherit its owner must not get an older one."""
        if line[0] not in (*_BLANKS, "$"):
            self.last_owner = _BROKEN

    # -- $GENERATE --------------------------------------------------------------------------

    def _generate(self, words: list[Word]) -> None:
        if len(words) < 5:
            raise _Wrong(
                "$GENERATE takes a range, an owner, a type and a value, as in: $GENERATE 1-254 host-$ A 192.0.2.$",
                words[-1],
            )
        head = self._head(words, 3)
        try:
            numbers = generate.numbers(words[1].text)
        except ZoneTextError as error:
            raise _Wrong(error.message, words[1]) from None
        values = [word.text for word in words[head.value :]]
        if len(values) == 1 and values[0][0] == '"' and head.rdtype not in (rr.TXT, 99):
            values = values[0][1:-1].split()
        ttl = head.ttl if head.ttl is not None else self.declared_ttl
        for number in numbers:
            try:
                owner = names.from_text(generate.fill(words[2].text, number), self.origin)
                wire = rdata.from_fields(head.rdtype, [generate.fill(value, number) for value in values], self.origin)
            except (ZoneTextError, BadName) as error:
                raise _Wrong(f"for {number}: {error.message}", words[2]) from None
            actual = ttl if ttl is not None else self._implied_ttl(head.rdtype, wire)
            if actual is None:
                raise self._no_ttl(words[0])
            self._add(owner, head.rdtype, actual, wire, words[0].line)

    # -- what was read ----------------------------------------------------------------------

    def _add(self, owner: bytes, rdtype: int, ttl: int, wire: bytes, line: int) -> None:
        # RRSIGs of one owner have the TTLs of what they cover: one set for each.
        key = rdtype if rdtype != rr.RRSIG else rdtype | (ttl + 1) << 16
        sets = self.sets.get(key)
        if sets is None:
            sets = self.sets[key] = {}
        held = sets.get(owner)
        if held is None:
            sets[owner] = (ttl, line, wire)
            return
        if held[0] != ttl:
            self.places.append(
                Place(
                    f"TTL {ttl} of {names.to_text(owner)} {rr.type_text(rdtype)} differs from {held[0]} on line "
                    f"{held[1]}: records of one owner and type share one TTL (RFC 2181 section 5.2)",
                    line,
                )
            )
        self.further.setdefault((owner, key), []).append(wire)

    def result(self) -> ParsedZone:
        """The zone, if all lines were good."""
        zone = self._zone()
        if self.places:
            count = len(self.places)
            raise ZoneTextError(
                f"the zone file has {count} mistake{'s' if count > 1 else ''}",
                sorted(self.places, key=lambda place: (place.line or 0, place.column or 0)),
            )
        rrsets: list[rr.RRset] = []
        lines: dict[tuple[bytes, int], int] = {}
        for key in sorted(self.sets, key=_type_then_ttl):
            rdtype = key & 0xFFFF
            for owner, (ttl, line, wire) in self.sets[key].items():
                more = self.further.get((owner, key))
                rdatas = (wire,) if more is None else tuple(sorted({wire, *more}))
                rrsets.append(rr.RRset(owner, rdtype, ttl, rdatas))
                lines.setdefault((owner, rdtype), line)
        # A stable sort: types stay in their order.
        rrsets.sort(key=lambda rrset: names.sort_key(rrset.owner))
        return ParsedZone(zone, tuple(rrsets), lines)

    def _zone(self) -> bytes:
        if self.zone is not None:
            return self.zone
        owners = list(self.sets.get(rr.SOA, ()))
        if len(owners) == 1:
            return owners[0]
        if self.first_origin is not None:
            return self.first_origin
        if not self.places:
            self.places.append(Place("cannot tell which zone this is: it has neither a SOA record nor an $ORIGIN line"))
        return names.ROOT


# -- out --------------------------------------------------------------------------------------


def render(origin: bytes, rrsets: Iterable[rr.RRset], *, serial: int | None = None) -> Iterator[str]:
    """The lines of a zone file, each with its line end; :func:`parse` reads the same RRsets back.

    Owners are relative to *origin*, names in values are whole. *serial* replaces that of the SOA.
    """
    require("dns")
    yield f"$ORIGIN {names.to_text(origin)}\n"
    for rrset in _soa_first(rrsets):
        prefix = f"{relative(rrset.owner, origin)}\t{rrset.ttl}\tIN\t{rr.type_text(rrset.rdtype)}\t"
        for data in rrset.rdatas:
            if serial is not None and rrset.rdtype == rr.SOA:
                data = rr.soa_with_serial(data, serial)
            yield f"{prefix}{rdata.to_text(rrset.rdtype, data)}\n"


def _soa_first(rrsets: Iterable[rr.RRset]) -> Iterator[rr.RRset]:
    """*rrsets* with the SOA ahead of the others of its owner, where people look for it."""
    held: list[rr.RRset] = []
    for rrset in rrsets:
        if held and (rrset.owner != held[0].owner or rrset.rdtype > rr.SOA):
            yield from held
            held = []
        if rrset.rdtype < rr.SOA:
            held.append(rrset)
        else:
            yield rrset
    yield from held


def relative(owner: bytes, origin: bytes) -> str:
    """*owner* as it is written under ``$ORIGIN`` *origin*: ``@``, a relative name, or a whole one if it is outside."""
    if owner == origin:
        return "@"
    if origin == names.ROOT or not names.is_at_or_below(owner, origin):
        return names.to_text(owner)
    return names.to_text(owner[: len(owner) - len(origin)] + names.ROOT)[:-1]
