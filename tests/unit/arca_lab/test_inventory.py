# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab's inventory is YAML that says what the network is."""

from __future__ import annotations

from pathlib import Path

import yaml

from arca_lab.inventory import inventory, render
from arca_lab.settings import Settings
from arca_lab.topology import Topology
from arca_lab.wheels import ProjectWheel

WHEEL = ProjectWheel(name="arca_dns-0.1.0+lab.00-py3-none-any.whl", version="0.1.0+lab.00", sha256="1e5")


def groups(edges: int = 2) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    text = inventory(Settings(state=Path("/srv/lab")), Topology(edges), WHEEL)
    children: dict[str, dict[str, dict[str, dict[str, object]]]] = yaml.safe_load(text)["all"]["children"]
    return children


def test_every_host_is_in_the_group_of_its_role() -> None:
    assert {group: list(content["hosts"]) for group, content in groups(3).items()} == {
        "arca_dns_controllers": ["controller"],
        "arca_dns_edges": ["edge1", "edge2", "edge3"],
        "arca_dns_routers": ["router"],
        "arca_dns_resolvers": ["client"],
    }


def test_an_edge_and_the_router_agree_about_their_link() -> None:
    edge = groups()["arca_dns_edges"]["hosts"]["edge2"]
    neighbours = groups()["arca_dns_routers"]["hosts"]["router"]["arca_dns_lab_edges"]
    assert isinstance(neighbours, list)
    assert neighbours[1] == {
        "name": "edge2",
        "asn": edge["arca_dns_lab_asn"],
        "interface": "edge2",
        "edge_address4": edge["arca_dns_lab_uplink_address4"],
        "edge_address6": edge["arca_dns_lab_uplink_address6"],
        "router_address4": edge["arca_dns_lab_router_address4"],
        "router_address6": edge["arca_dns_lab_router_address6"],
    }


def test_text_that_yaml_would_take_for_something_else_stays_text() -> None:
    value = {
        "a": "1e5",
        "b": "true",
        "c": "10.0.0.1",
        "d": "fd98:1::2",
        "e": ["no: colon"],
        "f": {"g": 64600},
        "h": True,
    }
    assert yaml.safe_load(render(value)) == value  # type: ignore[arg-type]
