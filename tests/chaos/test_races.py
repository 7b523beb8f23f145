# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Eight writers change one zone through two controllers on one backend: compare-and-set, nothing else.

Each writer makes so many changes that are acknowledged (25, or what ``ARCA_CHAOS_CHANGES`` says), each fenced with the
version that it read. Both controllers are daemons with their HTTP API.
"""

from __future__ import annotations

import threading
from collections import Counter
from contextlib import closing

import pytest

from chaos_load import write
from running_controller import Connection
from zone_invariants import Attempt, Invariants

pytestmark = pytest.mark.chaos

ZONE = "race.test."
WRITERS = 8


def test_two_controllers_order_the_changes_of_eight_writers(backend, changes: int) -> None:
    controllers = [backend.controller(), backend.controller()]
    controllers[0].init()
    attempts: list[Attempt] = []
    failures: list[BaseException] = []

    def race(number: int) -> None:
        try:
            with closing(Connection(controllers[number % 2].port)) as connection:
                change(connection, number)
        except BaseException as error:
            failures.append(error)

    def change(connection: Connection, number: int) -> None:
        done = 0
        while done < changes:
            found = connection("HEAD", f"/api/v1/zones/{ZONE}")
            assert found.status == 200
            reason = f"w{number}-{done}-{len(attempts)}-{found.etag}"
            address = f"192.0.{done // 256}.{done % 256}"
            edits = {(f"w{number}", "A"): (address,), ("last", "TXT"): (f"w{number}-{done}",)}
            attempt = Attempt(ZONE, "change", reason, found.etag, edits)
            attempts.append(attempt)
            status = write(connection, attempt)
            assert status in (200, 412), f"{status} for {attempt}"
            assert attempt.acknowledged == (status == 200)
            done += status == 200

    try:
        for controller in controllers:
            controller.start()
        first = Attempt(ZONE, "create", "first", edits={("last", "TXT"): ("nobody",)})
        attempts.append(first)
        with closing(Connection(controllers[0].port)) as connection:
            assert write(connection, first) == 201
        threads = [threading.Thread(target=race, args=(number,)) for number in range(WRITERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
        with closing(backend.open()) as store:
            invariants = Invariants(store, controllers[0].head_public_key())
            invariants.settled()
            # The chain holds every acknowledged change once, each on the version that its writer named, and no other:
            # one order that all who were answered agree with.
            assert invariants.check(attempts) == 1 + WRITERS * changes
            source = store.get(f"zone/{ZONE}")
            assert source is not None
            held = invariants.content(str(source.value["root"]))
            assert {held[f"w{number}", "A"] for number in range(WRITERS)} == {
                (f"192.0.{(changes - 1) // 256}.{(changes - 1) % 256}",)
            }
    finally:
        for controller in controllers:
            controller.stop()
    print(f"{backend.kind}: {dict(Counter(attempt.status for attempt in attempts))}")
    for controller in controllers:
        assert "Traceback" not in controller.said()
