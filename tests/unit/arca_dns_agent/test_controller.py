# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Roll calls as an agent hears them: with the answers to its polls."""

from __future__ import annotations

import asyncio
import json
import ssl

import httpx2

from arca_dns.config import Secret
from arca_dns_agent.controller import Controllers


def test_a_roll_call_is_heard_once_and_the_first_says_nothing() -> None:
    asked: list[str | None] = []
    heard: list[int] = []
    calls = iter(["", "7", "7", "9", "9", "no number"])

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.params.get("called"))
        call = next(calls)
        return httpx2.Response(304, headers={"Arca-Roll-Call": call} if call else {})

    async def scenario() -> None:
        controllers = Controllers(
            ["http://controller.test"],
            Secret("key"),
            ssl.create_default_context(),
            1,
            httpx2.MockTransport(answer),
            called=lambda: heard.append(len(asked)),
        )
        for _poll in range(6):
            assert await controllers.head("stable", after=1) is None
        await controllers.close()

    asyncio.run(scenario())
    assert asked == [None, None, "7", "7", "9", "9"]
    assert heard == [4]


def test_an_attestation_repeats_the_latest_roll_call() -> None:
    attested: list[object] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "PUT":
            attested.append(json.loads(request.content))
            return httpx2.Response(204)
        return httpx2.Response(304, headers={"Arca-Roll-Call": "7"})

    async def scenario() -> None:
        controllers = Controllers(
            ["http://controller.test"],
            Secret("key"),
            ssl.create_default_context(),
            1,
            httpx2.MockTransport(answer),
        )
        await controllers.attest("edge1", {"head": 1})
        await controllers.head("stable", after=1)
        await controllers.attest("edge1", {"head": 1})
        await controllers.close()

    asyncio.run(scenario())
    assert attested == [{"head": 1}, {"head": 1, "called": 7}]
