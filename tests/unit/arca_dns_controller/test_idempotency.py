# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A POST that is sent again gets the answer it got, and is done once."""

from __future__ import annotations

import threading

import pytest
from starlette.testclient import TestClient

from arca_dns.errors import StoreUnavailable
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns_controller.idempotency import PREFIX, Answers, Reserved
from arca_dns_controller.problem import InFlight
from clock import Clock
from controller_api import EXAMPLE, Api, problem

FIRST = {"Idempotency-Key": '"one"'}


def entries(api: Api) -> int:
    return len(api("GET", "/audit").json()["entries"])


def test_what_is_sent_again_is_answered_again_and_done_once(api: Api) -> None:
    first = api("POST", "/zones", json=EXAMPLE, headers=FIRST)
    again = api("POST", "/zones", json=EXAMPLE, headers={"Idempotency-Key": "one"})  # quotes make no difference
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    for header in ("etag", "location", "content-type"):
        assert first.headers[header] == again.headers[header]
    assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    assert entries(api) == 1


def test_a_refusal_is_kept_too(api: Api, zone: str) -> None:
    first = problem(api("POST", "/zones", json=EXAMPLE, headers=FIRST), 409, "already-exists")
    api.write("DELETE", f"/zones/{zone}", params={"force": True})
    assert problem(api("POST", "/zones", json=EXAMPLE, headers=FIRST), 409, "already-exists") == first


@pytest.mark.parametrize(
    "other",
    [
        {"json": {**EXAMPLE, "name": "other.example"}},
        {"json": EXAMPLE, "params": {"dry_run": True}},
        {"json": EXAMPLE, "headers": {**FIRST, "If-Match": '"v1"'}},
    ],
    ids=["body", "query", "precondition"],
)
def test_the_key_of_another_request_is_refused(api: Api, other: dict) -> None:  # type: ignore[type-arg]
    api("POST", "/zones", json=EXAMPLE, headers=FIRST)
    body = problem(api("POST", "/zones", **{"headers": FIRST, **other}), 422, "invalid-input")
    assert body["places"][0]["pointer"] == "Idempotency-Key"
    assert entries(api) == 1


def test_callers_do_not_share_keys(client: TestClient, api: Api) -> None:
    assert api("POST", "/zones", json=EXAMPLE, headers=FIRST).status_code == 201
    problem(Api(client, "editor")("POST", "/zones", json=EXAMPLE, headers=FIRST), 409, "already-exists")


def test_a_secret_is_not_kept(api: Api, service: Service) -> None:
    made = [api("POST", "/keys", json={"name": "k", "role": "viewer"}, headers=FIRST).json() for _ in range(2)]
    assert made[0]["id"] != made[1]["id"]
    assert service.store.scan(PREFIX) == []


def test_what_failed_for_a_reason_that_passes_is_done_again(
    api: Api, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def fails(*_arguments: object, **_options: object) -> None:
            raise StoreUnavailable("away")

        patch.setattr(service, "create_zone", fails)
        problem(api("POST", "/zones", json=EXAMPLE, headers=FIRST), 503, "store-unavailable")
    assert api("POST", "/zones", json=EXAMPLE, headers=FIRST).status_code == 201


def test_while_the_first_runs_the_second_is_told_so(
    api: Api, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, go = threading.Event(), threading.Event()
    real = service.create_zone

    def slow(*arguments: object, **options: object) -> object:
        runs.set()
        assert go.wait(10)
        return real(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(service, "create_zone", slow)
    statuses: list[int] = []
    thread = threading.Thread(
        target=lambda: statuses.append(api("POST", "/zones", json=EXAMPLE, headers=FIRST).status_code)
    )
    thread.start()
    assert runs.wait(10)
    problem(api("POST", "/zones", json=EXAMPLE, headers=FIRST), 409, "in-flight")
    go.set()
    thread.join()
    assert statuses == [201]
    assert api("POST", "/zones", json=EXAMPLE, headers=FIRST).status_code == 201


@pytest.mark.parametrize("key", ["x" * 256, "a b", "ä".encode("latin-1")], ids=["long", "space", "not ASCII"])
def test_a_key_that_is_none_is_refused(api: Api, key: str | bytes) -> None:
    problem(api("POST", "/zones", json=EXAMPLE, headers={"Idempotency-Key": key}), 422, "invalid-input")


def test_a_body_beyond_the_limit_is_refused_and_nothing_is_kept(api: Api, service: Service) -> None:
    for _ in range(2):
        problem(api("POST", "/zones", content=b"[" + b" " * 100_000 + b"]", headers=FIRST), 413, "body-too-large")
    assert service.store.scan(PREFIX) == []


def test_notes_of_the_dead_are_void_after_a_while_and_answers_after_a_day() -> None:
    clock = Clock()
    answers = Answers(MemoryStore(), clock)
    key = f"{PREFIX}one"
    died = answers.begin(key)
    assert isinstance(died, Reserved)
    clock.now += 599
    with pytest.raises(InFlight):
        answers.begin(key)
    clock.now += 2
    second = answers.begin(key)
    assert isinstance(second, Reserved)
    answers.end(died, {"status": 1})  # it was not dead, but it is too late
    answers.end(second, {"status": 2})
    found = answers.begin(key)
    assert not isinstance(found, Reserved)
    assert found["status"] == 2
    assert list(answers.prune()) == []
    clock.now += 86401
    assert list(answers.prune()) == [1]
    assert isinstance(answers.begin(key), Reserved)
