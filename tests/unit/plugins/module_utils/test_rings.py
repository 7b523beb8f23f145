# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a ring comes to the wanted state, and how a task waits for it."""

from __future__ import annotations

import pytest
from ansible_collections.arca.dns.plugins.module_utils.ansible.rings import promoted
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.client.base import Promote
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.errors import NotFound, PlanRefused

ANSWER = {"changed": True, "added": 0, "modified": 1, "removed": 0, "zones": {"changed": ["example.com."]}}


class FakeClient:
    """Answers a promotion with *first*, and then shows *states*, one for each time it is asked."""

    def __init__(self, first, states=(), **answer):
        self.first = first
        self.states = [None, *states]
        self.answer = answer
        self.asked = []

    def promote(self, ring, wanted):
        self.asked.append((ring, wanted))
        return {**ANSWER, **self.answer, "promotion": {"ring": ring, "state": self.first, "blocked": ["x"]}}

    def rings(self):
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        promotion = state if state is None or isinstance(state, dict) else {"state": state, "blocked": ["x"]}
        return [{"ring": "stable", "promotion": promotion}]


class Time:
    """A clock that sleeping moves."""

    def __init__(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def bring(client, wait=True, timeout=60, ring="stable", **wanted):
    time = Time()
    return promoted(client, ring, Promote(**wanted), wait, timeout, sleep=time.sleep, monotonic=lambda: time.now)


def test_what_goes_at_once_is_a_change_with_the_names_of_the_zones():
    result = bring(FakeClient("promoted"))
    assert result["changed"]
    assert result["diff"]["after"] == "changed example.com.\n"
    assert result["promotion"]["state"] == "promoted"


def test_what_the_ring_has_already_is_no_change():
    assert not bring(FakeClient("promoted", changed=False, modified=0))["changed"]


def test_it_waits_for_the_gates():
    result = bring(FakeClient("waiting", ["waiting", "waiting", "promoted"]))
    assert (result["changed"], result["promotion"]["state"]) == (True, "promoted")


def test_without_wait_it_does_not():
    assert bring(FakeClient("waiting"), wait=False)["promotion"]["state"] == "waiting"


def test_who_waits_too_long_is_told_for_what():
    with pytest.raises(PlanRefused, match="still waits after 60 s: x"):
        bring(FakeClient("waiting", ["waiting"]))


def test_an_abort_by_somebody_else_fails_the_task():
    with pytest.raises(PlanRefused, match="was aborted"):
        bring(FakeClient("waiting", ["aborted"]))


def test_check_mode_does_not_wait():
    client = FakeClient("waiting")
    assert bring(client, dry_run=True)["changed"]
    assert client.asked[0][1].dry_run


def test_a_task_that_is_run_again_does_not_soak_anew():
    waiting = {"state": "waiting", "blocked": [], "revision": 7, "soak_seconds": 600, "source": "canary"}
    client = FakeClient("waiting", ["promoted"])
    client.states = [waiting, waiting, "promoted"]
    assert bring(client, soak_seconds=600)["changed"]
    assert client.asked == []


def test_one_that_may_go_back_replaces_the_one_that_waits_and_may_not():
    client = FakeClient("waiting", ["promoted"])
    client.states = [{"state": "waiting", "blocked": [], "soak_seconds": 0, "rollback": False}, "promoted"]
    assert bring(client, rollback=True)["changed"]
    assert client.asked == [("stable", Promote(rollback=True))]


def test_a_ring_that_is_none_is_said():
    with pytest.raises(NotFound, match="no ring 'beta'"):
        bring(FakeClient("waiting"), ring="beta")
