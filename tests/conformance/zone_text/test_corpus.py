# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Our reader and BIND's find the same records in every file of the corpus, or both refuse it."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
from pathlib import Path
from struct import Struct

import dns.rdata
import pytest

from arca_dns.errors import ArcaError, ChecksFailed
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.checks import check
from arca_dns.zone.content import TreeView
from arca_dns.zone.includes import Includes
from arca_dns.zone.text import ParsedZone, Source, parse, parse_long
from arca_dns.zone.tree import Blobs, ZoneRoot

pytestmark = pytest.mark.conformance

CORPUS = Path(__file__).parents[2] / "corpus"
ZONES = {"root": ".", "reverse": "2.0.192.in-addr.arpa."}

#: Where we differ from named-compilezone, and why.
DIFFERENT = {
    "bad-generate-comment": "BIND cuts the value off at the ';' in silence; we say how to write what was meant",
    "bad-outside": "BIND leaves the record away with a warning; we refuse, for it is a slip of the pen",
    "bad-ttl": "BIND takes a TTL above 2^31-1 as 0 with a warning; we refuse",
    "bad-ttl-differs": "BIND gives all records of a set the first TTL with a warning; we refuse",
    "bom": "BIND takes a byte order mark for a part of the first word; editors write it, and it says nothing",
    "generate-parentheses": "BIND takes one word as the value; we take what any record may have",
    "generate-value-of-words": "BIND takes one word as the value; we take what any record may have",
    "types-that-we-write-in-hexadecimal": "RKEY, TA and TALINK: types that nobody uses; TYPE57 and so on are read",
    "utf-8-in-names": "BIND takes the octets as they stand, which nobody can look up; we make A-labels (RFC 5891)",
}

_RAW = Struct(">LHHHLLH")  # length, class, type, covered type, TTL, records, length of the owner
_RAW_HEAD = 24

Records = set[tuple[bytes, int, int, bytes]]


def _made() -> dict[str, bytes]:
    spec = importlib.util.spec_from_file_location("corpus_make", CORPUS / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.files())


MADE = _made()
NAMES = sorted([*(path.stem for path in (CORPUS / "zones").glob("*.zone")), *MADE])


@pytest.fixture
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name = str(request.param)
    if name not in MADE:
        return CORPUS / "zones" / f"{name}.zone"
    path = tmp_path / f"{name}.zone"
    path.write_bytes(MADE[name])
    return path


def ours(file: Path, *, allow: bool = True) -> Records | str:
    """What we read in *file*, on both ways; or what we say is wrong with it."""
    origin = names.from_text(ZONES.get(file.stem, "example."))
    includes = Includes(CORPUS / "zones") if allow else None
    try:
        zone = parse(file.read_bytes(), origin, includes=includes)
        assert parse_long(Source(file.read_bytes()), origin, includes=includes).rrsets == zone.rrsets
        errors = check(TreeView(ZoneRoot.build(Blobs.memory(), origin, zone.nodes())), lines=zone.lines).errors
        if errors and file.stem.startswith("bad-"):
            raise ChecksFailed("the zone breaks rules", errors)
    except ArcaError as error:
        return "\n".join([error.message, *map(str, error.places)])
    return records(zone)


def records(zone: ParsedZone) -> Records:
    return {(one.owner, one.rdtype, one.ttl, data) for one in zone.rrsets for data in one.rdatas}


def binds(file: Path) -> Records | str:
    """What named-compilezone reads in *file*, from its raw form: no text of it comes to us; or what it says."""
    tool = shutil.which("named-compilezone")
    if tool is None:
        pytest.fail("named-compilezone is not installed: apt-get install bind9-utils")
    lenient = [word for option in ("-k", "-n", "-m", "-M", "-S", "-r", "-T") for word in (option, "ignore")]
    command = [tool, *lenient, "-i", "none", "-F", "raw", "-o", "-", ZONES.get(file.stem, "example."), str(file)]
    done = subprocess.run(command, cwd=CORPUS / "zones", capture_output=True, check=False, timeout=30)
    if done.returncode:
        return done.stderr.decode(errors="replace")
    found: Records = set()
    at = _RAW_HEAD
    while at < len(done.stdout):
        length, _class, rdtype, _covers, ttl, count, size = _RAW.unpack_from(done.stdout, at)
        end, at = at + length, at + _RAW.size
        owner = done.stdout[at : at + size].lower()
        at += size
        for _number in range(count):
            size = int.from_bytes(done.stdout[at : at + 2], "big")
            data = done.stdout[at + 2 : at + 2 + size]
            at += 2 + size
            found.add((owner, rdtype, ttl, rdata.from_parsed(rdtype, dns.rdata.from_wire(1, rdtype, data, 0, size))))
        assert at == end
    return found


def shown(found: Records) -> list[str]:
    return sorted(
        f"{names.to_text(owner)} {ttl} {rr.type_text(rdtype)} {rdata.generic_text(data)}"
        for owner, rdtype, ttl, data in found
    )


@pytest.mark.parametrize("file", NAMES, indirect=True)
def test_bind_and_we_read_the_same(file: Path) -> None:
    mine, theirs = ours(file), binds(file)
    if file.stem.startswith("bad-"):
        assert isinstance(mine, str), "we should refuse it"
    if file.stem in DIFFERENT:
        assert mine != theirs, "no longer different"
        assert not (isinstance(mine, str) and isinstance(theirs, str)), "no longer different: both refuse"
        return
    if isinstance(mine, str) or isinstance(theirs, str):
        assert isinstance(mine, str), f"we read what BIND refuses: {theirs}"
        assert isinstance(theirs, str), f"we refuse what BIND reads: {mine}"
        return
    assert shown(mine) == shown(theirs)
