# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From zone files that people push to versions: merged by the Git store, judged and written by the service.

A file that fails is reported and left as it was written; its zone stays at the version that it has.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict

from .documents import ZoneSettings
from .errors import (
    AlreadyExists,
    ArcaError,
    Conflict,
    NotFound,
    Place,
    PlanRefused,
    StaleVersion,
    StoreError,
    ZoneTextError,
)
from .service import Service
from .store.base import Document, Json, JsonObject, Transaction
from .store.common import everything
from .store.git import GitStore
from .store.git.layout import IMPORT
from .store.git.merge import take
from .store.waiting import WaitingStore
from .zone import names
from .zone.text import parse

_ATTEMPTS = 5


def git_store(service: Service) -> GitStore | None:
    """The Git store that *service* works on; ``None`` if it is another. Raises ``StoreUnavailable``."""
    store = service.store
    if isinstance(store, WaitingStore):
        store = store.opened()
    return store if isinstance(store, GitStore) else None


class GitImport:
    """Brings what was pushed to the branch, and to the remote if it is pulled, into *service*'s zones.

    New zones get *settings*. Its store is Git, or waits for it.
    """

    def __init__(self, service: Service, settings: ZoneSettings) -> None:
        self._service = service
        self._settings = settings
        self._held: GitStore | None = None

    def round(self) -> None:
        """Take what is new, judge what waits. Raises ``StoreUnavailable``, at the end for a remote that is away."""
        problem: StoreError | None = None
        merged = False
        try:
            remote = self._store.pull()
        except StoreError as error:
            problem, remote = error, None
        for where, commit in (("branch", self._store.publish_branch()), ("remote", remote)):
            if commit is not None:
                merged = self._take(commit, where) or merged
        for document in self._reports():
            if document.value.get("state") == "pending":
                self._judge(document)
            elif document.value.get("state") == "refused" and document.value.get("zone") is not None:
                self._forget_if_gone(document)
        self._store.push_soon(now=merged)
        if problem is not None:
            raise problem

    @property
    def _store(self) -> GitStore:
        if self._held is None:
            self._held = git_store(self._service)
        if self._held is None:
            raise StoreError("the zones are not kept in Git: there is nothing to import")
        return self._held

    def _take(self, commit: bytes, where: str) -> bool:
        for _attempt in range(_ATTEMPTS):
            with suppress(Conflict):
                return take(self._store, commit, where)
        return take(self._store, commit, where)

    def _reports(self) -> list[Document]:
        return list(everything(self._store, IMPORT))

    def _judge(self, report: Document) -> None:
        """Write the version that *report* asks for, or say in it why not."""
        try:
            self._write(report.value)
        except (StaleVersion, AlreadyExists, NotFound) as error:
            self._refuse(report, "conflict", f"the zone was written in the meantime: {error.message}", ())
        except PlanRefused as error:
            message = error.message.replace("repeat it with force", "make the change through the API, with force")
            self._refuse(report, "refused", message, error.places)
        except StoreError:
            raise
        except ArcaError as error:
            self._refuse(report, "refused", error.message, error.places)
        else:
            held = self._store.get(report.key)
            if held is not None and held.value.get("state") == "pending":
                self._delete(held)

    def _write(self, report: JsonObject) -> None:
        version = None if report["version"] is None else str(report["version"])
        actor, reason = str(report["author"]), str(report["subject"])
        if report["object"] is None and version is None:
            return
        name = names.from_text(str(report["zone"]))
        if report["object"] is None:
            self._service.delete_zone(name, if_version=version, actor=actor, reason=reason)
            return
        parsed = parse(self._store.file_content(str(report["object"])), name)
        if parsed.origin != name:
            raise ZoneTextError(f"the file is of the zone {names.to_text(parsed.origin)}, its name says otherwise")
        if version is None:
            self._service.create_zone(
                name, parsed.rrsets, actor=actor, reason=reason, settings=self._settings, lines=parsed.lines
            )
        else:
            self._service.replace_zone(
                name, parsed.rrsets, if_version=version, actor=actor, reason=reason, lines=parsed.lines
            )

    def _refuse(self, report: Document, state: str, problem: str, places: tuple[Place, ...]) -> None:
        listed: list[Json] = [asdict(place) for place in places]
        value: JsonObject = {**report.value, "state": state, "problem": problem, "places": listed}
        try:
            self._store.commit(Transaction({report.key: report.revision}, {report.key: value}))
        except Conflict:
            return  # somebody has pushed again, or written the zone

    def _forget_if_gone(self, report: Document) -> None:
        """A report on a file that is not in the tree any more, as it was reported, is settled."""
        path = tuple(part.encode("utf-8", "surrogateescape") for part in str(report.value["file"]).split("/"))
        held = self._store.file_at(path)
        if (None if held is None else held.decode()) != report.value.get("object"):
            self._delete(report)

    def _delete(self, report: Document) -> None:
        try:
            self._store.commit(Transaction({report.key: report.revision}, deletes=[report.key]))
        except Conflict:
            return  # as above
