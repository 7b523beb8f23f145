# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What must hold in a store whatever happened to those who wrote: the invariants, checked from the store alone.

Callers record every write that they tried (:class:`Attempt`), with the answer if there was one. Each attempt carries a
reason that nobody else uses, so a version tells which attempt made it.
"""

from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from arca_dns.dnssec.verifier import verify_zone
from arca_dns.errors import ArcaError
from arca_dns.publish.catalog import Catalog
from arca_dns.publish.head import SignedHead, open_head
from arca_dns.store.base import Document, Store
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot

TYPES = {"A": 1, "TXT": 16}
#: Seconds in which a controller that runs must have published what waits.
SETTLE_SECONDS = 60.0

#: (owner relative to the zone, type) → values
Content = dict[tuple[str, str], tuple[str, ...]]


@dataclass
class Attempt:
    """A write that somebody tried. *edits* of a change hold ``None`` for what it removes."""

    zone: str
    kind: str  # create, change, replace, rollback, delete
    reason: str
    parent: str | None = None
    edits: Mapping[tuple[str, str], tuple[str, ...] | None] = field(default_factory=dict)
    target: str | None = None
    status: int | None = None  # of the answer; None: there was none
    applied: bool = False
    version: str | None = None
    serial: int | None = None

    @property
    def acknowledged(self) -> bool:
        return self.status in (200, 201) and self.applied

    @property
    def refused(self) -> bool:
        """Whether the answer said that nothing was written."""
        return self.status is not None and self.status < 500 and not self.acknowledged


class Invariants:
    """Checks a store again and again; what it saw once must be there, unchanged, the next time."""

    def __init__(self, store: Store, head_public_key: bytes) -> None:
        self._store = store
        self._head_key = head_public_key
        self._seen: dict[str, Document] = {}
        self._hashed: set[str] = set()
        self._head = 0
        self.problems: list[str] = []

    def check(self, attempts: Iterable[Attempt], *, again: bool = False) -> int:
        """Check the versions; returns how many there are. *again*: also re-hash what was re-hashed before."""
        if again:
            self._hashed.clear()
        tried = {attempt.reason: attempt for attempt in attempts}
        versions = self._all("version/")
        found: dict[str, Document] = {}
        for document in versions:
            reason = str(document.value["reason"])
            attempt = tried.get(reason)
            if attempt is None or attempt.refused:
                self._wrong(f"{document.key}: nobody was told that {reason} is written")
            elif reason in found:
                self._wrong(f"{reason} was applied twice: {found[reason].key} and {document.key}")
            found[reason] = document
        by_zone: dict[str, list[Document]] = {}
        for document in versions:
            by_zone.setdefault(document.key.split("/")[1], []).append(document)
        for zone, chain in by_zone.items():
            self._chain(zone, chain, tried, again)
        for attempt in tried.values():
            if attempt.acknowledged:
                self._acknowledged(attempt, found.get(attempt.reason))
        there = {document.key: document for document in versions}
        for key, document in self._seen.items():
            if there.get(key) != document:
                self._wrong(f"{key} was {document.value} and is {there[key].value if key in there else 'gone'}")
        self._seen = there
        self._publications()
        self._raise()
        return len(versions)

    def settled(self) -> None:
        """Wait until nothing waits for publication, then check that what is published is what was written."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while notes := self._store.scan("dirty/"):
            if time.monotonic() > deadline:
                self._wrong(f"waits for publication for ever: {[note.value for note in notes]}")
                break
            time.sleep(0.05)
        held = self._store.get("head/stable")
        if held is None:
            self._wrong("there is no head")
            self._raise()
            return
        now = int(time.time())
        head = open_head(
            SignedHead.from_json(held.value["signed"]),
            [self._head_key],
            ring="stable",
            now=now,
            minimum_revision=self._head,
        )
        self._head = head.revision
        blobs = Blobs(self._store.read_blobs)
        catalog = {names.to_text(entry.zone): entry for entry in Catalog(blobs, head.catalog)}
        sources = {str(document.value["name"]): document.value for document in self._all("zone/")}
        if set(catalog) != set(sources):
            self._wrong(f"the catalog has {sorted(catalog)}, but there are {sorted(sources)}")
        for name in set(catalog) & set(sources):
            published = self._store.get(f"published/{name}")
            entry = catalog[name]
            if published is None or (published.value["root"], published.value["serial"]) != (entry.root, entry.serial):
                self._wrong(f"{name}: the catalog has {entry}, the published version is {published}")
                continue
            if published.value["source"] != sources[name]["version"]:
                self._wrong(f"{name}: published is {published.value['source']}, not {sources[name]['version']}")
            self._rehash(name, entry.root)
            try:
                verify_zone(ZoneRoot.load(blobs, entry.root), now)
            except ArcaError as error:
                self._wrong(f"{name}: what is published does not verify: {error}")
        self._raise()

    def content(self, root: str) -> Content:
        """What a source tree says, its SOA and NS left out."""
        tree = ZoneRoot.load(Blobs(self._store.read_blobs), root)
        ending = "." + names.to_text(tree.origin)
        found: Content = {}
        for owner, data in tree.items():
            for rrset in rr.rrsets(data):
                if rrset.rdtype == TYPES["A"]:
                    values = [socket.inet_ntoa(rdata) for rdata in rrset.rdatas]
                elif rrset.rdtype == TYPES["TXT"]:
                    values = [rdata[1:].decode() for rdata in rrset.rdatas]
                else:
                    continue
                kind = "A" if rrset.rdtype == TYPES["A"] else "TXT"
                found[names.to_text(owner).removesuffix(ending), kind] = tuple(sorted(values))
        return found

    # -- inside -----------------------------------------------------------------------------

    def _all(self, prefix: str) -> list[Document]:
        found: list[Document] = []
        while page := self._store.scan(prefix, found[-1].key if found else ""):
            found += page
        return found

    def _wrong(self, problem: str) -> None:
        self.problems.append(problem)

    def _raise(self) -> None:
        assert not self.problems, f"{len(self.problems)} invariants are broken:\n" + "\n".join(self.problems[:20])

    def _chain(self, zone: str, chain: list[Document], tried: Mapping[str, Attempt], again: bool) -> None:
        """Each version has the one before it as its parent, also a zone that is made again after its deletion."""
        by_name = {str(document.value["version"]): document for document in chain}
        before: Document | None = None
        for document in chain:
            value = document.value
            gone = before is None or not before.value["root"]
            parent = None if before is None else before.value["version"]
            if value["parent"] != parent:
                self._wrong(f"{document.key} has the parent {value['parent']}, not {parent}")
            if before is not None and value["root"]:
                newer = rr.serial_newer(int(str(value["serial"])), int(str(before.value["serial"])))
                if not newer and not gone:
                    self._wrong(f"{document.key}: serial {value['serial']} after {before.value['serial']}")
            attempt = tried.get(str(value["reason"]))
            if attempt is not None and (again or document.key not in self._seen):
                self._whole(attempt, document, by_name)
            before = document
        source = self._store.get(f"zone/{zone}")
        last = chain[-1].value
        if not last["root"]:
            if source is not None:
                self._wrong(f"{zone} is deleted and there")
        elif source is None or (source.value["version"], source.value["root"], source.value["serial"]) != (
            last["version"],
            last["root"],
            last["serial"],
        ):
            self._wrong(f"{zone} is at {source and source.value}, its last version is {last}")

    def _whole(self, attempt: Attempt, document: Document, by_name: Mapping[str, Document]) -> None:
        """The version is exactly what the attempt asked for, acknowledged or not."""
        value, root = document.value, str(document.value["root"])
        if attempt.kind != "create" and value["parent"] != attempt.parent:
            self._wrong(f"{document.key} has the parent {value['parent']}, its writer named {attempt.parent}")
        if attempt.kind == "delete":
            if root:
                self._wrong(f"{document.key}: a deletion with content")
            return
        self._rehash(document.key, root)
        if attempt.kind == "rollback":
            target = by_name.get(str(attempt.target))
            if target is None or target.value["root"] != root:
                self._wrong(f"{document.key} is not what {attempt.target} was")
            return
        wanted: Content = {}
        if attempt.kind == "change":
            parent = by_name.get(str(attempt.parent))
            if parent is None:
                return  # told above
            wanted = self.content(str(parent.value["root"]))
        for key, values in attempt.edits.items():
            wanted.pop(key, None)
            if values is not None:
                wanted[key] = values
        held = self.content(root)
        if held != wanted:
            self._wrong(f"{document.key} ({attempt.kind}) is {held}, not {wanted}")

    def _acknowledged(self, attempt: Attempt, document: Document | None) -> None:
        if document is None:
            self._wrong(f"lost: {attempt}")
            return
        value = document.value
        if attempt.kind != "delete" and (value["version"], value["serial"]) != (attempt.version, attempt.serial):
            self._wrong(f"{document.key} is {value}, the answer was {attempt}")

    def _rehash(self, what: str, root: str) -> None:
        """Every blob of the tree is there and has the hash that names it, by the store's own word."""
        try:
            digests = set(ZoneRoot.load(Blobs(self._store.read_blobs), root).blobs(root)) - self._hashed
        except ArcaError as error:
            self._wrong(f"{what}: {error}")
            return
        held = self._store.read_blobs(digests)
        for digest in digests:
            if digest not in held:
                self._wrong(f"{what}: blob {digest} is lost")
            elif hashlib.sha256(held[digest]).hexdigest() != digest:
                self._wrong(f"{what}: blob {digest} is corrupt")
        self._hashed |= digests

    def _publications(self) -> None:
        """Published serials only go forward."""
        before: dict[str, Document] = {}
        for document in self._all("publication/"):
            zone = document.key.split("/")[1]
            last = before.get(zone)
            if last is not None and not rr.serial_newer(
                int(str(document.value["serial"])), int(str(last.value["serial"]))
            ):
                self._wrong(f"{document.key}: serial {document.value['serial']} after {last.value['serial']}")
            before[zone] = document
