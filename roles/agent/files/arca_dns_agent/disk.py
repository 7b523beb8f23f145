# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Blobs as they are read from this edge's disk: what is damaged there is no controller's fault, and is looked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from arca_dns.errors import CorruptBlob, IntegrityError, MissingBlob
from arca_dns.zone.tree import Blobs

_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0


class Damaged(IntegrityError):
    """What should be on disk is missing there, or is not what it was: it has to be looked for and fetched again."""

    code = "damaged"


class DiskBlobs(Blobs):
    """Blobs that should be there. Raises :class:`Damaged` where they are not."""

    def get(self, digest: str) -> bytes:
        """The blob *digest*."""
        try:
            return super().get(digest)
        except (MissingBlob, CorruptBlob) as error:
            raise Damaged(f"{error} on disk") from None

    def several(self, digests: Sequence[str]) -> list[bytes]:
        """The blobs *digests*."""
        try:
            return super().several(digests)
        except (MissingBlob, CorruptBlob) as error:
            raise Damaged(f"{error} on disk") from None


class Alarm:
    """Whether all that is on disk has to be looked at: at once, and the more seldom the more often in a row."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._raised = False
        self._pause = 0.0
        self._next = float("-inf")

    def sound(self) -> None:
        """Something could not be read."""
        self._raised = True

    def due(self) -> bool:
        """Whether to look now, which answers the alarm; the time of the next look counts from then."""
        now = self._monotonic()
        if not self._raised or now < self._next:
            return False
        calm = now - self._next > _LONGEST_PAUSE
        self._pause = _FIRST_PAUSE if calm else min(self._pause * 2, _LONGEST_PAUSE)
        self._next = now + self._pause
        self._raised = False
        return True

    def clear(self) -> None:
        """All is whole again: what was told of meanwhile has been mended."""
        self._raised = False
