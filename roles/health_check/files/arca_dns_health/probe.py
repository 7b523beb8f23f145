# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One round of checks: asks this host's own servers over UDP and TCP and judges each answer.

Every query to a service address is also sent *from* that address: if the host does not
hold it, the query fails instead of being answered by another site of the same anycast.
What a round means for a prefix is decided in :mod:`.decision`.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Literal, TypeAlias

import dns.asyncbackend
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from arca_dns.dnssec.verifier import verify_rrset
from arca_dns.errors import ArcaError
from arca_dns.zone.rr import RRset, serial_newer

from . import command
from .bird import Prefix
from .decision import Round
from .latency import Latencies, LatencyLimit
from .served import Served, ServedZone

Address: TypeAlias = IPv4Address | IPv6Address
Transport: TypeAlias = Literal["udp", "tcp"]

#: What fits every path unfragmented (DNS flag day 2020); the edges' servers are configured alike.
_PAYLOAD = 1232
# Before a prefix returns, so many zones are compared with their last serials, so many at a time.
_OUTDATED_ZONES = 1000
_OUTDATED_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Target:
    """A server's address; *local* when the query must come from that very address."""

    address: Address
    port: int
    local: bool

    def __str__(self) -> str:
        return f"{self.address}" if self.port == 53 else f"{self.address}#{self.port}"


@dataclass(frozen=True, slots=True)
class Check:
    """One question and what came of it; *reason* is ``None`` for a right answer, *soft* what soon is wrong with it.

    *content*: the reason is what was published, and not the server, which serves it as it should. *refused*: a resolver
    answered, but not with what was asked for.
    """

    server: Literal["nsd", "unbound"]
    target: Target
    transport: Transport
    zone: str
    reason: str | None
    latency: float
    soft: str | None = None
    rdtype: str = "SOA"
    content: bool = False
    refused: bool = False

    @property
    def name(self) -> str:
        """What was asked, in a few words."""
        return f"{self.server} {self.transport} {self.target} {self.zone} {self.rdtype}"


@dataclass(frozen=True, slots=True)
class Record:
    """A record that must be answered; with *value* (in zone-file form) that very one."""

    name: str
    rdtype: dns.rdatatype.RdataType
    value: str = ""


Exchange: TypeAlias = Callable[[dns.message.Message, Target, Transport, float], Awaitable[dns.message.Message]]


async def exchange(
    query: dns.message.Message, target: Target, transport: Transport, timeout: float
) -> dns.message.Message:
    """Ask over the network. Raises :class:`OSError` or :class:`dns.exception.DNSException`."""
    where, source = str(target.address), str(target.address) if target.local else None
    if transport == "tcp":
        return await dns.asyncquery.tcp(query, where, timeout, target.port, source=source)
    family = socket.AF_INET if target.address.version == 4 else socket.AF_INET6
    # A connected socket hears at once that nobody listens, and takes no answer from elsewhere.
    connected = await dns.asyncbackend.get_default_backend().make_socket(  # type: ignore[no-untyped-call]
        family, socket.SOCK_DGRAM, 0, None if source is None else (source, 0), (where, target.port)
    )
    async with connected as made:
        return await dns.asyncquery.udp(query, where, timeout, target.port, source=source, sock=made)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a round asks: service addresses per prefix, further servers, zones, records, a command, and the limits.

    *signature_minimum* is how many seconds the SOA's signature should be valid for yet, *name* that of the service.
    """

    services: Mapping[Prefix, tuple[Address, ...]]
    nsd_server: Target | None = None
    unbound_server: Target | None = None
    zones: tuple[str, ...] = ()
    timeout: float = 1.0
    latency: LatencyLimit = field(default_factory=LatencyLimit)
    signature_minimum: float = 0.0
    records: tuple[Record, ...] = ()
    command: tuple[str, ...] = ()
    command_timeout: float = 5.0
    unbound_required: bool = False
    unbound_validated: bool = False
    name: str = ""


class Prober:
    """Runs rounds; keeps a zone's DNSKEY RRset as long as its serial stays."""

    def __init__(
        self,
        plan: Plan,
        read_served: Callable[[], tuple[Served, str | None]],
        monotonic: Callable[[], float],
        wall_clock: Callable[[], float],
        exchange: Exchange = exchange,
        runner: command.Runner = command.run,
    ) -> None:
        self._plan = plan
        self._read_served = read_served
        self._monotonic = monotonic
        self._wall_clock = wall_clock
        self._exchange = exchange
        self._runner = runner
        self._latencies = {prefix: Latencies(plan.latency) for prefix in plan.services}
        self._keys: dict[tuple[Target, str], tuple[int, tuple[bytes, ...]]] = {}

    async def round(self, withdrawn: frozenset[Prefix]) -> tuple[Mapping[Prefix, Round], tuple[Check, ...]]:
        """Ask everything once, all at the same time.

        The way back is closed to prefixes *withdrawn* while any zone is older than it has been: a server that was
        restarted begins with what it had on disk.
        """
        served, problem = self._read_served()
        zones = served.to_probe(self._plan.zones)
        said, checks = await asyncio.gather(self._command(), asyncio.gather(*self._checks(zones)))
        if any(check.reason for check in checks):
            # A zone that the agent has taken out of service meanwhile is rightly refused.
            gone = served.zones.keys() - self._read_served()[0].zones.keys()
            checks = [check for check in checks if check.reason is None or not _is_of(check.zone, gone)]
        soft = [*served.problems, *([problem] if problem else ()), *([said.soft] if said.soft else ())]
        if not zones:
            nothing = (problem or "no zone has been proved to be served yet: nothing to announce",)
            return {prefix: Round(hard=nothing) for prefix in self._plan.services}, ()
        rounds = {prefix: self._judge(prefix, checks, soft, served.notes) for prefix in self._plan.services}
        if said.hard:
            rounds = {prefix: replace(found, hard=(*found.hard, said.hard)) for prefix, found in rounds.items()}
        back = [prefix for prefix in withdrawn if prefix in rounds and not rounds[prefix].hard]
        if back:
            old = await self._outdated(served, self._plan.services[back[0]][0])
            rounds.update((prefix, replace(rounds[prefix], hard=old)) for prefix in back if old)
        return rounds, tuple(checks)

    async def _outdated(self, served: Served, address: Address) -> tuple[str, ...]:
        """Why the server must not be announced yet: zones with an older serial than they were proved to have had."""
        target = Target(address, 53, True)
        turns = asyncio.Semaphore(_OUTDATED_AT_ONCE)

        async def look(zone: ServedZone) -> Check:
            async def ask() -> str | None:
                return judge_soa(await self._ask(zone.name, dns.rdatatype.SOA, target, "udp"), zone)[0]

            async with turns:
                return await self._timed("nsd", zone.name, target, "udp", ask)

        zones = [served.zones[name] for name in sorted(served.zones)[:_OUTDATED_ZONES]]
        checks = await asyncio.gather(*map(look, zones))
        now_served = self._read_served()[0].zones
        return tuple(f"{check.name}: {check.reason}" for check in checks if check.reason and check.zone in now_served)

    def _checks(self, zones: Iterable[ServedZone]) -> Iterable[Awaitable[Check]]:
        targets = {
            Target(address, 53, True): None for addresses in self._plan.services.values() for address in addresses
        }
        if self._plan.nsd_server:
            targets[self._plan.nsd_server] = None
        transports: tuple[Transport, ...] = ("udp", "tcp")
        for zone in zones:
            for transport in transports:
                for target in targets:
                    yield self._authoritative(zone, target, transport)
                if self._plan.unbound_server:
                    yield self._resolver(zone, self._plan.unbound_server, transport)
        for record in self._plan.records:
            for target in targets:
                yield self._record(record, target)

    def _judge(self, prefix: Prefix, checks: Iterable[Check], soft: Iterable[str], notes: tuple[str, ...]) -> Round:
        addresses = self._plan.services[prefix]
        hard: list[str] = []
        content: list[str] = []
        light = list(soft)
        wrong = {check.zone for check in checks if check.content}
        for check in checks:
            here = check.target.address in addresses or check.target == self._plan.nsd_server
            if check.reason is not None:
                if here or (check.server == "unbound" and self._plan.unbound_required):
                    # A resolver that answers that content is wrong is right.
                    shared = check.content or (check.refused and check.zone in wrong)
                    (content if shared else hard).append(f"{check.name}: {check.reason}")
                elif check.server == "unbound":
                    light.append(f"{check.name}: {check.reason}")
            elif here and check.soft is not None:
                light.append(f"{check.name}: {check.soft}")
        slow = self._latencies[prefix].observe(
            check.latency for check in checks if check.reason is None and check.target.address in addresses
        )
        if slow is not None:
            light.append(slow)
        return Round(tuple(hard), tuple(light), notes, tuple(content))

    async def _authoritative(self, zone: ServedZone, target: Target, transport: Transport) -> Check:
        soft: list[str] = []
        untimely = False

        async def ask() -> str | None:
            nonlocal untimely
            answer = await self._ask(zone.name, dns.rdatatype.SOA, target, transport)
            reason, serial = judge_soa(answer, zone)
            if reason is not None or not zone.signed:
                return reason
            now = self._wall_clock()
            keys = await self._dnskeys(zone, serial, target)
            reason = judge_signature(answer, zone.name, keys, now)
            # Genuine and current, but not valid by this host's clock: so it is wherever it is served.
            untimely = reason is not None and judge_signature(answer, zone.name, keys, None) is None
            left = signature_left(answer, zone.name, now)
            if reason is None and left < self._plan.signature_minimum:
                soft.append(f"the signature expires in {left:.0f} s")
            return reason

        check = await self._timed("nsd", zone.name, target, transport, ask)
        return replace(check, soft=soft[0] if soft else None, content=untimely and check.reason is not None)

    async def _record(self, record: Record, target: Target) -> Check:
        answered = False

        async def ask() -> str | None:
            nonlocal answered
            answer = await self._ask(record.name, record.rdtype, target, "udp")
            answered = answer.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)
            return judge_record(answer, record)

        check = await self._timed("nsd", record.name, target, "udp", ask)
        rdtype = dns.rdatatype.to_text(record.rdtype)
        return replace(check, rdtype=rdtype, content=answered and check.reason is not None)

    async def _command(self) -> command.Verdict:
        if not self._plan.command:
            return command.Verdict()
        return await command.verdict(self._plan.command, self._plan.command_timeout, self._runner)

    async def _resolver(self, zone: ServedZone, target: Target, transport: Transport) -> Check:
        answered = False

        async def ask() -> str | None:
            nonlocal answered
            answer = await self._ask(zone.name, dns.rdatatype.SOA, target, transport, recursive=True)
            answered = True
            if answer.rcode() != dns.rcode.NOERROR:
                return f"answered {dns.rcode.to_text(answer.rcode())}"
            if not _find(answer, zone.name, dns.rdatatype.SOA):
                return "no SOA in the answer"
            if self._plan.unbound_validated and zone.signed and not answer.flags & dns.flags.AD:
                return "the answer is not validated: Unbound has no trust anchor for it"
            return None

        check = await self._timed("unbound", zone.name, target, transport, ask)
        return replace(check, refused=answered and check.reason is not None)

    async def _timed(
        self,
        server: Literal["nsd", "unbound"],
        name: str,
        target: Target,
        transport: Transport,
        ask: Callable[[], Awaitable[str | None]],
    ) -> Check:
        began = self._monotonic()
        try:
            async with asyncio.timeout(self._plan.timeout):
                reason = await ask()
        except (TimeoutError, dns.exception.Timeout):
            reason = f"no answer within {self._plan.timeout:g} s"
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                reason = f"{target.address} is no address of this host: is arca-dns-anycast.service running?"
            else:
                reason = f"no answer: {error.strerror or error}"
        except dns.exception.DNSException as error:
            reason = f"an answer that is none: {error}"
        except EOFError:
            reason = "the connection was closed without an answer"
        return Check(server, target, transport, name, reason, self._monotonic() - began)

    async def _dnskeys(self, zone: ServedZone, serial: int, target: Target) -> tuple[bytes, ...]:
        known = self._keys.get((target, zone.name))
        if known is not None and known[0] == serial:
            return known[1]
        answer = await self._ask(zone.name, dns.rdatatype.DNSKEY, target, "tcp")
        found = _find(answer, zone.name, dns.rdatatype.DNSKEY)
        keys = tuple(rdata.to_digestable() for rdata in found) if found else ()
        self._keys[target, zone.name] = (serial, keys)
        return keys

    async def _ask(
        self, zone: str, rdtype: dns.rdatatype.RdataType, target: Target, transport: Transport, recursive: bool = False
    ) -> dns.message.Message:
        query = dns.message.make_query(zone, rdtype, want_dnssec=True, payload=_PAYLOAD)
        if not recursive:
            query.flags &= ~dns.flags.RD
        return await self._exchange(query, target, transport, self._plan.timeout)


def _is_of(name: str, zones: Collection[str]) -> bool:
    """Whether *name* is at or below one of *zones*."""
    return any(name == zone or name.endswith(f".{zone}") for zone in zones)


def judge_soa(answer: dns.message.Message, zone: ServedZone) -> tuple[str | None, int]:
    """What is wrong with an authoritative answer to ``zone SOA`` (``None``: nothing), and its serial."""
    if answer.rcode() != dns.rcode.NOERROR:
        return f"answered {dns.rcode.to_text(answer.rcode())}", 0
    if not answer.flags & dns.flags.AA:
        return "the answer is not authoritative", 0
    found = _find(answer, zone.name, dns.rdatatype.SOA)
    if not found:
        return "no SOA in the answer", 0
    serial = int(found[0].serial)
    if serial_newer(zone.serial, serial):
        return f"serial {serial} is older than {zone.serial}, which has been served before", serial
    return None, serial


def judge_signature(
    answer: dns.message.Message, zone: str, dnskeys: tuple[bytes, ...], now: float | None
) -> str | None:
    """Why no RRSIG of the SOA in *answer* validates with *dnskeys*; ``None`` if one does.

    At *now* (unix seconds; ``None`` leaves times alone) it must be valid.
    """
    if not dnskeys:
        return "the zone should be signed, but has no DNSKEY"
    soa = _find(answer, zone, dns.rdatatype.SOA)
    signatures = _find(answer, zone, dns.rdatatype.RRSIG, dns.rdatatype.SOA)
    if not soa or not signatures:
        return "the SOA has no RRSIG"
    owner = soa.name.to_digestable()
    rrset = RRset.of(owner, int(soa.rdtype), soa.ttl, [rdata.to_digestable() for rdata in soa])
    reason = None
    for signature in signatures:
        try:
            verify_rrset(rrset, signature.to_digestable(), dnskeys, None if now is None else int(now))
        except ArcaError as error:
            reason = str(error)
        else:
            return None
    return f"bogus: {reason}"


def signature_left(answer: dns.message.Message, zone: str, now: float) -> float:
    """For how many seconds the longest signature of the SOA in *answer* is valid yet."""
    signatures = _find(answer, zone, dns.rdatatype.RRSIG, dns.rdatatype.SOA)
    return max((float(one.expiration) - now for one in signatures or ()), default=0.0)


def judge_record(answer: dns.message.Message, record: Record) -> str | None:
    """What is wrong with the answer to the question for *record*; ``None``: nothing."""
    if answer.rcode() != dns.rcode.NOERROR:
        return f"answered {dns.rcode.to_text(answer.rcode())}"
    found = _find(answer, record.name, record.rdtype)
    if not found:
        return "no such record in the answer"
    if not record.value:
        return None
    wanted = dns.rdata.from_text(dns.rdataclass.IN, record.rdtype, record.value)
    return None if wanted in found else f"the answer does not have {record.value}"


def _find(
    answer: dns.message.Message,
    zone: str,
    rdtype: dns.rdatatype.RdataType,
    covers: dns.rdatatype.RdataType = dns.rdatatype.NONE,
) -> dns.rrset.RRset | None:
    return answer.get_rrset(answer.answer, dns.name.from_text(zone), dns.rdataclass.IN, rdtype, covers)
