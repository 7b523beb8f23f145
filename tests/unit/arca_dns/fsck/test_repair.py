# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a repair makes whole, from where, and what it leaves alone."""

from __future__ import annotations

import io

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.dnssec.policy import Policy
from arca_dns.documents import dirty_key, head_key, published_key
from arca_dns.fsck.check import check
from arca_dns.fsck.findings import Report
from arca_dns.fsck.repair import Copy, copy_of_archive, repair
from arca_dns.moving.archive import Archive, backup
from arca_dns.publish.catalog import Catalog, Entry
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, ZoneRoot
from damage import corrupt, lose
from moved_state import create, fill, service, zone_text

A, UNSIGNED = names.from_text("a.example."), names.from_text("unsigned.example.")
NOW = 0.0


@pytest.fixture
def made() -> Service:
    filled = service(MemoryStore())
    fill(filled, hosts=200)
    return filled


def repaired(made: Service, *copies: Copy, sign: bool = True) -> Report:
    store = made.store
    publisher = made.publisher if sign else None
    return repair(store, lambda: check(store, now=NOW), copies=copies, publisher=publisher)


def how(report: Report) -> dict[str, str | None]:
    return {finding.subject: finding.repaired for finding in report.findings}


def tree(made: Service, root: str) -> list[str]:
    """Digests of a zone's nodes: its root, its apex, and its names from the top."""
    return list(ZoneRoot.load(Blobs(made.store.read_blobs), root).blobs(root))


def test_nothing_is_done_where_nothing_is_damaged(made: Service) -> None:
    before = made.store.watch(0, 0).revision
    assert repaired(made).findings == ()
    assert made.store.watch(0, 0).revision == before


@pytest.mark.parametrize("harm", [corrupt, lose])
@pytest.mark.parametrize("line", ["source", "published"])
def test_every_node_of_a_current_tree_comes_back_from_the_other_tree(made: Service, line: str, harm) -> None:
    info = made.zone(A)
    assert info.published is not None
    digests = tree(made, info.source.root if line == "source" else info.published.root)
    before = made.store.read_blobs(digests)
    for digest in digests:
        harm("memory", {}, digest, made.store)
    report = repaired(made)
    assert report.damage == ()
    assert made.store.read_blobs(digests) == before
    said = {text for text in how(report).values() if text}
    assert any(("from the published version" if line == "source" else "signing the source") in text for text in said)
    assert made.zone(A).published == info.published


def test_without_keys_what_is_published_stays_damaged_and_the_rest_is_repaired(made: Service) -> None:
    info = made.zone(A)
    assert info.published is not None
    source, published = tree(made, info.source.root)[-1], tree(made, info.published.root)[1]
    for digest in (source, published):
        corrupt("memory", {}, digest, made.store)
    report = repaired(made, sign=False)
    assert [finding.subject for finding in report.damage] == [published]
    assert how(report)[source] is not None


def test_a_leaf_of_history_is_put_together_from_the_versions_around_it() -> None:
    made = service(MemoryStore())
    create(made, "h.example", 200, signed=False)
    name = names.from_text("h.example.")
    for n in (1, 2, 3, 4):  # each moves one host out and one in
        parsed = parse(zone_text("h.example", 200, n))
        made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
    roots = [version.root for version in made.versions(name)]
    sets = [set(tree(made, root)) for root in roots]
    blobs = Blobs(made.store.read_blobs)
    own = [digest for digest in sets[2] - sets[1] - sets[3] if not blobs.get(digest).startswith((b"arcaZ", b"arcaN"))]
    before = made.store.read_blobs(own)
    assert own
    for digest in own:
        lose("memory", {}, digest, made.store)
    # What is published of an unsigned zone has the same leaves, and is damaged with them.
    report = repaired(made)
    assert set(how(report).values()) == {"from the versions before and after"}
    assert made.store.read_blobs(own) == before


def test_bytes_of_a_copy_that_do_not_hash_right_are_not_written(made: Service) -> None:
    digest = tree(made, made.zone(UNSIGNED).source.root)[-1]
    lose("memory", {}, digest, made.store)
    report = repaired(made, Copy("a liar", lambda digests: dict.fromkeys(digests, b"wrong")), sign=False)
    assert digest in {finding.subject for finding in report.damage}
    assert made.store.read_blobs([digest]) == {}


def test_a_backup_fills_a_whole_tree_that_is_lost(made: Service) -> None:
    file = io.BytesIO()
    backup(made.store, file, program="test", created="now")
    digests = tree(made, made.zone(UNSIGNED).source.root)
    before = made.store.read_blobs(digests)
    for digest in digests:
        lose("memory", {}, digest, made.store)
    report = repaired(made, copy_of_archive("b.zip", Archive(file, "b.zip")), sign=False)
    assert report.damage == ()
    assert "from b.zip" in how(report).values()
    assert made.store.read_blobs(digests) == before


def test_the_catalog_is_made_again_from_what_is_published(made: Service) -> None:
    catalog = made.head().head().catalog
    assert catalog is not None
    before = made.store.read_blobs([catalog])
    corrupt("memory", {}, catalog, made.store)
    head = made.head()
    assert how(repaired(made)) == {catalog: "from what is published"}
    assert made.store.read_blobs([catalog]) == before
    assert made.head() == head


def test_a_head_of_the_past_whose_catalog_is_lost_is_forgotten(made: Service) -> None:
    entries = [Entry(A, number, "11" * 32, "v") for number in (1, 2)]
    blobs = Blobs.memory()
    roots = [Catalog(blobs, None).update({A: entry}).root for entry in entries]
    made.store.write_blobs(blobs.pending)
    notes: dict[str, JsonObject] = {f"head-history/stable/{n:020}": {"catalog": root} for n, root in enumerate(roots)}
    made.store.commit(Transaction(writes=notes))
    lose("memory", {}, str(roots[0]), made.store)
    (finding,) = check(made.store, now=NOW).findings
    assert "only catalogs of the past" in finding.means
    assert repaired(made).damage == ()
    left = {document.key for document in made.store.scan("head-history/")}
    assert (min(notes) in left, max(notes) in left) == (False, True)


def test_what_cannot_be_signed_as_it_was_is_signed_anew_and_the_damaged_past_forgotten() -> None:
    store, keys, head = MemoryStore(), MemoryKeyStore(), HeadKey.generate()
    old = service(store, keys, head)
    create(old, "a.example", 200)
    before = old.zone(A).published
    assert before is not None
    made = Service(store, keys, head, policy=Policy(validity=Policy().validity + 86400))
    digest = tree(made, before.root)[-1]
    lose("memory", {}, digest, store)
    report = repaired(made)
    assert report.damage == ()
    assert digest in how(report)
    after = made.zone(A).published
    assert after is not None
    assert after.serial > before.serial
    assert store.get(f"publication/a.example./{before.version}") is None
    assert check(store, now=NOW).findings == ()


def test_documents_that_fell_behind_are_published_again(made: Service) -> None:
    published = made.zone(A).published
    assert published is not None
    held = made.store.get(published_key(A))
    assert held is not None
    value = {**held.value, "source": made.versions(A)[0].version, "source_root": made.versions(A)[0].root}
    made.store.commit(
        Transaction(writes={published_key(A): value}, deletes=[f"publication/a.example./{published.version}"])
    )
    report = repaired(made)
    assert report.damage == ()
    assert how(report)[dirty_key(A)] == "it is published again"
    now = made.zone(A)
    assert now.published is not None
    assert now.published.source == now.source.version
    assert check(made.store, now=NOW).findings == ()


def test_what_needs_a_person_is_left_as_it_is(made: Service) -> None:
    held = made.store.get(head_key("stable"))
    assert held is not None
    made.store.commit(Transaction(writes={head_key("stable"): {"signed": "no", "revision": 1}}))
    report = repaired(made)
    assert [finding.code for finding in report.damage] == ["head"]
    assert "restore a backup" in report.damage[0].todo
    assert made.store.get(head_key("stable")) is not None
