# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keys of the store at the API: made, used, limited, rotated and revoked."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient

from arca_dns import finding
from arca_dns_controller import models
from controller_api import EXAMPLE, Api, problem

OTHER = {**EXAMPLE, "name": "other.example", "soa": {"mname": "ns1.other.example", "rname": "admin.other.example"}}
WWW = {"ttl": 300, "values": ["192.0.2.9"]}
ANY = {"If-Match": "*"}


@pytest.fixture(autouse=True)
def zones(api: Api) -> None:
    other = {
        **OTHER,
        "records": [
            {"name": "@", "type": "NS", "value": "ns1.other.example."},
            {"name": "ns1", "type": "A", "value": "192.0.2.1"},
        ],
    }
    for document in (EXAMPLE, other):
        answer = api("POST", "/zones", json=document)
        assert answer.status_code == 201, answer.text


def key(api: Api, role: str = "editor", **limits: list[str]) -> Api:
    answer = api("POST", "/keys", json={"name": "some", "role": role, "limits": limits})
    assert answer.status_code == 201, answer.text
    made = models.KeyMade.model_validate_json(answer.content)
    found = Api(api.client, None)
    found.headers = {"Authorization": f"Bearer {made.key}"}
    return found


def test_a_key_of_the_store_is_one_like_those_of_the_configuration(api: Api) -> None:
    editor = key(api)
    assert editor("PUT", "/zones/example.com/rrsets/www/A", json=WWW, headers=ANY).status_code == 200
    version = editor("GET", "/zones/example.com/versions").json()["versions"][-1]
    assert version["actor"] == "some"
    problem(editor("GET", "/keys"), 403, "access-denied")


def test_a_zone_beyond_the_limits_is_not_there(api: Api) -> None:
    limited = key(api, zones=["other.example"])
    assert [zone["name"] for zone in limited("GET", "/zones").json()["zones"]] == ["other.example."]
    for spelling in ("example.com", "EXAMPLE.com.", "e%78ample.com", "e%5C120ample.com"):
        for path in ("", "/raw", "/rrsets", "/rrsets/www/A", "/versions", "/signed", "/ds"):
            answer = limited("GET", f"/zones/{spelling}{path}")
            assert problem(answer, 404, "not-found")["detail"] == "there is no zone example.com."
        problem(limited("PUT", f"/zones/{spelling}/rrsets/www/A", json=WWW, headers=ANY), 404, "not-found")
        problem(limited("DELETE", f"/zones/{spelling}", headers=ANY), 404, "not-found")
    assert limited("GET", "/search?value=192.0.2.1").json()["results"][0]["zone"] == "other.example."
    assert len(limited("GET", "/search?value=192.0.2.1").json()["results"]) == 1
    problem(
        limited("POST", "/zones", json={**OTHER, "name": "third.example", "records": [], "soa": {"mname": "ns"}}),
        403,
        "access-denied",
    )
    text = "$ORIGIN third.example.\n@ 300 SOA ns h 1 2 3 4 5\n@ 300 NS ns\nns 300 A 192.0.2.1\n"
    problem(limited("POST", "/zones/raw", content=text), 403, "access-denied")
    assert limited("DELETE", "/zones/other.example", headers=ANY).status_code == 200
    api("DELETE", "/zones/example.com", headers=ANY)
    assert [zone["name"] for zone in limited("GET", "/deleted-zones").json()["zones"]] == ["other.example."]


def test_a_bulk_is_done_within_the_limits_or_not_at_all(api: Api) -> None:
    limited = key(api, zones=["other.example"])
    change = {
        "action": "change",
        "if_version": "*",
        "changes": [{"action": "put", "name": "x", "type": "A", "values": ["192.0.2.7"]}],
    }
    both = {"operations": [{**change, "zone": "other.example"}, {**change, "zone": "Example.COM."}]}
    body = problem(limited("POST", "/bulk", json=both), 403, "access-denied")
    assert [place["pointer"] for place in body["places"]] == ["/operations/1/zone"]
    assert limited("GET", "/zones/other.example/rrsets/x/A").status_code == 404
    assert limited("POST", "/bulk", json={"operations": both["operations"][:1]}).status_code == 200


def test_names_and_types_limit_what_is_written(api: Api) -> None:
    dynamic = key(api, names=["*.dyn"], types=["A"])
    path = "/zones/example.com/rrsets"
    assert dynamic("PUT", f"{path}/host.dyn/A", json=WWW, headers=ANY).status_code == 200
    assert dynamic("PUT", f"{path}/HOST.Dyn.Example.Com./a", json=WWW, headers=ANY).status_code == 200
    for owner, rdtype, values in (
        ("www", "A", ["192.0.2.9"]),
        ("dyn", "A", ["192.0.2.9"]),
        ("host.dyn", "TXT", ['"x"']),
        ("*", "A", ["192.0.2.9"]),
        ("dyn.evil", "A", ["192.0.2.9"]),
        ("x\\.dyn", "A", ["192.0.2.9"]),
    ):
        answer = dynamic("PUT", f"{path}/{owner}/{rdtype}", json={"ttl": 300, "values": values}, headers=ANY)
        problem(answer, 403, "access-denied")
    batch = [{"action": "put", "name": one, "type": "A", "values": ["192.0.2.8"]} for one in ("b.dyn", "www")]
    problem(dynamic("POST", "/zones/example.com/changes", json={"changes": batch}, headers=ANY), 403, "access-denied")
    assert dynamic("GET", f"{path}/b.dyn/A").status_code == 404
    for method, at, body in (
        ("PUT", "/zones/example.com", EXAMPLE),
        ("DELETE", "/zones/example.com", None),
        ("POST", "/zones/example.com/rollback", {"version": "v" + "0" * 26}),
        ("POST", "/zones", {**OTHER, "name": "third.example"}),
    ):
        problem(dynamic(method, at, json=body, headers=ANY), 403, "access-denied")


@pytest.mark.parametrize("stored", [True, False])
def test_an_acme_key_writes_challenges_and_reads_nothing(api: Api, stored: bool) -> None:
    acme = key(api, "acme") if stored else Api(api.client, "acme")
    path, text = "/zones/example.com/rrsets", {"ttl": 60, "values": ['"token"']}
    assert acme("PUT", f"{path}/_acme-challenge.www/TXT", json=text, headers=ANY).status_code == 200
    assert acme("DELETE", f"{path}/_acme-challenge.www/TXT", headers=ANY).status_code == 200
    problem(acme("PUT", f"{path}/www/TXT", json=text, headers=ANY), 403, "access-denied")
    problem(acme("PUT", f"{path}/_acme-challenge.www/A", json=WWW, headers=ANY), 403, "access-denied")
    problem(acme("GET", "/zones/example.com"), 403, "access-denied")


@pytest.mark.parametrize("role", ["admin", "agent", "viewer"])
def test_a_limited_key_gets_nothing_that_concerns_all_zones(api: Api, role: str) -> None:
    limited = key(api, role, zones=["other.example"])
    problem(limited("GET", "/heads/stable"), 403, "access-denied")
    problem(limited("POST", "/blobs/fetch", json={"digests": []}), 403, "access-denied")
    problem(limited("POST", "/keys", json={"name": "more", "role": "admin"}), 403, "access-denied")


def test_what_edges_attest_is_shown_within_the_limits(api: Api) -> None:
    zones = [{"name": "example.com.", "serial": 1}, {"name": "other.example.", "serial": 2}]
    api("PUT", "/edges/edge1/attestation", json={"head": 3, "zones": zones})
    (edge,) = key(api, "viewer", zones=["other.example"])("GET", "/edges").json()["edges"]
    assert [zone["name"] for zone in edge["zones"]] == ["other.example."]


def test_a_rotated_and_a_revoked_key_are_refused_at_once(api: Api, client: TestClient) -> None:
    holder = key(api)
    (made,) = api("GET", "/keys").json()["keys"]
    assert made["last_used"] is None
    assert holder("GET", "/zones").status_code == 200
    assert api("GET", f"/keys/{made['id']}").json()["last_used"] is not None
    rotated = api("POST", f"/keys/{made['id']}/rotate")
    assert rotated.headers["cache-control"] == "no-store"
    problem(holder("GET", "/zones"), 401, "unauthenticated")
    holder.headers = {"Authorization": f"Bearer {rotated.json()['key']}"}
    assert holder("GET", "/zones").status_code == 200
    assert api("DELETE", f"/keys/{made['id']}").status_code == 204
    problem(holder("GET", "/zones"), 401, "unauthenticated")
    problem(api("GET", f"/keys/{made['id']}"), 404, "not-found")


def test_a_secret_is_told_once_and_stands_in_no_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    made = api("POST", "/keys", json={"name": "some", "role": "viewer"}).json()
    secret = made["key"]
    holder = Api(api.client, None)
    holder.headers = {"X-API-Key": secret}
    holder("POST", "/zones", json={})
    listed = api("GET", "/keys").text + api("GET", f"/keys/{made['id']}").text
    said = capsys.readouterr()
    assert secret.split("_", 2)[2] not in listed + said.out + said.err
    assert "sha256" not in listed


def test_a_name_cannot_break_a_log_line_or_a_header(api: Api) -> None:
    body = problem(api("POST", "/keys", json={"name": "a\r\nX: y", "role": "viewer"}), 422, "invalid-input")
    assert body["places"][0]["pointer"] == "/name"


@pytest.mark.parametrize(
    "path", ["/zones?limit=1", "/zones?limit=1&name=*", "/search?value=192.0.2.*&limit=1", "/catalog?limit=1"]
)
def test_no_page_of_a_list_names_a_zone_beyond_the_limits(api: Api, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "WORK", 1)
    limited = key(api, role="viewer", zones=["other.example"])
    after, pages = "", 0
    while after is not None and pages < 20:
        text = limited("GET", path, params={**_query(path), "after": after}).text
        assert "example.com" not in text
        after, pages = json.loads(text)["next"], pages + 1
    assert after is None


def _query(path: str) -> dict[str, str]:
    return dict(part.split("=") for part in path.partition("?")[2].split("&"))
