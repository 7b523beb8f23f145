# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who comes before whom in a Git history, whatever the clocks of those who commit."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

from dulwich.objects import Commit, Tree
from hypothesis import given, strategies as st

from arca_dns.store.git.repository import Repository

# Parents of each commit, by number, and its time: few times, so that many are the same or out of order.
HISTORIES = st.lists(st.tuples(st.sets(st.integers(0, 30), max_size=2), st.integers(0, 2)), min_size=2, max_size=12)


def make(repository: Repository, history: list[tuple[set[int], int]]) -> tuple[list[bytes], list[set[int]]]:
    """The commits of *history*, and for each the numbers of those in its history, itself included."""
    tree: Any = Tree()
    objects: dict[bytes, Any] = {tree.id: tree}
    made: list[bytes] = []
    reach: list[set[int]] = []
    for number, (wanted, moment) in enumerate(history):
        parents = sorted({parent % number for parent in wanted}) if number else []
        commit: Any = Commit()
        commit.tree, commit.parents = tree.id, [made[parent] for parent in parents]
        commit.author = commit.committer = b"Ann <ann@example.net>"
        commit.author_time = commit.commit_time = moment
        commit.author_timezone = commit.commit_timezone = 0
        commit.message = str(number).encode()
        objects[commit.id] = commit
        made.append(commit.id)
        reach.append({number}.union(*(reach[parent] for parent in parents)))
    repository.write(objects)
    return made, reach


@given(HISTORIES)
def test_ancestors_and_merge_bases_do_not_hang_on_clocks(history: list[tuple[set[int], int]]) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Repository(Path(folder) / "zones.git", "main")) as repository,
    ):
        made, reach = make(repository, history)
        for new, commit in enumerate(made):
            for old, other in enumerate(made):
                assert repository.is_ancestor(other, commit) == (old in reach[new])
                common = reach[new] & reach[old]
                newest = {number for number in common if not any(number in reach[o] for o in common - {number})}
                base = repository.merge_base(commit, other)
                assert (base is None) == (not common)
                assert base is None or made.index(base) in newest
