# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone files in and out (RFC 1035 section 5, RFC 2308 section 4, RFC 3597; ``$GENERATE`` as in BIND).

Every line is read even when others are wrong, and each mistake is told with its line. Whether the records
make a sound zone is the business of :mod:`.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from .._deps import require
from . import names, rdata, rr
from .fast import FastReader
from .includes import Includes
from .reader import Reader, Source, ttl_from_text

__all__ = ["ParsedZone", "parse", "relative", "render", "ttl_from_text"]


class Lines(Mapping[tuple[bytes, int], int]):
    """The line where each (owner, type) begins, looked up in the file when first asked for."""

    def __init__(
        self, source: Source, origin: bytes | None, default_ttl: int | None, includes: Includes | None
    ) -> None:
        self._reader = Reader(source, origin, default_ttl, includes=includes)

    @cached_property
    def _found(self) -> dict[tuple[bytes, int], int]:
        self._reader.read()
        return self._reader.where()

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, key: tuple[bytes, int]) -> int:
        return self._found[key]

    def __iter__(self) -> Iterator[tuple[bytes, int]]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


@dataclass(frozen=True)
class ParsedZone:
    """What a zone file holds, in canonical order: the RRs of one owner after those of another, and their lines.

    RRSIGs, whose TTLs follow what they cover, are one RRset for each TTL.
    """

    origin: bytes
    content: tuple[bytes, ...]
    lines: Mapping[tuple[bytes, int], int]

    def nodes(self) -> Iterator[tuple[bytes, bytes]]:
        """(owner, its RRs), as :meth:`.tree.ZoneRoot.build` takes them."""
        return ((names.read(data), data) for data in self.content)

    @cached_property
    def rrsets(self) -> tuple[rr.RRset, ...]:
        """The RRsets."""
        return tuple(rrset for data in self.content for rrset in rr.rrsets(data))


def parse(
    text: str | bytes,
    origin: bytes | None = None,
    default_ttl: int | None = None,
    *,
    includes: Includes | None = None,
) -> ParsedZone:
    """Read a zone file. Raises :class:`ZoneTextError` with a place for every mistake.

    *origin* is the zone, and the origin until the first ``$ORIGIN``; without it the zone is the owner of the SOA,
    else the first ``$ORIGIN``. A record without TTL has that of ``$TTL``, else the last one written (RFC 1035),
    else *default_ttl*; a SOA its own MINIMUM. Bytes are UTF-8; octets that are not are kept as they are, but for 0.
    ``$INCLUDE`` is a mistake unless *includes* allows it.
    """
    require("dns")
    source = Source(text)
    source.refuse_other()
    lines = Lines(source, origin, default_ttl, includes)
    fast = FastReader(source, origin, default_ttl, includes)
    if fast.read():
        return ParsedZone(fast.apex(), fast.content(), lines)
    return parse_long(source, origin, default_ttl, includes)


def parse_long(
    source: Source, origin: bytes | None = None, default_ttl: int | None = None, includes: Includes | None = None
) -> ParsedZone:
    """As :func:`parse`, on the long way alone."""
    source.refuse_other()
    reader = Reader(source, origin, default_ttl, includes=includes)
    reader.read()
    zone = reader.apex()
    content = tuple(rr.node_wire(node) for _owner, node in groupby(reader.rrsets(), key=lambda rrset: rrset.owner))
    return ParsedZone(zone, content, reader.where())


def render(origin: bytes, rrsets: Iterable[rr.RRset], *, serial: int | None = None) -> Iterator[str]:
    """The lines of a zone file, each with its line end; :func:`parse` reads the same RRsets back.

    Owners are relative to *origin*, names in values are whole. *serial* replaces that of the SOA.
    """
    require("dns")
    yield f"$ORIGIN {names.to_text(origin)}\n"
    last, name = b"", ""
    for rrset in _soa_first(rrsets):
        if rrset.owner != last:
            last, name = rrset.owner, relative(rrset.owner, origin)
        prefix = f"{name}\t{rrset.ttl}\tIN\t{rr.type_text(rrset.rdtype)}\t"
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
