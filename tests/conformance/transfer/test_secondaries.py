# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controller as hidden primary of real secondaries: NSD, Knot and BIND; the last two follow its catalog zone."""

from __future__ import annotations

import base64
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.update
import dns.zone
import pytest

from running_controller import Connection, Controller, Forks
from running_nsd import RunningNsd, tool
from running_secondaries import Bind, Knot
from transfers import DNSPYTHON_KEY, SECRET

pytestmark = pytest.mark.conformance

CATALOG = "catalog.invalid."
ACME = base64.b64encode(b"a secret of thirty-two octets ...").decode()
ACME_KEY = dns.tsig.Key("acme.", ACME, "hmac-sha512")
SECONDS = 20.0
PROMPT = 3.0  # a second, and room for a machine that does other things


@dataclass
class Platform:
    """A controller, what it listens on, and its secondaries."""

    controller: Controller
    port: int
    nsd: RunningNsd
    knot: Knot
    bind: Bind

    def api(self, method: str, path: str, body: object = None, *, version: str | None = None):  # type: ignore[no-untyped-def]
        with closing(Connection(self.controller.port)) as connection:
            answer = connection(method, f"/api/v1{path}", body, version=version)
        assert answer.status < 300, answer
        return answer

    def create(self, name: str, **settings: object) -> None:
        records = [
            {"name": "@", "type": "NS", "ttl": 300, "value": f"ns1.{name}"},
            {"name": "ns1", "type": "A", "ttl": 300, "value": "192.0.2.1"},
            *({"name": f"h{n}", "type": "A", "ttl": 300, "value": f"192.0.2.{n}"} for n in range(2, 42)),
        ]
        soa = {"mname": f"ns1.{name}", "rname": f"admin.{name}", "refresh": 3600, "retry": 600}
        soa |= {"expire": 604800, "minimum": 300}
        self.api("POST", "/zones", {"name": name, "soa": soa, "records": records, "settings": settings})

    def version(self, name: str) -> str:
        found: str = self.api("GET", f"/zones/{name}").etag
        return found

    def change(self, name: str, address: str) -> None:
        body = {"ttl": 300, "values": [address]}
        self.api("PUT", f"/zones/{name}/rrsets/www/A", body, version=self.version(name))

    def servers(self) -> dict[str, int]:
        return {"nsd": self.nsd.port, "knot": self.knot.port, "bind": self.bind.port}

    def transferred(self, kind: str, zone: str) -> list[dict[str, object]]:
        """The transfers of *zone* that the controller's log tells of."""
        lines = [json.loads(line) for line in self.controller.log.read_text().splitlines() if line.startswith("{")]
        return [
            line for line in lines if line.get("event") == "transfer" and (line["kind"], line["zone"]) == (kind, zone)
        ]

    def said(self) -> str:
        return "\n".join((self.controller.said(), self.knot.said(), self.bind.said(), self.nsd.log()))


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    folder = tmp_path_factory.mktemp("primary")
    (folder / "nsd").mkdir()
    nsd = RunningNsd(folder / "nsd")
    port = nsd.primary_port
    knot, bind = Knot(folder / "knot", port, CATALOG), Bind(folder / "bind", port, CATALOG)
    secret = folder / "acme.secret"
    secret.write_text(ACME + "\n")
    forks = Forks()
    controller = Controller(
        forks,
        "sqlite",
        {"path": f"{folder}/state.sqlite"},
        folder / "controller",
        dns={
            "listen": [f"127.0.0.1:{port}"],
            "tsig_keys": [
                {"name": "arca-dns.", "secret": SECRET},
                {"name": "acme.", "algorithm": "hmac-sha512", "secret_file": str(secret)},
            ],
            "secondaries": [
                {"address": "127.0.0.1", "port": server, "tsig_key": "arca-dns."}
                for server in (nsd.port, knot.port, bind.port)
            ],
            "catalog_zone": CATALOG,
            "update_policy": [
                {"key": "acme.", "zones": ["updated.example"], "names": ["_acme-challenge.*"], "types": ["TXT"]},
                {"key": "arca-dns.", "zones": ["updated.example"]},
            ],
            "updates_per_minute": 10000,
        },
    )
    made = Platform(controller, port, nsd, knot, bind)
    try:
        controller.init()
        controller.start()
        for server in (nsd, knot, bind):
            server.start()
        yield made
    finally:
        for server in (nsd, knot, bind):
            server.stop()
        controller.stop()
        forks.close()


def ask(port: int, name: str, rdtype: str) -> dns.message.Message | None:
    try:
        return dns.query.udp(dns.message.make_query(name, rdtype), "127.0.0.1", 1, port)
    except (dns.exception.Timeout, OSError):
        return None


def serves(port: int, name: str, rdtype: str, text: str) -> bool:
    answer = ask(port, name, rdtype)
    return answer is not None and any(text in rrset.to_text() for rrset in answer.answer)


def eventually(until: Callable[[], bool], platform: Platform, seconds: float = SECONDS) -> float:
    """How many seconds it took."""
    started = time.monotonic()
    while not until():
        assert time.monotonic() < started + seconds, platform.said()
        time.sleep(0.02)
    return time.monotonic() - started


def records(port: int, zone: str, source: str | None = None) -> set[str]:
    """All records of *zone*, by AXFR."""
    found: set[str] = set()
    key = {DNSPYTHON_KEY.name: DNSPYTHON_KEY}
    for message in dns.query.xfr(
        "127.0.0.1", zone, port=port, relativize=False, keyring=key, keyname=DNSPYTHON_KEY.name, source=source
    ):
        for rrset in message.answer:
            found.update(f"{rrset.name} {rrset.ttl} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}" for rdata in rrset)
    return found


def refused(port: int, zone: str, rdtype: str, key: dns.tsig.Key | None, source: str | None = None) -> str:
    """The rcode of a query over TCP."""
    query = dns.message.make_query(zone, rdtype)
    if key is not None:
        query.use_tsig(key)
    try:
        return dns.rcode.to_text(dns.query.tcp(query, "127.0.0.1", 5, port, source=source).rcode())
    except dns.tsig.PeerError as error:
        return type(error).__name__


def served_by_all(platform: Platform, name: str) -> None:
    platform.nsd.control("addzone", name.removesuffix("."), "arca")
    for port in platform.servers().values():
        eventually(lambda port=port: serves(port, name, "SOA", "SOA"), platform)  # type: ignore[misc]


def test_signed_zones_come_to_every_secondary_whole_and_go_by_the_catalog(platform: Platform) -> None:
    name = "signed.example."
    platform.create(name)
    served_by_all(platform, name)
    whole = records(platform.port, name)
    assert any(" RRSIG " in record for record in whole)
    assert records(platform.nsd.port, name) == whole
    for port in (platform.knot.port, platform.bind.port):
        answer = dns.query.udp(dns.message.make_query(f"h7.{name}", "A", want_dnssec=True), "127.0.0.1", 5, port)
        assert {dns.rdatatype.to_text(rrset.rdtype) for rrset in answer.answer} == {"A", "RRSIG"}
    platform.api("DELETE", f"/zones/{name}?force=true", version=platform.version(name))
    for port in (platform.knot.port, platform.bind.port):
        eventually(lambda port=port: not serves(port, name, "SOA", "SOA"), platform)  # type: ignore[misc]


def test_a_change_is_notified_and_fetched_by_ixfr_within_a_second(platform: Platform) -> None:
    name = "moving.example."
    platform.create(name)
    served_by_all(platform, name)
    before = len(platform.transferred("IXFR", name))
    for number in (71, 72):
        platform.change(name, f"192.0.2.{number}")
        for server, port in platform.servers().items():
            took = eventually(lambda port=port: serves(port, f"www.{name}", "A", f"192.0.2.{number}"), platform, PROMPT)  # type: ignore[misc]  # noqa: B023
            print(f"{server}: {took:.2f} s")
    assert len(platform.transferred("IXFR", name)) == before + 6, platform.said()
    assert records(platform.nsd.port, name) == records(platform.port, name)


def test_the_catalog_is_as_rfc_9432_has_it(platform: Platform) -> None:
    platform.create("listed.example.", dnssec=False)
    eventually(lambda: any("PTR listed.example." in one for one in records(platform.port, CATALOG)), platform)
    found = records(platform.port, CATALOG)
    assert f'version.{CATALOG} 0 TXT "2"' in found
    assert f"{CATALOG} 0 NS invalid." in found
    (member,) = (one for one in found if one.endswith("PTR listed.example."))
    label, _dot, rest = member.partition(".")
    assert rest.startswith(f"zones.{CATALOG} 0 PTR")
    platform.change("listed.example.", "192.0.2.99")
    assert member in records(platform.port, CATALOG)
    assert len(label) == 40


def test_who_may_not_is_refused(platform: Platform) -> None:
    platform.create("closed.example.", dnssec=False)
    wrong = dns.tsig.Key("arca-dns.", base64.b64encode(b"wrong").decode(), "hmac-sha256")
    for rdtype in ("SOA", "AXFR"):
        assert refused(platform.port, "closed.example.", rdtype, None) == "REFUSED"
        assert refused(platform.port, "closed.example.", rdtype, wrong) == "PeerBadSignature"
        assert refused(platform.port, "closed.example.", rdtype, DNSPYTHON_KEY, "127.0.0.2") == "REFUSED"
        assert refused(platform.port, "closed.example.", rdtype, ACME_KEY) == "REFUSED"
    assert refused(platform.port, "unknown.example.", "AXFR", DNSPYTHON_KEY) == "NOTAUTH"
    assert refused(platform.port, "closed.example.", "SOA", DNSPYTHON_KEY) == "NOERROR"


def test_a_zone_may_have_its_own_list(platform: Platform) -> None:
    platform.create("own.example.", dnssec=False, allow_transfer=["127.0.0.2"])
    assert refused(platform.port, "own.example.", "SOA", DNSPYTHON_KEY) == "REFUSED"
    assert refused(platform.port, "own.example.", "SOA", None, "127.0.0.2") == "NOERROR"


# -- updates ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def updated(platform: Platform) -> Platform:
    platform.create("updated.example.")
    platform.api("GET", "/zones/updated.example.")
    return platform


def nsupdate(
    platform: Platform, folder: Path, *lines: str, key: str = "arca-dns.", secret: str = SECRET, zone: bool = True
) -> str:
    """What nsupdate says; nothing where the update was done."""
    file = folder / "key"
    algorithm = "hmac-sha512" if key == "acme." else "hmac-sha256"
    file.write_text(f'key "{key}" {{ algorithm {algorithm}; secret "{secret}"; }};\n')
    head = [f"server 127.0.0.1 {platform.port}", *(["zone updated.example."] if zone else [])]
    text = "\n".join([*head, *lines, "send", ""])
    command = [tool("nsupdate", "bind9-dnsutils"), "-k", str(file)]
    done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def test_nsupdate_adds_and_removes_and_each_update_is_one_version(updated: Platform, tmp_path: Path) -> None:
    before = updated.version("updated.example.")
    assert not nsupdate(
        updated,
        tmp_path,
        "prereq nxdomain new.updated.example.",
        "update add new.updated.example. 300 A 192.0.2.50",
        "update add new.updated.example. 300 MX 10 mail.example.",
        "update delete h7.updated.example.",
    )
    whole = records(updated.port, "updated.example.")
    assert "new.updated.example. 300 A 192.0.2.50" in whole
    assert not any(one.startswith("h7.updated.example.") for one in whole)
    versions = updated.api("GET", "/zones/updated.example./versions?order=newest").body["versions"]
    assert isinstance(versions, list)
    (newest,) = (one for one in versions if one["version"] == updated.version("updated.example."))
    assert (newest["actor"], newest["parent"]) == ("tsig:arca-dns", before)


@pytest.mark.parametrize(
    ("lines", "rcode"),
    [
        (["prereq nxdomain ns1.updated.example.", "update add a.updated.example. 1 A 192.0.2.1"], "YXDOMAIN"),
        (["prereq yxdomain no.updated.example.", "update add a.updated.example. 1 A 192.0.2.1"], "NXDOMAIN"),
        (["prereq nxrrset ns1.updated.example. A", "update add a.updated.example. 1 A 192.0.2.1"], "YXRRSET"),
        (["prereq yxrrset ns1.updated.example. TXT", "update add a.updated.example. 1 A 192.0.2.1"], "NXRRSET"),
        (["update add elsewhere.example. 1 A 192.0.2.1"], "NOTZONE"),
        (["update add updated.example. 1 DNSKEY 257 3 13 AAAA"], "REFUSED"),
    ],
)
def test_nsupdate_is_told_why_not(updated: Platform, tmp_path: Path, lines: list[str], rcode: str) -> None:
    version = updated.version("updated.example.")
    assert f"update failed: {rcode}" in nsupdate(updated, tmp_path, *lines)
    assert updated.version("updated.example.") == version


def test_nsupdate_with_a_wrong_key_or_beyond_its_policy_is_refused(updated: Platform, tmp_path: Path) -> None:
    line = "update add a.updated.example. 300 A 192.0.2.1"
    assert "BADSIG" in nsupdate(updated, tmp_path, line, secret="d3Jvbmc=")
    assert "BADKEY" in nsupdate(updated, tmp_path, line, key="other.")
    assert "REFUSED" in nsupdate(updated, tmp_path, line, key="acme.", secret=ACME)
    text = "update add _acme-challenge.www.updated.example. 60 TXT hello"
    assert not nsupdate(updated, tmp_path, text, key="acme.", secret=ACME)
    more = "update add _acme-challenge.deep.www.updated.example. 60 TXT hello"
    assert not nsupdate(updated, tmp_path, more, key="acme.", secret=ACME, zone=False)


def test_an_acme_client_proves_its_domain_by_dns_01(updated: Platform) -> None:
    """As certbot's plugin does: find the zone by SOA queries upwards, add the text, check, delete it."""
    name = dns.name.from_text("_acme-challenge.shop.updated.example.")

    def send(change: Callable[[dns.update.UpdateMessage], None]) -> int:
        update = dns.update.UpdateMessage("updated.example.", keyring=ACME_KEY)
        change(update)
        return dns.query.tcp(update, "127.0.0.1", 10, updated.port).rcode()

    def soa_of(zone: dns.name.Name) -> dns.message.Message:
        query = dns.message.make_query(zone, "SOA")
        query.use_tsig(ACME_KEY)
        return dns.query.tcp(query, "127.0.0.1", 10, updated.port)

    def texts() -> set[str]:
        found = records(updated.port, "updated.example.")
        return {one.split()[-1] for one in found if one.startswith(f"{name} 120 TXT ")}

    zone = name
    while (reply := soa_of(zone)).rcode() != dns.rcode.NOERROR or not reply.answer:
        zone = zone.parent()
    assert str(zone) == "updated.example."
    for token in ("first-token", "second-token"):
        assert send(lambda update, token=token: update.add(name, 120, "TXT", token)) == dns.rcode.NOERROR  # type: ignore[misc]
    assert texts() == {'"first-token"', '"second-token"'}
    for token in ("first-token", "second-token"):
        assert send(lambda update, token=token: update.delete(name, "TXT", token)) == dns.rcode.NOERROR  # type: ignore[misc]
    assert texts() == set()
    assert send(lambda update: update.add("www", 120, "A", "192.0.2.66")) == dns.rcode.REFUSED


def test_an_update_is_told_in_the_audit_log(updated: Platform, tmp_path: Path) -> None:
    assert not nsupdate(updated, tmp_path, "update add audited.updated.example. 300 TXT secret-value")
    entries = updated.api("GET", "/audit?limit=1000").body["entries"]
    assert isinstance(entries, list)
    (entry,) = (one for one in entries if "audited.updated.example. TXT" in json.dumps(one))
    assert (entry["actor"], entry["origin"]) == ("tsig:arca-dns", "127.0.0.1")
    assert "secret-value" not in json.dumps(entry)
    assert SECRET not in updated.controller.log.read_text()
