# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""5. The playbook is idempotent, and its dry run works on bare hosts and changes nothing anywhere."""

from __future__ import annotations

import json

from conftest import BareCheck
from support import AT_ONCE, EDGES, api, on, playbook

HOSTS = {"controller", "edge1", "edge2", "router", "client"}


def test_the_dry_run_works_on_bare_hosts(bare_check: BareCheck) -> None:
    assert set(bare_check.counts) >= HOSTS, bare_check.output[-4000:]
    for host in sorted(HOSTS):
        counts = bare_check.counts[host]
        assert counts["failed"] == 0, bare_check.output[-8000:]
        assert counts["unreachable"] == 0
        assert counts["changed"] > 0, f"{host}: a bare host has everything to be changed"
    assert "+++" in bare_check.output, "--diff showed nothing"


def test_a_second_run_changes_nothing() -> None:
    counts, output = playbook("site.yml", *AT_ONCE)
    assert set(counts) >= HOSTS
    assert {host: counts[host]["changed"] for host in HOSTS} == dict.fromkeys(HOSTS, 0), output[-8000:]


def state() -> dict[str, str]:
    """Configuration files of all hosts and versions of all zones."""
    found = {
        host: on(host, "sh", "-c", "find /etc -xdev -type f -newermt 2000-01-01 -exec md5sum {} + | sort -k2").out
        for host in sorted(HOSTS)
    }
    found["zones"] = json.dumps([zone["version"] for zone in api("GET", "/zones?limit=100").json()["zones"]])
    return found


def test_a_dry_run_after_a_change_in_the_inventory_shows_it_and_makes_none() -> None:
    before = state()
    changed = {"arca_dns_agent_controller": {"sync_interval": "77s"}, "arca_dns_unbound_edns_buffer_size": 1400}
    counts, output = playbook("site.yml", "--check", "--diff", *AT_ONCE, "-e", json.dumps(changed))
    assert all(counts[host]["failed"] == 0 for host in HOSTS)
    for edge in EDGES:
        assert counts[edge]["changed"] > 0
    assert "77s" in output
    assert "1400" in output
    assert state() == before
