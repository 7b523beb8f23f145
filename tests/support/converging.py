# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A converger with a fake name server, which can be slow, stubborn, down, or gone back, and a clock of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from arca_dns.publish.catalog import Entry
from arca_dns.publish.head import Head
from arca_dns.zone import names, rr
from arca_dns.zone.rr import RRset, soa_serial
from arca_dns.zone.tree import Blobs, ZoneRoot
from arca_dns_agent.converge import Converger
from arca_dns_agent.primary import Transfer
from arca_dns_agent.prove import Proof
from arca_dns_agent.server import ServerUnavailable, ZoneStatus
from arca_dns_agent.sync import Held
from arca_dns_agent.vetting import Vetting
from dnssec_zones import APEX, a
from transfers import version

ZONE = names.from_text("example.")
OTHER = names.from_text("other.example.")


class FakeServer:
    """A name server that takes a notified version after *delay* proofs."""

    def __init__(self) -> None:
        self.serials: dict[bytes, int | None] = {}
        self.calls: list[str] = []
        self.refused: dict[bytes, str] = {}
        self.ignores_notify = False
        self.up = True
        self.started = 1
        self.wanted: dict[bytes, int] = {}
        self.delay = 2
        self._left: dict[bytes, int] = {}
        self.bogus: set[bytes] = set()
        self.in_flight: dict[bytes, int] = {}
        self.overlaps = 0
        self.transfers: dict[bytes, Transfer] = {}

    def _check(self) -> None:
        if not self.up:
            raise ServerUnavailable("the control socket is gone")

    async def version(self) -> str:
        return "Fake 1"

    def generation(self) -> object:
        return self.started if self.up else None

    async def zones(self) -> dict[bytes, ZoneStatus]:
        self._check()
        return {zone: ZoneStatus(zone, serial) for zone, serial in self.serials.items()}

    async def add(self, zones: Iterable[bytes]) -> dict[bytes, str]:
        self._check()
        zones = list(zones)
        self.calls.append(f"add {len(zones)}")
        for zone in zones:
            if zone not in self.refused:
                self.serials.setdefault(zone, None)
                self.in_flight[zone] = self.delay  # it asks for the new zone by itself
        return {zone: self.refused[zone] for zone in zones if zone in self.refused}

    async def remove(self, zones: Iterable[bytes]) -> None:
        self._check()
        for zone in zones:
            self.calls.append(f"remove {names.to_text(zone)}")
            self.serials.pop(zone, None)

    async def notify(self, zone: bytes, soa: RRset) -> str | None:
        self.calls.append(f"notify {soa_serial(soa.rdatas[0])}")
        self.overlaps += zone in self.in_flight
        if not self.ignores_notify:
            self.in_flight[zone] = self.delay
        return None

    async def reload(self, zone: bytes) -> None:
        self.calls.append("reload")
        self.serials[zone] = self.wanted[zone]

    async def prove(self, zone: bytes, keys: tuple[bytes, ...]) -> Proof:
        if not self.up:
            return Proof(None, "the server does not answer")
        if zone not in self.serials:
            return Proof(None, "the server answers REFUSED", unknown=True)
        left = self.in_flight.get(zone)
        if left is not None:
            if left <= 0:
                self.serials[zone] = self.wanted[zone]
                del self.in_flight[zone]
            else:
                self.in_flight[zone] = left - 1
        serial = self.serials[zone]
        if zone in self.bogus and serial is not None:
            return Proof(serial, "the SOA's signature expired")
        return Proof(serial, None if serial is not None else "the server answers SERVFAIL")


class FakeVetting(Vetting):
    """Refuses the *serials* that it is told to."""

    def __init__(self) -> None:
        super().__init__(Blobs.memory)
        self.serials: set[int] = set()

    def problem(self, entry: Entry) -> str | None:
        return "what was published does not validate" if entry.serial in self.serials else None


class World:
    """A converger with time of its own: a pause moves the clock."""

    def __init__(self) -> None:
        self.blobs = Blobs.memory()
        self.server = FakeServer()
        self.held: Held | None = None
        self.now = 0.0
        self.revision = 0
        self.flushed: list[tuple[str, ...]] = []
        self.damage = 0
        self.served: list[bytes] = []
        self.runner = asyncio.Runner()
        self.vetting = FakeVetting()
        self.converger = Converger(
            self.server,
            self.server,  # type: ignore[arg-type]
            lambda: self.held,
            lambda: self.blobs,
            {},
            self.vetting,
            flush=self._flush,
            changed=lambda: None,
            damaged=self._damaged,
            timeout=5.0,
            audit_interval=30.0,
            transfer=self.server.transfers.get,
            served=self.served.append,
            monotonic=lambda: self.now,
            sleep=self._sleep,
        )

    def _damaged(self) -> None:
        self.damage += 1

    async def _flush(self) -> None:
        self.flushed.append((*sorted(names.to_text(zone) for zone in self.converger.proved), *self.server.calls[-1:]))

    async def _sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)

    def hold(
        self, serials: dict[bytes, int], *, ring: str = "stable", revision: int | None = None, www: int = 0
    ) -> None:
        """Hold the next head, or that of *revision*. With another *www* the same serial has other content."""
        self.revision = self.revision + 1 if revision is None else revision
        zones = {}
        for zone, serial in serials.items():
            made = version([*APEX, a("www", (serial + www) % 200)], serial, self.blobs)
            root = made.root
            if zone != root.origin:  # of a zone's content only the SOA is read here
                root = ZoneRoot.build(self.blobs, zone, [(zone, soa_of(zone, serial))])
            zones[zone] = Entry(zone, serial, root.store(self.blobs), "v")
        self.held = Held(Head(ring, self.revision, None, 0, 2**40), zones)
        self.server.wanted = dict(serials)

    def settle(self, rounds: int = 400) -> None:
        """Let it work until everything is proved or failed."""

        async def run() -> None:
            work = [asyncio.create_task(self.converger._worker()) for _worker in range(4)]
            await self.converger.step()
            for _round in range(rounds):
                await asyncio.sleep(0.0005 if self.converger.waiting() else 0)
                if not self.converger.waiting():
                    break
            self.converger._settle()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)

        self.runner.run(run())

    def proved(self) -> dict[bytes, int]:
        return {zone: one.serial for zone, one in self.converger.proved.items()}


def soa_of(zone: bytes, serial: int) -> bytes:
    return RRset(zone, rr.SOA, 60, (b"\0\0" + serial.to_bytes(4, "big") + bytes(16),)).wire()
