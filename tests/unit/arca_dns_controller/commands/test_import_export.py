# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller import`` and ``export``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from arca_dns.zone import names
from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise
from controller_files import configuration, opened
from moved_state import zone_text

LAB = Path(__file__).parents[4] / "inventories" / "lab" / "zones"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = configuration(tmp_path / "c")
    initialise(read(file))
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "zones").mkdir()
    for name in ("a.example", "b.example"):
        (tmp_path / "zones" / f"{name}.zone").write_text(zone_text(name, 12))
    return tmp_path / "zones"


def roots(config: Path) -> dict[bytes, tuple[str, int]]:
    with opened(config) as made:
        return {zone.name: (zone.source.root, zone.source.serial) for zone in made.zones()}


def test_what_is_exported_is_imported_to_the_identical_root(config: Path, tmp_path: Path) -> None:
    first = run("import", LAB, "--config", config)
    assert first.exit_code == 0, first.stderr
    assert first.stdout.endswith("6 of 6 zones written, 0 wrong\n")
    assert run("export", tmp_path / "out", "--config", config).stdout == f"wrote 6 zone files to {tmp_path / 'out'}\n"
    again = configuration(tmp_path / "again")
    initialise(read(again))
    assert run("import", tmp_path / "out", "--config", again).exit_code == 0
    assert len(roots(config)) == 6
    assert roots(again) == roots(config)
    unchanged = run("import", tmp_path / "out", "--config", config, "--on-existing=replace")
    assert unchanged.stdout.count("exists with this content") == 6


def test_the_published_zone_is_exported_with_its_signatures_and_imported_without(config: Path, tmp_path: Path) -> None:
    run("import", LAB, "--config", config)
    assert run("export", tmp_path / "out", "--signed", "--config", config).exit_code == 0
    assert "RRSIG" in (tmp_path / "out" / "arca.example.zone").read_text()
    again = configuration(tmp_path / "again")
    initialise(read(again))
    refused = run("import", tmp_path / "out", "--config", again)
    assert refused.exit_code == 1
    assert "comes with DNSSEC records (RRSIG, NSEC, DNSKEY), which the controller makes itself" in refused.stderr
    taken = run("import", tmp_path / "out", "--strip-dnssec", "--config", again)
    assert taken.exit_code == 0, taken.stderr
    assert "a DS at the parent must follow them" in taken.stderr
    assert {name: root for name, (root, _serial) in roots(again).items()} == {
        name: root for name, (root, _serial) in roots(config).items()
    }


def test_nothing_is_written_if_one_zone_is_wrong(config: Path, folder: Path) -> None:
    (folder / "bad.example.zone").write_text("@ 300 IN SOA ns1 h 1 1 1 1 1\n  NS ns1\nns1 A 192.0.2.256\n")
    result = run("import", folder, "--config", config)
    assert result.exit_code == 1
    assert f"{folder}/bad.example.zone: line 3" in result.stderr
    assert result.stdout.endswith("0 of 3 zones written, 1 wrong, nothing was written\n")
    assert roots(config) == {}
    kept = run("import", folder, "--keep-going", "--config", config)
    assert kept.exit_code == 1
    assert "2 of 3 zones written, 1 wrong" in kept.stdout
    assert sorted(roots(config)) == [names.from_text("a.example."), names.from_text("b.example.")]


def test_a_dry_run_says_what_would_be_done(config: Path, folder: Path) -> None:
    result = run("import", folder, "--dry-run", "--config", config)
    assert result.exit_code == 0
    assert "a.example.: to be created, 15 records, serial 1\n" in result.stdout
    assert roots(config) == {}


def test_zones_that_exist_fail_are_skipped_or_replaced(config: Path, folder: Path) -> None:
    run("import", folder, "--config", config)
    (folder / "a.example.zone").write_text(zone_text("a.example", 13).replace(" 1 3600", " 7 3600"))
    (folder / "c.example.zone").write_text(zone_text("c.example", 3))
    failed = run("import", folder, "--config", config)
    assert failed.exit_code == 1
    assert "zone a.example. exists: --on-existing=skip leaves it" in failed.stderr
    assert len(roots(config)) == 2
    skipped = run("import", folder, "--on-existing=skip", "--config", config)
    assert skipped.exit_code == 0
    assert "a.example.: exists, left as it is\n" in skipped.stdout
    assert len(roots(config)) == 3
    replaced = run("import", folder, "--on-existing=replace", "--config", config)
    assert replaced.exit_code == 0
    assert "a.example.: replaced, 1 RRsets added, 0 changed, 0 removed, serial 7\n" in replaced.stdout


def test_a_replacement_that_removes_most_of_a_zone_needs_force(config: Path, folder: Path) -> None:
    run("import", folder, "--config", config)
    (folder / "a.example.zone").write_text(zone_text("a.example", 2))
    arguments = ("import", folder, "--on-existing=replace", "--config", config)
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert "repeat it with --force" in refused.stderr
    assert run(*arguments, "--force").exit_code == 0


def test_json_says_everything(config: Path, folder: Path) -> None:
    said = json.loads(run("import", folder, "--json", "--config", config).stdout)
    assert said["written"] == 2
    assert said["failed"] == 0
    assert {(zone["zone"], zone["action"], zone["written"]) for zone in said["zones"]} == {
        ("a.example.", "create", True),
        ("b.example.", "create", True),
    }


def test_the_origin_comes_from_the_file_name_or_from_origin(config: Path, folder: Path) -> None:
    plain = "; a comment\n$TTL 300\n@ SOA ns1 h 1 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
    (folder / "plain.example.zone").write_text(plain)
    (folder / "0%2F26.2.0.192.in-addr.arpa.zone").write_text(plain)
    (folder / "misleading.zone").write_text("$ORIGIN told.example.\n" + plain)
    assert run("import", folder, "--config", config).exit_code == 0
    assert {names.to_text(name) for name in roots(config)} == {
        "a.example.",
        "b.example.",
        "plain.example.",
        "0/26.2.0.192.in-addr.arpa.",
        "told.example.",
    }


def test_one_zone_in_two_files_is_told(config: Path, folder: Path) -> None:
    (folder / "z.zone").write_text(zone_text("a.example", 3))
    result = run("import", folder, "--config", config)
    assert result.exit_code == 1
    assert f"{folder}/z.zone: zone a.example. comes from {folder}/a.example.zone already" in result.stderr


def test_a_named_conf_is_imported_and_what_is_left_out_is_told(config: Path, folder: Path) -> None:
    conf = folder / "named.conf.local"
    conf.write_text(
        f'options {{ directory "{folder}"; }};\nzone "a.example" {{ type master; file "a.example.zone"; }};\n'
        'zone "other.example" { type slave; file "x"; };\n'
    )
    result = run("import", conf, "--config", config)
    assert result.exit_code == 0, result.stderr
    assert "other.example: not imported, its type is slave" in result.stderr
    assert list(roots(config)) == [names.from_text("a.example.")]


def test_a_journal_beside_a_zone_file_is_refused(config: Path, folder: Path) -> None:
    (folder / "a.example.zone.jnl").write_bytes(b"")
    result = run("import", folder, "--config", config)
    assert result.exit_code == 1
    assert "run 'rndc sync -clean' on that server first" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a folder, a zone file or a named.conf"),
        (("--axfr", "127.0.0.1"), "--axfr takes no folder or file, and at least one --zone"),
        (("--axfr", "127.0.0.1:x", "--zone", "a"), "'127.0.0.1:x' is no server"),
        (("/nowhere/a.zone",), "/nowhere/a.zone: cannot be read: No such file"),
        (("/nowhere/named.conf",), "/nowhere/named.conf cannot be read: No such file"),
        (("--axfr", "127.0.0.1:1", "--zone", "a"), "a. from 127.0.0.1, port 1: Connection refused"),
    ],
)
def test_what_cannot_be_is_told(config: Path, arguments: tuple[str, ...], message: str) -> None:
    result = run("import", *arguments, "--config", config)
    assert result.exit_code == 1
    assert message in result.stderr


def test_export_replaces_files_only_when_told_and_leaves_no_others(config: Path, folder: Path, tmp_path: Path) -> None:
    run("import", folder, "--config", config)
    out = tmp_path / "out"
    assert run("export", out, "--zone", "a.example", "--config", config).exit_code == 0
    assert [file.name for file in out.iterdir()] == ["a.example.zone"]
    refused = run("export", out, "--config", config)
    assert refused.exit_code == 1
    assert f"{out}/a.example.zone exists: --force replaces files" in refused.stderr
    assert [file.name for file in out.iterdir()] == ["a.example.zone"]
    assert run("export", out, "--force", "--config", config).exit_code == 0
    assert sorted(file.name for file in out.iterdir()) == ["a.example.zone", "b.example.zone"]
    assert "there is no zone c.example." in run("export", out, "--zone", "c.example", "--config", config).stderr
