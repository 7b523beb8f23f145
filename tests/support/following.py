# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A follower that is taken step by step, with two controllers that fail in all the ways that a test asks for."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx2

from arca_dns.publish.head import SignedHead
from arca_dns_agent.controller import Controllers
from arca_dns_agent.follow import Contact, Follower
from arca_dns_agent.state import State
from arca_dns_agent.sync import Synchroniser
from edge_agent import World, second_url


class Fixture:
    """A follower whose time and luck stand still."""

    def __init__(self, world: World, directory: Path, interval: float = 30.0) -> None:
        settings = second_url(world.settings(directory))
        self.world, self.directory = world, directory
        self.hosts: list[str] = []
        self.long_polls_fail = False
        self.now = 0.0
        self.state = State(settings.state_directory)
        inner = world.transport()

        async def answer(request: httpx2.Request) -> httpx2.Response:
            self.hosts.append(request.url.host)
            if request.url.host in self.absent:
                raise httpx2.ConnectError("connection refused")
            if request.url.host in self.busy:
                return httpx2.Response(503, headers={"Retry-After": self.busy[request.url.host]})
            if "/heads/" in request.url.path and (old := self.behind.get(request.url.host)) is not None:
                if int(request.url.params.get("after", "-1")) >= json.loads(old.payload)["revision"]:
                    return httpx2.Response(304)
                return httpx2.Response(200, json=old.to_json())
            if (again := self.again.get(request.url.host)) is not None and "/heads/" in request.url.path:
                return httpx2.Response(200, json=again.to_json())
            if self.long_polls_fail and "after" in request.url.params:
                raise httpx2.ReadTimeout("cut off by something on the way")
            if request.url.path.endswith("/blobs/fetch") and self.lacking:
                wanted = [digest for digest in json.loads(request.content)["digests"] if digest not in self.lacking]
                authorization = {"Authorization": request.headers["authorization"]}
                request = httpx2.Request("POST", request.url, headers=authorization, json={"digests": wanted})
            return await inner.handle_async_request(request)

        controllers = Controllers(
            settings.urls,
            settings.api_key,
            settings.tls,
            settings.blob_limit,
            httpx2.MockTransport(answer),
            monotonic=lambda: 0.0,
        )
        self.sync = Synchroniser(self.state, controllers, settings.head_keys, "stable", lambda: 1_800_000_000)
        self.contact = Contact(lambda: 1_800_000_000)
        self.moves = 0
        self.slept: list[float] = []
        self.absent: set[str] = set()
        self.behind: dict[str, SignedHead] = {}
        self.again: dict[str, SignedHead] = {}
        self.busy: dict[str, str] = {}
        self.lacking: set[str] = set()
        self.follower = Follower(
            controllers,
            self.sync,
            self.contact,
            "stable",
            interval,
            moved=self._moved,
            told=lambda: None,
            random=lambda: 1.0,
            sleep=self._sleep,
            monotonic=lambda: self.now,
        )

    def _moved(self) -> None:
        self.moves += 1

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def steps(self, count: int) -> list[float]:
        async def run() -> list[float]:
            return [await self.follower.step() for _step in range(count)]

        return asyncio.run(run())
