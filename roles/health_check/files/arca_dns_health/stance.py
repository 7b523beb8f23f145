# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How a prefix should be announced: what the checks allow, less what soft reasons and the operator ask for.

Pure, like :mod:`.decision`, which says whether the prefix may be announced at all. What is less than that needs the
controller's lease, since another site has to be there for the traffic:

- soft reasons, ``degrade_threshold`` rounds in a row: announced in a way that attracts less (degraded), until
  ``recovery_threshold`` rounds without any, and no sooner than the hold-down after it began;
- a drain: announced with GRACEFUL_SHUTDOWN (RFC 8326) for ``drain_wait`` seconds, then withdrawn, until it ends;
- content that is wrong by itself, such as signatures that were not renewed in time: as a drain, as long as it lasts.
  It is no hard reason, since a server that serves what was published does its work, and all sites may serve the same.

A wish without a lease changes nothing, and neither does a controller that cannot be reached: what was entered stays.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from arca_dns.edge_files import Drain, Lease, Wish

from .decision import Decision, Health, Memory, Round, Thresholds
from .modes import Mode


class Condition(StrEnum):
    """How a prefix is, in one word for people and controllers."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    HELD_DOWN = "held-down"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class Softness:
    """When soft reasons and drains move. Counts are rounds in a row; durations are seconds."""

    degrade: int = 5
    recovery: int = 5
    dwell: float = 60.0
    drain_wait: float = 5.0


@dataclass(frozen=True, slots=True)
class Past:
    """What a restarted daemon must know besides what BIRD shows; times are monotonic seconds of the same boot.

    *leaving* is that it asked for a lease because of the content.
    """

    decision: Memory = field(default_factory=Memory)
    degraded_since: float | None = None
    draining_since: float | None = None
    leaving: bool = False


class _Lasting:
    """Whether reasons of one kind have lasted long enough to wish something, until they are away long enough."""

    def __init__(self, softness: Softness, *, wished: bool) -> None:
        self._softness = softness
        self._with = self._without = 0
        self.wished = wished

    def observe(self, found: bool, since: float | None, now: float) -> None:
        """Count a round; *since* is when what is wished was entered, if it was."""
        limits = self._softness
        self._with, self._without = (self._with + 1, 0) if found else (0, self._without + 1)
        if self._with >= limits.degrade:
            self.wished = True
        elif self.wished and self._without >= limits.recovery:
            self.wished = since is not None and now - since < limits.dwell

    def interrupt(self) -> None:
        """A round that says nothing of them."""
        self._with = self._without = 0


class Stance:
    """The stance on one prefix. With *drained* a drain was in force when the daemon ended, also before a boot."""

    def __init__(
        self, thresholds: Thresholds, softness: Softness, past: Past | None = None, *, drained: bool = False
    ) -> None:
        past = past or Past()
        self.decision = Decision(thresholds, past.decision)
        self._softness = softness
        self._degraded_since = past.degraded_since
        self._draining_since = past.draining_since
        self._drained = drained
        self._less = _Lasting(softness, wished=past.degraded_since is not None)
        self._gone = _Lasting(softness, wished=past.leaving)
        self._drain: Drain | None = None
        self._lease: Lease | None = None
        self.mode = Mode.WITHDRAWN

    @property
    def past(self) -> Past:
        """What to keep for :class:`Stance` after a restart of the daemon."""
        return Past(self.decision.memory, self._degraded_since, self._draining_since, self._gone.wished)

    @property
    def drained(self) -> bool:
        """Whether an operator's drain is in force; to be kept over a boot."""
        return self._drained and (self._drain is not None or not self._gone.wished)

    @property
    def wish(self) -> Wish | None:
        """What a lease is needed for, or held."""
        if self._drain is not None:
            return None if self._drain.forced else "drain"
        if self._gone.wished:
            return "drain"
        return "degrade" if self._less.wished else None

    @property
    def refusal(self) -> str | None:
        """Why what is wished is not done."""
        wish = self.wish
        if wish == "drain" and self._drained:
            return None
        if wish == "degrade" and self.mode is Mode.DEGRADED:
            return None
        if wish is None or self._granted(wish):
            return None
        if self._lease is not None and self._lease.wish == wish and self._lease.reason:
            return self._lease.reason
        return "no controller has granted it yet"

    @property
    def condition(self) -> Condition:
        """How the prefix is."""
        if self.drained:
            return Condition.DRAINED
        if self.decision.health is Health.UNKNOWN:
            return Condition.UNKNOWN
        if self.decision.health is Health.FAILED or not (self.decision.wanted or self.decision.recovered):
            return Condition.FAILED
        if self._gone.wished:
            return Condition.FAILED
        if not self.decision.wanted:
            return Condition.HELD_DOWN
        return Condition.DEGRADED if self._less.wished else Condition.HEALTHY

    @property
    def changing(self) -> bool:
        """Whether the next rounds may move the prefix: probe faster meanwhile."""
        return self.decision.changing or self.mode is Mode.DRAINING

    def adopt(self, mode: Mode) -> None:
        """Take over a prefix found in *mode*, so that a restart does not move it."""
        if mode is Mode.WITHDRAWN:
            return
        self.decision.adopt()
        if not self.decision.wanted:
            return
        self.mode = mode
        if mode is Mode.DEGRADED:
            self._less.wished = True
        elif mode is Mode.ANNOUNCED and self._drained:
            self._drained = False  # it was found announced: the drain that is asked for begins anew
            self._draining_since = None

    def observe(self, round_: Round, now: float, drain: Drain | None = None, lease: Lease | None = None) -> bool:
        """Take in one round; whether :attr:`mode` changed by it. *now* is monotonic seconds."""
        self.decision.observe(round_, now)
        undrained = self._drain is not None and drain is None
        self._drain, self._lease = drain, lease
        self._weigh(round_, now)
        if drain is None and (not self._gone.wished or (undrained and not self._granted("drain"))):
            self._drained, self._draining_since = False, None
        elif (drain is not None and drain.forced) or self._granted("drain"):
            self._drained = True
        before = self.mode
        self.mode = self._next(now)
        if self.mode is Mode.DEGRADED and before is not Mode.DEGRADED:
            self._degraded_since = now
        elif self.mode is not Mode.DEGRADED and not self._less.wished:
            self._degraded_since = None
        return self.mode is not before

    def _weigh(self, round_: Round, now: float) -> None:
        """Count rounds with and without soft reasons, and such in the content; one with hard ones tells of neither."""
        if round_.hard:
            self._less.interrupt()
            self._gone.interrupt()
        else:
            self._less.observe(bool(round_.soft), self._degraded_since, now)
            self._gone.observe(bool(round_.content), self._draining_since, now)

    def _next(self, now: float) -> Mode:
        if not self.decision.wanted or (self.mode is Mode.WITHDRAWN and not self.decision.recovered):
            return Mode.WITHDRAWN  # also when a drain ends in the middle of bad rounds
        if self._drained:
            if self.mode is Mode.WITHDRAWN and self._draining_since is None:
                return Mode.WITHDRAWN  # it came back to health while it is drained
            if self._draining_since is None:
                self._draining_since = now
            return Mode.DRAINING if now - self._draining_since < self._softness.drain_wait else Mode.WITHDRAWN
        if self._less.wished and (self.mode is Mode.DEGRADED or self._granted("degrade")):
            return Mode.DEGRADED
        return Mode.ANNOUNCED

    def _granted(self, wish: Wish) -> bool:
        """Whether there is a lease for *wish*; one to drain allows to degrade too."""
        lease = self._lease
        return lease is not None and lease.granted and lease.wish in (wish, "drain")
