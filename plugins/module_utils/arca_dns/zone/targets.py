# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Names in single values that lack their final dot where it is not clear whether they are relative.

In a zone file ``ns1.example.net`` without a dot is relative, and everybody has published one that was not meant so.
A value that came alone may say ``ns1``, which is relative beyond doubt, or a whole name.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import BadName
from . import names, rr
from .lexer import SPECIAL, Lexer

#: Which words of a value are names, counted from its end where that is simpler.
_TARGETS: Mapping[int, tuple[int, ...]] = {
    rr.NS: (0,),
    rr.CNAME: (0,),
    rr.SOA: (0, 1),
    rr.PTR: (0,),
    rr.MX: (1,),
    17: (0, 1),  # RP
    18: (1,),  # AFSDB
    21: (1,),  # RT
    26: (1, 2),  # PX
    rr.SRV: (3,),
    35: (5,),  # NAPTR
    36: (1,),  # KX
    rr.DNAME: (0,),
    64: (1,),  # SVCB
    65: (1,),  # HTTPS
    107: (1,),  # LP
}


def unclear(rdtype: int, value: str, origin: bytes) -> str | None:
    """What to write instead of a name in *value* that has dots but not the final one, or ``None`` if all is clear."""
    places = _TARGETS.get(rdtype)
    if places is None or (value.endswith(".") and len(places) == 1):
        return None
    if SPECIAL.search(value) or "\n" in value:
        words = [word.text for word in Lexer(value.split("\n")).entry(0).words]
    else:
        words = value.split()
    for place in places:
        if place < len(words) and _is_unclear(words[place]):
            word = words[place]
            try:
                relative = names.to_text(names.from_text(word, origin))
            except BadName:
                relative = ""
            other = f" or {relative!r} for a name in the zone" if relative else ""
            return f"{word!r} has no final dot: write {word + '.'!r} for a whole name{other}"
    return None


def _is_unclear(word: str) -> bool:
    plain = word.replace("\\\\", "").replace("\\.", "")
    return "." in plain and not plain.endswith(".")
