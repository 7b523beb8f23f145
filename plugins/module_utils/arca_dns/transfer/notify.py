# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""NOTIFY (RFC 1996), from the primary's side: the message that tells a secondary of a new serial, and its answer."""

from __future__ import annotations

from collections.abc import Callable

from ..zone import rr
from . import tsig, wire


class Notification:
    """One NOTIFY, signed with *key* if there is one; *number* is its message id."""

    def __init__(
        self, zone: bytes, soa: rr.RRset, key: tsig.Key | None, number: int, clock: Callable[[], float]
    ) -> None:
        self._key = key
        self._clock = clock
        self._id = number
        self._zone = zone
        head = wire.HEADER.pack(number, wire.NOTIFY << 11 | wire.AUTHORITATIVE, 1, len(soa), 0, 0)
        message = head + zone + b"\0\6\0\1" + soa.wire()
        self._mac = b""
        if key is not None:
            signer = tsig.Signer(key, clock)
            message = signer.sign(message)
            self._mac = signer.mac
        self.message = message

    def accepted(self, data: bytes) -> int | None:
        """The rcode of *data*; ``None`` if that is no answer to this NOTIFY, or not signed as the NOTIFY was."""
        try:
            answer = wire.read(data)
            if not answer.flags & wire.RESPONSE or (answer.id, answer.zone) != (self._id, self._zone):
                return None
            if answer.opcode != wire.NOTIFY:
                return None
            if self._key is not None:
                tsig.check(answer, {self._key.name: self._key}, int(self._clock()), self._mac)
        except (ValueError, tsig.Refused):
            return None
        return answer.rcode
