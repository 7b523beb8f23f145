# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Many zones in one transaction over HTTP: all or nothing, and every mistake told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from arca_dns.bulk import MOST
from arca_dns_controller import models
from controller_api import Api, problem

DOCUMENT = {
    "soa": {"mname": "ns1.example.net.", "rname": "admin.example.net."},
    "records": [{"name": "@", "type": "NS", "ttl": 3600, "value": "ns1.example.net."}],
}


def create(name: str) -> dict[str, Any]:
    return {"action": "create", "zone": name, "document": DOCUMENT}


def head(api: Api) -> int:
    return int(json.loads(api("GET", "/heads/stable").json()["payload"])["revision"])


def zones(api: Api) -> list[str]:
    return [one["name"] for one in api("GET", "/zones").json()["zones"]]


@pytest.fixture
def three(api: Api) -> list[str]:
    names = ["a.example.", "b.example.", "c.example."]
    answer = api("POST", "/bulk?reason=first", json={"operations": [create(name) for name in names]})
    written = models.BulkWritten.model_validate_json(answer.content)
    assert written.applied
    assert [(one.zone, one.applied, one.published) for one in written.outcomes] == [(n, True, True) for n in names]
    return names


def test_zones_of_a_bulk_share_one_head(api: Api, three: list[str]) -> None:
    assert head(api) == 1
    assert zones(api) == three


def test_every_kind_of_operation_goes_in_one_bulk(api: Api, three: list[str]) -> None:
    old = api("GET", "/zones/b.example").json()["version"]
    assert api.write("DELETE", "/zones/c.example?force=true", "c.example").status_code == 200
    put = {"action": "put", "name": "www", "type": "A", "ttl": 60, "values": ["192.0.2.1"]}
    assert api.write("POST", "/zones/b.example/changes", "b.example", json={"changes": [put]}).status_code == 200
    more = {**DOCUMENT, "records": [*DOCUMENT["records"], {"name": "x", "type": "TXT", "value": '"y"'}]}  # type: ignore[misc]
    operations = [
        {"action": "replace", "zone": "a.example", "if_version": "*", "document": more},
        {"action": "rollback", "zone": "b.example", "if_version": "*", "version": old},
        {"action": "undelete", "zone": "c.example"},
        create("d.example"),
    ]
    before = head(api)
    answer = api("POST", "/bulk?force=true", json={"operations": operations})
    assert answer.status_code == 200, answer.text
    assert head(api) == before + 1
    assert zones(api) == [*three, "d.example."]
    assert api("GET", "/zones/a.example/rrsets/x/TXT").status_code == 200
    assert api("GET", "/zones/b.example/rrsets/www/A").status_code == 404
    change = {"action": "change", "zone": "d.example", "if_version": "*", "changes": [put]}
    answer = api("POST", "/bulk?force=true", json={"operations": [change, delete("a.example")]})
    assert answer.status_code == 200, answer.text
    assert zones(api) == ["b.example.", "c.example.", "d.example."]


def delete(name: str, version: str = "*") -> dict[str, Any]:
    return {"action": "delete", "zone": name, "if_version": version}


def test_one_stale_version_stops_all_and_is_named(api: Api, three: list[str]) -> None:
    operations = [create("d.example"), delete("b.example", "v" + "0" * 26)]
    body = problem(api("POST", "/bulk", json={"operations": operations}), 412, "stale-version")
    assert [place["pointer"] for place in body["places"]] == ["/operations/1"]
    assert zones(api) == three


def test_all_mistakes_are_told_at_once(api: Api, three: list[str]) -> None:
    bad = {**DOCUMENT, "records": [*DOCUMENT["records"], {"name": "x", "type": "A", "value": "192.0.2.999"}]}  # type: ignore[misc]
    operations = [
        {"action": "create", "zone": "d.example", "document": bad},
        {"action": "delete", "zone": "a.example"},
        {"action": "undelete", "zone": "e.example", "version": "x"},
    ]
    body = problem(api("POST", "/bulk", json={"operations": operations}), 422, "invalid-input")
    assert [place["pointer"] for place in body["places"]] == [
        "/operations/0/document/records/1/value",
        "/operations/1/if_version",
        "/operations/2/version",
    ]


def test_rules_that_zones_break_are_told_of_each(api: Api, three: list[str]) -> None:
    bare = {**DOCUMENT, "records": []}
    operations = [{"action": "create", "zone": f"{name}.example", "document": bare} for name in "de"]
    body = problem(api("POST", "/bulk", json={"operations": operations}), 422, "checks-failed")
    assert {place["pointer"].split("/")[2] for place in body["places"]} == {"0", "1"}
    assert zones(api) == three


def test_two_operations_on_one_zone_are_a_mistake(api: Api) -> None:
    body = problem(
        api("POST", "/bulk", json={"operations": [create("a.example"), create("A.Example.")]}), 422, "invalid-input"
    )
    assert [place["pointer"] for place in body["places"]] == ["/operations/1"]


def test_deleting_all_zones_needs_force(api: Api, three: list[str]) -> None:
    operations = [delete(name) for name in three]
    body = problem(api("POST", "/bulk", json={"operations": operations}), 409, "plan-refused")
    assert "3 of 3 zones would be deleted" in [place["message"] for place in body["places"]]
    assert zones(api) == three
    assert api("POST", "/bulk?force=true", json={"operations": operations}).status_code == 200
    assert zones(api) == []


def test_a_dry_run_answers_every_plan_and_writes_nothing(api: Api, three: list[str]) -> None:
    answer = api("POST", "/bulk?dry_run=true", json={"operations": [create("d.example"), delete("a.example")]})
    written = models.BulkWritten.model_validate_json(answer.content)
    assert (written.changed, written.applied) == (True, False)
    assert [len(one.plan.adds) for one in written.outcomes] == [2, 0]
    assert zones(api) == three


def test_too_many_operations_are_refused(api: Api) -> None:
    operations = [delete(f"z{index}.example") for index in range(MOST + 1)]
    assert "at most" in problem(api("POST", "/bulk", json={"operations": operations}), 413, "body-too-large")["detail"]
