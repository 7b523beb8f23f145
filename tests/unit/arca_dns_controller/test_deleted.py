# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Deleted zones over HTTP: what is kept of them, and how they come back."""

from __future__ import annotations

import pytest

from arca_dns.zone.rr import serial_newer
from arca_dns_controller import models
from controller_api import EXAMPLE, Api, problem


@pytest.fixture
def deleted(api: Api, zone: str) -> models.Zone:
    """example.com., created with settings of its own and deleted."""
    held = api("GET", f"/zones/{zone}").json()
    settings = {"serial": "increment", "thresholds": {"share": 0.5, "minimum": 3}}
    assert api.write("PUT", f"/zones/{zone}", json={**held, "settings": settings}).status_code == 200
    before = models.Zone.model_validate_json(api("GET", f"/zones/{zone}").content)
    assert api.write("DELETE", f"/zones/{zone}?force=true&reason=gone").status_code == 200
    return before


def test_a_deleted_zone_is_listed_with_who_deleted_it_and_why(api: Api, deleted: models.Zone) -> None:
    found = models.DeletedZoneList.model_validate_json(api("GET", "/deleted-zones").content)
    (one,) = found.zones
    assert (one.name, one.actor, one.reason, one.last) == ("example.com.", "the-admin", "gone", deleted.version)
    assert one.record_count == deleted.record_count
    assert found.next is None


def test_the_history_of_a_deleted_zone_stays_readable(api: Api, deleted: models.Zone) -> None:
    versions = api("GET", "/zones/example.com/versions").json()["versions"]
    assert [one["reason"] for one in versions][-1] == "gone"
    assert api("GET", f"/zones/example.com/versions/{deleted.version}").json()["records"]
    problem(api("GET", "/zones/example.com"), 404, "not-found")


def test_undelete_brings_content_and_settings_back_with_a_newer_serial(api: Api, deleted: models.Zone) -> None:
    answer = api("POST", "/zones/example.com/undelete?reason=oops")
    written = models.Written.model_validate_json(answer.content)
    assert written.applied
    assert written.published, written.problem
    back = models.Zone.model_validate_json(api("GET", "/zones/example.com").content)
    assert back.records == deleted.records
    assert (back.settings, back.created) == (deleted.settings, deleted.created)
    assert serial_newer(back.serial, deleted.serial)
    versions = api("GET", "/zones/example.com/versions").json()["versions"]
    assert [one["parent"] for one in versions[1:]] == [one["version"] for one in versions[:-1]]
    assert api("GET", "/deleted-zones").json()["zones"] == []


def test_a_dry_run_tells_what_would_come_back(api: Api, deleted: models.Zone) -> None:
    answer = models.Written.model_validate_json(api("POST", "/zones/example.com/undelete?dry_run=true").content)
    assert not answer.applied
    assert len(answer.plan.adds) == len({(record.name, record.type) for record in deleted.records}) + 1  # the SOA
    problem(api("GET", "/zones/example.com"), 404, "not-found")


def test_what_was_never_deleted_cannot_be_undeleted(api: Api, zone: str) -> None:
    problem(api("POST", f"/zones/{zone}/undelete"), 409, "already-exists")
    problem(api("POST", "/zones/example.net/undelete"), 404, "not-found")


def test_a_zone_created_anew_goes_on_with_the_history_of_its_name(api: Api, deleted: models.Zone) -> None:
    assert api("POST", "/zones", json=EXAMPLE).status_code == 201
    problem(api("POST", "/zones/example.com/undelete"), 409, "already-exists")
    assert api("GET", "/deleted-zones").json()["zones"] == []
    versions = api("GET", "/zones/example.com/versions").json()["versions"]
    assert versions[0]["parent"] is None
    assert [one["parent"] for one in versions[1:]] == [one["version"] for one in versions[:-1]]
    back = api.write("POST", "/zones/example.com/rollback", json={"version": deleted.version})
    assert back.status_code == 200
    assert serial_newer(back.json()["serial"], deleted.serial)


def test_pages_of_deleted_zones(api: Api) -> None:
    names = ["a.example.", "b.example.", "c.example."]
    records = [{"name": "@", "type": "NS", "ttl": 3600, "value": "ns1.example.net."}]
    for name in names:
        document = {"name": name, "soa": {"mname": "ns1.example.net."}, "records": records}
        assert api("POST", "/zones", json=document).status_code == 201
        assert api.write("DELETE", f"/zones/{name}?force=true", name).status_code == 200
    first = api("GET", "/deleted-zones?limit=2").json()
    second = api("GET", f"/deleted-zones?limit=2&after={first['next']}").json()
    assert [one["name"] for one in first["zones"] + second["zones"]] == sorted(names)
    assert len(first["zones"]) == 2
