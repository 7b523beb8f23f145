# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Blobs that wait for a commit, and what a writer that died leaves."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from arca_dns.store.git.staging import Ages, Staged


def blobs(*data: bytes) -> dict[str, bytes]:
    return {hashlib.sha256(item).hexdigest(): item for item in data}


def staged(path: Path) -> dict[str, bytes | None]:
    found = Staged(path)
    found.refresh()
    try:
        return {digest: found.read(digest) for digest in found.digests()}
    finally:
        found.close()


@pytest.mark.parametrize("cut", range(1, 50))
def test_a_record_that_was_not_finished_is_cut_off(tmp_path: Path, cut: int) -> None:
    path, whole = tmp_path / "staged", blobs(b"a", b"bc")
    writer = Staged(path)
    writer.refresh(repair=True)
    writer.add(whole)
    before = path.stat().st_size
    writer.add(blobs(b"0123456789abcdef"))
    writer.close()
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size - cut)
    assert staged(path) == whole
    again = Staged(path)
    again.refresh(repair=True)
    assert path.stat().st_size == before
    again.add(blobs(b"more"))
    again.close()
    assert staged(path) == {**whole, **blobs(b"more")}


def test_bytes_that_are_not_what_their_digest_says_are_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "staged"
    writer = Staged(path)
    writer.refresh(repair=True)
    writer.add(blobs(b"right"))
    writer.close()
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    assert staged(path) == {}


def test_who_reads_while_the_file_is_replaced_reads_the_old_one(tmp_path: Path) -> None:
    writer, reader = Staged(tmp_path / "staged"), Staged(tmp_path / "staged")
    writer.refresh(repair=True)
    writer.add(blobs(b"a", b"b"))
    reader.refresh()
    kept = next(iter(blobs(b"b")))
    writer.keep([kept])
    assert {reader.read(digest) for digest in reader.digests()} == {b"a", b"b"}
    reader.refresh()
    assert reader.digests() == [kept]
    writer.close()
    reader.close()


def test_ages_are_seen_by_others_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    writer, reader = Ages(tmp_path / "ages"), Ages(tmp_path / "ages")
    old, young = blobs(b"old", b"young")
    writer.refresh(repair=True)
    writer.add([old], 10.0, 0.0)
    writer.add([young], 20.0, 0.0)
    reader.refresh()
    assert (reader.written(old), reader.written(young)) == (10.0, 20.0)
    writer.forget(15.0)
    reader.refresh()
    assert (reader.written(old), reader.written(young)) == (0.0, 20.0)
    writer.close()
    reader.close()
