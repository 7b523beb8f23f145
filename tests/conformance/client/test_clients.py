# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What every client does alike, whether the library is in process or behind a controller's API."""

from __future__ import annotations

import pytest

from arca_dns import errors
from arca_dns.client.base import Client, Difference, Record, RecordSet, Soa, Write, ZoneContent

pytestmark = pytest.mark.conformance

ZONE = "example.com"
TEXT = """\
$TTL 300
@ SOA ns1 hostmaster 7 10800 3600 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www 60 A 192.0.2.1
"""
WWW = RecordSet("www.example.com.", "A", 60, ("192.0.2.1",))


@pytest.fixture
def version(client: Client) -> str:
    """The version of a zone that is there."""
    created = client.create_zone(ZONE, ZoneContent(TEXT), Write(reason="first"))
    assert created.version is not None
    return created.version


def test_a_created_zone_is_as_it_was_written(client: Client) -> None:
    outcome = client.create_zone(ZONE, ZoneContent(TEXT), Write())
    assert (outcome.changed, outcome.applied, outcome.published, outcome.problem) == (True, True, True, None)
    assert len(outcome.plan.differences) == 4
    assert Difference(None, WWW) in outcome.plan.differences
    state = client.zone("EXAMPLE.com.")
    assert (state.name, state.version, state.serial) == ("example.com.", outcome.version, outcome.serial)
    assert (state.records, state.published_serial, state.problem) == (4, outcome.serial, None)
    assert state.settings["dnssec"] is True
    records = client.record_sets(ZONE)
    assert WWW in records
    assert next(one for one in records if one.type == "SOA").values[0].split()[2] == str(outcome.serial)


def test_a_zone_is_created_from_records(client: Client) -> None:
    records = (Record("@", "NS", ("ns1",)), Record("ns1", "A", ("192.0.2.53",)), Record("www", "A", ("192.0.2.1",), 60))
    client.create_zone(ZONE, ZoneContent(None, records, Soa("ns1")), Write())
    assert WWW in client.record_sets(ZONE)


def test_records_join_a_zone_file(client: Client) -> None:
    client.create_zone(ZONE, ZoneContent(TEXT, (Record("www", "A", ("192.0.2.2",)),)), Write())
    assert RecordSet("www.example.com.", "A", 60, ("192.0.2.1", "192.0.2.2")) in client.record_sets(ZONE)


def test_a_dry_run_plans_and_writes_nothing(client: Client) -> None:
    outcome = client.create_zone(ZONE, ZoneContent(TEXT), Write(dry_run=True))
    assert (outcome.changed, outcome.applied, outcome.version) == (True, False, None)
    assert Difference(None, WWW) in outcome.plan.differences
    with pytest.raises(errors.NotFound):
        client.zone(ZONE)


def test_a_zone_that_exists_is_not_created(client: Client, version: str) -> None:
    with pytest.raises(errors.AlreadyExists):
        client.create_zone(ZONE, ZoneContent(TEXT), Write())


def test_the_same_content_is_no_change(client: Client, version: str) -> None:
    again = TEXT.replace("www 60", "WWW.Example.COM. 60").replace(" 7 ", " 8 ")
    outcome = client.replace_zone(ZONE, ZoneContent(again), Write(version))
    assert (outcome.changed, outcome.applied, outcome.version) == (False, False, version)
    assert outcome.plan.differences == ()


def test_a_replacement_shows_what_it_does(client: Client, version: str) -> None:
    text = TEXT.replace("192.0.2.1", "192.0.2.2") + "new TXT x\n"
    planned = client.replace_zone(ZONE, ZoneContent(text), Write(version, dry_run=True))
    outcome = client.replace_zone(ZONE, ZoneContent(text), Write(version, reason="second"))
    assert planned.plan == outcome.plan
    assert planned.applied is False
    assert outcome.plan.differences == (
        Difference(WWW, RecordSet("www.example.com.", "A", 60, ("192.0.2.2",))),
        Difference(None, RecordSet("new.example.com.", "TXT", 300, ('"x"',))),
    )
    assert client.zone(ZONE).version == outcome.version != version


def test_a_write_on_an_old_version_is_stale_and_names_the_current_one(client: Client, version: str) -> None:
    text = TEXT + "new TXT x\n"
    current = client.replace_zone(ZONE, ZoneContent(text), Write(version)).version
    for write in (
        lambda: client.replace_zone(ZONE, ZoneContent(TEXT), Write(version)),
        lambda: client.put_record_set(ZONE, "www", "A", ["192.0.2.9"], None, Write(version)),
        lambda: client.delete_record_set(ZONE, "www", "A", Write(version)),
        lambda: client.delete_zone(ZONE, Write(version, force=True)),
    ):
        with pytest.raises(errors.StaleVersion) as caught:
            write()
        assert caught.value.current == current
    assert client.zone(ZONE).version == current


def test_every_line_with_a_mistake_is_named(client: Client, version: str) -> None:
    text = TEXT + "a A 192.0.2.256\nb NOTYPE x\nc MX mail\n"
    with pytest.raises(errors.ZoneTextError) as caught:
        client.replace_zone(ZONE, ZoneContent(text), Write(version))
    assert [place.line for place in caught.value.places] == [6, 7, 8]
    assert client.zone(ZONE).version == version


def test_the_record_with_a_mistake_is_named(client: Client) -> None:
    records = (Record("x", "A", ("192.0.2.1", "nonsense")),)
    with pytest.raises(errors.ZoneTextError) as caught:
        client.create_zone(ZONE, ZoneContent(TEXT, records), Write())
    assert [place.pointer for place in caught.value.places] == ["/records/0/values/1"]


def test_content_that_breaks_the_rules_of_dns_is_refused(client: Client) -> None:
    with pytest.raises(errors.ChecksFailed) as caught:
        client.create_zone(ZONE, ZoneContent(TEXT + "www CNAME ns1\n"), Write())
    assert caught.value.places


def test_a_plan_that_empties_a_zone_needs_force(client: Client, version: str) -> None:
    text = "@ 300 SOA ns1 hostmaster 7 10800 3600 1209600 300\n@ 300 NS ns.example.net.\n"
    planned = client.replace_zone(ZONE, ZoneContent(text), Write(version, dry_run=True))
    assert planned.plan.refusals
    with pytest.raises(errors.PlanRefused):
        client.replace_zone(ZONE, ZoneContent(text), Write(version))
    assert client.zone(ZONE).version == version
    assert client.replace_zone(ZONE, ZoneContent(text), Write(version, force=True)).applied


def test_settings_alone_are_a_change(client: Client, version: str) -> None:
    settings = {**client.zone(ZONE).settings, "dnssec": False}
    outcome = client.replace_zone(ZONE, ZoneContent(TEXT), Write(version), settings)
    assert (outcome.changed, outcome.applied, outcome.plan.differences) == (True, True, ())
    assert client.zone(ZONE).settings["dnssec"] is False
    again = client.replace_zone(ZONE, ZoneContent(TEXT), Write(outcome.version), settings)
    assert again.changed is False


def test_settings_that_do_not_exist_are_named(client: Client) -> None:
    with pytest.raises(errors.InputError) as caught:
        client.create_zone(ZONE, ZoneContent(TEXT), Write(), {"dnsec": True})
    assert [place.pointer for place in caught.value.places] == ["/settings/dnsec"]


def test_an_rrset_is_added_changed_and_removed(client: Client, version: str) -> None:
    added = client.put_record_set(ZONE, "new", "TXT", ['"a"', '"b"'], 60, Write(version))
    assert added.plan.differences == (Difference(None, RecordSet("new.example.com.", "TXT", 60, ('"a"', '"b"'))),)
    again = client.put_record_set(ZONE, "NEW.example.com.", "txt", ['"b"', '"a"'], None, Write(added.version))
    assert again.changed is False
    changed = client.put_record_set(ZONE, "new", "TXT", ['"c"'], None, Write(added.version))
    assert changed.plan.differences[0].after == RecordSet("new.example.com.", "TXT", 60, ('"c"',))
    removed = client.delete_record_set(ZONE, "new", "TXT", Write(changed.version))
    assert removed.plan.differences == (Difference(RecordSet("new.example.com.", "TXT", 60, ('"c"',)), None),)
    nothing = client.delete_record_set(ZONE, "new", "TXT", Write(removed.version))
    assert (nothing.changed, nothing.version) == (False, removed.version)


def test_a_new_rrset_at_the_apex_has_the_default_ttl(client: Client, version: str) -> None:
    outcome = client.put_record_set(ZONE, "@", "TXT", ['"a"'], None, Write(version))
    assert outcome.plan.differences == (Difference(None, RecordSet("example.com.", "TXT", 3600, ('"a"',))),)


def test_a_value_that_is_none_is_named(client: Client, version: str) -> None:
    with pytest.raises(errors.ZoneTextError) as caught:
        client.put_record_set(ZONE, "x", "A", ["192.0.2.1", "nonsense"], 60, Write(version))
    assert [place.pointer for place in caught.value.places] == ["/values/1"]


@pytest.mark.parametrize(("owner", "rdtype"), [("a..b", "A"), ("x", "NOTYPE"), ("x.example.net.", "A")])
def test_a_name_or_type_that_is_none_is_refused(client: Client, version: str, owner: str, rdtype: str) -> None:
    with pytest.raises(errors.InputError):
        client.put_record_set(ZONE, owner, rdtype, ["192.0.2.1"], 60, Write(version))


def test_a_zone_is_deleted(client: Client, version: str) -> None:
    client.create_zone("example.net", ZoneContent(TEXT), Write())
    planned = client.delete_zone(ZONE, Write(version, dry_run=True))
    assert (planned.changed, planned.applied) == (True, False)
    outcome = client.delete_zone(ZONE, Write(version))
    assert (outcome.changed, outcome.applied) == (True, True)
    assert {one.after for one in outcome.plan.differences} == {None}
    with pytest.raises(errors.NotFound):
        client.zone(ZONE)


def test_a_deleted_zone_is_listed_and_comes_back(client: Client, version: str) -> None:
    client.create_zone("example.net", ZoneContent(TEXT), Write())
    before = client.zone(ZONE)
    client.delete_zone(ZONE, Write(version, reason="cleaning"))
    note = next(one for one in client.deleted_zones() if one.name == before.name)
    assert (note.last, note.records, note.settings) == (version, before.records, before.settings)
    assert (note.created, note.reason) == (before.created, "cleaning")
    assert not client.undelete_zone(ZONE, Write(dry_run=True)).applied
    outcome = client.undelete_zone(ZONE, Write(reason="oops"))
    assert (outcome.changed, outcome.applied, outcome.published) == (True, True, True)
    assert {one.before for one in outcome.plan.differences} == {None}
    assert client.zone(ZONE).serial == outcome.serial > before.serial
    assert before.name not in {one.name for one in client.deleted_zones()}
    with pytest.raises(errors.AlreadyExists):
        client.undelete_zone(ZONE, Write())


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.zone("no.example"),
        lambda client: client.undelete_zone("no.example", Write()),
        lambda client: client.record_sets("no.example"),
        lambda client: client.ds("no.example"),
        lambda client: client.replace_zone("no.example", ZoneContent(TEXT), Write()),
        lambda client: client.delete_zone("no.example", Write()),
        lambda client: client.put_record_set("no.example", "@", "A", ["192.0.2.1"], 60, Write()),
        lambda client: client.delete_record_set("no.example", "@", "A", Write()),
    ],
)
def test_a_zone_that_is_missing_is_not_found(client: Client, use) -> None:
    with pytest.raises(errors.NotFound):
        use(client)


def test_all_zones_are_listed(client: Client) -> None:
    names = [f"z{number}.example." for number in range(5)]
    for name in names:
        client.create_zone(name, ZoneContent(TEXT), Write(), {"dnssec": False})
    assert sorted(state.name for state in client.zones()) == names


def test_ds_are_given_for_signed_zones_only(client: Client, version: str) -> None:
    ds = client.ds(ZONE, (2, 4))
    assert [value.split()[1:3] for value in ds] == [["13", "2"], ["13", "4"]]
    assert [len(value.split()[3]) for value in ds] == [64, 96]
    client.create_zone("plain.example", ZoneContent(TEXT), Write(), {"dnssec": False})
    assert client.ds("plain.example") == []


@pytest.mark.parametrize(
    "zone", ["0/26.2.0.192.in-addr.arpa", "xn--bcher-kva.example", "_tcp.example", "a\\.b.example"]
)
def test_unusual_zone_names_work(client: Client, zone: str) -> None:
    text = TEXT.replace("www", "*.www")
    client.create_zone(zone, ZoneContent(text), Write(), {"dnssec": False})
    state = client.zone(zone)
    assert state.name == f"{zone}."
    outcome = client.put_record_set(zone, "*.www", "A", ["192.0.2.9"], None, Write(state.version))
    assert outcome.plan.differences[0].after == RecordSet(f"*.www.{zone}.", "A", 60, ("192.0.2.9",))
