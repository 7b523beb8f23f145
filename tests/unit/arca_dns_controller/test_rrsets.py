# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""RRsets, batches and versions over HTTP."""

from __future__ import annotations

from arca_dns_controller import models
from controller_api import Api, problem


def test_an_rrset_is_put_read_and_deleted(api: Api, zone: str) -> None:
    path = f"/zones/{zone}/rrsets/api/A"
    put = api.write("PUT", path, json={"ttl": 60, "values": ["192.0.2.7"]})
    assert put.status_code == 200, put.text
    assert models.Written.model_validate_json(put.content).plan.adds[0].name == "api.example.com."
    found = api("GET", path)
    assert found.json() == {"name": "api.example.com.", "type": "A", "ttl": 60, "values": ["192.0.2.7"]}
    assert found.headers["etag"] == put.headers["etag"]
    assert api.write("DELETE", path).json()["plan"]["removals"][0]["ttl"] == 60
    problem(api("GET", path), 404, "not-found")
    assert api.write("DELETE", path).json()["changed"] is False


def test_a_put_without_a_ttl_keeps_the_one_there_is(api: Api, zone: str) -> None:
    change = api.write("PUT", f"/zones/{zone}/rrsets/www/A", json={"values": ["192.0.2.9"]}).json()["plan"]["changes"]
    assert (change[0]["before"]["ttl"], change[0]["after"]) == (300, {"ttl": 300, "values": ["192.0.2.9"]})
    adds = api.write("PUT", f"/zones/{zone}/rrsets/@/TXT", json={"values": ['"x"']}).json()["plan"]["adds"]
    assert (adds[0]["name"], adds[0]["ttl"]) == ("example.com.", 3600)


def test_an_rrset_is_put_only_on_the_version_it_was_computed_from(api: Api, zone: str) -> None:
    path = f"/zones/{zone}/rrsets/www/A"
    problem(api("PUT", path, json={"values": ["192.0.2.9"]}), 428, "precondition-required")
    stale = {"If-Match": '"v00000000000000000000000000"'}
    problem(api("PUT", path, json={"values": ["192.0.2.9"]}, headers=stale), 412, "stale-version")


def test_mistakes_in_an_rrset_are_named_by_pointers(api: Api, zone: str) -> None:
    answer = api.write("PUT", f"/zones/{zone}/rrsets/www/A", json={"values": ["192.0.2.9", "x"]})
    assert [place["pointer"] for place in problem(answer, 422, "zone-text")["places"]] == ["/values/1"]
    answer = api.write("PUT", f"/zones/{zone}/rrsets/www/NOSUCH", json={"values": ["x"]})
    assert answer.status_code == 422
    answer = api.write("PUT", f"/zones/{zone}/rrsets/www.example.net./A", json={"values": ["192.0.2.9"]})
    problem(answer, 422, "bad-name")
    answer = api.write("PUT", f"/zones/{zone}/rrsets/www/A", json={"values": []})
    assert problem(answer, 422, "invalid-input")["places"][0]["pointer"] == "/values"


def test_changes_are_made_together(api: Api, zone: str) -> None:
    changes = [
        {"action": "put", "name": "a", "type": "A", "ttl": 60, "values": ["192.0.2.2"]},
        {"action": "put", "name": "www", "type": "A", "values": ["192.0.2.3"]},
        {"action": "delete", "name": "mail.example.com.", "type": "TXT"},
    ]
    answer = api.write("POST", f"/zones/{zone}/changes", json={"changes": changes})
    assert answer.status_code == 200, answer.text
    plan = answer.json()["plan"]
    assert [len(plan[kind]) for kind in ("adds", "changes", "removals")] == [1, 1, 1]
    assert len(api("GET", f"/zones/{zone}/versions").json()["versions"]) == 2


def test_changes_with_mistakes_are_made_not_at_all(api: Api, zone: str) -> None:
    changes = [
        {"action": "put", "name": "a", "type": "A", "values": ["192.0.2.2"]},
        {"action": "put", "name": "b", "type": "A", "values": ["x"]},
        {"action": "put", "name": "c", "type": "A"},
        {"action": "delete", "name": "d", "type": "A", "ttl": 1},
        {"action": "delete", "name": "a", "type": "A"},
    ]
    before = api("GET", f"/zones/{zone}").content
    answer = api.write("POST", f"/zones/{zone}/changes", json={"changes": changes})
    pointers = [place["pointer"] for place in problem(answer, 422, "zone-text")["places"]]
    assert pointers == ["/changes/1/values/0", "/changes/2", "/changes/3", "/changes/4"]
    assert api("GET", f"/zones/{zone}").content == before


def test_versions_are_listed_read_compared_and_gone_back_to(api: Api, zone: str) -> None:
    api.write("PUT", f"/zones/{zone}/rrsets/www/A?reason=move", json={"values": ["192.0.2.9"]})
    listed = models.VersionList.model_validate_json(api("GET", f"/zones/{zone}/versions").content).versions
    first, second = listed
    assert (second.actor, second.reason, second.parent) == ("the-admin", "move", first.version)
    assert first.serial < second.serial

    old = models.VersionContent.model_validate_json(api("GET", f"/zones/{zone}/versions/{first.version}").content)
    assert [one.value for one in old.records if one.name == "www"] == ["192.0.2.80", "192.0.2.81"]
    diff = models.DiffAnswer.model_validate_json(api("GET", f"/zones/{zone}/diff?from={first.version}").content)
    assert [one.name for one in diff.changes] == ["www.example.com."]

    back = api.write("POST", f"/zones/{zone}/rollback", json={"version": first.version})
    assert back.json()["serial"] > second.serial
    assert len(api("GET", f"/zones/{zone}/rrsets/www/A").json()["values"]) == 2
    page = api("GET", f"/zones/{zone}/versions?limit=1&after={first.version}").json()
    assert (page["versions"][0]["version"], page["next"]) == (second.version, second.version)


def test_a_version_that_is_not_there_is_not_found(api: Api, zone: str) -> None:
    missing = "v" + "0" * 26
    problem(api("GET", f"/zones/{zone}/versions/{missing}"), 404, "not-found")
    problem(api.write("POST", f"/zones/{zone}/rollback", json={"version": missing}), 404, "not-found")
    problem(api("GET", f"/zones/{zone}/versions/x"), 422, "invalid-input")


def test_a_method_that_a_path_does_not_take_is_answered_with_all_that_it_takes(api: Api, zone: str) -> None:
    refused = api("PATCH", f"/zones/{zone}")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["Allow"] == "DELETE, GET, HEAD, PUT"
