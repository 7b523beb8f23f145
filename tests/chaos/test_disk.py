# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A file system that is full, or read-only: the API says so, the daemon lives, and works again when it can.

The file systems are real ones, small and in memory; mounting them needs root.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chaos_load import write
from running_controller import Connection
from zone_invariants import Attempt, Invariants

pytestmark = pytest.mark.chaos

SMALL = "size=2m"
LARGE = "size=64m"


def mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        pytest.fail("mounting a small file system needs root")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", SMALL, "arca-chaos", str(folder))
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def put_on(backend, disk: Path) -> None:
    """Let the state of *backend* be on *disk*; keys and logs are elsewhere."""
    backend.options = {"path": f"{disk}/{Path(str(backend.options['path'])).name}"}


def big(number: int) -> Attempt:
    """A zone of some 100 KB, or what fills a disk."""
    edits = {(f"h{n}", "TXT"): (f"{number}-{n}-" + os.urandom(100).hex(),) for n in range(400)}
    return Attempt(f"z{number}.disk.test.", "create", f"big-{number}", edits=edits)


def test_a_full_disk_is_a_503_and_nothing_is_half_written(filed, disk: Path) -> None:
    put_on(filed, disk)
    controller = filed.controller()
    controller.init()
    controller.start()
    attempts: list[Attempt] = []
    connection = Connection(controller.port)
    try:
        while not attempts or attempts[-1].status == 201:
            attempts.append(big(len(attempts)))
            write(connection, attempts[-1])
            assert len(attempts) < 60, "the disk does not fill"
        assert attempts[-1].status == 503
        answer = connection("POST", "/api/v1/zones", {"name": "small.test.", "soa": {}, "records": []})
        assert answer.status < 500 or answer.retry_after is not None
        assert connection("GET", "/health").status == 200
        assert connection("GET", f"/api/v1/zones/{attempts[0].zone}").status == 200
        assert controller.alive()
        mount("-o", f"remount,{LARGE}", str(disk))
        attempts.append(big(len(attempts)))
        assert write(connection, attempts[-1]) == 201
        with closing(filed.open()) as store:
            invariants = Invariants(store, controller.head_public_key())
            invariants.settled()
            invariants.check(attempts)
    finally:
        connection.close()
        controller.stop()
    assert "Traceback" not in controller.said()


def test_a_disk_that_is_read_only_is_a_503_until_it_is_not(filed, disk: Path) -> None:
    put_on(filed, disk)
    mount("-o", f"remount,{LARGE}", str(disk))
    controller = filed.controller()
    controller.init()
    controller.start()
    first = big(0)
    connection = Connection(controller.port)
    assert write(connection, first) == 201
    controller.stop()
    connection.close()
    mount("-o", "remount,ro", str(disk))
    controller.begin()
    try:
        controller.wait(lambda asked: asked("GET", "/health").status == 200)
        second = big(1)
        assert write(connection, second) == 503
        assert controller.alive()
        mount("-o", "remount,rw", str(disk))
        controller.wait(lambda asked: asked("GET", "/ready").status == 200)
        third = big(2)
        assert write(connection, third) == 201
        with closing(filed.open()) as store:
            invariants = Invariants(store, controller.head_public_key())
            invariants.settled()
            assert invariants.check([first, second, third]) == 2
    finally:
        connection.close()
        controller.stop()
    assert "Traceback" not in controller.said()
