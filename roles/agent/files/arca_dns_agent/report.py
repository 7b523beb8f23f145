# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the agent tells: the health check by ``served.json``, people by ``status.json``, controllers by attestations."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from arca_dns import __version__
from arca_dns.store.base import Json, JsonObject
from arca_dns.zone import names

from .content import Content
from .converge import Converger
from .follow import Contact
from .leases import HealthFile
from .resolver import ResolverKeeper
from .state import Served
from .sync import Held


def served(held: Held | None, converger: Converger, contact: Contact, now: float) -> JsonObject:
    """What is proved to be served, for the health check; of a zone that goes back, the serial that it goes to."""
    # Whether the older version is signed is known once it is proved.
    back = {zone: Served(zone, one.serial, "", signed=False) for zone, one in converger.going_back.items()}
    zones = _zones({**converger.proved, **back})
    return {
        "head": converger.settled,
        "zones": [{"name": name, "serial": one.serial, "signed": one.signed} for name, one in zones.items()],
        "probe_zone": next((name for name, one in zones.items() if one.signed), next(iter(zones), None)),
        "controller_reachable": contact.reachable is not False,
        "head_expired": held is not None and held.head.expires <= now,
        "updated": utc(now),
    }


def status(
    edge: str,
    url: str,
    held: Held | None,
    converger: Converger,
    contact: Contact,
    now: float,
    resolver: ResolverKeeper | None = None,
) -> JsonObject:
    """All that ``arca-dns-agent status`` shows."""
    wanted = {} if held is None else held.zones
    rows: list[Json] = []
    for zone in sorted({*wanted, *converger.proved}, key=names.sort_key):
        proved, entry = converger.proved.get(zone), wanted.get(zone)
        problem = converger.problems.get(zone)
        current = (
            proved is not None and entry is not None and (proved.serial, proved.root) == (entry.serial, entry.root)
        )
        state = "failed" if problem else "served" if current else "loading"
        rows.append(
            {
                "name": names.to_text(zone),
                "serial": None if entry is None else entry.serial,
                "served": None if proved is None else proved.serial,
                "state": state,
                "reason": problem,
            }
        )
    head = None if held is None else held.head
    return {
        "edge": edge,
        "head": converger.settled,
        "head_held": None if head is None else head.revision,
        "head_issued": None if head is None else utc(head.issued),
        "head_expires": None if head is None else utc(head.expires),
        "controller": {
            "url": url,
            "reachable": contact.reachable,
            "last_contact": None if contact.last is None else utc(contact.last),
            "problem": contact.problem,
        },
        "server": {"version": converger.server_version, "problem": converger.server_problem},
        "resolver": None if resolver is None else {"version": resolver.version, "problem": resolver.problem},
        "checking": converger.waiting(),
        "zones": rows,
        "updated": utc(now),
    }


def attestation(
    held: Held | None,
    converger: Converger,
    health: HealthFile,
    started: float,
    resolver: ResolverKeeper | None = None,
) -> JsonObject:
    """What the controller is told: the head whose every zone is proved or failed, which is which, what is announced.

    *started* is when the agent was, in unix seconds.
    """
    failures: list[Json] = [
        {"name": names.to_text(zone), "reason": reason} for zone, reason in sorted(converger.problems.items())
    ]
    zones: list[Json] = [_zone(one, converger.content.get(one.zone)) for one in _zones(converger.proved).values()]
    versions: JsonObject = {"agent": __version__, "server": converger.server_version}
    if resolver is not None and resolver.version:
        versions["resolver"] = resolver.version
    bird = health.document.get("bird_version")
    if isinstance(bird, str) and bird:
        versions["bird"] = bird
    return {
        "head": converger.settled,
        "head_held": None if held is None else held.head.revision,
        "ring": converger.settled_ring or (None if held is None else held.head.ring),
        "started": utc(started),
        "zones": zones,
        "failures": failures,
        "announced": _texts(health.document.get("announced")),
        "health": [
            {
                "prefix": entry["prefix"],
                "mode": entry.get("mode"),
                "condition": entry.get("condition"),
                "since": entry.get("since"),
                "reasons": _texts(entry.get("reasons")),
            }
            for entry in health.prefixes()
        ],
        "versions": versions,
        "server_problem": converger.server_problem,
    }


def news(attestation: JsonObject) -> JsonObject:
    """What of an attestation is worth a new one. The reasons' words, which may hold figures, are not."""
    health = attestation["health"]
    entries = health if isinstance(health, list) else []
    return {
        **attestation,
        "health": [
            {key: entry[key] for key in ("prefix", "mode", "condition")} for entry in entries if isinstance(entry, dict)
        ],
    }


def _zone(one: Served, content: Content | None) -> JsonObject:
    entry: JsonObject = {"name": names.to_text(one.zone), "serial": one.serial}
    if content is not None:
        entry["dnskey_tags"] = list(content.dnskey_tags)
        entry["earliest_expiry"] = content.earliest_expiry
    return entry


def _texts(value: object) -> list[Json]:
    return [str(one) for one in value] if isinstance(value, list) else []


def write(path: Path, document: JsonObject) -> None:
    """Put *document* in the place of *path* in one step, readable by all, there after a power loss."""
    aside = path.with_name(f".{path.name}.new")
    with aside.open("w", encoding="ascii") as file:
        os.fchmod(file.fileno(), 0o644)
        json.dump(document, file, separators=(",", ":"))
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)


def utc(moment: float) -> str:
    """ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _zones(proved: Mapping[bytes, Served]) -> dict[str, Served]:
    return {names.to_text(zone): proved[zone] for zone in sorted(proved, key=names.sort_key)}
