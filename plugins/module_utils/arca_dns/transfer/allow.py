# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who may take a zone: rules of addresses and TSIG keys.

A rule is one text: an address (``192.0.2.1``), a prefix (``2001:db8::/32``), ``key:NAME``, or a prefix and a key
parted by a blank, which must then both be right.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from ..errors import ArcaError, InputError
from ..zone import names

_Network: TypeAlias = "ipaddress.IPv4Network | ipaddress.IPv6Network"
_PREFIX = "key:"


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests from *network*, if that is set, signed with *key* (a name in wire form), if that is set."""

    network: _Network | None
    key: bytes | None

    @classmethod
    def read(cls, text: str) -> Rule:
        """The rule that *text* says. Raises :class:`InputError`."""
        network: _Network | None = None
        key: bytes | None = None
        words = text.split()
        for word in words:
            if word.startswith(_PREFIX) and key is None:
                try:
                    key = names.from_text(word.removeprefix(_PREFIX))
                except ArcaError as error:
                    raise InputError(f"{text!r} names no key: {error.message}") from None
                if key == names.ROOT:
                    raise InputError(f"{text!r} names no key")
            elif network is None and not word.startswith(_PREFIX):
                try:
                    network = ipaddress.ip_network(word)
                except ValueError:
                    raise InputError(_WANTED.format(text)) from None
            else:
                raise InputError(_WANTED.format(text))
        if not words:
            raise InputError(_WANTED.format(text))
        return cls(network, key)

    def allows(self, address: str | None, key: bytes | None) -> bool:
        """Whether a request from *address* that is signed with *key* fits."""
        if self.key is not None and key != self.key:
            return False
        return self.network is None or (address is not None and _plain(address) in self.network)


_WANTED = "{!r} must be an address or prefix as 192.0.2.0/24, key:NAME, or both parted by a blank"


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """*address*; an IPv4 address that came in by an IPv6 socket as what it is."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if found.version == 6 and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def allowed(rules: Iterable[Rule], address: str | None, key: bytes | None) -> bool:
    """Whether some rule allows a request from *address* that is signed with *key*."""
    return any(rule.allows(address, key) for rule in rules)
