# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the health check, people and the controller are told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head
from arca_dns.zone import names
from arca_dns_agent import report
from arca_dns_agent.state import Served
from arca_dns_agent.sync import Held
from arca_dns_health.served import parse

COM, NET, ORG = (names.from_text(f"example.{tld}.") for tld in ("com", "net", "org"))
HELD = Held(
    Head("stable", 9, None, 1000, 2000),
    {COM: Entry(COM, 5, "a", "v"), NET: Entry(NET, 8, "b", "v"), ORG: Entry(ORG, 1, "c", "v")},
)
CONVERGER = SimpleNamespace(
    settled=8,
    proved={COM: Served(COM, 5, "a", False), NET: Served(NET, 7, "x", True)},
    problems={ORG: "cannot parse"},
    server_problem=None,
    server_version="NSD 4.6.1",
)
CONTACT = SimpleNamespace(reachable=False, last=1500.0, problem="no route")


def test_the_health_check_understands_served_json() -> None:
    document = report.served(HELD, CONVERGER, CONTACT, 3000)  # type: ignore[arg-type]
    served = parse(json.dumps(document).encode())
    assert served.head == 8
    assert {name: (zone.serial, zone.signed) for name, zone in served.zones.items()} == {
        "example.com.": (5, False),
        "example.net.": (7, True),
    }
    assert served.probe_zone == "example.net.", "a signed zone proves more"
    assert len(served.problems) == 2, "controller out of reach, head expired"


def test_status_says_of_each_zone_whether_it_is_served_as_wanted() -> None:
    document = report.status("edge1", "http://c", HELD, CONVERGER, CONTACT, 1600)  # type: ignore[arg-type]
    zones = {zone["name"]: (zone["state"], zone["reason"]) for zone in document["zones"]}  # type: ignore[union-attr, index, call-overload]
    assert zones == {
        "example.com.": ("served", None),
        "example.net.": ("loading", None),
        "example.org.": ("failed", "cannot parse"),
    }


def test_an_attestation_names_failures_and_what_is_announced(tmp_path: Path) -> None:
    health = tmp_path / "health.json"
    health.write_text('{"announced": ["203.0.113.53/32"]}')
    document = report.attestation(HELD, CONVERGER, health)  # type: ignore[arg-type]
    assert (document["head"], document["head_held"]) == (8, 9)
    assert document["failures"] == [{"name": "example.org.", "reason": "cannot parse"}]
    assert document["announced"] == ["203.0.113.53/32"]
    assert report.announced(tmp_path / "none") == []


def test_documents_replace_each_other_in_one_step_and_can_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "served.json"
    report.write(path, {"n": 1})
    report.write(path, {"n": 2})
    assert json.loads(path.read_bytes()) == {"n": 2}
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]
