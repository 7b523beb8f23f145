# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Owner names of RRs shortened by pointers (RFC 1035 section 4.1.4), one message at a time.

Rdata is left as it is: only the oldest types may have pointers there (RFC 3597 section 4), and of a signed zone they
are few.
"""

from __future__ import annotations

from ..zone import names

_REACH = 0x3FFF


class Owners:
    """What names a message has so far, beginning with its question *zone*, which stands behind the header."""

    def __init__(self, zone: bytes) -> None:
        self._at: dict[bytes, int] = {}
        self._note(zone, 12, len(zone))

    def short(self, record: bytes, at: int) -> bytes:
        """The RR *record*, which will stand at offset *at*, with its owner shortened."""
        owner = names.read(record, 0)
        i = 0
        while owner[i]:
            pointer = self._at.get(owner[i:])
            if pointer is not None:
                if i:
                    self._note(owner, at, i)
                return record[:i] + (0xC000 | pointer).to_bytes(2, "big") + record[len(owner) :]
            i += owner[i] + 1
        self._note(owner, at, i)
        return record

    def _note(self, name: bytes, at: int, until: int) -> None:
        """Remember *name*, which stands at *at*, and its suffixes that begin ahead of *until*."""
        i = 0
        while i < until and name[i] and at + i <= _REACH:
            self._at.setdefault(name[i:], at + i)
            i += name[i] + 1
