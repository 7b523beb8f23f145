# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""ldns checks the digest that our ZONEMD has, and we check that of ldns."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arca_dns.dnssec.bind_keys import save
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import resign, sign_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.zone import rr
from arca_dns.zone.text import render
from arca_dns.zone.tree import Blobs, ZoneRoot
from arca_dns_controller.cli import app
from dnssec_zones import APEX, EVERYTHING, ORIGIN, a, build, fixed_random, nodes
from running_nsd import tool

pytestmark = pytest.mark.conformance

RECORDS = tuple(record for record in EVERYTHING if not record[0].endswith("below.alias"))
POLICIES = {"nsec": Policy(zonemd=True), "nsec3": Policy(denial="nsec3", zonemd=True)}


def written(zone: ZoneRoot, folder: Path) -> Path:
    path = folder / "zone"
    rrsets = (rrset for _owner, data in zone.items() for rrset in rr.rrsets(data))
    path.write_text("".join(render(ORIGIN, rrsets)))
    return path


def ldns(path: Path) -> int:
    """The exit status of ldns-verify-zone, which wants a signed ZONEMD that holds."""
    command = [tool("ldns-verify-zone", "ldnsutils"), "-V", "1", "-ZZ", str(path)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_ldns_accepts_the_digest_of_a_zone_and_of_its_change(policy: Policy, tmp_path: Path) -> None:
    now, blobs = int(time.time()), Blobs.memory()
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: now)
    source, epoch = build(RECORDS, blobs), epoch_of(policy, now)
    first = sign_zone(blobs, source, keys, policy, epoch, 1)
    assert ldns(written(first, tmp_path)) == 0
    changed = source.update(nodes([a("new.name", 5)]))
    assert ldns(written(resign(blobs, source, changed, first, keys, policy, epoch, 2), tmp_path)) == 0


def test_ldns_refuses_a_zone_whose_glue_was_changed_as_we_do(tmp_path: Path) -> None:
    policy, now = POLICIES["nsec"], int(time.time())
    keys = generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: now)
    zone = sign_zone(Blobs.memory(), build(RECORDS), keys, policy, epoch_of(policy, now), 1)
    file = written(zone.update(nodes([a("ns.secure", 99)]), {}), tmp_path)
    assert ldns(file) != 0
    done = CliRunner().invoke(app, ["zone", "verify", str(file)])
    assert done.exit_code == 1
    assert "example. ZONEMD: has another digest than the zone" in done.output


def test_we_accept_the_digests_of_ldns(tmp_path: Path) -> None:
    policy = Policy(keys="csk")
    (pair,) = generate_keys(policy, ORIGIN)
    save(tmp_path, pair)
    (key,) = tmp_path.glob("*.private")
    file = written(ZoneRoot.build(Blobs.memory(), ORIGIN, build(APEX).items()), tmp_path)
    command = [tool("ldns-signzone", "ldnsutils"), "-o", "example.", "-f", str(tmp_path / "signed")]
    digests = ["-z", "simple:sha384", "-z", "simple:sha512"]
    subprocess.run([*command, *digests, str(file), str(key.with_suffix(""))], check=True, timeout=60)
    assert (tmp_path / "signed").read_text().count("\tZONEMD\t") == 2
    done = CliRunner().invoke(app, ["zone", "verify", str(tmp_path / "signed")])
    assert done.exit_code == 0, done.output
