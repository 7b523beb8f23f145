# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent with a real NSD and a real Unbound beside it: the resolver follows what is served, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.query
import pytest

from arca_dns.zone import names
from edge_agent import World, agent, until
from running_nsd import RunningNsd, free_port
from running_unbound import RunningUnbound, stubs

pytestmark = pytest.mark.conformance

# Of the root's key only that there is one matters: without a word about them, unsigned zones below it would be bogus.
ROOT = ". DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"


V80 = ("192.0.2.80", True)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def unbound(world: World, tmp_path: Path) -> Iterator[RunningUnbound]:
    world.create("signed.example.")
    anchor = world.service.ds(names.from_text("signed.example."))[0]
    tag, digest = int.from_bytes(anchor[:2], "big"), anchor[4:].hex()
    directory = tmp_path / "unbound"
    directory.mkdir()
    anchors = f"{ROOT}signed.example. DS {tag} {anchor[2]} {anchor[3]} {digest}\n"
    # Nobody listens where the root would be asked: what is not asked for at NSD is not answered.
    made = RunningUnbound(directory, anchors, stubs(["."], free_port()), control=True)
    made.start()
    yield made
    made.stop()


def address(unbound: RunningUnbound, name: str) -> tuple[str, bool] | None:
    """What Unbound answers for *name* A, and whether it has validated it."""
    query = dns.message.make_query(name, "A", want_dnssec=True)
    try:
        answer = dns.query.udp(query, "127.0.0.1", 2, unbound.port)
    except (OSError, dns.exception.Timeout):
        return None
    found = next((rrset for rrset in answer.answer if rrset.rdtype == 1), None)
    return None if found is None else (found[0].address, bool(answer.flags & dns.flags.AD))


def test_a_zone_that_nothing_leads_to_is_validated_by_its_own_keys(
    world: World, nsd: RunningNsd, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (tmp_path / "unbound").mkdir()
    include = f'include: "{kept}/*.conf"\n'
    unbound = RunningUnbound(tmp_path / "unbound", ROOT, stubs(["."], free_port()) + include, control=True)
    unbound.start()
    settings = replace(
        nsd.settings(world, tmp_path),
        resolver_socket=unbound.directory / "unbound.ctl",
        resolver_file=kept / "zones.conf",
    )
    world.create("first.example.")

    async def story() -> None:
        async with agent(world, settings):
            await told(unbound, "first")
            await until("it is validated", lambda: address(unbound, "www.first.example") == V80)
            world.create("second.example.")
            await told(unbound, "first", "second")
            await until("so is one that comes later", lambda: address(unbound, "www.second.example") == V80)
            assert address(unbound, "www.first.example") == V80
            world.delete("second.example.")
            await until("its keys go with it", lambda: "second" not in (kept / "zones.conf").read_text())
            assert address(unbound, "www.first.example") == V80
            await asyncio.to_thread(unbound.restart)
            await told(unbound, "first")
            await until("and after a restart", lambda: address(unbound, "www.first.example") == V80)
            world.create("third.example.", signed=False)
            await told(unbound, "first", "third")
            await until("it is in the file", lambda: "third" in (kept / "zones.conf").read_text())
        world.delete("third.example.")
        fresh = replace(settings, state_directory=tmp_path / "fresh")
        async with agent(world, fresh):
            listed = ("third.example. IN stub", "first.example. IN stub")
            await until(
                "an agent that knows nothing of it takes it back",
                lambda: [stub in unbound.control("list_stubs") for stub in listed] == [False, True],
            )

    try:
        asyncio.run(story())
    finally:
        unbound.stop()


async def told(unbound: RunningUnbound, *zones: str) -> None:
    """Wait until Unbound knows where to ask: a question that comes before that is worked on for long."""

    def knows() -> bool:
        listed = unbound.control("list_stubs")
        return all(f"{zone}.example. IN stub" in listed for zone in zones)

    await until("the stubs are there", knows)


def test_unbound_follows_zones_changes_restarts_and_reloads(
    world: World, nsd: RunningNsd, unbound: RunningUnbound, tmp_path: Path
) -> None:
    world.create("plain.example.", signed=False)
    world.create("113.0.203.in-addr.arpa.")
    settings = replace(nsd.settings(world, tmp_path), resolver_socket=unbound.directory / "unbound.ctl")
    both = ("www.signed.example", "www.plain.example")

    async def story() -> None:
        async with agent(world, settings) as daemon:
            await told(unbound, "signed", "plain")
            assert [address(unbound, name) for name in both] == [("192.0.2.80", True), ("192.0.2.80", False)]
            for last in range(3):
                world.change("signed.example.", "www", f"192.0.2.{last}")
                now = (f"192.0.2.{last}", True)
                await until("the cache is flushed", lambda now=now: address(unbound, "www.signed.example") == now)
            assert "113.0.203.in-addr.arpa." in unbound.control("list_stubs")
            for again in (unbound.restart, unbound.reload):
                await asyncio.to_thread(again)
                await told(unbound, "signed", "plain")
                assert [address(unbound, name) for name in both] == [now, ("192.0.2.80", False)]
            world.delete("plain.example.")
            await until("the stub is removed", lambda: "plain.example." not in unbound.control("list_stubs"))
            await until("its version is attested", lambda: "resolver" in world.attested[-1]["versions"])
            assert daemon.resolver is not None
            assert daemon.resolver.problem is None

    asyncio.run(story())
