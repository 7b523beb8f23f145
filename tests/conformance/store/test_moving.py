# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A store's whole state goes from backend to backend, through a break at any moment, and nothing of it is lost."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
import threading
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import arca_dns
from arca_dns.errors import StoreError
from arca_dns.moving import marker
from arca_dns.moving.archive import Archive, backup
from arca_dns.moving.copy import migrate, verify
from arca_dns.moving.forward import restore
from arca_dns.moving.marker import Marker
from arca_dns.store.open import open_store
from arca_dns.zone.text import parse
from moved_state import consistent, content, create, fill, service, snapshot, zone_text

if TYPE_CHECKING:
    from conftest import Backend

NOTE = Marker("migrate", "the test", "2026-01-01T00:00:00Z")
MIGRATE = """
import json, sys
from arca_dns.moving.copy import migrate
from arca_dns.moving.marker import Marker
from arca_dns.store.open import open_store
source, target = (open_store(kind, options) for kind, options in json.loads(sys.argv[1]))
note = Marker("migrate", "the test", "2026-01-01T00:00:00Z")
migrate(source, target, note, lambda at: print(at.step, flush=True))
"""
BREAKS = 5


def test_everything_goes_once_around_all_backends(ring: list[Backend]) -> None:
    stores = [backend.open() for backend in ring]
    made = service(stores[0])
    fill(made)
    before, verified = content(stores[0]), verify(stores[0], lambda _at: None)
    for source, target in pairwise(stores):
        copied = migrate(source, target, NOTE)
        assert (copied.documents, copied.blobs) == (verified.documents, verified.blobs)
        assert copied.copied_blobs == verified.blobs
        assert content(target) == before
        assert marker.read(target) is None
    last = service(stores[-1])
    assert last.head() == made.head()
    for zone in made.zones():
        assert last.versions(zone.name) == made.versions(zone.name)
        assert list(last.rrsets(zone.name)) == list(made.rrsets(zone.name))
        assert last.signed_zone(zone.name)[0] == made.signed_zone(zone.name)[0]


def test_a_migration_that_is_killed_goes_on(durable: Backend, tmp_path: Path) -> None:
    options: dict[str, object] = {"path": str(tmp_path / "source.db")}
    with closing(open_store("sqlite", options)) as source:
        fill(service(source), hosts=1500)
        before = content(source)
    command = [sys.executable, "-c", MIGRATE, json.dumps([("sqlite", options), (durable.kind, durable.options)])]
    environment = {**os.environ, "PYTHONPATH": str(Path(arca_dns.__file__).parents[1])}
    chance = random.Random(7)
    killed = 0
    for _ in range(BREAKS):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
        assert process.stdout is not None
        for _line in range(chance.randrange(1, 12)):
            if process.stdout.readline().strip() not in ("copy", "follow"):
                break
        process.kill()
        process.wait()
        process.stdout.close()
        target = durable.open()
        if marker.read(target) is None:
            assert content(target) == before
            break
        killed += 1
        with pytest.raises(StoreError, match="half filled"):
            marker.refuse_unfinished(target)
    assert killed
    with closing(open_store("sqlite", options)) as source:
        if marker.read(target) is not None:
            assert migrate(source, target, NOTE).resumed
    assert content(target) == before
    verify(target, lambda _at: None)


def test_a_backup_of_each_backend_is_restored_into_the_next(ring: list[Backend]) -> None:
    stores = [backend.open() for backend in ring]
    fill(service(stores[0]))
    before = content(stores[0])
    for source, target in pairwise(stores):
        file = io.BytesIO()
        backup(source, file, program="test", created="2026-01-01T00:00:00Z")
        archive = Archive(file, "file")
        archive.check()
        restore(archive, target, NOTE, now=1_800_000_000.0)
        found = content(target)
        for key, value in before.items():
            if not key.startswith(("published/", "deleted/")):
                assert found[key] == value
    again = service(stores[-1])
    again.maintain()
    assert [zone.problem for zone in again.zones()] == [None, None, None]


def test_a_backup_beside_writers_is_of_one_moment(backend: Backend) -> None:
    store = backend.open()
    made = service(store)
    for n in range(2):
        create(made, f"z{n}.example", 20)
    stop = threading.Event()
    problems: list[BaseException] = []

    def writes(n: int) -> None:
        first = 0
        try:
            while not stop.is_set():
                first += 1
                parsed = parse(zone_text(f"z{n}.example", 20, first))
                made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
        except BaseException as error:
            problems.append(error)

    writers = [threading.Thread(target=writes, args=(n,)) for n in range(2)]
    for writer in writers:
        writer.start()
    try:
        seen = [snapshot(store)]
        while not problems and (len(seen) < 4 or seen[0] == seen[-1]):
            seen.append(snapshot(store))
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert not problems
    for found in seen:
        consistent(found)
