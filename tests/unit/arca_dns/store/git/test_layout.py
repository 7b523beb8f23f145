# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The tree of a commit and the text of its message."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, strategies as st

from arca_dns.store.git import layout
from arca_dns.store.git.layout import Line

VALUES = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3))


@given(
    st.dictionaries(st.text(), st.tuples(st.integers(0), st.none() | st.dictionaries(st.text(), VALUES, max_size=3)))
)
def test_a_file_of_documents_reads_back_as_it_was_written(rows: dict) -> None:
    def text(value: object) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    lines = {key: Line(key, revision, text(value)) for key, (revision, value) in rows.items()}
    assert layout.read_lines(layout.write_lines(lines)) == lines


@pytest.mark.parametrize("zone", ["example.com.", ".", "com.", "0\\0470.2.0.192.in-addr.arpa."])
def test_a_zones_file_name_tells_the_zone(zone: str) -> None:
    file = layout.zone_file(zone)
    assert file is not None
    assert layout.zone_of(file) == zone


def test_a_name_that_no_file_system_takes_has_no_file() -> None:
    assert layout.zone_file("a" * 250 + ".") is None


@pytest.mark.parametrize("file", [b"README", b".zone", b"example.com.zone.orig"])
def test_other_files_are_no_zones(file: bytes) -> None:
    assert layout.zone_of(file) is None


def test_the_revision_stands_at_the_end_of_a_message_and_nowhere_else() -> None:
    message = layout.Message(None, "x\n\nRevision: 7 is what somebody wrote").encode(41)
    assert layout.revision_of(message) == 41
    assert layout.revision_of(b"Fix it\n") is None


def test_a_version_names_its_author_and_reason() -> None:
    version = {"actor": "bob", "reason": "two\nlines", "version": "v1", "serial": 3}
    message = layout.describe({"zone/a.example.": {}, "version/a.example./v1": version}, [])
    assert message.author == "bob"
    assert message.text.startswith("a.example.: two lines\n\na.example. v1 serial 3")


def test_versions_of_several_people_are_the_controllers() -> None:
    writes = {f"version/{zone}./v1": {"actor": zone, "reason": "x"} for zone in "abcde"}
    message = layout.describe(writes, [])
    assert message.author is None
    assert message.text.startswith("a., b., c. and 2 more: x\n")


@pytest.mark.parametrize(("name", "written"), [("Ann <a@b>\n", b"Ann a@b <x@y>"), ("", b"unknown <x@y>")])
def test_an_author_cannot_break_a_commit(name: str, written: bytes) -> None:
    assert layout.identity(name, "x@y") == written
