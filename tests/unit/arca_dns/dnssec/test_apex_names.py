# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones whose names are at the edges of what names can be."""

from __future__ import annotations

import pytest

from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.verifier import verify_change, verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import NOW, fixed_random

ORIGINS = [".", "se.", "0/25.2.0.192.in-addr.arpa.", "\\000\\.\\255.*.", ".".join(["o" * 49] * 4) + "."]
RELATIVE = ["*", "a", "z.ent.a", "\\000", "\\255", "*.*", "x.*", "cut", "ns.cut", "\\255.cut", "cut-", "\\.a"]


def node(owner: bytes, *, cut: bool = False) -> bytes:
    rrsets = [rr.RRset.of(owner, rr.TXT, 60, [b"\1x", b"\1y"])]
    if cut:
        rrsets = [rr.RRset.of(owner, rr.NS, 60, [b"\2ns" + owner])]
    return rr.node_wire(rrsets)


def source_of(origin: bytes, blobs: Blobs) -> ZoneRoot:
    soa = rr.RRset.of(origin, rr.SOA, 3600, [origin + origin + bytes(16) + (600).to_bytes(4, "big")])
    found = {origin: rr.node_wire([soa, rr.RRset.of(origin, rr.NS, 60, [b"\2ns\4test\0"])])}
    for text in RELATIVE:
        owner = names.from_text(text, origin)
        found[owner] = node(owner, cut=text == "cut")
    # The longest name there is.
    longest = origin
    while len(longest) < 255:
        size = min(63, 254 - len(longest))
        longest = bytes((size,)) + b"\xff" * size + longest if size else longest
        if size == 0:
            break
    found[longest] = node(longest)
    return ZoneRoot.build(blobs, origin, sorted(found.items(), key=lambda item: names.sort_key(item[0])))


@pytest.mark.parametrize("origin", ORIGINS)
def test_zones_with_names_of_every_octet_and_length_are_signed_alike_both_ways(origin: str, policy: Policy) -> None:
    name = names.from_text(origin)
    keys = generate_keys(policy, name, (), fixed_random(1), lambda: NOW)
    blobs = Blobs.memory()
    source, epoch = source_of(name, blobs), epoch_of(policy, NOW)
    signed = sign_zone(blobs, source, keys, policy, epoch, 1)
    verify_zone(signed, NOW)
    for i, (owner, _data) in enumerate([*source.names]):
        after = source.update({owner: None})
        full = sign_zone(blobs, after, keys, policy, epoch, i + 2)
        made = resign(blobs, source, after, signed, keys, policy, epoch, i + 2)
        assert made.store(blobs) == full.store(blobs)
        verify_change(signed, made, NOW)
        back = resign(blobs, after, source, made, keys, policy, epoch, 1)
        assert back.store(blobs) == signed.store(blobs)
