# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent's database: durable steps, batches, and what happens to one that cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head, HeadKey
from arca_dns.zone import names
from arca_dns_agent.state import KEPT_VERSIONS, Served, State

ZONE = names.from_text("example.")
HEAD = HeadKey.generate().sign(Head("stable", 1, None, 0, 1))


def blobs(count: int) -> dict[str, bytes]:
    made = [f"blob {n}".encode() for n in range(count)]
    return {hashlib.sha256(data).hexdigest(): data for data in made}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    made = State(tmp_path / "agent")
    yield made
    made.close()


def test_blobs_are_kept_in_any_number(state: State) -> None:
    many = blobs(1300)
    state.write(many)
    state.write(many)
    assert state.read(list(many)) == many
    assert state.missing([*many, "absent", "absent"]) == ["absent"]
    keep = set(list(many)[:3])
    assert state.sweep(keep) == 1297
    assert set(state.digests()) == keep


def test_a_commit_is_there_for_the_next_agent(state: State, tmp_path: Path) -> None:
    state.commit(HEAD, [Entry(ZONE, 7, "a" * 64, "v")], [])
    state.keep_served([Served(ZONE, 7, "a" * 64, True)], [])
    again = State(tmp_path / "agent")
    assert again.head() == HEAD
    assert again.root_of(ZONE, 7) == "a" * 64
    assert again.served() == {ZONE: Served(ZONE, 7, "a" * 64, True)}
    again.close()


def test_only_the_latest_versions_are_kept(state: State) -> None:
    for serial in range(20):
        state.commit(HEAD, [Entry(ZONE, serial, f"{serial:064x}", "v")], [])
    assert len(state.roots()) == KEPT_VERSIONS
    assert state.root_of(ZONE, 19) is not None
    assert state.root_of(ZONE, 0) is None
    state.commit(HEAD, [], [ZONE])
    assert state.roots() == []


def test_a_commit_that_fails_changes_nothing(state: State) -> None:
    state.commit(HEAD, [Entry(ZONE, 1, "a" * 64, "v")], [])
    other = HeadKey.generate().sign(Head("stable", 2, None, 0, 1))
    broken = Entry(ZONE, None, "b" * 64, "v")  # type: ignore[arg-type]
    with pytest.raises(Exception, match="NOT NULL"):
        state.commit(other, [broken], [])
    assert state.head() == HEAD


def test_a_database_that_cannot_be_read_is_put_aside(tmp_path: Path) -> None:
    directory = tmp_path / "agent"
    directory.mkdir()
    (directory / "state.sqlite").write_bytes(b"this is no database" * 100)
    state = State(directory)
    assert state.head() is None
    assert state.damaged is not None
    assert state.damaged.read_bytes().startswith(b"this is no database")
    state.close()


def test_the_folder_is_closed_to_others(state: State, tmp_path: Path) -> None:
    assert (tmp_path / "agent").stat().st_mode & 0o007 == 0
