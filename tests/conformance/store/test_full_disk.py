# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A disk that fills up under a backend: what was acknowledged stays, and work goes on when there is space."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arca_dns.errors import StoreUnavailable
from arca_dns.store.base import Transaction
from arca_dns.store.open import open_store
from running_mysql import RunningMysql
from running_postgres import RunningPostgres
from small_disk import SmallDisk, small_disk

pytestmark = pytest.mark.conformance

#: Backend → megabytes of its disk: what an empty one takes, and some.
SIZES = {"sqlite": 8, "git": 8, "postgres": 90, "mysql": 90}
SERVERS = {"postgres": RunningPostgres, "mysql": RunningMysql}


@pytest.fixture(params=SIZES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def disk(kind: str) -> Iterator[SmallDisk]:
    with small_disk(SIZES[kind]) as made:
        yield made


@pytest.fixture
def server(kind: str, disk: SmallDisk, tmp_path: Path) -> Iterator[RunningPostgres | RunningMysql | None]:
    made = SERVERS[kind](tmp_path, disk.folder) if kind in SERVERS else None
    if made is None:
        yield None
        return
    made.start()
    yield made
    made.kill()


def test_a_full_disk_is_said_loses_nothing_and_is_left_behind(
    kind: str, disk: SmallDisk, server: RunningPostgres | RunningMysql | None
) -> None:
    options = {"path": str(disk.folder / "arca.db")} if server is None else server.options()
    noise = random.Random(3)
    acknowledged: dict[str, int] = {}
    failure = ""
    with closing(open_store(kind, options)) as store:
        for n in range(1000):
            try:
                revision = store.commit(Transaction(writes={f"k/{n:04}": {"text": noise.randbytes(100_000).hex()}}))
            except StoreUnavailable as error:
                failure = str(error)
                break
            acknowledged[f"k/{n:04}"] = revision
        # A server may crash when it can no longer write its log; it says then what a dead server says.
        said = "space left" in failure or "the file system is full: make room" in failure
        assert said or (server is not None and ("does not answer" in failure or "broke" in failure))
        disk.grow(400)
        for _ in range(200):  # the server recovers, or is started again
            if server is not None and not server.alive():
                server.start()
            try:
                store.commit(Transaction(writes={"after": {}}))
                break
            except StoreUnavailable as error:
                failure = str(error)
                time.sleep(0.05)
        else:
            pytest.fail(f"the store does not come back: {failure}")
        found = {document.key: document.revision for document in store.scan("k/", limit=2000)}
        assert {key: found.get(key) for key in acknowledged} == acknowledged
