# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A controller in memory behind the agent's HTTP client, which can lie and fail, and settings for an agent."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2

from arca_dns.config import Secret
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings, head_key
from arca_dns.publish.catalog import Catalog
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from arca_dns_agent.daemon import Daemon
from arca_dns_agent.settings import Settings
from transfers import KEY

ZONE = """\
$TTL 300
@ SOA ns1 hostmaster 1 7200 3600 1209600 300
@ NS ns1
ns1 A 192.0.2.1
www A 192.0.2.80
*.wild TXT "any"
"""


class World:
    """A controller that publishes, and the way to it: `tamper` changes answers, `cut` lets nothing through."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self.head_key = HeadKey.generate()
        self.service = Service(MemoryStore(), MemoryKeyStore(), self.head_key, clock=clock)
        self.cut = False
        self.tamper: Callable[[str, bytes], bytes] = lambda _path, body: body
        self.requests: list[str] = []
        self.fetched: list[str] = []
        self.attested: list[dict] = []  # type: ignore[type-arg]
        self.wished: list[list[dict]] = []  # type: ignore[type-arg]
        self.spare = True
        self.pending = False

    def create(self, *zones: str, text: str = ZONE, signed: bool = True) -> None:
        for zone in zones:
            origin = names.from_text(zone)
            settings = ZoneSettings(dnssec=signed)
            self.service.create_zone(origin, parse(text, origin).rrsets, actor="test", settings=settings)

    def replace(self, zone: str, text: str) -> None:
        """Give *zone* other content."""
        origin = names.from_text(zone)
        self.service.replace_zone(origin, parse(text, origin).rrsets, if_version=None, actor="test", force=True)

    def change(self, zone: str, owner: str, address: str) -> int:
        """Set an A record; returns the published serial."""
        origin = names.from_text(zone)
        name = names.from_text(owner, origin)
        octets = bytes(map(int, address.split(".")))
        change = Change(name, rr.A, rr.RRset.of(name, rr.A, 300, (octets,)))
        self.service.change_zone(origin, [change], if_version=None, actor="test")
        return self.serial(zone)

    def delete(self, zone: str) -> None:
        self.service.delete_zone(names.from_text(zone), if_version=None, actor="test", force=True)

    def falsify(self, zone: str) -> int:
        """Publish *zone* with the next serial and the signatures it had, under a good head; returns that serial."""
        origin = names.from_text(zone)
        apex = self.content(zone).apex.get(origin) or b""
        right = rr.node_of(apex)[rr.SOA].rdatas[0]
        serial = rr.soa_serial(right) + 1
        self.publish(zone, {origin: apex.replace(right, right[:-20] + serial.to_bytes(4, "big") + right[-16:])}, serial)
        return serial

    def content(self, zone: str) -> ZoneRoot:
        """What the head says of *zone*."""
        blobs = Blobs(self.service._store.read_blobs)
        entry = Catalog(blobs, self.service.head().head().catalog).get(names.from_text(zone))
        assert entry is not None
        return ZoneRoot.load(blobs, entry.root)

    def publish(self, zone: str, nodes: dict[bytes, bytes | None], serial: int) -> None:
        """Publish *zone* with *nodes* in the place of those it has, as version *serial*, as no controller would."""
        origin, store = names.from_text(zone), self.service._store
        head, blobs = self.service.head().head(), Blobs(store.read_blobs)
        catalog = Catalog(blobs, head.catalog)
        entry = catalog.get(origin)
        assert entry is not None
        wrong = replace(entry, serial=serial, root=ZoneRoot.load(blobs, entry.root).update(nodes).store(blobs))
        revision = head.revision + 1
        head = replace(head, revision=revision, catalog=catalog.update({origin: wrong}).root)
        store.write_blobs(blobs.pending)
        document: JsonObject = {"signed": dict(self.head_key.sign(head).to_json()), "revision": revision}
        store.commit(Transaction(writes={head_key(head.ring): document}))

    def serial(self, zone: str) -> int:
        return self.service.signed_zone(names.from_text(zone))[0].serial

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self._answer)

    async def _answer(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/api/v1")
        self.requests.append(f"{request.method} {path}")
        if self.cut:
            raise httpx2.ConnectError("connection refused")
        if request.headers.get("authorization") != "Bearer key":
            return httpx2.Response(401)
        if path.startswith("/heads/"):
            after = request.url.params.get("after")
            wait = float(request.url.params.get("timeout", "0"))
            head = (
                await asyncio.to_thread(self.service.head)
                if after is None
                else (await asyncio.to_thread(self.service.wait_heads, {"stable": int(after)}, wait)).get("stable")
            )
            if head is None:
                return httpx2.Response(304)
            return httpx2.Response(200, content=self.tamper(path, json.dumps(head.to_json()).encode()))
        if path == "/blobs/fetch":
            digests = json.loads(request.content)["digests"]
            self.fetched += digests
            found = self.service.blobs(digests)
            body = b"".join(
                bytes.fromhex(d) + len(found[d]).to_bytes(4, "big") + found[d] for d in digests if d in found
            )
            return httpx2.Response(200, content=self.tamper(path, body))
        if path.endswith("/attestation"):
            self.attested.append(json.loads(request.content))
            return httpx2.Response(204)
        if path.endswith("/leases"):
            self.wished.append(json.loads(request.content)["wishes"])
            granted = self.spare and not self.pending
            answer = {"granted": granted, "reason": "" if granted else "no spare site", "pending": self.pending}
            body = json.dumps({"leases": [wish | answer for wish in self.wished[-1]]}).encode()
            return httpx2.Response(200, content=self.tamper(path, body))
        return httpx2.Response(404)

    def settings(self, directory: Path) -> Settings:
        """An agent's settings with everything in *directory*."""
        return Settings(
            edge="edge1",
            urls=("http://controller.test:8053",),
            api_key=Secret("key"),
            tls=ssl.create_default_context(),
            head_keys=[self.head_key.public],
            ring="stable",
            sync_interval=0.3,
            state_directory=directory / "state",
            blob_limit=1 << 20,
            zone_limit=1000,
            parallel_fetches=4,
            tsig=KEY,
            driver="nsd",
            control_socket=directory / "nsd.ctl",
            pattern="arca",
            knotc="/usr/sbin/knotc",
            server=("127.0.0.1", 9),
            listen=("127.0.0.1", 9),
            server_timeout=5.0,
            resolver_socket=None,
            resolver_file=None,
            health_file=directory / "health.json",
        )


def second_url(settings: Settings) -> Settings:
    """The same with another controller behind the first."""
    return replace(settings, urls=(*settings.urls, "http://second.test:8053"))


@asynccontextmanager
async def agent(world: World, settings: Settings) -> AsyncIterator[Daemon]:
    """An agent that runs, with *world* as its controller."""
    daemon = Daemon(settings, world.transport())
    stop = asyncio.Event()
    running = asyncio.create_task(daemon.run(stop))
    try:
        yield daemon
    finally:
        stop.set()
        await running


async def until(what: str, probe: Callable[[], object], seconds: float = 15) -> None:
    """Wait until *probe* is true, in a thread of its own."""
    deadline = time.monotonic() + seconds
    while not await asyncio.to_thread(probe):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)
