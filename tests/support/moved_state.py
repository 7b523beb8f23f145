# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""State to be moved: zones with history, one that was deleted, what was published, an edge's report."""

from __future__ import annotations

import io
import time
from collections.abc import Callable

from arca_dns.dnssec.keystore import KeyStore, MemoryKeyStore
from arca_dns.moving.archive import Archive, backup
from arca_dns.moving.copy import documents
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import JsonObject, Store
from arca_dns.zone import names
from arca_dns.zone.text import parse


def zone_text(name: str, hosts: int, first: int = 0) -> str:
    lines = [
        f"$ORIGIN {name}.\n$TTL 300\n@ IN SOA ns1 hostmaster 1 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n",
        *(f"host{n} A 192.0.2.{n % 250 + 1}\n" for n in range(first, first + hosts)),
    ]
    return "".join(lines)


def service(store: Store, keys: KeyStore | None = None, head: HeadKey | None = None) -> Service:
    return Service(store, keys or MemoryKeyStore(), head or HeadKey.generate(), clock=time.time)


def fill(made: Service, hosts: int = 40) -> None:
    """Zones a (three versions), b, unsigned, and gone."""
    for name, signed in (
        ("a.example", True),
        ("b.example", True),
        ("unsigned.example", False),
        ("gone.example", False),
    ):
        create(made, name, hosts, signed)
    for n in (1, 2):
        parsed = parse(zone_text("a.example", hosts, n))
        made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
    made.delete_zone(names.from_text("gone.example."), if_version=None, actor="test", force=True)
    made.attest("edge1", {"revision": 3, "zones": [{"name": "example.com.", "serial": 1}]})


def create(made: Service, name: str, hosts: int, signed: bool = True) -> None:
    from arca_dns.documents import ZoneSettings

    parsed = parse(zone_text(name, hosts))
    made.create_zone(parsed.origin, parsed.rrsets, actor="test", settings=ZoneSettings(dnssec=signed))


def content(store: Store) -> dict[str, JsonObject]:
    """Every document that moves."""
    return {document.key: document.value for document in documents(store)}


def consistent(found: dict[str, JsonObject]) -> None:
    """Each zone's documents are of one moment."""
    for key, value in found.items():
        if key.startswith("zone/"):
            name = key.removeprefix("zone/")
            version = found[f"version/{name}/{value['version']}"]
            assert version["root"] == value["root"]
            parent = version["parent"]
            assert parent is None or f"version/{name}/{parent}" in found
            if f"dirty/{name}" not in found:
                assert found[f"published/{name}"]["source"] == value["version"]
        if key.startswith("published/"):
            name = key.removeprefix("published/")
            assert found[f"publication/{name}/{value['version']}"] == value


def snapshot(store: Store, tell: Callable[[], None] = lambda: None) -> dict[str, JsonObject]:
    """The documents in a backup of *store*."""
    out = io.BytesIO()
    backup(store, out, program="test", created="now", tell=lambda _at: tell())
    archive = Archive(out, "file")
    archive.check()
    found: dict[str, JsonObject] = {}
    for key, value in archive.documents():
        found.pop(key, None)
        if value is not None:
            found[key] = value
    return found
