# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""ULIDs sort by their time, behind their predecessor, and tell their time."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from arca_dns import ulid

MOMENTS = st.integers(0, 2**48 - 2)


@given(MOMENTS, MOMENTS)
def test_they_sort_by_their_time_and_tell_it(one: int, other: int) -> None:
    made = [ulid.new((moment + 0.5) / 1000) for moment in (one, other)]
    if abs(one - other) > 1:  # a float of seconds is not exact to the millisecond
        assert (made[0] < made[1]) == (one < other)
    assert abs(ulid.milliseconds_of(made[0]) - one) <= 1
    assert ulid.least(ulid.milliseconds_of(made[0])) <= made[0] < ulid.least(ulid.milliseconds_of(made[0]) + 1)


def test_it_is_what_the_specification_shows() -> None:
    assert ulid.milliseconds_of("01ARYZ6S41TSV4RRFFQ69G5FAV") == 1469918176385
    assert ulid.least(1469918176385)[:10] == "01ARYZ6S41"


def test_one_that_follows_is_greater_even_if_the_clock_went_back() -> None:
    first = ulid.new(1000.0)
    second = ulid.new(10.0, first)
    assert second > first
    assert ulid.milliseconds_of(second) == 1_000_000


@pytest.mark.parametrize(
    "text", ["", "01ARYZ6S41TSV4RRFFQ69G5FA", "81ARYZ6S41TSV4RRFFQ69G5FAV", "01ARYZ6S41TSV4RRFFQ69G5FAI"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no ULID"):
        ulid.milliseconds_of(text)
