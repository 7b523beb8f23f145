# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller zone``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arca_dns.dnssec.bind_keys import save
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.zone import names
from arca_dns_controller.cli import app

TEXT = """\
$ORIGIN example.com.
$TTL 300
@ SOA ns h 7 7200 3600 1209600 600
@ NS ns
ns A 192.0.2.1
sub NS ns.sub
ns.sub A 192.0.2.2
*.w TXT "a b"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "example.zone"
    path.write_text(TEXT)
    return path


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    folder = tmp_path / "keys"
    folder.mkdir()
    for pair in generate_keys(Policy(), names.from_text("example.com.")):
        save(folder, pair)
    return folder


def zone(*arguments: object, text: str | None = None) -> Result:
    return CliRunner().invoke(app, ["zone", *map(str, arguments)], input=text)


def signed(file: Path, keys: Path, *options: str) -> Path:
    target = file.with_suffix(".signed")
    done = zone("sign", "--keys", keys, "-o", target, *options, file)
    assert done.exit_code == 0, done.output
    return target


# -- $INCLUDE ---------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["check", "stats", "sign", "verify", "diff"])
def test_include_is_read_inside_the_folder_that_was_named_only(file: Path, keys: Path, command: str) -> None:
    more = ["--keys", str(keys), "-o", str(file.with_suffix(".new"))] if command == "sign" else []
    text = signed(file, keys).read_text() if command == "verify" else TEXT
    others = [file.with_suffix(".other")] if command == "diff" else []
    if others:
        others[0].write_text(f"{TEXT}more A 192.0.2.7\n")
    (file.parent / "more").write_text("" if command == "verify" else "more A 192.0.2.7\n")
    file.write_text(f"{text}$INCLUDE more\n")
    refused = zone(command, *more, file, *others)
    assert refused.exit_code in (1, 2)
    assert "$INCLUDE is not allowed here" in refused.output
    assert not file.with_suffix(".new").exists()
    allowed = zone(command, "--include-root", file.parent, *more, file, *others)
    assert allowed.exit_code == 0, allowed.output


# -- check ------------------------------------------------------------------------------------


def test_check_goes_through_all_files_and_fails_if_one_is_bad(file: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.zone"
    bad.write_text(TEXT + "x A x\n")
    done = zone("check", bad, file)
    assert done.exit_code == 1
    assert f"{bad}: line 9" in done.stderr
    assert f"{file}: example.com. is good, 6 records" in done.stdout


def test_check_prints_json_with_lines_and_columns(file: Path) -> None:
    file.write_text(TEXT + "x A x\n")
    done = zone("check", "--json", file, "-", text=TEXT)
    assert done.exit_code == 1
    bad, good = json.loads(done.stdout)
    assert (bad["file"], bad["good"], bad["errors"][0]["line"], bad["errors"][0]["column"]) == (str(file), False, 9, 5)
    assert (good["file"], good["good"], good["records"], good["zone"]) == ("-", True, 6, "example.com.")


def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path) -> None:
    for command in ("check", "verify", "stats"):
        assert zone(command, tmp_path / "none").exit_code == 2
    assert zone("check").exit_code == 2


# -- sign and verify --------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--nsec3"], ["--nsec3", "--opt-out", "--salt", "ab", "--iterations", "1"]])
def test_what_is_signed_verifies(file: Path, keys: Path, options: list[str]) -> None:
    target = signed(file, keys, *options)
    done = zone("verify", "--json", target)
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["good"] is True
    assert zone("diff", file, target).exit_code == 0


def test_signing_a_signed_file_makes_its_signatures_anew(file: Path, keys: Path) -> None:
    target = signed(file, keys, "--nsec3")
    again = signed(target, keys)
    assert "NSEC3" not in again.read_text()
    assert zone("verify", again).exit_code == 0


def test_a_file_on_standard_input_goes_to_standard_output(keys: Path) -> None:
    done = zone("sign", "--keys", keys, "-", text=TEXT)
    assert done.exit_code == 0
    assert zone("verify", "-", text=done.stdout).exit_code == 0


def test_times_are_those_that_were_given(file: Path, keys: Path) -> None:
    target = signed(file, keys, "--inception", "20300101000000", "--expiration", "20300201000000")
    assert zone("verify", target).exit_code == 1
    assert zone("verify", "--at", "20300115000000", target).exit_code == 0
    assert zone("verify", "--at", "20300202000000", target).exit_code == 1
    assert json.loads(zone("stats", "--json", target).stdout)[0]["earliest_expiry"] == "20300201000000"


@pytest.mark.parametrize(("style", "serial"), [("keep", 7), ("increment", 8)])
def test_the_serial_is_kept_or_moved(file: Path, keys: Path, style: str, serial: int) -> None:
    assert json.loads(zone("stats", "--json", signed(file, keys, "--serial", style)).stdout)[0]["serial"] == serial


def test_several_zones_go_to_a_folder(file: Path, keys: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    other = tmp_path / "again.zone"
    other.write_text(TEXT)
    done = zone("sign", "--json", "--keys", keys, "-o", folder, file, other)
    assert done.exit_code == 0
    assert [item["output"] for item in json.loads(done.stdout)] == [str(folder / file.name), str(folder / other.name)]
    assert sorted(path.name for path in folder.iterdir()) == ["again.zone", "example.zone"]


def test_a_bad_zone_leaves_the_output_as_it_was(file: Path, keys: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("before")
    file.write_text(TEXT + "www CNAME a\nwww CNAME b\n")
    done = zone("sign", "--keys", keys, "-o", target, file)
    assert done.exit_code == 1
    assert "www.example.com." in done.stderr
    assert target.read_text() == "before"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize(
    "options",
    [
        ["--serial", "random"],
        ["--opt-out"],
        ["--nsec3", "--salt", "xyz"],
        ["--expiration", "tomorrow"],
        ["--inception", "+30d", "--expiration", "+1d"],
        ["-o", "/nonexistent/file"],
        ["--json"],
        ["other.zone"],
    ],
)
def test_wrong_usage_exits_with_2(file: Path, keys: Path, options: list[str]) -> None:
    assert zone("sign", "--keys", keys, *options, file).exit_code == 2


def test_verify_names_what_is_wrong(file: Path, keys: Path) -> None:
    target = signed(file, keys)
    lines = target.read_text().splitlines(keepends=True)
    target.write_text("".join(line for line in lines if "RRSIG\tA " not in line))
    done = zone("verify", target)
    assert done.exit_code == 1
    assert "ns.example.com. A" in done.stderr


# -- diff and stats ---------------------------------------------------------------------------


def test_diff_shows_rrsets(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.zone"
    other.write_text(TEXT.replace("ns A 192.0.2.1", "ns 60 A 192.0.2.1") + "new A 192.0.2.9\n")
    done = zone("diff", file, other)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "+ new.example.com. 300 IN A 192.0.2.9",
        "- ns.example.com. 300 IN A 192.0.2.1",
        "+ ns.example.com. 60 IN A 192.0.2.1",
    ]
    found = json.loads(zone("diff", "--json", file, other).stdout)
    assert [len(found[key]) for key in ("adds", "changes", "removals")] == [1, 1, 0]
    assert zone("diff", file, file).exit_code == 0


def test_diff_leaves_signatures_out_unless_asked(file: Path, keys: Path) -> None:
    target = signed(file, keys)
    assert zone("diff", file, target).stdout == ""
    assert "RRSIG" in zone("diff", "--signed", file, target).stdout


def test_stats_count(file: Path) -> None:
    (found,) = json.loads(zone("stats", "--json", file).stdout)
    assert found["types"] == {"A": 2, "NS": 2, "SOA": 1, "TXT": 1}
    assert (found["records"], found["names"], found["delegations"], found["serial"]) == (6, 5, 1, 7)
    assert (found["ttl_lowest"], found["ttl_highest"], found["earliest_expiry"]) == (300, 300, None)
    assert "delegations: 1" in zone("stats", file).stdout


@pytest.mark.parametrize("command", ["check", "sign", "verify", "diff", "stats"])
def test_help_has_examples_and_exit_statuses(command: str) -> None:
    done = zone(command, "--help")
    assert done.exit_code == 0
    assert f"arca-dns-controller zone {command}" in done.stdout
    assert "Exit status" in done.stdout
