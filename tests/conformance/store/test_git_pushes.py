# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""People who push zone files with the git command, straight to the repository or to a remote of it."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ConfigError, StoreUnavailable
from arca_dns.git_import import GitImport, git_store
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.git import GitStore
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
COM, NET = names.from_text("example.com."), names.from_text("example.net.")


def git(folder: Path, *arguments: str, fails: bool = False) -> str:
    command = ["git", "-C", str(folder), "-c", "user.name=Ann Admin", "-c", "user.email=ann@example.net", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, f"git {' '.join(arguments)}: {done.stdout}{done.stderr}"
    return done.stdout


class Site:
    """A controller on Git, and a person with a clone."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.path = folder / "zones.git"
        self.options = {"path": str(self.path), **options}
        self.service = Service(open_store("git", self.options), MemoryKeyStore(), HeadKey.generate())
        self.importer = GitImport(self.service, ZoneSettings())
        self.work = folder / "work"

    @property
    def store(self) -> GitStore:
        found = git_store(self.service)
        assert found is not None
        return found

    def write(self, zone: bytes, address: str) -> None:
        text = ZONE.format(name=names.to_text(zone), address=address)
        parsed = parse(text, zone)
        if self.store.get(f"zone/{names.to_text(zone)}") is None:
            self.service.create_zone(zone, parsed.rrsets, actor="bob", reason="by the API")
        else:
            self.service.replace_zone(zone, parsed.rrsets, if_version=None, actor="bob", reason="by the API")

    def clone(self, origin: Path | None = None) -> None:
        git(self.folder, "clone", "-q", str(origin or self.path), "work")

    def edit(self, zone: str, old: str, new: str, subject: str = "new address") -> None:
        file = self.work / "zones" / f"{zone}.zone"
        file.write_text(file.read_text().replace(old, new))
        self.record(subject)

    def record(self, subject: str) -> None:
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", subject)

    def push(self) -> None:
        git(self.work, "push", "-q")

    def www(self, zone: bytes) -> str:
        found = self.service.rrset(zone, names.from_text("www." + names.to_text(zone)), 1)
        assert found is not None
        return ".".join(str(octet) for octet in found.rdatas[0])

    def report(self, zone: str) -> dict:
        found = [item for item in self.service.imports() if item["zone"] == zone]
        assert len(found) == 1, self.service.imports()
        return found[0]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    with closing(made.service):
        made.write(COM, "192.0.2.80")
        made.write(NET, "192.0.2.80")
        made.clone()
        yield made
    git(made.path, "fsck", "--full", "--strict")


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "-b", "main", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def far(tmp_path: Path, remote: Path) -> Iterator[Site]:
    """A site whose person works with a remote."""
    made = Site(tmp_path, remote=str(remote), auto_push=True, auto_pull=True)
    with closing(made.service):
        made.write(COM, "192.0.2.80")
        made.write(NET, "192.0.2.80")
        pushed(made, remote)
        made.clone(remote)
        yield made
    git(made.path, "fsck", "--full", "--strict")


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def pushed(site: Site, remote: Path) -> None:
    """Wait until the remote has what the controller has."""
    mine = git(site.path, "rev-parse", "refs/arca/main")
    until(lambda: git(remote, "for-each-ref", "--format=%(objectname)", "refs/heads/main") == mine, "is not pushed")


def test_an_edited_file_becomes_a_version_by_its_author_and_is_published(site) -> None:
    site.edit("example.com", "192.0.2.80", "192.0.2.99", "Move the web server")
    site.push()
    site.importer.round()
    assert site.www(COM) == "192.0.2.99"
    assert site.www(NET) == "192.0.2.80"
    version = site.service.versions(COM)[-1]
    assert (version.actor, version.reason) == ("Ann Admin", "Move the web server")
    published = site.service.zone(COM).published
    assert published is not None
    assert published.source == version.version
    assert site.service.imports() == []
    assert "Ann Admin <ann@example.net>: example.com.: Move the web server" in git(
        site.path, "log", "--format=%an <%ae>: %s", "main"
    )
    git(site.work, "pull", "-q", "--ff-only")
    assert "192.0.2.99" in (site.work / "zones" / "example.com.zone").read_text()


def test_a_new_file_makes_a_zone_and_a_removed_one_deletes_it(site) -> None:
    (site.work / "zones" / "example.org.zone").write_text(ZONE.format(name="example.org.", address="192.0.2.7"))
    (site.work / "zones" / "example.net.zone").unlink()
    site.record("Swap")
    site.push()
    site.importer.round()
    assert [info.source.name for info in site.service.zones()] == ["example.com.", "example.org."]
    assert site.service.signed_zone(names.from_text("example.org."))[0].serial > 0
    assert site.service.imports() == []


def test_each_file_is_by_who_changed_it_last(site) -> None:
    site.edit("example.com", "192.0.2.80", "192.0.2.98", "First")
    site.edit("example.net", "192.0.2.80", "192.0.2.97", "Second")
    site.edit("example.com", "192.0.2.98", "192.0.2.96", "Third")
    site.push()
    site.importer.round()
    assert [site.service.versions(zone)[-1].reason for zone in (COM, NET)] == ["Third", "Second"]


def test_a_broken_file_is_reported_by_line_and_column_and_left_alone(site) -> None:
    site.edit("example.com", "192.0.2.80", "192.0.2.800", "Typo")
    site.edit("example.net", "192.0.2.80", "192.0.2.81", "Fine")
    site.push()
    before = site.service.zone(COM).source.version
    site.importer.round()
    assert site.service.zone(COM).source.version == before
    assert site.www(NET) == "192.0.2.81"
    report = site.report("example.com.")
    assert (report["state"], report["file"], report["author"]) == ("refused", "zones/example.com.zone", "Ann Admin")
    assert report["commit"] == git(site.work, "rev-parse", "HEAD~1").strip()
    lines = (site.work / "zones" / "example.com.zone").read_text().split("\n")
    (place,) = report["places"]
    assert "192.0.2.800" in lines[place["line"] - 1]
    assert lines[place["line"] - 1][place["column"] - 1 :].startswith("192.0.2.800")
    git(site.work, "pull", "-q", "--ff-only")
    assert "192.0.2.800" in (site.work / "zones" / "example.com.zone").read_text()
    site.importer.round()
    assert site.report("example.com.") == report
    site.edit("example.com", "192.0.2.800", "192.0.2.88", "Typo corrected")
    site.push()
    site.importer.round()
    assert site.www(COM) == "192.0.2.88"
    assert site.service.imports() == []


def test_a_report_is_settled_by_a_write_through_the_api(site) -> None:
    site.edit("example.com", "192.0.2.80", "nonsense")
    site.push()
    site.importer.round()
    assert site.report("example.com.")["state"] == "refused"
    site.write(COM, "192.0.2.44")
    assert site.service.imports() == []
    git(site.work, "pull", "-q", "--ff-only")
    assert "192.0.2.44" in (site.work / "zones" / "example.com.zone").read_text()


def test_a_file_that_would_empty_a_zone_is_refused_like_any_write(site) -> None:
    many = "".join(f"h{n} IN A 192.0.2.{n}\n" for n in range(50))
    zone = names.from_text("example.org.")
    parsed = parse(ZONE.format(name="example.org.", address="192.0.2.1") + many, zone)
    site.service.create_zone(zone, parsed.rrsets, actor="bob")
    git(site.work, "pull", "-q", "--ff-only")
    (site.work / "zones" / "example.org.zone").write_text(ZONE.format(name="example.org.", address="192.0.2.1"))
    site.record("Clean up")
    site.push()
    site.importer.round()
    assert "through the API, with force" in site.report("example.org.")["problem"]
    assert len(list(site.service.rrsets(zone))) > 50


def test_a_change_of_comments_only_is_kept_and_makes_no_version(site) -> None:
    site.edit("example.com", "$ORIGIN", "; the shop\n$ORIGIN")
    site.push()
    before = site.service.zone(COM).source.version
    site.importer.round()
    assert site.service.zone(COM).source.version == before
    assert site.service.imports() == []
    assert git(site.path, "show", "main:zones/example.com.zone").startswith("; the shop\n")


def test_two_zones_changed_on_both_sides_are_merged(site) -> None:
    site.edit("example.com", "192.0.2.80", "192.0.2.99")
    site.push()
    site.write(NET, "192.0.2.66")
    site.importer.round()
    assert (site.www(COM), site.www(NET)) == ("192.0.2.99", "192.0.2.66")
    assert site.service.imports() == []
    git(site.work, "pull", "-q", "--ff-only")
    assert git(site.path, "rev-parse", "main") == git(site.path, "rev-parse", "refs/arca/main")


def test_one_zone_changed_on_both_sides_is_refused_by_name(site) -> None:
    site.edit("example.com", "192.0.2.80", "192.0.2.99")
    site.edit("example.net", "192.0.2.80", "192.0.2.98")
    site.push()
    site.write(COM, "192.0.2.66")
    site.importer.round()
    assert (site.www(COM), site.www(NET)) == ("192.0.2.66", "192.0.2.98")
    report = site.report("example.com.")
    assert report["state"] == "conflict"
    assert "zones/example.com.zone was changed on both sides" in report["problem"]
    assert "Pull, make the change again" in report["problem"]
    assert "kept as they were here:\nexample.com." in git(site.path, "log", "--merges", "-1", "--format=%B", "main")
    git(site.work, "pull", "-q", "--ff-only")
    site.edit("example.com", "192.0.2.66", "192.0.2.99", "Again")
    site.push()
    site.importer.round()
    assert site.www(COM) == "192.0.2.99"
    assert site.service.imports() == []


def test_a_second_push_without_a_pull_is_no_conflict(site) -> None:
    site.edit("example.com", "192.0.2.80", "192.0.2.99", "First")
    git(site.work, "push", "-q", "origin", "HEAD:main")
    from arca_dns.store.git.merge import take

    first = git(site.work, "rev-parse", "HEAD").strip().encode()
    site.importer.round()
    site.edit("example.com", "192.0.2.99", "192.0.2.98", "Second, on the first")
    git(site.work, "push", "-q", "origin", "HEAD:refs/heads/other")
    second = git(site.path, "rev-parse", "refs/heads/other").strip().encode()
    assert first != second
    assert take(site.store, second, "remote")
    site.importer.round()
    assert site.www(COM) == "192.0.2.98"


def test_a_commit_that_touches_the_state_is_refused_until_it_is_undone(site) -> None:
    (site.work / "state" / "hand-made").write_text("1")
    site.record("Tinker")
    site.edit("example.com", "192.0.2.80", "192.0.2.99")
    site.push()
    site.importer.round()
    assert site.www(COM) == "192.0.2.80"
    (report,) = site.service.imports()
    assert report["file"] == "state/hand-made"
    assert "state/ is the controller's own" in report["problem"]
    site.write(NET, "192.0.2.5")  # writes go on
    git(site.work, "revert", "--no-edit", "HEAD~1")
    site.push()
    site.importer.round()
    assert (site.www(COM), site.www(NET)) == ("192.0.2.99", "192.0.2.5")
    assert site.service.imports() == []


def test_what_is_neither_zone_nor_state_is_kept_and_not_read(site) -> None:
    (site.work / "NOTES").write_text("call Ann")
    (site.work / "zones" / "README").write_text("mind the dot")
    site.record("Notes")
    site.push()
    site.importer.round()
    site.write(COM, "192.0.2.4")
    assert git(site.path, "show", "main:NOTES") == "call Ann"
    assert git(site.path, "show", "main:zones/README") == "mind the dot"
    assert site.service.imports() == []


def test_files_with_a_name_that_is_no_zones_are_reported_until_they_go(site) -> None:
    (site.work / "zones" / "a..b.zone").write_text("x")
    (site.work / "zones" / "deep").mkdir()
    (site.work / "zones" / "deep" / "example.org.zone").write_text(
        ZONE.format(name="example.org.", address="192.0.2.1")
    )
    site.record("Odd ones")
    site.push()
    site.importer.round()
    assert site.report("a..b.")["state"] == "refused"
    assert "its place is zones/example.org.zone" in site.report("example.org.")["problem"]
    git(site.work, "pull", "-q", "--ff-only")
    git(site.work, "rm", "-rq", "zones/a..b.zone", "zones/deep")
    site.record("Remove")
    site.push()
    site.importer.round()
    assert site.service.imports() == []


def test_a_pull_and_a_push_go_through_a_remote(far, remote) -> None:
    far.edit("example.com", "192.0.2.80", "192.0.2.99", "Through the remote")
    far.push()
    far.importer.round()
    assert far.www(COM) == "192.0.2.99"
    assert far.service.versions(COM)[-1].actor == "Ann Admin"
    pushed(far, remote)
    git(far.work, "pull", "-q", "--ff-only")
    git(remote, "fsck", "--full", "--strict")


def test_a_remote_that_moved_meanwhile_is_merged_and_never_forced(far, remote) -> None:
    far.edit("example.com", "192.0.2.80", "192.0.2.99")
    far.push()
    theirs = git(remote, "rev-parse", "main").strip()
    far.write(NET, "192.0.2.66")
    until(lambda: far.store.remote_state()["push_problem"] is not None, "the failed push is not visible")
    assert "nothing was pushed" in far.store.remote_state()["push_problem"]
    assert git(remote, "rev-parse", "main").strip() == theirs
    far.importer.round()
    pushed(far, remote)
    assert (far.www(COM), far.www(NET)) == ("192.0.2.99", "192.0.2.66")
    git(remote, "merge-base", "--is-ancestor", theirs, "main")
    until(lambda: far.store.remote_state()["push_problem"] is None, "the problem stays")


@pytest.mark.parametrize("date", ["2001-01-01T00:00:00Z", "2037-01-01T00:00:00Z"])
def test_a_persons_wrong_clock_confuses_nothing(far, remote, monkeypatch, date) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", date)
    far.edit("example.com", "192.0.2.80", "192.0.2.99")
    far.push()
    far.importer.round()
    far.write(NET, "192.0.2.66")
    far.write(NET, "192.0.2.67")
    far.importer.round()
    pushed(far, remote)
    assert (far.www(COM), far.www(NET)) == ("192.0.2.99", "192.0.2.67")
    assert len(git(far.path, "log", "--merges", "--format=%h", "refs/arca/main").split()) == 1


def test_a_remote_that_is_away_fails_no_write_and_shows_why(far, remote) -> None:
    away = remote.with_name("away.git")
    remote.rename(away)
    far.write(COM, "192.0.2.3")
    until(lambda: far.store.remote_state()["push_problem"] is not None, "the failed push is not visible")
    with pytest.raises(StoreUnavailable, match="cannot be fetched from"):
        far.importer.round()
    assert far.www(COM) == "192.0.2.3"
    away.rename(remote)
    far.store.push_soon(now=True)
    pushed(far, remote)


def test_a_new_controller_begins_with_what_the_remote_has(far, remote, tmp_path) -> None:
    far.write(COM, "192.0.2.3")
    pushed(far, remote)
    store = open_store("git", {"path": str(tmp_path / "second.git"), "remote": str(remote)})
    with closing(store):
        assert store.scan("") == far.store.scan("")


def test_a_new_controller_without_its_remote_does_not_begin_a_second_history(tmp_path, remote) -> None:
    options = {"path": str(tmp_path / "zones.git"), "remote": str(remote)}
    remote.rename(remote.with_name("away.git"))
    with pytest.raises(StoreUnavailable, match="cannot be fetched from"):
        open_store("git", options)
    remote.with_name("away.git").rename(remote)
    with closing(open_store("git", options)) as store:
        assert store.scan("") == []


def test_a_remote_with_zone_files_only_is_imported(tmp_path, remote) -> None:
    git(tmp_path, "clone", "-q", str(remote), "first")
    (tmp_path / "first" / "zones").mkdir()
    (tmp_path / "first" / "zones" / "example.com.zone").write_text(
        ZONE.format(name="example.com.", address="192.0.2.9")
    )
    git(tmp_path / "first", "add", "-A")
    git(tmp_path / "first", "commit", "-q", "-m", "Begin with Git")
    git(tmp_path / "first", "push", "-q", "origin", "HEAD:main")
    site = Site(tmp_path, remote=str(remote), auto_push=True, auto_pull=True)
    with closing(site.service):
        site.importer.round()
        assert site.www(COM) == "192.0.2.9"
        pushed(site, remote)


@pytest.mark.parametrize("url", ["ssh://git@example.net/zones.git", "git@example.net:zones.git", "zones.git", "http:"])
def test_a_remote_that_cannot_be_used_is_refused_at_once(tmp_path, url) -> None:
    with pytest.raises(ConfigError, match="SSH is not supported"):
        open_store("git", {"path": str(tmp_path / "zones.git"), "remote": url})


def test_a_password_in_a_remotes_url_is_shown_nowhere(tmp_path) -> None:
    url = "http://bob:hunter2@127.0.0.1:9/zones.git"
    with pytest.raises(StoreUnavailable) as caught:
        open_store("git", {"path": str(tmp_path / "zones.git"), "remote": url})
    assert "hunter2" not in str(caught.value)
    assert "http://127.0.0.1:9/zones.git" in str(caught.value)
