# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""BIND, Knot, ldns and NSD read the same zone from a zone file, and from what is rendered of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from arca_dns.zone import names
from arca_dns.zone.text import ParsedZone, parse, render

pytestmark = pytest.mark.conformance

ZONES = sorted((Path(__file__).parents[3] / "inventories" / "lab" / "zones").glob("*.zone"))
EVERYDAY = """\
$ORIGIN example.
$TTL 1h30m
@   IN SOA ns1 host\\.master ( 1 2h ; refresh
        1h 1w
        1h )
    NS  ns1
ns1 A   192.0.2.1
    AAAA 2001:DB8::1
$GENERATE 1-3 h${0,3,d} 60 IN A 192.0.2.$
$GENERATE 10-11 x${-9,4,X} A 192.0.2.$
$GENERATE 0-31/16 ${0,7,n}.z A 192.0.2.1
$GENERATE 1-2 m$ MX "10 mail$"
$GENERATE 1-2 c$ CNAME b\\$$$.$
strings TXT "a;b" plain "q\\"q" "\\000\\255" ""
\\097\\.b\\046c A 192.0.2.3
unknown TYPE65280 \\# 3 01 02 03
known   CLASS1 TYPE1 \\# 4 c0000201
Mixed.Case CNAME Target.Example.
svc HTTPS 1 Foo.Example. alpn="h2,h3" port=8443
$ORIGIN sub
@ 5 IN TXT x
  IN 6 A 192.0.2.9
"""


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: run make deps (requirements/apt.txt)")
    return path


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(params=[*ZONES, None], ids=lambda path: path.stem if path else "everyday")
def original(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A zone file as people write it."""
    if request.param is not None:
        return Path(request.param)
    path = tmp_path / "everyday.zone"
    path.write_text(EVERYDAY)
    return path


@pytest.fixture
def rendered(original: Path, tmp_path: Path) -> Path:
    """The same zone as arca.dns writes it."""
    zone = parse(original.read_bytes())
    path = tmp_path / "rendered.zone"
    path.write_text("".join(render(zone.origin, zone.rrsets)))
    return path


def bind_reads(path: Path, zone: ParsedZone) -> ParsedZone:
    options = ("-q", "-k", "ignore", "-i", "none", "-o", "-")
    return parse(run(tool("named-compilezone"), *options, names.to_text(zone.origin), str(path)))


def test_bind_reads_the_same(original: Path, rendered: Path) -> None:
    zone = parse(original.read_bytes())
    assert bind_reads(original, zone).rrsets == zone.rrsets
    assert bind_reads(rendered, zone).rrsets == zone.rrsets


def test_ldns_reads_the_same(rendered: Path) -> None:
    zone = parse(rendered.read_bytes())
    text = run(tool("ldns-read-zone"), str(rendered))
    # ldns 1.8 writes the values of SVCB and HTTPS without the quotes that their commas need.
    text = re.sub(r"(?<=\s)(alpn|ipv4hint|ipv6hint)=([^\s\"]+)", r'\1="\2"', text)
    assert parse(text, zone.origin).rrsets == zone.rrsets


@pytest.fixture
def older(rendered: Path) -> Path:
    """The rendered zone for servers older than RFC 9461, which named the SVCB parameter dohpath."""
    rendered.write_text(rendered.read_text().replace("dohpath=", "key7="))
    return rendered


def test_knot_accepts_it(older: Path) -> None:
    run(tool("kzonecheck"), "-o", names.to_text(parse(older.read_bytes()).origin), str(older))


def test_nsd_accepts_it(older: Path) -> None:
    run(tool("nsd-checkzone"), names.to_text(parse(older.read_bytes()).origin), str(older))
