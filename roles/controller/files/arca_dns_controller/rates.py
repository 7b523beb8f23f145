# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How often callers may ask: reads and writes of each API key, and attempts without a known key from each address.

Each controller counts for itself, in memory. Edges are not counted: they ask as often as zones change.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from .config import Rate
from .problem import TooManyRequests, problem_response

_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_EXEMPT = "agent"
#: Callers that are remembered, those that asked last; one that is forgotten begins with a full bucket.
_CALLERS = 10_000


class Buckets:
    """Token buckets by caller: *rate* tokens come each second, up to *burst*. Safe to call from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._held: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller → tokens, and when

    def take(self, caller: str, rate: float, burst: float) -> float:
        """Take a token; 0 if there was one, else the seconds until there is."""
        now = self._clock()
        with self._lock:
            tokens, then = self._held.get(caller, (burst, now))
            tokens = min(burst, tokens + (now - then) * rate)
            missing = max(0.0, 1 - tokens)
            self._held[caller] = (tokens if missing else tokens - 1, now)
            self._held.move_to_end(caller)
            if len(self._held) > _CALLERS:
                self._held.popitem(last=False)
        return missing / rate


class Rates:
    """The limits of *rate*, which :meth:`set` replaces while requests come in."""

    def __init__(self, rate: Rate, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._buckets = Buckets(clock)

    def set(self, rate: Rate) -> None:
        """Use other limits from now on."""
        self._rate = rate

    def count(self, key: str, method: str) -> None:
        """Count a request with a known key. Raises :class:`TooManyRequests`."""
        reads = method in _READS
        limit = self._rate.read_per_second if reads else self._rate.write_per_second
        kind = "reads" if reads else "writes"
        if limit:
            wait = self._buckets.take(f"{kind} {key}", limit, limit * self._rate.burst_seconds)
            if wait:
                raise TooManyRequests(
                    f"this key has used its {limit:g} {kind} each second (api.rate), and what it had saved", wait
                )

    def count_failure(self, address: str) -> None:
        """Count a request without a known key. Raises :class:`TooManyRequests`."""
        limit = self._rate.failures_per_minute
        if limit:
            wait = self._buckets.take(f"failures {address}", limit / 60, limit)
            if wait:
                raise TooManyRequests("too many requests without a known API key came from this address", wait)


class RateLimit:
    """ASGI middleware behind the authentication: refuses with 429 what comes too often."""

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count, then pass on."""
        principal = scope.get("state", {}).get("principal")
        if scope["type"] == "http" and principal is not None and principal.role != _EXEMPT:
            try:
                self._rates.count(principal.id or principal.name, scope["method"])
            except TooManyRequests as error:
                await problem_response(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)
