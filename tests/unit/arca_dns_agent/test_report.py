# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the health check, people and the controller are told."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head
from arca_dns.zone import names
from arca_dns_agent import report
from arca_dns_agent.claims import GoingBack
from arca_dns_agent.content import Content
from arca_dns_agent.leases import HealthFile
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
    settled_ring="stable",
    proved={COM: Served(COM, 5, "a", False), NET: Served(NET, 7, "x", True)},
    problems={ORG: "cannot parse"},
    server_problem=None,
    server_version="NSD 4.6.1",
    going_back={},
    content={NET: Content((2371, 60485), 1_800_000_000)},
    waiting=lambda: 3,
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
    assert (len(served.problems), len(served.notes)) == (1, 1), "head expired; controller out of reach"


def test_the_health_check_expects_of_a_zone_that_goes_back_no_more_than_it_goes_to() -> None:
    back = {NET: GoingBack(Served(NET, 7, "x", True), None, 3)}
    proved = {COM: CONVERGER.proved[COM]}
    converger = SimpleNamespace(**{**vars(CONVERGER), "proved": proved, "going_back": back})
    served = parse(json.dumps(report.served(HELD, converger, CONTACT, 1600)).encode())  # type: ignore[arg-type]
    assert served.zones["example.net."].serial == 3
    assert not served.zones["example.net."].signed, "the older version may be without signatures"
    assert "example.com." in served.zones


def test_the_ring_that_is_attested_is_that_of_the_head_that_is_attested(tmp_path: Path) -> None:
    moved = SimpleNamespace(**{**vars(CONVERGER), "settled": 101, "settled_ring": "canary"})
    document = report.attestation(HELD, moved, HealthFile(tmp_path / "none"), 0)  # type: ignore[arg-type]
    assert (document["head"], document["ring"]) == (101, "canary")
    fresh = SimpleNamespace(**{**vars(CONVERGER), "settled": None, "settled_ring": None})
    document = report.attestation(HELD, fresh, HealthFile(tmp_path / "none"), 0)  # type: ignore[arg-type]
    assert (document["head"], document["ring"]) == (None, "stable"), "the one that it follows"


def test_status_says_of_each_zone_whether_it_is_served_as_wanted() -> None:
    document = report.status("edge1", "http://c", HELD, CONVERGER, CONTACT, 1600)  # type: ignore[arg-type]
    zones = {zone["name"]: (zone["state"], zone["reason"]) for zone in document["zones"]}  # type: ignore[union-attr, index, call-overload]
    assert zones == {
        "example.com.": ("served", None),
        "example.net.": ("loading", None),
        "example.org.": ("failed", "cannot parse"),
    }


HEALTH = {
    "announced": ["203.0.113.53/32"],
    "bird_version": "2.0.12",
    "prefixes": [
        {
            "prefix": "203.0.113.53/32",
            "mode": "degraded",
            "condition": "degraded",
            "since": "2026-11-23T00:00:00Z",
            "reasons": ["latency 210 ms"],
            "good_rounds": 5,
        },
        "no prefix at all",
    ],
}


def attestation(tmp_path: Path, document: object) -> dict[str, Any]:
    (tmp_path / "health.json").write_text(json.dumps(document))
    health = HealthFile(tmp_path / "health.json")
    assert health.changed()
    return report.attestation(HELD, CONVERGER, health, 1000)  # type: ignore[arg-type]


def test_an_attestation_names_failures_and_what_is_announced(tmp_path: Path) -> None:
    document = attestation(tmp_path, HEALTH)
    assert (document["head"], document["head_held"], document["ring"]) == (8, 9, "stable")
    assert document["started"] == "1970-01-01T00:16:40Z"
    assert document["failures"] == [{"name": "example.org.", "reason": "cannot parse"}]
    assert document["announced"] == ["203.0.113.53/32"]
    assert document["health"] == [
        {
            "prefix": "203.0.113.53/32",
            "mode": "degraded",
            "condition": "degraded",
            "since": "2026-11-23T00:00:00Z",
            "reasons": ["latency 210 ms"],
        }
    ]
    assert (document["versions"]["server"], document["versions"]["bird"]) == ("NSD 4.6.1", "2.0.12")


def test_an_attestation_tells_keys_and_expiry_of_zones_that_this_process_proved(tmp_path: Path) -> None:
    assert attestation(tmp_path, {})["zones"] == [
        {"name": "example.com.", "serial": 5},
        {"name": "example.net.", "serial": 7, "dnskey_tags": [2371, 60485], "earliest_expiry": 1_800_000_000},
    ]


def test_a_mode_is_news_and_a_reason_with_other_figures_is_not(tmp_path: Path) -> None:
    def news(**changes: object) -> object:
        entry = HEALTH["prefixes"][0]
        assert isinstance(entry, dict)
        return report.news(attestation(tmp_path, {**HEALTH, "prefixes": [entry | changes]}))

    assert news(reasons=["latency 211 ms"]) == news()
    assert news(mode="announced") != news()
    assert news(condition="healthy") != news()


def test_documents_replace_each_other_in_one_step_and_can_be_read_by_all(tmp_path: Path) -> None:
    path = tmp_path / "served.json"
    report.write(path, {"n": 1})
    report.write(path, {"n": 2})
    assert json.loads(path.read_bytes()) == {"n": 2}
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]
