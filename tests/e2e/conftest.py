# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The lab, bare at first and then converged by the collection's own playbook, once for all end-to-end tests.

``ARCA_E2E_REUSE=1`` takes the lab that is up (for developing tests); the tests that need bare hosts then fail.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support import AT_ONCE, EDGES, LAB, PREFIXES, announced, local, playbook, until

REUSE = os.environ.get("ARCA_E2E_REUSE") == "1"


@dataclass(frozen=True)
class BareCheck:
    """What ``site.yml --check --diff`` said on hosts that have nothing yet."""

    counts: dict[str, dict[str, int]]
    output: str


@pytest.fixture(scope="session")
def bare_check() -> BareCheck:
    """Bare hosts, and the dry run of the whole site on them."""
    if REUSE:
        pytest.fail("this needs bare hosts: run without ARCA_E2E_REUSE")
    local([LAB, "down"])
    local([LAB, "up"])
    counts, output = playbook("site.yml", "--check", "--diff", *AT_ONCE, check=False)
    return BareCheck(counts, output)


@pytest.fixture(scope="session", autouse=True)
def site(request: pytest.FixtureRequest) -> Iterator[None]:
    """The lab as ``make demo`` leaves it."""
    if not REUSE:
        request.getfixturevalue("bare_check")
        playbook("site.yml")
    for edge in EDGES:
        until(f"{edge} announces", lambda edge=edge: announced(edge) == set(PREFIXES), seconds=60)
    yield
    if not REUSE:
        local([LAB, "down"])
