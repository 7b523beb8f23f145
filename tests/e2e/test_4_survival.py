# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""4. Without the controller the edges answer, survive a reboot and announce again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support import EDGES, LAB, PREFIXES, announced, local, on, served, until


@pytest.fixture(scope="module")
def controller_stopped() -> Iterator[None]:
    on("controller", "systemctl", "stop", "arca-dns-controller")
    yield
    on("controller", "systemctl", "start", "arca-dns-controller")


def test_edges_answer_and_announce(controller_stopped: None) -> None:
    for edge in EDGES:
        assert served(edge, "arca.example.", "SOA")
        assert announced(edge) == set(PREFIXES)


@pytest.mark.parametrize("edge", EDGES)
def test_an_edge_survives_a_reboot_and_announces_again(controller_stopped: None, edge: str) -> None:
    expected = served(edge, "arca.example.", "SOA")
    boot = on(edge, "cat", "/proc/sys/kernel/random/boot_id").out
    started = on(edge, "stat", "-c", "%Y", "/proc/1").out
    local([LAB, "reboot", edge])
    until(f"{edge} announces again", lambda: announced(edge) == set(PREFIXES), seconds=90)
    assert (boot, started) != (
        on(edge, "cat", "/proc/sys/kernel/random/boot_id").out,
        on(edge, "stat", "-c", "%Y", "/proc/1").out,
    )
    assert on("controller", "systemctl", "is-active", "arca-dns-controller", check=False).out.strip() == "inactive"
    assert served(edge, "arca.example.", "SOA") == expected
