# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""2. A change is served by all edges within two seconds, and their name servers get it by IXFR."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from support import ANYCAST, EDGES, INVENTORY, SERVER_OF, journal, local, now_on, put_address, remove, served, until

ZONE = "arca.example."


@pytest.fixture(scope="module", autouse=True)
def _cleared() -> Iterator[None]:
    yield
    remove(ZONE, "changes", "A")


def wait_served(name: str, rdtype: str, values: list[str]) -> float:
    """Seconds until every edge answers *values*."""
    start = time.monotonic()
    for edge in EDGES:
        until(f"{edge} serves {name} {rdtype}", lambda edge=edge: served(edge, name, rdtype) == values, seconds=10)
    return time.monotonic() - start


def ixfr_count(edge: str, since: str) -> int:
    """Incremental transfers of the zone that the agent sent to its name server."""
    count = 0
    for line in journal(edge, "arca-dns-agent", since).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == "transfer" and event.get("zone") == ZONE and event.get("kind") == "IXFR":
            count += 1
    return count


def change_by_module(address: str) -> None:
    local(
        [
            "ansible-playbook",
            "-i",
            INVENTORY,
            "tests/e2e/rrset.yml",
            "-e",
            json.dumps({"rrset_zone": ZONE, "rrset_name": "changes", "rrset_values": [address]}),
        ]
    )


def change_by_curl(address: str) -> None:
    put_address(ZONE, "changes", address)


@pytest.mark.parametrize(("change", "address"), [(change_by_module, "192.0.2.71"), (change_by_curl, "192.0.2.72")])
def test_a_change_is_served_by_all_edges_within_two_seconds(change, address) -> None:  # type: ignore[no-untyped-def]
    since = {edge: now_on(edge) for edge in EDGES}
    before = {edge: ixfr_count(edge, since[edge]) for edge in EDGES}
    change(address)
    assert wait_served(f"changes.{ZONE}", "A", [address]) < 2
    for edge in EDGES:
        until(f"{edge} logs an IXFR", lambda edge=edge: ixfr_count(edge, since[edge]) > before[edge], seconds=5)


#: What a name server logs when it has taken a new version; NSD ends names with a dot or not, by version.
TAKEN = {
    "nsd": re.compile(r"zone arca\.example\.? received update"),
    "knot": re.compile(r"\[arca\.example\.\] IXFR, incoming, .* finished"),
}


def test_the_name_server_itself_reports_the_transfer() -> None:
    since = {edge: now_on(edge) for edge in EDGES}
    change_by_curl("192.0.2.73")
    wait_served(f"changes.{ZONE}", "A", ["192.0.2.73"])
    for edge in EDGES:
        server = SERVER_OF[edge]
        until(
            f"{server} on {edge} logs the update",
            lambda edge=edge, server=server: TAKEN[server].search(journal(edge, server, since[edge])),
            seconds=5,
        )


def test_the_change_module_is_idempotent() -> None:
    variables = {"rrset_zone": ZONE, "rrset_name": "changes", "rrset_values": ["192.0.2.74"]}
    argv = ["ansible-playbook", "-i", INVENTORY, "tests/e2e/rrset.yml", "-e", json.dumps(variables)]
    assert "changed=1" in local(argv).out
    assert "changed=0" in local(argv).out


def test_both_service_addresses_answer() -> None:
    for address in ANYCAST:
        out = local(["ip", "netns", "exec", "lab-client", "dig", "+short", f"@{address}", ZONE, "SOA"]).out
        assert out.strip(), address
