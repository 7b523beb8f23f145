# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Deleted zones over HTTP: listed, read, brought back."""

from __future__ import annotations

from arca_dns_controller import models
from controller_api import Api, problem


def delete(api: Api, zone: str) -> None:
    answer = api.write("DELETE", f"/zones/{zone}?force=true&reason=cleaning", zone)
    assert answer.status_code == 200, answer.text


def test_a_deleted_zone_is_listed_and_comes_back(api: Api, zone: str) -> None:
    before = api("GET", f"/zones/{zone}").json()
    delete(api, zone)
    listed = models.DeletedZoneList.model_validate_json(api("GET", "/deleted-zones").content)
    (item,) = listed.zones
    assert (item.name, item.last, item.actor, item.reason) == (zone, before["version"], "the-admin", "cleaning")
    answer = api("POST", f"/zones/{zone}/undelete?reason=oops")
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/api/v1/zones/{zone}"
    written = models.Written.model_validate_json(answer.content)
    assert written.applied
    assert written.published, written.problem
    after = api("GET", f"/zones/{zone}").json()
    assert after["records"] == before["records"]
    assert after["serial"] > before["serial"]
    assert after["settings"] == before["settings"]
    assert api("GET", "/deleted-zones").json() == {"zones": [], "next": None}


def test_deleted_zones_are_listed_page_by_page(api: Api, zone: str) -> None:
    content = "@ 300 SOA ns admin 1 60 60 60 60\n@ 300 NS ns\nns 300 A 192.0.2.1\n"
    assert api("POST", "/zones/raw?origin=example.org", content=content).status_code == 201
    for name in (zone, "example.org."):
        delete(api, name)
    first = api("GET", "/deleted-zones?limit=1").json()
    assert [item["name"] for item in first["zones"]] == [zone]
    second = api("GET", f"/deleted-zones?after={first['next']}").json()
    assert [item["name"] for item in second["zones"]] == ["example.org."]
    assert second["next"] is None


def test_the_versions_of_a_deleted_zone_are_read_and_compared(api: Api, zone: str) -> None:
    change = {"changes": [{"action": "put", "name": "new", "type": "A", "values": ["192.0.2.7"]}]}
    assert api.write("POST", f"/zones/{zone}/changes", json=change).status_code == 200
    delete(api, zone)
    versions = api("GET", f"/zones/{zone}/versions").json()["versions"]
    assert len(versions) == 3
    assert api("GET", f"/zones/{zone}/versions/{versions[0]['version']}").json()["record_count"] == 6
    compared = api("GET", f"/zones/{zone}/diff?from={versions[0]['version']}").json()
    assert compared["to"] == versions[1]["version"]
    assert [item["name"] for item in compared["adds"]] == ["new.example.com."]


def test_a_dry_run_of_undelete_answers_the_plan(api: Api, zone: str) -> None:
    delete(api, zone)
    answer = api("POST", f"/zones/{zone}/undelete?dry_run=true")
    assert (answer.status_code, answer.json()["applied"]) == (200, False)
    problem(api("GET", f"/zones/{zone}"), 404, "not-found")


def test_undelete_of_what_is_there_or_never_was_is_refused(api: Api, zone: str) -> None:
    problem(api("POST", f"/zones/{zone}/undelete"), 409, "already-exists")
    problem(api("POST", "/zones/example.net/undelete"), 404, "not-found")
    problem(api("GET", "/zones/example.net/versions"), 404, "not-found")
