# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What Unbound's configuration includes of the zones that this edge serves: where to ask, and which keys to trust.

Zones are told to a running Unbound by its control socket; with this file it knows them also when it starts or reads its
configuration anew, which is the only way to give it trust anchors. They come from content that a signed head names, so
a zone that the public tree does not lead to is validated too.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from arca_dns.zone import names

#: By zone the rdata of the DNSKEYs that are trusted.
Anchors = Mapping[bytes, tuple[bytes, ...]]

#: Below these Unbound answers by itself unless it is told not to (RFC 6303, RFC 6761, RFC 8375).
ITS_OWN = tuple(
    names.from_text(name)
    for name in ("in-addr.arpa.", "ip6.arpa.", "home.arpa.", "test.", "invalid.", "localhost.", "onion.")
)
_SECURE_ENTRY, _REVOKED = 0x0001, 0x0080
_STUB = re.compile(r'^stub-zone:\n    name: "(.+)"$', re.MULTILINE)
_HEAD = "# Written by arca-dns-agent: the zones that are served here, and their keys.\n"


def trusted(dnskeys: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Those of a zone's keys to trust: its secure entry points (RFC 4034, section 2.1.1), or all if it has none."""
    flags = {key: int.from_bytes(key[:2], "big") for key in dnskeys}
    alive = tuple(key for key in dnskeys if not flags[key] & _REVOKED)
    return tuple(key for key in alive if flags[key] & _SECURE_ENTRY) or alive


def is_its_own(zone: bytes) -> bool:
    """Whether Unbound would answer for *zone* by itself."""
    return any(names.is_at_or_below(zone, own) for own in ITS_OWN)


class UnboundFile:
    """The file at *path*; *server* is where Unbound asks for the zones."""

    def __init__(self, path: Path, server: tuple[str, int]) -> None:
        self._path = path
        self._target = f"{server[0]}@{server[1]}"
        self._zones: dict[bytes, bool] | None = None
        self._anchors: dict[bytes, tuple[bytes, ...]] = {}

    def zones(self) -> list[bytes]:
        """The zones that the file names, as this agent or one before it left it. Raises :class:`OSError`."""
        try:
            text = self._path.read_text(encoding="ascii")
        except (FileNotFoundError, UnicodeError):
            return []
        return [names.from_text(name) for name in _STUB.findall(text)]

    def write(self, zones: Mapping[bytes, bool], anchors: Anchors) -> list[bytes]:
        """Bring the file to *zones* (with whether they are unsigned) and *anchors*.

        Returns the zones whose anchors are other ones than the file had. Raises :class:`OSError`.
        """
        if zones == self._zones and anchors == self._anchors:
            return []
        changed = [zone for zone in {**self._anchors, **anchors} if self._anchors.get(zone) != anchors.get(zone)]
        text = "".join(_lines(zones, anchors, self._target))
        try:
            held = self._path.read_text(encoding="ascii")
        except (FileNotFoundError, UnicodeError):
            held = ""
        if held != text:
            fresh = self._path.with_name(f".{self._path.name}.new")
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o644)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self._path)
        if self._zones is None and _anchor_lines(held) == _anchor_lines(text):
            changed = []  # as the agent before this one left it
        self._zones, self._anchors = dict(zones), dict(anchors)
        return changed


def _lines(zones: Mapping[bytes, bool], anchors: Anchors, target: str) -> Iterator[str]:
    # Unbound's configuration cannot say a quotation mark.
    said = [(names.to_text(zone), zone) for zone in sorted(zones) if '"' not in names.to_text(zone)]
    yield f"{_HEAD}server:\n"
    for name, zone in said:
        if is_its_own(zone):
            yield f'    local-zone: "{name}" transparent\n'
        if zones[zone]:
            yield f'    domain-insecure: "{name}"\n'
        for key in sorted(anchors.get(zone, ())):
            flags, protocol, algorithm = int.from_bytes(key[:2], "big"), key[2], key[3]
            public = base64.b64encode(key[4:]).decode()
            yield f'    trust-anchor: "{name} DNSKEY {flags} {protocol} {algorithm} {public}"\n'
    for name, _zone in said:
        yield f'stub-zone:\n    name: "{name}"\n    stub-addr: {target}\n'


def _anchor_lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("    trust-anchor:")]
