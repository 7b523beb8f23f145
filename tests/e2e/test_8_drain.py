# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""8. An edge is taken out and brought back without a lost query, and the last one is not taken."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import EDGES, PREFIXES, SERVER_OF, announced, on, playbook, queries_of, start_in_namespace, until

RATE, SECONDS = 200, 15


def started(edge: str) -> str:
    """When the edge's name server was started, in microseconds since the boot."""
    shown = on(edge, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", SERVER_OF[edge])
    return shown.out.strip()


@pytest.fixture(autouse=True)
def undrained() -> Iterator[None]:
    yield
    for edge in ("edge1", "edge2"):
        on(edge, "arca-dns-agent", "undrain", "--wait")


def test_a_drain_loses_no_query_and_the_last_edge_is_refused() -> None:
    load = start_in_namespace(
        "client", sys.executable, str(Path(__file__).with_name("load.py")), str(RATE), str(SECONDS)
    )
    time.sleep(1)  # both edges under load first
    on("edge1", "arca-dns-agent", "drain", "--wait", "--reason", "a test")
    drained = time.time()
    assert announced("edge1") == set()
    refused = on("edge2", "arca-dns-agent", "drain", "--wait", check=False)
    assert refused.code == 1
    assert "no spare site" in refused.err
    assert "edge1" in refused.err
    assert announced("edge2") == set(PREFIXES)
    assert "stays withdrawn until" in on("edge1", "arca-dns-agent", "explain").out
    time.sleep(1)
    back = time.time()
    on("edge1", "arca-dns-agent", "undrain", "--wait")
    until("edge1 announces", lambda: announced("edge1") == set(PREFIXES), seconds=10)
    output, _ = load.communicate(timeout=60)
    queries = [json.loads(line) for line in output.splitlines()]
    assert len(queries) == RATE * SECONDS
    assert [query for query in queries if query[1] is None] == []
    between = {query[2] for query in queries if drained < query[0] < back}
    assert between == {"edge2"}
    assert {query[2] for query in queries if query[0] > back + 5} == {"edge1", "edge2"}


def test_a_drained_edge_stays_drained_when_its_daemons_start_again() -> None:
    on("edge1", "arca-dns-agent", "drain", "--wait")
    on("edge1", "systemctl", "restart", "arca-dns-health", "arca-dns-agent", SERVER_OF["edge1"], "bird")
    time.sleep(4)  # longer than a recovery takes
    assert announced("edge1") == set()
    assert announced("edge2") == set(PREFIXES)


def test_the_playbooks_drain_an_edge_once_and_a_restart_leaves_it_drained() -> None:
    counts, _ = playbook("drain.yml", "-e", "arca_dns_drain=edge1")
    assert counts["edge1"]["changed"] == 1
    assert announced("edge1") == set()
    before = started("edge1")
    playbook("restart.yml", "--limit", "edge1")
    assert started("edge1") != before
    counts, _ = playbook("drain.yml", "-e", "arca_dns_drain=edge1")
    assert counts["edge1"]["changed"] == 0
    assert announced("edge1") == set()
    counts, _ = playbook("drain.yml", "-e", "arca_dns_drain=edge1", "-e", "arca_dns_drain_state=announced")
    assert counts["edge1"]["changed"] == 1
    assert announced("edge1") == set(PREFIXES)


def test_a_rolling_restart_of_all_edges_loses_no_query() -> None:
    before = {edge: started(edge) for edge in EDGES}
    load = start_in_namespace("client", sys.executable, str(Path(__file__).with_name("load.py")), str(RATE), "300")
    playbook("restart.yml")
    time.sleep(1)
    queries = queries_of(load)
    assert [query for query in queries if query[1] is None] == []
    assert {query[2] for query in queries} == set(EDGES)
    assert all(started(edge) != before[edge] for edge in EDGES)
    assert all(announced(edge) == set(PREFIXES) for edge in EDGES)
