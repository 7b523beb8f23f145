# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent with real name servers: what is published is what they serve, whatever happens to either of them."""

from __future__ import annotations

import asyncio
import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import dns.tsig
import dns.zone
import pytest
import structlog

from arca_dns.zone import names, rr
from arca_dns_agent.daemon import Daemon
from edge_agent import ZONE, World, agent, until
from running_knot import RunningKnot
from running_nsd import RunningNsd, tool
from transfers import DNSPYTHON_KEY, SECRET

pytestmark = pytest.mark.conformance

Server = RunningNsd | RunningKnot


def soa(server: Server, zone: str) -> int | None:
    """The serial that is served."""
    try:
        answer = dns.query.udp(dns.message.make_query(zone, "SOA"), "127.0.0.1", 1, server.port)
    except (OSError, dns.exception.Timeout):
        return None
    return answer.answer[0][0].serial if answer.answer else None


def rcode(server: Server, zone: str) -> int:
    return dns.query.udp(dns.message.make_query(zone, "SOA"), "127.0.0.1", 1, server.port).rcode()


def served(port: int, zone: str) -> set[bytes]:
    """All that a server has of a zone, fetched by dnspython, in canonical wire form."""
    found = dns.zone.Zone(zone, relativize=False)
    query = dns.message.make_query(zone, "AXFR")
    query.use_tsig(DNSPYTHON_KEY)
    dns.query.inbound_xfr("127.0.0.1", found, query, port=port, lifetime=10)
    return {
        b"".join(
            (
                owner.to_digestable(),
                int(rdata.rdtype).to_bytes(2, "big") + b"\0\1" + ttl.to_bytes(4, "big"),
                len(rdata.to_digestable()).to_bytes(2, "big"),
                rdata.to_digestable(),
            )
        )
        for owner, ttl, rdata in found.iterate_rdatas()
    }


def published(world: World, zone: str) -> set[bytes]:
    root = world.service.signed_zone(names.from_text(zone))[1]
    return {data[record.start : record.end] for _owner, data in root.items() for record in rr.iterate(data)}


def transfers(log: list[dict], zone: str) -> list[str]:  # type: ignore[type-arg]
    return [entry["kind"] for entry in log if entry["event"] == "transfer" and entry["zone"] == zone]


def told(daemon: Daemon) -> list[dict[str, Any]]:
    """The zones in ``served.json``; none before anything is proved."""
    try:
        document = json.loads((daemon.state._path.parent / "served.json").read_bytes())
    except FileNotFoundError:
        return []
    return list(document["zones"])


def failed(world: World, zone: str) -> bool:
    return any(failure["name"] == zone for report in world.attested[-1:] for failure in report["failures"])


@pytest.fixture
def world() -> World:
    return World()


def test_zones_are_loaded_by_axfr_and_changed_by_ixfr(world: World, server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        world.create("example.com.", "0/26.113.0.203.in-addr.arpa.")
        async with agent(world, server.settings(world, tmp_path)):
            for zone in ("example.com.", "0/26.113.0.203.in-addr.arpa."):
                await until(f"{zone} is served", lambda zone=zone: soa(server, zone) == world.serial(zone))
                assert await asyncio.to_thread(served, server.port, zone) == published(world, zone)
            for last in range(3):
                serial = world.change("example.com.", "www", f"192.0.2.{last}")
                await until("the change is served", lambda serial=serial: soa(server, "example.com.") == serial)
            assert await asyncio.to_thread(served, server.port, "example.com.") == published(world, "example.com.")
            await until(
                "it is attested", lambda: world.attested and world.attested[-1]["zones"][-1]["serial"] == serial
            )

    with structlog.testing.capture_logs() as log:
        asyncio.run(story())
    first, changes = transfers(log, "example.com.")[:-3], transfers(log, "example.com.")[-3:]
    # A server asks by itself when a zone is added, and again if a NOTIFY comes before it has loaded the answer.
    assert set(first) == {"AXFR"}
    assert changes == ["IXFR", "IXFR", "IXFR"]


def test_a_burst_of_changes_ends_at_the_last_one(world: World, server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        world.create("example.com.")
        async with agent(world, server.settings(world, tmp_path)):
            await until("it is served", lambda: soa(server, "example.com.") is not None)
            for last in range(40):
                serial = await asyncio.to_thread(world.change, "example.com.", f"h{last % 7}", f"192.0.2.{last}")
            await until("the last is served", lambda: soa(server, "example.com.") == serial)
            assert await asyncio.to_thread(served, server.port, "example.com.") == published(world, "example.com.")

    asyncio.run(story())


def test_a_zone_that_is_deleted_is_no_longer_served(world: World, server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        world.create("example.com.", "example.net.")
        async with agent(world, server.settings(world, tmp_path)) as daemon:
            await until("both are served", lambda: soa(server, "example.com.") and soa(server, "example.net."))
            world.delete("example.net.")
            await until("it is gone", lambda: rcode(server, "example.net.") == dns.rcode.REFUSED)

            def listed() -> list[str]:
                return [zone["name"] for zone in told(daemon)]

            assert "example.net." not in listed()
            await until("the other one is proved and stays", lambda: listed() == ["example.com."])
            assert soa(server, "example.com.")

    asyncio.run(story())


def test_a_server_that_crashed_and_came_back_is_brought_up_to_date(
    world: World, server: Server, tmp_path: Path
) -> None:
    async def story() -> None:
        world.create("example.com.")
        async with agent(world, server.settings(world, tmp_path)):
            await until("it is served", lambda: soa(server, "example.com.") is not None)
            await asyncio.to_thread(server.kill)
            serial = world.change("example.com.", "www", "192.0.2.99")
            await asyncio.to_thread(server.start)
            await until("the change is served", lambda: soa(server, "example.com.") == serial)

    asyncio.run(story())


def test_a_server_that_starts_with_older_zone_files_is_brought_up_to_date(
    world: World, server: Server, tmp_path: Path
) -> None:
    async def story() -> None:
        world.create("example.com.")
        async with agent(world, server.settings(world, tmp_path)):
            await until("it is served", lambda: soa(server, "example.com.") is not None)
            server.write("example.com")
            await until("the zone file is written", lambda: list(server.directory.glob("zones/*")))
            written = soa(server, "example.com.")
            serial = world.change("example.com.", "www", "192.0.2.99")
            await until("the change is served", lambda: soa(server, "example.com.") == serial)
        world.cut = True
        server.stop()
        server.lose_journal()
        server.start()
        await until("the zone file is served", lambda: soa(server, "example.com.") == written)
        async with agent(world, server.settings(world, tmp_path)):
            await until("the change is served again", lambda: soa(server, "example.com.") == serial)

    asyncio.run(story())


def test_a_server_that_lost_everything_gets_everything(world: World, server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        world.create("example.com.", "example.net.")
        async with agent(world, server.settings(world, tmp_path)):
            await until("both are served", lambda: soa(server, "example.com.") and soa(server, "example.net."))
            await asyncio.to_thread(server.kill)
            server.forget()
            for path in server.directory.glob("zones/*"):
                path.unlink()
            await asyncio.to_thread(server.start)
            await until("both are served again", lambda: soa(server, "example.com.") and soa(server, "example.net."))

    asyncio.run(story())


def test_an_agent_without_a_controller_serves_from_its_disk(world: World, server: Server, tmp_path: Path) -> None:
    async def story() -> None:
        world.create("example.com.")
        async with agent(world, server.settings(world, tmp_path)):
            await until("it is served", lambda: soa(server, "example.com.") is not None)
        serial = soa(server, "example.com.")
        assert serial is not None, "the name server outlives the agent"
        world.cut = True
        server.kill()
        server.forget()
        server.start()
        assert soa(server, "example.com.") is None
        async with agent(world, server.settings(world, tmp_path)):
            await until("it is served again", lambda: soa(server, "example.com.") == serial)

    asyncio.run(story())


def test_many_zones_are_added_at_once(world: World, server: Server, tmp_path: Path) -> None:
    count = 300

    async def story() -> None:
        world.create(*(f"zone-{n}.example." for n in range(count)))
        async with agent(world, server.settings(world, tmp_path)) as daemon:
            await until("all are served and proved", lambda: len(daemon.converger.proved) == count, seconds=60)
            await until("the head is settled", lambda: daemon.converger.settled is not None)
            assert not daemon.converger.problems

    asyncio.run(story())


@pytest.mark.parametrize("kind", [RunningNsd, RunningKnot])
def test_a_zone_that_the_server_refuses_keeps_its_old_content_and_others_go_on(
    world: World, kind: type[RunningNsd] | type[RunningKnot], tmp_path: Path
) -> None:
    directory = tmp_path / "server"
    directory.mkdir()
    server = kind(directory, limit=6000)
    many = "".join(f'text-{n} TXT "{"x" * 200}"\n' for n in range(40))

    async def story() -> None:
        world.create("example.com.", "example.net.")
        settings = replace(server.settings(world, tmp_path), server_timeout=0.3)
        async with agent(world, settings) as daemon:
            await until("both are served", lambda: soa(server, "example.com.") and soa(server, "example.net."))
            small = soa(server, "example.com.")
            world.replace("example.com.", ZONE + many)
            await until("it is attested as failed", lambda: failed(world, "example.com."))
            assert soa(server, "example.com.") == small
            serial = world.change("example.net.", "www", "192.0.2.7")
            await until("the other is served", lambda: soa(server, "example.net.") == serial)
            await until(
                "and the head is settled", lambda: daemon.converger.settled == daemon.synchroniser.held.head.revision
            )
            world.replace("example.com.", ZONE)
            await until(
                "small again, it is served", lambda: soa(server, "example.com.") == world.serial("example.com.")
            )
            await until("and no failure is attested", lambda: not world.attested[-1]["failures"])

    server.start()
    try:
        asyncio.run(story())
    finally:
        server.stop()


def test_content_that_does_not_validate_is_not_served_whoever_signed_the_head(
    world: World, server: Server, tmp_path: Path
) -> None:
    async def story() -> None:
        world.create("example.com.", "example.net.")
        async with agent(world, server.settings(world, tmp_path)) as daemon:
            await until("both are served", lambda: soa(server, "example.com.") and soa(server, "example.net."))
            before = soa(server, "example.com.")
            world.falsify("example.com.")
            await until("it is attested as failed", lambda: failed(world, "example.com."))
            assert "does not validate" in world.attested[-1]["failures"][0]["reason"]
            await daemon.converger._server.reload(names.from_text("example.com."))
            await asyncio.sleep(1)
            assert soa(server, "example.com.") == before, "also where the server asks by itself"
            serial = world.change("example.net.", "www", "192.0.2.7")
            await until("the other goes on", lambda: soa(server, "example.net.") == serial)

    asyncio.run(story())


def test_a_version_with_an_older_serial_is_served_and_nothing_newer_is_said_before(
    world: World, server: Server, tmp_path: Path
) -> None:
    def said(daemon: Daemon) -> int | None:
        return next((int(zone["serial"]) for zone in told(daemon)), None)

    async def story() -> None:
        world.create("example.com.", signed=False)
        first = world.serial("example.com.")
        old = dict(world.content("example.com.").items())
        async with agent(world, server.settings(world, tmp_path)) as daemon:
            await until("it is served", lambda: soa(server, "example.com.") == first)
            newer = world.change("example.com.", "www", "192.0.2.99")
            await until("the newer one is said", lambda: said(daemon) == newer)
            world.publish("example.com.", old, first)
            while (now := soa(server, "example.com.")) != first:
                assert now == newer
                await asyncio.sleep(0.01)
            assert said(daemon) == first, "before the server goes back"
            await until("it is proved", lambda: not daemon.converger.going_back)
            assert daemon.converger.proved[names.from_text("example.com.")].serial == first

    asyncio.run(asyncio.wait_for(story(), 30))


def test_other_content_with_the_same_serial_is_said_once_it_is_transferred(
    world: World, server: Server, tmp_path: Path
) -> None:
    owner = names.from_text("www.example.com.")

    async def story() -> None:
        world.create("example.com.", signed=False)
        serial = world.serial("example.com.")
        async with agent(world, server.settings(world, tmp_path)) as daemon:
            await until("it is served", lambda: len(daemon.converger.proved) == 1)
            node = world.content("example.com.").names.get(owner) or b""
            daemon._listener._clients = asyncio.Semaphore(0)  # transfers wait
            world.publish("example.com.", {owner: node.replace(b"\xc0\0\2\x50", b"\xc0\0\2\x51")}, serial)
            held = daemon.synchroniser
            await until("the other is held", lambda: held.held and held.held.head.revision == 2)
            root = held.held.zones[names.from_text("example.com.")].root
            await asyncio.sleep(0.5)
            assert daemon.converger.proved[names.from_text("example.com.")].root != root
            for _client in range(64):
                daemon._listener._clients.release()
            await until("it is proved", lambda: daemon.converger.proved[names.from_text("example.com.")].root == root)
            query = dns.message.make_query("www.example.com.", "A")
            answer = await asyncio.to_thread(dns.query.udp, query, "127.0.0.1", 2, server.port)
            assert answer.answer[0][0].address == "192.0.2.81", "when it is said, it is served"
            assert not daemon.converger.problems

    asyncio.run(story())


@pytest.mark.parametrize(
    ("command", "package"),
    [
        (
            ["dig", "+noall", "+answer", "+nocomments", "-p", "{port}", "-y", "hmac-sha256:arca-dns:{key}"],
            "bind9-dnsutils",
        ),
        (["kdig", "+noall", "+answer", "-p", "{port}", "-y", "hmac-sha256:arca-dns:{key}"], "knot-dnsutils"),
        (["drill", "-p", "{port}", "-y", "arca-dns:{key}:hmac-sha256"], "ldnsutils"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_other_clients_transfer_from_the_agent(
    world: World, nsd: RunningNsd, tmp_path: Path, command: list[str], package: str
) -> None:
    program = tool(command[0], package)
    options = [option.format(port=nsd.primary_port, key=SECRET) for option in command[1:]]

    async def story() -> None:
        world.create("example.com.")
        async with agent(world, nsd.settings(world, tmp_path)):
            await until("it is served", lambda: soa(nsd, "example.com.") is not None)
            done = await asyncio.to_thread(
                subprocess.run,
                [program, *options, "@127.0.0.1", "example.com.", "AXFR"],
                capture_output=True,
                text=True,
                check=False,
                timeout=20,
            )
            lines = [line for line in done.stdout.splitlines() if line.split() and not line.startswith(";")]
            assert done.returncode == 0, done.stdout + done.stderr
            # The SOA stands at both ends.
            assert len(lines) == len(published(world, "example.com.")) + 1, done.stdout + done.stderr

    asyncio.run(story())
