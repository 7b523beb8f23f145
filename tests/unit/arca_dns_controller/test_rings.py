# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Rings, promotions, and leases of edges, as callers see them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from arca_dns.config import build
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import ConfigError
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns_controller.config import ControllerConfig
from controller_api import Api, problem, role_keys

PREFIX = "203.0.113.53/32"


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate(), rings=("canary", "stable"))
    yield made
    made.close()


@pytest.fixture
def config() -> ControllerConfig:
    publish = {"rings": ["canary", "stable"]}
    return build({"api": {"keys": role_keys()}, "backend": {"type": "memory"}, "publish": publish}, ControllerConfig)


def head(api: Api, ring: str) -> dict[str, object]:
    return dict(json.loads(api("GET", f"/heads/{ring}").json()["payload"]))


def attest(api: Api, edge: str, **more: object) -> None:
    report = {"ring": "canary", "head": head(api, "canary")["revision"], "announced": [PREFIX], "failures": []}
    assert api("PUT", f"/edges/{edge}/attestation", json={**report, **more}).status_code == 204


def test_rings_are_listed_in_their_order_with_their_edges(api: Api, zone: str, service: Service) -> None:
    service.maintain()
    attest(api, "edge1")
    first, second = api("GET", "/rings").json()["rings"]
    assert (first["ring"], first["before"], first["edges"], first["zones"], first["differs"]) == (
        "canary",
        None,
        ["edge1"],
        1,
        None,
    )
    assert (second["ring"], second["before"], second["edges"], second["differs"]) == ("stable", "canary", [], 0)
    assert second["promotion"] is None
    assert second["catalog"] == first["catalog"]


def test_a_promotion_goes_or_waits_and_can_be_taken_back(api: Api, zone: str, service: Service) -> None:
    service.maintain()
    before = head(api, "stable")
    api("PUT", f"/zones/{zone}/rrsets/www/A", json={"values": ["192.0.2.9"]}, headers={"If-Match": "*"})
    plan = api("POST", "/rings/stable/promote?dry_run=true", json={})
    assert (plan.status_code, plan.json()["modified"], plan.json()["zones"]) == (200, 1, {"changed": [zone]})
    waits = api("POST", "/rings/stable/promote", json={})
    assert (waits.status_code, waits.json()["promotion"]["state"]) == (202, "waiting")
    assert api("GET", "/rings/stable").json()["promotion"]["blocked"]
    attest(api, "edge1")
    done = api("POST", "/rings/stable/promote?reason=weekly", json={})
    assert (done.status_code, done.json()["promotion"]["state"]) == (200, "promoted")
    assert head(api, "stable")["catalog"] == head(api, "canary")["catalog"]
    back = api("POST", "/rings/stable/abort", json=None)
    assert back.status_code == 200
    assert head(api, "stable")["catalog"] == before["catalog"]
    history = api("GET", "/rings/stable/history?limit=2").json()
    assert history["heads"][0]["revision"] == head(api, "stable")["revision"]
    assert history["next"] is not None
    older = api("GET", f"/rings/stable/history?before={history['next']}").json()
    assert older["heads"][-1]["revision"] == before["revision"]
    kinds = [entry["kind"] for entry in api("GET", "/audit").json()["entries"] if entry["kind"].startswith("ring.")]
    assert sorted(kinds) == ["ring.aborted", "ring.promoted", "ring.promotion"]


def test_if_match_names_the_head_that_was_seen(api: Api, zone: str, service: Service) -> None:
    service.maintain()
    etag = api("GET", "/rings/stable").headers["etag"]
    problem(api("POST", "/rings/stable/promote", json={}, headers={"If-Match": '"999"'}), 412, "stale-version")
    assert api("POST", "/rings/stable/promote", json={}, headers={"If-Match": etag}).status_code == 200
    problem(api("POST", "/rings/stable/promote", json={}, headers={"If-Match": "x"}), 400, "bad-request")


def test_what_is_no_ring_is_said(api: Api, zone: str) -> None:
    problem(api("GET", "/rings/beta"), 404, "not-found")
    problem(api("GET", "/heads/beta"), 404, "not-found")
    problem(api("POST", "/rings/canary/promote", json={}), 422, "invalid-input")
    problem(api("POST", "/rings/stable/abort"), 404, "not-found")


def test_all_heads_in_one_answer(api: Api, zone: str, service: Service) -> None:
    service.maintain()
    assert set(api("GET", "/heads").json()["heads"]) == {"canary", "stable"}


def test_an_edge_that_is_behind_is_shown_with_since_when_and_why(api: Api, zone: str, service: Service) -> None:
    service.maintain()
    attest(api, "edge1")
    api("PUT", f"/zones/{zone}/rrsets/www/A", json={"values": ["192.0.2.9"]}, headers={"If-Match": "*"})
    attest(api, "edge2")
    shown = api("GET", "/edges/edge1").json()
    assert shown["behind"] == 1
    assert shown["behind_since"].endswith("Z")
    assert "serves revision" in shown["problems"][0]
    assert [edge["edge"] for edge in api("GET", "/edges?behind=true").json()["edges"]] == ["edge1"]
    assert api("GET", "/edges?ring=stable").json()["edges"] == []
    assert api("DELETE", "/edges/edge1").status_code == 204
    problem(api("DELETE", "/edges/edge1"), 404, "not-found")


def test_leases_are_granted_while_enough_edges_are_left(api: Api, zone: str) -> None:
    attest(api, "edge1")
    attest(api, "edge2")
    wishes = {"wishes": [{"prefix": PREFIX, "wish": "drain"}]}
    granted = api("PUT", "/edges/edge1/leases", json=wishes).json()["leases"]
    assert granted == [{"prefix": PREFIX, "wish": "drain", "granted": True, "reason": "", "pending": False}]
    (refused,) = api("PUT", "/edges/edge2/leases", json=wishes).json()["leases"]
    assert not refused["granted"]
    assert "edge1 holds a lease to drain" in refused["reason"]
    assert api("PUT", "/edges/edge1/leases", json={"wishes": []}).json() == {"leases": []}
    assert api("PUT", "/edges/edge2/leases", json=wishes).json()["leases"][0]["granted"]
    body = problem(
        api("PUT", "/edges/edge2/leases", json={"wishes": [{"prefix": "x", "wish": "drain"}]}), 422, "invalid-input"
    )
    assert body["places"][0]["pointer"] == "/wishes/0/prefix"


@pytest.mark.parametrize("rings", [[], ["stable", "stable"], ["No"], "stable"])
def test_rings_that_cannot_be_are_refused_in_the_configuration(rings: object) -> None:
    with pytest.raises(ConfigError):
        build({"publish": {"rings": rings}}, ControllerConfig)
