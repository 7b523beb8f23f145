# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""RRs and RRsets in canonical wire form: owner, type, class IN, TTL, length, rdata; nothing compressed.

The text form of rdata lives in :mod:`.rdata`; the tree that stores RRs in :mod:`.tree`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from struct import Struct, error as StructError

from .._deps import dns

A, NS, CNAME, SOA, PTR, MX, TXT, AAAA, SRV, DNAME, DS = 1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43
RRSIG, NSEC, DNSKEY, NSEC3, NSEC3PARAM, CDS, CDNSKEY, ZONEMD = 46, 47, 48, 50, 51, 59, 60, 63

#: Types that signing makes; they never stand in a source tree.
SIGNER_TYPES = frozenset({RRSIG, NSEC, NSEC3, NSEC3PARAM, DNSKEY, CDS, CDNSKEY, ZONEMD})

_FIXED = Struct(">HHLH")  # type, class, TTL, rdata length
_U16 = Struct(">H")
MAX_TTL = 2**31 - 1


@lru_cache(maxsize=1024)
def type_text(rdtype: int) -> str:
    """The mnemonic of *rdtype*, or ``TYPE65280`` form (RFC 3597 section 5)."""
    return str(dns.rdatatype.to_text(dns.rdatatype.RdataType.make(rdtype)))


@dataclass(frozen=True, slots=True)
class RRset:
    """All RRs of one owner and type. *rdatas* is sorted, without duplicates, in canonical wire form."""

    owner: bytes
    rdtype: int
    ttl: int
    rdatas: tuple[bytes, ...]

    @classmethod
    def of(cls, owner: bytes, rdtype: int, ttl: int, rdatas: Iterable[bytes]) -> RRset:
        """An RRset with *rdatas* brought into canonical order (RFC 4034 section 6.3)."""
        return cls(owner, rdtype, ttl, tuple(sorted(set(rdatas))))

    def wire(self) -> bytes:
        """The RRs one after the other, as they stand in leaves and transfers."""
        return b"".join(self.owner + _FIXED.pack(self.rdtype, 1, self.ttl, len(rdata)) + rdata for rdata in self.rdatas)

    def __len__(self) -> int:
        return len(self.rdatas)


#: What one owner has: type → RRset. RRSIG is the one type whose RRset joins rdata of several TTLs: use :func:`split`.
Node = Mapping[int, RRset]


@dataclass(frozen=True, slots=True)
class RR:
    """One RR found in wire bytes, with the offsets at which it begins and ends."""

    owner: bytes
    rdtype: int
    ttl: int
    rdata: bytes
    start: int
    end: int


def iterate(data: bytes) -> Iterator[RR]:
    """The RRs that *data* consists of. Raises :class:`ValueError` if it ends inside one."""
    at, size = 0, len(data)
    unpack = _FIXED.unpack_from
    try:
        while at < size:
            i = at
            while data[i]:
                i += data[i] + 1
            i += 1
            rdtype, _class, ttl, length = unpack(data, i)
            end = i + 10 + length
            if end > size:
                raise ValueError(f"an RR at offset {at} runs past the end")
            yield RR(data[at:i], rdtype, ttl, data[i + 10 : end], at, end)
            at = end
    except (IndexError, ValueError) as error:
        raise ValueError(f"bytes that are no RRs near offset {at}: {error}") from None
    except Exception as error:  # struct.error
        raise ValueError(f"bytes that are no RRs near offset {at}: {error}") from None


def node_of(data: bytes) -> dict[int, RRset]:
    """The RRsets of one owner from its RRs; all RRSIGs are one RRset, under type 46, whose TTL is that of the first."""
    found: dict[int, list[RR]] = {}
    for rr in iterate(data):
        found.setdefault(rr.rdtype, []).append(rr)
    return {t: RRset(rrs[0].owner, t, rrs[0].ttl, tuple(r.rdata for r in rrs)) for t, rrs in found.items()}


def rrsets(data: bytes) -> Iterator[RRset]:
    """The RRsets in *data* as they stand; RRSIGs are split where their TTL differs, as text needs it."""
    at, size = 0, len(data)
    unpack = _FIXED.unpack_from
    held: tuple[bytes, int, int] | None = None
    rdatas: list[bytes] = []
    try:
        while at < size:
            i = at
            while data[i]:
                i += data[i] + 1
            i += 1
            rdtype, _class, ttl, length = unpack(data, i)
            found = (data[at:i], rdtype, ttl)
            at = i + 10 + length
            if at > size:
                raise ValueError("an RR runs past the end")
            if found != held:
                if held is not None:
                    yield RRset(*held, tuple(rdatas))
                held, rdatas = found, []
            rdatas.append(data[i + 10 : at])
    except (IndexError, ValueError, StructError) as error:
        raise ValueError(f"bytes that are no RRs near offset {at}: {error}") from None
    if held is not None:
        yield RRset(*held, tuple(rdatas))


def node_wire(node: Iterable[RRset]) -> bytes:
    """The bytes of one owner: RRsets by type number, each in canonical order."""
    return b"".join(rrset.wire() for rrset in sorted(node, key=lambda rrset: rrset.rdtype))


def rrsig_wire(owner: bytes, ttl: int, rdata: bytes) -> bytes:
    """One RRSIG RR; its TTL is that of the RRset it covers (RFC 4034 section 3)."""
    return owner + _FIXED.pack(RRSIG, 1, ttl, len(rdata)) + rdata


def soa_serial(rdata: bytes) -> int:
    """The serial of a SOA's rdata."""
    return int.from_bytes(rdata[-20:-16], "big")


def soa_with_serial(rdata: bytes, serial: int) -> bytes:
    """A SOA's rdata with another serial."""
    return rdata[:-20] + serial.to_bytes(4, "big") + rdata[-16:]


def with_serial(rrset: RRset, serial: int) -> RRset:
    """*rrset*; with *serial*, if it is a SOA."""
    if rrset.rdtype != SOA:
        return rrset
    return RRset.of(rrset.owner, SOA, rrset.ttl, [soa_with_serial(rdata, serial) for rdata in rrset.rdatas])


def soa_minimum(rdata: bytes) -> int:
    """The MINIMUM field of a SOA's rdata: with the SOA's TTL it bounds negative answers (RFC 2308, RFC 9077)."""
    return int.from_bytes(rdata[-4:], "big")


def serial_newer(serial: int, than: int) -> bool:
    """Whether *serial* is greater than *than* in serial arithmetic (RFC 1982 section 3.2)."""
    return serial != than and ((serial - than) & 0xFFFFFFFF) < 0x80000000
