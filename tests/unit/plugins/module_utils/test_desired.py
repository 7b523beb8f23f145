# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what a task wants to one write, to none, or to a second try."""

from __future__ import annotations

import pytest
from ansible_collections.arca.dns.plugins.module_utils.ansible.desired import (
    record_set_absent,
    record_set_present,
    zone_absent,
    zone_present,
)
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.client.base import (
    Difference,
    Outcome,
    Plan,
    Record,
    RecordSet,
    Write,
    ZoneContent,
    ZoneState,
)
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.errors import AlreadyExists, NotFound, StaleVersion

ZONE = "example.com"
CONTENT = ZoneContent("@ NS ns.example.")
DONE = Outcome(Plan(), changed=True, applied=True, version="v2", serial=2)


def state(version="v1", **settings):
    return ZoneState("example.com.", version, 1, 3, None, None, settings, "", "")


class FakeClient:
    """Has the states that it is given, one for each time it is asked; a write raises or returns what comes next."""

    def __init__(self, states, answers=(DONE,), ds=None):
        self.states = list(states)
        self.answers = list(answers)
        self.children = ds or {}
        self.calls = []

    def zone(self, name):
        found = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if found is None:
            raise NotFound(f"there is no zone {name}")
        return found

    def ds(self, name):
        if name not in self.children:
            raise NotFound(f"there is no zone {name}")
        return self.children[name]

    def _write(self, *call):
        self.calls.append(call)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def create_zone(self, name, content, write, settings=None):
        return self._write("create", name, content, write, settings)

    def replace_zone(self, name, content, write, settings=None):
        return self._write("replace", name, content, write, settings)

    def delete_zone(self, name, write):
        return self._write("delete", name, write)

    def put_record_set(self, zone, owner, rdtype, values, ttl, write):
        return self._write("put", zone, owner, rdtype, values, ttl, write)

    def delete_record_set(self, zone, owner, rdtype, write):
        return self._write("remove", zone, owner, rdtype, write)


def test_a_zone_that_is_missing_is_created():
    client = FakeClient([None])
    result = zone_present(client, ZONE, CONTENT, Write(reason="r"), settings={"dnssec": False})
    assert client.calls == [("create", ZONE, CONTENT, Write(reason="r"), {"dnssec": False})]
    assert result.outcome is DONE
    assert (result.settings_before, result.settings_after) == ({}, {"dnssec": False})


def test_a_zone_that_is_there_is_replaced_at_the_version_that_was_read():
    client = FakeClient([state()])
    zone_present(client, ZONE, CONTENT, Write(force=True))
    assert client.calls == [("replace", ZONE, CONTENT, Write("v1", force=True), None)]


def test_settings_that_are_not_given_stay():
    client = FakeClient([state(dnssec=True, serial="increment")])
    result = zone_present(client, ZONE, CONTENT, Write(), settings={"dnssec": False})
    assert client.calls[0][4] == {"dnssec": False, "serial": "increment"}
    assert result.settings_before == {"dnssec": True, "serial": "increment"}


@pytest.mark.parametrize("error", [StaleVersion("moved on", "v2"), AlreadyExists("created meanwhile")])
def test_a_write_that_was_overtaken_is_computed_again_once(error):
    client = FakeClient([state("v1"), state("v2")], [error, DONE])
    assert zone_present(client, ZONE, CONTENT, Write()).outcome is DONE
    assert [call[3].if_version for call in client.calls] == ["v1", "v2"]
    client = FakeClient([state()], [error, error, DONE])
    with pytest.raises(type(error)):
        zone_present(client, ZONE, CONTENT, Write())
    assert len(client.calls) == 2


def test_the_ds_records_of_delegations_are_added():
    client = FakeClient([None], ds={"dev.example.com": ["1 13 2 AB"], "plain.example.com.": []})
    content = ZoneContent("text", (Record("x", "A", ("192.0.2.1",)),))
    zone_present(client, ZONE, content, Write(), delegations=["dev.example.com", "plain.example.com."])
    assert client.calls[0][2].records == (
        Record("x", "A", ("192.0.2.1",)),
        Record("dev.example.com.", "DS", ("1 13 2 AB",)),
    )


def test_a_delegation_that_is_missing_is_an_error_and_in_a_dry_run_a_note():
    with pytest.raises(NotFound):
        zone_present(FakeClient([None]), ZONE, CONTENT, Write(), delegations=["dev.example.com"])
    client = FakeClient([None])
    result = zone_present(client, ZONE, CONTENT, Write(dry_run=True), delegations=["dev.example.com"])
    assert client.calls[0][2].records == ()
    assert result.notes == ("the zone dev.example.com does not exist yet: its DS records are not in this plan",)


def test_a_zone_that_is_missing_need_not_be_removed():
    client = FakeClient([None])
    result = zone_absent(client, ZONE, Write())
    assert client.calls == []
    assert (result.outcome.changed, result.outcome.version) == (False, None)


def test_a_zone_is_removed_at_the_version_that_was_read():
    client = FakeClient([state()])
    assert zone_absent(client, ZONE, Write(force=True)).outcome is DONE
    assert client.calls == [("delete", ZONE, Write("v1", force=True))]


def test_a_zone_that_somebody_else_removed_meanwhile_is_no_change():
    client = FakeClient([state()], [NotFound("gone")])
    assert zone_absent(client, ZONE, Write()).outcome.changed is False


def test_an_rrset_is_written_at_the_version_that_was_read():
    client = FakeClient([state()])
    record_set_present(client, ZONE, "www", "A", ["192.0.2.1"], 60, Write())
    assert client.calls == [("put", ZONE, "www", "A", ["192.0.2.1"], 60, Write("v1"))]


def test_an_rrset_needs_its_zone():
    with pytest.raises(NotFound):
        record_set_present(FakeClient([None]), ZONE, "www", "A", ["192.0.2.1"], 60, Write())


def test_an_rrset_of_a_zone_that_an_earlier_task_would_create_is_a_change_with_a_note():
    result = record_set_present(FakeClient([None]), ZONE, "www", "a", ["192.0.2.1"], None, Write(dry_run=True))
    assert result.outcome.changed
    assert result.outcome.plan.differences == (
        Difference(None, RecordSet("www.example.com.", "A", 3600, ("192.0.2.1",))),
    )
    assert result.notes == ("the zone example.com does not exist yet: this fails unless it is created before",)


def test_an_rrset_is_removed_and_not_from_a_zone_that_is_missing():
    client = FakeClient([state()])
    record_set_absent(client, ZONE, "www", "A", Write())
    assert client.calls == [("remove", ZONE, "www", "A", Write("v1"))]
    client = FakeClient([None])
    assert record_set_absent(client, ZONE, "www", "A", Write()).outcome.changed is False
    assert client.calls == []
