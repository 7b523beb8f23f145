# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who may do what: each endpoint, each role, no key, unknown keys; and what probes see without one."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
import yaml
from fastapi import FastAPI
from starlette.testclient import TestClient

from arca_dns.errors import StoreUnavailable
from arca_dns.lease import Lease
from arca_dns.service import Service
from arca_dns_controller import models
from controller_api import ROLES, Api, problem

OPENAPI = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"

READ = {"admin", "editor", "viewer"}
WRITE = {"admin", "editor"}
FOLLOW = {"admin", "editor", "viewer", "agent"}
ATTEST = {"admin", "agent"}
CHANGE = {"admin", "editor", "acme"}
MANAGE = {"admin"}
PROMOTE = {"admin", "editor"}
ALLOWED: dict[str, set[str]] = {
    "GET /zones": READ,
    "POST /zones": WRITE,
    "POST /zones/raw": WRITE,
    "GET /zones/{zone}": READ,
    "HEAD /zones/{zone}": READ,
    "PUT /zones/{zone}": WRITE,
    "DELETE /zones/{zone}": WRITE,
    "GET /zones/{zone}/raw": READ,
    "PUT /zones/{zone}/raw": WRITE,
    "POST /zones/{zone}/changes": CHANGE,
    "GET /search": READ,
    "GET /zones/{zone}/rrsets": READ,
    "GET /zones/{zone}/rrsets/{owner}/{type}": READ,
    "PUT /zones/{zone}/rrsets/{owner}/{type}": CHANGE,
    "DELETE /zones/{zone}/rrsets/{owner}/{type}": CHANGE,
    "POST /bulk": CHANGE,
    "GET /keys": MANAGE,
    "POST /keys": MANAGE,
    "GET /keys/{key}": MANAGE,
    "POST /keys/{key}/rotate": MANAGE,
    "DELETE /keys/{key}": MANAGE,
    "GET /audit": MANAGE,
    "GET /events": READ,
    "GET /zones/{zone}/versions": READ,
    "GET /zones/{zone}/versions/{version}": READ,
    "GET /zones/{zone}/diff": READ,
    "POST /zones/{zone}/rollback": WRITE,
    "GET /deleted-zones": READ,
    "POST /zones/{zone}/undelete": WRITE,
    "GET /zones/{zone}/signed": READ,
    "HEAD /zones/{zone}/signed": READ,
    "GET /zones/{zone}/ds": READ,
    "GET /heads": FOLLOW,
    "GET /heads/{ring}": FOLLOW,
    "GET /rings": READ,
    "GET /rings/{ring}": READ,
    "GET /rings/{ring}/history": READ,
    "POST /rings/{ring}/promote": PROMOTE,
    "POST /rings/{ring}/abort": PROMOTE,
    "GET /blobs/{digest}": FOLLOW,
    "POST /blobs/fetch": FOLLOW,
    "GET /edges": READ,
    "GET /edges/{edge}": READ,
    "DELETE /edges/{edge}": PROMOTE,
    "PUT /edges/{edge}/leases": ATTEST,
    "GET /zones/{zone}/keys": READ,
    "GET /catalog": READ,
    "GET /imports": READ,
    "PUT /edges/{edge}/attestation": ATTEST,
    "GET /status": READ,
    "GET /health": {*ROLES},
    "GET /ready": {*ROLES},
}
OPEN = {"GET /health", "GET /ready"}
BODIES = {
    "POST /zones": {},
    "PUT /zones/{zone}": {},
    "POST /zones/{zone}/changes": {"changes": [{"action": "delete", "name": "a", "type": "A"}]},
    "PUT /zones/{zone}/rrsets/{owner}/{type}": {"values": ["192.0.2.1"]},
    "POST /zones/{zone}/rollback": {"version": "v" + "0" * 26},
    "POST /blobs/fetch": {"digests": []},
    "POST /bulk": {"operations": [{"action": "change", "zone": "a.example", "if_version": "*", "changes": []}]},
    "POST /keys": {},
    "PUT /edges/{edge}/attestation": {"head": 1},
    "PUT /edges/{edge}/leases": {"wishes": []},
    "POST /rings/{ring}/promote": {},
}


def endpoints(app: FastAPI) -> set[str]:
    paths = app.openapi()["paths"]
    return {f"{method.upper()} {path.removeprefix('/api/v1')}" for path, item in paths.items() for method in item}


def call(api: Api, endpoint: str):  # type: ignore[no-untyped-def]
    method, path = endpoint.split(" ")
    values = {"zone": "example.com.", "owner": "www", "type": "A", "version": "v" + "0" * 26, "ring": "stable"}
    values |= {"digest": "0" * 64, "edge": "edge1", "key": "0" * 12}
    query = f"?from={values['version']}" if path.endswith("/diff") else ""
    body = BODIES.get(endpoint)
    options = {} if body is None else {"json": body}
    if path.endswith("/raw") and method != "GET":
        options = {"content": "x"}
    return api(method, path.format(**values) + query, **options)


def test_every_endpoint_has_a_rule(app: FastAPI) -> None:
    assert endpoints(app) == set(ALLOWED)


@pytest.mark.parametrize("endpoint", sorted(ALLOWED))
def test_roles_may_do_what_the_table_says(client: TestClient, endpoint: str) -> None:
    passed = {role for role in ROLES if call(Api(client, role), endpoint).status_code not in (401, 403)}
    assert passed == ALLOWED[endpoint]


@pytest.mark.parametrize("endpoint", sorted(ALLOWED))
def test_without_a_key_only_probes_pass(client: TestClient, endpoint: str) -> None:
    answer = call(Api(client, None), endpoint)
    assert (answer.status_code == 401) == (endpoint not in OPEN)


def test_a_role_that_may_not_is_told_so(client: TestClient) -> None:
    body = problem(Api(client, "viewer")("POST", "/zones", json={}), 403, "access-denied")
    assert "viewer" in body["detail"]


def test_an_unknown_key_is_refused_and_not_repeated(client: TestClient) -> None:
    answer = client.get("/api/v1/zones", headers={"Authorization": "Bearer s3cret-key"})
    problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "s3cret-key" not in answer.text


def test_a_body_is_not_read_before_the_key_is_known(client: TestClient) -> None:
    answer = client.post("/api/v1/zones", content="{", headers={"Content-Type": "application/json"})
    problem(answer, 401, "unauthenticated")


def test_a_key_may_come_in_a_header_of_its_own(client: TestClient) -> None:
    assert client.get("/api/v1/zones", headers={"X-API-Key": "key-of-viewer"}).status_code == 200


def test_paths_that_are_none_are_problems_too(api: Api) -> None:
    problem(api("GET", "/nothing"), 404, "no-such-endpoint")
    answer = api("PATCH", "/zones")
    problem(answer, 405, "method-not-allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET"} or "POST" in answer.headers["allow"]


def test_probes_need_no_key(client: TestClient) -> None:
    for path in ("/health", "/ready", "/api/v1/health", "/api/v1/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_controller_without_its_store_is_not_ready(
    client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down() -> None:
        raise StoreUnavailable("the database is locked")

    monkeypatch.setattr(service, "ready", down)
    answer = client.get("/ready")
    problem(answer, 503, "store-unavailable")
    assert answer.headers["Retry-After"] == "2"


def test_a_bug_is_a_problem_that_tells_nothing(
    api: Api, service: Service, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(service, "zones", broken)
    answer = api("GET", "/zones")
    problem(answer, 500, "internal")
    assert "s3cret" not in answer.text


def test_status_tells_the_head(api: Api, zone: str) -> None:
    status = models.Status.model_validate_json(api("GET", "/status").content)
    assert status.head == json.loads(api("GET", "/heads/stable").json()["payload"])["revision"]
    assert status.backend == "memory"
    assert status.leader is None, "nothing scheduled runs here"


def test_status_tells_who_leads_and_a_stop_gives_the_lease_back(app: FastAPI, service: Service) -> None:
    lease, seen = Lease(service.store, "scheduler", "me", lambda: 0.0, 15), 0
    with TestClient(app) as client:
        while lease.holder() is None:
            seen = service.store.watch(seen, 30).revision
        leader = models.Status.model_validate_json(Api(client, "admin")("GET", "/status").content).leader
        assert leader is not None
        assert (leader.fence, leader.this) == (1, True)
        assert leader.instance.startswith(socket.gethostname())
    assert lease.holder() is None


def test_who_does_not_lead_says_who_does(app: FastAPI, api: Api, service: Service) -> None:
    other = Lease(service.store, "scheduler", "dns2", lambda: 1_800_000_000.0, 15)
    other.acquire()
    leader = models.Status.model_validate_json(api("GET", "/status").content).leader
    assert leader is not None
    assert leader.model_dump() == {
        "instance": "dns2",
        "fence": 1,
        "since": "2027-01-15T08:00:00Z",
        "until": "2027-01-15T08:00:15Z",
        "this": False,
    }


def test_metrics_count_requests_by_route_and_show_edges(client: TestClient, api: Api, zone: str) -> None:
    api("PUT", "/edges/edge1/attestation", json={"head": 3})
    api("GET", f"/zones/{zone}")
    assert client.get("/metrics").status_code == 401
    text = client.get("/metrics", headers=api.headers).text
    assert 'arca_dns_controller_requests_total{method="GET",route="/zones/{zone}",status="200"} 1.0' in text
    assert 'arca_dns_controller_edge_head_revision{edge="edge1"} 3.0' in text


def test_every_answer_has_a_request_id(client: TestClient) -> None:
    assert client.get("/health", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/health", headers={"X-Request-ID": "a b\x7f"}).headers["x-request-id"]
    assert len(made) == 16


def test_the_openapi_file_is_what_the_server_serves(app: FastAPI, api: Api) -> None:
    served = api("GET", "/openapi.json").json()
    assert yaml.safe_load(OPENAPI.read_text()) == served
    assert served == json.loads(json.dumps(app.openapi()))
