# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent's database: durable steps, batches, and what happens to one that cannot be read."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns.errors import HeadRejected
from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head, HeadKey
from arca_dns.zone import names
from arca_dns_agent.state import KEPT_VERSIONS, Served, State, StateLost
from malformed import malform

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


def filled(directory: Path) -> Path:
    """A database with something of everything, which nobody has open."""
    state = State(directory)
    state.write(blobs(3))
    state.commit(HEAD, [Entry(ZONE, 7, "a" * 64, "v")], [])
    state.keep_served([Served(ZONE, 7, "a" * 64, True)], [])
    state.close()
    return directory / "state.sqlite"


@pytest.mark.parametrize("table", ["heads", "versions", "served"])
def test_a_database_that_opens_and_cannot_be_read_is_put_aside(tmp_path: Path, table: str) -> None:
    malform(filled(tmp_path), table)
    state = State(tmp_path)
    assert state.damaged == tmp_path / "state.damaged"
    assert state.damaged.exists()
    assert (state.head(), state.roots(), state.served(), state.digests()) == (None, [], {}, [])
    state.close()


def test_text_that_is_none_any_more_is_damage_too(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes().replace(b"a" * 64, b"\xff" * 64))
    state = State(tmp_path)
    assert state.damaged is not None
    state.close()


def test_a_head_that_is_none_any_more_is_told_as_such(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'{"payload"', b'?"payload"'))
    state = State(tmp_path)
    with pytest.raises(HeadRejected, match="not JSON"):
        state.head()
    state.close()


@pytest.mark.parametrize("writing", [False, True])
def test_damage_that_shows_later_is_told_and_put_aside_when_all_is_closed(tmp_path: Path, writing: bool) -> None:
    malform(filled(tmp_path), "blobs")
    told: list[int] = []
    state = State(tmp_path, lambda: told.append(1))
    assert state.damaged is None
    with pytest.raises(StateLost, match=r"state\.sqlite is damaged .*put aside as state\.damaged"):
        state.write(blobs(9)) if writing else state.read(list(blobs(3)))
    assert told == [1]
    assert state.lost is not None
    state.close()
    again = State(tmp_path)
    assert (again.damaged, again.head(), again.digests()) == (None, None, [])
    assert (tmp_path / "state.damaged").exists()
    again.close()


def test_what_may_pass_is_no_damage(state: State) -> None:
    state._reader.execute("BEGIN")
    with pytest.raises(sqlite3.OperationalError), state._read() as database:
        database.execute("BEGIN")
    assert state.lost is None


def test_the_folder_is_closed_to_others(state: State, tmp_path: Path) -> None:
    assert (tmp_path / "agent").stat().st_mode & 0o007 == 0
