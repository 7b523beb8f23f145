# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Reading a zone file line by line: words, directives and what they mean for the lines behind them; every mistake.

:mod:`.fast` reads the usual lines of large files in another way, and comes here for the rest.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from ..errors import BadName, Place, ZoneTextError
from . import generate, names, rdata, rr
from .includes import MAX_DEPTH, MAX_FILES, Includes
from .lexer import Lexer, Word

#: What stands ahead of a record that has the owner of the last one.
BLANKS = (" ", "\t")
_CLASSES = {"IN": 1, "CLASS1": 1, "CH": 3, "CLASS3": 3, "HS": 4, "CLASS4": 4, "CS": 2}
_TTL = re.compile(r"(?:[0-9]+[wdhms])+", re.IGNORECASE)
_TTL_PART = re.compile(r"([0-9]+)([wdhms])", re.IGNORECASE)
_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_UNDECODED = re.compile("[\udc80-\udcff]")
#: After as many mistakes the rest of a file is not read.
MAX_PLACES = 1000
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


class Source:
    """The octets of a zone file, and how a line of them becomes text: octets that are no UTF-8 become escapes."""

    def __init__(self, text: str | bytes) -> None:
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        self.data = data.removeprefix(BOM_UTF8)

    @staticmethod
    def line(line: bytes) -> str:
        """One line without its end."""
        line = line[:-2] if line.endswith(b"\r\n") else line.removesuffix(b"\n")
        text = line.decode("utf-8", "surrogateescape")
        if not line.isascii():
            text = _UNDECODED.sub(lambda match: f"\\{ord(match.group()) - 0xDC00:03d}", text)
        return text

    def refuse_other(self) -> None:
        """Raise :class:`ZoneTextError` for octets that are no text."""
        if self.data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
            raise ZoneTextError("the zone file is in UTF-16: save it as UTF-8")
        at = self.data.find(0)
        if at >= 0:
            line = self.data.count(b"\n", 0, at) + 1
            column = at - self.data.rfind(b"\n", 0, at)
            wrong = Place(r"an octet 0 stands here, which no text has: write it as \000", line, column)
            raise ZoneTextError("the zone file is not a text", [wrong])

    def lines(self) -> list[str]:
        """All lines."""
        return [self.line(line) for line in BytesIO(self.data)]


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
class Reader:
    """One run over a zone file that tells every mistake and the line of each RRset: the long way."""

    source: Source
    zone: bytes | None
    default_ttl: int | None
    origin: bytes | None = None
    first_origin: bytes | None = None
    declared_ttl: int | None = None
    last_ttl: int | None = None
    last_owner: bytes | None = None
    # By type, and for RRSIG by TTL too: owner → TTL, line and value of the first record; further values apart.
    # Flat, with few objects that the garbage collector must follow: it is half of the time otherwise.
    sets: dict[int, dict[bytes, tuple[int, int, bytes]]] = field(default_factory=dict)
    further: dict[tuple[bytes, int], list[bytes]] = field(default_factory=dict)
    places: list[Place] = field(default_factory=list)
    includes: Includes | None = None
    including: list[Path] = field(default_factory=list)  # the files that are being read, outermost first
    included: int = 0
    include_line: int = 0  # where the outermost $INCLUDE stands; 0 outside of included files
    generated: int = 0

    def read(self) -> bool:
        """Read all lines; whether there was no mistake."""
        self.origin = self.zone
        self._read_lines(self.source.lines())
        return not self.places

    def _read_lines(self, lines: list[str]) -> None:
        lexer = Lexer(lines)
        at, end = 0, len(lines)
        while at < end:
            if len(self.places) >= MAX_PLACES:
                self.places.append(Place("too many mistakes: what follows was not read", at + 1))
                return
            line = lines[at]
            if not line or line[0] == ";":
                at += 1
                continue
            entry = lexer.entry(at)
            at = entry.end
            if entry.problems:
                self.places.extend(entry.problems)
                self._forget_owner(line)
            elif entry.words:
                self.take(line[0] in BLANKS, entry.words)

    def take(self, blank: bool, words: list[Word]) -> None:
        """The record or directive that *words* are; *blank* tells that a blank stood ahead of them."""
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
            self._include(words)
        elif name == "$GENERATE":
            self._generate(words)
        else:
            raise _Wrong(
                f"there is no directive {words[0].text}; known are $ORIGIN, $TTL, $INCLUDE and $GENERATE "
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
            self.add(owner, head.rdtype, ttl, wire, self.include_line or words[0].line)

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
        if line[0] not in (*BLANKS, "$"):
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
        self.generated += len(numbers)
        if self.generated > generate.MAX_RECORDS:
            raise _Wrong(f"the $GENERATE lines of a zone make at most {generate.MAX_RECORDS} records", words[1])
        values = generate.templates([word.text for word in words[head.value :]])
        ttl = head.ttl if head.ttl is not None else self.declared_ttl
        for number in numbers:
            try:
                owner = names.from_text(generate.fill(words[2].text, number), self.origin)
                wire = rdata.from_fields(head.rdtype, generate.values(values, number), self.origin)
            except (ZoneTextError, BadName) as error:
                raise _Wrong(f"for {number}: {error.message}", words[2]) from None
            actual = ttl if ttl is not None else self._implied_ttl(head.rdtype, wire)
            if actual is None:
                raise self._no_ttl(words[0])
            self.add(owner, head.rdtype, actual, wire, self.include_line or words[0].line)

    # -- $INCLUDE ---------------------------------------------------------------------------

    def _include(self, words: list[Word]) -> None:
        """Read a file as if its lines stood here; origin and owner are the same behind it as ahead of it."""
        if self.includes is None:
            raise _Wrong(
                "$INCLUDE is not allowed here: a zone comes as one text. Put the lines of the included file here",
                words[0],
            )
        if len(words) not in (2, 3):
            raise _Wrong("$INCLUDE takes a file and perhaps an origin, as in: $INCLUDE hosts.zone sub", words[0])
        within = self.origin if len(words) == 2 else self._name(words[2])
        try:
            path = self.includes.find(rdata.one_string(words[1].text))
            if path in self.including:
                circle = [self.includes.shown(one) for one in self.including[self.including.index(path) :]]
                raise ZoneTextError(f"{circle[0]!r} includes itself: {' → '.join([*circle, circle[0]])}")
            if len(self.including) == MAX_DEPTH:
                raise ZoneTextError(f"files include one another at most {MAX_DEPTH} deep")
            if self.included == MAX_FILES:
                raise ZoneTextError(f"a zone includes at most {MAX_FILES} files")
            source = Source(self.includes.read(path))
            source.refuse_other()
        except ZoneTextError as error:
            raise _Wrong("; ".join([error.message, *map(str, error.places)]), words[1]) from None
        self.included += 1
        held, places = (self.origin, self.last_owner, self.include_line), self.places
        self.origin, self.include_line, self.places = within, self.include_line or words[0].line, []
        self.including.append(path)
        try:
            self._read_lines(source.lines())
        finally:
            self.including.pop()
            shown = self.includes.shown(path)
            places.extend(Place(f"in {shown}, {place}", words[1].line, words[1].column) for place in self.places)
            (self.origin, self.last_owner, self.include_line), self.places = held, places

    # -- what was read ----------------------------------------------------------------------

    def add(self, owner: bytes, rdtype: int, ttl: int, wire: bytes, line: int) -> None:
        """Keep a record."""
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

    def rrsets(self) -> Iterator[rr.RRset]:
        """What was read, in canonical order."""
        found = [
            rr.RRset(owner, key & 0xFFFF, ttl, tuple(sorted({wire, *self.further.get((owner, key), ())})))
            for key in sorted(self.sets, key=_type_then_ttl)
            for owner, (ttl, _line, wire) in self.sets[key].items()
        ]
        # A stable sort: types stay in their order.
        found.sort(key=lambda rrset: names.sort_key(rrset.owner))
        return iter(found)

    def where(self) -> dict[tuple[bytes, int], int]:
        """The line where each (owner, type) begins."""
        lines: dict[tuple[bytes, int], int] = {}
        for key in sorted(self.sets, key=_type_then_ttl):
            for owner, (_ttl, line, _wire) in self.sets[key].items():
                lines.setdefault((owner, key & 0xFFFF), line)
        return lines

    def apex(self) -> bytes:
        """Which zone this is. Raises :class:`ZoneTextError` with all places if there were mistakes."""
        zone = self._zone()
        if self.places:
            count = len(self.places)
            raise ZoneTextError(
                f"the zone file has {count} mistake{'s' if count > 1 else ''}",
                sorted(self.places, key=lambda place: (place.line or 0, place.column or 0)),
            )
        return zone

    def soa_owners(self) -> list[bytes]:
        """The owners that have a SOA."""
        return list(self.sets.get(rr.SOA, ()))

    def _zone(self) -> bytes:
        if self.zone is not None:
            return self.zone
        owners = self.soa_owners()
        if len(owners) == 1:
            return owners[0]
        if self.first_origin is not None:
            return self.first_origin
        if not self.places:
            self.places.append(Place("cannot tell which zone this is: it has neither a SOA record nor an $ORIGIN line"))
        return names.ROOT
