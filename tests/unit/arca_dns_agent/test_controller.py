# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Roll calls as an agent hears them, with the answers to its polls, and answers that do not come to an end."""

from __future__ import annotations

import asyncio
import hashlib
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest

from arca_dns.config import Secret
from arca_dns_agent.controller import Controllers, Unreachable
from clock import run_at_once


def answering(
    answer: Callable[[httpx2.Request], httpx2.Response], called: Callable[[], None] = lambda: None
) -> Controllers:
    """One controller that gives *answer*."""
    transport = httpx2.MockTransport(answer)
    return Controllers(
        ["http://controller.test"], Secret("key"), ssl.create_default_context(), 1, transport, called=called
    )


def test_a_roll_call_is_heard_once_and_the_first_says_nothing() -> None:
    asked: list[str | None] = []
    heard: list[int] = []
    calls = iter(["", "7", "7", "9", "9", "no number"])

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.params.get("called"))
        call = next(calls)
        return httpx2.Response(304, headers={"Arca-Roll-Call": call} if call else {})

    async def scenario() -> None:
        controllers = answering(answer, lambda: heard.append(len(asked)))
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
        controllers = answering(answer)
        await controllers.attest("edge1", {"head": 1})
        await controllers.head("stable", after=1)
        await controllers.attest("edge1", {"head": 1})
        await controllers.close()

    asyncio.run(scenario())
    assert attested == [{"head": 1}, {"head": 1, "called": 7}]


BLOB = bytes(1 << 20)
DIGEST = hashlib.sha256(BLOB).digest()
FRAMED = DIGEST + len(BLOB).to_bytes(4, "big") + BLOB

Ask = Callable[[Controllers], Awaitable[object]]


async def fetch(controllers: Controllers, pause: float = 0.0) -> int:
    """The octets of what is fetched, *pause* seconds being spent on each blob."""
    size = 0
    async for _digest, data in controllers.blobs([DIGEST.hex()]):
        size += len(data)
        await asyncio.sleep(pause)
    return size


async def drip(body: bytes, piece: int, seconds: float) -> AsyncIterator[bytes]:
    """*body* in pieces, with a pause before each."""
    for at in range(0, len(body), piece):
        await asyncio.sleep(seconds)
        yield body[at : at + piece]


def ask(
    what: Ask, body: AsyncIterator[bytes], begins: float = 0.0, urls: tuple[str, ...] = ("http://controller.test",)
) -> tuple[object, float]:
    """What comes of *what* where the answer begins after some seconds and goes on with *body*, and how long it took."""

    async def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host != "controller.test":
            return httpx2.Response(204)
        await asyncio.sleep(begins)
        return httpx2.Response(200, content=body)

    async def scenario() -> tuple[object, float]:
        controllers = Controllers(
            urls, Secret("key"), ssl.create_default_context(), 4 << 20, httpx2.MockTransport(answer)
        )
        try:
            outcome = await what(controllers)
        except Unreachable as error:
            outcome = str(error)
        finally:
            await controllers.close()
        return outcome, asyncio.get_running_loop().time()

    return run_at_once(scenario())


QUESTIONS: list[tuple[Ask, str]] = [
    (lambda controllers: controllers.head("stable", 1, 30.0), "GET /heads/stable"),
    (lambda controllers: controllers.attest("edge1", {"head": 1}), "PUT /edges/edge1/attestation"),
    (lambda controllers: controllers.lease("edge1", {"wishes": []}), "PUT /edges/edge1/leases"),
    (fetch, "POST /blobs/fetch"),
]


@pytest.mark.parametrize(("what", "path"), QUESTIONS, ids=["head", "attest", "lease", "blobs"])
@pytest.mark.parametrize("begins", [0.0, 1e6], ids=["a body that drips", "an answer that does not begin"])
def test_no_answer_is_waited_for_without_end(what: Ask, path: str, begins: float) -> None:
    outcome, seconds = ask(what, drip(FRAMED, 1, 5.0), begins)
    assert outcome == f"http://controller.test takes too long to answer {path}"
    assert seconds <= 60


def test_a_long_poll_may_take_as_long_as_it_was_asked_to() -> None:
    head = {"payload": "{}", "key_id": "k", "signature": "s"}
    outcome, _seconds = ask(lambda one: one.head("stable", 1, 55.0), drip(json.dumps(head).encode(), 100, 1.0), 55.0)
    assert not isinstance(outcome, str)


def test_blobs_that_come_slowly_but_come_are_waited_for() -> None:
    outcome, seconds = ask(fetch, drip(FRAMED, 64 << 10, 9.0))
    assert outcome == len(BLOB)
    assert seconds > 120


def test_a_quick_beginning_is_no_licence_to_drip() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield FRAMED[:-1000]
        async for piece in drip(FRAMED[-1000:], 1, 5.0):
            yield piece

    outcome, seconds = ask(fetch, body())
    assert "takes too long" in str(outcome)
    assert seconds <= 60


def test_the_time_that_an_edge_needs_itself_is_not_the_controllers() -> None:
    outcome, _seconds = ask(lambda controllers: fetch(controllers, 1000.0), drip(FRAMED * 3, 1 << 20, 1.0))
    assert outcome == 3 * len(BLOB)


def test_a_large_attestation_may_take_longer() -> None:
    zones = [{"name": f"zone-{n}.example.", "serial": n} for n in range(30_000)]
    outcome, _seconds = ask(lambda one: one.attest("edge1", {"zones": list(zones)}), drip(b"", 1, 0.0), 120.0)
    assert outcome is None


def test_another_controller_is_told_where_one_lets_its_answer_drip() -> None:
    outcome, seconds = ask(
        lambda one: one.attest("edge1", {}), drip(FRAMED, 1, 5.0), urls=("http://controller.test", "http://second.test")
    )
    assert outcome is None
    assert seconds <= 60
