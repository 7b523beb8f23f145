# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Limits of keys: patterns as names are compared, whatever way they are written."""

from __future__ import annotations

import pytest

from arca_dns.access.scope import Scope
from arca_dns.errors import AccessDenied, InputError
from arca_dns.zone import names, rr
from arca_dns.zone.changes import RRsetDiff

ZONE = names.from_text("example.com.")


def name(text: str) -> bytes:
    return names.from_text(text, ZONE)


@pytest.mark.parametrize(
    ("pattern", "zone", "fits"),
    [
        ("example.com", "example.com.", True),
        ("Example.COM.", "example.com.", True),
        ("e\\120ample.com", "example.com.", True),
        ("b\u00fccher.example", "xn--bcher-kva.example.", True),
        ("example.com", "sub.example.com.", False),
        ("example.com", "badexample.com.", False),
        ("example.com", "com.", False),
        ("*.example.com", "sub.example.com.", True),
        ("*.example.com", "a.b.example.com.", True),
        ("*.example.com", "example.com.", False),
        ("*.example.com", "evil-example.com.", False),
        ("*", ".", True),
        ("*", "any.example.", True),
        ("example\\.com", "example.com.", False),
    ],
)
def test_zones(pattern: str, zone: str, fits: bool) -> None:
    assert Scope.read({"zones": [pattern]}).has_zone(names.from_text(zone)) is fits


@pytest.mark.parametrize(
    ("pattern", "owner", "fits"),
    [
        ("www", "www", True),
        ("WWW", "www", True),
        ("www", "a.www", False),
        ("www", "www2", False),
        ("@", "@", True),
        ("@", "www", False),
        ("*.dyn", "host.dyn", True),
        ("*.dyn", "a.b.dyn", True),
        ("*.dyn", "dyn", False),
        ("*.dyn", "*.dyn", True),
        ("*.dyn", "dyn.example.com.example.com.", False),
        ("_acme-challenge.*", "_acme-challenge", True),
        ("_acme-challenge.*", "_ACME-Challenge.www", True),
        ("_acme-challenge.*", "www._acme-challenge", False),
        ("_acme-challenge.*", "x_acme-challenge", False),
        ("www.example.com.", "www", True),
        ("*.example.com.", "a.b", True),
        ("*.example.com.", "@", False),
        ("\\*", "*", True),
        ("\\*", "www", False),
    ],
)
def test_names(pattern: str, owner: str, fits: bool) -> None:
    if pattern == "\\*":  # a * in the middle of nothing: told to be written as *.something or *
        with pytest.raises(InputError):
            Scope.read({"names": [pattern]})
        return
    assert Scope.read({"names": [pattern]}).has(ZONE, name(owner), rr.A) is fits


def test_types() -> None:
    scope = Scope.read({"types": ["TXT", "type65280"]})
    assert [scope.has(ZONE, ZONE, rdtype) for rdtype in (rr.TXT, 65280, rr.A)] == [True, True, False]


@pytest.mark.parametrize(
    ("value", "pointer"),
    [
        ({"zones": "example.com"}, "/zones"),
        ({"zones": [1]}, "/zones"),
        ({"zones": ["a..b"]}, "/zones/0"),
        ({"names": ["ok", "a.*.b"]}, "/names/1"),
        ({"names": ["*.a.*"]}, "/names/0"),
        ({"types": ["A", "NOPE"]}, "/types/1"),
        ({"colour": []}, "/colour"),
    ],
)
def test_what_is_wrong_is_named(value: dict[str, object], pointer: str) -> None:
    with pytest.raises(InputError) as caught:
        Scope.read(value)
    assert [place.pointer for place in caught.value.places] == [pointer]


def test_a_write_beyond_the_limits_is_named() -> None:
    scope = Scope.read({"zones": ["example.com"], "names": ["www"], "types": ["A"]})
    new = rr.RRset.of(name("mail"), rr.A, 300, [bytes(4)])
    with pytest.raises(AccessDenied, match=r"mail\.example\.com\. A"):
        scope.check(ZONE, [RRsetDiff(new.owner, new.rdtype, None, new)])
    with pytest.raises(AccessDenied, match=r"may not touch the zone other\."):
        scope.check(names.from_text("other."), [])
    scope.check(ZONE, [])


def test_without_limits_everything_is_allowed() -> None:
    scope = Scope.read({})
    assert not scope.limited
    assert scope.has_zone(names.ROOT)
    assert scope.has(ZONE, ZONE, rr.SOA)
