# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controller's configuration file: its keys, their defaults, and what they must be to go together.

Reading YAML and reporting mistakes is the library's :mod:`arca_dns.config`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Literal

from arca_dns.config import Pattern, Range, Seconds, Secret, Size, WholeSeconds, load
from arca_dns.dnssec.policy import Policy
from arca_dns.errors import ConfigError, Place
from arca_dns.publish.head import DEFAULT_RING
from arca_dns.retention import Rules
from arca_dns.store.open import BACKENDS
from arca_dns.writing import Limits

from .dns.settings import Dns
from .second_check import words_of

#: An absolute path, as text: what is relative would depend on where the daemon was started.
AbsolutePath = Annotated[str, Pattern(r"/.*[^/]", "an absolute path of a file or folder")]
STATE = "/var/lib/arca-dns/controller"
RingName = Annotated[str, Pattern(r"[a-z0-9][a-z0-9-]{0,30}", "lower-case letters, digits and hyphens, at most 31")]
Role = Literal["admin", "editor", "viewer", "agent", "acme"]


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that may use the API; only its SHA-256 is kept."""

    name: Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}", "letters, digits and ._@-, at most 64")]
    role: Role
    sha256: Annotated[
        str, Pattern(r"[0-9a-f]{64}", "the SHA-256 of the key in hexadecimal (arca-dns-controller key hash)")
    ]


PerSecond = Annotated[float, Range(0, 1_000_000)]


@dataclass(frozen=True, slots=True)
class Rate:
    """How often one API key may ask, and an address without one; 0 is no limit.

    *burst_seconds* says for how long what is not used is saved up.
    """

    read_per_second: PerSecond = 500.0
    write_per_second: PerSecond = 100.0
    burst_seconds: Annotated[Seconds, Range(1, 3600)] = 10.0
    failures_per_minute: Annotated[float, Range(0, 1_000_000)] = 60.0


@dataclass(frozen=True, slots=True)
class Tls:
    """The certificate of the API, and the authority that clients' certificates must come from, if they need any."""

    cert_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None
    client_ca_file: AbsolutePath | None = None
    minimum_version: Literal["1.2", "1.3"] = "1.2"

    def __post_init__(self) -> None:
        if (self.cert_file is None) != (self.key_file is None):
            missing = "cert_file" if self.cert_file is None else "key_file"
            raise ConfigError("half a certificate", [Place("is needed with the other one", pointer=missing)])
        if self.client_ca_file is not None and self.cert_file is None:
            raise ConfigError("no certificate", [Place("needs cert_file and key_file", pointer="client_ca_file")])


@dataclass(frozen=True, slots=True)
class Api:
    """Where the API listens, who may use it, and how much of it.

    *trusted_proxies* are addresses and prefixes whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
    """

    listen: str = "127.0.0.1:8053"
    keys: tuple[ApiKey, ...] = ()
    tls: Tls = field(default_factory=Tls)
    trusted_proxies: tuple[str, ...] = ()
    rate: Rate = field(default_factory=Rate)
    body_limit: Annotated[Size, Range(1024, 2**31)] = 64 << 20
    header_timeout: Annotated[Seconds, Range(1, 600)] = 15.0
    body_timeout: Annotated[Seconds, Range(1, 3600)] = 120.0
    connections: Annotated[int, Range(10, 1_000_000)] = 5000
    shutdown_timeout: Annotated[WholeSeconds, Range(1, 600)] = 30

    def __post_init__(self) -> None:
        places = []
        try:
            self.address()
        except ValueError as error:
            places.append(Place(str(error), pointer="listen"))
        for index, text in enumerate(self.trusted_proxies):
            try:
                ipaddress.ip_network(text)
            except ValueError:
                message = f"must be an address or a prefix, as 192.0.2.7 or 2001:db8::/64, not {text!r}"
                places.append(Place(message, pointer=f"trusted_proxies[{index}]"))
        for attribute in ("name", "sha256"):
            seen: dict[str, int] = {}
            for index, key in enumerate(self.keys):
                first = seen.setdefault(getattr(key, attribute), index)
                if first != index:
                    places.append(Place(f"is the same as in keys[{first}]", pointer=f"keys[{index}].{attribute}"))
        if places:
            raise ConfigError("the API's settings are wrong", places)

    def address(self) -> tuple[str, int]:
        """The IP address and port to listen on. Raises ``ValueError``."""
        host, colon, port = self.listen.rpartition(":")
        try:
            number = int(port)
            address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
            if not colon or not 0 <= number <= 65535 or (address.version == 6) != host.startswith("["):
                raise ValueError
        except ValueError:
            raise ValueError(
                f"must be an IP address and a port, as 127.0.0.1:8053 or [::1]:8053, not {self.listen!r}"
            ) from None
        return str(address), number


@dataclass(frozen=True, slots=True)
class Sqlite:
    """A database file."""

    path: AbsolutePath = f"{STATE}/state.sqlite"
    busy_timeout: Seconds = 5.0


@dataclass(frozen=True, slots=True)
class Memory:
    """Nothing: what is in memory is gone with the process."""


Port = Annotated[int, Range(1, 65535)]
PoolSize = Annotated[int, Range(1, 1000)]


def _one_password(settings: Postgres | Mysql | Etcd) -> None:
    if settings.password is not None and settings.password_file is not None:
        raise ConfigError("two passwords", [Place("leave out this or password", pointer="password_file")])


@dataclass(frozen=True, slots=True)
class Postgres:
    """A PostgreSQL database; what is not set is as :class:`arca_dns.store.sql.dialects.Postgres` says."""

    database: str = "arca_dns"
    host: str | None = None
    port: Port | None = None
    user: str | None = None
    password: Secret | None = None
    password_file: AbsolutePath | None = None
    sslmode: Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] | None = None
    ca_file: AbsolutePath | None = None
    cert_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None
    connect_timeout: Seconds | None = None
    pool_size: PoolSize | None = None

    def __post_init__(self) -> None:
        _one_password(self)


@dataclass(frozen=True, slots=True)
class Mysql:
    """A MySQL or MariaDB database; what is not set is as :class:`arca_dns.store.sql.dialects.Mysql` says."""

    database: str = "arca_dns"
    host: str | None = None
    port: Port | None = None
    socket: AbsolutePath | None = None
    user: str | None = None
    password: Secret | None = None
    password_file: AbsolutePath | None = None
    ca_file: AbsolutePath | None = None
    cert_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None
    connect_timeout: Seconds | None = None
    pool_size: PoolSize | None = None

    def __post_init__(self) -> None:
        _one_password(self)


@dataclass(frozen=True, slots=True)
class Etcd:
    """An etcd cluster; what is not set is as :func:`arca_dns.store.etcd.open_etcd` says."""

    endpoints: tuple[str, ...] | None = None
    prefix: Annotated[str, Pattern(r".*[^/].*", "a text with more than slashes")] | None = None
    user: str | None = None
    password: Secret | None = None
    password_file: AbsolutePath | None = None
    ca_file: AbsolutePath | None = None
    cert_file: AbsolutePath | None = None
    key_file: AbsolutePath | None = None
    timeout: Annotated[Seconds, Range(0.1, 300)] | None = None

    def __post_init__(self) -> None:
        _one_password(self)


@dataclass(frozen=True, slots=True)
class Git:
    """A bare Git repository, and the remote that it is pushed to and pulled from."""

    path: AbsolutePath = f"{STATE}/zones.git"
    branch: Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9_-]*", "letters, digits, - and _")] = "main"
    remote: Secret | None = None  # a URL may hold a password
    auto_push: bool = False
    auto_pull: bool = False
    pull_interval: Annotated[Seconds, Range(1, 86400)] = 30.0
    author: str = "arca.dns"
    email: str = "arca-dns@localhost"

    def __post_init__(self) -> None:
        for name in ("auto_push", "auto_pull"):
            if getattr(self, name) and not self.remote:
                raise ConfigError("no remote", [Place("needs a remote", pointer=name)])


@dataclass(frozen=True, slots=True)
class Backend:
    """Where zones are kept."""

    type: str = "sqlite"
    sqlite: Sqlite = field(default_factory=Sqlite)
    postgres: Postgres = field(default_factory=Postgres)
    mysql: Mysql = field(default_factory=Mysql)
    etcd: Etcd = field(default_factory=Etcd)
    git: Git = field(default_factory=Git)
    memory: Memory = field(default_factory=Memory)

    def __post_init__(self) -> None:
        if self.type not in BACKENDS:
            known = ", ".join(sorted(BACKENDS, reverse=True))
            raise ConfigError("no backend", [Place(f"{self.type!r} is no backend; use one of {known}", pointer="type")])

    def options(self) -> dict[str, object]:
        """The options of the backend in use, those that are set."""
        chosen = getattr(self, self.type)
        options = {item.name: getattr(chosen, item.name) for item in fields(chosen)}
        return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Dnssec:
    """How zones are signed; zones may differ by their own settings. *enabled* is what new zones get.

    *verify_command* are programs by name; a zone whose settings have such a name is published if that accepts it.
    """

    enabled: bool = True
    algorithm: int = 13
    rsa_bits: int = 2048
    keys: Literal["ksk-zsk", "csk"] = "ksk-zsk"
    denial: Literal["nsec", "nsec3"] = "nsec"
    nsec3_iterations: int = 0
    nsec3_salt: str = ""
    nsec3_opt_out: bool = False
    validity: WholeSeconds = 14 * 86400
    refresh: WholeSeconds = 5 * 86400
    inception_offset: WholeSeconds = 3600
    dnskey_ttl: WholeSeconds = 3600
    propagation_delay: WholeSeconds = 3600
    zonemd: bool = False
    verify_command: Mapping[str, str] = field(default_factory=dict)
    verify_timeout: Annotated[Seconds, Range(1, 86400)] = 300.0
    key_store: Literal["directory", "backend"] = "directory"
    key_directory: AbsolutePath = f"{STATE}/keys"
    master_key_file: AbsolutePath = f"{STATE}/master.key"

    def __post_init__(self) -> None:
        places = []
        for name, command in self.verify_command.items():
            try:
                words_of(command)
            except ValueError as error:
                places.append(Place(str(error), pointer=f"verify_command.{name}"))
        if places:
            raise ConfigError("a command is wrong", places)
        try:
            self.policy()
        except TypeError as error:
            raise ValueError(str(error)) from None

    def policy(self) -> Policy:
        """The policy of zones that have none of their own."""
        return Policy(
            algorithm=self.algorithm,
            rsa_bits=self.rsa_bits,
            keys=self.keys,
            denial=self.denial,
            nsec3_iterations=self.nsec3_iterations,
            nsec3_salt=self.nsec3_salt,
            nsec3_opt_out=self.nsec3_opt_out,
            validity=self.validity,
            refresh=self.refresh,
            inception_offset=self.inception_offset,
            dnskey_ttl=self.dnskey_ttl,
            propagation_delay=self.propagation_delay,
            zonemd=self.zonemd,
        )


@dataclass(frozen=True, slots=True)
class Publish:
    """The signed heads that edges follow, one for each of *rings*: the first follows every publication."""

    head_key_file: AbsolutePath = f"{STATE}/head.key"
    head_lifetime: Annotated[WholeSeconds, Range(600, 31536000)] = 86400
    maintenance_interval: Annotated[Seconds, Range(1, 3600)] = 30.0
    rings: tuple[RingName, ...] = (DEFAULT_RING,)

    def __post_init__(self) -> None:
        """Raises :class:`ConfigError` for rings that cannot be."""
        if not self.rings or len(set(self.rings)) != len(self.rings):
            place = Place("must name one ring or more, each once", pointer="rings")
            raise ConfigError("publish is wrong", [place])

    @property
    def head_public_key_file(self) -> Path:
        """Where the public part is, for those who configure edges."""
        return Path(self.head_key_file).with_suffix(".pub")


@dataclass(frozen=True, slots=True)
class Edges:
    """What the controller asks of edges: for how long an attestation counts, and how many must announce a prefix.

    An edge that wishes to be drained or degraded has to leave *minimum_announcers* others.
    """

    attestation_timeout: Annotated[Seconds, Range(10, 86400)] = 150.0
    minimum_announcers: Annotated[int, Range(1, 1000)] = 1


#: Backends that are files, which only processes of one machine can share → the seconds for which a lease lasts. There
#: the next process sees that a former one has ended; and each renewal is a commit, which in Git stays for ever.
ONE_MACHINE = {"sqlite": 60.0, "git": 900.0}


@dataclass(frozen=True, slots=True)
class Scheduler:
    """Which controller does the scheduled work: *instance* names this one to people."""

    instance: Annotated[str, Pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", "letters, digits and ._-")] | None = None
    lease_ttl: Annotated[Seconds, Range(1, 86400)] | None = None

    def seconds(self, backend: str) -> float:
        """How long the lease is held without renewal."""
        return ONE_MACHINE.get(backend, 15.0) if self.lease_ttl is None else self.lease_ttl


@dataclass(frozen=True, slots=True)
class History:
    """How much of the past is kept, as :class:`arca_dns.retention.Rules` says, and how often blobs are collected."""

    max_versions_per_zone: Annotated[int, Range(0, 10_000_000)] = 0
    max_age_days: Annotated[int, Range(0, 36500)] = 0
    deleted_days: Annotated[int, Range(0, 36500)] = 30
    journal_days: Annotated[int, Range(0, 36500)] = 365
    sweep_interval: Annotated[Seconds, Range(60, 604800)] = 21600.0

    def rules(self) -> Rules:
        """The same for the library."""
        return Rules(
            self.max_versions_per_zone, self.max_age_days, self.deleted_days, self.journal_days, self.sweep_interval
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much the controller holds, as :class:`arca_dns.writing.Limits` says; 0 is no limit."""

    zones: Annotated[int, Range(0, 100_000_000)] = 1_000_000
    records_per_zone: Annotated[int, Range(0, 1_000_000_000)] = 10_000_000
    values_per_rrset: Annotated[int, Range(0, 10_000_000)] = 10_000

    def limits(self) -> Limits:
        """The same for the library."""
        return Limits(self.zones, self.records_per_zone, self.values_per_rrset)


@dataclass(frozen=True, slots=True)
class Log:
    """What goes to the journal."""

    level: Literal["debug", "info", "warning", "error"] = "info"


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """The whole file."""

    api: Api = field(default_factory=Api)
    backend: Backend = field(default_factory=Backend)
    dnssec: Dnssec = field(default_factory=Dnssec)
    publish: Publish = field(default_factory=Publish)
    scheduler: Scheduler = field(default_factory=Scheduler)
    history: History = field(default_factory=History)
    dns: Dns = field(default_factory=Dns)
    edges: Edges = field(default_factory=Edges)
    limits: Bounds = field(default_factory=Bounds)
    log: Log = field(default_factory=Log)


def read(path: Path) -> ControllerConfig:
    """The configuration in *path*. Raises :class:`ConfigError`."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8") from None
    return load(text, ControllerConfig, source=str(path))
