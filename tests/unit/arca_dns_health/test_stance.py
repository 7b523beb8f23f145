# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The stance on one prefix, and the laws that hold for several edges with one controller, whatever happens to them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings, strategies as st

from arca_dns.edge_files import Drain, Lease, Wish
from arca_dns_health.decision import Round, Thresholds
from arca_dns_health.modes import Mode
from arca_dns_health.stance import Condition, Softness, Stance

GOOD, SLOW, BAD = Round(), Round(soft=("took 300 ms",)), Round(hard=("no answer",))
LOST = Round(notes=("the agent cannot reach its controller",))
EXPIRED = Round(content=("bogus: expired",))
LIMITS = Thresholds(failure=3, recovery=4, hold_down=60, hold_down_max=600, flap_window=600, flap_limit=2)
SOFT = Softness(degrade=3, recovery=4, dwell=30, drain_wait=5)
PREFIX = "203.0.113.53/32"
DRAIN, FORCED = Drain(PREFIX, "now"), Drain(PREFIX, "now", forced=True)


def lease(wish: Wish, granted: bool = True) -> Lease:
    return Lease(PREFIX, wish, granted, "" if granted else "no spare site")


class One:
    """A prefix with a clock; each round takes a second."""

    def __init__(self) -> None:
        self.stance, self.now = Stance(LIMITS, SOFT), 0.0
        self.feed(GOOD, LIMITS.recovery)
        assert self.stance.mode is Mode.ANNOUNCED

    def feed(self, kind: Round, count: int = 1, drain: Drain | None = None, given: Lease | None = None) -> Mode:
        for _ in range(count):
            self.now += 1
            self.stance.observe(kind, self.now, drain, given)
        return self.stance.mode


def test_soft_reasons_wish_and_a_lease_lets_them_degrade() -> None:
    one = One()
    assert one.feed(SLOW, SOFT.degrade - 1) is Mode.ANNOUNCED
    assert one.stance.wish is None
    assert one.feed(SLOW) is Mode.ANNOUNCED
    assert (one.stance.wish, one.stance.condition) == ("degrade", Condition.DEGRADED)
    assert one.feed(SLOW, given=lease("degrade", granted=False)) is Mode.ANNOUNCED
    assert one.stance.refusal == "no spare site"
    assert one.feed(SLOW, given=lease("degrade")) is Mode.DEGRADED
    assert one.stance.refusal is None


def test_a_degraded_prefix_stays_so_for_a_while_and_without_a_controller() -> None:
    one = One()
    one.feed(SLOW, SOFT.degrade, given=lease("degrade"))
    assert one.stance.mode is Mode.DEGRADED
    assert one.feed(GOOD, int(SOFT.dwell) - 1) is Mode.DEGRADED
    assert one.feed(GOOD, 2) is Mode.ANNOUNCED
    assert one.stance.wish is None


def test_a_controller_out_of_reach_is_no_reason_for_anything() -> None:
    one = One()
    assert one.feed(LOST, 100) is Mode.ANNOUNCED
    assert one.stance.wish is None
    assert one.stance.condition is Condition.HEALTHY
    assert one.stance.decision.reasons == LOST.notes


def test_a_hard_reason_withdraws_what_is_degraded_or_draining() -> None:
    one = One()
    one.feed(SLOW, SOFT.degrade, given=lease("degrade"))
    assert one.feed(BAD, LIMITS.failure) is Mode.WITHDRAWN
    other = One()
    assert other.feed(GOOD, 1, FORCED) is Mode.DRAINING
    assert other.feed(BAD, LIMITS.failure, FORCED) is Mode.WITHDRAWN


def test_a_drain_waits_for_the_traffic_to_go_and_then_withdraws() -> None:
    one = One()
    assert one.feed(GOOD, 1, DRAIN) is Mode.ANNOUNCED
    assert one.feed(GOOD, 1, DRAIN, lease("drain")) is Mode.DRAINING
    assert one.feed(GOOD, 4, DRAIN) is Mode.DRAINING
    assert one.feed(GOOD, 1, DRAIN) is Mode.WITHDRAWN
    assert one.stance.condition is Condition.DRAINED
    assert one.feed(GOOD, 50, DRAIN, lease("drain", granted=False)) is Mode.WITHDRAWN, "what was entered stays"
    assert one.feed(GOOD) is Mode.ANNOUNCED


def test_a_drained_prefix_that_fails_and_recovers_stays_drained() -> None:
    one = One()
    one.feed(GOOD, 10, FORCED)
    one.feed(BAD, 5, FORCED)
    assert one.feed(GOOD, 20, FORCED) is Mode.WITHDRAWN
    assert one.stance.condition is Condition.DRAINED


def test_a_drain_that_ends_while_it_waits_goes_back_at_once() -> None:
    one = One()
    one.feed(GOOD, 2, FORCED)
    assert one.feed(GOOD) is Mode.ANNOUNCED


def test_wrong_content_withdraws_with_a_lease_only() -> None:
    one = One()
    assert one.feed(EXPIRED, SOFT.degrade - 1) is Mode.ANNOUNCED
    assert one.stance.wish is None
    assert one.feed(EXPIRED, 1000) is Mode.ANNOUNCED, "all other sites may serve the same"
    assert (one.stance.wish, one.stance.condition) == ("drain", Condition.FAILED)
    assert one.feed(EXPIRED, given=lease("drain", granted=False)) is Mode.ANNOUNCED
    assert one.stance.refusal == "no spare site"
    assert one.feed(EXPIRED, given=lease("drain")) is Mode.DRAINING
    assert one.feed(EXPIRED, int(SOFT.drain_wait)) is Mode.WITHDRAWN
    assert one.stance.refusal is None
    assert (one.stance.condition, one.stance.drained) == (Condition.FAILED, False)


def test_it_comes_back_when_the_content_is_right_again_and_no_sooner_than_after_a_while() -> None:
    one = One()
    one.feed(EXPIRED, SOFT.degrade, given=lease("drain"))
    assert one.feed(GOOD, int(SOFT.dwell) - 1) is Mode.WITHDRAWN
    assert one.feed(GOOD, 2) is Mode.ANNOUNCED
    assert one.stance.wish is None


def test_a_restart_in_the_middle_of_wrong_content_moves_nothing() -> None:
    one = One()
    one.feed(EXPIRED, SOFT.degrade + 10, given=lease("drain"))
    one.stance = Stance(LIMITS, SOFT, one.stance.past, drained=one.stance.drained)
    one.stance.adopt(Mode.WITHDRAWN)
    assert one.stance.wish == "drain"
    assert one.feed(EXPIRED, 50, given=lease("drain")) is Mode.WITHDRAWN


def test_the_end_of_a_forced_drain_brings_wrong_content_back_where_no_other_site_is() -> None:
    one = One()
    one.feed(EXPIRED, 20, FORCED)
    assert one.stance.mode is Mode.WITHDRAWN
    assert one.feed(EXPIRED, given=lease("drain", granted=False)) is Mode.ANNOUNCED


def test_an_operators_drain_goes_on_when_the_content_is_right_again() -> None:
    one = One()
    one.feed(EXPIRED, 20, DRAIN, lease("drain"))
    assert one.feed(GOOD, 200, DRAIN, lease("drain")) is Mode.WITHDRAWN
    assert one.stance.condition is Condition.DRAINED


def test_conditions_are_told_apart() -> None:
    fresh = Stance(LIMITS, SOFT)
    assert fresh.condition is Condition.UNKNOWN
    one = One()
    assert one.stance.condition is Condition.HEALTHY
    one.feed(BAD, 1)
    assert one.stance.condition is Condition.FAILED
    for _ in range(LIMITS.flap_limit):
        one.feed(BAD, LIMITS.failure)
        one.feed(GOOD, LIMITS.recovery)
    assert one.stance.condition is Condition.HELD_DOWN
    assert one.stance.mode is Mode.WITHDRAWN


# -- several edges, one controller --------------------------------------------------------------


@dataclass
class Site:
    """An edge of the simulation: what its checks find, what was asked of it, what it last heard."""

    stance: Stance = field(default_factory=lambda: Stance(LIMITS, SOFT))
    kind: Round = GOOD
    drain: Drain | None = None
    lease: Lease | None = None
    bird: Mode = Mode.WITHDRAWN

    def restart(self, boot: bool) -> None:
        """The daemon begins anew; after a boot BIRD announces nothing and files in /run are gone."""
        past = None if boot else self.stance.past
        drained = self.stance.drained
        if boot:
            self.bird, self.lease = Mode.WITHDRAWN, None
        self.stance = Stance(LIMITS, SOFT, past, drained=drained)
        self.stance.adopt(self.bird)


class Controller:
    """Grants as the real one does: while another site announces the prefix the normal way and holds no lease.

    One that fails its own checks does not count.
    """

    def __init__(self) -> None:
        self.holders: set[str] = set()
        self.seen: dict[str, tuple[Mode, Condition]] = {}

    def ask(self, name: str, wish: Wish | None) -> Lease | None:
        if wish is None:
            self.holders.discard(name)
            return None
        left = [
            one
            for one, (mode, condition) in self.seen.items()
            if mode is Mode.ANNOUNCED and condition is not Condition.FAILED and one not in self.holders | {name}
        ]
        granted = name in self.holders or bool(left)
        if granted:
            self.holders.add(name)
        return Lease(PREFIX, wish, granted, "" if granted else "no spare site")


NAMES = ("edge1", "edge2", "edge3")
KINDS = {"good": GOOD, "slow": SLOW, "bad": BAD, "expired": EXPIRED}
EVENTS = (*KINDS, "drain", "undrain", "restart", "boot", "lost", "found")
history = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(EVENTS), st.integers(1, 12)), max_size=40)


@settings(max_examples=150)
@given(history)
def test_the_laws_of_several_edges(events: list[tuple[str, str, int]]) -> None:
    sites, controller, now, reachable = {name: Site() for name in NAMES}, Controller(), 0.0, True
    hard = dict.fromkeys(NAMES, 0)  # rounds with a hard reason in a row
    fit = dict.fromkeys(NAMES, 0)  # and without

    def act(name: str, event: str) -> None:
        nonlocal reachable
        site = sites[name]
        if event in KINDS:
            site.kind = KINDS[event]
        elif event in ("drain", "undrain"):
            site.drain = DRAIN if event == "drain" else None
        elif event in ("restart", "boot"):
            site.restart(event == "boot")
            hard[name] = fit[name] = 0
        else:
            reachable = event == "found"

    for name, event, seconds in [("edge1", "good", 6), *events]:
        act(name, event)
        for _second in range(seconds):
            now += 1
            for one, site in sites.items():
                hard[one], fit[one] = (hard[one] + 1, 0) if site.kind.hard else (0, fit[one] + 1)
                before = site.bird
                site.stance.observe(site.kind, now, site.drain, site.lease)
                site.bird = site.stance.mode
                if before is Mode.WITHDRAWN and site.bird is not Mode.WITHDRAWN:
                    assert not site.kind.hard, "never announced without a passing hard check"
                    assert site.bird is Mode.ANNOUNCED or site.drain or site.lease
                if before is not Mode.WITHDRAWN and site.bird is Mode.WITHDRAWN:
                    led = site.stance.drained or one in controller.holders
                    assert hard[one] >= LIMITS.failure or led, "never withdrawn for a soft reason, or for the content"
                if site.bird in (Mode.DEGRADED, Mode.DRAINING) and before is Mode.ANNOUNCED:
                    assert one in controller.holders, "what is less than announced has a lease"
            if reachable:
                for one, site in sites.items():
                    controller.seen[one] = site.bird, site.stance.condition
                    site.lease = controller.ask(one, site.stance.wish)
            healthy = [
                one
                for one, site in sites.items()
                if fit[one] > LIMITS.recovery and not site.stance.decision.held_for(now)
            ]
            if len(healthy) == len(NAMES) and controller.holders:
                assert any(site.bird is Mode.ANNOUNCED for site in sites.values()), "the last site is never taken"


def test_a_day_of_churn_leaves_nothing_behind() -> None:
    one = One()
    for minute in range(24 * 60):
        drain = FORCED if minute % 97 == 0 else None
        given = lease("degrade") if minute % 13 == 0 else None
        one.feed((GOOD, SLOW, BAD, GOOD)[minute % 4], 60, drain, given)
    past = one.stance.past
    assert len(past.decision.withdrawals) <= LIMITS.flap_window / LIMITS.failure
    assert one.feed(GOOD, 700) is Mode.ANNOUNCED
