# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who asks too often waits, for as long as it is told; nobody else does."""

from __future__ import annotations

import pytest
from fastapi import FastAPI
from hypothesis import given, strategies as st
from starlette.testclient import TestClient

from arca_dns.config import build
from arca_dns_controller.config import ControllerConfig, Rate
from arca_dns_controller.problem import TooManyRequests
from arca_dns_controller.rates import Buckets, Rates
from clock import Clock
from controller_api import EXAMPLE, Api, problem


@given(st.lists(st.floats(0, 3), min_size=1, max_size=60), st.floats(0.1, 20), st.integers(1, 20))
def test_no_more_pass_than_the_rate_and_the_burst_allow(pauses: list[float], rate: float, burst: int) -> None:
    clock = Clock(0.0)
    buckets = Buckets(clock)
    passed = 0
    for pause in pauses:
        clock.now += pause
        wait = buckets.take("me", rate, burst)
        passed += not wait
        if wait:
            clock.now += wait + 1e-6
            assert not buckets.take("me", rate, burst), "who waits as long as told gets through"
            passed += 1
    assert passed <= burst + clock.now * rate + 1e-6


def test_callers_do_not_share_and_those_forgotten_begin_anew() -> None:
    buckets = Buckets(Clock(0.0))
    assert [buckets.take("a", 1, 1), buckets.take("b", 1, 1), buckets.take("a", 1, 1)] == [0, 0, 1]
    for number in range(10_001):
        buckets.take(f"other {number}", 1, 1)
    assert buckets.take("a", 1, 1) == 0


def test_reads_and_writes_are_counted_apart_and_zero_is_no_limit() -> None:
    rates = Rates(Rate(read_per_second=1, write_per_second=1, burst_seconds=1), Clock(0.0))
    rates.count("k", "GET")
    rates.count("k", "PUT")
    for method in ("HEAD", "DELETE"):
        with pytest.raises(TooManyRequests):
            rates.count("k", method)
    rates.set(Rate(read_per_second=0, write_per_second=0))
    for _ in range(100):
        rates.count("k", "GET")
        rates.count("k", "POST")


@pytest.fixture
def config(config: ControllerConfig) -> ControllerConfig:
    keys = [{"name": key.name, "role": key.role, "sha256": key.sha256} for key in config.api.keys]
    rate = {"read_per_second": 1, "write_per_second": 1, "burst_seconds": 2, "failures_per_minute": 2}
    return build({"api": {"keys": keys, "rate": rate}, "backend": {"type": "memory"}}, ControllerConfig)


def test_too_many_writes_get_429_with_the_time_to_wait_and_reads_go_on(api: Api) -> None:
    assert [api("POST", "/zones", json=EXAMPLE).status_code for _ in range(2)] == [201, 409]
    refused = api("POST", "/zones", json=EXAMPLE)
    problem(refused, 429, "rate-limited")
    assert refused.headers["retry-after"] == "1"
    assert api("GET", "/zones").status_code == 200


def test_edges_are_not_counted(client: TestClient) -> None:
    agent = Api(client, "agent")
    assert {agent("GET", "/heads/stable").status_code for _ in range(20)} == {404}


def test_guessing_keys_is_slowed_down_and_known_keys_work_all_the_same(client: TestClient, api: Api) -> None:
    stranger = Api(client, None)
    answers = [stranger("GET", "/zones", headers={"X-API-Key": f"guess-{n}"}) for n in range(4)]
    assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
    assert int(answers[-1].headers["retry-after"]) >= 1
    assert api("GET", "/zones").status_code == 200
    assert stranger("GET", "/health").status_code == 200


def test_new_limits_are_used_without_a_restart(app: FastAPI, api: Api) -> None:
    assert [api("GET", "/status").status_code for _ in range(3)] == [200, 200, 429]
    app.state.reloadable[1].set(Rate(read_per_second=0))
    assert api("GET", "/status").status_code == 200
