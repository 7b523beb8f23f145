# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The API's JSON documents, as callers send and get them; OpenAPI is made of these.

What they mean is not checked here.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Ttl = Annotated[int, Field(ge=0, le=2**31 - 1, description="Seconds.")]
Seconds = Annotated[int, Field(ge=0, le=2**32 - 1)]


class _Sent(BaseModel):
    """A body: what it does not know is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _Given(BaseModel):
    """An answer."""

    model_config = ConfigDict(extra="forbid")


class RecordIn(_Sent):
    """One record, or with ``values`` several of one owner and type."""

    name: str = Field(description="`@`, relative to the zone, or absolute with a final dot.", examples=["www"])
    type: str = Field(examples=["A"])
    ttl: Ttl | None = Field(None, description="Absent: that of the RRset which it joins, or 3600.")
    value: str | None = Field(None, description="Zone-file form.", examples=["192.0.2.1"])
    values: list[str] | None = None


class SoaIn(_Sent):
    """The fields of the SOA. A `serial` that is newer than the zone's is taken; else the next is made."""

    mname: str
    rname: str | None = Field(None, description="A domain name, or a mail address.")
    serial: Seconds | None = None
    refresh: Seconds = 10800
    retry: Seconds = 3600
    expire: Seconds = 1209600
    minimum: Seconds = 3600
    ttl: Ttl = 3600


class ZoneIn(_Sent):
    """A whole zone. `text` (a zone file) and `records` join. What only the controller can know is ignored."""

    name: str | None = Field(None, description="With or without the final dot.", examples=["example.com."])
    text: str | None = Field(None, description="A zone file.")
    records: list[RecordIn] = []
    soa: SoaIn | None = None
    settings: dict[str, Any] | None = Field(None, description="Absent: those that the zone has.")
    serial: Any = Field(None, description="Ignored.")
    version: Any = Field(None, description="Ignored.")
    published: Any = Field(None, description="Ignored.")
    dnssec: Any = Field(None, description="Ignored; see settings.")
    record_count: Any = Field(None, description="Ignored.")
    created: Any = Field(None, description="Ignored.")
    modified: Any = Field(None, description="Ignored.")
    problem: Any = Field(None, description="Ignored.")


class RRsetIn(_Sent):
    """The records of one owner and type."""

    ttl: Ttl | None = Field(None, description="Absent: the TTL that it has, or 3600.")
    values: list[str] = Field(min_length=1)


class ChangeIn(_Sent):
    """One change of an RRset.

    `create` makes one that must not be there yet, `replace` (also `put`) makes it what is given whether or not it is
    there, `delete` removes it; `add` and `remove` are for single values: the others of the RRset stay.
    """

    action: Literal["create", "replace", "put", "delete", "add", "remove"]
    name: str
    type: str
    ttl: Ttl | None = None
    values: list[str] | None = None


class ChangesIn(_Sent):
    """Changes that are made together or not at all."""

    changes: list[ChangeIn] = Field(min_length=1)


class OperationIn(_Sent):
    """What a bulk does to one zone."""

    action: Literal["create", "replace", "change", "rollback", "delete", "undelete"]
    zone: str = Field(description="With or without the final dot.", examples=["example.com."])
    if_version: str | None = Field(
        None, description="The version that this was computed from, or `*` for any; not for `create` and `undelete`."
    )
    document: ZoneIn | None = Field(None, description="For `create` and `replace`.")
    changes: list[ChangeIn] | None = Field(None, description="For `change`.")
    version: str | None = Field(None, description="For `rollback`: the version to go back to.")


class BulkIn(_Sent):
    """Operations on as many zones, done together or not at all."""

    operations: list[OperationIn] = Field(min_length=1)


class RollbackIn(_Sent):
    """The version to go back to."""

    version: str


class FetchIn(_Sent):
    """Blobs to fetch."""

    digests: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(max_length=65536)


class AttestationIn(BaseModel):
    """What an edge says that it serves."""

    model_config = ConfigDict(extra="allow", strict=True)

    head: int | None = Field(description="The revision of the head that it serves.")
    zones: list[dict[str, Any]] = Field([], description="`name` and `serial` of each.")


class Record(_Given):
    """One record."""

    name: str
    type: str
    ttl: int
    value: str


class Soa(_Given):
    """The SOA."""

    mname: str
    rname: str
    serial: int
    refresh: int
    retry: int
    expire: int
    minimum: int
    ttl: int


class Published(_Given):
    """What edges serve of the zone."""

    version: str
    serial: int
    source: str = Field(description="The version that it was made from.")
    records: int = Field(description="Signatures and denial included.")
    expires: str | None = Field(description="When the first signature expires; `null` for an unsigned zone.")
    time: str


class ZoneSummary(_Given):
    """A zone without its content."""

    name: str
    version: str
    serial: int
    record_count: int
    dnssec: bool
    settings: dict[str, Any]
    published: Published | None
    problem: str | None = Field(description="Why the current version is not served yet.")
    created: str
    modified: str


class Zone(ZoneSummary):
    """A whole zone. It can be edited and sent back with PUT."""

    soa: Soa
    records: list[Record] = Field(description="All but the SOA, in canonical order.")


class ZoneList(_Given):
    """A page of zones; `next` is the `after` of the following page, and with filters not `null` while there is more.

    With `fields=full` each is a whole zone.
    """

    zones: list[Zone | ZoneSummary]
    next: str | None


class DeletedZone(_Given):
    """A zone that was deleted and can come back."""

    name: str
    version: str = Field(description="The version of the deletion.")
    last: str = Field(description="The version that comes back: the last with content.")
    serial: int = Field(description="The newest that the zone had; it comes back with one that is newer still.")
    record_count: int
    settings: dict[str, Any]
    created: str
    deleted: str
    actor: str
    reason: str


class DeletedZoneList(_Given):
    """A page of deleted zones; `next` is the `after` of the following page."""

    zones: list[DeletedZone]
    next: str | None


class RRset(_Given):
    """The records of one owner and type."""

    name: str
    type: str
    ttl: int
    values: list[str]


class RRsetList(_Given):
    """A page of the RRsets of a zone in canonical order; `next` is the `after` of the following page."""

    version: str = Field(description="The version of the zone that the page was read from.")
    rrsets: list[RRset]
    next: str | None


class SearchResult(RRset):
    """Of an RRset the records that were found."""

    zone: str


class SearchAnswer(_Given):
    """A page of what was found; there is more as long as `next` is not `null`, even behind a page that is empty."""

    results: list[SearchResult]
    next: str | None


class RRsetSide(_Given):
    """An RRset before or after a change."""

    ttl: int
    values: list[str]


class RRsetChange(_Given):
    """An RRset that changes."""

    name: str
    type: str
    before: RRsetSide
    after: RRsetSide


class Differences(_Given):
    """What differs."""

    adds: list[RRset]
    changes: list[RRsetChange]
    removals: list[RRset]


class Plan(Differences):
    """What a write does. `refusals` say what needs `force`. Of more than 10,000 RRsets the first are shown."""

    rrsets: int = Field(description="How many RRsets come, change or go.")
    warnings: list[str]
    refusals: list[str]


class Written(_Given):
    """What a write did or, with `dry_run`, would do."""

    changed: bool
    applied: bool
    version: str | None
    serial: int
    published: bool = Field(description="Whether the version is on its way to the edges; else `problem` says why not.")
    problem: str | None
    plan: Plan


class ZoneWritten(Written):
    """The same of one zone among several."""

    zone: str


class BulkWritten(_Given):
    """What a bulk did or, with `dry_run`, would do; outcomes are in the order of the operations."""

    changed: bool
    applied: bool
    outcomes: list[ZoneWritten]


class Version(_Given):
    """A version that somebody wrote."""

    version: str
    parent: str | None
    serial: int
    record_count: int
    actor: str
    reason: str
    time: str


class VersionList(_Given):
    """A page of versions; `next` is the `after` of the following page."""

    versions: list[Version]
    next: str | None


class VersionContent(Version):
    """A version with its content."""

    name: str
    soa: Soa
    records: list[Record]


class DiffAnswer(Differences):
    """What differs from one version to another."""

    name: str
    old: str = Field(alias="from")
    new: str = Field(alias="to")


class DsAnswer(_Given):
    """DS records for the parent, in presentation form."""

    name: str
    ds: list[str]


class ZoneKey(_Given):
    """What anybody may know of a key of a zone."""

    tag: int
    algorithm: int
    role: Literal["ksk", "zsk", "csk"]
    created: str
    dnskey: str = Field(description="DNSKEY record data in presentation form.")
    ds: list[str] = Field(description="DS record data with digest types 2 and 4; none of a key that signs no keys.")


class ZoneKeys(_Given):
    """The keys of a zone."""

    name: str
    keys: list[ZoneKey]


class CatalogEntry(_Given):
    """A zone as the current head publishes it."""

    name: str
    version: str
    serial: int
    root: str = Field(description="Digest of the zone's tree.")


class CatalogPage(_Given):
    """Zones of the current head."""

    zones: list[CatalogEntry]
    next: str | None


class Head(_Given):
    """The signed head of a ring: `payload` is JSON text, signed as it stands with Ed25519."""

    payload: str
    key_id: str
    signature: str


class EdgeState(_Given):
    """What an edge attests, and how it stands to its ring."""

    model_config = ConfigDict(extra="allow")

    edge: str
    received: str
    head: int | None
    ring: str
    current_head: int | None = Field(description="The revision of the head that the ring has.")
    behind: int | None = Field(description="How many revisions the edge is behind it.")
    behind_since: str | None = Field(description="When the first head was issued that the edge does not serve.")
    problems: list[str] = Field(description="Why the edge is not as it should be; empty if it is.")


class EdgeList(_Given):
    """What edges attest, and how they stand to their rings."""

    edges: list[EdgeState]


class WishIn(_Sent):
    """What an edge wishes to do with a prefix of its own accord."""

    prefix: str = Field(max_length=64, examples=["203.0.113.53/32"])
    wish: Literal["degrade", "drain"]


class WishesIn(_Sent):
    """All that an edge wishes; what it held and does not name is given back."""

    wishes: list[WishIn] = Field(max_length=256)


class SiteLease(_Given):
    """The answer to a wish."""

    prefix: str
    wish: str
    granted: bool
    reason: str = Field(description="Why it is not granted.")
    pending: bool = Field(description="Whether other edges are being asked if they are there: ask again in a second.")


class SiteLeases(_Given):
    """The answers to all wishes."""

    leases: list[SiteLease]


class PromotionState(_Given):
    """A promotion: of what a ring had at a revision, to the next one."""

    ring: str
    source: str
    revision: int
    state: Literal["waiting", "promoted", "aborted"]
    actor: str
    reason: str
    requested: str
    soak_seconds: int
    failing_share: float
    blocked: list[str] = Field(description="What it waits for, or why it has ended by itself.")
    open_since: str | None = Field(description="Since when the edges of the ring before attest it without failures.")
    finished: str | None
    head: int | None = Field(description="The revision that the ring got by it.")
    previous: int | None = Field(description="The revision that the ring had before.")
    rollback: bool = Field(description="Whether serials may go back, and newer zones or many be removed.")


class Ring(_Given):
    """A ring: its head, and the latest promotion to it."""

    ring: str
    before: str | None = Field(description="The ring that it is promoted from; `null`: it follows every publication.")
    head: int | None = Field(description="The revision of its head.")
    catalog: str | None
    issued: str | None
    expires: str | None
    zones: int
    differs: int | None = Field(description="In how many zones it differs from the ring before, up to 10,000.")
    edges: list[str] = Field(description="The edges that attest to follow it.")
    promotion: PromotionState | None


class RingList(_Given):
    """The rings, in the order of promotion."""

    rings: list[Ring]


class PromoteIn(_Sent):
    """What to promote to a ring, and when."""

    source: str | None = Field(None, max_length=64, description="The ring to take from; absent: the one before.")
    revision: int | None = Field(None, ge=1, description="What that ring had then; absent: what it has.")
    soak_seconds: int = Field(0, ge=0, le=72000, description="How long the ring before must have served it well.")
    failing_share: float = Field(0.0, ge=0, le=1, description="The share of an edge's zones that may fail.")
    rollback: bool = Field(
        False, description="Let serials of zones go back, and zones be removed that are newer than this, or many."
    )
    force: bool = Field(False, description="Promote at once, whatever the edges attest, though many zones be removed.")


class RingMove(_Given):
    """A promotion, and what it changes in its ring; of zones the first 20 names of each kind."""

    promotion: PromotionState
    changed: bool
    added: int
    modified: int
    removed: int
    back: int = Field(description="Zones whose serial goes back.")
    live: int = Field(description="Removed zones that are newer than what is promoted.")
    zones: dict[str, list[str]]


class HeadEntry(_Given):
    """What a head published, and when."""

    revision: int
    catalog: str | None
    issued: str


class HeadHistory(_Given):
    """What heads of a ring published, newest first."""

    heads: list[HeadEntry]
    next: int | None


class HeadList(_Given):
    """The signed head of each ring that has one."""

    heads: dict[str, Head]


class KeyLimits(_Sent):
    """What a key is limited to; a list that is empty limits nothing."""

    zones: list[str] = Field([], description="`example.com`, `*.example.com` (all below it).")
    names: list[str] = Field([], description="`www`, `@`, `*.dyn`, `_acme-challenge.*`, `www.example.com.`")
    types: list[str] = Field([], description="Record types.", examples=[["TXT"]])


class KeyIn(_Sent):
    """A new API key."""

    name: str = Field(examples=["pipeline"])
    role: Literal["admin", "editor", "viewer", "agent", "acme"]
    limits: KeyLimits | None = None
    expires: str | None = Field(None, description="ISO 8601 with its zone.", examples=["2028-01-31T00:00:00Z"])


class Key(_Given):
    """An API key without its secret."""

    id: str
    name: str
    role: str
    limits: dict[str, list[str]]
    created: str
    created_by: str
    expires: str | None
    until: str | None = Field(description="How long the secret before the last rotation stays valid.")
    last_used: str | None = Field(description="To within an hour.")


class KeyMade(Key):
    """The same with the secret, which is not to be had again."""

    key: str


class KeyList(_Given):
    """The API keys that the store holds."""

    keys: list[Key]


class EventPage(_Given):
    """Events in the order of their commits."""

    events: list[dict[str, Any]] = Field(
        description="Each with `cursor`, `kind` and `zone`. What was done has `actor`, `time`, `version`, `serial`,"
        " `subject`, `summary` and `reason`; `zone.published` has `version`, `source`, `serial` and `time`;"
        " `head.moved` has `ring`; `edge.attested` has `edge` and `head`."
    )
    next: int = Field(description="For `after`, to go on.")


class JournalEntry(_Given):
    """One thing that was done: by whom, from where, to what."""

    id: str
    kind: str = Field(examples=["zone.changed"])
    actor: str = Field(description="The name of the API key, or of who ran a command.")
    time: str
    origin: str = Field(description="The address that the request came from; empty for what is done on the machine.")
    request: str = Field(description="The X-Request-ID of the request.")
    zone: str | None
    version: str | None
    serial: int | None
    subject: str | None = Field(description="The id of the API key that it was done to.")
    summary: dict[str, Any] = Field(
        description="Of a zone: how many RRsets were `added`, `changed` and `removed`, the first 20 of them as"
        " `rrsets`, and as `forced` the refusals that were overruled."
    )
    reason: str


class JournalPage(_Given):
    """Entries of the audit log, newest first."""

    entries: list[JournalEntry]
    next: str | None = Field(description="For `before`, to go on; null where there may be no more.")


class ImportPlace(_Given):
    """Where a pushed zone file is wrong."""

    message: str
    line: int | None
    column: int | None
    pointer: str | None


class Import(_Given):
    """A pushed zone file that waits, was refused, or met another change of its zone; `problem` says what to do."""

    zone: str | None
    file: str
    commit: str
    author: str
    email: str
    subject: str
    state: Literal["pending", "refused", "conflict"]
    problem: str | None
    places: list[ImportPlace]
    version: str | None = Field(default=None, description="The zone's version that the file was to replace.")


class GitRemote(_Given):
    """The remote of the Git backend."""

    url: str
    push_problem: str | None
    pull_problem: str | None
    pushed: str | None


class ImportList(_Given):
    """What became of pushed zone files; those that were taken are versions and not listed here."""

    imports: list[Import]
    remote: GitRemote | None


class State(_Given):
    """Whether the controller works."""

    status: Literal["ok"]


class Leader(_Given):
    """The controller that does the scheduled work: signing again, renewing the head, tidying up."""

    instance: str
    fence: int = Field(description="Grows with each change of the leader.")
    since: str
    until: str = Field(description="When another one may take over unless it is renewed; by the leader's clock.")
    this: bool = Field(description="Whether it is the controller that answers.")


class Status(_Given):
    """What the controller is and has published."""

    version: str
    backend: str
    started: str
    head: int | None
    head_issued: str | None
    head_expires: str | None
    head_public_key: str
    edges: int
    leader: Leader | None


class ProblemPlace(_Given):
    """One single mistake: in a line of a text, or at a place of a JSON document."""

    message: str
    line: int | None = None
    column: int | None = None
    pointer: str | None = None


class Problem(_Given):
    """Problem details (RFC 9457)."""

    type: str = Field(examples=["urn:arca-dns:problem:stale-version"])
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable, for programs.", examples=["stale-version"])
    places: list[ProblemPlace] = Field([], description="Every single mistake.")
    current: str | None = Field(None, description="With stale-version: the version that the zone has now.")
