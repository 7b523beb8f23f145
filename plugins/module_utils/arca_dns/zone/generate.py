# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The numbers and templates of ``$GENERATE``, as BIND has them (BIND 9 Administrator Reference Manual, chapter 8)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import ZoneTextError
from .lexer import Lexer

#: More records than this from one line are a slip of the keyboard.
MAX_RECORDS = 1_000_000

_RANGE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})(?:/([0-9]{1,10}))?")
_VARIABLE = re.compile(r"\\.|\$\$|\$\{([^}]*)\}|\$(\{?)", re.DOTALL)
_MODIFIER = re.compile(r"(-?[0-9]{1,10})(?:,([0-9]{1,3})(?:,([doxXnN]))?)?")


def numbers(text: str) -> range:
    """The numbers of ``START-STOP`` or ``START-STOP/STEP``. Raises :class:`ZoneTextError`."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ZoneTextError(f"{text!r} is not a range; write START-STOP or START-STOP/STEP, as in: 1-254")
    start, stop, step = int(match[1]), int(match[2]), int(match[3] or 1)
    if stop < start or step == 0 or stop >= 1 << 31:
        raise ZoneTextError(f"range {text} must go upward, below 2147483648, in steps of 1 or more")
    found = range(start, stop + 1, step)
    if len(found) > MAX_RECORDS:
        raise ZoneTextError(f"range {text} has {len(found)} numbers; one $GENERATE makes at most {MAX_RECORDS} records")
    return found


def fill(template: str, number: int) -> str:
    r"""*template* with ``$`` and ``${OFFSET,WIDTH,BASE}`` replaced; ``$$`` and ``\$`` are dollar signs.

    Raises :class:`ZoneTextError`.
    """

    def replace(match: re.Match[str]) -> str:
        text = match.group()
        if text[0] == "\\":
            return text
        if text == "$$":
            return r"\$"
        if match[2]:
            raise ZoneTextError(f"'${{' without '}}' in {template!r}")
        return str(number) if match[1] is None else _formatted(match[1], number)

    return _VARIABLE.sub(replace, template)


def templates(words: Sequence[str]) -> list[str] | str:
    """The words of a value as templates; or a single text to split when it is filled.

    As in BIND, quotes around the whole value join it to one template and are no part of it.
    """
    if len(words) == 1 and words[0][0] == '"':
        return _ESCAPE.sub(lambda match: '"' if match[1] == '"' else match[0], words[0][1:-1])
    return list(words)


def values(template: Sequence[str], number: int) -> list[str]:
    """The words of a value for *number*. Raises :class:`ZoneTextError`."""
    if not isinstance(template, str):
        return [fill(word, number) for word in template]
    text = fill(template, number)
    entry = Lexer([text]).entry(0)
    if entry.problems:
        raise ZoneTextError(entry.problems[0].message)
    if entry.comment:
        raise ZoneTextError(
            r"a ';' within the quotes of a $GENERATE value begins a comment; write \; for the character, "
            r"or \" around each string"
        )
    return [word.text for word in entry.words]


_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def _formatted(modifier: str, number: int) -> str:
    match = _MODIFIER.fullmatch(modifier)
    if match is None:
        raise ZoneTextError(
            f"'${{{modifier}}}' is no variable; write ${{OFFSET,WIDTH,BASE}} with BASE d, o, x, X, n or N"
        )
    value = number + int(match[1])
    width = int(match[2] or 0)
    base = match[3] or "d"
    if width > 255:
        raise ZoneTextError(f"width {width} is too large; a name has at most 255 octets")
    if value < 0:
        raise ZoneTextError(f"{number} with offset {match[1]} is below 0")
    if base in "nN":
        return _nibbles(value, width, "0123456789abcdef" if base == "n" else "0123456789ABCDEF")
    return format(value, f"0{width}{base}" if width else base)


def _nibbles(value: int, width: int, digits: str) -> str:
    """Hexadecimal digits in reverse, as labels; *width* counts the dots too."""
    out = ""
    while True:
        out += digits[value & 15]
        value >>= 4
        width -= 1
        if width > 0 or value:
            out += "."
            width -= 1
        if width <= 0 and not value:
            return out
