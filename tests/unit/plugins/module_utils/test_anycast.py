# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How an edge's prefixes come to the wanted state, and what a task is told."""

from __future__ import annotations

import pytest
from ansible_collections.arca.dns.plugins.module_utils.ansible.anycast import brought, confirm
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.edge_files import Drain
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.errors import PlanRefused

V4, V6 = "203.0.113.53/32", "2001:db8::53/128"


class FakeDraining:
    """An edge on which what is asked is done at once, or *refused*."""

    def __init__(self, *drains, refused=None):
        self.drains = {drain.prefix: drain for drain in drains}
        self.refused = refused
        self.waited = []

    def prefixes(self, named):
        return list(named) or [V4, V6]

    def drained(self):
        return dict(self.drains)

    def states(self):
        return [
            {
                "prefix": prefix,
                "mode": "withdrawn" if prefix in self.drains else "announced",
                "condition": "drained" if prefix in self.drains else "healthy",
                "since": "now",
                "refusal": None,
            }
            for prefix in (V4, V6)
        ]

    def drain(self, prefixes, reason, *, forced):
        self.drains.update({prefix: Drain(prefix, "now", reason, forced) for prefix in prefixes})
        return list(prefixes)

    def undrain(self, prefixes):
        for prefix in prefixes:
            self.drains.pop(prefix, None)

    def wait_drained(self, prefixes, timeout, asked):
        self.waited.append(timeout)
        if self.refused:
            self.undrain(prefixes)
            raise PlanRefused(self.refused)

    def wait_announced(self, prefixes, timeout):
        self.waited.append(timeout)


def bring(edge, state, *named, reason="", timeout=60, check_mode=False):
    return brought(edge, state, named, reason, timeout, check_mode=check_mode)


def test_a_drain_is_a_change_once():
    edge = FakeDraining()
    result = bring(edge, "drained", reason="disk")
    assert result["changed"]
    assert [one["mode"] for one in result["prefixes"]] == ["withdrawn", "withdrawn"]
    assert result["diff"]["before"] == f"{V4} announced\n{V6} announced\n"
    assert result["diff"]["after"] == f"{V4} withdrawn\n{V6} withdrawn\n"
    assert edge.drains[V4].reason == "disk"
    again = bring(edge, "drained")
    assert not again["changed"]
    assert again["diff"]["before"] == again["diff"]["after"]


def test_a_drain_that_was_there_keeps_its_reason_and_tells_it():
    edge = FakeDraining(Drain(V4, "then", "disk"))
    edge.drain = lambda prefixes, reason, forced: edge.drains.update({V6: Drain(V6, "now", reason, forced)}) or [V6]
    first, second = bring(edge, "drained", reason="restart")["prefixes"]
    assert first["drain"] == {"since": "then", "reason": "disk", "forced": False}
    assert second["drain"] == {"since": "now", "reason": "restart", "forced": False}
    assert bring(FakeDraining(), "announced")["prefixes"][0]["drain"] is None


def test_the_peer_is_asked_until_it_agrees_on_every_prefix():
    answers = {V4: [False, True], V6: [True]}
    asked, slept = [], []

    def confirmed(prefix):
        asked.append(prefix)
        return answers[prefix].pop(0)

    confirm([V4, V6], confirmed, 60, lambda: 0.0, slept.append)
    assert asked == [V4, V6, V4]
    assert slept == [1.0]


def test_a_peer_that_does_not_agree_is_said_and_what_was_done_stays():
    clock = iter(range(100))
    with pytest.raises(PlanRefused, match=r"does not confirm 203\.0\.113\.53/32; what was done stays"):
        confirm([V4, V6], lambda prefix: prefix == V6, 3, lambda: next(clock), lambda seconds: None)


def test_one_prefix_may_be_meant():
    edge = FakeDraining()
    assert [one["prefix"] for one in bring(edge, "drained", V4)["prefixes"]] == [V4]
    assert list(edge.drains) == [V4]


def test_withdrawn_needs_no_lease():
    edge = FakeDraining(Drain(V4, "now"), Drain(V6, "now"))
    assert bring(edge, "withdrawn")["changed"]
    assert all(drain.forced for drain in edge.drains.values())


def test_announced_ends_a_drain():
    edge = FakeDraining(Drain(V4, "now"))
    assert bring(edge, "announced")["changed"]
    assert edge.drains == {}
    assert not bring(edge, "announced")["changed"]


def test_check_mode_says_what_would_move_and_moves_nothing():
    edge = FakeDraining()
    result = bring(edge, "drained", check_mode=True)
    assert result["changed"]
    assert result["diff"]["after"] == f"{V4} withdrawn\n{V6} withdrawn\n"
    assert edge.drains == {}


def test_without_wait_nothing_is_waited_for():
    edge = FakeDraining()
    bring(edge, "drained", timeout=None)
    assert edge.waited == []


def test_a_refused_drain_fails_with_the_reason():
    with pytest.raises(PlanRefused, match="no spare site"):
        bring(FakeDraining(refused="no spare site"), "drained")
