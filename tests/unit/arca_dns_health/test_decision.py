# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The decision about one prefix: laws that hold for every history of rounds, and the paths that people ask about."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns_health.decision import Decision, Health, Memory, Round, Thresholds

GOOD = Round()
SLOW = Round(soft=("took 300 ms",))
BAD = Round(hard=("no answer",))
LIMITS = Thresholds(failure=3, recovery=5, hold_down=60, hold_down_max=600, flap_window=600, flap_limit=3)

rounds = st.sampled_from([GOOD, SLOW, BAD])
#: Rounds, each with the seconds that pass before it.
histories = st.lists(st.tuples(rounds, st.floats(min_value=0.1, max_value=120)), max_size=300)
limits = st.builds(
    Thresholds,
    failure=st.integers(1, 5),
    recovery=st.integers(1, 8),
    hold_down=st.floats(1, 100),
    hold_down_max=st.floats(100, 1000),
    flap_window=st.floats(1, 2000),
    flap_limit=st.integers(1, 5),
)


def feed(decision: Decision, kind: Round, count: int, now: float = 0.0, every: float = 1.0) -> float:
    for _ in range(count):
        now += every
        decision.observe(kind, now)
    return now


def announced(thresholds: Thresholds = LIMITS) -> Decision:
    decision = Decision(thresholds)
    feed(decision, GOOD, thresholds.recovery)
    return decision


def flap(decision: Decision, now: float) -> float:
    """One withdrawal, and the way back up to where only a hold-down can stop it."""
    return feed(decision, GOOD, LIMITS.recovery, feed(decision, BAD, LIMITS.failure, now))


def test_it_starts_withdrawn_and_knows_nothing() -> None:
    decision = Decision(LIMITS)
    assert not decision.wanted
    assert decision.health is Health.UNKNOWN


def test_it_announces_with_the_last_of_the_good_rounds_asked_for() -> None:
    decision = Decision(LIMITS)
    feed(decision, GOOD, LIMITS.recovery - 1)
    assert not decision.wanted
    assert decision.observe(GOOD, 100)
    assert decision.wanted


def test_one_bad_round_starts_the_count_of_good_ones_anew() -> None:
    decision = Decision(LIMITS)
    feed(decision, GOOD, LIMITS.recovery - 1)
    feed(decision, BAD, 1)
    feed(decision, GOOD, LIMITS.recovery - 1)
    assert not decision.wanted


def test_it_withdraws_with_the_last_of_the_bad_rounds_allowed() -> None:
    decision = announced()
    feed(decision, BAD, LIMITS.failure - 1)
    assert decision.wanted
    assert decision.changing
    assert decision.observe(BAD, 100)
    assert not decision.wanted


def test_soft_reasons_degrade_and_are_good_enough_to_announce() -> None:
    decision = Decision(LIMITS)
    feed(decision, SLOW, LIMITS.recovery)
    assert decision.wanted
    assert decision.health is Health.DEGRADED
    assert decision.reasons == ("took 300 ms",)


def test_few_withdrawals_are_not_held_down() -> None:
    decision = announced()
    now = flap(decision, 0)
    assert decision.wanted
    flap(decision, now)
    assert decision.wanted


def test_flapping_is_held_down_and_each_further_flap_doubles_it_up_to_the_limit() -> None:
    decision = announced()
    now = 0.0
    held = []
    for flaps in range(1, 10):
        now = flap(decision, now)
        held.append(decision.held_for(now) + LIMITS.recovery if flaps >= LIMITS.flap_limit else 0.0)
        now += decision.held_for(now)
        decision.observe(GOOD, now)
        assert decision.wanted
    assert held[:6] == [0, 0, 60, 120, 240, 480]
    assert max(held) <= LIMITS.hold_down_max


def test_withdrawals_are_forgotten_after_the_window() -> None:
    decision = announced()
    now = flap(decision, flap(decision, 0.0))
    now = flap(decision, now + LIMITS.flap_window + 1)
    assert decision.wanted


def test_an_adopted_prefix_stays_until_the_bad_rounds_are_counted() -> None:
    decision = Decision(LIMITS)
    decision.adopt()
    assert decision.wanted
    feed(decision, BAD, LIMITS.failure)
    assert not decision.wanted


def test_what_the_rounds_have_condemned_is_not_adopted() -> None:
    decision = Decision(LIMITS)
    feed(decision, BAD, LIMITS.failure)
    decision.adopt()
    assert not decision.wanted


def test_a_restarted_daemon_goes_on_holding_down() -> None:
    decision = announced()
    now = 0.0
    for _ in range(LIMITS.flap_limit):
        now = flap(decision, now)
    heir = Decision(LIMITS, decision.memory)
    feed(heir, GOOD, LIMITS.recovery, now)
    assert not heir.wanted
    assert heir.held_for(now) == pytest.approx(decision.held_for(now))


def test_a_memory_of_nothing_is_that_of_a_fresh_start() -> None:
    assert Decision(LIMITS).memory == Memory()


@given(limits, histories)
def test_it_is_never_announced_without_enough_good_rounds_in_a_row(
    thresholds: Thresholds, history: list[tuple[Round, float]]
) -> None:
    decision, now, row = Decision(thresholds), 0.0, 0
    for kind, pause in history:
        now += pause
        row = 0 if kind.hard else row + 1
        if decision.observe(kind, now) and decision.wanted:
            assert row >= thresholds.recovery


@given(limits, histories)
def test_it_is_never_withdrawn_without_enough_bad_rounds_in_a_row(
    thresholds: Thresholds, history: list[tuple[Round, float]]
) -> None:
    decision, now, row = Decision(thresholds), 0.0, 0
    for kind, pause in history:
        now += pause
        row = row + 1 if kind.hard else 0
        if decision.observe(kind, now) and not decision.wanted:
            assert row >= thresholds.failure


@given(limits, histories)
def test_it_is_withdrawn_after_enough_bad_rounds_whatever_came_before(
    thresholds: Thresholds, history: list[tuple[Round, float]]
) -> None:
    decision, now = Decision(thresholds), 0.0
    for kind, pause in history:
        now += pause
        decision.observe(kind, now)
    feed(decision, BAD, thresholds.failure, now)
    assert not decision.wanted


@given(limits, histories)
def test_it_comes_back_no_faster_than_the_hold_down(thresholds: Thresholds, history: list[tuple[Round, float]]) -> None:
    decision, now, closed_until = Decision(thresholds), 0.0, 0.0
    withdrawals: list[float] = []
    for kind, pause in history:
        now += pause
        if not decision.observe(kind, now):
            continue
        if decision.wanted:
            assert now >= closed_until
        else:
            withdrawals = [then for then in withdrawals if then >= now - thresholds.flap_window] + [now]
            if len(withdrawals) >= thresholds.flap_limit:
                closed_until = now + min(thresholds.hold_down, thresholds.hold_down_max)


@given(limits, histories, st.integers(0, 300))
def test_a_restart_in_the_middle_changes_no_announcement(
    thresholds: Thresholds, history: list[tuple[Round, float]], at: int
) -> None:
    decision, now = Decision(thresholds), 0.0
    for kind, pause in history[:at]:
        now += pause
        decision.observe(kind, now)
    heir = Decision(thresholds, decision.memory)
    if decision.wanted:
        heir.adopt()
    assert heir.wanted == decision.wanted
    assert heir.held_for(now) == decision.held_for(now)


@given(limits, histories)
def test_the_end_of_trouble_brings_it_back(thresholds: Thresholds, history: list[tuple[Round, float]]) -> None:
    decision, now = Decision(thresholds), 0.0
    for kind, pause in history:
        now += pause
        decision.observe(kind, now)
    now += thresholds.hold_down_max
    feed(decision, GOOD, thresholds.recovery, now)
    assert decision.wanted
