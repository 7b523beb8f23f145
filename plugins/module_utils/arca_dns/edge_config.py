# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The edge's configuration file, ``/etc/arca-dns/agent.yaml``: one schema for the agent and the health check.

How YAML becomes dataclasses, durations and error places included, is in :mod:`.config`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from . import config
from .config import Pattern, Range, Seconds, Secret, Size
from .errors import ConfigError, Place

__all__ = ["Agent", "Bird", "Controller", "EdgeConfig", "Health", "Knot", "Nsd", "Unbound", "load"]

Interval = Annotated[Seconds, Range(least=0.05, most=3600)]
Rounds = Annotated[int, Range(least=1, most=1000)]
HeadKey = Annotated[str, Pattern(r"[A-Za-z0-9+/]{43}=", "a public head key: 32 octets in base64")]
HostPort = Annotated[str, Pattern(r"([0-9.]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}", "ADDRESS:PORT, IPv6 as [ADDRESS]:PORT")]


@dataclass(frozen=True)
class Controller:
    """Where heads and blobs come from: *url*, or *urls* of several controllers, tried in turn.

    *head_keys* are the public keys (base64) that may sign heads. The API key stands here or in a file of its own.
    """

    url: str = ""
    urls: tuple[str, ...] = ()
    api_key: Secret | None = None
    api_key_file: str = ""
    head_keys: tuple[HeadKey, ...] = ()
    ring: str = "stable"
    sync_interval: Interval = 30.0
    ca_file: str = ""

    def __post_init__(self) -> None:
        """Judge what depends on each other. Raises :class:`ConfigError`."""
        places = []
        if bool(self.url) == bool(self.urls):
            places.append(Place("is required; with several controllers write urls instead", pointer="url"))
        for pointer, url in (("url", self.url), *((f"urls[{i}]", url) for i, url in enumerate(self.urls))):
            parts = urlsplit(url)
            if url and (parts.scheme not in ("http", "https") or not parts.hostname):
                places.append(Place(f"must be http://HOST:PORT or https://HOST:PORT, not {url!r}", pointer=pointer))
            elif parts.username or parts.password:
                places.append(Place("must not hold a password: the key goes in api_key", pointer=pointer))
        if bool(self.api_key) == bool(self.api_key_file):
            places.append(Place("is required, or api_key_file", pointer="api_key"))
        if places:
            raise ConfigError("controller is wrong", places)

    def all_urls(self) -> tuple[str, ...]:
        """The controllers in the order in which they are tried."""
        return (self.url,) if self.url else self.urls


@dataclass(frozen=True)
class Agent:
    """The agent itself: its name in attestations (empty: the host's), and where it keeps the last good state.

    *blob_limit* and *zone_limit* are what it takes from a controller: octets in a piece of content, zones in a head.
    """

    name: Annotated[str, Pattern(r"|[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "letters, digits, dots and hyphens")] = ""
    state_directory: str = "/var/lib/arca-dns/agent"
    blob_limit: Annotated[Size, Range(least=1 << 16, most=1 << 30)] = 64 << 20
    zone_limit: Annotated[int, Range(least=1, most=10_000_000)] = 200_000
    parallel_fetches: Annotated[int, Range(least=1, most=32)] = 4


@dataclass(frozen=True)
class Nsd:
    """The authoritative server, as role nsd sets it up.

    *notify_address* is where NSD takes NOTIFY and the agent's proving queries, *primary_listen* where the agent serves
    transfers, *timeout* how long a zone may take to be loaded before its failure is reported.
    """

    config_path: str = "/etc/nsd/nsd.conf"
    zone_directory: str = "/var/lib/nsd/arca"
    control_socket: str = "/run/nsd/nsd.ctl"
    tsig_file: str = "/etc/nsd/arca-dns-tsig.conf"
    notify_address: HostPort = "127.0.0.1:5300"
    primary_listen: HostPort = "127.0.0.1:5354"
    pattern: str = "arca"
    timeout: Interval = 60.0


@dataclass(frozen=True)
class Knot:
    """Knot DNS as the authoritative server, where *server* is ``knot``; its options are as those of NSD.

    *template* is what zones are added with; it names the agent as their master.
    """

    control_socket: str = "/run/knot/knot.sock"
    knotc: str = "/usr/sbin/knotc"
    tsig_file: str = "/etc/knot/arca-dns-tsig.conf"
    notify_address: HostPort = "127.0.0.1:5300"
    primary_listen: HostPort = "127.0.0.1:5354"
    template: str = "arca"
    timeout: Interval = 60.0


@dataclass(frozen=True)
class Unbound:
    """The resolver beside it. *enabled* has the agent tell it of zones, at *control_socket*.

    *zones_file*, if there is one, is where the agent keeps the zones and their keys for Unbound's configuration.
    """

    enabled: bool = False
    config_path: str = "/etc/unbound/unbound.conf"
    edns_buffer_size: Annotated[int, Range(least=512, most=4096)] = 1232
    control_socket: str = "/run/unbound.ctl"
    zones_file: str = ""


@dataclass(frozen=True)
class Bird:
    """What announces the prefixes. *service_addresses* are those inside prefixes wider than one address."""

    socket_path: str = "/run/bird/bird.ctl"
    anycast_prefixes: tuple[str, ...] = ()
    service_addresses: tuple[str, ...] = ()
    state_directory: str = "/run/arca-dns/bird"


@dataclass(frozen=True)
class RecordCheck:
    """A record that the name server must answer with; *value* in zone-file form, empty for any."""

    name: str
    type: str
    value: str = ""


@dataclass(frozen=True)
class Service:
    """Prefixes with checks of their own: *zones*, *records* and *command* in place of the general ones."""

    name: Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "letters, digits, dots and hyphens")]
    prefixes: tuple[str, ...]
    zones: tuple[str, ...] = ()
    records: tuple[RecordCheck, ...] = ()
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Health:
    """What the health check asks, how often, and when it moves.

    *state_directory* outlives boots: it holds what an operator has drained. The *latency_percentile* of the answers of
    the last *latency_window* rounds is held against *latency_limit*. *command* is a check of the operator's own.
    *unbound_validated* is whether Unbound's answers about signed zones must be validated.
    """

    check_interval: Interval = 2.0
    fast_interval: Interval = 1.0
    timeout: Interval = 1.0
    failure_threshold: Rounds = 3
    recovery_threshold: Rounds = 5
    degrade_threshold: Rounds = 5
    drain_wait: Seconds = 5.0
    hold_down: Seconds = 60.0
    hold_down_max: Seconds = 600.0
    flap_window: Seconds = 600.0
    flap_limit: Rounds = 3
    on_stop: Literal["withdraw", "keep"] = "withdraw"
    nsd_server: str = ""
    unbound_server: str = ""
    zones: tuple[str, ...] = ()
    latency_limit: Interval = 0.2
    latency_percentile: Annotated[float, Range(least=1, most=100)] = 95.0
    latency_window: Rounds = 20
    signature_minimum: Seconds = 86400.0
    records: tuple[RecordCheck, ...] = ()
    command: tuple[str, ...] = ()
    command_timeout: Interval = 5.0
    unbound_required: bool = False
    unbound_validated: bool = False
    services: tuple[Service, ...] = ()
    state_file: str = "/run/arca-dns/health.json"
    state_directory: str = "/var/lib/arca-dns/health"


@dataclass(frozen=True)
class EdgeConfig:
    """The whole file."""

    controller: Controller
    agent: Agent = field(default_factory=Agent)
    server: Literal["nsd", "knot"] = "nsd"
    nsd: Nsd = field(default_factory=Nsd)
    knot: Knot = field(default_factory=Knot)
    unbound: Unbound = field(default_factory=Unbound)
    bird: Bird = field(default_factory=Bird)
    health: Health = field(default_factory=Health)


def load(path: Path) -> EdgeConfig:
    """Read *path*. Raises :class:`OSError`, or :class:`.errors.ConfigError` with a place for each problem."""
    return config.load(path.read_text(encoding="utf-8"), EdgeConfig, source=str(path))
