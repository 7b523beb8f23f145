# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether content that a controller published may be given to the name server: its apex must validate by its own keys.

A signed head says who published something, not that it is right. The SOA and the DNSKEY RRset are the first that
validators ask for, and every version has a new SOA; what is wrong there is wrong for the whole zone. Times are left
alone: they depend on a clock, and a signature that has run out is no reason to serve something older.
"""

from __future__ import annotations

from collections.abc import Callable

from arca_dns.dnssec.verifier import verify_rrset
from arca_dns.errors import VerificationFailed
from arca_dns.publish.catalog import Entry
from arca_dns.zone import rr
from arca_dns.zone.tree import Blobs, ZoneRoot


class Vetting:
    """Judges versions by what *blobs* holds of them; each zone's latest verdict is kept. Safe from any thread."""

    def __init__(self, blobs: Callable[[], Blobs]) -> None:
        self._blobs = blobs
        self._verdicts: dict[bytes, tuple[str, str | None]] = {}

    def problem(self, entry: Entry) -> str | None:
        """Why the version *entry* must not be served; ``None``: it may. Raises what *blobs* raises."""
        known = self._verdicts.get(entry.zone)
        if known is not None and known[0] == entry.root:
            return known[1]
        verdict = judge(ZoneRoot.load(self._blobs(), entry.root), entry.zone)
        self._verdicts[entry.zone] = (entry.root, verdict)
        return verdict

    def forget(self, zone: bytes) -> None:
        """*zone* is published no more."""
        self._verdicts.pop(zone, None)


def judge(root: ZoneRoot, zone: bytes) -> str | None:
    """Why the apex of *root* does not validate by its own keys, if it is signed (RFC 4035, section 5.3)."""
    node = rr.node_of(root.apex.get(zone) or b"")
    if rr.DNSKEY not in node:
        return None
    keys = node[rr.DNSKEY].rdatas
    signatures = node[rr.RRSIG].rdatas if rr.RRSIG in node else ()
    for rdtype in (rr.SOA, rr.DNSKEY):
        reason = "there is no RRSIG"
        for signature in signatures:
            if int.from_bytes(signature[:2], "big") != rdtype:
                continue
            try:
                verify_rrset(node[rdtype], signature, keys, None)
            except VerificationFailed as error:
                reason = error.places[0].message if error.places else error.message
            else:
                break
        else:
            return f"what was published does not validate: {rr.type_text(rdtype)}: {reason}"
    return None
