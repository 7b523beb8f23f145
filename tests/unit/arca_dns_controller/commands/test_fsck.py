# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller fsck``."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import dulwich.repo
import pytest
from typer.testing import CliRunner, Result

import damage
from arca_dns.errors import CorruptBlob
from arca_dns.store.open import open_store
from arca_dns.zone import names
from arca_dns.zone.tree import Blobs, ZoneRoot
from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise
from controller_files import configuration, opened
from moved_state import fill

UNSIGNED = "unsigned.example."


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fsck", *map(str, arguments)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    made = configuration(tmp_path / "here")
    initialise(read(made))
    with opened(made) as controller:
        fill(controller, hosts=20)
    return made


def leaf(config: Path, zone: str, *, published: bool = False) -> str:
    with opened(config) as controller:
        info = controller.zone(names.from_text(zone))
        root = info.published.root if published and info.published else info.source.root
        found = ZoneRoot.load(Blobs(controller.store.read_blobs), root).names.root
    assert found is not None
    return found


def corrupt(config: Path, digest: str) -> None:
    with closing(sqlite3.connect(config.parent / "state.sqlite")) as database, database:
        done = database.execute("UPDATE arca_blobs SET data = x'00' WHERE digest = ?", (bytes.fromhex(digest),))
        assert done.rowcount == 1


def test_nothing_damaged_is_status_0(config: Path) -> None:
    result = run("--config", config)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("looked at ")
    assert result.stdout.endswith(": nothing is damaged\n")


def test_damage_is_named_with_what_needs_it_and_what_to_do_and_is_status_1(config: Path) -> None:
    digest = leaf(config, UNSIGNED)
    corrupt(config, digest)
    result = run("--config", config)
    assert result.exit_code == 1
    assert f"damage: {digest}: the blob does not hash to its name (names)\n" in result.stdout
    for text in ("zone: unsigned.example.", "needed by: unsigned.example. source v", "(current)", "means:", "do: run"):
        assert text in result.stdout
    assert "1 damaged" in result.stdout
    assert run("--config", config, "--zone", "a.example").exit_code == 0
    assert run("--config", config, "--zone", "unsigned.example").exit_code == 1


def test_json_says_the_same(config: Path) -> None:
    digest = leaf(config, UNSIGNED)
    corrupt(config, digest)
    result = run("--config", config, "--json")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["damage"] == 1
    (finding,) = said["findings"]
    assert (finding["code"], finding["subject"], finding["zone"]) == ("corrupt-blob", digest, UNSIGNED)
    assert {need["line"] for need in finding["needed_by"] if need["current"]} == {"source", "published"}


def test_a_repair_from_what_the_store_holds_is_status_0(config: Path) -> None:
    digests = leaf(config, "a.example."), leaf(config, "b.example.", published=True)
    for digest in digests:
        corrupt(config, digest)
    result = run("--config", config, "--repair")
    assert result.exit_code == 0, result.output
    assert all(f"repaired: {digest}" in result.stdout for digest in digests)
    assert "nothing is damaged, 2 repaired" in result.stdout
    assert run("--config", config).exit_code == 0


def test_what_only_a_backup_or_another_backend_has_comes_from_there(config: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "backup.zip", configuration(tmp_path / "other")
    runner = CliRunner()
    assert runner.invoke(app, ["backup", str(file), "--config", str(config)]).exit_code == 0
    (other.parent / "master.key").write_bytes((config.parent / "master.key").read_bytes())
    (other.parent / "master.key").chmod(0o600)
    moved = runner.invoke(app, ["migrate", "--from", str(config), "--to", str(other)])
    assert moved.exit_code == 0, moved.output
    digest = leaf(config, UNSIGNED)
    for source in (file, other):
        corrupt(config, digest)
        alone = run("--config", config, "--repair")
        assert alone.exit_code == 1
        assert "1 damaged" in alone.stdout
        result = run("--config", config, "--repair", "--from", source)
        assert result.exit_code == 0, result.output
        assert "repaired: from " in result.stdout
    refused = run("--config", config, "--repair", "--from", config)
    assert refused.exit_code == 0, "nothing is damaged, so nothing is looked for"
    corrupt(config, digest)
    refused = run("--config", config, "--repair", "--from", config)
    assert refused.exit_code == 2
    assert "names the backend that is to be repaired" in refused.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The configuration of a controller on a repository that has pushed everything to a remote."""
    folder, remote = tmp_path / "git", tmp_path / "remote.git"
    dulwich.repo.Repo.init_bare(str(remote), mkdir=True).close()
    config = configuration(folder)
    text = f"{{type: git, git: {{path: {folder}/zones.git, remote: {remote}, auto_push: true}}}}"
    config.write_text(re.sub(r"backend: .*", f"backend: {text}", config.read_text()))
    initialise(read(config))
    with opened(config) as controller:
        fill(controller, hosts=20)
    return config


def test_a_node_in_a_repository_is_repaired_from_its_remote(repository: Path) -> None:
    digest, options = leaf(repository, UNSIGNED), read(repository).backend.options()
    with closing(open_store("git", options)) as store:
        damage.corrupt("git", options, digest, store)
    result = run("--config", repository)
    assert result.exit_code == 1
    assert f"damage: {digest}" in result.stdout
    result = run("--config", repository, "--repair")
    assert result.exit_code == 0, result.output
    assert "repaired: from the remote repository" in result.stdout
    assert list((repository.parent / "zones.git" / "arca" / "damaged").iterdir())
    assert run("--config", repository).exit_code == 0


def test_folders_and_documents_in_a_repository_are_repaired_from_its_remote(repository: Path, tmp_path: Path) -> None:
    for pack in (repository.parent / "zones.git" / "objects" / "pack").glob("*.pack"):
        content = pack.read_bytes()
        pack.chmod(0o644)
        pack.write_bytes(content[:12] + bytes(len(content) - 32) + content[-20:])
    result = run("--config", repository)
    assert result.exit_code == 1
    assert "the Git object of the head cannot be read" in result.stdout
    (tmp_path / "remote.git").rename(tmp_path / "away.git")
    result = run("--config", repository, "--repair")
    assert result.exit_code == 1
    assert "cannot be fetched from" in result.stderr
    (tmp_path / "away.git").rename(tmp_path / "remote.git")
    result = run("--config", repository, "--repair")
    assert result.exit_code == 0, result.output
    assert "repaired: from another repository" in result.stdout
    result = run("--config", repository)
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    with opened(repository) as controller:
        assert len(controller.zones()) == 3
        controller.delete_zone(names.from_text(UNSIGNED), if_version=None, actor="test", force=True)
    heads = [dulwich.repo.Repo(str(path)) for path in (repository.parent / "zones.git", tmp_path / "remote.git")]
    assert heads[0].refs[b"refs/heads/main"] == heads[1].refs[b"refs/heads/main"], "what came afterwards is pushed"
    for head in heads:
        head.close()


def test_without_the_master_key_what_needs_no_signing_is_repaired(config: Path) -> None:
    source, published = leaf(config, "a.example."), leaf(config, "b.example.", published=True)
    corrupt(config, source)
    corrupt(config, published)
    (config.parent / "master.key").unlink()
    result = run("--config", config, "--repair")
    assert result.exit_code == 1
    assert f"repaired: {source}" in result.stdout
    assert f"damage: {published}" in result.stdout
    assert "nothing can be signed again" in result.stderr


def test_what_cannot_be_looked_at_is_status_2_and_one_line(config: Path, tmp_path: Path) -> None:
    missing = configuration(tmp_path / "missing")
    broken = configuration(tmp_path / "broken")
    (broken.parent / "state.sqlite").write_bytes(b"no database " * 1000)
    for arguments, says in (
        (("--config", tmp_path / "none.yaml"), "none.yaml"),
        (("--config", missing), "there is no sqlite backend at"),
        (("--config", broken), "is not a SQLite database, or it is damaged"),
        (("--config", config, "--from", config), "--from is for --repair"),
        (("--config", config, "--zone", "nowhere.test"), "the backend holds nothing of a zone nowhere.test."),
        (("--config", config, "--zone", "a..b"), "is not a domain name"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (2, ""), arguments
        assert says in result.stderr
        assert result.stderr.count("\n") == 1
    assert not (missing.parent / "state.sqlite").exists()


def test_a_controller_says_what_to_do_about_damage(config: Path) -> None:
    digest = leaf(config, UNSIGNED)
    corrupt(config, digest)
    with (
        opened(config) as controller,
        pytest.raises(CorruptBlob, match="'arca-dns-controller fsck' says what needs it"),
    ):
        list(controller.rrsets(names.from_text(UNSIGNED)))
