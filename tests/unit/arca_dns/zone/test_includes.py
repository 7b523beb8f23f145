# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``$INCLUDE`` reads files inside one folder, if it is allowed at all, and never others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from arca_dns.errors import ZoneTextError
from arca_dns.zone import includes, names
from arca_dns.zone.includes import MAX_DEPTH, Includes
from arca_dns.zone.text import ParsedZone, parse

ORIGIN = names.from_text("example.")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "zones"
    (folder / "sub").mkdir(parents=True)
    (folder / "hosts").write_text("www A 192.0.2.1\n")
    (folder / "sub" / "more").write_text("mail A 192.0.2.2\n")
    (tmp_path / "secret").write_text("secret A 192.0.2.3\n")
    return folder


def read(text: str, root: Path | None) -> ParsedZone:
    return parse(f"$TTL 60\n{text}\n", ORIGIN, includes=None if root is None else Includes(root))


def owners(zone: ParsedZone) -> list[str]:
    return [names.to_text(rrset.owner) for rrset in zone.rrsets]


def mistake(text: str, root: Path | None) -> str:
    with pytest.raises(ZoneTextError) as caught:
        read(text, root)
    (place,) = caught.value.places
    return str(place)


def test_it_is_refused_where_nobody_allowed_it() -> None:
    assert "$INCLUDE is not allowed here" in mistake("$INCLUDE hosts", None)


@pytest.mark.parametrize("name", ["hosts", "./hosts", "sub/../hosts", '"hosts"', "h\\111sts", "HERE/hosts"])
def test_files_inside_the_folder_are_read(root: Path, name: str) -> None:
    assert owners(read(f"$INCLUDE {name.replace('HERE', str(root))}", root)) == ["www.example."]


@pytest.mark.parametrize("name", ["../secret", "sub/../../secret", "HERE/../secret", "HERE/secret", "/etc/hostname"])
def test_files_outside_of_it_are_not(root: Path, name: str) -> None:
    assert "outside of the folder" in mistake(f"$INCLUDE {name.replace('HERE', str(root.parent))}", root)


@pytest.mark.parametrize("target", ["../secret", ".."])
def test_symbolic_links_do_not_lead_out(root: Path, target: str) -> None:
    (root / "link").symlink_to(target)
    name = "link" if target.endswith("secret") else "link/secret"
    assert "outside of the folder" in mistake(f"$INCLUDE {name}", root)


def test_a_symbolic_link_inside_the_folder_is_followed(root: Path) -> None:
    (root / "link").symlink_to("sub/more")
    assert owners(read("$INCLUDE link", root)) == ["mail.example."]


def test_a_link_that_appears_between_looking_and_reading_is_not_followed(root: Path) -> None:
    files = Includes(root)
    path = files.find("hosts")
    path.unlink()
    path.symlink_to(root.parent / "secret")
    with pytest.raises(ZoneTextError, match="cannot be read"):
        files.read(path)


def test_a_pipe_is_refused_at_once(root: Path) -> None:
    os.mkfifo(root / "pipe")
    assert "it is no file" in mistake("$INCLUDE pipe", root)


def test_a_link_to_itself_is_refused(root: Path) -> None:
    (root / "link").symlink_to("link")
    assert "cannot be read" in mistake("$INCLUDE link", root)


def test_origin_and_owner_come_back_and_the_ttl_stays(root: Path) -> None:
    (root / "state").write_text("  TXT inherits\n$ORIGIN moved\n$TTL 7\nhere A 192.0.2.1\n")
    zone = read("own A 192.0.2.1\n$INCLUDE state sub\n  60 AAAA 2001:db8::1\nlast A 192.0.2.1", root)
    found = {(names.to_text(rrset.owner), rrset.ttl) for rrset in zone.rrsets}
    assert found == {("own.example.", 60), ("here.moved.sub.example.", 7), ("last.example.", 7)}


def test_records_of_an_included_file_stand_on_the_line_of_the_directive(root: Path) -> None:
    zone = read("a A 192.0.2.1\n$INCLUDE hosts", root)
    assert zone.lines[names.from_text("www.example."), 1] == 3


def test_a_mistake_says_in_which_file_and_line_it_is(root: Path) -> None:
    (root / "outer").write_text("\n$INCLUDE inner\n")
    (root / "inner").write_text("\n\nbroken A 192.0.2.300\n")
    said = mistake("$INCLUDE outer", root)
    assert said.startswith("line 2, column 10: in outer, line 2, column 10: in inner, line 3, column 10: '192.0.2.300'")


def test_mistakes_behind_an_included_file_are_still_told(root: Path) -> None:
    (root / "bad").write_text("a A x\n")
    with pytest.raises(ZoneTextError) as caught:
        read("$INCLUDE bad\nb A y", root)
    assert [place.line for place in caught.value.places] == [2, 3]


def test_a_loop_is_named(root: Path) -> None:
    (root / "one").write_text("$INCLUDE two\n")
    (root / "two").write_text("$INCLUDE one\n")
    assert "one → two → one" in mistake("$INCLUDE one", root)


def test_files_go_only_so_deep(root: Path) -> None:
    for number in range(MAX_DEPTH + 1):
        (root / str(number)).write_text(f"$INCLUDE {number + 1}\n")
    assert f"at most {MAX_DEPTH} deep" in mistake("$INCLUDE 0", root)


def test_a_zone_reads_only_so_many_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("arca_dns.zone.reader.MAX_FILES", 3)
    assert includes.MAX_FILES > 3
    assert "at most 3 files" in mistake("\n".join(["$INCLUDE hosts"] * 4), root)


def test_octets_that_are_no_text_are_refused_there_too(root: Path) -> None:
    (root / "raw").write_bytes(b"a TXT \0\n")
    assert r"write it as \000" in mistake("$INCLUDE raw", root)
