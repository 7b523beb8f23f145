# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The documents that the controller keeps in a store: their keys, their fields, their JSON.

Blobs (tree nodes) are named from here by their digests; what the documents mean together stands in the service.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from . import ulid
from .dnssec.policy import Policy
from .errors import InputError, Place
from .store.base import Document, Json, JsonObject
from .transfer.allow import Rule
from .zone import names
from .zone.changes import Thresholds


def new_version_id(now: float, after: str | None = None, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """``v`` and a ULID that sorts behind that of *after*, its predecessor."""
    return "v" + ulid.new(now, None if after is None else after[1:], random)


def utc(moment: float) -> str:
    """Unix seconds as ISO 8601 in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> float:
    """Unix seconds of an ISO 8601 time with its zone, as :func:`utc` writes it. Raises ``ValueError``."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without its zone")
    return found.timestamp()


#: What keys of documents begin with whose meaning stands elsewhere: entries of the journal, API keys and their last
#: use, answers for idempotency keys, promotions of rings, edges that take a prefix back, and the call to attest.
JOURNAL = "journal/"
API_KEY, API_KEY_USED = "apikey/", "apikey-used/"
IDEMPOTENCY = "idempotency/"
PROMOTION, SITES, ROLL_CALL = "promotion/", "sites/", "roll-call"


def _key_name(zone: bytes) -> str:
    # RFC 2317 labels hold slashes, which part the levels of keys.
    return names.to_text(zone).replace("/", "\\047")


def zone_key(zone: bytes) -> str:
    """Key of a zone's source state."""
    return f"zone/{_key_name(zone)}"


def version_key(zone: bytes, version: str = "") -> str:
    """Key of a source version; without *version* the prefix of all."""
    return f"version/{_key_name(zone)}/{version}"


def published_key(zone: bytes) -> str:
    """Key of a zone's published state."""
    return f"published/{_key_name(zone)}"


def publication_key(zone: bytes, version: str = "") -> str:
    """Key of a published version; without *version* the prefix of all."""
    return f"publication/{_key_name(zone)}/{version}"


def deleted_key(zone: bytes) -> str:
    """Key of what a deleted zone comes back from."""
    return f"deleted/{_key_name(zone)}"


def served_key(zone: bytes) -> str:
    """Key of the serial that a name must go on from, once nothing else is left of it."""
    return f"served/{_key_name(zone)}"


def dirty_key(zone: bytes) -> str:
    """Key of the note that a zone's source has moved and waits for publication."""
    return f"dirty/{_key_name(zone)}"


def keys_key(zone: bytes) -> str:
    """Key of a zone's private keys, which are sealed."""
    return f"keys/{_key_name(zone)}"


def head_key(ring: str) -> str:
    """Key of a ring's head."""
    return f"head/{ring}"


def head_history_key(ring: str, revision: int | None = None) -> str:
    """Key of what the head of *revision* published, in the order of revisions; without it the prefix of all."""
    return f"head-history/{ring}/" + ("" if revision is None else f"{revision:020}")


def restored_key(ring: str) -> str:
    """Key of the note that a backup was restored: the least revision that the ring's next head may have."""
    return f"restored/{ring}"


def edge_key(edge: str) -> str:
    """Key of an edge's latest attestation, without its zones."""
    return f"edge/{edge}"


def edge_zones_key(edge: str = "") -> str:
    """Key of the zones that an edge attested; without *edge* the prefix of all."""
    return f"edge-zones/{edge}"


@dataclass(frozen=True, slots=True)
class ZoneSettings:
    """What an operator may set per zone; *policy* holds only what differs from the controller's policy.

    *verify_command* names a check of the controller's that the zone must pass before it is published; "" is none.
    *allow_transfer* are the rules of who may transfer the zone (:mod:`.transfer.allow`); ``None`` is the controller's.
    """

    dnssec: bool = True
    serial: str = "unixtime"
    policy: Mapping[str, Json] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=Thresholds)
    verify_command: str = ""
    allow_transfer: tuple[str, ...] | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Json]) -> ZoneSettings:
        """Read settings that a caller sent. Raises :class:`InputError` naming every key that is wrong."""
        places: list[Place] = []

        def bad(key: str, message: str) -> None:
            places.append(Place(message, pointer=f"/settings/{key}"))

        known = {item.name for item in fields(cls)}
        for key in value:
            if key not in known:
                bad(key, f"there is no such setting; known are {', '.join(sorted(known))}")
        dnssec = value.get("dnssec", True)
        if not isinstance(dnssec, bool):
            bad("dnssec", "must be true or false")
        serial = value.get("serial", "unixtime")
        if serial not in ("unixtime", "increment"):
            bad("serial", "must be 'unixtime' or 'increment'")
        command = value.get("verify_command", "")
        if not isinstance(command, str):
            bad("verify_command", "must be the name of a check in the controller's dnssec.verify_command, or ''")
        policy = value.get("policy", {})
        if not isinstance(policy, dict):
            bad("policy", "must be an object")
            policy = {}
        allowed = {item.name for item in fields(Policy)}
        for key in policy:
            if key not in allowed:
                bad(f"policy/{key}", f"there is no such policy option; known are {', '.join(sorted(allowed))}")
        rules = value.get("allow_transfer")
        transfer = None if rules is None else _rules(rules, bad)
        thresholds = Thresholds()
        given = value.get("thresholds", {})
        if not isinstance(given, dict) or not set(given) <= {"share", "minimum"}:
            bad("thresholds", "must be an object with 'share' (0 to 1) and 'minimum' (records)")
        else:
            share, minimum = given.get("share", thresholds.share), given.get("minimum", thresholds.minimum)
            if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share <= 1:
                bad("thresholds/share", "must be a number from 0 to 1")
            elif isinstance(minimum, bool) or not isinstance(minimum, int) or minimum < 0:
                bad("thresholds/minimum", "must be a whole number of records, 0 or more")
            else:
                thresholds = Thresholds(float(share), minimum)
        if places:
            raise InputError("the zone's settings are wrong", places)
        settings = cls(bool(dnssec), str(serial), dict(policy), thresholds, str(command), transfer)
        settings.effective_policy(Policy())
        return settings

    def to_json(self) -> JsonObject:
        """The document form; :meth:`from_json` reads it back."""
        told: JsonObject = {
            "dnssec": self.dnssec,
            "serial": self.serial,
            "policy": dict(self.policy),
            "thresholds": {"share": self.thresholds.share, "minimum": self.thresholds.minimum},
            "verify_command": self.verify_command,
        }
        if self.allow_transfer is not None:
            told["allow_transfer"] = list(self.allow_transfer)
        return told

    def effective_policy(self, default: Policy) -> Policy:
        """*default* with this zone's own options. Raises :class:`InputError` if they do not fit together."""
        try:
            return replace(default, **dict(self.policy))  # type: ignore[arg-type]
        except (TypeError, ValueError) as error:
            raise InputError("the zone's policy is wrong", [Place(str(error), pointer="/settings/policy")]) from None


def _rules(value: Json, bad: Callable[[str, str], None]) -> tuple[str, ...]:
    """The rules of a transfer list; what is wrong with them is told to *bad*."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        bad("allow_transfer", "must be a list of addresses, prefixes and key:NAME, or null for the controller's list")
        return ()
    for index, text in enumerate(value):
        try:
            Rule.read(str(text))
        except InputError as error:
            bad(f"allow_transfer/{index}", error.message)
    return tuple(map(str, value))


@dataclass(frozen=True, slots=True)
class Source:
    """A zone's source state: the current version and what lists show of it."""

    name: str
    version: str
    root: str
    serial: int
    records: int
    settings: JsonObject
    created: str
    modified: str


@dataclass(frozen=True, slots=True)
class SourceVersion:
    """One version that somebody wrote. History is never rewritten."""

    version: str
    parent: str | None
    root: str
    serial: int
    records: int
    actor: str
    reason: str
    time: str


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """One version as edges serve it: signed from *source* under *signing* (a fingerprint of keys and policy)."""

    version: str
    source: str
    source_root: str
    root: str
    serial: int
    records: int
    earliest_expiry: int
    signing: str
    time: str


@dataclass(frozen=True, slots=True)
class Deleted:
    """A zone that was deleted: *version* is that of the deletion, *last* the one whose content can come back.

    *serial* is the newest that the zone had anywhere.
    """

    name: str
    version: str
    last: str
    serial: int
    records: int
    settings: JsonObject
    created: str
    deleted: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Served:
    """What stays of a name for ever: the newest *serial* it was served with.

    While *keys_due* the private keys of the zone that it was are still to be removed, and no zone may have the name.
    """

    name: str
    serial: int
    keys_due: bool


@dataclass(frozen=True, slots=True)
class HeadHistory:
    """What a head published: its catalog's root, and when, in unix seconds."""

    revision: int
    catalog: str | None
    issued: int


@dataclass(frozen=True, slots=True)
class Dirty:
    """A zone that waits for publication; *problem* says why the last try failed."""

    name: str
    removed: bool = False
    problem: str | None = None


_Read = TypeVar("_Read")


def encode(
    value: Source | SourceVersion | PublishedVersion | Deleted | Served | HeadHistory | Dirty,
) -> JsonObject:
    """A document's JSON."""
    return asdict(value)


def decode(kind: Callable[..., _Read], document: Document) -> _Read:
    """*document* as one of *kind*, a dataclass whose fields it holds."""
    members: Mapping[str, Any] = document.value
    return kind(**members)
