# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones and records over HTTP: filters, lists of RRsets, single values, search, forms, conditional reads."""

from __future__ import annotations

import pytest

from arca_dns_controller import models
from controller_api import EXAMPLE, Api, problem

BOUNDARY = "x-boundary"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
FILE = "$ORIGIN form.test.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"


def part(name: str, content: str, headers: str = "") -> str:
    return f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="z"\r\n{headers}\r\n{content}\r\n'


def named(answer) -> list[str]:  # type: ignore[no-untyped-def]
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["zones"]]


def changed(api: Api, *changes: dict[str, object]):  # type: ignore[no-untyped-def]
    return api.write("POST", "/zones/example.com./changes", json={"changes": list(changes)})


def values(api: Api, owner: str, rdtype: str) -> list[str]:
    found: list[str] = api("GET", f"/zones/example.com./rrsets/{owner}/{rdtype}").json()["values"]
    return found


# -- zones ------------------------------------------------------------------------------------


def test_zones_are_filtered_by_name_signing_and_problem(api: Api, zone: str) -> None:
    for name, dnssec in (("a.example.net", False), ("b.example.net", True)):
        soa = {"mname": "ns1.example.com."}
        document = {
            **EXAMPLE,
            "name": name,
            "soa": soa,
            "records": EXAMPLE["records"][:1],
            "settings": {"dnssec": dnssec},
        }
        assert api("POST", "/zones", json=document).status_code == 201
    assert named(api("GET", "/zones?name=*.example.net")) == ["a.example.net.", "b.example.net."]
    assert named(api("GET", "/zones?name=EXAMPLE.com")) == ["example.com."]
    assert named(api("GET", "/zones?dnssec=false")) == ["a.example.net."]
    assert named(api("GET", "/zones?problem=true")) == []
    assert len(named(api("GET", "/zones?problem=false"))) == 3
    page = api("GET", "/zones?name=*.net&limit=1").json()
    assert (len(page["zones"]), page["next"]) == (1, "a.example.net.")
    assert named(api("GET", f"/zones?name=*.net&limit=1&after={page['next']}")) == ["b.example.net."]


def test_a_list_holds_whole_zones_if_asked(api: Api, zone: str) -> None:
    listed = api("GET", "/zones?fields=full").json()
    assert listed["zones"] == [api("GET", f"/zones/{zone}").json()]
    assert api("GET", "/zones?fields=full&after=zzz").json() == {"zones": [], "next": None}
    assert "records" not in api("GET", "/zones?fields=summary").json()["zones"][0]


def test_a_zone_that_is_known_is_not_sent_again(api: Api, zone: str) -> None:
    tag = {"If-None-Match": api("HEAD", f"/zones/{zone}").headers["etag"]}
    version = tag["If-None-Match"].strip('"')
    for path in ("", "/raw", "/rrsets", "/rrsets/www/A", f"/versions/{version}"):
        answer = api("GET", f"/zones/{zone}{path}", headers=tag)
        assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag["If-None-Match"]), path
    changed(api, {"action": "delete", "name": "www", "type": "A"})
    assert api("GET", f"/zones/{zone}", headers=tag).status_code == 200


def test_a_form_brings_a_zone_file(api: Api) -> None:
    body = part("zonefile", FILE, "Content-Type: text/dns\r\n") + f"--{BOUNDARY}--\r\n"
    assert api("POST", "/zones/raw", content=body, headers=FORM).status_code == 201
    assert api("GET", "/zones/form.test/rrsets/ns/A").json()["values"] == ["192.0.2.1"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (part("zonefile", FILE), 400, "bad-request"),
        ("no form", 400, "bad-request"),
        ("", 400, "bad-request"),
        (part("other", FILE) + f"--{BOUNDARY}--", 422, "invalid-input"),
        (part("zonefile", FILE) * 2 + f"--{BOUNDARY}--", 422, "invalid-input"),
        (part("zonefile", " ") + f"--{BOUNDARY}--", 422, "invalid-input"),
        (part("zonefile", "eA==", "Content-Transfer-Encoding: base64\r\n") + f"--{BOUNDARY}--", 400, "bad-request"),
        (part("x", "") * 20, 400, "bad-request"),
        (part("zonefile", FILE, f"X: {'x' * 5000}\r\n") + f"--{BOUNDARY}--", 400, "bad-request"),
        (part("zonefile", "x" * 100_001) + f"--{BOUNDARY}--", 413, "body-too-large"),
    ],
)
def test_forms_that_are_none_are_refused(api: Api, body: str, status: int, code: str) -> None:
    problem(api("POST", "/zones/raw", content=body, headers=FORM), status, code)


def test_a_form_needs_its_boundary(api: Api) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    problem(api("POST", "/zones/raw", content="x", headers=headers), 400, "bad-request")


# -- values -----------------------------------------------------------------------------------


def test_a_target_without_its_final_dot_is_told_with_both_spellings(api: Api) -> None:
    records = [
        {"name": "@", "type": "NS", "value": "ns1"},
        {"name": "@", "type": "MX", "value": "10 mail.example.net"},
        {"name": "www", "type": "CNAME", "values": ["www.example.com"]},
    ]
    wrong = {**EXAMPLE, "records": records, "soa": {"mname": "ns1.example.net"}}
    places = problem(api("POST", "/zones", json=wrong), 422, "zone-text")["places"]
    assert [place["pointer"] for place in places] == ["/records/1/value", "/records/2/values/0", "/soa/mname"]
    assert "'www.example.com.'" in places[1]["message"]
    assert "'www.example.com.example.com.'" in places[1]["message"]


def test_a_body_that_is_no_json_has_the_wrong_type(api: Api) -> None:
    answer = api("POST", "/zones", content="name=x", headers={"Content-Type": "application/x-www-form-urlencoded"})
    problem(answer, 415, "unsupported-media-type")
    answer = api("POST", "/zones", content="", headers={"Content-Type": "application/json"})
    problem(answer, 422, "invalid-input")
    answer = api("POST", "/zones", json=[1])
    problem(answer, 422, "invalid-input")


def test_pointers_are_escaped(api: Api) -> None:
    answer = api("POST", "/zones", json={"name": "x.test", "a/b~c": 1})
    assert problem(answer, 422, "invalid-input")["places"][0]["pointer"] == "/a~1b~0c"


# -- RRsets -----------------------------------------------------------------------------------


def test_rrsets_are_listed_in_pages_and_filtered(api: Api, zone: str) -> None:
    found: list[str] = []
    after: str | None = ""
    for _page in range(10):
        answer = api("GET", f"/zones/{zone}/rrsets?limit=2&after={after}")
        page = models.RRsetList.model_validate_json(answer.content)
        found += [f"{one.name} {one.type}" for one in page.rrsets]
        after = page.next
        if after is None:
            break
    assert found == [
        "example.com. NS",
        "example.com. SOA",
        "mail.example.com. TXT",
        "ns1.example.com. A",
        "www.example.com. A",
    ]
    by_type = api("GET", f"/zones/{zone}/rrsets?type=A").json()["rrsets"]
    assert [one["name"] for one in by_type] == ["ns1.example.com.", "www.example.com."]
    assert len(api("GET", f"/zones/{zone}/rrsets?name=@").json()["rrsets"]) == 2
    assert len(api("GET", f"/zones/{zone}/rrsets?below=www").json()["rrsets"]) == 1


def test_lists_of_rrsets_that_make_no_sense_are_refused(api: Api, zone: str) -> None:
    problem(api("GET", f"/zones/{zone}/rrsets?name=a&below=b"), 422, "invalid-input")
    problem(api("GET", f"/zones/{zone}/rrsets?name=example.net."), 422, "bad-name")
    problem(api("GET", f"/zones/{zone}/rrsets?type=NOSUCH"), 422, "zone-text")
    problem(api("GET", f"/zones/{zone}/rrsets?after=x"), 422, "invalid-input")
    problem(api("GET", "/zones/none.test/rrsets"), 404, "not-found")


def test_single_values_come_and_go(api: Api, zone: str) -> None:
    add = {"action": "add", "name": "www", "type": "A", "values": ["192.0.2.82"]}
    remove = {"action": "remove", "name": "www", "type": "A", "values": ["192.0.2.80"]}
    answer = changed(api, add, remove)
    assert answer.json()["plan"]["changes"][0]["after"] == {"ttl": 300, "values": ["192.0.2.81", "192.0.2.82"]}
    assert changed(api, add).json()["changed"] is False
    assert changed(api, remove).json()["changed"] is False
    changed(api, {**remove, "values": ["192.0.2.81", "192.0.2.82"]})
    problem(api("GET", f"/zones/{zone}/rrsets/www/A"), 404, "not-found")
    changed(api, {**add, "ttl": 60})
    assert api("GET", f"/zones/{zone}/rrsets/www/A").json()["ttl"] == 60


def test_an_rrset_is_created_only_where_there_is_none(api: Api, zone: str) -> None:
    create = {"action": "create", "name": "new", "type": "A", "values": ["192.0.2.5"]}
    there = {"action": "create", "name": "www", "type": "A", "values": ["192.0.2.5"]}
    answer = changed(api, create, there)
    places = problem(answer, 409, "already-exists")["places"]
    assert [place["pointer"] for place in places] == ["/changes/1"]
    problem(api("GET", f"/zones/{zone}/rrsets/new/A"), 404, "not-found")
    assert changed(api, create).status_code == 200
    assert changed(api, {**there, "action": "replace"}).json()["plan"]["changes"][0]["name"] == "www.example.com."


@pytest.mark.parametrize(
    "change",
    [
        {"action": "add", "name": "www", "type": "A"},
        {"action": "remove", "name": "www", "type": "A", "values": ["192.0.2.80"], "ttl": 5},
        {"action": "create", "name": "www", "type": "A", "values": []},
        {"action": "remove", "name": "www", "type": "A", "values": ["x"]},
        {"action": "move", "name": "www", "type": "A", "values": ["192.0.2.80"]},
    ],
)
def test_changes_that_are_not_whole_are_refused(api: Api, zone: str, change: dict[str, object]) -> None:
    answer = changed(api, change)
    assert answer.status_code == 422
    assert answer.json()["places"][0]["pointer"].startswith("/changes/0")


def test_a_value_is_added_to_what_somebody_else_has_written_meanwhile(api: Api, zone: str) -> None:
    for last in range(3):
        change = {"action": "add", "name": "www", "type": "A", "values": [f"192.0.2.{last}"]}
        body = {"changes": [change]}
        assert api("POST", f"/zones/{zone}/changes", json=body, headers={"If-Match": "*"}).status_code == 200
    assert len(values(api, "www", "A")) == 5


# -- search -----------------------------------------------------------------------------------


def test_an_address_finds_its_records(api: Api, zone: str) -> None:
    answer = models.SearchAnswer.model_validate_json(api("GET", "/search?value=192.0.2.80").content)
    assert [one.model_dump() for one in answer.results] == [
        {"zone": "example.com.", "name": "www.example.com.", "type": "A", "ttl": 300, "values": ["192.0.2.80"]}
    ]
    assert answer.next is None


def test_a_search_goes_on_where_it_stopped(api: Api, zone: str) -> None:
    first = api("GET", "/search?name=*&limit=3").json()
    second = api("GET", f"/search?name=*&limit=3&after={first['next']}").json()
    assert [len(first["results"]), len(second["results"]), second["next"]] == [3, 2, None]


def test_a_search_needs_something_to_look_for(api: Api) -> None:
    problem(api("GET", "/search"), 422, "invalid-input")
    problem(api("GET", "/search?name=x&after=y"), 422, "invalid-input")


# -- versions ---------------------------------------------------------------------------------


def test_versions_are_listed_from_the_newest(api: Api, zone: str) -> None:
    for last in range(3):
        api.write("PUT", f"/zones/{zone}/rrsets/www/A?reason=r{last}", json={"values": [f"192.0.2.{last}"]})
    first = api("GET", f"/zones/{zone}/versions?order=newest&limit=2").json()
    assert [one["reason"] for one in first["versions"]] == ["r2", "r1"]
    second = api("GET", f"/zones/{zone}/versions?order=newest&limit=9&after={first['next']}").json()
    assert ([one["reason"] for one in second["versions"]], second["next"]) == (["r0", ""], None)
    oldest = api("GET", f"/zones/{zone}/versions").json()["versions"]
    assert oldest == [*first["versions"], *second["versions"]][::-1]
    path = f"/zones/{zone}/versions?order=newest&after=v{'0' * 26}"
    problem(api("GET", path), 404, "not-found")
    api.write("DELETE", f"/zones/{zone}?force=true")
    assert len(api("GET", f"/zones/{zone}/versions?order=newest").json()["versions"]) == 5
