# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Section ``dns`` of the configuration: where DNS is spoken, with whom, and what they may do."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from arca_dns.access.scope import Scope
from arca_dns.config import Pattern, Range, Seconds, Secret, Size
from arca_dns.errors import ArcaError, ConfigError, Place
from arca_dns.transfer.allow import Rule
from arca_dns.transfer.catalog_zone import is_name
from arca_dns.transfer.tsig import Key
from arca_dns.zone import names

_File = Annotated[str, Pattern(r"/.*[^/]", "an absolute path of a file")]


@dataclass(frozen=True, slots=True)
class TsigKey:
    """A secret that is shared with a secondary or with who sends updates: the text of it, or the file that holds it."""

    name: str
    algorithm: Literal["hmac-sha256", "hmac-sha384", "hmac-sha512"] = "hmac-sha256"
    secret: Secret | None = None
    secret_file: _File | None = None

    def __post_init__(self) -> None:
        if (self.secret is None) == (self.secret_file is None):
            raise ConfigError("no secret", [Place("needs either secret or secret_file", pointer="secret")])
        try:
            Key.of(self.name, self.algorithm, "c2VjcmV0" if self.secret is None else self.secret.reveal())
        except ArcaError as error:
            pointer = "secret" if "base64" in error.message else "name"
            raise ConfigError("the key is wrong", [Place(error.message, pointer=pointer)]) from None

    def key(self) -> Key:
        """The key. Raises ``ArcaError`` where its file cannot be read or holds none."""
        if self.secret is not None:
            return Key.of(self.name, self.algorithm, self.secret.reveal())
        try:
            with open(str(self.secret_file), encoding="ascii") as file:
                text = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not ASCII"
            raise ConfigError(
                f"the secret of TSIG key {self.name} in {self.secret_file} cannot be read: {reason}"
            ) from (None)
        if not text:
            raise ConfigError(f"the secret of TSIG key {self.name} in {self.secret_file} is empty")
        return Key.of(self.name, self.algorithm, text)


@dataclass(frozen=True, slots=True)
class Secondary:
    """A server that is told of new versions, and may transfer; both are signed with *tsig_key* if that is set."""

    address: str
    port: Annotated[int, Range(1, 65535)] = 53
    tsig_key: str | None = None

    def __post_init__(self) -> None:
        try:
            ipaddress.ip_address(self.address)
        except ValueError:
            place = Place(f"must be an IP address, not {self.address!r}", pointer="address")
            raise ConfigError("no address", [place]) from None

    def rule(self) -> Rule:
        """The rule that lets it transfer."""
        return Rule.read(self.address if self.tsig_key is None else f"{self.address} key:{self.tsig_key}")


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """What updates that are signed with *key* may write; empty names or types are all."""

    key: str
    zones: tuple[str, ...]
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.zones:
            raise ConfigError("no zones", [Place('must name a zone; all are "*"', pointer="zones")])
        try:
            self.scope()
        except ArcaError as error:
            raise ConfigError(
                "the policy is wrong",
                [
                    Place(place.message, pointer=(place.pointer or "").lstrip("/").replace("/", "."))
                    for place in error.places
                ],
            ) from None

    def scope(self) -> Scope:
        """The same as a key of the API has it."""
        return Scope.read({"zones": self.zones, "names": self.names, "types": self.types})


@dataclass(frozen=True, slots=True)
class Dns:
    """The hidden primary; it does nothing without an address to listen on."""

    listen: tuple[str, ...] = ()
    tsig_keys: tuple[TsigKey, ...] = ()
    secondaries: tuple[Secondary, ...] = ()
    allow_transfer: tuple[str, ...] = ()
    catalog_zone: str | None = None
    update_policy: tuple[UpdatePolicy, ...] = ()
    max_connections: Annotated[int, Range(1, 10_000)] = 128
    max_transfers: Annotated[int, Range(1, 1000)] = 8
    write_size: Annotated[Size, Range(65536, 16 << 20)] = 256 << 10
    idle_timeout: Annotated[Seconds, Range(1, 3600)] = 30.0
    write_timeout: Annotated[Seconds, Range(1, 3600)] = 60.0
    updates_per_minute: Annotated[int, Range(1, 1_000_000)] = 60

    def __post_init__(self) -> None:
        places: list[Place] = []
        known: dict[bytes, int] = {}
        for index, key in enumerate(self.tsig_keys):
            first = known.setdefault(names.from_text(key.name), index)
            if first != index:
                places.append(Place(f"is the same as in tsig_keys[{first}]", pointer=f"tsig_keys[{index}].name"))
        for index, text in enumerate(self.listen):
            _try(lambda text=text: address_of(text), f"listen[{index}]", places)  # type: ignore[misc]
        for index, text in enumerate(self.allow_transfer):
            _try(lambda text=text: Rule.read(text), f"allow_transfer[{index}]", places)  # type: ignore[misc]
        wanted = [(one.tsig_key, f"secondaries[{index}].tsig_key") for index, one in enumerate(self.secondaries)]
        wanted += [(one.key, f"update_policy[{index}].key") for index, one in enumerate(self.update_policy)]
        for name, pointer in wanted:
            if name is not None and _name(name) not in known:
                places.append(Place(f"there is no {name!r} in tsig_keys", pointer=pointer))
        if self.catalog_zone is not None and not is_name(_name(self.catalog_zone)):
            places.append(Place("must be the name of a zone of its own, as catalog.example", pointer="catalog_zone"))
        if places:
            raise ConfigError("the settings of dns are wrong", places)

    def addresses(self) -> list[tuple[str, int]]:
        """The IP addresses and ports to listen on."""
        return [address_of(text) for text in self.listen]

    def rules(self) -> tuple[Rule, ...]:
        """Who may transfer zones that have no list of their own."""
        return (*map(Rule.read, self.allow_transfer), *(secondary.rule() for secondary in self.secondaries))


def address_of(text: str) -> tuple[str, int]:
    """The IP address and port of *text*. Raises ``ValueError``."""
    host, colon, port = text.rpartition(":")
    try:
        number = int(port)
        address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        if not colon or not 0 < number <= 65535 or (address.version == 6) != host.startswith("["):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"must be an IP address and a port, as 192.0.2.1:53 or [2001:db8::1]:53, not {text!r}"
        ) from None
    return str(address), number


def _try(read: Callable[[], object], pointer: str, places: list[Place]) -> None:
    try:
        read()
    except ArcaError as error:
        places.append(Place(error.message, pointer=pointer))
    except ValueError as error:
        places.append(Place(str(error), pointer=pointer))


def _name(text: str) -> bytes:
    try:
        return names.from_text(text)
    except ArcaError:
        return names.ROOT
