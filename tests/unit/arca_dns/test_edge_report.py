# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What people read: status and explain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from arca_dns import edge_report as report

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def document(**changes: Any) -> dict[str, Any]:
    entry = {
        "prefix": "203.0.113.53/32",
        "state": "announced",
        "mode": "announced",
        "wanted": "announced",
        "condition": "healthy",
        "wish": None,
        "refusal": None,
        "health": "healthy",
        "since": "2026-11-23T11:00:00Z",
        "good_rounds": 9,
        "bad_rounds": 0,
        "exported_to": ["router_v4"],
        "reasons": [],
        "held_for_seconds": 0,
        "last_withdrawal": None,
    }
    entry.update(changes)
    return {
        "updated": "2026-11-23T11:59:59Z",
        "announced": [],
        "prefixes": [entry],
        "sessions": [{"name": "router_v4", "established": True}],
        "checks": [{"check": "nsd udp 203.0.113.53", "ok": False, "reason": "no answer", "latency_ms": 1.0}],
        "bird_problem": None,
    }


def explain(**changes: Any) -> str:
    return "\n".join(report.explain_lines(document(**changes), NOW))


def test_status_is_one_line_per_prefix() -> None:
    assert list(report.status_lines(document(), NOW)) == [
        "203.0.113.53/32  announced to router_v4, healthy, since 2026-11-23T11:00:00Z"
    ]


def test_a_service_is_named_beside_its_prefix() -> None:
    assert "203.0.113.53/32 (public) is announced since" in explain(service="public")
    assert next(iter(report.status_lines(document(service="public"), NOW))).startswith(
        "203.0.113.53/32 (public)  announced"
    )
    assert "()" not in explain(service="")


def test_an_old_state_is_warned_of() -> None:
    lines = list(report.status_lines(document(), NOW + timedelta(hours=1)))
    assert "WARNING" in lines[0]


def test_a_bird_out_of_reach_is_warned_of() -> None:
    state = document()
    state["bird_problem"] = "BIRD is not there"
    assert next(iter(report.status_lines(state, NOW))) == "WARNING: BIRD is not there"


def test_explain_says_that_no_session_took_it() -> None:
    assert "no established BGP session" in explain(state="withdrawn", exported_to=[])


def test_explain_says_that_it_is_held_down() -> None:
    assert "held down for 42 s" in explain(state="withdrawn", wanted="withdrawn", exported_to=[], held_for_seconds=42)


def test_explain_says_what_a_lease_is_wanted_for() -> None:
    assert "has no lease: no spare site" in explain(wish="drain", refusal="no spare site")
    assert "it has a lease to degrade" in explain(mode="degraded", wish="degrade")


def test_explain_says_how_a_drain_ends() -> None:
    assert "undrain" in explain(state="withdrawn", mode="withdrawn", condition="drained", wanted="withdrawn")


def test_explain_gives_reasons_checks_and_sessions() -> None:
    text = explain(state="withdrawn", wanted="withdrawn", health="failed", reasons=["no answer"], bad_rounds=3)
    for part in ("reason: no answer", "bad rounds in a row: 3", "BAD nsd udp", "router_v4: established"):
        assert part in text
