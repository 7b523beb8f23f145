# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The edge's configuration file, ``/etc/arca-dns/agent.yaml``: one schema for the agent and the health check.

How YAML becomes dataclasses, durations and error places included, is in :mod:`.config`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from . import config
from .config import Range, Seconds, Secret

__all__ = ["Agent", "Bird", "Controller", "EdgeConfig", "Health", "Nsd", "Unbound", "load"]

Interval = Annotated[Seconds, Range(least=0.05, most=3600)]
Rounds = Annotated[int, Range(least=1, most=1000)]


@dataclass(frozen=True)
class Controller:
    """Where heads and blobs come from. *head_keys* are the public keys (base64) that may sign heads."""

    url: str
    api_key: Secret
    head_keys: tuple[str, ...] = ()
    sync_interval: Interval = 30.0
    ring: str = "stable"


@dataclass(frozen=True)
class Agent:
    """The agent itself: its name in attestations, and where it keeps the last good state."""

    name: str = ""
    state_directory: str = "/var/lib/arca-dns/agent"


@dataclass(frozen=True)
class Nsd:
    """The authoritative server, as role nsd sets it up."""

    config_path: str = "/etc/nsd/nsd.conf"
    zone_directory: str = "/var/lib/nsd/arca"
    control_socket: str = "/run/nsd/nsd.ctl"
    tsig_file: str = "/etc/nsd/arca-dns-tsig.conf"
    notify_address: str = "127.0.0.1:5300"
    primary_listen: str = "127.0.0.1:5354"
    pattern: str = "arca"


@dataclass(frozen=True)
class Unbound:
    """The resolver beside it."""

    config_path: str = "/etc/unbound/unbound.conf"
    edns_buffer_size: Annotated[int, Range(least=512, most=4096)] = 1232
    control_socket: str = "/run/unbound.ctl"


@dataclass(frozen=True)
class Bird:
    """What announces the prefixes. *service_addresses* are those inside prefixes wider than one address."""

    socket_path: str = "/run/bird/bird.ctl"
    anycast_prefixes: tuple[str, ...] = ()
    service_addresses: tuple[str, ...] = ()
    state_directory: str = "/run/arca-dns/bird"


@dataclass(frozen=True)
class Health:
    """What the health check asks, how often, and when it moves."""

    check_interval: Interval = 2.0
    fast_interval: Interval = 1.0
    timeout: Interval = 1.0
    failure_threshold: Rounds = 3
    recovery_threshold: Rounds = 5
    hold_down: Seconds = 60.0
    hold_down_max: Seconds = 600.0
    flap_window: Seconds = 600.0
    flap_limit: Rounds = 3
    on_stop: Literal["withdraw", "keep"] = "withdraw"
    nsd_server: str = ""
    unbound_server: str = ""
    zones: tuple[str, ...] = ()
    latency_limit: Interval = 0.2
    state_file: str = "/run/arca-dns/health.json"


@dataclass(frozen=True)
class EdgeConfig:
    """The whole file."""

    controller: Controller
    agent: Agent = field(default_factory=Agent)
    nsd: Nsd = field(default_factory=Nsd)
    unbound: Unbound = field(default_factory=Unbound)
    bird: Bird = field(default_factory=Bird)
    health: Health = field(default_factory=Health)


def load(path: Path) -> EdgeConfig:
    """Read *path*. Raises :class:`OSError`, or :class:`.errors.ConfigError` with a place for each problem."""
    return config.load(path.read_text(encoding="utf-8"), EdgeConfig, source=str(path))
