# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One round of checks, against a name server that is made up but signs for real."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

import dns.dnssec
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from arca_dns_health.bird import Prefix
from arca_dns_health.decision import Round
from arca_dns_health.probe import Check, Plan, Prober, Record, Target, Transport
from arca_dns_health.served import Served, ServedZone

NOW = 1_800_000_000
ZONE = "example.org."
ORIGIN = dns.name.from_text(ZONE)
V4: Prefix = ip_network("203.0.113.53/32")
V6: Prefix = ip_network("2001:db8:53::53/128")
PLAN = Plan({V4: (ip_address("203.0.113.53"),), V6: (ip_address("2001:db8:53::53"),)}, timeout=1.0)
SERVED = Served(7, {ZONE: ServedZone(ZONE, 42, signed=True)})

KEY = ec.generate_private_key(ec.SECP256R1())
DNSKEY = dns.dnssec.make_dnskey(KEY.public_key(), "ECDSAP256SHA256")  # type: ignore[arg-type]


class NameServer:
    """Answers SOA and DNSKEY of one zone; every attribute is a way to go wrong."""

    def __init__(self) -> None:
        self.serial = 42
        self.inception, self.expiration = NOW - 3600, NOW + 86400
        self.rcode = dns.rcode.NOERROR
        self.authoritative = True
        self.signed = True
        self.validated = False
        self.dnskey = DNSKEY
        self.failures: dict[tuple[str, Transport], Exception] = {}
        self.seconds = 0.0
        self.others: dict[str, int] = {}
        self.asked: list[tuple[str, str, Transport]] = []

    async def exchange(
        self, query: dns.message.Message, target: Target, transport: Transport, timeout: float
    ) -> dns.message.Message:
        rdtype = query.question[0].rdtype
        self.asked.append((dns.rdatatype.to_text(rdtype), str(target), transport))
        failure = self.failures.get((str(target), transport))
        if failure is not None:
            raise failure
        return dns.message.from_wire(self.answer(query).to_wire())

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        rdtype = query.question[0].rdtype
        answer = dns.message.make_response(query)
        answer.set_rcode(self.rcode)
        if self.validated and query.flags & dns.flags.RD:
            answer.flags |= dns.flags.AD
        if self.authoritative:
            answer.flags |= dns.flags.AA
        if self.rcode != dns.rcode.NOERROR:
            return answer
        if rdtype == dns.rdatatype.DNSKEY:
            answer.answer.append(dns.rrset.from_rdata(ORIGIN, 3600, self.dnskey))
            return answer
        soa = dns.rrset.from_text(
            ORIGIN, 3600, "IN", "SOA", f"ns.example.org. admin.example.org. {self.serial} 1 2 3 4"
        )
        if query.question[0].name != ORIGIN:
            other = query.question[0].name
            text = f"ns.{other} admin.{other} {self.others[other.to_text()]} 1 2 3 4"
            answer.answer.append(dns.rrset.from_text(other, 3600, "IN", "SOA", text))
            return answer
        answer.answer.append(soa)
        if self.signed:
            signature = dns.dnssec.sign(soa, KEY, ORIGIN, DNSKEY, inception=self.inception, expiration=self.expiration)
            answer.answer.append(dns.rrset.from_rdata(ORIGIN, 3600, signature))
        return answer


@pytest.fixture
def server() -> NameServer:
    return NameServer()


def probe(
    server: NameServer, served: Served = SERVED, plan: Plan = PLAN, problem: str | None = None
) -> tuple[Mapping[Prefix, Round], tuple[Check, ...]]:
    return asyncio.run(prober(server, lambda: (served, problem), plan).round(frozenset()))


def prober(server: NameServer, read: Callable[[], tuple[Served, str | None]], plan: Plan = PLAN) -> Prober:
    ticks = iter(range(10**6))
    return Prober(plan, read, lambda: next(ticks) * server.seconds, lambda: NOW, server.exchange)


def test_a_right_answer_on_all_ways_is_a_good_round(server: NameServer) -> None:
    rounds, checks = probe(server)
    assert rounds == {V4: Round(), V6: Round()}
    assert len(checks) == 4
    assert {(target, how) for kind, target, how in server.asked if kind == "SOA"} == {
        (address, how) for address in ("203.0.113.53", "2001:db8:53::53") for how in ("udp", "tcp")
    }


def test_keys_are_asked_for_again_only_with_another_serial(server: NameServer) -> None:
    async def main() -> list[int]:
        asker, counts = prober(server, lambda: (SERVED, None)), []
        for serial in (42, 42, 43):
            server.asked.clear()
            server.serial = serial
            await asker.round(frozenset())
            counts.append(sum(kind == "DNSKEY" for kind, _, _ in server.asked))
        return counts

    first, second, third = asyncio.run(main())
    assert first > 0
    assert second == 0
    assert third > 0


def break_rcode(server: NameServer) -> None:
    server.rcode = dns.rcode.SERVFAIL


def break_authority(server: NameServer) -> None:
    server.authoritative = False


def break_serial(server: NameServer) -> None:
    server.serial = 41


def break_expiry(server: NameServer) -> None:
    server.expiration = NOW - 1


def break_inception(server: NameServer) -> None:
    server.inception = NOW + 60


def break_signature(server: NameServer) -> None:
    server.signed = False


def break_key(server: NameServer) -> None:
    other = ec.generate_private_key(ec.SECP256R1())
    server.dnskey = dns.dnssec.make_dnskey(other.public_key(), "ECDSAP256SHA256")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (break_rcode, "answered SERVFAIL"),
        (break_authority, "not authoritative"),
        (break_serial, "serial 41 is older than 42"),
        (break_signature, "no RRSIG"),
        (break_key, "bogus"),
    ],
)
def test_a_wrong_answer_is_a_hard_reason_for_every_prefix(
    server: NameServer, break_it: Callable[[NameServer], None], reason: str
) -> None:
    break_it(server)
    rounds, _ = probe(server)
    for prefix in (V4, V6):
        assert any(reason in said for said in rounds[prefix].hard), rounds[prefix]


@pytest.mark.parametrize("break_it", [break_expiry, break_inception])
def test_genuine_signatures_that_are_not_valid_now_are_a_fault_of_the_content(
    server: NameServer, break_it: Callable[[NameServer], None]
) -> None:
    break_it(server)
    rounds, checks = probe(server)
    for prefix in (V4, V6):
        assert not rounds[prefix].hard
        assert all("bogus" in said for said in rounds[prefix].content)
        assert len(rounds[prefix].content) == 2
    assert all(check.content and check.reason for check in checks)


def test_expired_signatures_of_an_old_version_are_a_fault_of_the_server(server: NameServer) -> None:
    break_expiry(server)
    server.serial = 41
    rounds, _ = probe(server)
    assert rounds[V4].hard
    assert not rounds[V4].content


def test_a_resolver_that_refuses_wrong_content_is_no_fault_of_the_server(server: NameServer) -> None:
    break_expiry(server)
    resolver = Target(ip_address("127.0.0.1"), 53, local=False)
    plan = replace(PLAN, unbound_server=resolver, unbound_required=True, unbound_validated=True)
    rounds, _ = probe(server, plan=plan)
    assert not rounds[V4].hard
    assert any(said.startswith("unbound udp") for said in rounds[V4].content)
    server.failures["127.0.0.1", "udp"] = dns.exception.Timeout()
    rounds, _ = probe(server, plan=plan)
    assert len(rounds[V4].hard) == 1, "that it does not answer is its own fault"


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (dns.exception.Timeout(), "no answer within 1 s"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "Connection refused"),
        (OSError(errno.EADDRNOTAVAIL, "Cannot assign"), "is no address of this host"),
        (EOFError(), "closed without an answer"),
        (dns.exception.FormError(), "an answer that is none"),
    ],
)
def test_no_answer_on_one_way_fails_the_prefix_behind_it_only(
    server: NameServer, failure: Exception, reason: str
) -> None:
    server.failures["2001:db8:53::53", "tcp"] = failure
    rounds, _ = probe(server)
    assert rounds[V4] == Round()
    assert any(said.startswith("nsd tcp 2001:db8:53::53") and reason in said for said in rounds[V6].hard)


def test_a_serial_that_the_agent_has_not_proved_yet_is_right(server: NameServer) -> None:
    server.serial = 43
    assert probe(server)[0][V4] == Round()


def test_an_unsigned_zone_needs_no_signature(server: NameServer) -> None:
    server.signed = False
    assert probe(server, Served(7, {ZONE: ServedZone(ZONE, 42, signed=False)}))[0][V4] == Round()


def test_slow_answers_are_a_soft_reason(server: NameServer) -> None:
    server.seconds = 0.3
    rounds, checks = probe(server)
    assert not rounds[V4].hard
    assert len(rounds[V4].soft) == 1
    assert "p95 of the last 1 rounds" in rounds[V4].soft[0]
    assert all(check.reason is None for check in checks)


def test_a_signature_that_expires_soon_is_a_soft_reason(server: NameServer) -> None:
    rounds, _checks = probe(server, plan=replace(PLAN, signature_minimum=2 * 86400))
    assert not rounds[V4].hard
    assert all("expires in 86400 s" in reason for reason in rounds[V4].soft)
    assert probe(server, plan=replace(PLAN, signature_minimum=3600))[0][V4] == Round()


def test_a_record_that_is_asked_for_must_be_there(server: NameServer) -> None:
    soa = dns.rdatatype.SOA
    right = Record(ZONE, soa, f"ns.example.org. admin.example.org. {server.serial} 1 2 3 4")
    assert probe(server, plan=replace(PLAN, records=(right, Record(ZONE, soa))))[0][V4] == Round()
    wrong = replace(right, value="ns.example.org. admin.example.org. 7 1 2 3 4")
    rounds, checks = probe(server, plan=replace(PLAN, records=(wrong, Record(ZONE, dns.rdatatype.MX))))
    assert len(rounds[V6].content) == 2
    assert "does not have" in rounds[V6].content[0]
    assert "no such record" in rounds[V6].content[1]
    assert not rounds[V6].hard, "a record may have been changed for all sites"
    assert {check.rdtype for check in checks} == {"SOA", "MX"}


def test_a_record_may_be_of_any_name_in_a_zone(server: NameServer) -> None:
    server.others["www.example.org."] = 1
    www = Record("www.example.org.", dns.rdatatype.MX)
    rounds, _checks = probe(server, plan=replace(PLAN, records=(www,)))
    assert len(rounds[V4].content) == 1
    assert "www.example.org. MX: no such record" in rounds[V4].content[0]
    answers = iter([SERVED, Served(8, {"example.net.": ServedZone("example.net.", 1, True)})])
    asker = prober(server, lambda: (next(answers), None), replace(PLAN, records=(www,)))
    rounds, _ = asyncio.run(asker.round(frozenset()))
    assert rounds[V4] == Round(), "its zone was taken away meanwhile"


def test_a_record_that_is_not_answered_is_a_hard_reason(server: NameServer) -> None:
    server.failures["203.0.113.53", "udp"] = dns.exception.Timeout()
    rounds, _checks = probe(server, plan=replace(PLAN, records=(Record(ZONE, dns.rdatatype.MX),)))
    assert "example.org. MX: no answer" in rounds[V4].hard[-1]


@pytest.mark.parametrize(
    ("status", "hard", "soft"),
    [(0, (), ()), (1, (), ("check: so so",)), (2, ("check: so so",), ()), (99, ("check: so so",), ())],
)
def test_a_command_has_a_say(server: NameServer, status: int, hard: tuple[str, ...], soft: tuple[str, ...]) -> None:
    async def runner(argv: Sequence[str], timeout: float) -> tuple[int, str]:
        return status, "so so\nmore\n"

    plan = replace(PLAN, command=("/usr/bin/check",))
    asker = Prober(plan, lambda: (SERVED, None), lambda: 0.0, lambda: NOW, server.exchange, runner)
    rounds, _checks = asyncio.run(asker.round(frozenset()))
    assert rounds == {V4: Round(hard, soft), V6: Round(hard, soft)}


def test_what_troubles_the_agent_is_a_soft_reason(server: NameServer) -> None:
    rounds, _ = probe(server, replace(SERVED, problems=("no controller",)), problem="cannot be read")
    assert rounds[V4] == Round(soft=("no controller", "cannot be read"))


def test_a_resolver_beside_it_is_a_soft_reason(server: NameServer) -> None:
    server.failures["127.0.0.1", "udp"] = dns.exception.Timeout()
    rounds, _ = probe(server, plan=replace(PLAN, unbound_server=Target(ip_address("127.0.0.1"), 53, local=False)))
    assert rounds[V4].hard == ()
    assert len(rounds[V4].soft) == 1


@pytest.mark.parametrize(("validated", "signed"), [(False, True), (True, True), (False, False)])
def test_a_resolver_may_have_to_validate(server: NameServer, validated: bool, signed: bool) -> None:
    server.validated, server.signed = validated, signed
    plan = replace(PLAN, unbound_server=Target(ip_address("127.0.0.1"), 53, local=False), unbound_validated=True)
    served = SERVED if signed else replace(SERVED, zones={n: replace(z, signed=False) for n, z in SERVED.zones.items()})
    rounds, _ = probe(server, served, plan)
    wanted = ("no trust anchor",) * 2 if signed and not validated else ()
    assert len(rounds[V4].soft) == len(wanted)
    assert all(part in reason for part, reason in zip(wanted, rounds[V4].soft, strict=True))
    assert rounds[V4].hard == ()


def test_a_resolver_on_a_service_address_is_a_hard_reason(server: NameServer) -> None:
    server.failures["203.0.113.53#5353", "udp"] = dns.exception.Timeout()
    rounds, _ = probe(server, plan=replace(PLAN, unbound_server=Target(ip_address("203.0.113.53"), 5353, local=False)))
    assert len(rounds[V4].hard) == 1
    assert rounds[V6].hard == ()


def test_a_further_server_counts_for_every_prefix(server: NameServer) -> None:
    server.failures["127.0.0.1#5300", "udp"] = dns.exception.Timeout()
    rounds, _ = probe(server, plan=replace(PLAN, nsd_server=Target(ip_address("127.0.0.1"), 5300, local=False)))
    assert len(rounds[V4].hard) == len(rounds[V6].hard) == 1


def test_nothing_to_serve_is_nothing_to_announce(server: NameServer) -> None:
    rounds, checks = probe(server, Served(), problem="the agent has not written it yet")
    assert rounds[V4].hard == ("the agent has not written it yet",)
    assert checks == ()


def test_a_zone_that_the_agent_takes_away_meanwhile_fails_nothing(server: NameServer) -> None:
    server.rcode = dns.rcode.REFUSED
    answers = iter([SERVED, Served(8, {"example.net.": ServedZone("example.net.", 1, True)})])
    rounds, _ = asyncio.run(prober(server, lambda: (next(answers), None)).round(frozenset()))
    assert rounds[V4] == Round()


def test_the_zones_that_the_configuration_names_are_asked_for(server: NameServer) -> None:
    served = Served(7, {ZONE: SERVED.zones[ZONE], "a.example.": ServedZone("a.example.", 1, True)})
    _, checks = probe(server, served, replace(PLAN, zones=(ZONE,)))
    assert {check.zone for check in checks} == {ZONE}


def test_a_prefix_does_not_return_while_another_zone_is_older_than_it_was(server: NameServer) -> None:
    other = ServedZone("example.net.", 7, signed=False)
    served = Served(7, {ZONE: SERVED.zones[ZONE], other.name: other}, ZONE)
    asker = prober(server, lambda: (served, None), PLAN)
    server.others[other.name] = 6
    rounds, _checks = asyncio.run(asker.round(frozenset({V4})))
    assert "example.net. SOA: serial 6 is older than 7" in rounds[V4].hard[0]
    assert rounds[V6] == Round(), "what is announced is judged by the zones that are probed"
    server.others[other.name] = 7
    rounds, _checks = asyncio.run(asker.round(frozenset({V4, V6})))
    assert rounds == {V4: Round(), V6: Round()}
