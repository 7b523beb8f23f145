# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The audit log: what was done through the API stands in it, nothing secret does, and only admins read it."""

from __future__ import annotations

import pytest

from controller_api import EXAMPLE, Api, problem


@pytest.fixture
def entries(api: Api):  # type: ignore[no-untyped-def]
    def read(**wanted: str) -> list[dict]:  # type: ignore[type-arg]
        found: list[dict] = api("GET", "/audit", params=wanted).json()["entries"]  # type: ignore[type-arg]
        return found

    return read


def test_a_write_is_found_with_its_request_and_what_it_changed(api: Api, entries) -> None:  # type: ignore[no-untyped-def]
    made = api("POST", "/zones", json=EXAMPLE, params={"reason": "first"}, headers={"X-Request-ID": "my-request"})
    (entry,) = entries()
    assert entry["request"] == "my-request"
    assert (entry["kind"], entry["actor"], entry["origin"]) == ("zone.created", "the-admin", "testclient")
    assert (entry["zone"], entry["version"], entry["reason"]) == ("example.com.", made.json()["version"], "first")
    assert entry["summary"]["added"] == 5
    assert "www.example.com. A" in entry["summary"]["rrsets"]


def test_it_is_filtered_and_paged(api: Api, entries) -> None:  # type: ignore[no-untyped-def]
    api("POST", "/zones", json=EXAMPLE)
    api("POST", "/zones", json={**EXAMPLE, "name": "other.example", "soa": EXAMPLE["soa"], "records": []})
    api("POST", "/keys", json={"name": "script", "role": "viewer"})
    assert [entry["zone"] for entry in entries(zone="EXAMPLE.com")] == ["example.com."]
    assert [entry["kind"] for entry in entries(kind="key.")] == ["key.created"]
    assert [entry["kind"] for entry in entries(kind="key")] == []
    assert entries(actor="nobody") == []
    assert entries(since="2100-01-01T00:00:00Z") == []
    assert entries(until="2001-01-01T00:00:00Z") == []
    seen: list[str] = []
    before = ""
    while True:
        page = api("GET", "/audit", params={"limit": 1, "before": before}).json()
        seen += [entry["id"] for entry in page["entries"]]
        if page["next"] is None:
            break
        before = page["next"]
    assert seen == [entry["id"] for entry in entries()]


def test_the_secret_of_a_key_stands_nowhere_in_it(api: Api) -> None:
    made = api("POST", "/keys", json={"name": "script", "role": "viewer"}).json()
    api("POST", f"/keys/{made['id']}/rotate")
    api("DELETE", f"/keys/{made['id']}")
    text = api("GET", "/audit").text
    assert made["key"] not in text
    assert made["key"].split("_", 2)[2] not in text
    assert [kind in text for kind in ("key.created", "key.rotated", "key.revoked")] == [True] * 3
    assert text.count(made["id"]) == 3


@pytest.mark.parametrize(
    "wrong",
    [{"since": "yesterday"}, {"until": "2027-01-01T00:00:00"}, {"before": "9" * 26}, {"since": "0001-01-01T00:00:00Z"}],
)
def test_a_wrong_time_or_page_is_named(api: Api, wrong: dict[str, str]) -> None:
    body = problem(api("GET", "/audit", params=wrong), 422, "invalid-input")
    assert body["places"][0]["pointer"] == next(iter(wrong))
