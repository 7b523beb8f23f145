# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the apex of a version says: its SOA, its keys, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass

from arca_dns.dnssec.keys import key_tag
from arca_dns.publish.catalog import Entry
from arca_dns.zone import rr
from arca_dns.zone.tree import NEVER, Blobs, ZoneRoot

from .unbound_file import trusted


@dataclass(frozen=True, slots=True)
class Content:
    """What is told of a version that is served: the tags of its DNSKEYs, and when its first signature expires.

    *anchors* are the keys that a resolver may trust.
    """

    dnskey_tags: tuple[int, ...]
    earliest_expiry: int | None
    anchors: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Apex:
    """What a zone's apex says: the SOA for NOTIFY, the keys for the proof; *content* is told."""

    soa: rr.RRset
    keys: tuple[bytes, ...]
    content: Content
    records: int


def apex(blobs: Blobs, entry: Entry) -> Apex:
    """The apex of the version *entry*. Raises what *blobs* raises."""
    root = ZoneRoot.load(blobs, entry.root)
    node = rr.node_of(root.apex.get(entry.zone) or b"")
    found = node.get(rr.DNSKEY)
    keys = () if found is None else found.rdatas
    stats = root.stats()
    expiry = stats.earliest_expiry
    content = Content(tuple(sorted(map(key_tag, keys))), None if expiry == NEVER else expiry, trusted(keys))
    return Apex(node[rr.SOA], keys, content, stats.records)
