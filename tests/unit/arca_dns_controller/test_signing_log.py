# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The log tells of long signings, and of those only."""

from __future__ import annotations

from structlog.testing import capture_logs

from arca_dns_controller.signing_log import SigningLog


def test_a_long_signing_is_told_now_and_then() -> None:
    now = [0.0]
    tell = SigningLog(lambda: now[0])
    with capture_logs() as lines:
        for done in range(0, 35):
            now[0] = float(done)
            tell(b"\x07example\0", "signing names", done, 40)
    assert [line["done"] for line in lines] == [10, 20, 30]
    assert lines[0]["zone"] == "example."
    assert lines[0]["total"] == 40


def test_short_signings_of_one_zone_are_not_taken_for_a_long_one() -> None:
    now = [0.0]
    tell = SigningLog(lambda: now[0])
    with capture_logs() as lines:
        for _signing in range(5):
            now[0] += 30
            tell(b"\x07example\0", "signing names", 1, 1)
    assert not lines
