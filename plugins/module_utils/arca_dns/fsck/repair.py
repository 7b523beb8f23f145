# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Repairs what a check has found: from copies, from what the store holds of the same content, or by signing anew.

Blobs are written only where they hash to the digest that is wanted, documents only where none stands or where nobody
else has changed them; so a repair may run beside controllers, and again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ..documents import Dirty, dirty_key, encode, published_key, zone_key
from ..errors import ArcaError, Conflict
from ..moving.archive import Archive
from ..publish.publisher import Publisher
from ..store.base import ABSENT, JsonObject, Store, Transaction, revision_of
from ..zone import names
from ..zone.tree import links
from .findings import HEAD, PUBLISHED, SOURCE, Finding, Report
from .rebuild import Rebuilder
from .trees import Read

_ROUNDS = 8
_BATCH = 128
#: In place of the fingerprint of keys and policy: with it the next signing does not build on what is damaged.
SIGN_ANEW = "damaged"


@dataclass(frozen=True, slots=True)
class Copy:
    """Another place where blobs may be found: *name* for people."""

    name: str
    read: Read


def copy_of_archive(name: str, archive: Archive) -> Copy:
    """A backup as a place for blobs; it is read from front to back for each question."""

    def read(digests: list[str]) -> Mapping[str, bytes]:
        wanted = set(digests)
        return {digest: data for digest, data in archive.blobs() if digest in wanted}

    return Copy(name, read)


def repair(
    store: Store,
    check: Callable[[], Report],
    *,
    copies: Sequence[Copy] = (),
    publisher: Publisher | None = None,
) -> Report:
    """Repair what *check* finds, and check again until all is well or nothing more can be done.

    *publisher* signs; without it nothing is signed again. Returns the last report, with what was repaired.
    """
    return _Repair(store, check, copies, publisher).run()


class _Repair:
    def __init__(
        self,
        store: Store,
        check: Callable[[], Report],
        copies: Sequence[Copy],
        publisher: Publisher | None,
    ) -> None:
        self._store = store
        self._check = check
        self._copies = copies
        self._rebuilder = Rebuilder(store, publisher)
        self._publisher = publisher
        self._seen: dict[tuple[str, str], Finding] = {}
        self._how: dict[tuple[str, str], str] = {}
        self._marked: set[str] = set()

    def run(self) -> Report:
        report = self._check()
        for _round in range(_ROUNDS):
            for finding in report.damage:
                self._seen.setdefault((finding.code, finding.subject), finding)
            if not report.damage or not self._round(report):
                break
            report = self._check()
        left = {(finding.code, finding.subject) for finding in report.findings}
        done = [
            replace(finding, repaired=self._how.get(key, "it was written anew"))
            for key, finding in self._seen.items()
            if key not in left
        ]
        return replace(report, findings=(*done, *report.findings))

    def _round(self, report: Report) -> bool:
        """Do what costs least of all that can be done; whether that was anything."""
        blobs = [finding for finding in report.damage if finding.subject in report.spots]
        blobs = [finding for finding in blobs if report.spots[finding.subject].state != "wrong"]
        left = {finding.subject: finding for finding in self._from_copies(blobs)}
        done = len(left) < len(blobs)
        for digest, made in self._rebuilder.rebuild(list(left.values()), report.spots):
            self._replace({digest: made.data})
            self._say(left.pop(digest), made.how)
            done = True
        publish = False
        for finding in report.damage:
            if finding.fix and self._write(finding.fix):
                how = "its document is written" if finding.code == "missing-document" else "it is published again"
                self._say(finding, how)
                done = publish = True
        if not done and self._publisher is not None:
            for zone in dict.fromkeys(zone for one in left.values() for zone in self._to_sign(one, left)):
                self._mark(zone)
                done = publish = True
        if not done:
            return sum(self._drop(finding) for finding in left.values()) > 0
        if publish and self._publisher is not None:
            with suppress(ArcaError):  # what is not published is still damaged when it is looked at again
                self._publisher.publish()
        return True

    def _say(self, finding: Finding, how: str) -> None:
        self._how[finding.code, finding.subject] = how

    def _replace(self, blobs: Mapping[str, bytes]) -> None:
        good = {digest: data for digest, data in blobs.items() if hashlib.sha256(data).hexdigest() == digest}
        self._store.replace_blobs(good)

    def _from_copies(self, findings: Sequence[Finding]) -> list[Finding]:
        """Take what the copies have, and what is below it and missing here; returns what they do not have."""
        left = {finding.subject: finding for finding in findings}
        for copy in self._copies:
            waiting = list(left)
            while waiting:
                batch, waiting = waiting[:_BATCH], waiting[_BATCH:]
                found = copy.read(batch)
                good = {d: data for d, data in found.items() if hashlib.sha256(data).hexdigest() == d}
                self._replace(good)
                for digest in good.keys() & left.keys():
                    self._say(left.pop(digest), f"from {copy.name}")
                below = [link for data in good.values() for link in links(data)]
                there = self._store.read_blobs(below)
                waiting += [d for d in below if hashlib.sha256(there.get(d, b"")).hexdigest() != d]
        return list(left.values())

    def _write(self, fix: Mapping[str, JsonObject]) -> bool:
        """Write documents where none stand; whether nobody was faster."""
        try:
            self._store.commit(Transaction(dict.fromkeys(fix, ABSENT), fix))
        except Conflict:
            return False
        return True

    def _to_sign(self, finding: Finding, left: Mapping[str, Finding]) -> list[str]:
        """The zones whose published tree needs the blob, and whose source is whole."""
        hurt = {n.zone for other in left.values() for n in other.needs if n.line == SOURCE and n.current}
        zones = [n.zone for n in finding.needs if n.line == PUBLISHED and n.current]
        return [zone for zone in zones if zone not in hurt | self._marked]

    def _mark(self, name: str) -> None:
        """Let the publisher sign the zone as if for the first time."""
        self._marked.add(name)
        zone = names.from_text(name)
        published, note = self._store.get(published_key(zone)), self._store.get(dirty_key(zone))
        if published is None or self._store.get(zone_key(zone)) is None:
            return
        signing = published.value.get("signing")
        value: JsonObject = {**published.value, "signing": signing if signing == "unsigned" else SIGN_ANEW}
        expected = {published.key: published.revision, dirty_key(zone): revision_of(note)}
        with suppress(Conflict):  # it was published just now: the next look says whether that is whole
            writes = {published.key: value, dirty_key(zone): encode(Dirty(name))}
            self._store.commit(Transaction(expected, writes))

    def _drop(self, finding: Finding) -> bool:
        """Forget published versions and heads that nothing serves any more and whose blobs are lost for good."""
        if not finding.needs or any(need.line not in (PUBLISHED, HEAD) or need.current for need in finding.needs):
            return False
        keys = [need.key for need in finding.needs]
        for key in keys:  # the last one holds the serial that the name was served with
            if not self._store.scan(key.rpartition("/")[0] + "/", key, 1):
                return False
        self._store.commit(Transaction(deletes=keys))
        self._say(finding, "no copy of it is left: what was published in the past and had it is forgotten")
        return True
