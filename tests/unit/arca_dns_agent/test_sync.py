# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Taking heads: what is good is held, what is not is refused with the reason and changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest

from arca_dns.config import Secret
from arca_dns.errors import CorruptBlob, HeadRejected, IntegrityError, MissingBlob
from arca_dns.publish.head import Head, HeadKey, SignedHead
from arca_dns.zone import names
from arca_dns.zone.tree import ZoneRoot
from arca_dns_agent.controller import Controllers, Unreachable
from arca_dns_agent.disk import Damaged
from arca_dns_agent.state import State
from arca_dns_agent.sync import Synchroniser
from edge_agent import World

NOW = 1_800_000_000.0
COM = names.from_text("example.com.")


class Edge:
    """A synchroniser with its own disk, run step by step."""

    def __init__(self, world: World, directory: Path) -> None:
        settings = world.settings(directory)
        self.world = world
        self.now = NOW
        self.state = State(settings.state_directory)
        self.controllers = Controllers(
            settings.urls, Secret("key"), settings.tls, settings.blob_limit, world.transport()
        )
        self.sync = Synchroniser(self.state, self.controllers, settings.head_keys, "stable", lambda: self.now)

    def pull(self, signed: SignedHead | None = None) -> bool:
        async def once() -> bool:
            head = signed or await self.controllers.head("stable")
            assert head is not None
            return await self.sync.take(head)

        return asyncio.run(once())

    def repair(self) -> int:
        async def once() -> int:
            found = await self.sync.forget_damaged()
            await self.sync.mend()
            return found

        return asyncio.run(once())

    def serials(self) -> dict[str, int]:
        held = self.sync.held
        return {} if held is None else {names.to_text(zone): entry.serial for zone, entry in held.zones.items()}

    def readable(self) -> bool:
        """Whether all content of all zones is on disk."""
        held = self.sync.held
        assert held is not None
        blobs = self.sync.blobs()
        for entry in held.zones.values():
            for _item in ZoneRoot.load(blobs, entry.root).items():
                pass
        return True


@pytest.fixture
def world() -> World:
    return World(lambda: NOW)


@pytest.fixture
def edge(world: World, tmp_path: Path):  # type: ignore[no-untyped-def]
    made = Edge(world, tmp_path)
    yield made
    made.state.close()


def test_a_head_is_held_with_all_that_it_names(world: World, edge: Edge) -> None:
    world.create("example.com.", "example.net.")
    assert edge.pull()
    assert edge.serials() == {zone: world.serial(zone) for zone in ("example.com.", "example.net.")}
    assert edge.readable()
    assert not edge.pull(), "the same head again is no news"


def test_a_change_fetches_only_what_is_new(world: World, edge: Edge) -> None:
    hosts = "".join(f"h{n} A 192.0.2.1\n" for n in range(600))
    from edge_agent import ZONE

    world.create("example.com.", text=ZONE + hosts)
    edge.pull()
    first = len(world.fetched)
    world.fetched.clear()
    world.change("example.com.", "h300", "192.0.2.9")
    assert edge.pull()
    assert len(world.fetched) < 10 < first
    assert len(set(world.fetched)) == len(world.fetched)
    assert edge.readable()


def test_what_is_held_is_there_after_a_restart(world: World, edge: Edge, tmp_path: Path) -> None:
    world.create("example.com.")
    edge.pull()
    again = Edge(world, tmp_path)
    world.cut = True
    assert again.sync.restore() is None
    assert again.serials() == edge.serials()
    assert again.readable()
    again.state.close()


def test_a_head_that_is_held_stays_in_force_after_its_expiry(world: World, edge: Edge, tmp_path: Path) -> None:
    world.create("example.com.")
    edge.pull()
    again = Edge(world, tmp_path)
    again.now = NOW + 10**7
    assert again.sync.restore() is None
    assert again.sync.held is not None
    again.state.close()


def test_a_held_head_by_a_key_that_is_no_longer_trusted_stays_and_is_told(
    world: World, edge: Edge, tmp_path: Path
) -> None:
    world.create("example.com.")
    edge.pull()
    world.head_key = HeadKey.generate()
    again = Edge(world, tmp_path)
    assert "not one of this edge's head keys" in str(again.sync.restore())
    assert again.serials() == edge.serials()
    again.state.close()


def signed(world: World, **changes: object) -> SignedHead:
    """The current head with other values, well signed."""
    payload = json.loads(world.service.head().payload)
    return world.head_key.sign(Head(**{**payload, **changes}))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda world, old: old, "goes back"),
        (lambda world, old: HeadKey.generate().sign(Head("stable", 99, None, 0, 2**40)), "not one of this edge's"),
        (lambda world, old: SignedHead(world.service.head().payload + " ", old.key_id, old.signature), "signature"),
        (lambda world, old: signed(world, ring="canary"), "ring 'canary'"),
        (lambda world, old: signed(world, revision=99, expires=int(NOW) - 1), "expired"),
        (lambda world, old: signed(world, catalog="0" * 64), "two heads of revision"),
        (lambda world, old: signed(world, revision=99, catalog=None, mass_removal=0), "without the controller's mark"),
    ],
    ids=["older", "forged", "altered", "other ring", "expired", "fork", "empty"],
)
def test_a_bad_head_is_refused_with_the_reason_and_nothing_changes(
    world: World, edge: Edge, make: Callable[[World, SignedHead], SignedHead], reason: str
) -> None:
    world.create("example.com.")
    old = world.service.head()
    world.change("example.com.", "www", "192.0.2.7")
    edge.pull()
    before = edge.serials()
    with pytest.raises(HeadRejected, match=reason):
        edge.pull(make(world, old))
    assert edge.serials() == before
    assert edge.state.head() == world.service.head()


def test_an_edge_that_was_moved_to_another_ring_takes_its_head_whatever_its_revision(world: World, edge: Edge) -> None:
    world.create("example.com.", "example.net.")
    world.change("example.com.", "www", "192.0.2.7")
    edge.pull()
    edge.sync._ring = "canary"  # as it is configured when the agent starts again
    assert edge.sync.revision == 0
    assert edge.pull(signed(world, ring="canary", revision=1))
    assert edge.sync.revision == 1
    with pytest.raises(HeadRejected, match="without the controller's mark"):
        edge.pull(signed(world, ring="canary", revision=2, catalog=None, mass_removal=0))


def test_removing_many_zones_needs_the_mark(world: World, edge: Edge) -> None:
    zones = [f"zone-{n}.example." for n in range(12)]
    world.create(*zones)
    edge.pull()
    for zone in zones[:6]:
        world.delete(zone)
    unmarked = signed(world, mass_removal=0)
    with pytest.raises(HeadRejected, match="removes 6 of 12 zones"):
        edge.pull(unmarked)
    assert edge.pull(), "the controller marks what an operator asked for"
    assert len(edge.serials()) == 6


def test_also_an_edge_that_cannot_read_its_catalog_needs_the_mark(world: World, edge: Edge, tmp_path: Path) -> None:
    world.create("example.com.", "example.net.", "example.org.")
    edge.pull()
    assert edge.sync.held is not None
    edge.state.forget([edge.sync.held.head.catalog or ""])
    again = Edge(world, tmp_path)
    with pytest.raises(Damaged):
        again.sync.restore()
    with pytest.raises(HeadRejected, match="removes 3 of 3 zones without the controller's mark"):
        again.pull(signed(world, revision=99, catalog=None, mass_removal=0))
    assert again.pull(signed(world, revision=99, catalog=None, mass_removal=99))
    assert again.serials() == {}
    again.state.close()


def flip(body: bytes, place: int) -> bytes:
    return body[:place] + bytes((body[place] ^ 1,)) + body[place + 1 :]


@pytest.mark.parametrize("seed", range(12))
def test_one_flipped_bit_of_a_blob_is_refused_and_the_next_try_succeeds(world: World, edge: Edge, seed: int) -> None:
    world.create("example.com.")
    edge.pull()
    before = edge.serials()
    world.change("example.com.", "www", "192.0.2.7")
    chooser = random.Random(seed)
    world.tamper = lambda path, body: flip(body, chooser.randrange(len(body))) if path == "/blobs/fetch" else body
    with pytest.raises((IntegrityError, Unreachable)):
        edge.pull()
    assert edge.serials() == before
    world.tamper = lambda _path, body: body
    assert edge.pull()
    assert edge.readable()


def test_a_flipped_bit_in_the_content_says_that_it_does_not_hash(world: World, edge: Edge) -> None:
    world.create("example.com.")
    world.tamper = lambda path, body: flip(body, len(body) - 1) if path == "/blobs/fetch" else body
    with pytest.raises(CorruptBlob, match="does not hash"):
        edge.pull()
    assert edge.sync.held is None


def test_a_blob_that_nobody_asked_for_is_refused(world: World, edge: Edge) -> None:
    import hashlib

    extra = b"extra"
    frame = hashlib.sha256(extra).digest() + len(extra).to_bytes(4, "big") + extra
    world.create("example.com.")
    world.tamper = lambda path, body: body + frame if path == "/blobs/fetch" else body
    with pytest.raises(CorruptBlob, match="not asked for"):
        edge.pull()


def test_a_blob_over_the_limit_is_refused_before_it_is_read(world: World, edge: Edge) -> None:
    world.create("example.com.")
    world.tamper = lambda path, body: body[:32] + b"\xff\xff\xff\xff" + body[36:] if "blobs" in path else body
    with pytest.raises(CorruptBlob, match="over the limit"):
        edge.pull()


def test_a_controller_without_its_own_blobs_is_refused(world: World, edge: Edge) -> None:
    world.create("example.com.")
    world.tamper = lambda path, body: b"" if path == "/blobs/fetch" else body
    with pytest.raises(MissingBlob):
        edge.pull()


def test_a_fetch_that_broke_off_goes_on_where_it_ended(world: World, edge: Edge) -> None:
    world.create(*(f"zone-{n}.example." for n in range(5)))
    calls = 0

    def break_third(path: str, body: bytes) -> bytes:
        nonlocal calls
        calls += path == "/blobs/fetch"
        return body[:-10] if path == "/blobs/fetch" and calls == 3 else body

    world.tamper = break_third
    with pytest.raises(Unreachable):
        edge.pull()
    had = list(world.fetched)
    world.tamper = lambda _path, body: body
    world.fetched.clear()
    edge.pull()
    assert not set(world.fetched) & set(had[:1]), "what was there is not fetched again"
    assert edge.readable()


def test_sweeping_keeps_what_transfers_need_and_drops_the_rest(world: World, edge: Edge) -> None:
    world.create("example.com.", "example.net.")
    edge.pull()
    for last in range(10):
        world.change("example.com.", "www", f"192.0.2.{last}")
        edge.pull()
    world.delete("example.net.")
    edge.pull()
    serials = [row[0] for row in edge.state._reader.execute("SELECT serial FROM versions ORDER BY id")]
    assert len(serials) == 6
    assert edge.sync.sweep() > 0
    assert edge.sync.sweep() == 0
    assert edge.readable()
    blobs = edge.sync.blobs()
    for serial in serials:
        root = edge.state.root_of(COM, serial)
        assert root is not None
        assert list(ZoneRoot.load(blobs, root).items())


def test_damage_on_disk_is_found_and_fetched_again(world: World, edge: Edge) -> None:
    world.create("example.com.", text="".join(["@ 60 SOA ns1 h 1 2 3 4 5\n@ 60 NS ns1\nns1 60 A 192.0.2.1\n"]))
    edge.pull()
    digests = sorted(edge.state.digests())
    edge.state.forget(digests[:1])
    edge.state._writer.execute("UPDATE blobs SET data = x'00' WHERE digest = ?", (digests[1],))
    assert edge.repair() == 1
    assert sorted(edge.state.digests()) == digests
    assert edge.readable()


def test_content_of_another_zone_under_a_name_is_refused(world: World, edge: Edge) -> None:
    from dataclasses import replace

    from arca_dns.publish.catalog import Catalog

    world.create("example.com.", "example.net.")
    head = Head(**json.loads(world.service.head().payload))
    blobs = edge.sync.blobs()
    edge.pull()
    catalog = Catalog(blobs, head.catalog)
    entry = catalog.get(names.from_text("example.net."))
    assert entry is not None
    wrong = catalog.update({COM: replace(entry, zone=COM)})
    world.service._store.write_blobs(blobs.pending)
    with pytest.raises(CorruptBlob, match=r"is that of example\.net\."):
        edge.pull(world.head_key.sign(replace(head, revision=99, catalog=wrong.root)))


def test_a_head_with_more_zones_than_the_limit_is_refused_before_its_catalog_is_fetched(
    world: World, tmp_path: Path
) -> None:
    world.create(*(f"zone-{n}.example." for n in range(200)))
    edge = Edge(world, tmp_path)
    edge.sync = Synchroniser(
        edge.state, edge.controllers, [world.head_key.public], "stable", lambda: NOW, zone_limit=199
    )
    with pytest.raises(HeadRejected, match=r"names 200 zones, but this edge takes 199; see agent\.zone_limit"):
        edge.pull()
    assert len(world.fetched) == 1
    edge.state.close()


def test_fetches_side_by_side_hold_one_large_blob_at_a_time(world: World, tmp_path: Path) -> None:
    large = bytes(2 << 20)
    digest = hashlib.sha256(large).digest()
    open_streams = most = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal open_streams, most
        yield digest + len(large).to_bytes(4, "big")
        open_streams += 1
        most = max(most, open_streams)
        for at in range(0, len(large), 1 << 18):
            await asyncio.sleep(0)
            yield large[at : at + (1 << 18)]
        open_streams -= 1

    settings = world.settings(tmp_path)
    transport = httpx2.MockTransport(lambda _request: httpx2.Response(200, content=pieces()))
    controllers = Controllers(settings.urls, settings.api_key, settings.tls, 4 << 20, transport)

    async def fetch() -> int:
        return len([data async for _digest, data in controllers.blobs([digest.hex()])])

    async def all_at_once() -> list[int]:
        return await asyncio.gather(*(fetch() for _fetch in range(4)))

    assert asyncio.run(all_at_once()) == [1, 1, 1, 1]
    assert most == 1


def test_changes_without_end_leave_nothing_behind(world: World, edge: Edge) -> None:
    seen = []
    for turn in range(1, 91):
        if turn % 10 == 1:
            world.create(f"zone-{turn}.example.")
            if turn > 30:
                world.delete(f"zone-{turn - 30}.example.")
        else:
            world.change(f"zone-{turn - (turn - 1) % 10}.example.", f"host-{turn % 4}", f"192.0.2.{turn}")
        assert edge.pull()
        if turn % 30 == 0:
            edge.sync.sweep()
            seen.append((len(edge.state.digests()), len(list(Path("/proc/self/fd").iterdir()))))
            assert edge.readable()
    blobs, files = zip(*seen, strict=True)
    assert max(blobs) < 100, "three zones at any time, though 90 versions were published"
    assert len(set(files)) == 1, "open files"
    assert len(edge.serials()) == 3
