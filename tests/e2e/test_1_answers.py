# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""1. Every RRset of every demo zone validates at the anycast address, and so does every kind of denial."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import ROOT, api

from arca_dns.zone import names, rr
from arca_dns.zone.text import ParsedZone, parse

ZONES = sorted((ROOT / "inventories" / "lab" / "zones").glob("*.zone"))


def signed_rrsets(zone: ParsedZone) -> list[tuple[str, str]]:
    """The RRsets that carry a signature: no delegation NS, nothing below a cut (RFC 4035 section 2.2)."""
    cuts = [rrset.owner for rrset in zone.rrsets if rrset.rdtype == rr.NS and rrset.owner != zone.origin]
    out = []
    for rrset in zone.rrsets:
        below = any(names.is_at_or_below(rrset.owner, cut) and rrset.owner != cut for cut in cuts)
        if not below and (rrset.owner not in cuts or rrset.rdtype == rr.DS):
            out.append((names.to_text(rrset.owner), rr.type_text(rrset.rdtype)))
    return out


def anchors() -> dict[str, list[str]]:
    """The DS of every zone, from the controller."""
    zones = [zone["name"] for zone in api("GET", "/zones?limit=100").json()["zones"]]
    found = {}
    for zone in zones:
        answer = api("GET", f"/zones/{zone.replace('/', '%2F')}/ds").json()
        found[zone] = answer["ds"]
    return found


def judge(rrsets: list[tuple[str, str]], denials: list[tuple[str, str, str]]) -> list[str]:
    """What the client finds wrong."""
    task = {"anchors": anchors(), "rrsets": rrsets, "denials": denials}
    done = subprocess.run(
        ["ip", "netns", "exec", "lab-client", sys.executable, str(Path(__file__).with_name("validate.py"))],
        input=json.dumps(task),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    problems: list[str] = json.loads(done.stdout)
    return problems


def test_there_are_at_least_six_zones() -> None:
    assert len(ZONES) >= 6


@pytest.mark.parametrize("path", ZONES, ids=lambda path: path.stem)
def test_every_rrset_validates(path: Path) -> None:
    rrsets = signed_rrsets(parse(path.read_text()))
    assert rrsets
    assert judge(rrsets, []) == []


def test_denials_validate() -> None:
    denials = [
        ("no-such-name.arca.example.", "A", "nxdomain"),
        ("deep.no-such-name.arca.example.", "A", "nxdomain"),
        ("no-such-name.lab.arca.example.", "A", "nxdomain"),
        ("no-such-host.hosts.example.", "AAAA", "nxdomain"),
        ("arca.example.", "SRV", "nodata"),
        ("www.arca.example.", "SRV", "nodata"),
        ("_tcp.arca.example.", "A", "nodata"),
        ("_tcp.arca.example.", "TXT", "nodata"),
    ]
    assert judge([], denials) == []
