# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone that asks for a second check is published if that accepts it, and stays as it was if not."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.policy import Policy
from arca_dns.documents import ZoneSettings
from arca_dns.errors import InputError, VerificationFailed
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Change
from arca_dns.zone.text import parse

ZONE = names.from_text("example.")
TEXT = "$TTL 300\n@ SOA ns h 1 7200 3600 1209600 600\n@ NS ns\nns A 192.0.2.1\n"
ASKS = ZoneSettings(verify_command="strict")


class Checks:
    """Accepts zones until it is told not to, and keeps what it saw."""

    def __init__(self) -> None:
        self.names = ["strict"]
        self.refuses = False
        self.seen: list[str] = []
        self.begun = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def known(self) -> Collection[str]:
        return self.names

    def run(self, name: str, zone: bytes, lines: Iterator[str]) -> None:
        assert name == "strict"
        assert zone == ZONE
        self.seen.append("".join(lines))
        self.begun.set()
        assert self.go.wait(30)
        if self.refuses:
            raise VerificationFailed("the check 'strict' refuses example.: no")


@pytest.fixture
def checks() -> Checks:
    return Checks()


@pytest.fixture
def service(checks: Checks) -> Iterator[Service]:
    made = Service(
        MemoryStore(), MemoryKeyStore(), HeadKey.generate(), clock=lambda: 1_800_000_000.0, second_checks=checks
    )
    yield made
    made.close()


def create(service: Service, settings: ZoneSettings) -> None:
    service.create_zone(ZONE, parse(TEXT, ZONE).rrsets, actor="alice", settings=settings)


def change(service: Service, last: int) -> bool:
    name = names.from_text("www", ZONE)
    to = Change(name, rr.A, rr.RRset.of(name, rr.A, 300, [bytes((192, 0, 2, last))]))
    return service.change_zone(ZONE, [to], if_version=None, actor="alice").published


def test_it_sees_the_signed_zone(service: Service, checks: Checks) -> None:
    create(service, ASKS)
    (text,) = checks.seen
    kinds = {rrset.rdtype for rrset in parse(text).rrsets}
    assert {rr.SOA, rr.RRSIG, rr.NSEC, rr.DNSKEY} <= kinds
    assert service.zone(ZONE).problem is None


def test_other_zones_are_published_while_it_is_checked(service: Service, checks: Checks) -> None:
    checks.go.clear()
    writer = threading.Thread(target=lambda: create(service, ASKS))
    writer.start()
    assert checks.begun.wait(30)
    other = names.from_text("other.")
    assert service.create_zone(other, parse(TEXT, other).rrsets, actor="bob").published
    assert service.publisher.published(ZONE) is None
    checks.go.set()
    writer.join(30)
    assert service.publisher.published(ZONE) is not None


def test_a_change_that_comes_while_it_is_checked_is_checked_after_it(service: Service, checks: Checks) -> None:
    create(service, ASKS)
    checks.go.clear()
    checks.begun.clear()
    first = threading.Thread(target=lambda: change(service, 7))
    first.start()
    assert checks.begun.wait(30)
    second = threading.Thread(target=lambda: change(service, 8))
    second.start()
    checks.go.set()
    first.join(30)
    second.join(30)
    info = service.zone(ZONE)
    assert info.problem is None
    assert info.published is not None
    assert info.published.source == info.source.version
    assert "192.0.2.8" in checks.seen[-1]


def test_what_is_due_is_checked_again(checks: Checks) -> None:
    now = [1_800_000_000.0]
    service = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate(), clock=lambda: now[0], second_checks=checks)
    create(service, ASKS)
    served = service.zone(ZONE).published
    now[0] += Policy().validity
    checks.refuses = True
    service.maintain()
    assert service.zone(ZONE).published == served
    checks.refuses = False
    service.maintain()
    assert service.zone(ZONE).published != served
    assert len(checks.seen) == 3
    service.close()


def test_a_zone_that_does_not_ask_is_not_checked(service: Service, checks: Checks) -> None:
    create(service, ZoneSettings())
    assert checks.seen == []


def test_what_it_refuses_stays_unpublished_and_the_note_says_why(service: Service, checks: Checks) -> None:
    create(service, ASKS)
    served = service.zone(ZONE).published
    checks.refuses = True
    assert change(service, 7) is False
    info = service.zone(ZONE)
    assert info.published == served
    assert info.problem == "the check 'strict' refuses example.: no"
    checks.refuses = False
    assert change(service, 8)
    assert service.zone(ZONE).problem is None


def test_a_check_that_the_controller_has_not_is_refused_with_the_settings(service: Service) -> None:
    with pytest.raises(InputError) as caught:
        create(service, ZoneSettings(verify_command="other"))
    (place,) = caught.value.places
    assert place.pointer == "/settings/verify_command"
    assert "it has strict" in place.message


def test_a_check_that_went_away_keeps_the_zone_from_being_published(service: Service, checks: Checks) -> None:
    create(service, ASKS)
    checks.names = []
    assert change(service, 7) is False
    assert "which this controller does not have" in (service.zone(ZONE).problem or "")


def test_settings_keep_the_name_of_the_check() -> None:
    assert ZoneSettings.from_json(ASKS.to_json()) == ASKS
    with pytest.raises(InputError):
        ZoneSettings.from_json({"verify_command": 1})


def test_unwise_nsec3_parameters_are_taken_with_a_warning(service: Service) -> None:
    settings = ZoneSettings(policy={"denial": "nsec3", "nsec3_salt": "aabb", "nsec3_iterations": 5})
    outcome = service.create_zone(ZONE, parse(TEXT, ZONE).rrsets, actor="alice", settings=settings)
    assert outcome.published
    assert any("RFC 9276" in warning for warning in outcome.plan.warnings)
    assert Policy(denial="nsec3").warnings() == ()
