# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent's settings, made from the edge's configuration file and the secrets that it names."""

from __future__ import annotations

import base64
import re
import socket
import ssl
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from arca_dns.config import Secret
from arca_dns.edge_config import EdgeConfig, Knot
from arca_dns.errors import ConfigError, InputError, Place
from arca_dns.transfer.tsig import Key

Address = tuple[str, int]

_CLAUSE = re.compile(r"\b(name|id|algorithm|secret)\s*:\s*[\"']?([^\"'\s]+)")


@dataclass(frozen=True, slots=True)
class Settings:
    """All that :mod:`.daemon` needs. Durations are seconds."""

    edge: str
    urls: tuple[str, ...]
    api_key: Secret
    tls: ssl.SSLContext
    head_keys: list[bytes]
    ring: str
    sync_interval: float
    state_directory: Path
    blob_limit: int
    zone_limit: int
    parallel_fetches: int
    tsig: Key
    driver: Literal["nsd", "knot"]
    control_socket: Path
    pattern: str
    knotc: str
    server: Address
    listen: Address
    server_timeout: float
    resolver_socket: Path | None
    resolver_file: Path | None
    health_file: Path

    @classmethod
    def of(cls, config: EdgeConfig) -> Settings:
        """Read them from *config* and the files that it names. Raises :class:`ConfigError` with every problem."""
        places: list[Place] = []
        if not config.controller.head_keys:
            places.append(Place("is required: without it no head can be trusted", pointer="controller.head_keys"))
        api_key = config.controller.api_key or _api_key(config.controller.api_key_file, places)
        driver = config.knot if config.server == "knot" else config.nsd
        tsig = _tsig(config.server, driver.tsig_file, places)
        tls = _tls(config.controller.ca_file, places)
        server = _address(f"{config.server}.notify_address", driver.notify_address, places)
        listen = _address(f"{config.server}.primary_listen", driver.primary_listen, places)
        if places or tsig is None or tls is None:
            raise ConfigError("the agent's configuration cannot be used", places)
        return cls(
            edge=config.agent.name or socket.gethostname(),
            urls=config.controller.all_urls(),
            api_key=api_key,
            tls=tls,
            head_keys=[base64.b64decode(key) for key in config.controller.head_keys],
            ring=config.controller.ring,
            sync_interval=config.controller.sync_interval,
            state_directory=Path(config.agent.state_directory),
            blob_limit=config.agent.blob_limit,
            zone_limit=config.agent.zone_limit,
            parallel_fetches=config.agent.parallel_fetches,
            tsig=tsig,
            driver=config.server,
            control_socket=Path(driver.control_socket),
            pattern=driver.template if isinstance(driver, Knot) else driver.pattern,
            knotc=config.knot.knotc,
            server=server,
            listen=listen,
            server_timeout=driver.timeout,
            resolver_socket=Path(config.unbound.control_socket) if config.unbound.enabled else None,
            resolver_file=Path(config.unbound.zones_file) if config.unbound.zones_file else None,
            health_file=Path(config.health.state_file),
        )


def _api_key(path: str, places: list[Place]) -> Secret:
    try:
        key = Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        places.append(Place(f"{path} cannot be read: {_reason(error)}", pointer="controller.api_key_file"))
        return Secret("")
    if not key or not key.isprintable() or " " in key:
        places.append(Place(f"{path} does not hold an API key", pointer="controller.api_key_file"))
    return Secret(key)


def _tsig(server: str, path: str, places: list[Place]) -> Key | None:
    """The key of the first ``key:`` clause of a file in the syntax of NSD, or in that of Knot."""
    pointer = f"{server}.tsig_file"
    try:
        found = dict(_CLAUSE.findall(Path(path).read_text(encoding="utf-8")))
        return Key.of(found["id" if server == "knot" else "name"], found["algorithm"], found["secret"])
    except KeyError as missing:
        places.append(Place(f"{path} has no key clause with {missing.args[0]}", pointer=pointer))
    except (OSError, UnicodeError, InputError) as error:
        places.append(Place(f"{path} cannot be read: {_reason(error)}", pointer=pointer))
    return None


def _tls(path: str, places: list[Place]) -> ssl.SSLContext | None:
    try:
        return ssl.create_default_context(cafile=path or None)
    except (OSError, ssl.SSLError) as error:
        places.append(Place(f"{path} cannot be read: {_reason(error)}", pointer="controller.ca_file"))
        return None


def _address(pointer: str, text: str, places: list[Place]) -> Address:
    host, _colon, port = text.rpartition(":")
    try:
        address = ip_address(host.strip("[]"))
        if not 0 < int(port) < 65536:
            raise ValueError(f"{port} is no port")
    except ValueError as error:
        places.append(Place(str(error), pointer=pointer))
        return ("", 0)
    return (str(address), int(port))


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
