# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Damage done to blobs behind a store's back: with SQL in a database, in the packs of a repository."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dulwich.object_format
import dulwich.pack

from arca_dns.store.base import Store
from arca_dns.store.git import layout
from arca_dns.store.memory import MemoryStore
from arca_dns.store.open import SQL, open_dialect, open_store
from arca_dns.store.sql.schema import tables


def corrupt(kind: str, options: Mapping[str, object], digest: str, store: Store) -> None:
    """Let other bytes stand under *digest*, or bytes that cannot be read; *store* is an open handle."""
    if isinstance(store, MemoryStore):
        written, data = store._blobs[digest]
        store._blobs[digest] = (written, _flipped(data))
    elif kind in SQL:
        _sql(kind, options, digest, lambda table: table.update().values(data=b"\0damaged"))
    elif kind == "etcd":
        _etcd(store, digest, "kv/put", {"value": base64.b64encode(b"\0\0damaged").decode()})
    else:
        _flip_object(kind, options, digest)


def lose(kind: str, options: Mapping[str, object], digest: str, store: Store) -> None:
    """Let nothing stand under *digest*."""
    if isinstance(store, MemoryStore):
        del store._blobs[digest]
    elif kind in SQL:
        _sql(kind, options, digest, lambda table: table.delete())
    elif kind == "etcd":
        _etcd(store, digest, "kv/deleterange", {})
    else:
        _drop_path(kind, options, digest)


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes((data[middle] ^ 0xFF,)) + data[middle + 1 :]


def _sql(kind: str, options: Mapping[str, object], digest: str, statement: Any) -> None:
    dialect = open_dialect(kind, options)
    try:
        table = tables().blobs
        with dialect.writer() as connection:
            done = connection.execute(statement(table).where(table.c.digest == bytes.fromhex(digest)))
            assert done.rowcount == 1
    finally:
        dialect.engine.dispose()


def _etcd(store: Any, digest: str, call: str, more: dict[str, str]) -> None:
    blobs = store._blobs
    blobs._client.call(call, {"key": base64.b64encode(blobs._key(digest)).decode(), **more})


def _flip_object(kind: str, options: Mapping[str, object], digest: str) -> None:
    store: Any = open_store(kind, options)
    with store.opened() as (repository, head):
        sha = repository.find(repository.read(head).tree, layout.blob_path(digest))
    store.close()
    damaged = 0
    for index in (Path(str(options["path"])) / "objects" / "pack").glob("*.idx"):
        pack = dulwich.pack.Pack(str(index.with_suffix("")), object_format=dulwich.object_format.DEFAULT_OBJECT_FORMAT)
        try:
            if sha not in pack:
                continue
            at = pack.index.object_offset(bytes.fromhex(sha.decode()))
            ends = sorted(row[1] for row in pack.index.iterentries())
            after = next((end for end in ends if end > at), index.with_suffix(".pack").stat().st_size - 20)
        finally:
            pack.close()
        file = index.with_suffix(".pack")
        content = bytearray(file.read_bytes())
        content[(at + after) // 2 : after] = bytes(after - (at + after) // 2)
        file.chmod(0o644)
        with file.open("r+b") as out:  # the same file: who has it open sees the damage
            out.write(content)
        damaged += 1
    assert damaged


def _drop_path(kind: str, options: Mapping[str, object], digest: str) -> None:
    store: Any = open_store(kind, options)
    with store._writer(), store._lock:
        new: dict[bytes, Any] = {}
        tree = store._repository.edit(store._tree, {layout.blob_path(digest): None}, new)
        head = store._make_commit(tree, (), layout.Message(None, "Lose a blob"), store._revision, new)
        store._advance(head, new)
    store.close()
