# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How the agent asks: long polls, plain ones where those fail, other controllers, and growing pauses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx2
import pytest
import structlog

from arca_dns_agent.controller import Controllers
from arca_dns_agent.follow import Contact, Follower
from arca_dns_agent.state import State
from arca_dns_agent.sync import Synchroniser
from edge_agent import World, second_url


class Fixture:
    """A follower whose time and luck stand still."""

    def __init__(self, world: World, directory: Path) -> None:
        settings = second_url(world.settings(directory))
        self.world = world
        self.hosts: list[str] = []
        self.long_polls_fail = False
        self.state = State(settings.state_directory)
        inner = world.transport()

        async def answer(request: httpx2.Request) -> httpx2.Response:
            self.hosts.append(request.url.host)
            if self.long_polls_fail and "after" in request.url.params:
                raise httpx2.ReadTimeout("cut off by something on the way")
            return await inner.handle_async_request(request)

        controllers = Controllers(
            settings.urls, settings.api_key, settings.tls, settings.blob_limit, httpx2.MockTransport(answer)
        )
        self.sync = Synchroniser(self.state, controllers, settings.head_keys, "stable", lambda: 1_800_000_000)
        self.contact = Contact(lambda: 1_800_000_000)
        self.moves = 0
        self.follower = Follower(
            controllers,
            self.sync,
            self.contact,
            "stable",
            30.0,
            moved=self._moved,
            told=lambda: None,
            random=lambda: 1.0,
            monotonic=lambda: 0.0,
        )

    def _moved(self) -> None:
        self.moves += 1

    def steps(self, count: int) -> list[float]:
        async def run() -> list[float]:
            return [await self.follower.step() for _step in range(count)]

        return asyncio.run(run())


@pytest.fixture
def world() -> World:
    made = World(lambda: 1_800_000_000.0)
    made.create("example.com.")
    return made


@pytest.fixture
def fixture(world: World, tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Fixture(world, tmp_path)
    yield made
    made.state.close()


def test_a_head_is_taken_at_once_and_the_next_is_waited_for(fixture: Fixture) -> None:
    assert fixture.steps(1) == [0.0]
    assert fixture.moves == 1
    assert fixture.contact.reachable


def test_pauses_grow_and_the_next_controller_is_tried_while_none_answers(fixture: Fixture) -> None:
    fixture.world.cut = True
    assert fixture.steps(8) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert fixture.hosts[:6:2] == ["controller.test", "second.test", "controller.test"]
    assert fixture.contact.reachable is False
    fixture.world.cut = False
    assert fixture.steps(1) == [0.0]
    assert fixture.contact.reachable
    fixture.world.cut = True
    assert fixture.steps(1) == [0.5], "pauses begin anew"


def test_an_outage_is_logged_once(fixture: Fixture) -> None:
    fixture.world.cut = True
    with structlog.testing.capture_logs() as log:
        fixture.steps(5)
    assert len([entry for entry in log if entry["event"] == "controller unreachable"]) == 2, "one for each controller"


def test_plain_polls_do_where_long_ones_do_not_get_through(fixture: Fixture) -> None:
    fixture.long_polls_fail = True
    assert fixture.steps(1) == [0.0]
    assert fixture.moves == 1
    fixture.world.change("example.com.", "www", "192.0.2.7")
    assert fixture.steps(1) == [30.0], "from now on every sync_interval"
    assert fixture.moves == 2


def test_a_refusal_is_logged_with_its_reason_every_time(fixture: Fixture) -> None:
    old = fixture.world.service.head()
    fixture.world.change("example.com.", "www", "192.0.2.7")
    fixture.steps(1)
    import json

    fixture.world.change("example.com.", "www", "192.0.2.8")
    fixture.world.tamper = lambda path, body: json.dumps(old.to_json()).encode() if "heads" in path else body
    with structlog.testing.capture_logs() as log:
        assert fixture.steps(2) == [0.5, 1.0]
    refused = [entry for entry in log if entry["event"] == "refused"]
    assert [entry["what"] for entry in refused] == ["head", "head"]
    assert "goes back" in refused[0]["reason"]
    assert fixture.moves == 1
    assert fixture.contact.reachable, "it does answer"


def test_an_answer_that_is_no_head_is_refused(fixture: Fixture) -> None:
    fixture.world.tamper = lambda path, body: b"<html>" if "heads" in path else body
    with structlog.testing.capture_logs() as log:
        fixture.steps(1)
    assert [entry["reason"] for entry in log if entry["event"] == "refused"] == ["the head is not JSON"]


def test_a_head_without_end_is_refused(fixture: Fixture) -> None:
    fixture.world.tamper = lambda path, body: b" " * 100_000 if "heads" in path else body
    with structlog.testing.capture_logs() as log:
        fixture.steps(1)
    assert "longer than" in next(entry["reason"] for entry in log if entry["event"] == "refused")


def test_damage_is_repaired_before_the_next_head(fixture: Fixture) -> None:
    fixture.steps(1)
    gone = fixture.state.digests()[0]
    fixture.state.forget([gone])
    fixture.follower.damaged()
    fixture.world.change("example.com.", "www", "192.0.2.7")
    fixture.steps(1)
    assert gone in fixture.state.digests()


def test_a_wrong_api_key_is_told_without_the_key(world: World, tmp_path: Path) -> None:
    from arca_dns.config import Secret
    from arca_dns_agent.controller import Unreachable

    settings = world.settings(tmp_path)
    controllers = Controllers(settings.urls, Secret("wrong-key"), settings.tls, 1, world.transport())
    with pytest.raises(Unreachable, match="API key") as caught:
        asyncio.run(controllers.head("stable"))
    assert "wrong-key" not in str(caught.value)
