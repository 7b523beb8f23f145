# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The Git backend with the git command as the other side: what a clone holds, what the log says, what fsck finds."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.errors import IntegrityError, StoreError
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import Transaction
from arca_dns.store.git import GitStore
from arca_dns.store.git.repository import Repository
from arca_dns.store.open import open_store
from arca_dns.zone import names
from arca_dns.zone.text import parse

pytestmark = pytest.mark.conformance

ZONE = """\
$ORIGIN {name}
$TTL 3600
@ IN SOA ns1.{name} hostmaster.{name} 1 3600 600 604800 300
@ IN NS ns1.{name}
ns1 IN A 192.0.2.1
www IN A {address}
"""


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), "-c", "user.name=Ann Admin", "-c", "user.email=ann@example.net", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr}"
    return done.stdout


def write_zone(service: Service, name: str, address: str, actor: str = "bob", reason: str = "as ordered") -> None:
    parsed = parse(ZONE.format(name=name, address=address), names.from_text(name))
    if any(info.source.name == name for info in service.zones()):
        service.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor=actor, reason=reason, force=True)
    else:
        service.create_zone(parsed.origin, parsed.rrsets, actor=actor, reason=reason)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "zones.git"


@pytest.fixture
def service(path: Path) -> Iterator[Service]:
    made = Service(open_store("git", {"path": str(path)}), MemoryKeyStore(), HeadKey.generate())
    with closing(made):
        yield made


def test_a_clone_shows_each_zone_as_a_file_that_parses_to_it(service, path, tmp_path) -> None:
    write_zone(service, "example.com.", "192.0.2.80")
    write_zone(service, "example.com.", "192.0.2.81")
    write_zone(service, "example.net.", "192.0.2.82")
    git(tmp_path, "clone", "-q", str(path), "clone")
    zones = tmp_path / "clone" / "zones"
    assert sorted(file.name for file in zones.iterdir()) == ["example.com.zone", "example.net.zone"]
    parsed = parse((zones / "example.com.zone").read_bytes())
    assert list(parsed.rrsets) == list(service.rrsets(names.from_text("example.com.")))


def test_a_clone_is_a_backup_that_opens_with_everything(service, path, tmp_path) -> None:
    write_zone(service, "example.com.", "192.0.2.80")
    git(tmp_path, "clone", "-q", "--bare", str(path), "copy.git")
    with closing(open_store("git", {"path": str(tmp_path / "copy.git")})) as copy:
        other = Service(copy, MemoryKeyStore(), HeadKey.generate())
        origin = names.from_text("example.com.")
        assert list(other.rrsets(origin)) == list(service.rrsets(origin))
        assert copy.scan("") == service._store.scan("")
        root = service.signed_zone(origin)[0].root
        assert set(service.signed_zone(origin)[1].blobs(root)) == set(other.signed_zone(origin)[1].blobs(root))


def test_the_log_says_who_did_what_and_why(service, path) -> None:
    write_zone(service, "example.com.", "192.0.2.80", actor="bob", reason="new web server")
    write_zone(service, "example.com.", "192.0.2.81", actor="carol", reason="move <b>the</b> web server")
    assert git(path, "log", "--format=%an: %s").splitlines() == [
        "arca.dns: Publish example.com.",
        "carol: example.com.: move <b>the</b> web server",
        "arca.dns: Publish example.com.",
        "bob: example.com.: new web server",
        "arca.dns: Begin",
    ]
    changed = git(path, "show", "--format=", "--unified=0", "main~1", "--", "zones")
    assert "-www\t3600\tIN\tA\t192.0.2.80\n+www\t3600\tIN\tA\t192.0.2.81\n" in changed


def test_a_deleted_zone_has_no_file(service, path) -> None:
    write_zone(service, "example.com.", "192.0.2.80")
    write_zone(service, "example.net.", "192.0.2.80")
    service.delete_zone(names.from_text("example.net."), if_version=None, actor="bob", force=True)
    assert git(path, "ls-tree", "-r", "--name-only", "main", "zones").split() == ["zones/example.com.zone"]


def test_a_sweep_leaves_the_history_whole(service, path) -> None:
    write_zone(service, "example.com.", "192.0.2.80")
    before = git(path, "rev-parse", "main").strip()
    store = service.store
    store._clock = lambda: 9e9
    assert store.sweep([]) > 0
    assert git(path, "ls-tree", "-r", "--name-only", "main", "state/blobs") == ""
    assert git(path, "ls-tree", "-r", "--name-only", before, "state/blobs") != ""


def test_git_gc_at_any_time_harms_nothing(service, path) -> None:
    for number in range(40):
        write_zone(service, "example.com.", f"192.0.2.{number}")
        if number % 10 == 9:
            git(path, "gc", "-q", "--prune=now")
    assert service.zone(names.from_text("example.com.")).published is not None
    assert len(service.versions(names.from_text("example.com."))) == 40
    git(path, "fsck", "--full", "--strict")


def test_many_commits_do_not_make_many_files(path) -> None:
    with closing(open_store("git", {"path": str(path)})) as store:
        for number in range(300):
            store.commit(Transaction(writes={f"k/{number}": {"n": number}}))
        packs = list((path / "objects" / "pack").glob("*.pack"))
        assert len(packs) < 70
        assert len(store.scan("k/")) == 300
    git(path, "fsck", "--full", "--strict")


def test_zone_files_are_spread_over_folders_where_there_are_many(path) -> None:
    with closing(open_store("git", {"path": str(path)})) as store:
        assert isinstance(store, GitStore)
        writes = {
            f"zone/z{n:04}.example.": {"name": f"z{n:04}.example.", "root": "00" * 32, "serial": 1} for n in range(700)
        }
        for at in range(0, 700, 100):
            store.commit(Transaction(writes=dict(list(writes.items())[at : at + 100])))
        folder = git(path, "ls-tree", "--name-only", "main", "zones/").split()
        assert len([name for name in folder if name.endswith(".zone")]) <= 600
        assert len(git(path, "ls-tree", "-r", "--name-only", "main", "zones").split()) == 700


@pytest.mark.parametrize("durable", ["git"], indirect=True)
def test_fsck_is_clean_after_writers_were_killed_under_load(durable, workers) -> None:
    moments = random.Random()
    path = Path(str(durable.options["path"]))
    for _ in range(8):
        pids = [workers.start("count", f"w{number}", 10_000) for number in range(2)]
        workers.said(moments.uniform(0.1, 0.5))
        for pid in pids:
            workers.kill(pid)
        workers.wait()
        git(path, "fsck", "--full", "--strict")
        assert git(path, "rev-parse", "refs/arca/main")
    store = durable.open()
    found = store.get("count")
    assert found is not None
    assert [document.key for document in store.scan("by/", limit=100_000)] == [
        f"by/{n:06}" for n in range(1, int(found.value["n"]) + 1)
    ]
    store.commit(Transaction(writes={"last": {}}))
    assert git(path, "rev-parse", "main") == git(path, "rev-parse", "refs/arca/main"), "the branch does not follow"


def test_a_folder_that_is_no_repository_is_refused_with_what_to_do(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(StoreError, match="is a folder with other files: give the path of a new folder"):
        open_store("git", {"path": str(tmp_path)})
    git(tmp_path, "init", "-q", "work")
    with pytest.raises(StoreError, match="has a working tree"):
        open_store("git", {"path": str(tmp_path / "work")})


def test_a_join_of_packs_that_was_cut_short_loses_nothing_when_it_is_repeated(path) -> None:
    with closing(open_store("git", {"path": str(path)})) as store:
        for number in range(20):
            store.commit(Transaction(writes={f"k/{number}": {"n": number}}))
    packs = path / "objects" / "pack"
    sources = {file.name: file.read_bytes() for file in packs.iterdir()}
    for _ in range(3):
        repository = Repository(path, "main")
        repository.join_packs(least=2)
        repository.close()
        for name, content in sources.items():  # as if it had died before it removed them
            if not (packs / name).exists():
                (packs / name).write_bytes(content)
        git(path, "fsck", "--full", "--strict")
    repository = Repository(path, "main")
    repository.join_packs(least=2)
    repository.close()
    assert len(list(packs.glob("*.pack"))) == 1
    git(path, "fsck", "--full", "--strict")
    with closing(open_store("git", {"path": str(path)})) as store:
        assert len(store.scan("k/")) == 20


def test_a_damaged_object_is_named_and_a_clone_repairs_it(service, path, tmp_path) -> None:
    write_zone(service, "example.com.", "192.0.2.80")
    origin = names.from_text("example.com.")
    git(tmp_path, "clone", "-q", "--bare", "--no-local", str(path), "copy.git")
    packs = path / "objects" / "pack"
    service.close()
    damaged = max(packs.glob("*.pack"), key=lambda pack: pack.stat().st_size)
    content = bytearray(damaged.read_bytes())
    content[40:-40:7] = bytes(len(content[40:-40:7]))
    damaged.chmod(0o644)
    damaged.write_bytes(content)
    with pytest.raises(IntegrityError, match=r"is damaged in .*zones.git: `git fsck` says what else is"):
        read_all(path, origin)
    damaged.unlink()
    damaged.with_suffix(".idx").unlink()
    for file in (tmp_path / "copy.git" / "objects" / "pack").iterdir():
        (packs / file.name).write_bytes(file.read_bytes())
    read_all(path, origin)
    git(path, "fsck", "--full", "--strict")


def read_all(path: Path, origin: bytes) -> None:
    with closing(open_store("git", {"path": str(path)})) as store:
        opened = Service(store, MemoryKeyStore(), HeadKey.generate())
        assert list(opened.rrsets(origin))
        assert all(opened.signed_zone(origin)[1].items())
