# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What only etcd has: its limits, its space, its users, several endpoints, and transactions larger than it takes."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from arca_dns.errors import Conflict, StoreError, StoreUnavailable
from arca_dns.store.base import Transaction
from arca_dns.store.etcd import EtcdStore, client as etcd_client
from arca_dns.store.open import open_store
from certificates import Authority
from running_etcd import RunningEtcd
from server_folder import free_tcp_port

pytestmark = pytest.mark.conformance


def put(store: EtcdStore, *keys: str) -> int:
    return store.commit(Transaction(writes={key: {"key": key} for key in keys}))


def opened(options: dict[str, object]) -> EtcdStore:
    store = open_store("etcd", options)
    assert isinstance(store, EtcdStore)
    return store


@pytest.fixture
def store(etcd_server: RunningEtcd) -> Iterator[EtcdStore]:
    with closing(opened(etcd_server.options())) as made:
        yield made


@contextmanager
def own_server(folder: Path, **options: int) -> Iterator[RunningEtcd]:
    server = RunningEtcd(folder, **options)  # type: ignore[arg-type]
    server.start()
    try:
        yield server
    finally:
        server.kill()


def test_a_value_larger_than_a_request_is_kept_in_parts(store: EtcdStore) -> None:
    text = "ä'\\" * 1_000_000
    store.commit(Transaction(writes={f"k{n}": {"text": text} for n in range(2)}))
    assert all(document.value == {"text": text} for document in store.scan("k"))
    data = random.Random(1).randbytes(3_500_000)
    digest = hashlib.sha256(data).hexdigest()
    store.write_blobs({digest: data})
    assert store.read_blobs([digest]) == {digest: data}


def test_parts_that_nothing_names_are_swept_and_others_stay(etcd_server: RunningEtcd) -> None:
    now = [1_800_000_000.0]
    options = etcd_server.options()
    with closing(open_store("etcd", options, clock=lambda: now[0])) as store:
        big = {"text": "x" * 1_900_000}
        store.commit(Transaction(writes={"kept": big, "replaced": big}))
        store.commit(Transaction(writes={"replaced": {}}))
        now[0] += 100_000
        store.sweep([])
        found = store.get("kept")
        assert found is not None
        assert found.value == big
        parts = etcd_server.control("get", "--prefix", "--keys-only", f"{options['prefix']}/part/").split()
        assert len(parts) == 2


def test_a_large_transaction_that_stops_anywhere_is_there_whole_or_not_at_all(
    etcd_server: RunningEtcd, monkeypatch: pytest.MonkeyPatch
) -> None:
    class StoppedError(Exception):
        pass

    many = [f"many/{n:04}" for n in range(400)]
    stopped_at = 0
    seen_whole = 0
    while True:
        stopped_at += 1
        options = etcd_server.options()
        with closing(opened(options)) as first:
            put(first, "gone", "many/0001")
            asked = 0
            real = etcd_client.EtcdClient.transact

            def stop(self, *arguments, **named):  # type: ignore[no-untyped-def]
                nonlocal asked
                asked += 1
                if asked == stopped_at:  # noqa: B023
                    raise StoppedError
                return real(self, *arguments, **named)  # noqa: B023

            monkeypatch.setattr(etcd_client.EtcdClient, "transact", stop)
            try:
                first.commit(Transaction(writes={key: {"n": 1} for key in many}, deletes=["gone"]))
                finished = True
            except StoppedError:
                finished = False
            monkeypatch.undo()
        with closing(opened(options)) as second:
            documents = {document.key: document for document in second.scan("")}
            whole = "gone" not in documents
            seen_whole += whole
            if whole:
                assert sorted(documents) == many
                assert {(d.revision, str(d.value)) for d in documents.values()} == {(2, "{'n': 1}")}
                assert set(second.watch(1, 0).keys) == {*many, "gone"}
            else:
                assert sorted(documents) == ["gone", "many/0001"]
            assert put(second, "after") == 2 + whole
        if finished:
            break
    assert seen_whole > 3, "it never stopped between its commit and its end"


def test_a_write_without_an_answer_is_settled_by_the_log(store: EtcdStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = etcd_client.EtcdClient._send
    lost: list[bytes] = []

    def lose_answer(self, address, path, data, headers):  # type: ignore[no-untyped-def]
        answer = real(self, address, path, data, headers)
        if b"request_put" in data and not lost:
            lost.append(data)
            raise etcd_client.Unanswered("lost on its way back")
        return answer

    monkeypatch.setattr(etcd_client.EtcdClient, "_send", lose_answer)
    first = put(store, "a")
    lost.clear()

    def lose_request(self, address, path, data, headers):  # type: ignore[no-untyped-def]
        if b"request_put" in data and not lost:
            lost.append(data)
            raise etcd_client.Unanswered("lost on its way there")
        return real(self, address, path, data, headers)

    monkeypatch.setattr(etcd_client.EtcdClient, "_send", lose_request)
    second = put(store, "b")
    monkeypatch.undo()
    assert (first, second) == (1, 2)
    assert [(d.key, d.revision) for d in store.scan("")] == [("a", 1), ("b", 2)]
    # What was lost on its way there and arrives late does nothing any more.
    real(store._client, store._client._addresses[0], "/v3/kv/txn", lost[0], {})
    assert [(d.key, d.revision) for d in store.scan("")] == [("a", 1), ("b", 2)]


def test_a_server_that_is_killed_under_load_loses_nothing_and_work_goes_on(tmp_path: Path) -> None:
    acknowledged: list[tuple[str, int]] = []
    failures: list[StoreUnavailable] = []
    done = threading.Event()
    with own_server(tmp_path) as server, closing(opened(server.options())) as store:

        def write(name: str) -> None:
            n = 0
            while not done.is_set():
                n += 1
                try:
                    acknowledged.append((f"{name}/{n:05}", put(store, f"{name}/{n:05}", f"twin/{name}/{n:05}")))
                except StoreUnavailable as error:
                    failures.append(error)
                    done.wait(0.01)

        threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        moments = random.Random()
        try:
            for _ in range(5):
                done.wait(moments.uniform(0.1, 0.3))
                before = len(acknowledged)
                server.kill()
                server.start()
                while len(acknowledged) <= before + 4:
                    assert not done.wait(0.02)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        documents = {document.key: document.revision for document in store.scan("", limit=1_000_000)}
    assert {key: documents.get(key) for key, _ in acknowledged} == dict(acknowledged)
    for key in documents:
        twin = key.removeprefix("twin/") if key.startswith("twin/") else f"twin/{key}"
        assert documents.get(twin) == documents[key], "half a transaction is there"
    assert len({revision for _, revision in acknowledged}) == len(acknowledged)


def test_endpoints_that_are_dead_are_passed_over(etcd_server: RunningEtcd) -> None:
    options = etcd_server.options()
    dead = [f"http://127.0.0.1:{free_tcp_port()}" for _ in range(2)]
    with closing(opened({**options, "endpoints": [*dead, etcd_server.url]})) as store:
        assert put(store, "a") == 1
    with pytest.raises(StoreUnavailable, match=rf"etcd at {dead[0]}, {dead[1]}: the server does not answer"):
        opened({**options, "endpoints": dead})


def test_a_server_that_is_away_is_said_and_used_when_it_is_back(tmp_path: Path) -> None:
    with own_server(tmp_path) as server, closing(opened(server.options())) as store:
        put(store, "a")
        server.stop()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            store.get("a")
        with pytest.raises(StoreUnavailable):
            put(store, "b")
        server.start()
        assert put(store, "b") == 2


def test_a_full_quota_is_said_with_the_way_out_and_reads_go_on(tmp_path: Path) -> None:
    with own_server(tmp_path, quota=16 << 20) as server, closing(opened(server.options())) as store:
        put(store, "a")

        def fill() -> None:
            for n in range(100):
                store.commit(Transaction(writes={f"big/{n}": {"text": "x" * 400_000}}))

        with pytest.raises(StoreUnavailable, match=r"no space left in its quota: run etcdctl compact .* alarm disarm"):
            fill()
        assert store.get("a") is not None
        count = len(store.scan("big/"))
        # The way out, as the message says it.
        for document in store.scan("big/"):
            server.control("del", f"/arca-1/doc/{document.key}")
        status = server.ask("/v3/kv/range", {"key": "AA=="})
        server.control("compact", str(status["header"]["revision"]))  # type: ignore[index]
        server.control("defrag")
        server.control("alarm", "disarm")
        assert put(store, "after") > count


def test_a_user_needs_the_right_password_and_permission(tmp_path: Path) -> None:
    with own_server(tmp_path) as server:
        options = {**server.options(), "user": "arca", "password": "hunter2-right"}
        with pytest.raises(StoreUnavailable, match="no authentication enabled; leave out user and password"):
            opened(options)
        for arguments in (
            ("user", "add", "root:root-secret"),
            ("user", "grant-role", "root", "root"),
            ("user", "add", "arca:hunter2-right"),
            ("user", "add", "other:hunter2-other"),
            ("role", "add", "arca"),
            ("role", "grant-permission", "--prefix=true", "arca", "readwrite", f"{options['prefix']}/"),
            ("user", "grant-role", "arca", "arca"),
            ("auth", "enable"),
        ):
            server.control(*arguments)
        with closing(opened(options)) as store:
            assert put(store, "a") == 1
            store.sweep([])
            server.kill()  # simple tokens are in the server's memory
            server.start_with_users()
            assert put(store, "b") == 2
            revision = store.watch(0, 0).revision
            thread = threading.Timer(0.1, put, (store, "c"))
            thread.start()
            assert store.watch(revision, 30).keys == ("c",)
            thread.join()
        with pytest.raises(StoreUnavailable, match="refuses the user or the password") as caught:
            opened({**options, "password": "hunter2-wrong"})
        assert "hunter2" not in str(caught.value)
        with pytest.raises(StoreUnavailable, match="has no permission; grant it a role with readwrite on the prefix"):
            opened({**options, "user": "other", "password": "hunter2-other"})
        with pytest.raises(StoreUnavailable, match="wants a user and a password"):
            opened({name: value for name, value in options.items() if name not in ("user", "password")})


def test_tls_with_certificates_on_both_sides(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path / "authority"), Authority(tmp_path / "other")
    server = RunningEtcd(tmp_path / "server")
    server.use_tls(authority)
    server.start()
    try:
        certificate, key = authority.issue("arca")
        files: dict[str, object] = {"cert_file": str(certificate), "key_file": str(key)}
        options = {**server.options(), "ca_file": str(authority.ca_file)}
        with closing(opened({**options, **files})) as store:
            assert put(store, "a") == 1
            assert store.watch(0, 0).keys == ("a",)
        with pytest.raises(StoreUnavailable, match="the TLS connection fails"):
            opened({**options, **files, "ca_file": str(other.ca_file)})
        with pytest.raises(StoreUnavailable, match=r"TLS|certificate|broke"):
            opened(options)
    finally:
        server.kill()


def test_a_newer_layout_is_refused(etcd_server: RunningEtcd) -> None:
    options = etcd_server.options()
    opened(options).close()
    etcd_server.control("put", f"{options['prefix']}/head", '{"layout": 9, "revision": 0, "floor": 0}')
    with pytest.raises(StoreError, match="layout 9, this version knows 1: run the newer version"):
        opened(options)


def test_commits_of_two_handles_meet_without_harm(etcd_server: RunningEtcd) -> None:
    options = etcd_server.options()
    with closing(opened(options)) as one, closing(opened(options)) as two:
        revision = put(one, "a")
        put(two, "a")
        with pytest.raises(Conflict, match="a is at revision 2, not at 1"):
            one.commit(Transaction({"a": revision}, {"a": {}}))
