# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Versions of a zone, a key, and a client that reads transfers with dnspython: an implementation that is not ours."""

from __future__ import annotations

import time
from collections.abc import Iterable

import dns.message
import dns.name
import dns.rdatatype
import dns.tsig
import dns.versioned
import dns.xfr
import dns.zone

from arca_dns.transfer.primary import Answer, Primary, Version
from arca_dns.transfer.tsig import Key
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import ORIGIN, Records, nodes, soa

SECRET = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
KEY = Key.of("arca-dns.", "hmac-sha256", SECRET)
DNSPYTHON_KEY = dns.tsig.Key("arca-dns.", SECRET, "hmac-sha256")
NAME = dns.name.from_wire(ORIGIN, 0)[0]


def version(records: Records, serial: int, blobs: Blobs | None = None) -> Version:
    """A version of the zone ``example.`` with a SOA of *serial* in the place of that of *records*."""
    apex_soa = soa()
    rdata = rr.soa_with_serial(apex_soa[3][0], serial)
    given = [record for record in records if record[1] != rr.SOA]
    found = nodes([*given, (*apex_soa[:3], (rdata,))])
    ordered = sorted(found.items(), key=lambda item: names.sort_key(item[0]))
    return Version(serial, ZoneRoot.build(blobs or Blobs.memory(), ORIGIN, ordered))


def records_of(root: ZoneRoot) -> set[bytes]:
    """All RRs of a zone as wire bytes."""
    return {data[record.start : record.end] for _owner, data in root.items() for record in rr.iterate(data)}


class History:
    """Versions, the last one current."""

    def __init__(self, *versions: Version) -> None:
        self.versions = list(versions)

    def current(self, zone: bytes) -> Version | None:
        return self.versions[-1] if zone == ORIGIN and self.versions else None

    def earlier(self, zone: bytes, serial: int) -> Version | None:
        return next((one for one in self.versions[:-1] if one.serial == serial), None)


def query(
    rdtype: str, serial: int | None = None, *, name: dns.name.Name = NAME, key: dns.tsig.Key | None = DNSPYTHON_KEY
):  # type: ignore[no-untyped-def]
    """A signed query, as a dnspython message."""
    message = dns.message.make_query(name, rdtype)
    if serial is not None:
        message.authority.append(
            dns.rrset.from_text(name, 0, "IN", "SOA", f". . {serial} 0 0 0 0"),
        )
    if key is not None:
        message.use_tsig(key)
    return message


def answers(answer: Answer, request: dns.message.Message) -> list[dns.message.Message]:
    """The messages of *answer*, each with its signature in the chain checked."""
    context = None
    found = []
    for data in answer.messages:
        message = dns.message.from_wire(
            data,
            keyring=DNSPYTHON_KEY,
            request_mac=request.mac if context is None else b"",
            xfr=True,
            multi=True,
            tsig_ctx=context,
            one_rr_per_rrset=True,
        )
        assert message.had_tsig
        context = message.tsig_ctx
        found.append(message)
    return found


def transferred(
    messages: Iterable[dns.message.Message], rdtype: str, into: dns.zone.Zone | None = None
) -> dns.zone.Zone:
    """The zone that a secondary has after *messages*; IXFR is applied to *into*."""
    zone = into or dns.versioned.Zone(NAME, relativize=False)
    serial = None
    if into is not None:
        serial = into.get_rdataset(NAME, "SOA")[0].serial
    inbound = dns.xfr.Inbound(zone, dns.rdatatype.from_text(rdtype), serial=serial)
    with inbound:
        done = False
        for message in messages:
            assert not done
            done = inbound.process_message(message)
    assert done
    return zone


def content(zone: dns.zone.Zone) -> set[bytes]:
    """All RRs of a dnspython zone in canonical wire form."""
    return {
        owner.to_digestable()
        + rdtype.to_bytes(2, "big")
        + b"\0\1"
        + ttl.to_bytes(4, "big")
        + len(wire).to_bytes(2, "big")
        + wire
        for owner, ttl, rdata in zone.iterate_rdatas()
        for rdtype, wire in [(int(rdata.rdtype), rdata.to_digestable())]
    }


def primary(*versions: Version, now: float | None = None) -> Primary:
    """A primary for ``example.``."""
    return Primary(History(*versions), {KEY.name: KEY}, time.time if now is None else lambda: now)
