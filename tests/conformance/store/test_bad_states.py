# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Backends that are files: a file system that is read-only, and files that are damaged. Servers are in test_servers."""

from __future__ import annotations

import os
import random
import subprocess
import warnings
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from arca_dns.errors import ArcaError, StoreUnavailable
from arca_dns.store.base import Store, Transaction
from arca_dns.store.open import open_store
from small_disk import small_disk

pytestmark = pytest.mark.conformance


def fill(store: Store, count: int = 40) -> None:
    noise = random.Random(5)
    for n in range(count):
        store.commit(Transaction(writes={f"k/{n:04}": {"text": noise.randbytes(2000).hex()}}))


@pytest.mark.parametrize("kind", ["sqlite", "git"])
def test_a_read_only_file_system_is_said_and_left_behind(kind: str) -> None:
    with small_disk(32) as disk:
        options: dict[str, object] = {"path": str(disk.folder / "state")}
        with closing(open_store(kind, options)) as store:
            fill(store)
        subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], check=True)
        for _ in range(2):
            with pytest.raises(StoreUnavailable, match=r"file system is read-only: mount it writable"):
                open_store(kind, options)
        subprocess.run(["mount", "-o", "remount,rw", str(disk.folder)], check=True)
        with closing(open_store(kind, options)) as store:
            assert len(store.scan("k/")) == 40
            store.commit(Transaction(writes={"after": {}}))


@pytest.mark.parametrize(("kind", "owned"), [("sqlite", "own the file and its folder"), ("git", "own the repository")])
def test_files_of_another_user_are_said(tmp_path: Path, kind: str, owned: str) -> None:
    options: dict[str, object] = {"path": str(tmp_path / "state")}
    open_store(kind, options).close()
    said = as_nobody(lambda: open_store(kind, options))
    assert said.startswith("StoreUnavailable: ")
    assert said.endswith(f"permission denied: let the controller's user {owned}")


def as_nobody(call: Callable[[], object]) -> str:
    """What *call* raises in a process of a user that owns nothing."""
    if os.geteuid() != 0:
        pytest.fail("another user's process needs root")
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: the child starts none
        child = os.fork()
    if child == 0:
        said = "nothing"
        try:
            os.setgroups([])
            os.setresuid(65534, 65534, 65534)
            call()
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        finally:
            os.write(writing, said.encode())
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read()


def damaged_pages(data: bytes) -> bytes:
    made = bytearray(data)
    for at in range(8192, len(made) - 4096, 4096):
        made[at : at + 200] = os.urandom(200)
    return bytes(made)


@pytest.mark.parametrize(
    "harm",
    [lambda data: b"no database " * 1000, lambda data: data[: len(data) // 3], damaged_pages],
    ids=["other content", "cut short", "damaged pages"],
)
def test_a_damaged_sqlite_file_is_said_with_the_way_out_and_is_not_written(tmp_path: Path, harm) -> None:
    file = tmp_path / "arca.db"
    options: dict[str, object] = {"path": str(file)}
    with closing(open_store("sqlite", options)) as store:
        fill(store)
    bad = harm(file.read_bytes())
    file.write_bytes(bad)

    def use() -> None:
        with closing(open_store("sqlite", options)) as store:
            store.scan("")
            store.commit(Transaction(writes={"k/0001": {}}))

    with pytest.raises(StoreUnavailable) as caught:
        use()
    said = str(caught.value)
    assert said.startswith(f"{file}: this is not a SQLite database, or it is damaged (")
    assert said.endswith(
        "): stop the controller, move the file away (and those of the same name with -wal and -shm), then restore a"
        " backup with 'arca-dns-controller restore'"
    )
    assert file.read_bytes() == bad
    for left in tmp_path.glob("arca.db*"):
        left.rename(left.with_name(f"away-{left.name}"))
    with closing(open_store("sqlite", options)) as store:
        assert store.scan("") == []


def test_a_repository_whose_commit_is_damaged_is_said_with_the_way_out(tmp_path: Path) -> None:
    options: dict[str, object] = {"path": str(tmp_path / "zones.git")}
    with closing(open_store("git", options)) as store:
        fill(store, 3)
    for pack in (tmp_path / "zones.git" / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o644)
        content = bytearray(pack.read_bytes())
        content[14:-20] = bytes(len(content) - 34)
        pack.write_bytes(content)
    with pytest.raises(ArcaError, match=r"object \w+ is damaged in .*zones.git: `git fsck` says what else is. Stop"):
        open_store("git", options)
