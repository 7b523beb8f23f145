# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The words of master files (RFC 1035 section 5.1): quoting, escapes, comments, and parentheses that join lines.

What the words mean is known to :mod:`.text` and :mod:`.rdata`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Place

#: A line or value with none of these splits at its blanks.
SPECIAL = re.compile(r'["();\\]')

_BLANK = r" \t\r\f\v"
_WORD = re.compile(
    rf"[{_BLANK}]+"
    r"|(;.*)"
    r"|([()])"
    # A word may run into a quoted string: alpn="h2,h3".
    # Possessive: what a repetition would keep to go back over is a hundred times the text.
    rf'|("(?:[^"\\]++|\\.)*+"|(?:[^{_BLANK}\n"();\\]++|\\.)++(?:"(?:[^"\\]++|\\.)*+")?)'
    r"|(.)",
)
_COMMENT, _PARENTHESIS, _TOKEN, _BAD = 1, 2, 3, 4

# Once a parenthesis was found that is never closed, the next is looked after for this many lines only, and each
# further one for half as many.
_PATIENCE = 100
# No record has as many: its value holds 65535 octets, and a string of one takes two.
_MOST_WORDS = 40_000
_MOST_OPENED = 10_000


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, quotes and escapes included, and where (1-based)."""

    text: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Entry:
    """The words of one logical line, the index of the line behind it, and what is wrong with its form.

    *comment* tells that its last line has one.
    """

    words: list[Word]
    end: int
    problems: list[Place]
    comment: bool = False


class Lexer:
    """Reads logical lines from the physical *lines* of a text."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._reach: int | None = None

    def entry(self, start: int) -> Entry:
        """The logical line that begins at index *start*. One that is not well formed has problems."""
        words: list[Word] = []
        problems: list[Place] = []
        opened: list[Word] = []
        stop = len(self._lines) if self._reach is None else min(len(self._lines), start + self._reach)
        at = start
        while at < stop:
            comment = self._line(at, words, opened, problems)
            at += 1
            if not opened:
                return Entry(words, at, problems, comment)
        self._reach = _PATIENCE if self._reach is None else max(self._reach // 2, 1)
        first = opened[0]
        never = Place("this '(' is never closed: add the ')' that belongs to it", first.line, first.column)
        # Read on behind the line where it opened, so that the lines below still get their checks.
        return Entry([], first.line, [place for place in problems if place.line == first.line] + [never])

    def _line(self, at: int, words: list[Word], opened: list[Word], problems: list[Place]) -> bool:
        """Take one line; whether it ends in a comment."""
        for match in _WORD.finditer(self._lines[at]):
            kind = match.lastindex
            if kind is None:
                continue
            if kind == _COMMENT:
                return True
            word = Word(match.group(kind), at + 1, match.start() + 1)
            if kind == _TOKEN:
                words.append(word)
                if len(words) > _MOST_WORDS:
                    problems.append(Place("this record goes on for too many words", word.line, word.column))
                    opened.clear()
                    return False
            elif kind == _PARENTHESIS:
                if word.text == "(":
                    if len(opened) == _MOST_OPENED:
                        problems.append(Place("parentheses stand in one another too often", word.line, word.column))
                        opened.clear()
                        return False
                    opened.append(word)
                elif opened:
                    opened.pop()
                else:
                    problems.append(Place("this ')' has no '(' before it", word.line, word.column))
                    return False
            else:
                message = (
                    "this quoted string has no closing '\"' on its line"
                    if word.text == '"'
                    else "a backslash must be followed by a character or three digits (RFC 1035 section 5.1)"
                )
                problems.append(Place(message, word.line, word.column))
                return False
        return False
