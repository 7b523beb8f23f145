# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Asking the controller for what the health check wishes: to be chosen less, or to take a prefix back.

The health check never waits for the network: it writes its wishes to its state file and reads the answers from another.
No answer leaves that file as it is, so nothing new begins while controllers are out of reach, and nothing ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from arca_dns.edge_files import STALE_SECONDS, Lease, Wish, read_leases, write_leases
from arca_dns.store.base import Json, JsonObject

from .controller import Controllers, Unreachable

log = structlog.get_logger(__name__)

_LOOK = 1.0
_RENEW = 10.0
#: That nothing is wished is said again: the controller may have taken an earlier wish that nobody heard the answer to.
_GIVE_BACK = 60.0
#: Where the answer is that others are being asked.
_PENDING = 0.5
_LONGEST_WAIT = 10.0
_SILENT = "the health check has written nothing for a minute"

Wishes = dict[str, Wish]
_WISHES: dict[str, Wish] = {"degrade": "degrade", "drain": "drain"}


class HealthFile:
    """The health check's state file, read anew when it has been replaced.

    Once the health check has written nothing for a minute it is *stale*: nobody looks any more, and what it said of
    routes need not be so. Then it names the prefixes and says nothing else of them. Its age is the time since this
    process saw it replaced, which no step of *clock* changes; only for a file that was there before is that asked.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._clock = clock
        self._monotonic = monotonic
        self._seen: tuple[int, int] | None = None
        self._written = 0.0
        self.stale = False
        self.document: JsonObject = {}

    def changed(self) -> bool:
        """Look; whether there is anything new. A file that is gone or cannot be read says nothing."""
        news = self._read()
        was, self.stale = self.stale, self._seen is not None and self._monotonic() - self._written > STALE_SECONDS
        if self.stale and (news or not was):
            self.document = {"prefixes": [{"prefix": one["prefix"], "reasons": [_SILENT]} for one in self.prefixes()]}
        if self.stale and not was:
            log.warning("the health check writes nothing; no prefix counts as announced", path=str(self._path))
        elif was and not self.stale:
            log.info("the health check writes again")
        return news or self.stale != was

    def _read(self) -> bool:
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns)
            if seen == self._seen:
                return False
            document = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            if self._seen is None:
                return False
            self._seen, self.document = None, {}
            return True
        except (OSError, ValueError):
            return False
        age = 0.0 if self._seen is not None else max(0.0, self._clock() - status.st_mtime)
        self._written = self._monotonic() - age
        self._seen, self.document = seen, document if isinstance(document, dict) else {}
        return True

    def wishes(self) -> Wishes:
        """What the health check wants and needs a lease for, by prefix."""
        found: Wishes = {}
        for entry in self.prefixes():
            wish = _WISHES.get(str(entry.get("wish")))
            if wish is not None:
                found[str(entry["prefix"])] = wish
        return found

    def prefixes(self) -> list[JsonObject]:
        """What it says of each prefix."""
        entries = self.document.get("prefixes")
        if not isinstance(entries, list):
            return []
        return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("prefix"), str)]


class LeaseKeeper:
    """Keeps *path* at the controllers' answers to the wishes in *health*. *told* is called when there is news in that.

    While *health* is stale what is wished is not known, and BIRD may hold a prefix as a lease lets it: nothing is asked
    for and nothing given back.
    """

    def __init__(
        self,
        controllers: Controllers,
        edge: str,
        health: HealthFile,
        path: Path,
        *,
        told: Callable[[], None],
        random: Callable[[], float] = random.random,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._controllers = controllers
        self._edge = edge
        self._health = health
        self._path = path
        self._told = told
        self._random = random
        self._monotonic = monotonic
        self._sleep = sleep
        self._leases = self._restore()
        # The controller may hold leases of this edge that nobody wishes any more, from before a boot.
        self._asked: Wishes | None = None
        self._next = float("-inf")
        self._failures = 0

    def _restore(self) -> dict[str, Lease]:
        try:
            return {lease.prefix: lease for lease in read_leases(self._path)}
        except (OSError, ValueError) as error:
            log.warning("leases cannot be read and are asked for anew", reason=str(error))
            return {}

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.step()
            await self._sleep(_LOOK)

    async def step(self) -> None:
        """Look at the wishes, and ask if they are new or it is time to ask again."""
        if self._health.changed():
            self._told()
        if self._health.stale:
            return
        if self._asked is None and not (self._failures or self._leases or self._health.document):
            return  # what the health check wishes is not known yet
        wishes = self._health.wishes()
        try:
            self._forget(wishes)
            if (wishes == self._asked or self._failures) and self._monotonic() < self._next:
                return
            await self._ask(wishes)
        except OSError as error:
            log.error("leases cannot be written", reason=error.strerror or str(error))

    def _forget(self, wishes: Wishes) -> None:
        """Drop the leases of wishes that have ended: one that comes again needs a new lease."""
        if any(wishes.get(prefix) != lease.wish for prefix, lease in self._leases.items()):
            self._keep({prefix: one for prefix, one in self._leases.items() if wishes.get(prefix) == one.wish})

    async def _ask(self, wishes: Wishes) -> None:
        document: list[Json] = [{"prefix": prefix, "wish": wish} for prefix, wish in sorted(wishes.items())]
        try:
            answer = await self._controllers.lease(self._edge, {"wishes": document})
            leases = _leases(answer, wishes)
        except (Unreachable, ValueError, RecursionError) as error:
            if not self._failures:
                log.warning("no answer about leases; what was granted stays", reason=str(error))
            wait = min(_LONGEST_WAIT, 2.0 ** min(self._failures, 4))
            self._failures += 1
            self._asked = None  # it may have been heard though the answer was not
            self._next = self._monotonic() + wait * (0.5 + self._random() / 2)
            return
        for lease in leases.values():
            if lease != self._leases.get(lease.prefix):
                log.info("lease", prefix=lease.prefix, wish=lease.wish, granted=lease.granted, reason=lease.reason)
        pending = any(lease.pending for lease in leases.values())
        again = _PENDING if pending else _RENEW if wishes else _GIVE_BACK * (0.5 + self._random() / 2)
        self._asked, self._failures, self._next = wishes, 0, self._monotonic() + again
        self._keep(leases)

    def _keep(self, leases: dict[str, Lease]) -> None:
        if leases != self._leases:
            write_leases(self._path, leases.values())
            self._leases = leases


def _leases(answer: bytes, wishes: Wishes) -> dict[str, Lease]:
    """The answers to *wishes*; others count for nothing. Raises :class:`ValueError`."""
    document = json.loads(answer)
    entries = document.get("leases") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the controller's answer holds no list of leases")
    found: dict[str, Lease] = {}
    for entry in entries:
        if not isinstance(entry, dict):
            raise ValueError("the controller's answer holds a lease that is none")
        wish = wishes.get(str(entry.get("prefix")))
        if wish is not None and entry.get("wish") == wish:
            prefix = str(entry["prefix"])
            granted, pending = entry.get("granted") is True, entry.get("pending") is True
            found[prefix] = Lease(prefix, wish, granted, str(entry.get("reason") or ""), pending)
    return found
