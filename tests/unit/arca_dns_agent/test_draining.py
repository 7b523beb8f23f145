# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""drain and undrain: what is asked for, what is waited for, and what is taken back."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arca_dns.edge_draining import Draining
from arca_dns.edge_files import Drain, Lease, read_drains, write_leases
from arca_dns.errors import NotFound, PlanRefused, StoreUnavailable
from arca_dns_agent.cli import app

V4, V6 = "203.0.113.53/32", "2001:db8::53/128"


class Edge:
    """An edge's files; *then* are done one after the other while a command waits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "agent.yaml"
        self.config.write_text(
            f"""
            controller: {{url: "http://192.0.2.1:8053", api_key: {"k" * 40}, head_keys: [{"A" * 43}=]}}
            bird: {{anycast_prefixes: ["{V4}", "{V6}"]}}
            health: {{state_file: {folder}/health.json, state_directory: {folder}}}
            """
        )
        self.now = 0.0
        self.then: list[Callable[[], None]] = []
        self.work = Draining(
            folder,
            folder / "health.json",
            utc=lambda: datetime.fromtimestamp(0, UTC),
            monotonic=lambda: self.now,
            sleep=self.sleep,
        )
        self.health()

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        if self.then:
            self.then.pop(0)()

    def health(self, mode: str = "announced", condition: str = "healthy", refusal: str | None = None) -> None:
        entries = [
            {"prefix": prefix, "mode": mode, "condition": condition, "refusal": refusal, "reasons": []}
            for prefix in (V4, V6)
        ]
        (self.folder / "health.json").write_text(json.dumps({"prefixes": entries}))

    def refuse(self, reason: str) -> None:
        write_leases(self.folder / "leases.json", [Lease(V4, "drain", granted=False, reason=reason)])

    @property
    def drains(self) -> tuple[Drain, ...]:
        return read_drains(self.folder / "drains.json")


@pytest.fixture
def edge(tmp_path: Path) -> Edge:
    return Edge(tmp_path)


def test_a_drain_is_asked_for_once(edge: Edge) -> None:
    assert edge.work.drain([V4], "disk", forced=False) == [V4]
    assert edge.drains == (Drain(V4, "1970-01-01T00:00:00Z", "disk"),)
    assert edge.work.drain([V4, V6], "", forced=False) == [V6]
    assert edge.work.undrain([V4]) == [V4]
    assert [drain.prefix for drain in edge.drains] == [V6]
    assert edge.work.undrain([V4]) == []


def test_force_makes_one_that_waits_forced(edge: Edge) -> None:
    edge.work.drain([V4], "", forced=False)
    assert edge.work.drain([V4], "", forced=True) == [V4]
    assert edge.drains[0].forced


def test_whoever_drains_what_is_drained_already_may_take_it_over(edge: Edge) -> None:
    edge.work.drain([V4], "rolling restart", forced=False)
    assert edge.work.drain([V4], "bad disk", forced=False) == []
    assert edge.drains[0].reason == "rolling restart"
    assert edge.work.drain([V4], "", forced=False, take_over=True) == []
    assert edge.drains[0].reason == "rolling restart"
    assert edge.work.drain([V4], "bad disk", forced=False, take_over=True) == [], "it is not asked for anew"
    assert edge.drains == (Drain(V4, "1970-01-01T00:00:00Z", "bad disk"),)


def test_all_prefixes_are_meant_unless_some_are_named(edge: Edge) -> None:
    assert edge.work.prefixes([]) == [V4, V6]
    with pytest.raises(NotFound, match="no prefix of this edge"):
        edge.work.prefixes(["198.51.100.0/24"])


def test_it_waits_until_the_prefixes_are_withdrawn(edge: Edge) -> None:
    edge.then = [lambda: edge.health("draining", "drained"), lambda: edge.health("withdrawn", "drained")]
    edge.work.wait_drained([V4, V6], 60, [])
    assert edge.then == []


def test_a_refused_drain_is_taken_back(edge: Edge) -> None:
    edge.work.drain([V6], "earlier", forced=False)
    asked = edge.work.drain([V4, V6], "", forced=False)
    edge.then = [lambda: edge.refuse("no spare site: edge2 is drained")]
    with pytest.raises(PlanRefused, match=r"203.0.113.53/32 is not drained: no spare site"):
        edge.work.wait_drained([V4, V6], 60, asked)
    assert [drain.reason for drain in edge.drains] == ["earlier"], "what was asked before stays"


def test_while_other_edges_are_asked_it_waits(edge: Edge) -> None:
    edge.work.drain([V4], "", forced=False)
    pending = Lease(V4, "drain", granted=False, reason="other edges are asked", pending=True)
    edge.then = [
        lambda: write_leases(edge.folder / "leases.json", [pending]),
        lambda: edge.health("withdrawn", "drained"),
    ]
    edge.work.wait_drained([V4], 60, [V4])
    assert len(edge.drains) == 1


def test_who_waits_too_long_is_told_why_and_the_drain_does_not_begin_later(edge: Edge) -> None:
    edge.work.drain([V4], "", forced=False)
    edge.health(refusal="no controller has granted it yet")
    with pytest.raises(PlanRefused, match="is announced and healthy: no controller has granted it yet"):
        edge.work.wait_drained([V4], 5, [V4])
    assert edge.drains == ()
    edge.health("withdrawn", "failed")
    with pytest.raises(PlanRefused, match="is withdrawn and failed"):
        edge.work.wait_announced([V4], 5)


def test_a_health_check_that_does_not_run_is_said(edge: Edge) -> None:
    (edge.folder / "health.json").unlink()
    with pytest.raises(StoreUnavailable, match=r"arca-dns-health\.service"):
        edge.work.wait_announced([V4], 5)


def test_the_commands_say_what_is_done_or_why_not(edge: Edge) -> None:
    run = CliRunner()
    asked = run.invoke(app, ["drain", "--prefix", V4, "--reason", "disk", "--config", str(edge.config)])
    assert (asked.exit_code, asked.output) == (0, f"{V4} is to be drained\n")
    edge.health("withdrawn", "drained")
    done = run.invoke(app, ["drain", "--prefix", V4, "--wait", "--config", str(edge.config)])
    assert (done.exit_code, done.output) == (0, f"{V4} is drained\n")
    edge.health()
    back = run.invoke(app, ["undrain", "--wait", "--config", str(edge.config)])
    assert back.output == f"{V4} is announced\n{V6} is announced\n"
    wrong = run.invoke(app, ["drain", "--prefix", "x", "--config", str(edge.config)])
    assert (wrong.exit_code, wrong.output.startswith("x is no prefix")) == (1, True)
