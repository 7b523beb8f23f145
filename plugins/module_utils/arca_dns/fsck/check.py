# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The check of a whole store, or of one zone: reads only, and may run beside controllers.

What looks damaged is read again until it is the same twice, so nothing is blamed that a writer was just changing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ..documents import API_KEY, API_KEY_USED, IDEMPOTENCY, JOURNAL, PROMOTION, ROLL_CALL, SITES
from ..moving import marker
from ..moving.copy import Progress
from ..moving.reach import roots
from ..store.base import Document, Store
from ..zone import names
from . import zones
from .findings import CATALOG, OTHER, Finding, Report, of_blob
from .heads import Heads, mark
from .needs import HEADS_OF_THE_PAST, Needs
from .streams import MANY, SINGLE, zones as all_zones
from .trees import Trees, Wanted

#: What else a store holds. Git keeps reports on pushed files below ``import/``.
_OTHERS = (
    *("restored/", "edge/", "edge-zones/", "import/", "lease/", "keys/", "keyring", "served/", HEADS_OF_THE_PAST),
    *(API_KEY, API_KEY_USED, JOURNAL, IDEMPOTENCY, PROMOTION, SITES, ROLL_CALL),
)
_SEEN = (*(f"{kind}/" for kind in (*SINGLE, *MANY)), "head/", marker.PREFIX)  # or not to be looked at
_LAST = "\U0010ffff"
_LOOKS = 5
_PAGE = 200

Tell = Callable[[Progress], None]


def check(
    store: Store,
    *,
    now: float,
    keys: Sequence[bytes] = (),
    zone: bytes | None = None,
    tell: Tell = lambda _progress: None,
) -> Report:
    """Look at everything that *store* holds, or at *zone* alone.

    *keys* are the public head keys of the controller. Memory grows by some 100 octets for each blob, and by some 200
    for each zone. Raises ``StoreUnavailable``; damage is no error.
    """
    return _Checking(store, int(now), keys, zone, tell).run()


class _Checking:
    def __init__(self, store: Store, now: int, keys: Sequence[bytes], zone: bytes | None, tell: Tell) -> None:
        self._store = store
        self._zone = zone
        self._tell = tell
        self._progress = Progress("check")
        self._trees = Trees(store.read_blobs, self._told)
        self._heads = Heads(store, self._trees, keys, now)
        self._published: dict[bytes, bytes] = {}

    def run(self) -> Report:
        found: list[Finding] = []
        if self._zone is None:
            for name, documents in all_zones(self._store):
                found += self._settled(documents)
                self._count(len(documents.revisions()), name)
            found += self._heads.check(self._published, None)
            found += self._others()
        else:
            documents = zones.load(self._store, self._zone)
            found += self._settled(documents)
            self._count(len(documents.revisions()), names.to_text(self._zone))
            found += self._heads.check(None, self._zone)
        found += self._blobs()
        at = self._progress
        return Report(tuple(found), dict(self._trees.damaged), at.documents, self._trees.blobs, self._trees.octets)

    def _settled(self, documents: zones.Documents) -> list[Finding]:
        """What is wrong with a zone, once its documents are the same twice."""
        for _look in range(_LOOKS):
            before = len(self._trees.damaged)
            found = zones.check(documents, self._trees)
            if not any(finding.damage for finding in found) and len(self._trees.damaged) == before:
                break
            again = zones.load(self._store, documents.name)
            if again.revisions() == documents.revisions():
                break
            documents = again
            self._trees.again()
        else:
            changing = "its documents kept changing while they were looked at: look again"
            found = [replace(finding, damage=False, means=changing, fix={}) for finding in found]
        if documents.published is not None:
            value = documents.published.value
            self._published[documents.name] = mark(str(value.get("version")), str(value.get("root")))
        return found

    def _others(self) -> Iterator[Finding]:
        """What documents of no zone need, and those that nobody knows."""
        unknown: dict[str, int] = {}
        for document in self._beside():
            if not document.key.startswith(_OTHERS):
                prefix = document.key.split("/")[0]
                unknown[prefix] = unknown.get(prefix, 0) + 1
            found = roots(document.key, document.value).items()
            part = CATALOG if document.key.startswith(HEADS_OF_THE_PAST) else OTHER
            self._trees.visit(Wanted(digest, part, required=required) for digest, required in found)
            self._count(1, document.key)
        for prefix, count in sorted(unknown.items()):
            problem = f"{count} documents of a kind that this version does not know"
            yield Finding("unknown-document", prefix, problem, "a newer version may have made them", damage=False)
        held = marker.read(self._store)
        if held is not None:
            yield Finding(
                "half-filled",
                marker.KEY,
                f"a {held.kind} from {held.source} began at {held.started} and has not ended",
                "no controller starts on this store",
                f"run the same 'arca-dns-controller {held.kind}' again",
                damage=False,
            )

    def _beside(self) -> Iterator[Document]:
        """All documents but those of zones and heads, which are not read for it."""
        after = ""
        while page := self._store.scan("", after, _PAGE):
            for document in page:
                kind = next((prefix for prefix in _SEEN if document.key.startswith(prefix)), None)
                if kind is not None:
                    after = kind + _LAST
                    break
                after = document.key
                yield document

    def _blobs(self) -> Iterator[Finding]:
        """The damaged blobs that are still damaged and that somebody needs."""
        if not self._trees.damaged:
            return
        self._trees.again()
        needs = Needs(self._store)
        for digest, spot in sorted(self._trees.damaged.items()):
            needed = needs.of(spot)
            if needed or spot.part == OTHER:
                yield of_blob(spot, needed)
            else:
                del self._trees.damaged[digest]  # of a version that was removed meanwhile

    def _count(self, documents: int, key: str) -> None:
        self._progress = replace(self._progress, documents=self._progress.documents + documents, key=key)
        self._tell(self._progress)

    def _told(self, blobs: int, octets: int) -> None:
        self._progress = replace(self._progress, blobs=blobs, octets=octets)
        self._tell(self._progress)
