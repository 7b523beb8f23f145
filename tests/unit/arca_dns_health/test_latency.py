# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How long answers take: one slow one is no reason, many are, and they are forgotten."""

from __future__ import annotations

from arca_dns_health.latency import Latencies, LatencyLimit

LIMIT = LatencyLimit(limit=0.2, percentile=90, window=10)


def test_one_slow_round_among_many_is_no_reason() -> None:
    found = Latencies(LIMIT)
    for _ in range(9):
        assert found.observe([0.01, 0.02]) is None
    assert found.observe([0.5, 0.01]) is None


def test_slow_rounds_are_one_until_the_window_has_passed() -> None:
    found = Latencies(LIMIT)
    assert found.observe([0.3]) == "answers take 300 ms (p90 of the last 1 rounds), over 200 ms"
    for _ in range(9):
        found.observe([0.01])
    assert found.observe([0.01]) is None


def test_no_answer_at_all_says_nothing_of_latency() -> None:
    assert Latencies(LIMIT).observe([]) is None
