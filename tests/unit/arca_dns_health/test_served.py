# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent's file: what is read from it, and that a bad one changes nothing."""

from __future__ import annotations

import json
from pathlib import Path

from arca_dns_health.served import Served, ServedFile, ServedZone

DOCUMENT = {
    "head": 7,
    "zones": [
        {"name": "b.example.", "serial": 2, "signed": True},
        {"name": "a.example.", "serial": 1, "signed": False},
    ],
    "probe_zone": "b.example.",
}


def write(path: Path, **changes: object) -> None:
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({**DOCUMENT, **changes}))
    fresh.replace(path)


def test_it_names_zones_serials_and_the_one_to_probe(tmp_path: Path) -> None:
    write(tmp_path / "served.json")
    served, problem = ServedFile(tmp_path / "served.json").read()
    assert problem is None
    assert served.head == 7
    assert served.to_probe(()) == (ServedZone("b.example.", 2, True),)


def test_without_a_choice_of_the_agent_the_first_zone_is_probed(tmp_path: Path) -> None:
    write(tmp_path / "served.json", probe_zone=None)
    assert ServedFile(tmp_path / "served.json").read()[0].to_probe(()) == (ServedZone("a.example.", 1, False),)


def test_the_configuration_chooses_before_the_agent(tmp_path: Path) -> None:
    write(tmp_path / "served.json")
    served, _ = ServedFile(tmp_path / "served.json").read()
    assert [zone.name for zone in served.to_probe(("a.example.", "gone.example."))] == ["a.example."]


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    file = ServedFile(tmp_path / "served.json")
    write(tmp_path / "served.json")
    file.read()
    write(tmp_path / "served.json", head=8)
    assert file.read()[0].head == 8


def test_a_file_that_is_not_there_yet_is_said_so(tmp_path: Path) -> None:
    served, problem = ServedFile(tmp_path / "served.json").read()
    assert served == Served()
    assert problem is not None
    assert "has not written" in problem


def test_a_file_that_breaks_or_goes_leaves_the_last_good_one_in_force(tmp_path: Path) -> None:
    path = tmp_path / "served.json"
    file = ServedFile(path)
    write(path)
    good, _ = file.read()
    path.write_text("{")
    served, problem = file.read()
    assert served == good
    assert problem is not None
    path.unlink()
    assert file.read()[0] == good


def test_a_controller_out_of_reach_is_told_and_no_problem_of_this_edge(tmp_path: Path) -> None:
    write(tmp_path / "served.json", controller_reachable=False, head_expired=True)
    served = ServedFile(tmp_path / "served.json").read()[0]
    assert (served.problems, served.notes) == (
        ("the agent's head has expired",),
        ("the agent cannot reach its controller",),
    )
