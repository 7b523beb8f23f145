# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What each command prints, writes, asks, and ends with."""

from __future__ import annotations

from pathlib import Path

import pytest


def test_an_imported_zone_is_listed_shown_and_exported(arca, zone: str, tmp_path: Path) -> None:
    listed = arca("zones", "list").out.splitlines()
    assert listed[0].split("\t")[:4] == ["zone", "serial", "served", "records"]
    assert listed[1].split("\t")[0] == "example.com."
    assert "\nsettings.dnssec " in arca("zones", "show", zone).out
    assert arca("zones", "show", zone, "--json").json()["records"] == 4
    assert "192.0.2.53" in arca("zones", "export", zone).out
    assert arca("zones", "export", "-o", str(tmp_path)).err == f"1 zones in {tmp_path}\n"
    assert "192.0.2.53" in (tmp_path / "example.com.zone").read_text()


def test_what_was_exported_is_no_change(arca, zone: str, tmp_path: Path) -> None:
    arca("zones", "export", zone, "-o", str(tmp_path / "again"))
    done = arca("plan", str(tmp_path / "again"), "--zone", zone, "--exit-code")
    assert (done.status, done.err) == (0, "example.com: nothing to change\n")


def test_a_plan_says_what_an_import_would_do_and_writes_nothing(arca, zone: str, file: Path) -> None:
    file.write_text(file.read_text().replace("192.0.2.1\n", "192.0.2.2\n"))
    assert arca("plan", str(file)).status == 0
    done = arca("plan", str(file), "--exit-code")
    assert done.status == 10
    assert done.out == "- www.example.com. 60 IN A 192.0.2.1\n+ www.example.com. 60 IN A 192.0.2.2\n"
    assert arca("plan", str(file)).out == done.out


def test_a_plan_of_a_new_zone_creates_nothing(arca, file: Path) -> None:
    assert arca("plan", str(file), "--exit-code").status == 10
    assert arca("zones", "show", "example.com").status == 4


def test_a_replacement_is_asked_for_on_a_terminal(arca, zone: str, file: Path) -> None:
    file.write_text(file.read_text() + "new TXT x\n")
    refused = arca("zones", "import", str(file), answers="n\n")
    assert refused.status == 1
    assert '+ new.example.com. 300 IN TXT "x"\n' in refused.out
    assert arca("rrsets", "get", zone, "new", "TXT").status == 4
    assert arca("zones", "import", str(file), answers="y\n").status == 0
    assert arca("rrsets", "get", zone, "new", "TXT").out.endswith('\t300\tTXT\t"x"\n')


def test_without_a_terminal_nobody_is_asked_and_yes_is_needed(arca, zone: str, file: Path) -> None:
    file.write_text(file.read_text() + "new TXT x\n")
    done = arca("zones", "import", str(file))
    assert done.status == 2
    assert "--yes" in done.err
    assert arca("zones", "import", str(file), "--yes").status == 0


def test_an_rrset_is_set_and_deleted(arca, zone: str) -> None:
    done = arca("rrsets", "set", zone, "mail", "MX", "10 mx1", "20 mx2", "--ttl", "600", "--json").json()
    assert done["applied"] is True
    assert done["plan"]["differences"][0]["after"]["ttl"] == 600
    assert len(arca("rrsets", "list", zone, "--type", "mx", "--json").json()[0]["values"]) == 2
    assert arca("rrsets", "delete", zone, "mail", "MX", "-n").err.endswith("nothing was written\n")
    assert arca("rrsets", "delete", zone, "mail", "MX").status == 0
    assert arca("rrsets", "delete", zone, "mail", "MX").err == "example.com: nothing to change\n"


def test_history_is_shown_compared_and_undone(arca, zone: str) -> None:
    assert arca("rollback", zone, "--yes").status == 4
    arca("rrsets", "set", zone, "www", "A", "192.0.2.7", "-m", "moved")
    log = arca("log", zone, "--json").json()
    assert [one["reason"] for one in log] == ["moved", "first"]
    assert len(arca("log", zone, "-n", "1").out.splitlines()) == 2
    change = "- www.example.com. 60 IN A 192.0.2.1\n+ www.example.com. 60 IN A 192.0.2.7\n"
    assert arca("diff", zone).out == change
    assert arca("diff", zone, log[1]["version"], log[0]["version"]).out == change
    assert len(arca("diff", zone, "--json").json()) == 1
    assert arca("rollback", zone, "--yes").status == 0
    assert "192.0.2.1" in arca("rrsets", "get", zone, "www", "A").out


def test_a_zone_is_deleted_listed_and_comes_back(arca, zone: str) -> None:
    assert arca("zones", "delete", zone, answers="\n").status == 1
    arca("zones", "create", "example.net", "--ns", "ns1.example.org.", "--unsigned")
    assert arca("zones", "delete", zone, "--yes", "-m", "sold").status == 0
    assert arca("deleted").out.splitlines()[1].endswith("\tsold")
    assert arca("deleted", "--json").json()[0]["name"] == "example.com."
    assert arca("zones", "undelete", zone).status == 0
    assert arca("zones", "show", zone).status == 0


def test_a_zone_is_created_with_name_servers_alone(arca) -> None:
    done = arca("zones", "create", "example.net", "--ns", "ns1.example.org.", "--ns", "ns2.example.org.", "--unsigned")
    assert done.status == 0
    assert len(arca("rrsets", "list", "example.net", "--type", "NS", "--json").json()[0]["values"]) == 2
    assert arca("ds", "example.net", "--json").json() == []
    assert arca("zones", "create", "example.net", "--ns", "ns1.example.org.").status == 3


def test_ds_are_lines_for_the_parent(arca, zone: str) -> None:
    lines = arca("ds", zone, "--digest", "2", "--digest", "4").out.splitlines()
    assert [line.split()[:3] for line in lines] == [["example.com.", "IN", "DS"]] * 2


def test_a_stale_write_ends_with_3(arca, zone: str) -> None:
    old = arca("zones", "show", zone, "--json").json()["version"]
    arca("rrsets", "set", zone, "www", "A", "192.0.2.7")
    assert arca("rrsets", "set", zone, "www", "A", "192.0.2.8", "--if-version", old).status == 3


def test_mistakes_are_a_line_and_their_places(arca, zone: str, file: Path) -> None:
    file.write_text(file.read_text() + "a A 192.0.2.256\nb NOTYPE x\n")
    done = arca("zones", "import", str(file), "--yes")
    first, *places = done.err.splitlines()
    assert done.status == 1
    assert first.startswith(f"arca-dns: {file}: ")
    assert [place.split(",")[0].split(":")[0] for place in places] == ["  line 7", "  line 8"]


def test_a_refused_plan_is_shown_and_not_written(arca, zone: str, file: Path) -> None:
    file.write_text("$ORIGIN example.com.\n@ 300 SOA ns1 h 7 10800 3600 1209600 300\n@ 300 NS ns.example.net.\n")
    done = arca("zones", "import", str(file), answers="y\n")
    assert done.status == 1
    assert "needs --force: " in done.err
    assert arca("zones", "import", str(file), "--yes", "--force").status == 0


def test_an_editor_changes_a_zone(arca, zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/192\\.0\\.2\\.1$/192.0.2.77/" "$1"\n')
    editor.chmod(0o700)
    monkeypatch.setenv("VISUAL", str(editor))
    assert arca("zones", "edit", zone, answers="y\n").status == 0
    assert "192.0.2.77" in arca("rrsets", "get", zone, "www", "A").out
    assert arca("zones", "edit", zone, answers="y\n").err == "example.com: nothing to change\n"
    monkeypatch.setenv("VISUAL", "false")
    assert "status 1: nothing was written" in arca("zones", "edit", zone).err


def test_reasons_of_others_do_not_move_the_terminal(arca, zone: str) -> None:
    arca("rrsets", "set", zone, "www", "A", "192.0.2.7", "-m", "\x1b[2Jgone")
    assert "\x1b" not in arca("log", zone).out
    assert "\\x1b[2Jgone" in arca("log", zone).out


@pytest.mark.parametrize("command", [["status"], ["events"], ["keys", "example.com"], ["tokens", "list"]])
def test_what_only_a_controller_has_is_said(arca, command: list[str]) -> None:
    done = arca(*command)
    assert done.status == 2
    assert "--url" in done.err
