# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What edges get: signed zones, DS, heads, blobs; and what they attest."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time

from fastapi import FastAPI
from starlette.testclient import TestClient

from arca_dns.publish.head import SignedHead, open_head
from arca_dns.service import BlobCache, Service
from arca_dns.zone import names
from arca_dns_controller import models
from controller_api import EXAMPLE, Api, problem
from damage import corrupt

SOA = {"mname": "ns.a.test.", "rname": "hostmaster.a.test."}
RECORDS = [{"name": "@", "type": "NS", "value": "ns.a.test."}]


def frames(data: bytes) -> dict[str, bytes]:
    found, at = {}, 0
    while at < len(data):
        length = int.from_bytes(data[at + 32 : at + 36], "big")
        found[data[at : at + 32].hex()] = data[at + 36 : at + 36 + length]
        at += 36 + length
    return found


def test_a_signed_zone_has_its_version_serial_and_hash(api: Api, zone: str) -> None:
    answer = api("GET", f"/zones/{zone}/signed")
    assert answer.headers["content-type"].startswith("text/dns")
    assert answer.headers["x-zone-hash"] == hashlib.sha256(answer.content).hexdigest()
    state = api("GET", f"/zones/{zone}").json()
    assert answer.headers["etag"] == f'"{state["published"]["version"]}"'
    assert answer.headers["x-zone-serial"] == str(state["serial"])
    assert "RRSIG" in answer.text
    told = answer.headers["repr-digest"].removeprefix("sha-256=:").removesuffix(":")
    assert base64.b64decode(told) == hashlib.sha256(answer.content).digest()
    head = api("HEAD", f"/zones/{zone}/signed")
    assert head.headers["x-zone-hash"] == answer.headers["x-zone-hash"]
    again = api("GET", f"/zones/{zone}/signed", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    again = api("HEAD", f"/zones/{zone}/signed", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.headers["etag"]) == (304, answer.headers["etag"])


def test_ds_records_are_given_in_the_digest_types_asked_for(api: Api, zone: str) -> None:
    found = models.DsAnswer.model_validate_json(api("GET", f"/zones/{zone}/ds").content).ds
    assert [one.split()[1:3] for one in found] == [["13", "2"]]
    both = api("GET", f"/zones/{zone}/ds?digest=2&digest=4").json()["ds"]
    assert [one.split()[2] for one in both] == ["2", "4"]
    problem(api("GET", f"/zones/{zone}/ds?digest=1"), 422, "invalid-input")


def test_ds_records_are_given_as_lines_of_the_parents_zone_file(api: Api, zone: str) -> None:
    answer = api("GET", f"/zones/{zone}/ds?digest=4", headers={"Accept": "text/plain"})
    assert answer.headers["content-type"].startswith("text/plain")
    (told,) = api("GET", f"/zones/{zone}/ds?digest=4").json()["ds"]
    assert answer.text == f"{zone}\tIN\tDS\t{told}\n"


def test_keys_of_a_zone_are_told_without_their_secrets(api: Api, zone: str, service: Service) -> None:
    answer = api("GET", f"/zones/{zone}/keys")
    found = models.ZoneKeys.model_validate_json(answer.content)
    assert sorted(key.role for key in found.keys) == ["ksk", "zsk"]
    assert [key.ds for key in found.keys if key.role == "zsk"] == [[]]
    (point,) = [key for key in found.keys if key.role == "ksk"]
    assert point.ds == api("GET", f"/zones/{zone}/ds?digest=2&digest=4").json()["ds"]
    signed = api("GET", f"/zones/{zone}/signed").text
    assert all(key.dnskey in signed for key in found.keys)
    problem(api("GET", "/zones/other.example/keys"), 404, "not-found")


def test_the_catalog_lists_what_the_head_publishes_a_page_at_a_time(api: Api, zone: str) -> None:
    for name in ("b.example.com", "a.example.com"):
        assert api("POST", "/zones", json={**EXAMPLE, "name": name, "records": RECORDS, "soa": SOA}).status_code == 201
    seen, after = [], ""
    while True:
        page = models.CatalogPage.model_validate_json(
            api("GET", "/catalog", params={"limit": 2, "after": after}).content
        )
        seen += page.zones
        if page.next is None:
            break
        after = page.next
    assert [one.name for one in seen] == ["example.com.", "a.example.com.", "b.example.com."]
    state = api("GET", f"/zones/{zone}").json()["published"]
    assert (seen[0].version, seen[0].serial) == (state["version"], state["serial"])
    assert api("GET", f"/blobs/{seen[0].root}").status_code == 200


def test_a_limited_key_pages_through_its_part_of_the_catalog_and_learns_of_no_other_zone(
    client: TestClient, api: Api, zone: str
) -> None:
    for name in ("a.test", "b.test", "c.test", "d.test"):
        assert api("POST", "/zones", json={**EXAMPLE, "name": name, "records": RECORDS, "soa": SOA}).status_code == 201
    viewer = Api(client, None)
    made = api("POST", "/keys", json={"name": "v", "role": "viewer", "limits": {"zones": ["a.test", "d.test"]}})
    viewer.headers = {"X-API-Key": made.json()["key"]}
    first = viewer("GET", "/catalog?limit=1").json()
    assert ([one["name"] for one in first["zones"]], first["next"]) == (["a.test."], "a.test.")
    second = viewer("GET", "/catalog", params={"limit": 2, "after": first["next"]}).json()
    assert ([one["name"] for one in second["zones"]], second["next"]) == (["d.test."], None)


def test_one_edge_tells_how_far_it_is_behind(client: TestClient, api: Api, zone: str) -> None:
    problem(api("GET", "/edges/edge1"), 404, "not-found")
    current = api("GET", "/status").json()["head"]
    Api(client, "agent")("PUT", "/edges/edge1/attestation", json={"head": current - 1, "zones": []})
    found = models.EdgeState.model_validate_json(api("GET", "/edges/edge1").content)
    assert (found.edge, found.head, found.current_head, found.behind) == ("edge1", current - 1, current, 1)


def test_a_head_is_given_with_its_signature(client: TestClient, api: Api, zone: str, service: Service) -> None:
    answer = Api(client, "agent")("GET", "/heads/stable")
    signed = SignedHead.from_json(answer.json())
    key = base64.b64decode(service.head_public_key)
    head = open_head(signed, [key], ring="stable", now=int(time.time()), minimum_revision=0)
    assert head.catalog is not None
    assert answer.headers["etag"] == f'"{head.revision}"'
    problem(api("GET", "/heads/canary"), 404, "not-found")
    problem(api("GET", "/heads/canary?after=1"), 404, "not-found")


def test_there_is_no_head_before_the_first_publication(api: Api) -> None:
    problem(api("GET", "/heads/stable"), 404, "not-found")


def test_a_long_poll_ends_with_304_when_nothing_moves(app: FastAPI) -> None:
    with TestClient(app) as client:
        api = Api(client, "agent")
        head = api("GET", "/heads/stable?after=0&timeout=5")
        assert head.status_code == 200
        revision = json.loads(head.json()["payload"])["revision"]
        assert api("GET", f"/heads/stable?after={revision}&timeout=0").status_code == 304
        assert api("GET", f"/heads/stable?after={revision}&timeout=0.05").status_code == 304


def test_a_long_poll_is_answered_as_soon_as_the_head_moves(app: FastAPI) -> None:
    with TestClient(app) as client:
        admin, agent = Api(client, "admin"), Api(client, "agent")
        revision = json.loads(agent("GET", "/heads/stable?after=0").json()["payload"])["revision"]
        answers = []
        waiting = threading.Thread(
            target=lambda: answers.append(agent("GET", f"/heads/stable?after={revision}&timeout=30"))
        )
        waiting.start()
        assert admin("POST", "/zones", json=EXAMPLE).status_code == 201
        waiting.join(20)
        assert json.loads(answers[0].json()["payload"])["revision"] > revision


def test_a_shutdown_lets_long_polls_go(app: FastAPI) -> None:
    with TestClient(app) as client:
        agent = Api(client, "agent")
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(agent("GET", "/heads/stable?after=9999&timeout=60")))
        waiting.start()
        app.state.context.feed.close()
        waiting.join(20)
        assert answers[0].status_code == 304


def test_blobs_are_fetched_one_by_one_and_in_batches(client: TestClient, api: Api, zone: str) -> None:
    agent = Api(client, "agent")
    catalog = json.loads(agent("GET", "/heads/stable").json()["payload"])["catalog"]
    one = agent("GET", f"/blobs/{catalog}")
    assert hashlib.sha256(one.content).hexdigest() == catalog
    assert "immutable" in one.headers["cache-control"]
    missing = "0" * 64
    many = agent("POST", "/blobs/fetch", json={"digests": [catalog, missing, catalog]})
    assert frames(many.content) == {catalog: one.content}
    problem(agent("GET", f"/blobs/{missing}"), 404, "not-found")
    problem(agent("GET", "/blobs/xyz"), 422, "invalid-input")
    answer = agent("POST", "/blobs/fetch", json={"digests": ["xyz"]})
    assert problem(answer, 422, "invalid-input")["places"][0]["pointer"] == "/digests/0"


def test_a_damaged_blob_is_never_served_as_a_good_one_and_is_served_once_repaired(
    client: TestClient, service: Service, api: Api, zone: str
) -> None:
    agent = Api(client, "agent")
    catalog = json.loads(agent("GET", "/heads/stable").json()["payload"])["catalog"]
    info = service.zone(names.from_text(zone))
    assert info.published is not None
    root = info.published.root
    good = service.store.read_blobs([root])
    service._cache = BlobCache(service.store)  # as after a start
    corrupt("memory", {}, root, service.store)
    for _ in range(2):
        said = problem(agent("GET", f"/blobs/{root}"), 500, "corrupt-blob")
        assert f"blob {root} does not hash to its name" in said["detail"]
        assert "'arca-dns-controller fsck'" in said["detail"]
        assert set(frames(agent("POST", "/blobs/fetch", json={"digests": [catalog, root]}).content)) == {catalog}
    service.store.replace_blobs(good)
    assert agent("GET", f"/blobs/{root}").content == good[root]


def test_edges_attest_and_are_listed(client: TestClient, api: Api) -> None:
    report = {"head": 3, "zones": [{"name": "example.com.", "serial": 7}], "announced": ["203.0.113.53/32"]}
    assert Api(client, "agent")("PUT", "/edges/edge1/attestation", json=report).status_code == 204
    (edge,) = api("GET", "/edges").json()["edges"]
    assert {**report, "edge": "edge1"}.items() <= edge.items()
    assert edge["received"].endswith("Z")
    problem(Api(client, "agent")("PUT", "/edges/a%20b/attestation", json=report), 422, "invalid-input")
    problem(Api(client, "agent")("PUT", "/edges/edge1/attestation", json={"head": "x"}), 422, "invalid-input")
