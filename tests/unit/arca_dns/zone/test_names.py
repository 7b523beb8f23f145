# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Domain names: order, text in and out, relations."""

from __future__ import annotations

import dns.name
import pytest
from hypothesis import given, strategies as st

from arca_dns.errors import BadName
from arca_dns.zone import names

LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=6).filter(lambda parts: sum(map(len, parts)) < 240)


def wire(parts: list[bytes]) -> bytes:
    return b"".join(bytes((len(part),)) + part.lower() for part in parts) + b"\0"


NAMES = LABELS.map(wire)


@given(NAMES)
def test_every_name_survives_text(name: bytes) -> None:
    assert names.from_text(names.to_text(name)) == name


@given(NAMES, NAMES)
def test_names_sort_as_dnspython_sorts_them(left: bytes, right: bytes) -> None:
    ours = names.sort_key(left) < names.sort_key(right)
    theirs = dns.name.from_wire(left, 0)[0] < dns.name.from_wire(right, 0)[0]
    assert ours == theirs
    assert (names.sort_key(left) == names.sort_key(right)) == (left == right)


def test_names_sort_as_in_rfc_4034_section_6_1() -> None:
    ordered = ["example.", "a.example.", "yljkjljk.a.example.", "Z.a.example.", "zABC.a.EXAMPLE.", "z.example."]
    ordered += ["\\001.z.example.", "*.z.example.", "\\200.z.example."]
    wires = [names.from_text(text) for text in ordered]
    assert sorted(wires, key=names.sort_key) == wires


@given(NAMES, LABELS)
def test_descendants_follow_their_ancestor_directly(name: bytes, more: list[bytes]) -> None:
    child = wire(more)[:-1] + name
    if len(child) > 255:
        return
    assert names.is_at_or_below(child, name)
    assert names.sort_key(child).startswith(names.sort_key(name))


def test_a_name_is_below_by_labels_and_not_by_octets() -> None:
    assert not names.is_at_or_below(names.from_text("badexample.com."), names.from_text("example.com."))
    assert not names.is_at_or_below(b"\x05a\x01b\x01c\x00", b"\x01b\x01c\x00")
    assert names.is_at_or_below(names.from_text("example.com."), names.ROOT)


def test_ancestors_are_those_between_a_name_and_the_origin() -> None:
    name, origin = names.from_text("a.b.c.example."), names.from_text("example.")
    assert [names.to_text(found) for found in names.ancestors(name, origin)] == ["b.c.example.", "c.example."]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("WWW", b"\x03www\x07example\x00"),
        ("www.", b"\x03www\x00"),
        ("@", b"\x07example\x00"),
        (".", b"\x00"),
        ("b\\252cher", b"\x06b\xfccher\x07example\x00"),
        ("a\\.b", b"\x03a.b\x07example\x00"),
        ("0/26", b"\x040/26\x07example\x00"),
        ("bücher", b"\x0dxn--bcher-kva\x07example\x00"),
        ("BÜCHER.", b"\x0dxn--bcher-kva\x00"),
        ("_dmarc.bücher", b"\x06_dmarc\x0dxn--bcher-kva\x07example\x00"),
        ("*.bücher", b"\x01*\x0dxn--bcher-kva\x07example\x00"),
    ],
)
def test_text_becomes_a_name(text: str, expected: bytes) -> None:
    assert names.from_text(text, b"\x07example\x00") == expected


@pytest.mark.parametrize("text", ["", "a..b", ".a", "x" * 64, ".".join(["x" * 60] * 5), "a\\300", "a\\1"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        names.from_text(text, b"\0")


def test_a_relative_name_without_origin_says_what_to_write() -> None:
    with pytest.raises(BadName, match=r"write 'www\.'"):
        names.from_text("www", None)


def test_labels_of_a_wildcard_signature_do_not_count_the_asterisk() -> None:
    assert names.rrsig_labels(names.from_text("*.example.com.")) == 2
    assert names.rrsig_labels(names.from_text("www.example.com.")) == 3
    assert names.rrsig_labels(names.ROOT) == 0
