# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones over HTTP: documents and zone files in and out, fenced by versions."""

from __future__ import annotations

import copy

import pytest

from arca_dns_controller import models
from controller_api import EXAMPLE, Api, problem

FILE = """\
$ORIGIN example.org.
$TTL 3600
@ IN SOA ns1 hostmaster 2026010100 7200 3600 1209600 3600
@ IN NS ns1
ns1 IN A 192.0.2.1
www IN AAAA 2001:db8::80
"""


def test_a_zone_is_created_and_read_back(api: Api) -> None:
    created = api("POST", "/zones?reason=first", json=EXAMPLE)
    assert created.status_code == 201
    written = models.Written.model_validate_json(created.content)
    assert written.applied
    assert written.published, written.problem
    assert [item.name for item in written.plan.adds if item.type == "A"] == ["ns1.example.com.", "www.example.com."]
    assert created.headers["location"] == "/api/v1/zones/example.com."

    answer = api("GET", "/zones/example.com")
    zone = models.Zone.model_validate_json(answer.content)
    assert answer.headers["etag"] == f'"{zone.version}"' == created.headers["etag"]
    assert (zone.name, zone.serial, zone.record_count, zone.dnssec) == ("example.com.", written.serial, 6, True)
    assert (zone.soa.mname, zone.soa.rname) == ("ns1.example.com.", "admin.example.com.")
    assert (zone.soa.refresh, zone.soa.minimum, zone.soa.serial) == (3600, 86400, zone.serial)
    assert [record.model_dump() for record in zone.records] == [
        {"name": "@", "type": "NS", "ttl": 3600, "value": "ns1.example.com."},
        {"name": "mail", "type": "TXT", "ttl": 3600, "value": '"a b" "c"'},
        {"name": "ns1", "type": "A", "ttl": 3600, "value": "192.0.2.1"},
        {"name": "www", "type": "A", "ttl": 300, "value": "192.0.2.80"},
        {"name": "www", "type": "A", "ttl": 300, "value": "192.0.2.81"},
    ]
    assert zone.published is not None
    assert zone.published.serial == zone.serial
    assert zone.problem is None


def test_what_was_read_can_be_edited_and_sent_back(api: Api, zone: str) -> None:
    document = api("GET", f"/zones/{zone}").json()
    document["records"].append({"name": "new", "type": "A", "ttl": 60, "value": "192.0.2.99"})
    written = api.write("PUT", f"/zones/{zone}", json=document)
    assert written.status_code == 200, written.text
    assert [item["name"] for item in written.json()["plan"]["adds"]] == ["new.example.com."]
    assert written.json()["serial"] > document["serial"]


def test_sending_back_what_was_read_changes_nothing(api: Api, zone: str) -> None:
    answer = api("GET", f"/zones/{zone}")
    written = api.write("PUT", f"/zones/{zone}", json=answer.json())
    assert written.json()["changed"] is False
    assert written.headers["etag"] == answer.headers["etag"]


def test_a_write_without_if_match_is_told_what_it_lacks(api: Api, zone: str) -> None:
    body = problem(api("PUT", f"/zones/{zone}", json=EXAMPLE), 428, "precondition-required")
    assert "If-Match" in str(body["detail"])


def test_a_stale_write_changes_nothing_and_is_told_the_current_version(api: Api, zone: str) -> None:
    before = api("GET", f"/zones/{zone}")
    answer = api("PUT", f"/zones/{zone}", json=EXAMPLE, headers={"If-Match": '"v00000000000000000000000000"'})
    body = problem(answer, 412, "stale-version")
    assert body["current"] == before.json()["version"]
    assert api("GET", f"/zones/{zone}").content == before.content


@pytest.mark.parametrize("header", ["*", 'W/"x", "v00000000000000000000000000", {etag}'])
def test_if_match_takes_a_star_and_lists(api: Api, zone: str, header: str) -> None:
    etag = api("HEAD", f"/zones/{zone}").headers["etag"]
    answer = api("PUT", f"/zones/{zone}", json=EXAMPLE, headers={"If-Match": header.replace("{etag}", etag)})
    assert answer.status_code == 200, answer.text


def test_a_weak_etag_never_matches(api: Api, zone: str) -> None:
    etag = api("HEAD", f"/zones/{zone}").headers["etag"]
    answer = api("PUT", f"/zones/{zone}", json=EXAMPLE, headers={"If-Match": f"W/{etag}"})
    problem(answer, 412, "stale-version")


def test_an_if_match_without_quotes_is_not_understood(api: Api, zone: str) -> None:
    problem(api("PUT", f"/zones/{zone}", json=EXAMPLE, headers={"If-Match": "abc"}), 400, "bad-request")


def test_every_bad_line_of_a_zone_file_is_named(api: Api) -> None:
    text = FILE + "a IN A 192.0.2.300\nb IN MX ten mail\nc IN TXT ok\nd IN NOSUCHTYPE x\n"
    body = problem(api("POST", "/zones/raw", content=text), 422, "zone-text")
    assert [place["line"] for place in body["places"]] == [7, 8, 10]
    problem(api("GET", "/zones/example.org."), 404, "not-found")


def test_every_broken_rule_is_named_by_its_line(api: Api) -> None:
    text = FILE + "www IN CNAME ns1\nsub IN NS ns.sub\n"
    body = problem(api("POST", "/zones/raw", content=text), 422, "checks-failed")
    assert {place["line"] for place in body["places"]} >= {8}
    assert len(body["places"]) >= 2


def test_mistakes_in_records_are_named_by_pointers(api: Api) -> None:
    wrong = copy.deepcopy(EXAMPLE)
    wrong["records"][1]["value"] = "192.0.2.300"  # type: ignore[index]
    wrong["records"][2]["values"][1] = "x"  # type: ignore[index]
    wrong["records"][3]["type"] = "NOSUCH"  # type: ignore[index]
    body = problem(api("POST", "/zones", json=wrong), 422, "zone-text")
    pointers = [place["pointer"] for place in body["places"]]
    assert pointers == ["/records/1/value", "/records/2/values/1", "/records/3/type"]


def test_a_document_with_unknown_fields_or_wrong_types_is_refused(api: Api) -> None:
    wrong = {**EXAMPLE, "recrods": [], "records": [{"name": "a", "type": "A", "ttl": "300", "value": "192.0.2.1"}]}
    body = problem(api("POST", "/zones", json=wrong), 422, "invalid-input")
    assert {place["pointer"] for place in body["places"]} == {"/recrods", "/records/0/ttl"}


def test_a_record_has_value_or_values(api: Api) -> None:
    wrong = {**EXAMPLE, "records": [{"name": "a", "type": "A"}]}
    body = problem(api("POST", "/zones", json=wrong), 422, "invalid-input")
    assert body["places"] == [{"pointer": "/records/0", "message": "must have value or values"}]


def test_what_is_no_json_is_not_understood(api: Api) -> None:
    answer = api("POST", "/zones", content="{", headers={"Content-Type": "application/json"})
    problem(answer, 400, "bad-request")


def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    problem(api("POST", "/zones/raw", content="; " + "x" * 100_000), 413, "body-too-large")

    def endless():  # type: ignore[no-untyped-def]
        for _ in range(200):
            yield b"; " + b"x" * 1000

    problem(api("POST", "/zones/raw", content=endless()), 413, "body-too-large")


def test_a_zone_file_is_not_sent_as_json(api: Api) -> None:
    answer = api("POST", "/zones/raw", json={})
    problem(answer, 415, "unsupported-media-type")


def test_a_zone_is_created_from_a_file_and_read_as_one(api: Api) -> None:
    assert api("POST", "/zones/raw", content=FILE).status_code == 201
    answer = api("GET", "/zones/example.org./raw")
    assert answer.headers["x-zone-serial"] == "2026010100"
    assert "www\t3600\tIN\tAAAA\t2001:db8::80" in answer.text.splitlines()
    etag = answer.headers["etag"]
    assert api("GET", "/zones/example.org./raw", headers={"If-None-Match": etag}).status_code == 304
    again = api.write("PUT", "/zones/example.org./raw", "example.org.", content=answer.content)
    assert again.json()["changed"] is False


def test_the_origin_can_stand_in_the_query(api: Api) -> None:
    text = FILE.replace("$ORIGIN example.org.\n", "")
    assert api("POST", "/zones/raw?origin=example.net", content=text).headers["location"].endswith("/example.net.")


def test_what_signing_makes_is_stripped_when_asked(api: Api) -> None:
    text = FILE + "www 3600 IN NSEC ns1.example.org. A\n"
    problem(api("POST", "/zones/raw", content=text), 422, "checks-failed")
    assert api("POST", "/zones/raw?strip_dnssec=true", content=text).status_code == 201


def test_a_zone_that_exists_is_not_created(api: Api, zone: str) -> None:
    problem(api("POST", "/zones", json=EXAMPLE), 409, "already-exists")


def test_a_plan_that_would_empty_a_zone_is_refused_without_force(api: Api, zone: str) -> None:
    before = api("GET", f"/zones/{zone}").content
    empty = {**EXAMPLE, "records": [{"name": "@", "type": "NS", "value": "ns.elsewhere.test."}]}
    body = problem(api.write("PUT", f"/zones/{zone}", json=empty), 409, "plan-refused")
    assert "force" in body["detail"]
    assert api("GET", f"/zones/{zone}").content == before
    assert api.write("PUT", f"/zones/{zone}?force=true", json=empty).status_code == 200


def test_a_dry_run_answers_the_plan_and_writes_nothing(api: Api, zone: str) -> None:
    before = api("GET", f"/zones/{zone}").content
    answer = api.write("DELETE", f"/zones/{zone}?dry_run=true").json()
    assert (answer["changed"], answer["applied"], answer["version"]) == (True, False, None)
    assert len(answer["plan"]["removals"]) == 5
    created = api("POST", "/zones/raw?dry_run=true", content=FILE)
    assert (created.status_code, created.json()["applied"]) == (200, False)
    problem(api("GET", "/zones/example.org."), 404, "not-found")
    assert api("GET", f"/zones/{zone}").content == before


def test_a_zone_is_deleted(api: Api, zone: str) -> None:
    api("POST", "/zones/raw", content=FILE)
    assert api.write("DELETE", f"/zones/{zone}").json()["applied"]
    problem(api("GET", f"/zones/{zone}"), 404, "not-found")


def test_zones_are_listed_page_by_page(api: Api, zone: str) -> None:
    api("POST", "/zones/raw", content=FILE)
    first = models.ZoneList.model_validate_json(api("GET", "/zones?limit=1").content)
    second = models.ZoneList.model_validate_json(api("GET", f"/zones?limit=1&after={first.next}").content)
    last = models.ZoneList.model_validate_json(api("GET", f"/zones?limit=1&after={second.next}").content)
    assert [one.name for one in (*first.zones, *second.zones)] == ["example.com.", "example.org."]
    assert (last.zones, last.next) == ([], None)
    problem(api("GET", "/zones?limit=0"), 422, "invalid-input")


def test_a_zone_is_read_without_its_records(api: Api, zone: str) -> None:
    models.ZoneSummary.model_validate_json(api("GET", f"/zones/{zone}?records=false").content)


def test_a_zone_with_a_slash_in_its_name_is_one_path_segment(api: Api) -> None:
    text = FILE.replace("example.org", "0/25.2.0.192.in-addr.arpa").replace("www IN AAAA 2001:db8::80", "1 IN PTR a.b.")
    text = text.replace("ns1 IN A 192.0.2.1\n", "").replace("NS ns1", "NS ns1.example.org.")
    created = api("POST", "/zones/raw", content=text)
    assert created.headers["location"] == "/api/v1/zones/0%2F25.2.0.192.in-addr.arpa."
    path = "/zones/0%2F25.2.0.192.in-addr.arpa."
    assert api("GET", path).json()["name"] == "0/25.2.0.192.in-addr.arpa."
    assert api("GET", f"{path}/rrsets/1/PTR").json()["values"] == ["a.b."]
    problem(api("GET", "/zones/0/25.2.0.192.in-addr.arpa."), 404, "no-such-endpoint")


def test_settings_are_kept_changed_and_checked(api: Api, zone: str) -> None:
    answer = api.write("PUT", f"/zones/{zone}", json={**EXAMPLE, "settings": {"serial": "increment"}})
    assert answer.json()["changed"], answer.text
    assert api("GET", f"/zones/{zone}").json()["settings"]["serial"] == "increment"
    answer = api.write("PUT", f"/zones/{zone}", json={**EXAMPLE, "settings": {"serial": "x"}})
    assert problem(answer, 422, "invalid-input")["places"][0]["pointer"] == "/settings/serial"


def test_a_document_of_another_zone_is_refused(api: Api, zone: str) -> None:
    answer = api.write("PUT", f"/zones/{zone}", json={**EXAMPLE, "name": "example.net"})
    assert problem(answer, 422, "invalid-input")["places"][0]["pointer"] == "/name"


def test_a_large_zone_is_one_document(api: Api) -> None:
    records = [{"name": f"h{i}", "type": "A", "value": f"192.0.{i // 250}.{i % 250}"} for i in range(1000)]
    assert api("POST", "/zones", json={**EXAMPLE, "records": EXAMPLE["records"] + records}).status_code == 201  # type: ignore[operator]
    zone = models.Zone.model_validate_json(api("GET", "/zones/example.com").content)
    assert len(zone.records) == 1005
