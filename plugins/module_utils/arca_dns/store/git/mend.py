# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Objects of a repository that cannot be read: found below the head, and taken from another repository.

Without them the store does not open, or misses folders; tree nodes (below ``state/blobs``) are looked at by those who
know what they are. History before the head is `git fsck`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._deps import require
from ...errors import IntegrityError
from . import layout
from .repository import FOLDER, Repository

#: Takes the name of an object and returns it, or ``None``.
Donor = Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Broken:
    """An object that cannot be read: its name, and the file or folder whose it is (empty for the commit)."""

    sha: str
    path: str


def survey(path: Path, branch: str) -> list[Broken]:
    """What cannot be read of the head of the repository at *path*; reads only."""
    require("dulwich")
    repository = Repository(path, branch)
    try:
        return [broken for broken, _item in _walk(repository, branch, ())]
    finally:
        repository.close()


def mend(path: Path, branch: str, donors: Sequence[Donor]) -> list[Broken]:
    """Put in place what *donors* have of what cannot be read; returns what they had."""
    require("dulwich")
    repository = Repository(path, branch)
    try:
        with repository.locked():
            found = [(broken, item) for broken, item in _walk(repository, branch, donors) if item is not None]
            if found:
                repository.replace({item.id: item for _broken, item in found})
        return [broken for broken, _item in found]
    finally:
        repository.close()


def _walk(repository: Repository, branch: str, donors: Sequence[Donor]) -> Iterator[tuple[Broken, Any]]:
    """Each object that cannot be read, and what a donor has in its place; what is below that is walked too.

    Where there is any, and somebody to ask, the commits of the past are walked as well: a push goes through them.
    """
    head = repository.resolve(f"refs/arca/{branch}") or repository.resolve(f"refs/heads/{branch}")
    if head is None:
        return
    item, broken = _read(repository, head, (), donors)
    yield from broken
    stack: list[tuple[bytes, tuple[bytes, ...]]] = [] if item is None else [(item.tree, ())]
    found = bool(broken)
    while stack:
        sha, path = stack.pop()
        content, broken = _read(repository, sha, path, donors)
        yield from broken
        found = found or bool(broken)
        if content is not None and content.type_name == b"tree":
            for name, mode, inner in content.iteritems():
                below = (*path, name)
                if mode == FOLDER or (mode | 0o111 == 0o100755 and below[:2] != layout.BLOBS):
                    stack.append((inner, below))
    past = [] if item is None or not donors or not found else list(item.parents)
    seen = set(past)
    while past:
        commit, broken = _read(repository, past.pop(), (b"history",), donors)
        yield from broken
        parents = [] if commit is None else [sha for sha in commit.parents if sha not in seen]
        seen.update(parents)
        past += parents


def _read(
    repository: Repository, sha: bytes, path: tuple[bytes, ...], donors: Sequence[Donor]
) -> tuple[Any, list[tuple[Broken, Any]]]:
    """The object *sha*, of this repository or of a donor; and that it is broken here, if it is."""
    try:
        return repository.read(sha), []
    except IntegrityError:
        item = next((given for donor in donors if (given := donor(sha)) is not None and given.id == sha), None)
        return item, [(Broken(sha.decode(), b"/".join(path).decode("utf-8", "replace")), item)]
