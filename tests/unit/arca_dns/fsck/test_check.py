# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A check finds each kind of damage, says what it means, and blames nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from arca_dns.documents import dirty_key, head_key, published_key, zone_key
from arca_dns.fsck.check import check
from arca_dns.fsck.findings import Finding
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import JsonObject, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns.zone.tree import Blobs, Tree, ZoneRoot, inner_node
from damage import corrupt, lose
from moved_state import fill, service, zone_text

A, B, GONE = (names.from_text(f"{name}.example.") for name in ("a", "b", "gone"))


@pytest.fixture
def key() -> HeadKey:
    return HeadKey.generate()


@pytest.fixture
def made(key: HeadKey) -> Service:
    filled = service(MemoryStore(), head=key)
    fill(filled, hosts=200)
    return filled


def found(made: Service, key: HeadKey | None = None, *, zone: bytes | None = None, now: float = 0.0) -> list[Finding]:
    keys = [] if key is None else [key.public]
    return list(check(made.store, now=now, keys=keys, zone=zone).findings)


def codes(findings: list[Finding]) -> set[tuple[str, str]]:
    return {(finding.code, finding.subject) for finding in findings}


def change(made: Service, key: str, **fields: object) -> None:
    held = made.store.get(key)
    assert held is not None
    value: JsonObject = {**held.value, **fields}  # type: ignore[dict-item]
    made.store.commit(Transaction(writes={key: value}))


def delete(made: Service, key: str) -> None:
    made.store.commit(Transaction(deletes=[key]))


def version_of(made: Service, zone: bytes) -> str:
    return f"version/{names.to_text(zone)}/{made.zone(zone).source.version}"


def publication_of(made: Service, zone: bytes) -> str:
    published = made.zone(zone).published
    assert published is not None
    return f"publication/{names.to_text(zone)}/{published.version}"


def test_what_is_whole_has_no_findings(made: Service, key: HeadKey) -> None:
    assert found(made, key) == []
    assert all(found(made, key, zone=zone) == [] for zone in (A, B, GONE))


def lose_version(made: Service) -> tuple[str, str]:
    delete(made, version_of(made, A))
    return "missing-document", version_of(made, A)


def lose_publication(made: Service) -> tuple[str, str]:
    subject = publication_of(made, A)
    delete(made, subject)
    return "missing-document", subject


def lose_zone(made: Service) -> tuple[str, str]:
    delete(made, zone_key(A))
    return "missing-document", zone_key(A)


def other_root(made: Service) -> tuple[str, str]:
    change(made, zone_key(A), root=made.zone(B).source.root)
    return "bad-document", zone_key(A)


def other_records(made: Service) -> tuple[str, str]:
    change(made, version_of(made, A), records=7)
    return "counts", version_of(made, A)


def later_expiry(made: Service) -> tuple[str, str]:
    change(made, publication_of(made, A), earliest_expiry=4_000_000_000)
    return "counts", publication_of(made, A)


def serial_back(made: Service) -> tuple[str, str]:
    change(made, version_of(made, A), serial=1)
    return "serial", version_of(made, A)


def wrong_type(made: Service) -> tuple[str, str]:
    change(made, version_of(made, B), serial="1")
    return "bad-document", version_of(made, B)


def no_digest(made: Service) -> tuple[str, str]:
    change(made, published_key(B), root="nowhere")
    return "bad-document", published_key(B)


def unknown_setting(made: Service) -> tuple[str, str]:
    change(made, zone_key(A), settings={"colour": "red"})
    return "bad-document", zone_key(A)


def parent_of_itself(made: Service) -> tuple[str, str]:
    change(made, version_of(made, A), parent=made.zone(A).source.version)
    return "chain", version_of(made, A)


def not_published(made: Service) -> tuple[str, str]:
    change(made, published_key(A), source=made.versions(A)[0].version)
    return "not-waiting", dirty_key(A)


def still_published(made: Service) -> tuple[str, str]:
    published = made.store.get(published_key(B))
    assert published is not None
    made.delete_zone(B, if_version=None, actor="test", force=True)
    made.store.commit(Transaction(writes={published_key(B): published.value}))
    return "not-waiting", dirty_key(B)


def not_in_catalog(made: Service) -> tuple[str, str]:
    change(made, published_key(A), version="v01AAAAAAAAAAAAAAAAAAAAAAAAA")
    return "catalog", head_key("stable")


def no_head(made: Service) -> tuple[str, str]:
    delete(made, head_key("stable"))
    return "head", head_key("")


def forged_head(made: Service) -> tuple[str, str]:
    held = made.store.get(head_key("stable"))
    assert held is not None
    signed = dict(held.value["signed"])  # type: ignore[arg-type]
    change(made, head_key("stable"), signed={**signed, "signature": signed["signature"][::-1]})
    return "head", head_key("stable")


def other_revision(made: Service) -> tuple[str, str]:
    change(made, head_key("stable"), revision=1)
    return "head", head_key("stable")


@pytest.mark.parametrize(
    "harm",
    [
        lose_version,
        lose_publication,
        lose_zone,
        other_root,
        other_records,
        later_expiry,
        serial_back,
        wrong_type,
        no_digest,
        unknown_setting,
        parent_of_itself,
        not_published,
        still_published,
        not_in_catalog,
        no_head,
        forged_head,
        other_revision,
    ],
)
def test_a_document_that_does_not_fit_is_named(
    made: Service, key: HeadKey, harm: Callable[[Service], tuple[str, str]]
) -> None:
    expected = harm(made)
    findings = found(made, key)
    assert expected in codes(findings)
    assert all(finding.damage for finding in findings)
    assert all(finding.todo for finding in findings)


def test_an_oldest_version_whose_parent_retention_has_removed_is_no_finding(made: Service) -> None:
    delete(made, f"version/a.example./{made.versions(A)[0].version}")
    assert found(made) == []


def test_a_gap_in_the_history_is_noted(made: Service) -> None:
    _first, second, third = made.versions(A)
    delete(made, f"version/a.example./{second.version}")
    (finding,) = found(made)
    assert (finding.code, finding.subject, finding.damage) == ("gap", f"version/a.example./{third.version}", False)


def test_documents_of_an_unknown_kind_are_noted_and_their_trees_visited(made: Service) -> None:
    root = made.zone(A).source.root
    made.store.commit(Transaction(writes={"colour/red": {"root": root, "text": "x"}, "colour/blue": {}}))
    findings = found(made)
    assert [(finding.code, finding.subject, finding.damage) for finding in findings] == [
        ("unknown-document", "colour", False)
    ]
    assert "2 documents" in findings[0].problem
    made.store.commit(Transaction(writes={"colour/red": {"root": "0" * 64}}))
    assert ("missing-blob", "0" * 64) in codes(found(made))


def test_a_zone_that_waits_and_a_head_that_expired_are_noted(made: Service) -> None:
    made.store.commit(Transaction(writes={dirty_key(A): {"name": "a.example.", "removed": False, "problem": "why"}}))
    findings = found(made, now=4_000_000_000.0)
    assert codes(findings) == {("waiting", dirty_key(A)), ("waiting", head_key("stable"))}
    assert not any(finding.damage for finding in findings)
    assert "why" in findings[0].problem


def nodes(made: Service, root: str) -> list[str]:
    return list(ZoneRoot.load(Blobs(made.store.read_blobs), root).names.blobs())


@pytest.mark.parametrize(("harm", "code"), [(corrupt, "corrupt-blob"), (lose, "missing-blob")])
def test_a_damaged_leaf_names_its_owners_and_all_that_need_it(made: Service, harm, code: str) -> None:
    root = made.zone(A).source.root
    digest = nodes(made, root)[1]
    harm("memory", {}, digest, made.store)
    (finding,) = found(made)
    assert (finding.code, finding.subject, finding.zone) == (code, digest, "a.example.")
    assert finding.owners == "host78.a.example. up to the end"
    needs = {need.version: need.current for need in finding.needs}
    assert needs[made.zone(A).source.version]
    assert {need.line for need in finding.needs} == {"source"}
    assert "served as it is" in finding.means
    assert [one.subject for one in found(made, zone=A)] == [digest]
    assert found(made, zone=B) == []


def test_a_damaged_root_hurts_those_that_have_it_and_hides_what_is_below(made: Service) -> None:
    published = made.zone(A).published
    assert published is not None
    lose("memory", {}, published.root, made.store)
    (finding,) = found(made)
    assert [(need.version, need.line) for need in finding.needs] == [(published.version, "published")]
    assert "edges that have a.example. go on serving it" in finding.means


def test_damage_in_history_alone_is_said_to_be_that(made: Service) -> None:
    old = made.versions(A)[0]
    mine = set(nodes(made, old.root)) - set(nodes(made, made.zone(A).source.root))
    mine -= set(nodes(made, made.versions(A)[1].root))
    digest = min(mine)
    corrupt("memory", {}, digest, made.store)
    (finding,) = found(made)
    assert [need.version for need in finding.needs] == [old.version]
    assert "only history is hurt" in finding.means


def test_a_damaged_catalog_is_the_heads(made: Service) -> None:
    catalog = made.head().head().catalog
    assert catalog is not None
    corrupt("memory", {}, catalog, made.store)
    (finding,) = found(made)
    assert head_key("stable") in [need.key for need in finding.needs]
    assert "can follow the head" in finding.means


def test_a_node_that_says_other_counts_than_its_child_has_is_named(made: Service) -> None:
    """Bytes that hash right and say wrong: what a program wrote, not a disk."""
    blobs = Blobs(made.store.read_blobs)
    info = made.zone(B)
    zone = ZoneRoot.load(blobs, info.source.root)
    assert zone.names.root is not None
    data = bytearray(blobs.get(zone.names.root))
    _height, children = inner_node(bytes(data))
    at = data.index(bytes.fromhex(children[0].digest)) + 32 + 8
    data[at : at + 8] = (children[0].stats.records + 1).to_bytes(8, "big")
    wrong = ZoneRoot(zone.origin, zone.apex, Tree(blobs, blobs.put(bytes(data))), zone.nsec3)
    root = wrong.store(blobs)
    made.store.write_blobs(blobs.pending)
    for document in (version_of(made, B), zone_key(B)):
        change(made, document, root=root, records=info.source.records + 1)
    findings = found(made)
    assert ("wrong-blob", children[0].digest) in codes(findings)
    assert any("the node above it says" in finding.problem for finding in findings)


def test_what_changes_meanwhile_is_not_blamed(made: Service) -> None:
    """A reader that is always a step behind: it sees documents of a zone that a writer has changed since."""

    class Late(MemoryStore):
        def __init__(self, inner: MemoryStore) -> None:
            self._inner = inner
            self._writes = 3

        def __getattribute__(self, name: str) -> object:
            if name in ("_inner", "_writes", "scan"):
                return super().__getattribute__(name)
            return getattr(super().__getattribute__("_inner"), name)

        def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list:  # type: ignore[type-arg]
            page = self._inner.scan(prefix, after, limit)
            if prefix in ("publication/", "published/") and self._writes:
                self._writes -= 1
                parsed = parse(zone_text("a.example", 200, 50 + self._writes))
                made.replace_zone(parsed.origin, parsed.rrsets, if_version=None, actor="test", force=True)
            return page

    late = Late(made.store)  # type: ignore[arg-type]
    assert check(late, now=0.0).findings == ()
    assert late._writes == 0
