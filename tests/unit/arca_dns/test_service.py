# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The use cases on a memory store: plans, refusals, fencing, versions, publication."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.documents import Dirty, ZoneSettings, dirty_key, encode
from arca_dns.errors import (
    AlreadyExists,
    ArcaError,
    ChecksFailed,
    InputError,
    NotFound,
    PlanRefused,
    StaleVersion,
)
from arca_dns.publish.head import Head, HeadKey, open_head
from arca_dns.service import Service
from arca_dns.store.base import Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change, Thresholds
from arca_dns.zone.text import parse
from clock import Clock

ZONE = names.from_text("example.com.")

TEXT = """\
$ORIGIN example.com.
$TTL 3600
@ SOA ns1 hostmaster 10 7200 3600 1209600 3600
@ NS ns1
@ NS ns2
ns1 A 192.0.2.1
ns2 A 192.0.2.2
www A 192.0.2.80
mail A 192.0.2.25
@ MX 10 mail
*.wild TXT "any"
a.b.c A 192.0.2.3
ftp CNAME www
t1 TXT "1"
t2 TXT "2"
"""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def head_key() -> HeadKey:
    return HeadKey.generate()


@pytest.fixture
def service(clock: Clock, head_key: HeadKey) -> Iterator[Service]:
    made = Service(MemoryStore(), MemoryKeyStore(), head_key, clock=clock)
    yield made
    made.close()


def rrsets(text: str = TEXT) -> tuple[rr.RRset, ...]:
    return parse(text).rrsets


def create(service: Service, text: str = TEXT, settings: ZoneSettings | None = None) -> str:
    outcome = service.create_zone(parse(text).origin, rrsets(text), actor="alice", settings=settings)
    assert outcome.published, outcome.problem
    assert outcome.version is not None
    return outcome.version


def a_change(owner: str, address: str) -> Change:
    name = names.from_text(owner, ZONE)
    rdata = bytes(int(part) for part in address.split("."))
    return Change(name, rr.A, rr.RRset.of(name, rr.A, 300, [rdata]))


def head(service: Service, clock: Clock, head_key: HeadKey) -> Head:
    return open_head(service.head(), [head_key.public], ring="stable", now=int(clock.now), minimum_revision=0)


def test_a_created_zone_is_published_signed_and_verifies(service: Service, clock: Clock) -> None:
    version = create(service)
    info = service.zone(ZONE)
    assert info.source.version == version
    published, tree = service.signed_zone(ZONE)
    assert published.source == version
    verify_zone(tree, int(clock.now))
    assert len(service.ds(ZONE)) == 1


def test_the_serial_of_a_zone_file_is_kept_on_creation(service: Service) -> None:
    create(service)
    assert service.zone(ZONE).source.serial == 10
    published, _tree = service.signed_zone(ZONE)
    assert published.serial == 10


def test_content_reads_back_as_it_was_written(service: Service) -> None:
    create(service)
    assert tuple(service.rrsets(ZONE)) == rrsets()


def test_a_zone_is_created_once(service: Service) -> None:
    create(service)
    with pytest.raises(AlreadyExists):
        create(service)


def test_a_dry_run_tells_the_plan_and_writes_nothing(service: Service) -> None:
    outcome = service.create_zone(ZONE, rrsets(), actor="alice", dry_run=True)
    assert outcome.changed
    assert not outcome.applied
    assert len(outcome.plan.diffs) == len(rrsets())
    with pytest.raises(NotFound):
        service.zone(ZONE)


def test_a_change_moves_version_serial_and_head(service: Service, clock: Clock, head_key: HeadKey) -> None:
    first = create(service)
    before = head(service, clock, head_key)
    outcome = service.change_zone(ZONE, [a_change("www", "192.0.2.81")], if_version=first, actor="bob", reason="move")
    assert outcome.changed
    assert outcome.published, outcome.problem
    assert head(service, clock, head_key).revision == before.revision + 1
    published, tree = service.signed_zone(ZONE)
    assert published.source == outcome.version
    assert rr.serial_newer(published.serial, 10)
    verify_zone(tree, int(clock.now))
    assert service.rrset(ZONE, names.from_text("www", ZONE), rr.A) == a_change("www", "192.0.2.81").rrset


def test_a_change_to_what_is_there_already_changes_nothing(service: Service) -> None:
    version = create(service)
    service.change_zone(ZONE, [a_change("www", "192.0.2.81")], if_version=version, actor="bob")
    current = service.zone(ZONE).source.version
    outcome = service.change_zone(ZONE, [a_change("www", "192.0.2.81")], if_version=None, actor="bob")
    assert not outcome.changed
    assert service.zone(ZONE).source.version == current


def test_replacing_with_another_serial_only_changes_nothing(service: Service) -> None:
    version = create(service)
    text = TEXT.replace("hostmaster 10 ", "hostmaster 11 ")
    assert not service.replace_zone(ZONE, rrsets(text), if_version=version, actor="a").changed


def test_a_write_on_a_stale_version_is_refused_and_names_the_current_one(service: Service) -> None:
    first = create(service)
    service.change_zone(ZONE, [a_change("www", "192.0.2.81")], if_version=first, actor="bob")
    with pytest.raises(StaleVersion) as caught:
        service.change_zone(ZONE, [a_change("www", "192.0.2.82")], if_version=first, actor="carol")
    assert caught.value.current == service.zone(ZONE).source.version


def test_an_emptying_plan_needs_force(service: Service) -> None:
    create(service)
    kept = "".join(TEXT.splitlines(keepends=True)[:7])
    with pytest.raises(PlanRefused, match="force"):
        service.replace_zone(ZONE, rrsets(kept), if_version=None, actor="a")
    assert service.replace_zone(ZONE, rrsets(kept), if_version=None, actor="a", force=True).applied


def test_a_change_of_the_apex_name_servers_needs_force(service: Service) -> None:
    create(service)
    text = TEXT.replace("@ NS ns2\n", "")
    with pytest.raises(PlanRefused, match="NS"):
        service.replace_zone(ZONE, rrsets(text), if_version=None, actor="a")


def test_a_zone_that_breaks_rules_is_refused_with_every_error(service: Service) -> None:
    create(service)
    both = [
        Change(ftp := names.from_text("ftp", ZONE), rr.A, rr.RRset.of(ftp, rr.A, 300, [b"\1\2\3\4"])),
        Change(ds := names.from_text("nods", ZONE), rr.DS, rr.RRset.of(ds, rr.DS, 300, [b"\0\1\15\2" + bytes(32)])),
    ]
    with pytest.raises(ChecksFailed) as caught:
        service.change_zone(ZONE, both, if_version=None, actor="a")
    assert len(caught.value.places) == 2


def test_a_ttl_that_outlives_its_signatures_is_refused(service: Service) -> None:
    create(service)
    owner = names.from_text("www", ZONE)
    change = Change(owner, rr.A, rr.RRset.of(owner, rr.A, 864000, [b"\1\2\3\4"]))
    with pytest.raises(ChecksFailed, match="TTL 864000"):
        service.change_zone(ZONE, [change], if_version=None, actor="a")


def test_versions_diff_and_rollback(service: Service, clock: Clock) -> None:
    first = create(service)
    clock.now += 5
    second = service.change_zone(ZONE, [a_change("www", "192.0.2.81")], if_version=first, actor="bob", reason="move")
    clock.now += 5
    assert second.version is not None
    (difference,) = service.diff(ZONE, first, second.version)
    assert difference.owner == names.from_text("www", ZONE)
    back = service.rollback(ZONE, first, if_version=second.version, actor="carol")
    assert rr.serial_newer(back.serial, second.serial)
    versions = service.versions(ZONE)
    assert [version.actor for version in versions] == ["alice", "bob", "carol"]
    assert versions[0].root == versions[2].root
    assert versions[1].reason == "move"
    _published, tree = service.signed_zone(ZONE)
    verify_zone(tree, int(clock.now))


def test_a_rollback_is_judged_by_the_zone_s_own_thresholds(service: Service) -> None:
    first = create(service)
    hosts = [a_change(f"h{number}", "192.0.2.1") for number in range(10)]
    second = service.change_zone(ZONE, hosts, if_version=first, actor="a").version
    planned = service.rollback(ZONE, first, if_version=second, actor="a", dry_run=True)
    assert (planned.applied, len(planned.plan.refusals)) == (False, 1)
    with pytest.raises(PlanRefused, match="removes or changes 10 of 22"):
        service.rollback(ZONE, first, if_version=second, actor="a")
    assert service.zone(ZONE).source.version == second
    settings = ZoneSettings(thresholds=Thresholds(share=0.5))
    third = service.replace_zone(ZONE, tuple(service.rrsets(ZONE)), if_version=second, actor="a", settings=settings)
    assert service.rollback(ZONE, first, if_version=third.version, actor="a", reason="back").applied
    assert service.versions(ZONE)[-1].reason == "back"


def test_deleting_the_last_zone_needs_force_and_keeps_its_history(
    service: Service, clock: Clock, head_key: HeadKey
) -> None:
    version = create(service)
    with pytest.raises(PlanRefused, match="last zone"):
        service.delete_zone(ZONE, if_version=version, actor="a")
    service.delete_zone(ZONE, if_version=version, actor="a", force=True)
    now = head(service, clock, head_key)
    assert now.catalog is None
    assert now.mass_removal == now.revision
    with pytest.raises(NotFound):
        service.zone(ZONE)
    create(service, TEXT.replace("hostmaster 10 ", "hostmaster 9 "))
    assert rr.serial_newer(service.zone(ZONE).source.serial, 10), "a zone that returns must not go back"


def test_a_signed_zone_that_a_hosted_parent_delegates_to_is_not_deleted_lightly(service: Service) -> None:
    create(service, TEXT + "child NS ns1\nchild DS 1 13 2 " + "ab" * 32 + "\n")
    child = names.from_text("child.example.com.")
    create(service, TEXT.replace("$ORIGIN example.com.", "$ORIGIN child.example.com."))
    with pytest.raises(PlanRefused, match=r"example\.com\. still delegates"):
        service.delete_zone(child, if_version=None, actor="a")


def test_an_unsigned_zone_has_no_ds_and_no_signatures(service: Service) -> None:
    create(service, settings=ZoneSettings(dnssec=False))
    assert service.ds(ZONE) == ()
    _published, tree = service.signed_zone(ZONE)
    assert all(record.rdtype != rr.RRSIG for _owner, data in tree.items() for record in rr.iterate(data))


@pytest.mark.parametrize("policy", [{}, {"denial": "nsec3"}, {"keys": "csk"}])
def test_policies_are_settings_and_a_change_of_policy_signs_anew(
    service: Service, clock: Clock, policy: dict[str, str]
) -> None:
    create(service)
    outcome = service.replace_zone(
        ZONE, rrsets(), if_version=None, actor="a", settings=ZoneSettings(policy={**policy, "dnskey_ttl": 1800})
    )
    assert outcome.published, outcome.problem
    _published, tree = service.signed_zone(ZONE)
    verify_zone(tree, int(clock.now))
    assert (tree.nsec3.root is not None) == (policy.get("denial") == "nsec3")


def test_unknown_settings_are_named() -> None:
    with pytest.raises(InputError) as caught:
        ZoneSettings.from_json({"dnsec": True, "serial": "dates", "policy": {"algoritm": 13}})
    assert {place.pointer for place in caught.value.places} == {
        "/settings/dnsec",
        "/settings/serial",
        "/settings/policy/algoritm",
    }


def test_maintenance_renews_the_head_in_time(service: Service, clock: Clock, head_key: HeadKey) -> None:
    create(service)
    first = head(service, clock, head_key)
    clock.now += 60
    service.maintain()
    assert head(service, clock, head_key) == first, "nothing was due"
    clock.now = first.expires - 10
    service.maintain()
    renewed = head(service, clock, head_key)
    assert renewed.revision == first.revision + 1
    assert renewed.expires > first.expires


def test_maintenance_signs_again_what_is_due_and_always_in_time(service: Service, clock: Clock) -> None:
    create(service)
    for _ in range(40):
        clock.now += 86400
        service.maintain()
        published, tree = service.signed_zone(ZONE)
        verify_zone(tree, int(clock.now))
        assert published.earliest_expiry > clock.now + 3 * 86400


class Crowded(MemoryStore):
    """A store where somebody else may come first, just before a commit."""

    first: Callable[[], object] | None = None

    def commit(self, transaction: Transaction) -> int:
        go, self.first = self.first, None
        if go is not None:
            go()
        return super().commit(transaction)


def test_two_controllers_sign_what_is_due_once(clock: Clock, head_key: HeadKey) -> None:
    store, keys = Crowded(), MemoryKeyStore()
    one, other = (Service(store, keys, head_key, clock=clock) for _ in range(2))
    create(one)
    clock.now += 11 * 86400
    before = one.publisher.line()
    assert before is not None
    store.first = other.maintain
    one.maintain()
    after = one.publisher.line()
    assert after is not None
    assert after.head.revision == before.head.revision + 1
    assert len(store.scan("publication/")) == 2


def test_a_deletion_while_the_zone_is_being_published_goes_through(clock: Clock, head_key: HeadKey) -> None:
    store = Crowded()
    service = Service(store, MemoryKeyStore(), head_key, clock=clock)
    version = create(service)
    note = Transaction(writes={dirty_key(ZONE): encode(Dirty(names.to_text(ZONE), problem="it moves"))})

    def moves() -> None:
        MemoryStore.commit(store, note)
        store.first = moves

    store.first = moves
    assert service.delete_zone(ZONE, if_version=version, actor="alice", force=True).applied
    assert service.zones() == []


def test_writes_that_race_are_all_kept(service: Service) -> None:
    create(service)
    failures: list[ArcaError] = []

    def write(number: int) -> None:
        for i in range(5):
            try:
                service.change_zone(ZONE, [a_change(f"h{number}-{i}", f"192.0.2.{number}")], if_version=None, actor="t")
            except ArcaError as error:
                failures.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    written = {rrset.owner for rrset in service.rrsets(ZONE)}
    lost = [n for n in range(4) for i in range(5) if names.from_text(f"h{n}-{i}", ZONE) not in written]
    assert len(lost) == len(failures)
    chain = service.versions(ZONE)
    assert [version.parent for version in chain[1:]] == [version.version for version in chain[:-1]]
    published, _tree = service.signed_zone(ZONE)
    assert published.source == service.zone(ZONE).source.version


def test_a_waiter_gets_the_next_head(service: Service) -> None:
    version = create(service)
    revision = service.head().revision()
    got: list[int] = []
    waiter = threading.Thread(
        target=lambda: got.extend(head.revision() for head in service.wait_heads({"stable": revision}, 10).values())
    )
    waiter.start()
    service.change_zone(ZONE, [a_change("www", "192.0.2.99")], if_version=version, actor="a")
    waiter.join(10)
    assert got == [revision + 1]


def test_a_waiter_that_is_up_to_date_gets_nothing_in_time(service: Service) -> None:
    create(service)
    assert service.wait_heads({"stable": service.head().revision()}, 0.05) == {}


def test_attestations_are_kept_per_edge(service: Service) -> None:
    service.attest("edge1", {"head": 3})
    service.attest("edge1", {"head": 4})
    service.attest("edge2", {"head": 4})
    assert [(edge["edge"], edge["head"]) for edge in service.edges()] == [("edge1", 4), ("edge2", 4)]


def test_every_edge_is_listed(service: Service) -> None:
    for number in range(1001):
        service.attest(f"edge{number}", {})
    assert len(service.edges()) == 1001
