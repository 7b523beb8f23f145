# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store below one prefix of an etcd v3 cluster.

Below the prefix: ``head`` (the revision of the store), ``doc/KEY`` (documents), ``log/REVISION/N`` (the keys that a
commit touched), ``blob/DIGEST`` and ``born/DIGEST`` (when it was written last), ``part/…`` (values over 1 MiB, split),
``stage/…`` (large transactions before their time).

A commit is one etcd transaction under the condition that ``head`` is what it was when the preconditions were read: it
writes documents, log and head together. Who finds the head moved reads again.

A transaction beyond etcd's limits (128 operations, 1.5 MiB) is staged first, in pieces that nobody looks at. Its
commit is the one write that puts its name into the head; from then on it holds. Before anybody reads or writes, the
pieces are rolled forward, each under the condition that the head still names them, by whoever comes first: a
process may die at any moment, and half of it is never seen.

When a write got no answer, the log says whether it was applied; if it was not, the head is written again, so that the
request cannot be applied late.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import Conflict, StoreError, StoreUnavailable
from ..base import Changes, Document, Transaction
from ..common import (
    DELETIONS_REMEMBERED,
    GRACE_SECONDS,
    broken_preconditions,
    check_digests,
    decode,
    encode,
    prefix_end,
    validate,
)
from .client import EtcdClient, Item, Result, Unanswered, delete, fetch, pages, put, unchanged

#: The layout below the prefix that this version reads and writes.
LAYOUT = 1
#: Operations in one request, below etcd's default of 128.
_OPERATIONS = 120
#: Octets of values in one request, below etcd's default of 1.5 MiB, and of one piece of a value.
_OCTETS = 1_000_000
#: Documents that are read at once.
_PAGE = 250
#: How many revisions pass between two prunings of the log.
_PRUNING_EVERY = 1000
#: How many revisions of the cluster a sweep leaves: only those who watch look back, and not far.
_HISTORY = 10_000
#: Seconds for which a commit that loses races goes on trying.
_PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class _Head:
    """The state of the store: *changed* is the cluster's revision that wrote it, *floor* how far back the log goes."""

    revision: int
    floor: int
    pending: str | None
    pieces: int
    changed: int

    def text(self) -> bytes:
        value: dict[str, int | str] = {"layout": LAYOUT, "revision": self.revision, "floor": self.floor}
        if self.pending is not None:
            value |= {"pending": self.pending, "pieces": self.pieces}
        return json.dumps(value).encode()


@dataclass(frozen=True, slots=True)
class _Change:
    """What one commit writes: texts by key, and the keys that it deletes."""

    writes: Mapping[str, str]
    deletes: Sequence[str]


class EtcdStore:
    """A :class:`~.base.Store` on *client*'s cluster, below *prefix*. *clock* gives unix seconds.

    A blob written less than half of *grace* seconds ago survives every sweep. Deletions are known to :meth:`watch` for
    *remembered* revisions at least.
    """

    def __init__(
        self,
        client: EtcdClient,
        prefix: str,
        *,
        grace: float = GRACE_SECONDS,
        remembered: int = DELETIONS_REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._prefix = prefix.rstrip("/").encode() + b"/"
        self._grace = grace
        self._remembered = remembered
        self._clock = clock
        self._one = threading.Lock()  # commits of one process wait here, not in races at the server
        self._head_key = self._prefix + b"head"
        self._open()

    # -- reading ----------------------------------------------------------------------------

    def get(self, key: str) -> Document | None:
        """The document at *key*, or ``None``."""
        return self._documents([key]).get(key)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Up to *limit* documents whose key begins with *prefix* and is greater than *after*, as of one moment."""
        first = self._doc(prefix) if after < prefix else self._doc(after) + b"\0"
        bound = prefix_end(prefix)
        end = prefix_end_octets(self._doc("")) if bound is None else self._doc(bound)
        if limit <= 0 or first >= end:
            return []
        found: list[Item] = []
        at = 0
        while len(found) < limit:
            asked = min(_PAGE, limit - len(found))
            page, _head, revision = self._read([fetch(first, end, asked, at=at)], at)
            at = at or revision
            found += page[0]
            if len(page[0]) < asked:
                break
            first = found[-1].key + b"\0"
        return [document for item in found if (document := self._document(item)) is not None]

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* that exist."""
        found: dict[str, bytes] = {}
        for some in pages(list(dict.fromkeys(digests)), _OPERATIONS):
            result = self._ask([fetch(self._blob(digest)) for digest in some])
            for digest, items in zip(some, result.ranges, strict=True):
                if items:
                    data = self._joined(items[0].value)
                    if data is not None:
                        found[digest] = data
        return found

    def watch(self, after: int, timeout: float) -> Changes:
        """Wait up to *timeout* seconds for commits later than revision *after*, of this process or of others."""
        deadline = time.monotonic() + timeout
        while True:
            _found, head, revision = self._read([])
            left = deadline - time.monotonic()
            if head.revision > after or left <= 0:
                # Below this revision deletions may have been forgotten; who asks from 0 has seen none of the keys.
                return Changes(head.revision, self._changed(after, head), after == 0 or after >= head.floor)
            self._client.wait(self._head_key, revision + 1, left)

    # -- writing ----------------------------------------------------------------------------

    def commit(self, transaction: Transaction) -> int:
        """Apply *transaction* durably; returns the new revision. Raises ``Conflict``."""
        validate(transaction)
        texts = {key: encode(value) for key, value in transaction.writes.items()}
        keys = sorted({*transaction.preconditions, *transaction.deletes})
        self.write_blobs(transaction.blobs)
        deadline = time.monotonic() + _PATIENCE
        name = secrets.token_hex(8)
        with self._one:
            while True:
                there, head = self._revisions(keys)
                broken = broken_preconditions(transaction, there)
                if broken:
                    raise Conflict(f"the store has moved on: {broken}")
                change = _Change(texts, [key for key in transaction.deletes if key in there])
                if self._apply(name, change, head):
                    return head.revision + 1
                if time.monotonic() > deadline:
                    raise StoreUnavailable(
                        f"{self._client.name}: others commit so fast that this one did not come through"
                    )
                time.sleep(secrets.randbelow(10) / 1000)

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Make *blobs* durable; idempotent. A blob that is there already is young again for :meth:`sweep`."""
        now = self._clock()
        wanted = sorted(blobs)
        old: list[str] = []
        for some in pages(wanted, _OPERATIONS):
            result = self._ask([fetch(self._born(digest)) for digest in some])
            for digest, items in zip(some, result.ranges, strict=True):
                # One that is old is sent again: a sweep may be removing it at this moment.
                if not items or float(items[0].value) < now - self._grace / 2:
                    old.append(digest)
        self._put_blobs({digest: blobs[digest] for digest in old}, now)

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Write *blobs* whether or not they are there: what is damaged is whole again."""
        check_digests(blobs)
        self._put_blobs(blobs, self._clock())

    def sweep(self, keep: Iterable[str]) -> int:
        """Remove blobs that are not in *keep* and were last written more than the grace ago; returns how many.

        Also what large transactions left that did not come to their commit, and the cluster's own old revisions.
        """
        oldest = self._clock() - self._grace  # before *keep* is read: what is written meanwhile stays
        kept = set(keep)
        removed = 0
        born = self._born("")
        for items in self._pages(born, prefix_end_octets(born)):
            doomed = [
                item for item in items if item.key[len(born) :].decode() not in kept and float(item.value) < oldest
            ]
            for item in doomed:
                digest = item.key[len(born) :].decode()
                # A writer may have made it young since.
                removed += self._ask(
                    [delete(item.key), delete(self._blob(digest))], compare=[unchanged(item.key, item.changed)]
                ).succeeded
        self._sweep_parts(oldest)
        result = self._ask([fetch(self._head_key)])
        if result.revision > _HISTORY:
            self._client.compact(result.revision - _HISTORY)
        return removed

    def close(self) -> None:
        """Give back connections."""
        self._client.close()

    # -- commits ----------------------------------------------------------------------------

    def _apply(self, name: str, change: _Change, head: _Head) -> bool:
        """Make *change* the next revision after *head*; false when somebody else was faster."""
        revision = head.revision + 1
        values = {key: self._value(revision, text) for key, text in change.writes.items()}
        log = json.dumps({"name": name, "keys": sorted({*values, *change.deletes})}, ensure_ascii=False).encode()
        size = len(log) + sum(len(key) + len(value) for key, value in values.items())
        floor, pruning = head.floor, []
        if revision % _PRUNING_EVERY == 0 and revision > self._remembered:
            floor = revision - self._remembered
            pruning = [delete(self._log(0), self._log(floor))]
        if len(values) + len(change.deletes) > _OPERATIONS - 3 or size > _OCTETS:
            return self._stage(
                name, revision, values, change.deletes, _Head(revision, floor, None, 0, head.changed), pruning
            )
        after = _Head(revision, floor, None, 0, 0)
        operations = [put(self._head_key, after.text()), put(self._log(revision), log), *pruning]
        operations += [put(self._doc(key), value) for key, value in values.items()]
        operations += [delete(self._doc(key)) for key in change.deletes]
        return self._write_head(operations, head.changed, name, revision)

    def _stage(
        self,
        name: str,
        revision: int,
        values: Mapping[str, bytes],
        deletes: Sequence[str],
        head: _Head,
        pruning: Sequence[dict[str, Any]],
    ) -> bool:
        """Put down a large change in pieces, then let the head name it; false when somebody else was faster."""
        stamp = f"{self._clock():.0f}"
        pieces = list(_pieces(values, deletes))
        stage = f"{stamp}-{name}-{revision}"
        for number, (some, gone) in enumerate(pieces):
            piece = {"writes": {key: value.decode() for key, value in some.items()}, "deletes": gone}
            text = json.dumps(piece, ensure_ascii=False).encode()
            self._ask([put(self._stage_key(stage, number), text)])
        after = _Head(revision, head.floor, stage, len(pieces), 0)
        operations = [put(self._head_key, after.text()), *pruning]
        log = json.dumps({"name": name, "keys": []}).encode()
        operations.append(put(self._log(revision), log))
        if not self._write_head(operations, head.changed, name, revision):
            self._ask([delete(self._stage_key(stage), prefix_end_octets(self._stage_key(stage)))])
            return False
        self._read([])  # rolls it forward
        return True

    def _write_head(self, operations: Sequence[dict[str, Any]], changed: int, name: str, revision: int) -> bool:
        """Do *operations*, which move the head to *revision*, if it is as it was; false if it is not."""
        try:
            return self._client.transact(operations, compare=[unchanged(self._head_key, changed)]).succeeded
        except Unanswered as error:
            reason = str(error)
        deadline = time.monotonic() + 5.0
        while True:
            try:
                return self._settled(changed, name, revision)
            except (StoreUnavailable, Unanswered):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.1)
        raise StoreUnavailable(
            f"{self._client.name}: {reason}; this happened while a write was being committed, so it is not known"
            " whether it was applied: read again before you repeat it"
        )

    def _settled(self, changed: int, name: str, revision: int) -> bool:
        """Whether the write named *name* was applied; if it was not, it cannot be from now on."""
        while True:
            result = self._client.transact([fetch(self._head_key), fetch(self._log(revision))])
            heads, logs = result.ranges
            if logs:
                return bool(json.loads(logs[0].value)["name"] == name)
            if not heads or heads[0].changed != changed:
                return False
            again = [put(self._head_key, heads[0].value)]
            if self._client.transact(again, compare=[unchanged(self._head_key, changed)]).succeeded:
                return False

    def _roll_forward(self, head: _Head) -> None:
        """Apply the pieces that *head* names, and take their name out of it."""
        stage = head.pending or ""
        condition = [unchanged(self._head_key, head.changed)]
        for number in range(head.pieces):
            result = self._ask([fetch(self._stage_key(stage, number))])
            if not result.ranges[0]:
                return  # somebody else has done it
            piece = json.loads(result.ranges[0][0].value)
            log = json.dumps({"keys": sorted({*piece["writes"], *piece["deletes"]})}, ensure_ascii=False).encode()
            operations = [put(self._log(head.revision, number + 1), log)]
            operations += [put(self._doc(key), value.encode()) for key, value in piece["writes"].items()]
            operations += [delete(self._doc(key)) for key in piece["deletes"]]
            if not self._ask(operations, compare=condition).succeeded:
                return
        done = _Head(head.revision, head.floor, None, 0, 0)
        end = prefix_end_octets(self._stage_key(stage))
        self._ask([put(self._head_key, done.text()), delete(self._stage_key(stage), end)], compare=condition)

    # -- parts ------------------------------------------------------------------------------

    def _open(self) -> None:
        """Make the head where there is none. Raises :class:`StoreError` for a layout that is too new."""
        first = _Head(0, 0, None, 0, 0)
        result = self._ask([put(self._head_key, first.text())], [unchanged(self._head_key, 0)], [fetch(self._head_key)])
        if not result.succeeded:
            layout = json.loads(result.ranges[0][0].value).get("layout")
            if layout != LAYOUT:
                raise StoreError(
                    f"{self._client.name}: the store has layout {layout}, this version knows {LAYOUT}:"
                    " run the newer version of arca.dns that made it"
                )

    def _ask(
        self,
        success: Sequence[dict[str, Any]],
        compare: Sequence[dict[str, Any]] = (),
        failure: Sequence[dict[str, Any]] = (),
    ) -> Result:
        """A transaction that may be done twice without harm."""
        for attempt in range(3):
            try:
                return self._client.transact(success, compare=compare, failure=failure)
            except Unanswered as error:
                if attempt == 2:
                    raise StoreUnavailable(f"{self._client.name}: {error}") from None
                time.sleep(0.05)
        raise AssertionError

    def _read(self, ranges: Sequence[dict[str, Any]], at: int = 0) -> tuple[list[list[Item]], _Head, int]:
        """The items of *ranges*, the head and the cluster's revision at one moment, nothing being half applied.

        *at* is a moment that was read before.
        """
        while True:
            result = self._ask([fetch(self._head_key, at=at), *ranges])
            if not result.ranges[0]:
                raise StoreUnavailable(
                    f"{self._client.name}: there is no store below {self._prefix.decode()} any more;"
                    " restore it from a backup"
                )
            head = _head(result.ranges[0][0])
            if head.pending is None:
                return result.ranges[1:], head, result.revision
            self._roll_forward(head)

    def _revisions(self, keys: Sequence[str]) -> tuple[dict[str, int], _Head]:
        """The revisions of those of *keys* that exist, and the head at that moment."""
        found: dict[str, int] = {}
        some, head, at = self._read([fetch(self._doc(key)) for key in keys[: _OPERATIONS - 1]])
        lists = list(some)
        for more in pages(keys[_OPERATIONS - 1 :], _OPERATIONS - 1):
            lists += self._read([fetch(self._doc(key), at=at) for key in more], at)[0]
        for key, items in zip(keys, lists, strict=True):
            if items:
                found[key] = int(items[0].value.split(b"\n", 1)[0].split(b" ")[0])
        return found, head

    def _documents(self, keys: Sequence[str]) -> dict[str, Document]:
        found: dict[str, Document] = {}
        for key in keys:
            lists, _head, _revision = self._read([fetch(self._doc(key))])
            for item in lists[0]:
                document = self._document(item)
                if document is not None:
                    found[key] = document
        return found

    def _document(self, item: Item) -> Document | None:
        """The document in *item*; ``None`` if it went while its parts were read."""
        key = item.key[len(self._prefix) + len(b"doc/") :].decode()
        revision, _space, parts = item.value[: item.value.index(b"\n")].partition(b" ")
        text: bytes | None = item.value[item.value.index(b"\n") + 1 :]
        if parts:
            text = self._parts(parts.decode())
            if text is None:
                return self.get(key)
        return Document(key, int(revision), decode((text or b"").decode()))

    def _value(self, revision: int, text: str) -> bytes:
        """What is kept of a document's text: itself, or the name of its parts."""
        data = text.encode()
        if len(data) <= _OCTETS // 2:
            return b"%d\n" % revision + data
        return b"%d %s\n" % (revision, self._split(data).encode())

    def _split(self, data: bytes) -> str:
        """Keep *data* in parts; returns what :meth:`_parts` reads."""
        name = f"{self._clock():.0f}-{secrets.token_hex(8)}"
        count = 0
        for count, at in enumerate(range(0, len(data), _OCTETS), 1):
            self._ask([put(self._part(name, count - 1), data[at : at + _OCTETS])])
        return f"{name}/{count}"

    def _parts(self, says: str) -> bytes | None:
        name, count = says.rsplit("/", 1)
        joined = []
        for number in range(int(count)):
            items = self._ask([fetch(self._part(name, number))]).ranges[0]
            if not items:
                return None
            joined.append(items[0].value)
        return b"".join(joined)

    def _put_blobs(self, blobs: Mapping[str, bytes], now: float) -> None:
        stamp = f"{now:.3f}".encode()
        waiting: list[dict[str, Any]] = []
        size = 0
        for digest, data in blobs.items():
            value = b"+" + data if len(data) <= _OCTETS // 2 else b"-" + self._split(data).encode()
            if waiting and (size + len(value) > _OCTETS or len(waiting) + 2 > _OPERATIONS):
                self._ask(waiting)
                waiting, size = [], 0
            waiting += [put(self._blob(digest), value), put(self._born(digest), stamp)]
            size += len(value)
        if waiting:
            self._ask(waiting)

    def _joined(self, value: bytes) -> bytes | None:
        if value[:1] == b"-":
            return self._parts(value[1:].decode())
        return value[1:]  # "+" stands in front of it, or something else is wrong, which its digest tells

    def _changed(self, after: int, head: _Head) -> tuple[str, ...]:
        if head.revision <= after:
            return ()
        last: dict[str, int] = {}
        if after < head.floor:
            for document in self.scan("", limit=2**31):
                if document.revision > after:
                    last[document.key] = document.revision
        first = self._log(max(after, head.floor) + 1)
        for items in self._pages(first, self._log(head.revision + 1)):
            for item in items:
                revision = int(item.key.split(b"/")[-2], 16)
                for key in json.loads(item.value)["keys"]:
                    last[key] = max(revision, last.get(key, 0))
        return tuple(key for _revision, key in sorted((revision, key) for key, revision in last.items()))

    def _pages(self, first: bytes, end: bytes) -> Iterator[list[Item]]:
        while first < end:
            items = self._ask([fetch(first, end, _PAGE)]).ranges[0]
            if items:
                yield items
            if len(items) < _PAGE:
                return
            first = items[-1].key + b"\0"

    def _sweep_parts(self, oldest: float) -> None:
        """Remove parts and stages that nothing names and that were put down before *oldest*."""
        named: set[bytes] = set()
        for base in (self._doc(""), self._prefix + b"blob/"):
            for items in self._pages(base, prefix_end_octets(base)):
                named |= {name for item in items if (name := _named(item, base == self._doc("")))}
        pending = _head(self._ask([fetch(self._head_key)]).ranges[0][0]).pending
        for base in (self._prefix + b"part/", self._prefix + b"stage/"):
            for items in self._pages(base, prefix_end_octets(base)):
                for item in items:
                    name = item.key[len(base) :].rsplit(b"/", 1)[0]
                    if name not in named and name.decode() != pending and float(name.split(b"-")[0]) < oldest:
                        self._ask([delete(item.key)])

    # -- keys -------------------------------------------------------------------------------

    def _doc(self, key: str) -> bytes:
        return self._prefix + b"doc/" + key.encode()

    def _blob(self, digest: str) -> bytes:
        return self._prefix + b"blob/" + digest.encode()

    def _born(self, digest: str) -> bytes:
        return self._prefix + b"born/" + digest.encode()

    def _part(self, name: str, number: int) -> bytes:
        return self._prefix + b"part/%s/%06d" % (name.encode(), number)

    def _stage_key(self, name: str, number: int | None = None) -> bytes:
        return self._prefix + b"stage/" + name.encode() + (b"/" if number is None else b"/%06d" % number)

    def _log(self, revision: int, number: int = 0) -> bytes:
        return self._prefix + b"log/%016x/%06d" % (revision, number)


def prefix_end_octets(prefix: bytes) -> bytes:
    """The least octets that are greater than all with *prefix*, which does not end with 0xFF."""
    return prefix[:-1] + bytes((prefix[-1] + 1,))


def _head(item: Item) -> _Head:
    value = json.loads(item.value)
    return _Head(value["revision"], value["floor"], value.get("pending"), value.get("pieces", 0), item.changed)


def _named(item: Item, document: bool) -> bytes | None:
    """The name of the parts that *item* is kept in, if it is."""
    if document:
        says = item.value[: item.value.index(b"\n")].partition(b" ")[2]
    else:
        says = item.value[1:] if item.value[:1] == b"-" else b""
    return says.rsplit(b"/", 1)[0] or None


def _pieces(values: Mapping[str, bytes], deletes: Sequence[str]) -> Iterator[tuple[dict[str, bytes], list[str]]]:
    """A large change in pieces, each of which fits into one request."""
    some: dict[str, bytes] = {}
    size = 0
    for key, value in values.items():
        octets = 2 * len(value) + len(key.encode())  # JSON may escape
        if some and (len(some) >= _OPERATIONS - 2 or size + octets > _OCTETS):
            yield some, []
            some, size = {}, 0
        some[key] = value
        size += octets
    if some:
        yield some, []
    for gone in pages(deletes, _OPERATIONS - 2):
        yield {}, list(gone)
