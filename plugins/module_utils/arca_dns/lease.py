# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A lease in the store: who of several controllers does the scheduled work.

The lease is one document, taken, renewed and released by compare-and-set on its revision; its *fence* grows by one with
each new holder. Nobody's clock is compared with anybody else's: a candidate takes over only after it has seen the same
revision of the document, unrenewed, for the whole time to live by its own monotonic clock. So clocks may differ as they
like; only their speed during one time to live matters, and that only for how many believe to hold the lease, because
the store has the last word: what a holder commits under :meth:`Lease.guard` has the document's revision as a
precondition. A holder that was paused, cut off or declared dead for whatever reason can therefore commit nothing after
another one has taken over. To lose the lease at any moment is harmless.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import cast

from .errors import Conflict, LeaseLost
from .store.base import ABSENT, Document, JsonObject, Store, Transaction

#: What keys of leases begin with. They are a store's own: no copy or backup of its state takes them along.
PREFIX = "lease/"


@dataclass(frozen=True, slots=True)
class Held:
    """What the document of a lease says. Times are unix seconds by the holder's clock, for people to read.

    *holder* is empty when the lease was released. *token* is another one in every process, *process* says on which
    machine it runs and as what, *ttl* is in seconds.
    """

    holder: str
    fence: int
    since: float
    until: float
    ttl: float
    token: str
    process: str


class Lease:
    """The lease *name* in *store*, as the candidate *holder* sees it. Safe to call from any thread.

    *ttl* is in seconds; a candidate waits for its own or the holder's, whichever is longer. *clock* gives unix seconds,
    *monotonic* seconds since whenever. *process* identifies this process, and *gone* says of another process that it
    certainly is no more (of a former one on this machine): then nobody has to wait.
    All methods that reach the store raise ``StoreUnavailable``.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        holder: str,
        clock: Callable[[], float],
        ttl: float,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        process: str = "",
        gone: Callable[[str], bool] = lambda _process: False,
        random: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        self.key = PREFIX + name
        self._store = store
        self._holder = holder
        self._clock = clock
        self._ttl = ttl
        self._monotonic = monotonic
        self._process = process
        self._gone = gone
        self._token = random(16).hex()
        self._lock = threading.Lock()  # nothing below changes while a guarded commit runs
        self._mine: tuple[int, Held] | None = None  # the revision of the document that is ours
        self._good_until = 0.0  # by the monotonic clock: until then nobody can have taken over
        self._seen: tuple[int, float] | None = None  # a revision of somebody else's, and when it was seen first

    @property
    def ttl(self) -> float:
        """Seconds that the lease is held without renewal."""
        return self._ttl

    @property
    def fence(self) -> int | None:
        """The number of this tenure; ``None`` if the lease is not held, or was not renewed in time."""
        mine = self._mine
        return None if mine is None or self._monotonic() >= self._good_until else mine[1].fence

    def acquire(self) -> int | None:
        """Take the lease if it is free, or keep it; returns its fence, or ``None`` while somebody else has it."""
        with self._lock:
            found = self._read()
            if found is not None and found[1].token == self._token:
                return self._write(found[0].revision, found[1])  # ours, also if we were not told that it was written
            self._mine = None
            if found is None:
                return self._take(ABSENT, 0)
            document, held = found
            if held.holder and not self._gone(held.process) and not self._expired(document.revision, held):
                return None
            return self._take(document.revision, held.fence)

    def renew(self) -> bool:
        """Keep the lease for another *ttl* seconds; false if it was lost."""
        with self._lock:
            if self._mine is not None and self._write(*self._mine) is not None:
                return True
            # A renewal whose answer got lost has moved the revision on.
            found = self._read()
            if self._mine is not None and found is not None and found[1].token == self._token:
                return self._write(found[0].revision, found[1]) is not None
            self._mine = None
            return False

    def release(self) -> None:
        """Give up the lease, if it is held, so that another takes it at once. A guarded commit ends first."""
        with self._lock:
            mine, self._mine = self._mine, None
            if mine is None:
                return
            revision, held = mine
            now = self._clock()
            free = Held("", held.fence, now, now, self._ttl, "", "")
            try:
                self._store.commit(Transaction({self.key: revision}, {self.key: _value(free)}))
            except Conflict:
                return  # somebody else has it already

    def holder(self) -> Held | None:
        """Who has the lease by the store's word, alive or not; ``None`` if nobody has."""
        found = self._read()
        return None if found is None or not found[1].holder else found[1]

    def is_mine(self, held: Held) -> bool:
        """Whether *held* is a tenure of this candidate."""
        return held.token == self._token

    @contextmanager
    def guard(self) -> Iterator[Mapping[str, int]]:
        """The precondition of a commit that only the holder may make; the lease is not renewed meanwhile.

        Raises :class:`LeaseLost` if it is not held, and in place of ``Conflict`` where the lease is the reason.
        """
        with self._lock:
            if self._mine is None or self._monotonic() >= self._good_until:
                raise LeaseLost(f"this controller does not hold {self.key} (any more): another one may go on")
            try:
                yield {self.key: self._mine[0]}
            except Conflict:
                found = self._read()
                if found is not None and found[0].revision == self._mine[0]:
                    raise
                if found is not None and found[1].token == self._token:
                    self._mine = (found[0].revision, found[1])
                    raise
                self._mine = None
                who = "nobody" if found is None or not found[1].holder else found[1].holder
                raise LeaseLost(f"{self.key} is lost, {who} has it now; nothing was written") from None

    # -- inside -----------------------------------------------------------------------------

    def _expired(self, revision: int, held: Held) -> bool:
        now = self._monotonic()
        if self._seen is None or self._seen[0] != revision:
            self._seen = (revision, now)
        return now - self._seen[1] >= max(self._ttl, held.ttl)

    def _take(self, revision: int, fence: int) -> int | None:
        now = self._clock()
        held = Held(self._holder, fence + 1, now, now, self._ttl, self._token, self._process)
        self._seen = None
        return self._write(revision, held)

    def _write(self, revision: int, held: Held) -> int | None:
        """Write *held*, renewed from now on; returns its fence, or ``None`` if somebody else was faster."""
        began = self._monotonic()  # before the commit: a candidate cannot have seen it earlier
        renewed = Held(
            self._holder, held.fence, held.since, self._clock() + self._ttl, self._ttl, self._token, self._process
        )
        try:
            at = self._store.commit(Transaction({self.key: revision}, {self.key: _value(renewed)}))
        except Conflict:
            return None
        self._mine, self._good_until = (at, renewed), began + self._ttl
        return renewed.fence

    def _read(self) -> tuple[Document, Held] | None:
        document = self._store.get(self.key)
        return None if document is None else (document, _held(document.value))


def _value(held: Held) -> JsonObject:
    return asdict(held)


def _held(value: JsonObject) -> Held:
    number = {name: float(cast(float, value[name])) for name in ("since", "until", "ttl")}
    text = {name: str(value[name]) for name in ("holder", "token", "process")}
    return Held(fence=int(cast(int, value["fence"])), **number, **text)  # type: ignore[arg-type]
