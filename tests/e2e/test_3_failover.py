# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""3. A dead name server withdraws both prefixes of its edge, the other edge answers everything, and it comes back."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import EDGES, PREFIXES, SERVER_OF, announced, on, start_in_namespace, until

RATE, SECONDS = 200, 12


@contextmanager
def kept_down(edge: str, unit: str) -> Iterator[None]:
    """Whatever restarts a failed *unit* is told not to, until the end."""
    folder = f"/run/systemd/system/{unit}.service.d"
    on(edge, f"mkdir -p {folder}; printf '[Service]\\nRestart=no\\n' >{folder}/zz-test.conf; systemctl daemon-reload")
    try:
        yield
    finally:
        on(edge, f"rm -f {folder}/zz-test.conf; systemctl daemon-reload; systemctl start {unit}")


@pytest.mark.parametrize(("edge", "other"), [EDGES, EDGES[::-1]])
def test_a_killed_name_server_withdraws_and_the_other_edge_answers_everything(edge: str, other: str) -> None:
    assert announced(edge) == set(PREFIXES)
    assert announced(other) == set(PREFIXES)
    with kept_down(edge, SERVER_OF[edge]):
        load = start_in_namespace(
            "client", sys.executable, str(Path(__file__).with_name("load.py")), str(RATE), str(SECONDS)
        )
        time.sleep(3)  # both edges under load first
        killed = time.time()
        on(edge, "systemctl", "kill", "-s", "KILL", SERVER_OF[edge])
        until(f"the router has lost {edge}'s prefixes", lambda: not announced(edge), seconds=10, every=0.02)
        withdrawn = time.time()
        output, _ = load.communicate(timeout=60)
        queries = [json.loads(line) for line in output.splitlines()]
        assert len(queries) == RATE * SECONDS
        before = [query for query in queries if query[0] < killed]
        assert {query[2] for query in before} == set(EDGES), "the load reached only one edge before the failure"
        after = [query for query in queries if query[0] > withdrawn]
        assert len(after) > RATE * 5
        assert [query for query in after if query[1] is None] == []
        assert {query[2] for query in after} == {other}
        assert announced(other) == set(PREFIXES)
    until(f"{edge} announces again", lambda: announced(edge) == set(PREFIXES), seconds=60)
