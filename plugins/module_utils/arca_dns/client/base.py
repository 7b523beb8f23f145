# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What every client offers, and the values that go in and out: texts as people write them, never wire bytes.

A caller sees no difference between the library in process (:mod:`.local`) and a controller (:mod:`.http`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..store.base import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Record:
    """Records that a caller wants: *name* relative to the zone (``@`` is its apex) unless it ends with a dot.

    *ttl* ``None`` takes the TTL of the RRset that it joins, or the default.
    """

    name: str
    type: str
    values: tuple[str, ...]
    ttl: int | None = None


@dataclass(frozen=True, slots=True)
class Soa:
    """The fields of a SOA that a caller may set; times in seconds. *rname* may be a mail address."""

    mname: str
    rname: str | None = None
    refresh: int = 10800
    retry: int = 3600
    expire: int = 1209600
    minimum: int = 3600
    ttl: int = 3600


@dataclass(frozen=True, slots=True)
class ZoneContent:
    """A whole zone: a zone file, records, or both, which then join; *soa* instead of a SOA among them."""

    text: str | None = None
    records: tuple[Record, ...] = ()
    soa: Soa | None = None


@dataclass(frozen=True, slots=True)
class RecordSet:
    """An RRset as a zone has it: absolute name with final dot, type mnemonic, values in presentation form."""

    name: str
    type: str
    ttl: int
    values: tuple[str, ...]

    def lines(self) -> list[str]:
        """One zone-file line per record."""
        return [f"{self.name} {self.ttl} IN {self.type} {value}" for value in self.values]


@dataclass(frozen=True, slots=True)
class Difference:
    """What a plan does to one RRset: *before* ``None`` adds it, *after* ``None`` removes it."""

    before: RecordSet | None
    after: RecordSet | None


@dataclass(frozen=True, slots=True)
class Plan:
    """The differences of a write, what the checks warn of, and why it would be refused without force."""

    differences: tuple[Difference, ...] = ()
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a write did or, on a dry run, would do. *problem* says why a stored version is not served yet."""

    plan: Plan
    changed: bool
    applied: bool
    version: str | None
    serial: int
    published: bool = True
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ZoneState:
    """A zone without its content. Times are ISO 8601 in UTC."""

    name: str
    version: str
    serial: int
    records: int
    published_version: str | None
    published_serial: int | None
    settings: Mapping[str, Json]
    created: str
    modified: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DeletedZone:
    """A deleted zone that can come back, as version *last*; *serial* is the newest that it had. Times as above."""

    name: str
    version: str
    last: str
    serial: int
    records: int
    settings: Mapping[str, Json]
    created: str
    deleted: str
    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Version:
    """A version that somebody wrote; *time* as above."""

    version: str
    parent: str | None
    serial: int
    records: int
    actor: str
    reason: str
    time: str


@dataclass(frozen=True, slots=True)
class Write:
    """How to write. *if_version* fences: the write fails with ``StaleVersion`` when the zone has moved on."""

    if_version: str | None = None
    reason: str = ""
    dry_run: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class Promote:
    """What to promote, and how. *source* and *revision* default to the ring before and what it has.

    *if_head* fences: it fails with ``StaleVersion`` when the ring's head has another revision.
    """

    source: str | None = None
    revision: int | None = None
    soak_seconds: int = 0
    failing_share: float = 0.0
    if_head: int | None = None
    rollback: bool = False
    force: bool = False
    reason: str = ""
    dry_run: bool = False


class Client(Protocol):
    """The use cases of daily work. Zone names are absolute, with or without the final dot. All raise ``ArcaError``."""

    def zone(self, name: str) -> ZoneState:
        """One zone's state. Raises ``NotFound``."""

    def zones(self) -> Iterator[ZoneState]:
        """Every zone, read page by page."""

    def record_sets(self, name: str, version: str | None = None) -> list[RecordSet]:
        """The source content of a zone, or of a version of it, in canonical order, the SOA with its serial."""

    def zone_file(self, name: str) -> Iterator[str]:
        """The current source content as a zone file, in pieces. Raises ``NotFound``."""

    def versions(self, name: str) -> Iterator[Version]:
        """Every version of a zone, deleted or not, oldest first, read page by page. Raises ``NotFound``."""

    def diff(self, name: str, old: str, new: str | None = None) -> tuple[Difference, ...]:
        """What changed from version *old* to *new*, or to the newest one. Raises ``NotFound``."""

    def rollback(self, name: str, version: str, write: Write) -> Outcome:
        """Go back to the content of *version*, in a new version. Raises ``NotFound``, ``StaleVersion``."""

    def edges(self) -> list[JsonObject]:
        """What each edge attested last, and how far it is behind, since when and why."""

    def rings(self) -> list[JsonObject]:
        """What each ring has and the latest promotion to it, in the order of promotion."""

    def promote(self, ring: str, promote: Promote) -> JsonObject:
        """Bring *ring* to what another has, now or as soon as its gates are open; the promotion and what it changes.

        Raises ``NotFound``, ``PlanRefused``, ``StaleVersion``.
        """

    def abort_promotion(self, ring: str, reason: str = "") -> JsonObject:
        """End the promotion of *ring* that waits, or take the latest one back. Raises ``NotFound``."""

    def create_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """Create a zone. Raises ``AlreadyExists``, ``ZoneTextError``, ``ChecksFailed``."""

    def replace_zone(
        self, name: str, content: ZoneContent, write: Write, settings: Mapping[str, Json] | None = None
    ) -> Outcome:
        """Make *content* the whole of a zone; *settings* ``None`` keeps those it has. Also raises ``PlanRefused``."""

    def delete_zone(self, name: str, write: Write) -> Outcome:
        """Delete a zone. Raises ``NotFound``, ``PlanRefused``."""

    def deleted_zones(self) -> Iterator[DeletedZone]:
        """Every deleted zone that can come back, read page by page."""

    def undelete_zone(self, name: str, write: Write) -> Outcome:
        """Bring a deleted zone back; of *write*, reason and dry run count. Raises ``NotFound``, ``AlreadyExists``."""

    def put_record_set(
        self, zone: str, owner: str, rdtype: str, values: Sequence[str], ttl: int | None, write: Write
    ) -> Outcome:
        """Make *values* the RRset of *owner* and *rdtype*; *ttl* ``None`` keeps the TTL it has."""

    def delete_record_set(self, zone: str, owner: str, rdtype: str, write: Write) -> Outcome:
        """Remove an RRset; unchanged if there is none."""

    def ds(self, name: str, digest_types: Sequence[int] = (2,)) -> list[str]:
        """DS rdata for the parent in presentation form; empty for an unsigned zone. Raises ``NotFound``."""

    def close(self) -> None:
        """Give back connections and files."""


#: The TTL of records for which nobody has said one.
DEFAULT_TTL = 3600


def absolute(name: str, zone: str) -> str:
    """*name* as an absolute name: relative ones and ``@`` belong to *zone*."""
    zone = zone if zone.endswith(".") else zone + "."
    if name == "@":
        return zone
    if name.endswith(".") and not name.endswith("\\."):
        return name
    return f"{name}." if zone == "." else f"{name}.{zone}"
