# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Ansible shows of a write: plan, diff, warnings, failures."""

from __future__ import annotations

import pytest
from ansible_collections.arca.dns.plugins.module_utils.ansible import results
from ansible_collections.arca.dns.plugins.module_utils.ansible.desired import Result
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.client.base import Difference, Outcome, Plan, RecordSet
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.errors import Place, ZoneTextError

WWW = RecordSet("www.example.com.", "A", 60, ("192.0.2.1", "192.0.2.2"))
OLD = RecordSet("old.example.com.", "TXT", 5, ('"x"',))
MX1 = RecordSet("example.com.", "MX", 60, ("10 a.",))
MX2 = RecordSet("example.com.", "MX", 90, ("20 a.",))
PLAN = Plan((Difference(OLD, None), Difference(MX1, MX2), Difference(None, WWW)), ("careful",), ("too much",))


class Module:
    """What the results need of AnsibleModule."""

    def __init__(self, check_mode=False, diff=False):
        self.check_mode = check_mode
        self._diff = diff
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)


def result(**changes):
    values = {"plan": PLAN, "changed": True, "applied": True, "version": "v2", "serial": 6, **changes}
    return Result(Outcome(**values), notes=("noted",))


def test_a_plan_is_shown_in_three_lists():
    shown = results.plan(result().outcome)
    assert shown["adds"] == [{"name": "www.example.com.", "type": "A", "ttl": 60, "values": ["192.0.2.1", "192.0.2.2"]}]
    assert [(change["before"]["ttl"], change["after"]["ttl"]) for change in shown["changes"]] == [(60, 90)]
    assert [removal["name"] for removal in shown["removals"]] == ["old.example.com."]
    assert (shown["warnings"], shown["refusals"]) == (["careful"], ["too much"])


def test_a_diff_is_zone_file_lines_before_and_after():
    shown = results.written(Module(diff=True), result(), "example.com")["diff"]
    assert shown["before"] == 'old.example.com. 5 IN TXT "x"\nexample.com. 60 IN MX 10 a.\n'
    assert shown["after"] == (
        "example.com. 90 IN MX 20 a.\nwww.example.com. 60 IN A 192.0.2.1\nwww.example.com. 60 IN A 192.0.2.2\n"
    )
    assert shown["before_header"] == shown["after_header"] == "example.com"


def test_a_diff_shows_the_settings_that_change_and_no_others():
    outcome = Outcome(Plan(), changed=True, applied=True, version="v2", serial=2)
    shown = results.diff(
        Result(outcome, {"dnssec": True, "serial": "increment"}, {"dnssec": False, "serial": "increment", "new": 1}),
        "z",
    )
    assert (shown["before"], shown["after"]) == ("; dnssec: true\n", "; dnssec: false\n; new: 1\n")


def test_there_is_no_diff_unless_it_is_asked_for():
    assert "diff" not in results.written(Module(), result(), "example.com")


def test_notes_and_the_warnings_of_checks_are_warned_of():
    module = Module()
    results.written(module, result(), "example.com")
    assert module.warnings == ["example.com: noted", "example.com: careful"]


def test_check_mode_warns_of_a_refusal_to_come():
    module = Module(check_mode=True)
    results.written(module, result(applied=False), "example.com")
    assert module.warnings[-1] == "example.com: this will be refused without force: too much"


def test_a_version_that_is_not_served_is_warned_of():
    module = Module()
    shown = results.written(module, result(published=False, problem="no keys"), "example.com")
    assert module.warnings[-1] == "example.com: the new version is stored but not served yet: no keys"
    assert (shown["published"], shown["problem"]) == (False, "no keys")


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ((), "2 mistakes"),
        (
            (Place("bad address", line=3, column=7), Place("bad name", pointer="/records/1")),
            "2 mistakes:\n  line 3, column 7: bad address\n  /records/1: bad name",
        ),
    ],
)
def test_a_failure_lists_every_place_on_its_own_line(places, message):
    shown = results.failure(ZoneTextError("2 mistakes", places))
    assert shown["msg"] == message
    assert shown["code"] == "zone-text"
    assert [place["line"] for place in shown["places"]] == [place.line for place in places]
