# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon's settings, made from the edge's configuration file, and which service addresses a prefix has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.exception
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from arca_dns.edge_config import EdgeConfig, RecordCheck
from arca_dns.errors import ArcaError, ConfigError, Place
from arca_dns.zone import names

from .bird import Prefix
from .daemon import Pace
from .decision import Thresholds
from .latency import LatencyLimit
from .probe import Address, Plan, Record, Target
from .stance import Softness


@dataclass(frozen=True, slots=True)
class Settings:
    """All that :mod:`.cli` needs to put a daemon together."""

    plans: tuple[Plan, ...]
    thresholds: Thresholds
    softness: Softness
    pace: Pace
    bird_socket: str
    bird_state_directory: Path
    served_file: Path
    state_file: Path
    drains_file: Path
    drained_file: Path
    leases_file: Path
    withdraw_on_stop: bool

    @classmethod
    def of(cls, config: EdgeConfig) -> Settings:
        """Read them from *config*. Raises :class:`ConfigError`."""
        health = config.health
        return cls(
            plans=_plans(config),
            thresholds=Thresholds(
                failure=health.failure_threshold,
                recovery=health.recovery_threshold,
                hold_down=health.hold_down,
                hold_down_max=health.hold_down_max,
                flap_window=health.flap_window,
                flap_limit=health.flap_limit,
            ),
            softness=Softness(
                degrade=health.degrade_threshold,
                recovery=health.recovery_threshold,
                dwell=health.hold_down,
                drain_wait=health.drain_wait,
            ),
            pace=Pace(health.check_interval, min(health.fast_interval, health.check_interval)),
            bird_socket=config.bird.socket_path,
            bird_state_directory=Path(config.bird.state_directory),
            served_file=Path(config.agent.state_directory) / "served.json",
            state_file=Path(health.state_file),
            drains_file=Path(health.state_directory) / "drains.json",
            drained_file=Path(health.state_directory) / "drained.json",
            leases_file=Path(health.state_file).with_name("leases.json"),
            withdraw_on_stop=health.on_stop == "withdraw",
        )


def _plans(config: EdgeConfig) -> tuple[Plan, ...]:
    """A plan for each service; without any, all prefixes are of one. Raises :class:`ConfigError`."""
    health, bird = config.health, config.bird
    every = services(bird.anycast_prefixes, bird.service_addresses)
    common = Plan(
        services=every,
        nsd_server=_target("health.nsd_server", health.nsd_server),
        unbound_server=_target("health.unbound_server", health.unbound_server),
        zones=_zones("health.zones", health.zones),
        timeout=health.timeout,
        latency=LatencyLimit(health.latency_limit, health.latency_percentile, health.latency_window),
        signature_minimum=health.signature_minimum,
        records=_records("health.records", health.records),
        command=health.command,
        command_timeout=health.command_timeout,
        unbound_required=health.unbound_required,
        unbound_validated=health.unbound_validated,
    )
    if not health.services:
        return (common,)
    plans, left, problems = [], dict(every), []
    for index, service in enumerate(health.services):
        at = f"health.services[{index}]"
        mine: dict[Prefix, tuple[Address, ...]] = {}
        for number, text in enumerate(service.prefixes):
            prefix = next((one for one in left if str(one) == text), None)
            if prefix is None:
                place = "is no prefix in bird.anycast_prefixes, or another service has it"
                problems.append(Place(place, pointer=f"{at}.prefixes[{number}]"))
            else:
                mine[prefix] = left.pop(prefix)
        plans.append(
            replace(
                common,
                services=mine,
                zones=_zones(f"{at}.zones", service.zones) or common.zones,
                records=_records(f"{at}.records", service.records) or common.records,
                command=service.command or common.command,
                name=service.name,
            )
        )
    problems += [Place(f"no service has {prefix}", pointer="health.services") for prefix in left]
    if problems:
        raise ConfigError("the services cannot be used", problems)
    return tuple(plans)


def _zones(pointer: str, texts: Iterable[str]) -> tuple[str, ...]:
    found = []
    for index, text in enumerate(texts):
        try:
            found.append(names.to_text(names.from_text(text)))
        except ArcaError as error:
            raise ConfigError("a zone is none", [Place(error.message, pointer=f"{pointer}[{index}]")]) from None
    return tuple(found)


def _records(pointer: str, records: Iterable[RecordCheck]) -> tuple[Record, ...]:
    found = []
    for index, one in enumerate(records):
        try:
            rdtype = dns.rdatatype.from_text(one.type)
            if one.value:
                dns.rdata.from_text(dns.rdataclass.IN, rdtype, one.value)
            found.append(Record(names.to_text(names.from_text(one.name)), rdtype, one.value))
        except (ArcaError, dns.exception.DNSException) as error:
            place = Place(str(error) or f"{one.type} is no record type", pointer=f"{pointer}[{index}]")
            raise ConfigError("a record to check is none", [place]) from None
    return tuple(found)


def services(prefixes: Iterable[str], addresses: Iterable[str]) -> dict[Prefix, tuple[Address, ...]]:
    """The service addresses inside each prefix; a host prefix (/32, /128) is its own. Raises :class:`ConfigError`."""
    found: dict[Prefix, tuple[Address, ...]] = {}
    problems = []
    known = []
    for index, text in enumerate(addresses):
        try:
            known.append(ip_address(text))
        except ValueError as error:
            problems.append(Place(str(error), pointer=f"bird.service_addresses[{index}]"))
    for index, text in enumerate(prefixes):
        pointer = f"bird.anycast_prefixes[{index}]"
        try:
            prefix = ip_network(text)
        except ValueError as error:
            problems.append(Place(str(error), pointer=pointer))
            continue
        inside = tuple(address for address in known if address in prefix)
        if not inside and prefix.num_addresses == 1:
            inside = (prefix.network_address,)
        if not inside:
            problems.append(
                Place(f"no service address lies in {prefix}: name one in bird.service_addresses", pointer=pointer)
            )
        found[prefix] = inside
    if not found and not problems:
        problems.append(Place("names no prefix, so there is nothing to announce", pointer="bird.anycast_prefixes"))
    if problems:
        raise ConfigError("the anycast prefixes cannot be used", problems)
    return found


def _target(pointer: str, text: str) -> Target | None:
    """``address`` or ``address:port`` (``[address]:port`` for IPv6); empty is none."""
    if not text:
        return None
    host, port = text, "53"
    if text.startswith("["):
        host, _bracket, rest = text[1:].partition("]")
        port = rest.removeprefix(":") or "53"
    elif text.count(":") == 1:
        host, _colon, port = text.partition(":")
    try:
        number = int(port)
        if not 0 < number < 65536:
            raise ValueError(f"{port} is no port")
        return Target(ip_address(host), number, local=False)
    except ValueError as error:
        raise ConfigError("a server's address cannot be read", [Place(str(error), pointer=pointer)]) from None
