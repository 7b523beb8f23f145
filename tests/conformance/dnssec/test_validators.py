# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What we sign is what the validators of NLnet Labs, ISC and CZ.NIC accept, and what they refuse we refuse too."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from pathlib import Path

import dns.rdata
import pytest

from arca_dns.dnssec.algorithms import SUPPORTED
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.errors import VerificationFailed
from arca_dns.zone import names, rr
from arca_dns.zone.tree import Blobs, ZoneRoot
from dnssec_zones import APEX, DENIALS, EVERYTHING, ORIGIN, Records, a, build, ds, fixed_random, nodes, ns, txt, wire

#: Knot refuses any data below a DNAME, as our own checks do; it is in EVERYTHING to see that it stays unsigned.
ACCEPTABLE = tuple(record for record in EVERYTHING if not record[0].endswith("below.alias"))

# dnssec-verify -z: any key may sign the DNSKEY RRset and the rest, as a CSK does.
TOOLS = {
    "ldns-verify-zone": ("ldnsutils", ["ldns-verify-zone", "-V", "1"]),
    "dnssec-verify": ("bind9-utils", ["dnssec-verify", "-z", "-o", "example."]),
    "kzonecheck": ("knot-dnssecutils", ["kzonecheck", "-d", "on", "-o", "example."]),
}


@pytest.fixture(params=TOOLS)
def tool(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[name for name in DENIALS if not name.endswith("zonemd")])
def policy(request: pytest.FixtureRequest) -> Policy:
    return DENIALS[request.param]


def text(zone: ZoneRoot) -> str:
    """A zone file, made by dnspython: what the tools read owes nothing to our own rendering."""
    lines = []
    for _owner, data in zone.items():
        for record in rr.iterate(data):
            rdata = dns.rdata.from_wire(1, record.rdtype, record.rdata, 0, len(record.rdata)).to_text()
            lines.append(f"{names.to_text(record.owner)} {record.ttl} IN {rr.type_text(record.rdtype)} {rdata}\n")
    return "".join(lines)


def verdict(tool: str, zone: ZoneRoot, folder: Path) -> tuple[bool, str]:
    """Whether *tool* accepts *zone*, and what it says."""
    package, command = TOOLS[tool]
    if shutil.which(tool) is None:
        pytest.fail(f"{tool} is missing: apt-get install {package}")
    file = folder / "zone"
    file.write_text(text(zone))
    done = subprocess.run([*command, str(file)], capture_output=True, text=True, timeout=120, check=False)
    return done.returncode == 0, done.stdout + done.stderr


def sign(source: ZoneRoot, policy: Policy, now: int, blobs: Blobs | None = None) -> ZoneRoot:
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: now)
    return sign_zone(blobs or Blobs.memory(), source, keys, policy, epoch_of(policy, now), 7)


def random_zone(seed: int) -> Records:
    """Names that meet above, below and beside each other, with delegations, glue, wildcards and escapes."""
    pick = random.Random(seed)
    labels = ["a", "b", "c", "*", "\\000", "\\.x", "zz", "0" * 63]
    found: dict[bytes, Records] = {}
    for _name in range(pick.randrange(1, 40)):
        owner = ".".join(pick.choice(labels) for _label in range(pick.randrange(1, 4)))
        cut = "*" not in owner and pick.random() < 0.3
        chosen: Records = [ns(owner, "ns1", f"ns.{owner}"), a(f"ns.{owner}")] if cut else [a(owner), txt(owner)]
        if cut and pick.random() < 0.5:
            chosen = [*chosen, ds(owner)]
        found[wire(owner)] = chosen
    return [*APEX, *(record for records in found.values() for record in records)]


def test_a_zone_with_everything_is_accepted(tool: str, policy: Policy, tmp_path: Path) -> None:
    records = ACCEPTABLE if tool == "kzonecheck" else EVERYTHING
    zone = sign(build(records), policy, int(time.time()))
    accepted, said = verdict(tool, zone, tmp_path)
    assert accepted, said


@pytest.mark.parametrize("keys", ["csk", "ksk-zsk"])
@pytest.mark.parametrize("number", SUPPORTED)
def test_every_algorithm_is_accepted(tool: str, number: int, keys: str, tmp_path: Path) -> None:
    zone = sign(build(ACCEPTABLE), Policy(algorithm=number, keys=keys), int(time.time()))
    accepted, said = verdict(tool, zone, tmp_path)
    assert accepted, said


@pytest.mark.parametrize("seed", range(8))
def test_random_zones_are_accepted(tool: str, policy: Policy, seed: int, tmp_path: Path) -> None:
    now = int(time.time())
    zone = sign(build(random_zone(seed)), policy, now)
    verify_zone(zone, now)
    accepted, said = verdict(tool, zone, tmp_path)
    assert accepted, said


def test_a_zone_after_many_incremental_signings_is_accepted(tool: str, policy: Policy, tmp_path: Path) -> None:
    now = int(time.time())
    blobs = Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: now)
    source = build(ACCEPTABLE, blobs)
    begin = now - 20 * 86400
    zone = sign_zone(blobs, source, keys, policy, epoch_of(policy, begin), 1)
    for step in range(20):
        after = source.update({owner: None for owner in nodes(random_zone(step)) if owner != ORIGIN})
        after = after.update({owner: data for owner, data in nodes(random_zone(step + 1)).items() if owner != ORIGIN})
        epoch = epoch_of(policy, begin + (step + 1) * 86400)
        zone = resign(blobs, source, after, zone, keys, policy, epoch, step + 2)
        source = after
    verify_zone(zone, now)
    accepted, said = verdict(tool, zone, tmp_path)
    assert accepted, said


@pytest.mark.parametrize("what", ["a bit of a signature", "a dropped denial", "a dropped signature"])
def test_what_the_tools_refuse_we_refuse(tool: str, what: str, tmp_path: Path) -> None:
    now = int(time.time())
    zone = sign(build(ACCEPTABLE), DENIALS["nsec"], now)
    owner = wire("www")
    kept = []
    for record in rr.iterate(zone.get(owner) or b""):
        covered = int.from_bytes(record.rdata[:2], "big") if record.rdtype == rr.RRSIG else 0
        rdata = record.rdata
        if what == "a bit of a signature" and covered == rr.A:
            rdata = rdata[:-1] + bytes((rdata[-1] ^ 1,))
        if what == "a dropped signature" and covered == rr.A:
            continue
        if what == "a dropped denial" and rr.NSEC in (record.rdtype, covered):
            continue
        kept.append(rr.RRset(owner, record.rdtype, record.ttl, (rdata,)).wire())
    bad = zone.update({owner: b"".join(kept)})
    with pytest.raises(VerificationFailed):
        verify_zone(bad, now)
    accepted, said = verdict(tool, bad, tmp_path)
    assert not accepted, said
