# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Commits that people pushed: what of them is taken, and the merge commit that takes it.

The merge puts changed zone files into the tree as they were written and leaves a report beside each, for the service to
judge. A zone that was changed on both sides keeps our file. A change of ``state/`` refuses everything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..._deps import dulwich
from ...errors import ZoneTextError
from ...zone import rr, text
from ..base import Json, JsonObject, Transaction, revision_of
from . import layout
from .repository import Repository
from .store import Addition, GitStore

_SHOWN_PATHS = 5


@dataclass(frozen=True, slots=True)
class Pushed:
    """Who changed a file, in which commit."""

    commit: str
    author: str
    email: str
    subject: str


def take(store: GitStore, commit: bytes, where: str) -> bool:
    """Merge *commit*, which *where* (``branch``, ``remote``) has come to; returns whether there was anything to do.

    Raises ``Conflict`` if zones were written meanwhile: try again.
    """
    refusal = f"{layout.IMPORT}@{where}"
    with store.opened() as (repository, head):
        if repository.is_ancestor(commit, head):
            return False
        found = _compare(store, repository, head, commit, where)
    held = store.get(refusal)
    if isinstance(found, dict):
        if held is None or held.value != found:
            store.commit(Transaction(writes={refusal: found}))
        return False
    message = f"Merge {where} {commit.decode()[:12]}: {layout.listing(found.zones) or 'no zone changed'}"
    if found.kept:
        message += "\n\nChanged on both sides, kept as they were here:\n" + "\n".join(found.kept)
    store.commit_with(
        Transaction(found.preconditions, found.reports, [] if held is None else [refusal]),
        Addition(commit, found.files, layout.Message(None, message)),
    )
    return True


@dataclass(slots=True)
class _Found:
    """What there is to take of a commit."""

    preconditions: dict[str, int] = field(default_factory=dict)
    reports: dict[str, JsonObject] = field(default_factory=dict)
    files: dict[layout.Path, bytes | None] = field(default_factory=dict)
    zones: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def _compare(store: GitStore, repository: Repository, head: bytes, commit: bytes, where: str) -> _Found | JsonObject:
    """What to take of *commit*, or the report that says why nothing is."""
    base = repository.merge_base(head, commit)
    ours, theirs = repository.read(head).tree, repository.read(commit).tree
    before = None if base is None else repository.read(base).tree
    changed = dict(repository.differences(before, theirs))
    authors = _authors(repository, commit, head)
    state = [path for path in changed if path[0] == layout.STATE]
    if state:
        return _state_report(where, state, commit, authors)
    found = _Found()
    for path, item in changed.items():
        mine, old = repository.find(ours, path), repository.find(before, path)
        if mine == item:
            continue
        zone = layout.zone_of(path[-1]) if path[0] == layout.ZONES else None
        both = mine != old and not (zone is not None and _same_zone(repository, mine, old))
        if not both:
            found.files[path] = item
        if zone is None:
            continue
        held = store.get(f"zone/{zone}")
        found.preconditions[f"zone/{zone}"] = revision_of(held)
        version = None if held is None else str(held.value.get("version"))
        pushed = authors.get(path) or _pushed(repository, commit)
        report = _report(zone, path, item, pushed, version)
        belongs = store.zone_path(zone)
        if both:
            found.kept.append(zone)
            report |= _conflict(path, pushed, version)
        elif belongs != path and item is not None:
            report |= _misplaced(path, belongs)
        found.zones.append(zone)
        found.reports[layout.IMPORT + zone] = report
    return found


def _same_zone(repository: Repository, one: bytes | None, other: bytes | None) -> bool:
    """Whether two files hold the same zone, serial and layout apart: ours is written anew from what was pushed."""
    if one is None or other is None:
        return False
    try:
        zones = [text.parse(repository.read(item).data) for item in (one, other)]
    except ZoneTextError:
        return False
    first, second = ([rr.with_serial(rrset, 0) for rrset in zone.rrsets] for zone in zones)
    return first == second


def _report(zone: str, path: layout.Path, item: bytes | None, pushed: Pushed, version: str | None) -> JsonObject:
    return {
        "zone": zone,
        "file": _text(path),
        "commit": pushed.commit,
        "author": pushed.author,
        "email": pushed.email,
        "subject": pushed.subject,
        "state": "pending",
        "problem": None,
        "places": [],
        "version": version,
        "object": None if item is None else item.decode(),
    }


def _conflict(path: layout.Path, pushed: Pushed, version: str | None) -> JsonObject:
    here = f"the controller has version {version}" if version else "the controller has deleted it"
    return {
        "state": "conflict",
        "problem": f"{_text(path)} was changed on both sides: {here}, and commit {pushed.commit[:12]} changed it too."
        f" The controller's is kept. Pull, make the change again (`git show {pushed.commit[:12]}` has it), and push",
    }


def _misplaced(path: layout.Path, belongs: layout.Path | None) -> JsonObject:
    there = f"its place is {_text(belongs)}" if belongs else "the name of its file would be too long: use the API"
    return {"state": "refused", "problem": f"{_text(path)} is not where the zone's file is kept: {there}"}


def _state_report(
    where: str, state: list[layout.Path], commit: bytes, authors: dict[layout.Path, Pushed]
) -> JsonObject:
    by = authors.get(state[0]) or Pushed(commit.decode(), "", "", "")
    paths = ", ".join(_text(path) for path in state[:_SHOWN_PATHS])
    more = f" and {len(state) - _SHOWN_PATHS} more" if len(state) > _SHOWN_PATHS else ""
    places: list[Json] = []
    return {
        "zone": None,
        "file": _text(state[0]),
        "commit": by.commit,
        "author": by.author,
        "email": by.email,
        "subject": by.subject,
        "state": "refused",
        "problem": f"the {where} changes {paths}{more}: state/ is the controller's own. Nothing of the {where} is taken"
        f" until a commit undoes that (`git revert {by.commit[:12]}`)",
        "places": places,
    }


def _authors(repository: Repository, commit: bytes, head: bytes) -> dict[layout.Path, Pushed]:
    """For each path, the newest commit that changed it, of those that *commit* has and *head* has not."""
    walk: Any = dulwich.walk
    found: dict[layout.Path, Pushed] = {}
    for entry in walk.Walker(repository.repo.object_store, [commit], exclude=[head]):
        for change in entry.changes():
            for single in change if isinstance(change, list) else [change]:
                path = tuple((single.new or single.old).path.split(b"/"))
                found.setdefault(path, _pushed(repository, entry.commit.id))
    return found


def _pushed(repository: Repository, commit: bytes) -> Pushed:
    read = repository.read(commit)
    name, _sign, email = read.author.decode("utf-8", "replace").partition(" <")
    subject = read.message.decode("utf-8", "replace").strip().split("\n", 1)[0]
    email = email.removesuffix(">")
    return Pushed(commit.decode(), name.strip() or email or "unknown", email, subject.strip())


def _text(path: layout.Path) -> str:
    return b"/".join(path).decode("utf-8", "replace")
