# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""9. A new configuration costs no query, and one that would cut an edge off is taken back."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import EDGES, PREFIXES, SERVER_OF, announced, on, playbook, queries_of, start_in_namespace, until

RATE = 200
CONFIG, PASSWORD = "/etc/bird/bird.conf", "not-that-of-the-router"


@pytest.fixture(scope="module", autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    playbook("site.yml", "--limit", "arca_dns_edges", *tags("nsd", "knot"))
    assert all(announced(edge) == set(PREFIXES) for edge in EDGES)


def tags(*roles: str) -> tuple[str, str]:
    return "--tags", ",".join(f"{role}_{part}" for role in roles for part in ("configure", "run"))


def started(edge: str) -> str:
    return on(edge, "systemctl", "show", "-P", "ActiveEnterTimestampMonotonic", SERVER_OF[edge]).out.strip()


def test_a_change_that_needs_a_restart_loses_no_query() -> None:
    before = {edge: started(edge) for edge in EDGES}
    load = start_in_namespace("client", sys.executable, str(Path(__file__).with_name("load.py")), str(RATE), "300")
    changed = {"arca_dns_nsd_tcp_count": 321, "arca_dns_knot_tcp_max_clients": 321}
    counts, _ = playbook(
        "site.yml", "--limit", "arca_dns_edges", *tags("nsd", "knot"), "-e", json.dumps(changed), "--diff"
    )
    time.sleep(1)
    queries = queries_of(load)
    assert [query for query in queries if query[1] is None] == []
    assert {query[2] for query in queries} == set(EDGES)
    for edge in EDGES:
        assert started(edge) != before[edge]
        assert counts[edge]["failed"] == 0
        assert announced(edge) == set(PREFIXES)


def test_a_restart_that_was_refused_is_made_up_for_in_the_next_run() -> None:
    before = started("edge1")
    changed = json.dumps({"arca_dns_nsd_tcp_count": 322, "arca_dns_knot_tcp_max_clients": 322})
    run = ("site.yml", "--limit", "edge1", *tags("nsd", "knot"), "-e", changed)
    on("edge2", "arca-dns-agent", "drain", "--wait")
    try:
        counts, output = playbook(*run, check=False)
        assert counts["edge1"]["failed"] == 1
        assert "no spare site" in output
        assert started("edge1") == before
    finally:
        on("edge2", "arca-dns-agent", "undrain", "--wait")
    playbook(*run)
    assert started("edge1") != before
    assert announced("edge1") == set(PREFIXES)
    counts, _ = playbook(*run)
    assert counts["edge1"]["changed"] == 0


def test_a_configuration_with_which_sessions_do_not_come_up_is_taken_back_and_shows_no_password() -> None:
    before = on("edge1", "cat", CONFIG).out
    sessions = re.findall(r"protocol bgp (\w+) .*?neighbor (\S+) as (\d+);", before, re.DOTALL)
    neighbors = [{"name": name, "address": address, "asn": int(asn)} for name, address, asn in sessions]
    neighbors[0]["password"] = PASSWORD
    counts, output = playbook(
        "site.yml",
        *("--limit", "edge1", *tags("bird"), "--diff"),
        *("-e", json.dumps({"arca_dns_bird_neighbors": neighbors})),
        check=False,
    )
    assert counts["edge1"]["failed"] == 1
    assert "did not come up again" in output
    assert sessions[0][0] in output.partition("did not come up again")[2]
    assert PASSWORD not in output
    assert on("edge1", "cat", CONFIG).out == before
    until("edge1 announces again", lambda: announced("edge1") == set(PREFIXES), seconds=60)
