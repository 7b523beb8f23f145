# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""ULIDs (github.com/ulid/spec): 48 bits of time in milliseconds and 80 random bits as 26 digits that sort by time."""

from __future__ import annotations

import secrets
from collections.abc import Callable

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {digit: value for value, digit in enumerate(_CROCKFORD)}
_LENGTH = 26
_RANDOM_BITS = 80


def new(now: float, after: str | None = None, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """A ULID of *now*, in unix seconds; it sorts behind *after*, its predecessor, whatever the clock says."""
    value = int(now * 1000) << _RANDOM_BITS | int.from_bytes(random(10), "big")
    if after is not None and len(after) == _LENGTH:
        # The same millisecond, or a clock that went back: one more than the predecessor, as ULIDs do it.
        value = max(value, _value(after) + 1)
    return _text(value)


def least(milliseconds: int) -> str:
    """The least ULID of that time."""
    return _text(milliseconds << _RANDOM_BITS)


def milliseconds_of(text: str) -> int:
    """The time that a ULID was made for. Raises ``ValueError`` for what is none."""
    if len(text) != _LENGTH or text[0] > "7" or not all(digit in _VALUES for digit in text):
        raise ValueError(f"{text!r} is no ULID")
    return _value(text) >> _RANDOM_BITS


def _value(text: str) -> int:
    value = 0
    for digit in text:
        value = value << 5 | _VALUES[digit]
    return value


def _text(value: int) -> str:
    return "".join(_CROCKFORD[value >> shift & 31] for shift in range(125, -1, -5))
