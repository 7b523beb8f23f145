# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones, policies and a clock for the tests of signing and verifying."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable

from arca_dns.dnssec.policy import Policy
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot

NOW = 1_800_000_000
ORIGIN = names.from_text("example.")

Records = Iterable[tuple[str, int, int, tuple[bytes, ...]]]


def fixed_random(seed: int) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def wire(text: str) -> bytes:
    return names.from_text(text, ORIGIN)


def soa(ttl: int = 3600, minimum: int = 600) -> tuple[str, int, int, tuple[bytes, ...]]:
    numbers = b"".join(n.to_bytes(4, "big") for n in (0, 7200, 3600, 1209600, minimum))
    return ("@", rr.SOA, ttl, (wire("ns1") + wire("hostmaster") + numbers,))


def a(owner: str, last: int = 1, ttl: int = 300) -> tuple[str, int, int, tuple[bytes, ...]]:
    return (owner, rr.A, ttl, (bytes((192, 0, 2, last)),))


def ns(owner: str, *targets: str) -> tuple[str, int, int, tuple[bytes, ...]]:
    return (owner, rr.NS, 3600, tuple(wire(target) for target in targets))


def ds(owner: str) -> tuple[str, int, int, tuple[bytes, ...]]:
    return (owner, rr.DS, 3600, (b"\x30\x39\x0d\x02" + b"\x5a" * 32,))


def dname(owner: str) -> tuple[str, int, int, tuple[bytes, ...]]:
    return (owner, rr.DNAME, 3600, (wire("elsewhere.test."),))


def txt(owner: str, text: bytes = b"hello") -> tuple[str, int, int, tuple[bytes, ...]]:
    return (owner, rr.TXT, 300, (bytes((len(text),)) + text,))


APEX = (soa(), ns("@", "ns1", "ns2.elsewhere.test."), a("ns1"))


def nodes(records: Records) -> dict[bytes, bytes]:
    """Owner → its RRs."""
    found: dict[bytes, dict[int, rr.RRset]] = {}
    for owner, rdtype, ttl, rdatas in records:
        name = wire(owner)
        found.setdefault(name, {})[rdtype] = rr.RRset.of(name, rdtype, ttl, rdatas)
    return {owner: rr.node_wire(node.values()) for owner, node in found.items()}


def build(records: Records, blobs: Blobs | None = None) -> ZoneRoot:
    """A source tree of *records*."""
    found = sorted(nodes(records).items(), key=lambda item: names.sort_key(item[0]))
    return ZoneRoot.build(blobs or Blobs.memory(), ORIGIN, found)


EVERYTHING = (
    *APEX,
    txt("@"),
    a("www"),
    a("www.deep.empty"),
    txt("*.wild"),
    a("*.wild"),
    ns("insecure", "ns.insecure", "ns.elsewhere.test."),
    a("insecure", 9),
    a("ns.insecure", 7),
    ns("secure", "ns.secure"),
    ds("secure"),
    a("ns.secure", 8),
    a("hidden.deeper.secure", 8),
    ns("a.only-delegations", "ns.elsewhere.test."),
    dname("alias"),
    a("below.alias"),
    ns("cut.below.alias", "ns1"),
    txt("a\\.dot"),
    txt("\\000null"),
    txt("z\\001\\255"),
    txt("x" * 63 + "." + "y" * 63),
    ("www", 257, 300, (b"\x00\x05issueca.test",)),
    ("www", 65280, 300, (b"\x00", b"\x01\x02")),
)

DENIALS = {
    "nsec": Policy(),
    "nsec-csk": Policy(keys="csk"),
    "nsec3": Policy(denial="nsec3"),
    "nsec3-opt-out": Policy(denial="nsec3", nsec3_opt_out=True),
    "nsec3-salt": Policy(denial="nsec3", nsec3_salt="aabb", nsec3_iterations=3),
    "nsec3-zonemd": Policy(denial="nsec3", zonemd=True),
}
