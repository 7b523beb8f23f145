# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""An operator's own check: real commands, which end, say nothing, hang, or are not there."""

from __future__ import annotations

import asyncio

from arca_dns_health.command import Verdict, verdict


def said(*argv: str, timeout: float = 10.0) -> Verdict:
    return asyncio.run(verdict(argv, timeout))


def test_the_exit_status_is_the_verdict_and_the_first_line_the_reason() -> None:
    assert said("/bin/sh", "-c", "echo fine; exit 0") == Verdict()
    assert said("/bin/sh", "-c", "echo warm; echo more; exit 1") == Verdict(soft="sh: warm")
    assert said("/bin/sh", "-c", "echo dead >&2; exit 2") == Verdict(hard="sh: dead")
    assert said("/bin/sh", "-c", "exit 3") == Verdict(hard="sh: exit status 3")


def test_what_cannot_be_run_is_only_soft() -> None:
    assert said("/nonexistent/check") == Verdict(soft="check cannot be run: No such file or directory")


def test_what_hangs_is_killed_and_only_soft() -> None:
    assert said("/bin/sleep", "60", timeout=0.05) == Verdict(soft="sleep took longer than 0.05 s")
