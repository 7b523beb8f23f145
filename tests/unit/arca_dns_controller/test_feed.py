# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One thread waits for heads on behalf of all requests; whatever fails there, it goes on when it can."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
import structlog

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import StoreUnavailable
from arca_dns.publish.head import HeadKey, SignedHead
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns.zone.text import parse
from arca_dns_controller.feed import HeadFeed
from arca_dns_controller.metrics import Metrics
from clock import Clock

ZONE = "$ORIGIN example.com.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n"


def create(service: Service) -> None:
    parsed = parse(ZONE)
    service.create_zone(parsed.origin, parsed.rrsets, actor="test")


def test_all_who_wait_are_told(service: Service) -> None:
    metrics = Metrics()

    async def scenario() -> list[SignedHead | None]:
        feed = HeadFeed(service, metrics, slice_seconds=0.1)
        feed.start()
        waiting = [asyncio.create_task(feed.wait(0, 20)) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(create, service)
        found = await asyncio.gather(*waiting)
        feed.close()
        await feed.join()
        return list(found)

    heads = asyncio.run(scenario())
    assert {None if head is None else head.revision() for head in heads} == {1}
    assert metrics.registry.get_sample_value("arca_dns_controller_head_revision") == 1


def test_a_roll_call_ends_the_polls_of_those_who_have_not_heard_it() -> None:
    clock = Clock()
    service = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate(), clock=clock)
    create(service)

    async def scenario() -> list[bool]:
        feed = HeadFeed(service, Metrics(), slice_seconds=0.01)
        feed.start()
        while feed.called is None:
            await asyncio.sleep(0.01)
        waiting = [asyncio.create_task(feed.wait(1, 20, called=known)) for known in (0, None)]
        await asyncio.sleep(0)
        await asyncio.to_thread(call, service, clock)
        assert await waiting[0] is None
        assert feed.called == service.sites.called()
        assert await feed.wait(1, 20, called=0) is None, "who comes later is told too"
        ended = [one.done() for one in waiting]
        feed.close()
        await asyncio.gather(*waiting)
        await feed.join()
        return ended

    assert asyncio.run(scenario()) == [True, False]


def call(service: Service, clock: Clock) -> None:
    """An edge wishes what depends on one that was heard of a minute ago."""
    prefix = "203.0.113.53/32"
    service.attest("edge2", {"announced": [prefix]})
    clock.now += 60
    assert service.sites.ask("edge1", {prefix: "drain"})[0].pending


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), ValueError("nobody thought of this")])
def test_it_goes_on_after_whatever_failed(
    service: Service, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    create(service)
    real = service.wait_heads
    failures = [failure] * 3

    def flaky(after: Mapping[str, int], timeout: float) -> dict[str, SignedHead]:
        if failures:
            raise failures.pop()
        return real(after, timeout)

    monkeypatch.setattr(service, "wait_heads", flaky)

    async def scenario() -> SignedHead | None:
        feed = HeadFeed(service, Metrics(), slice_seconds=0.01)
        feed.start()
        head = await feed.wait(0, 20)
        feed.close()
        await feed.join()
        return head

    with structlog.testing.capture_logs() as log:
        head = asyncio.run(scenario())
    assert head is not None
    assert not failures
    assert [entry["reason"] for entry in log] == [str(failure)], "told once"


def test_nobody_waits_on_a_closed_feed(service: Service) -> None:
    async def scenario() -> SignedHead | None:
        feed = HeadFeed(service, Metrics())
        feed.close()
        return await feed.wait(0, 60)

    assert asyncio.run(scenario()) is None
