# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Asks one or many questions at the service addresses and through the validating resolver; run in the client's network.

Reads ``{"anchors": {zone: [DS …]}, "rrsets": [[owner, type] …], "denials": [[owner, type, kind] …]}`` from standard
input and prints a JSON list of everything that is wrong; an empty list means that all of it validates.
Signatures are checked here with dnspython, independently of the library; denial is judged by Unbound.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

ADDRESSES = ("203.0.113.53", "2001:db8:53::53")
RESOLVER = "127.0.0.1"


def ask(server: str, owner: str, rdtype: str, *, dnssec_ok: bool = True) -> dns.message.Message:
    """One question over UDP, again over TCP when truncated."""
    query = dns.message.make_query(owner, rdtype, want_dnssec=dnssec_ok, payload=1232)
    query.flags |= dns.flags.AD
    last: Exception | None = None
    for _ in range(3):
        try:
            return dns.query.udp_with_fallback(query, server, timeout=2)[0]
        except dns.exception.Timeout as error:
            last = error
    raise RuntimeError(f"{server} does not answer {owner} {rdtype}") from last


class Keys:
    """DNSKEY sets of the zones, each authenticated by its DS."""

    def __init__(self, anchors: dict[str, list[str]]) -> None:
        self._keys: dict[dns.name.Name, dns.rrset.RRset] = {}
        for zone, digests in anchors.items():
            origin = dns.name.from_text(zone)
            answer = ask(ADDRESSES[0], zone, "DNSKEY")
            keys = answer.find_rrset(answer.answer, origin, dns.rdataclass.IN, dns.rdatatype.DNSKEY)
            signatures = answer.find_rrset(
                answer.answer, origin, dns.rdataclass.IN, dns.rdatatype.RRSIG, dns.rdatatype.DNSKEY
            )
            wanted = {digest.lower() for digest in digests}
            entry = [key for key in keys if dns.dnssec.make_ds(origin, key, "SHA256").to_text().lower() in wanted]
            if not entry:
                raise RuntimeError(f"no DNSKEY of {zone} matches its DS")
            dns.dnssec.validate(keys, signatures, {origin: dns.rrset.from_rdata_list(origin, keys.ttl, entry)})
            self._keys[origin] = keys

    def as_dict(self) -> dict[dns.name.Name, dns.rrset.RRset]:
        """For :func:`dns.dnssec.validate`."""
        return self._keys


def check_rrset(keys: Keys, owner: str, rdtype: str, server: str) -> str | None:
    """``None`` if the RRset is there, is signed and validates."""
    name, kind = dns.name.from_text(owner), dns.rdatatype.from_text(rdtype)
    answer = ask(server, owner, rdtype)
    try:
        rrset = answer.find_rrset(answer.answer, name, dns.rdataclass.IN, kind)
        signatures = answer.find_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.RRSIG, kind)
        if not answer.flags & dns.flags.AA:
            return f"{owner} {rdtype} at {server}: not authoritative"
        dns.dnssec.validate(rrset, signatures, keys.as_dict())
    except (KeyError, dns.dnssec.ValidationFailure) as error:
        return f"{owner} {rdtype} at {server}: {type(error).__name__} {error}"
    return None


def check_resolved(owner: str, rdtype: str, kind: str) -> str | None:
    """``None`` if the validating resolver gives the expected kind of answer, with AD."""
    answer = ask(RESOLVER, owner, rdtype)
    code = dns.rcode.to_text(answer.rcode())
    present = any(rrset.rdtype == dns.rdatatype.from_text(rdtype) for rrset in answer.answer)
    expected = {
        # Unbound follows a CNAME even if that is what it was asked for; a dangling one ends in NXDOMAIN.
        "positive": present and (code == "NOERROR" or rdtype == "CNAME"),
        "wildcard": code == "NOERROR" and present,
        "nodata": code == "NOERROR" and not present,
        "nxdomain": code == "NXDOMAIN",
    }[kind]
    if not expected:
        return f"{owner} {rdtype} through Unbound: {code}, {'an' if present else 'no'} answer; expected {kind}"
    if not answer.flags & dns.flags.AD:
        return f"{owner} {rdtype} through Unbound ({kind}): not validated"
    return None


def main() -> None:
    """Judge the questions on standard input."""
    task: dict[str, Any] = json.load(sys.stdin)
    keys = Keys(task["anchors"])
    problems: list[str | None] = []
    for i, (owner, rdtype) in enumerate(task["rrsets"]):
        problems.append(check_rrset(keys, owner, rdtype, ADDRESSES[i % 2]))
        problems.append(check_resolved(owner, rdtype, "positive"))
    problems += [check_resolved(owner, rdtype, kind) for owner, rdtype, kind in task["denials"]]
    json.dump([problem for problem in problems if problem], sys.stdout)


if __name__ == "__main__":
    main()
