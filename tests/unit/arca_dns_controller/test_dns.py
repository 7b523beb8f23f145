# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the hidden primary sends, to whom, and what updates do, on a memory store; dnspython is the other side."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import dns.message
import dns.rcode
import dns.tsig
import dns.update
import pytest

from arca_dns.access.scope import Scope
from arca_dns.documents import ZoneSettings
from arca_dns.errors import StoreUnavailable
from arca_dns.publish.head import Head
from arca_dns.service import Service
from arca_dns.store.base import Document
from arca_dns.transfer.allow import Rule
from arca_dns.transfer.catalog_zone import CatalogZone
from arca_dns.transfer.primary import Answer, Primary
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.rr import RRset
from arca_dns.zone.text import parse
from arca_dns_controller.dns.follow import Follower
from arca_dns_controller.dns.notifier import Notifier
from arca_dns_controller.dns.settings import Secondary
from arca_dns_controller.dns.updates import Updates
from arca_dns_controller.dns.zones import PublishedZones, TransferAccess
from arca_dns_controller.feed import HeadFeed
from arca_dns_controller.metrics import Metrics
from transfers import DNSPYTHON_KEY, KEY

TEXT = "$ORIGIN {}\n$TTL 300\n@ SOA ns1 admin 1 3600 600 86400 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.2\n"
EXAMPLE = names.from_text("example.com.")
ZONE = "example.com."


def create(service: Service, name: str = ZONE, **settings: object) -> None:
    parsed = parse(TEXT.format(name))
    service.create_zone(parsed.origin, parsed, actor="test", settings=ZoneSettings.from_json(settings))  # type: ignore[arg-type]


def change(service: Service, address: str) -> None:
    rdata = bytes(map(int, address.split(".")))
    www = names.from_text("www.example.com.")
    service.change_zone(EXAMPLE, [Change(www, rr.A, RRset.of(www, rr.A, 300, [rdata]))], if_version=None, actor="test")


def primary(
    service: Service, *scopes: Scope, per_minute: int = 100, rules: tuple[str, ...] = ("key:arca-dns.",)
) -> Primary:
    keys = {KEY.name: scopes}
    access = TransferAccess(service, [Rule.read(text) for text in rules], keys)
    updates = Updates(service, keys, per_minute, lambda: 0.0)
    return Primary(PublishedZones(service, None), {KEY.name: KEY}, time.time, access=access, updates=updates)


def ask(
    server: Primary, request: dns.message.Message, address: str = "127.0.0.1"
) -> tuple[Answer, dns.message.Message]:
    answer = server.answer(request.to_wire(), address=address)
    assert answer is not None
    first = next(answer.messages)
    keyring = DNSPYTHON_KEY if request.had_tsig or request.keyring else None
    return answer, dns.message.from_wire(
        first, keyring=keyring, request_mac=request.mac, one_rr_per_rrset=True, xfr=True
    )


def query(rdtype: str, serial: int | None = None, *, signed: bool = True, zone: str = ZONE) -> dns.message.Message:
    message = dns.message.make_query(zone, rdtype)
    if serial is not None:
        message.authority.append(dns.rrset.from_text(zone, 0, "IN", "SOA", f". . {serial} 0 0 0 0"))
    if signed:
        message.use_tsig(DNSPYTHON_KEY)
    return message


def test_what_is_sent_is_what_is_published(service: Service) -> None:
    create(service)
    version, _root = service.signed_zone(EXAMPLE)
    answer, message = ask(primary(service), query("AXFR"))
    assert (answer.kind, answer.serial) == ("AXFR", version.serial)
    assert sum(len(rrset) for rrset in message.answer) == version.records + 1


def test_an_ixfr_comes_from_history_and_an_axfr_where_there_is_none(service: Service) -> None:
    create(service)
    serial = service.signed_zone(EXAMPLE)[0].serial
    for last in (50, 51, 52):
        change(service, f"192.0.2.{last}")
    answer, _message = ask(primary(service), query("IXFR", serial))
    assert (answer.kind, answer.from_serial) == ("IXFR", serial)
    assert answer.serial == service.signed_zone(EXAMPLE)[0].serial
    assert ask(primary(service), query("IXFR", serial - 1))[0].kind == "AXFR"


def test_history_is_read_once_and_then_only_what_is_new(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    create(service)
    serials = [service.signed_zone(EXAMPLE)[0].serial]
    for last in (50, 51):
        change(service, f"192.0.2.{last}")
        serials.append(service.signed_zone(EXAMPLE)[0].serial)
    zones = PublishedZones(service, None)
    read: list[int] = []
    real = service.store.scan

    def counted(prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        found = real(prefix, after, limit)
        read.append(len(found))
        return found

    monkeypatch.setattr(service.store, "scan", counted)
    assert [zones.earlier(EXAMPLE, serial) is not None for serial in serials] == [True] * 3
    assert zones.earlier(EXAMPLE, serials[0] - 1) is None
    assert read == [3, 0, 0, 0]
    monkeypatch.setattr("arca_dns_controller.dns.zones._SERIALS", 2)
    assert zones.earlier(EXAMPLE, serials[0]) is None
    assert zones.earlier(EXAMPLE, serials[1]) is not None


def test_a_stranger_learns_nothing_of_names_below(service: Service) -> None:
    create(service)
    server = primary(service, rules=("127.0.0.1",))
    assert ask(server, query("SOA", zone="www.example.com.", signed=False))[0].kind == "NOTAUTH"


def test_a_zone_with_its_own_list_follows_that_alone(service: Service) -> None:
    create(service, allow_transfer=["192.0.2.9"])
    server = primary(service)
    assert ask(server, query("AXFR"))[0].kind == "REFUSED"
    assert ask(server, query("AXFR", signed=False), "192.0.2.9")[0].kind == "AXFR"
    assert ask(server, query("AXFR", zone="other.example."))[0].kind == "NOTAUTH"


def test_a_key_of_updates_sees_the_soa_of_its_zones_and_no_more(service: Service) -> None:
    create(service)
    server = primary(service, Scope.read({"zones": ["example.com"]}), rules=())
    assert ask(server, query("SOA"))[0].kind == "SOA"
    assert ask(server, query("SOA", zone="www.example.com."))[0].kind == "SOA"
    assert ask(server, query("AXFR"))[0].kind == "REFUSED"
    assert ask(primary(service, Scope.read({"zones": ["other.com"]}), rules=()), query("SOA"))[0].kind == "REFUSED"


# -- updates ------------------------------------------------------------------------------------


def update(*changes: Callable[[dns.update.UpdateMessage], None], zone: str = ZONE) -> dns.update.UpdateMessage:
    message = dns.update.UpdateMessage(zone, keyring=DNSPYTHON_KEY)
    for one in changes:
        one(message)
    return message


ADD = update(lambda message: message.add("_acme-challenge", 60, "TXT", "token"))
ACME = Scope.read({"zones": ["example.com"], "names": ["_acme-challenge.*"], "types": ["TXT"]})


def rcode(server: Primary, message: dns.message.Message) -> str:
    return dns.rcode.to_text(ask(server, message)[1].rcode())


def test_an_update_is_one_version_told_with_its_key(service: Service) -> None:
    create(service)
    assert rcode(primary(service, ACME), ADD) == "NOERROR"
    newest = service.versions_newest(EXAMPLE)[0]
    assert (newest.actor, len(service.versions_newest(EXAMPLE))) == ("tsig:arca-dns", 2)
    assert service.rrset(EXAMPLE, names.from_text("_acme-challenge.example.com."), rr.TXT) is not None
    assert rcode(primary(service, ACME), ADD) == "NOERROR"
    assert len(service.versions_newest(EXAMPLE)) == 2


def test_an_update_beyond_the_policy_is_refused(service: Service) -> None:
    create(service)
    www = update(lambda message: message.replace("www", 60, "A", "192.0.2.7"))
    everything = update(lambda message: message.delete("www"))
    for message in (www, everything):
        assert rcode(primary(service, ACME), message) == "REFUSED"
    for scopes in ((), (Scope.read({"zones": ["other.com"]}),)):
        assert rcode(primary(service, *scopes), ADD) == "REFUSED"
    unsigned = dns.update.UpdateMessage(ZONE)
    unsigned.add("_acme-challenge", 60, "TXT", "token")
    assert rcode(primary(service, ACME), unsigned) == "REFUSED"
    assert len(service.versions_newest(EXAMPLE)) == 1


def test_what_the_checks_or_thresholds_refuse_is_refused(service: Service) -> None:
    create(service)
    server = primary(service, Scope.read({"zones": ["*"]}))
    assert rcode(server, update(lambda message: message.add("@", 60, "MX", "10 www.example.com."))) == "NOERROR"
    assert rcode(server, update(lambda message: message.replace("@", 60, "NS", "ns9.example.com."))) == "REFUSED"
    assert rcode(server, update(zone="unknown.example.")) == "NOTAUTH"


def test_a_key_that_sends_too_many_is_refused(service: Service) -> None:
    create(service)
    server = primary(service, ACME, per_minute=2)
    assert [rcode(server, ADD) for _time in range(3)] == ["NOERROR", "NOERROR", "REFUSED"]


def test_an_update_that_loses_a_race_is_done_anew(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    create(service)
    real, races = service.change_zone, [51, 52]

    def raced(*arguments, **options):  # type: ignore[no-untyped-def]
        if races and options["actor"] != "test":
            monkeypatch.undo()
            change(service, f"192.0.2.{races.pop()}")
            monkeypatch.setattr(service, "change_zone", raced)
        return real(*arguments, **options)

    monkeypatch.setattr(service, "change_zone", raced)
    assert rcode(primary(service, ACME), ADD) == "NOERROR"
    assert races == []
    assert len(service.versions_newest(EXAMPLE)) == 4


def test_a_store_that_does_not_answer_is_a_server_failure(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    create(service)

    def fail(*_arguments: object, **_options: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(service, "zone", fail)
    assert rcode(primary(service, ACME), ADD) == "SERVFAIL"


# -- following ----------------------------------------------------------------------------------


def head(service: Service) -> Head:
    return service.head().head()


def follower(service: Service, catalog: CatalogZone | None) -> Follower:
    return Follower(service, HeadFeed(service, Metrics()), catalog, lambda _zone: None)


def test_a_new_head_names_the_zones_that_it_changes(service: Service) -> None:
    catalog = CatalogZone(names.from_text("catalog.invalid."))
    create(service, "a.example.")
    create(service)
    follow = follower(service, catalog)

    def step() -> set[str]:
        now = head(service)
        return {names.to_text(zone) for zone in follow.step(now.revision, now.catalog)}

    assert step() == {"a.example.", "example.com.", "catalog.invalid."}
    version = catalog.current()
    assert version is not None
    assert version.serial == head(service).revision
    change(service, "192.0.2.77")
    assert step() == {"example.com."}
    service.delete_zone(names.from_text("a.example."), if_version=None, actor="test", force=True)
    assert step() == {"catalog.invalid."}
    assert catalog.members() == [EXAMPLE]


def test_a_follower_that_lost_the_old_catalog_looks_at_all(service: Service) -> None:
    catalog = CatalogZone(names.from_text("catalog.invalid."))
    create(service, "a.example.")
    create(service)
    follow = follower(service, catalog)
    follow.step(head(service).revision, head(service).catalog)
    follow._root = "0" * 64  # collected meanwhile
    service.delete_zone(names.from_text("a.example."), if_version=None, actor="test", force=True)
    now = head(service)
    assert set(follow.step(now.revision, now.catalog)) == {EXAMPLE, catalog.name}
    assert catalog.members() == [EXAMPLE]


class Told(Notifier):
    """A notifier whose secondary answers *rcodes* in turn; None is no answer."""

    def __init__(self, service: Service, rcodes: list[int | None], rules: tuple[str, ...] = ("127.0.0.1",)) -> None:
        self.asked: list[int] = []
        self.outcomes: list[str] = []
        self.rcodes = rcodes
        access = TransferAccess(service, [Rule.read(text) for text in rules], {})
        zones = PublishedZones(service, None)
        super().__init__(
            Secondary("127.0.0.1", 53), None, zones, access, None, self.outcomes.append, waits=(0.1, 0.2, 0.4)
        )

    async def _ask(self, zone: bytes, soa: RRset, wait: float) -> int | None:
        self.asked.append(rr.soa_serial(soa.rdatas[0]))
        return self.rcodes.pop(0)


def told(notifier: Told) -> None:
    async def run() -> None:
        await notifier._notify(EXAMPLE)

    asyncio.run(run())


def test_a_secondary_is_told_again_until_it_answers(service: Service) -> None:
    create(service)
    notifier = Told(service, [None, None, dns.rcode.NOERROR])
    told(notifier)
    assert notifier.asked == [service.signed_zone(EXAMPLE)[0].serial] * 3
    assert notifier.outcomes == ["accepted"]


def test_one_that_is_down_is_given_up_and_asked_once_from_then_on(service: Service) -> None:
    create(service)
    notifier = Told(service, [None, None, None, None, dns.rcode.REFUSED])
    told(notifier)
    told(notifier)
    told(notifier)
    assert len(notifier.asked) == 5
    assert notifier.outcomes == ["unanswered", "unanswered", "refused"]


def test_one_that_may_not_have_a_zone_is_not_told_of_it(service: Service) -> None:
    create(service)
    notifier = Told(service, [], rules=("192.0.2.1",))
    told(notifier)
    assert notifier.asked == []
