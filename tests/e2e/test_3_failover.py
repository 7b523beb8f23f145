# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""3. A dead NSD withdraws both prefixes of its edge, the other edge answers everything, and the edge comes back."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import PREFIXES, announced, on, start_in_namespace, until

RATE, SECONDS = 200, 15


@pytest.fixture
def nsd_back() -> Iterator[None]:
    yield
    on("edge1", "sh", "-c", "rm -f /run/systemd/system/nsd.service.d/kept-down.conf; systemctl daemon-reload")
    on("edge1", "systemctl", "start", "nsd")
    until("edge1 announces again", lambda: announced("edge1") == set(PREFIXES), seconds=60)


def keep_down() -> None:
    """Whatever restarts a failed NSD is told not to: the unit stays down."""
    on(
        "edge1",
        "sh",
        "-c",
        "mkdir -p /run/systemd/system/nsd.service.d && "
        "printf '[Service]\\nRestart=no\\n' >/run/systemd/system/nsd.service.d/kept-down.conf && "
        "systemctl daemon-reload",
    )


def test_a_killed_nsd_withdraws_and_the_other_edge_answers_everything(nsd_back: None) -> None:
    assert announced("edge1") == set(PREFIXES)
    assert announced("edge2") == set(PREFIXES)
    keep_down()
    load = start_in_namespace(
        "client", sys.executable, str(Path(__file__).with_name("load.py")), str(RATE), str(SECONDS)
    )
    time.sleep(3)  # both edges under load first
    killed = time.time()
    on("edge1", "systemctl", "kill", "-s", "KILL", "nsd")
    until("the router has lost edge1's prefixes", lambda: not announced("edge1"), seconds=10, every=0.02)
    withdrawn = time.time()
    output, _ = load.communicate(timeout=60)
    queries = [json.loads(line) for line in output.splitlines()]
    assert len(queries) == RATE * SECONDS
    before = [query for query in queries if query[0] < killed]
    assert {query[2] for query in before} == {"edge1", "edge2"}, "the load reached only one edge before the failure"
    after = [query for query in queries if query[0] > withdrawn]
    assert len(after) > RATE * 5
    assert [query for query in after if query[1] is None] == []
    assert {query[2] for query in after} == {"edge2"}
    assert announced("edge2") == set(PREFIXES)


def test_edge1_announces_again_when_nsd_is_back() -> None:
    until("edge1 announces", lambda: announced("edge1") == set(PREFIXES), seconds=30)
