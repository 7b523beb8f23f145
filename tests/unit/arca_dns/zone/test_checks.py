# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The rules of a zone; a check of what changed finds the errors that a check of everything finds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings, strategies as st

from arca_dns.zone import names, rr
from arca_dns.zone.changes import plan_replace
from arca_dns.zone.checks import Findings, check, check_ttls
from arca_dns.zone.content import Overlay, TreeView
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot

ORIGIN = names.from_text("example.com.")
APEX = "$TTL 300\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n"
ZONES = sorted((Path(__file__).parents[4] / "inventories" / "lab" / "zones").glob("*.zone"))


def tree(text: str) -> ZoneRoot:
    blobs = Blobs.memory()
    return plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), parse(text, ORIGIN).rrsets)[1]


def found(text: str) -> Findings:
    return check(TreeView(tree(text)), lines=parse(text, ORIGIN).lines)


def errors(text: str) -> list[str]:
    return [str(place) for place in found(APEX + text).errors]


def warnings(text: str) -> list[str]:
    result = found(APEX + text)
    assert result.errors == []
    return [str(place) for place in result.warnings]


def test_a_sound_zone_has_no_findings() -> None:
    text = "www A 192.0.2.1\nftp CNAME www\n@ MX 10 www\n*.w A 192.0.2.2\n_s._tcp SRV 1 2 3 www\na.b.c.d TXT x\n"
    assert errors(text) == []
    assert warnings(text) == []


@pytest.mark.parametrize("path", ZONES, ids=lambda path: path.stem)
def test_the_zones_of_the_lab_have_no_findings(path: Path) -> None:
    zone = parse(path.read_bytes())
    blobs = Blobs.memory()
    new = plan_replace(blobs, ZoneRoot.empty(blobs, zone.origin), zone.rrsets)[1]
    result = check(TreeView(new), lines=zone.lines)
    assert result == Findings()
    assert check_ttls(TreeView(new), 5 * 86400, 3600) == []


def test_the_lab_has_zones() -> None:
    assert len(ZONES) >= 6


# -- errors -----------------------------------------------------------------------------------

DS = "DS 1 13 2 " + "00" * 32
ERRORS = [
    ("a CNAME b\na A 192.0.2.1", "line 5: a.example.com. CNAME: stands beside A"),
    ("@ CNAME b", "at the apex use A and AAAA"),
    ("a CNAME b\na CNAME c", "a name has one CNAME"),
    ("a DNAME b\na DNAME c", "a name has one DNAME"),
    ("a DNAME b.\nx.a A 192.0.2.1", "line 6: x.a.example.com. A: is below the DNAME of a.example.com."),
    ("a DNAME b.\na NS ns", "stands at a delegation"),
    ("*.a DNAME b.", "a wildcard with a DNAME"),
    ("*.a NS ns", "a wildcard cannot delegate"),
    ("a SOA ns h 1 2 3 4 5", "a SOA stands at the apex only"),
    ("@ SOA ns h2 1 2 3 4 5", "exactly one SOA"),
    (f"a {DS}", "a DS needs a delegation"),
    (f"@ {DS}", "belongs in its parent zone"),
    ("a NS ns.a", "ns.a.example.com. is inside of the delegated zone"),
    ("a NS a", "a.example.com. is inside of the delegated zone"),
    ("a NS b.a\nb.a CNAME ns", "is inside of the delegated zone"),
    ("@ NS alias\nalias CNAME ns", "is an alias"),
    ("www.example.org. A 192.0.2.1", "is outside of zone example.com."),
    ("a NSEC b A", "arca.dns makes NSEC itself"),
    ("@ DNSKEY 257 3 13 AAAA", "arca.dns makes DNSKEY itself"),
    ("@ CDS 0 0 0 00", "arca.dns makes CDS itself"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[text for text, _message in ERRORS])
def test_a_broken_rule_is_an_error(text: str, message: str) -> None:
    (only,) = errors(text)
    assert message in only


@pytest.mark.parametrize(("text", "message"), ERRORS, ids=[text for text, _message in ERRORS])
def test_a_check_of_the_change_finds_it_too(text: str, message: str) -> None:
    old, new = tree(APEX), tree(APEX + text)
    (only,) = (str(place) for place in changed(old, new).errors)
    assert message.removeprefix("line 5: ").removeprefix("line 6: ") in only


def test_a_zone_needs_soa_and_ns() -> None:
    result = found("$TTL 300\nwww A 192.0.2.1\n")
    assert [place.message for place in result.errors] == [
        "example.com.: the zone has no SOA record",
        "example.com.: the zone has no NS records: name at least one server",
    ]


def test_a_signed_zone_is_told_by_type_not_by_name() -> None:
    text = "".join(f"h{n} A 192.0.2.1\nh{n} NSEC h{n + 1} A\n" for n in range(9))
    (only,) = errors(text)
    assert "(and 8 more names)" in only


# -- warnings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a MX 10 b", "b.example.com. has no address"),
        ("a SRV 1 2 3 b", "b.example.com. has no address"),
        ("a MX 10 b\nb CNAME ns", "b.example.com. is an alias"),
        ("a NS b\nb CNAME ns", "b.example.com. is an alias"),
        ("@ NS b", "b.example.com. has no address"),
        ("a MX 10 b\nb TXT x", "b.example.com. has no address"),
        ("a MX 10 x.b\nx.b TXT x\n*.b A 192.0.2.1", "x.b.example.com. has no address"),
        ("a MX 10 b\nc MX 10 b\nx.b A 192.0.2.1", "has no address in this zone: add its A or AAAA record (1 more"),
        ("a CNAME ns.example.com", "repeats the zone's name"),
        ("a.example.com A 192.0.2.1", "repeats the zone's name"),
        ("a MX 10 192.0.2.1\n192.0.2.1 A 192.0.2.1", "192.0.2.1 is an address"),
        ("a MX 0 .\na MX 10 ns", "must stand alone"),
        ("a TXT v=spf1 mx -all", "whole text in one pair"),
        ("a CNAME a", "points to itself"),
        ("a NS ns\na TXT x", "TXT at a delegation is not served"),
        ("a NS ns\nx.a TXT x\ny.a TXT x", "records of x.a.example.com. and 1 more names are below"),
        ("a NS ns\nx.a A 192.0.2.1", "is below the delegation of a.example.com. and no name server's address"),
    ],
)
def test_a_slip_is_a_warning(text: str, message: str) -> None:
    (only,) = warnings(text)
    assert message in only


@pytest.mark.parametrize(
    "text",
    [
        "a MX 10 x.b\n*.b A 192.0.2.1",
        "a MX 10 x.b\n*.b CNAME ns",
        "a MX 10 x.b\nb NS ns",
        "a MX 10 b.\n",
        "a MX 0 .",
        "a NS ns.a\nns.a A 192.0.2.1\nb NS ns.a",
        "a NS ns.b\nb NS ns.b\nns.b A 192.0.2.1",
        f"a NS a\na A 192.0.2.1\na {DS}",
        "a CNAME nowhere",
        "a.b.c A 192.0.2.1\nc.b.c A 192.0.2.1",
    ],
)
def test_what_is_sound_is_left_alone(text: str) -> None:
    assert warnings(text) == []


def test_a_delegation_below_another_is_not_served_and_needs_no_glue() -> None:
    (only,) = warnings("a NS ns\nx.a NS nowhere.x.a")
    assert "are not served" in only


def test_a_dname_at_the_apex_stands_beside_soa_and_ns() -> None:
    assert found(APEX.replace("NS ns", "NS ns.other.").replace("ns A", "@ A") + "@ DNAME b.") == Findings()


def test_ttls_longer_than_signatures_last_are_errors() -> None:
    view = TreeView(tree(APEX + "a 864000 A 192.0.2.1\nb 86400 A 192.0.2.1"))
    (place,) = check_ttls(view, 5 * 86400, 3600, lines={(names.from_text("a", ORIGIN), rr.A): 5})
    assert place.line == 5
    assert "TTL 864000 is longer than 428400 seconds" in place.message
    assert check_ttls(view, 5 * 86400, 3600, [names.from_text("b", ORIGIN)]) == []


# -- what changed -----------------------------------------------------------------------------


def changed(old: ZoneRoot, new: ZoneRoot) -> Findings:
    """The check of the owners in which *old* and *new* differ."""
    edits = {
        owner: {**dict.fromkeys(rr.node_of(before or b"")), **rr.node_of(after or b"")}
        for owner, before, after in old.diff(new)
    }
    return check(Overlay(TreeView(old), edits), edits)


OWNERS = st.sampled_from(["@", "a", "b.a", "c.b.a", "d", "ns", "ns.a", "ns.b.a", "*.a"])
VALUES = st.sampled_from(
    ["A 192.0.2.1", "NS ns", "NS ns.a", "NS ns.b.a", "CNAME d", "DNAME d", "TXT x", "MX 10 d", DS, "SOA ns h 1 2 3 4 5"]
)
RECORDS = st.sets(st.tuples(OWNERS, VALUES), max_size=7)


def text_of(records: set[tuple[str, str]]) -> str:
    return APEX + "".join(f"{owner} {value}\n" for owner, value in sorted(records))


@settings(deadline=None, max_examples=400)
@given(RECORDS, RECORDS, RECORDS)
def test_checking_the_change_of_a_sound_zone_is_as_good_as_checking_all(
    kept: set[tuple[str, str]], gone: set[tuple[str, str]], come: set[tuple[str, str]]
) -> None:
    old, new = tree(text_of(kept | gone)), tree(text_of(kept | come))
    assume(not check(TreeView(old)).errors)
    assert bool(changed(old, new).errors) == bool(check(TreeView(new)).errors)


@pytest.mark.parametrize(
    ("before", "after", "sound"),
    [
        ("a NS ns.a\nns.a A 192.0.2.1", "a NS ns.a", False),
        ("a NS ns.a\nns.a A 192.0.2.1", "a NS ns.a\nns.a AAAA ::1", True),
        ("a NS ns\nb.a NS ns.b.a", "b.a NS ns.b.a", False),
        ("a DNAME d", "a DNAME d\nx.a TXT x", False),
        ("x.a TXT x", "x.a TXT x\na DNAME d", False),
        ("a NS ns\nx.a CNAME d\n@ NS x.a", "x.a CNAME d\n@ NS x.a", False),
        ("m MX 10 d\nd A 192.0.2.1", "m MX 10 d\nd CNAME ns", True),
    ],
)
def test_a_change_reaches_beyond_its_owner(before: str, after: str, sound: bool) -> None:
    old, new = tree(APEX + before), tree(APEX + after)
    full = check(TreeView(new)).errors
    assert (not full) is sound
    assert (not changed(old, new).errors) is sound


def test_a_change_elsewhere_does_not_bring_old_findings_up() -> None:
    old = tree(APEX + "a CNAME b\na A 192.0.2.1\nm MX 10 nowhere\n@ NS nowhere")
    new = tree(APEX + "a CNAME b\na A 192.0.2.1\nm MX 10 nowhere\n@ NS nowhere\nwww A 192.0.2.1")
    assert changed(old, new) == Findings()


def test_one_change_in_a_large_zone_reads_a_few_leaves() -> None:
    blobs = Blobs.memory()
    text = APEX + "".join(f"h{number} A 192.0.2.1\n" for number in range(20_000))
    large = plan_replace(blobs, ZoneRoot.empty(blobs, ORIGIN), parse(text, ORIGIN).rrsets)[1]
    root = large.store(blobs)
    read: list[str] = []

    def fetch(digests: list[str]) -> dict[str, bytes]:
        read.extend(digests)
        return {digest: blobs.pending[digest] for digest in digests}

    owner = names.from_text("h777", ORIGIN)
    view = Overlay(
        TreeView(ZoneRoot.load(Blobs(fetch), root)), {owner: {rr.TXT: rr.RRset.of(owner, rr.TXT, 1, [b"\1x"])}}
    )
    assert check(view, [owner]) == Findings()
    assert len(read) < 12
