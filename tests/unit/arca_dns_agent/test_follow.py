# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How the agent asks: long polls, plain ones where those fail, other controllers, and growing pauses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2
import pytest
import structlog

from arca_dns_agent.controller import Busy, Controllers
from edge_agent import World
from following import Fixture


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


def test_a_controller_that_gives_the_held_head_again_and_again_is_asked_every_second(fixture: Fixture) -> None:
    head = fixture.world.service.head()
    fixture.steps(1)
    fixture.again["controller.test"] = head
    assert fixture.steps(3) == [1.0, 1.0, 1.0]
    assert fixture.moves == 1


def test_a_wrong_api_key_is_told_without_the_key(world: World, tmp_path: Path) -> None:
    from arca_dns.config import Secret
    from arca_dns_agent.controller import Unreachable

    settings = world.settings(tmp_path)
    controllers = Controllers(settings.urls, Secret("wrong-key"), settings.tls, 1, world.transport())
    with pytest.raises(Unreachable, match="API key") as caught:
        asyncio.run(controllers.head("stable"))
    assert "wrong-key" not in str(caught.value)


def test_a_controller_that_lags_is_no_failure_and_does_not_keep_an_edge_behind(fixture: Fixture) -> None:
    old = fixture.world.service.head()
    fixture.world.change("example.com.", "www", "192.0.2.7")
    fixture.steps(1)
    fixture.behind["second.test"] = old
    fixture.absent = {"controller.test"}
    fixture.steps(3)
    assert fixture.follower._controllers.url == "http://second.test:8053"
    assert fixture.contact.reachable
    assert fixture.contact.problem is None, "it has nothing newer; that is no refusal"
    fixture.absent = set()
    fixture.world.change("example.com.", "www", "192.0.2.8")
    fixture.steps(1)
    assert fixture.moves == 2, "the other controller is looked at after each poll without news"
    assert fixture.follower._controllers.url == "http://controller.test:8053"


def test_another_controller_that_does_not_answer_is_nobodys_trouble(fixture: Fixture) -> None:
    fixture.steps(1)
    fixture.behind["controller.test"] = fixture.world.service.head()
    fixture.absent = {"second.test"}
    with structlog.testing.capture_logs() as log:
        assert fixture.steps(2) == [1.0, 1.0]
    assert log == []
    assert fixture.contact.reachable


def test_edges_whose_polls_end_all_at_once_come_back_spread_over_a_second(fixture: Fixture) -> None:
    fixture.steps(1)
    fixture.world.cut = True
    fixture.steps(1)
    assert fixture.slept == [1.0]
    fixture.steps(1)
    assert fixture.slept == [1.0], "after that the growing pauses spread them"


def test_patience_that_a_controller_asks_for_is_kept(fixture: Fixture) -> None:
    fixture.busy = {"controller.test": "120", "second.test": "7"}
    assert fixture.steps(2) == [0.5, 180.0], "the second is asked at once; then the first has its time and a share more"
    asked = len(fixture.hosts)
    fixture.steps(2)
    assert len(fixture.hosts) == asked, "neither is asked before its time"
    assert fixture.contact.reachable, "it does answer"
    assert fixture.contact.problem is not None


@pytest.mark.parametrize(("said", "kept"), [("30", 30.0), ("86400", 300.0), ("Fri, 31 Dec 2027 23:59:59 GMT", 5.0)])
def test_patience_has_bounds(world: World, tmp_path: Path, said: str, kept: float) -> None:
    settings = world.settings(tmp_path)
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(429, headers={"Retry-After": said}))
    controllers = Controllers(settings.urls, settings.api_key, settings.tls, 1, transport, monotonic=lambda: 0.0)
    with pytest.raises(Busy):
        asyncio.run(controllers.head("stable"))
    assert controllers.patience() == kept


def test_what_an_edge_says_goes_to_any_controller_that_listens(fixture: Fixture) -> None:
    fixture.absent = {"controller.test"}
    asyncio.run(fixture.follower._controllers.attest("edge1", {"head": 1}))
    assert fixture.world.attested == [{"head": 1}]
    assert fixture.follower._controllers.url == "http://controller.test:8053", "heads are followed as before"
