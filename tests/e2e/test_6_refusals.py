# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""6. Bad input gets its clear error and nothing changes."""

from __future__ import annotations

import pytest
from support import Answer, api, etag

ZONE = "arca.example."

BROKEN = """\
$ORIGIN broken.example.
$TTL 3600
@ IN SOA ns1 hostmaster 1 7200 3600 1209600 3600
@ IN NS ns1
ns1 IN A 192.0.2.1
www IN A 192.0.2.300
mail IN MX ten mail
txt IN TXT "ok"
ftp IN NOSUCHTYPE data
"""


@pytest.fixture(autouse=True)
def _nothing_changes():  # type: ignore[no-untyped-def]
    before = api("GET", "/zones?limit=100").json()["zones"]
    yield
    assert api("GET", "/zones?limit=100").json()["zones"] == before


def problem(answer: Answer, status: int) -> dict:  # type: ignore[type-arg]
    """The problem details, whose form is checked on the way."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"].startswith("application/problem+json")
    details: dict[str, object] = answer.json()
    assert details["status"] == status
    assert details["title"]
    assert details["detail"]
    return details


def test_a_stale_if_match_gets_412() -> None:
    answer = api(
        "PUT",
        f"/zones/{ZONE}/rrsets/changes/A",
        body={"ttl": 60, "values": ["192.0.2.99"]},
        headers=['If-Match: "v00000000000000000000000000"'],
    )
    assert "version" in str(problem(answer, 412)["detail"])


def test_a_missing_if_match_gets_428() -> None:
    problem(api("PUT", f"/zones/{ZONE}/rrsets/changes/A", body={"ttl": 60, "values": ["192.0.2.99"]}), 428)


def test_each_bad_line_of_a_zone_file_is_named() -> None:
    details = problem(api("POST", "/zones/raw", text=BROKEN), 422)
    assert [place["line"] for place in details["places"]] == [6, 7, 9]


def test_an_unknown_api_key_gets_401() -> None:
    details = problem(api("GET", "/zones", key="no-such-key"), 401)
    assert "no-such-key" not in str(details)


def test_a_plan_that_would_empty_a_zone_is_refused() -> None:
    zone = api("GET", f"/zones/{ZONE}").json()
    apex = [record for record in zone["records"] if record["name"] == "@" and record["type"] == "NS"]
    answer = api("PUT", f"/zones/{ZONE}", body={**zone, "records": apex}, headers=[f"If-Match: {etag(ZONE)}"])
    if answer.status == 422:  # the name servers' addresses are gone too: keep those and nothing else
        hosts = [record for record in zone["records"] if record["name"].startswith("ns")]
        answer = api(
            "PUT", f"/zones/{ZONE}", body={**zone, "records": apex + hosts}, headers=[f"If-Match: {etag(ZONE)}"]
        )
    assert "force" in str(problem(answer, 409)["detail"])
