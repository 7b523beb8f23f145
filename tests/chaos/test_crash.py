# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Kill -9 at random moments under load: of the controller, and of the database server.

The controller is always the daemon with its HTTP API. It is forked from a process that has imported it, which is the
only difference to the command and saves a second or two for every kill; after every 25th kill it is the command itself.
"""

from __future__ import annotations

import random
import time
from contextlib import closing

import pytest

from arca_dns.store.base import Transaction
from chaos_load import Load
from zone_invariants import Invariants

pytestmark = pytest.mark.chaos


def some_writes(load: Load, chance: random.Random) -> None:
    """Let the writers work until at least one more write is acknowledged, then to a random moment."""
    before, deadline = load.acknowledged(), time.monotonic() + 60
    while load.acknowledged() == before:
        assert time.monotonic() < deadline, "nothing is acknowledged any more"
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.3))


def test_a_controller_that_is_killed_loses_and_halves_nothing(backend, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    controller = backend.controller()
    controller.init()
    load = Load([controller.port], seed)
    with closing(backend.open()) as store:
        invariants = Invariants(store, controller.head_public_key())
        controller.start()
        load.start()
        try:
            for turn in range(rounds):
                some_writes(load, chance)
                controller.kill()
                store.commit(Transaction())  # a server may still apply what was asked for: wait for that
                invariants.check(list(load.attempts))
                controller.start(exec=turn % 25 == 0)
        finally:
            try:
                load.stop()
                invariants.settled()
                versions = invariants.check(load.attempts, again=True)
            finally:
                controller.stop()
    print(f"{backend.kind}: {rounds} kills, {load.acknowledged()} acknowledged, {versions} versions")
    assert "Traceback" not in controller.said()


def test_a_database_that_is_killed_loses_and_halves_nothing(served, rounds: int, seed: int) -> None:
    chance = random.Random(seed)
    controller = served.controller()
    controller.init()
    load = Load([controller.port], seed)
    with closing(served.open()) as store:
        invariants = Invariants(store, controller.head_public_key())
        controller.start()
        load.start()
        try:
            for turn in range(rounds):
                some_writes(load, chance)
                served.server.kill()
                served.server.start()
                if turn % 5 == 4:
                    with load.paused():
                        invariants.check(list(load.attempts))
                assert controller.alive(), controller.said()
        finally:
            try:
                load.stop()
                invariants.settled()
                versions = invariants.check(load.attempts, again=True)
            finally:
                controller.stop()
    print(f"{served.kind}: {rounds} kills, {load.acknowledged()} acknowledged, {versions} versions")
    assert "Traceback" not in controller.said()
