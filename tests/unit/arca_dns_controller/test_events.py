# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Following events: by long polls, as a stream that is resumed, within what a key may see."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from controller_api import EXAMPLE, Api, problem
from controller_process import KEY, configuration, free_port, run, running

OTHER = {
    "soa": {"mname": "ns.a.test.", "rname": "hostmaster.a.test."},
    "records": [{"name": "@", "type": "NS", "value": "ns.a.test."}],
}


@pytest.fixture
def client(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as made:  # one event loop for all requests
        yield made


def follow(api: Api, **parameters: object) -> dict:  # type: ignore[type-arg]
    answer = api("GET", "/events", params={"timeout": 0, **parameters})
    assert answer.status_code == 200, answer.text
    found: dict = answer.json()  # type: ignore[type-arg]
    return found


def kinds(page: dict) -> list[str]:  # type: ignore[type-arg]
    return [event["kind"] for event in page["events"]]


def test_it_begins_now_and_goes_on_behind_the_cursor(api: Api) -> None:
    start = follow(api)
    assert start["events"] == []
    api("POST", "/zones", json=EXAMPLE)
    page = follow(api, after=start["next"])
    assert kinds(page) == ["zone.created", "head.moved", "zone.published"]
    assert follow(api, after=page["next"])["events"] == []
    assert kinds(follow(api, after=page["events"][0]["cursor"])) == ["head.moved", "zone.published"]


def test_a_long_poll_is_answered_as_soon_as_something_happens(api: Api) -> None:
    start = follow(api)["next"]
    found: list[dict] = []  # type: ignore[type-arg]
    thread = threading.Thread(target=lambda: found.append(follow(api, after=start, timeout=30)))
    thread.start()
    api("POST", "/zones", json=EXAMPLE)
    thread.join(20)
    assert kinds(found[0])[0] == "zone.created"


def test_events_are_chosen_by_zone_and_kind(api: Api) -> None:
    start = follow(api)["next"]
    api("POST", "/zones", json=EXAMPLE)
    api("POST", "/keys", json={"name": "k", "role": "viewer"})
    assert kinds(follow(api, after=start, zone="EXAMPLE.com")) == ["zone.created", "zone.published"]
    assert kinds(follow(api, after=start, kind="key.")) == ["key.created"]
    assert kinds(follow(api, after=start, kind="zone.published")) == ["zone.published"]


def test_a_key_sees_events_of_what_it_may_see_only(client: TestClient, api: Api) -> None:
    start = follow(api)["next"]
    viewer = Api(client, None)
    limits = {"zones": ["other.example"]}
    viewer.headers = {
        "X-API-Key": api("POST", "/keys", json={"name": "v", "role": "viewer", "limits": limits}).json()["key"]
    }
    api("POST", "/zones", json=EXAMPLE)
    made = api("POST", "/zones", json={**OTHER, "name": "Other.example"})
    assert made.status_code == 201, made.text
    assert {event["zone"] for event in follow(viewer, after=start)["events"]} == {"other.example."}
    assert "key.created" not in kinds(follow(Api(client, "viewer"), after=start))
    assert "key.created" in kinds(follow(api, after=start))


def test_an_edge_that_attests_the_same_again_is_no_event(client: TestClient, api: Api) -> None:
    start = follow(api)["next"]
    edge = Api(client, "agent")
    for head in (1, 1, 2):
        edge("PUT", "/edges/edge1/attestation", json={"head": head, "zones": []})
        follow(api, after=start, timeout=1, kind="nothing")
    told = [event["head"] for event in follow(api, after=start)["events"]]
    assert told[-1] == 2
    assert len(told) <= 2


def test_what_is_too_old_or_wrong_is_refused(api: Api) -> None:
    problem(api("GET", "/events", params={"after": 10**9}), 410, "cursor-lost")
    stream = {"Accept": "text/event-stream"}
    problem(api("GET", "/events", params={"after": 10**9}, headers=stream), 410, "cursor-lost")
    problem(api("GET", "/events", headers={"Last-Event-ID": "x"}), 422, "invalid-input")


class Stream:
    """One connection of a browser's EventSource."""

    def __init__(self, port: int, last: str | None) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        headers = {"X-API-Key": KEY, "Accept": "text/event-stream", **({"Last-Event-ID": last} if last else {})}
        self._http.request("GET", "/api/v1/events?kind=zone.created", headers=headers)
        self._answer = self._http.getresponse()
        assert self._answer.headers["content-type"].startswith("text/event-stream")

    def blocks(self) -> Iterator[dict[str, str]]:
        block: dict[str, str] = {}
        for raw in self._answer:
            line = raw.decode().rstrip("\n")
            if line:
                name, _colon, value = line.partition(": ")
                block[name] = value
            else:
                yield block
                block = {}

    def close(self) -> None:
        self._answer.close()
        self._http.close()


def test_a_stream_that_breaks_is_resumed_without_a_gap_also_across_a_restart(tmp_path: Path) -> None:
    port = free_port()
    config = configuration(tmp_path / "c", port)
    assert run("init", "--config", config).returncode == 0

    def create(name: str) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            body = json.dumps({**OTHER, "name": name})
            headers = {"X-API-Key": KEY, "Content-Type": "application/json"}
            connection.request("POST", "/api/v1/zones", body, headers)
            assert connection.getresponse().status == 201

    told, last = [], None
    with running(config, tmp_path) as process:
        for number in range(2):
            with closing(Stream(port, last)) as stream:
                blocks = stream.blocks()
                first = next(blocks)
                if number == 0:
                    last = first["id"]
                    create("a.example")
                for block in blocks:
                    last = block.get("id", last)
                    if "data" in block:
                        told.append(json.loads(block["data"])["zone"])
                        break
            if number == 0:
                create("b.example")  # while nobody follows
        process.terminate()
        assert process.wait(30) == 0, "a stream holds up no stop"
    (tmp_path / "notify").unlink()
    with running(config, tmp_path):
        create("c.example")
        with closing(Stream(port, last)) as stream:
            for block in stream.blocks():
                if "data" in block:
                    told.append(json.loads(block["data"])["zone"])
                    break
    assert told == ["a.example.", "b.example.", "c.example."]
