# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The hash tree that stores sorted owners and their RRs as immutable blobs.

Leaves are runs of RRs in canonical order; inner nodes list their children. Where a node begins depends only
on the hash of the owner that begins it, so equal content has an equal root whatever its history, and a
change rewrites one leaf and the few nodes above it. :class:`ZoneRoot` joins the three trees of a zone:
apex, names, NSEC3. What the RRs mean is not known here beyond the expiry in an RRSIG.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct, error as StructError

from ..errors import CorruptBlob, MissingBlob
from . import names, rr

NEVER = 0xFFFFFFFF
FANOUT_BITS = 6  # 64 owners a leaf, 64 children a node, on average
_INNER = b"arcaN1"
_WAITING_BYTES = 32 << 20  # blobs that wait before they are written early
_INNER_KEPT = 1024  # nodes kept as objects: a change in a large zone reads the same few again and again
_LEAVES_KEPT = 256
_FEW = 8
_ZONE = b"arcaZ1"
_ENTRY = Struct(">32sQQL")  # digest, owners, records, earliest RRSIG expiry


@dataclass(frozen=True, slots=True)
class Stats:
    """Counts of a tree and the earliest RRSIG expiry in it (unix seconds; :data:`NEVER` where there is none)."""

    owners: int = 0
    records: int = 0
    earliest_expiry: int = NEVER

    def __add__(self, other: Stats) -> Stats:
        return Stats(
            self.owners + other.owners,
            self.records + other.records,
            min(self.earliest_expiry, other.earliest_expiry),
        )


class LeafIndex:
    """The owners of one leaf; not to be altered."""

    __slots__ = ("_keys", "data", "owners")

    def __init__(self, leaf: bytes) -> None:
        self.data = dict(owners_of(leaf))
        self.owners = list(self.data)
        self._keys: list[bytes] | None = None

    @property
    def keys(self) -> list[bytes]:
        """What *owners* are sorted by."""
        if self._keys is None:
            self._keys = [names.sort_key(owner) for owner in self.owners]
        return self._keys


class Parsed:
    """Nodes that were read lately, as objects; Blobs of one store may share them."""

    def __init__(self) -> None:
        self.inner: dict[str, list[_Entry]] = {}
        self.leaves: dict[str, LeafIndex] = {}


class Blobs:
    """Blobs read through a cache, and the new ones that wait to be written (``pending``).

    *read* takes digests (hex) and returns what it has. Bytes are checked against their digest when they come in.
    With *write*, blobs that wait are written as soon as they are many; the last ones are the caller's to write, and
    *settled* is told of them when that is done. *hint* is added to errors: what to do about damage.
    """

    def __init__(
        self,
        read: Callable[[list[str]], Mapping[str, bytes]],
        cache_bytes: int = 64 << 20,
        hint: str = "",
        write: Callable[[Mapping[str, bytes]], None] | None = None,
        parsed: Parsed | None = None,
        settled: Callable[[Mapping[str, bytes]], None] | None = None,
    ) -> None:
        self._read = read
        self._hint = hint
        self._write = write
        self._waiting = 0
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached = 0
        self._limit = cache_bytes
        self._parsed = parsed or Parsed()
        self._settled = settled
        self.pending: dict[str, bytes] = {}

    @classmethod
    def memory(cls) -> Blobs:
        """Blobs that live in ``pending`` only."""
        return cls(lambda _digests: {})

    def get(self, digest: str) -> bytes:
        """The blob *digest*. Raises :class:`MissingBlob` or :class:`CorruptBlob`."""
        data = self.pending.get(digest)
        if data is not None:
            return data
        data = self._cache.get(digest)
        if data is not None:
            self._cache.move_to_end(digest)
            return data
        data = self._read([digest]).get(digest)
        if data is None:
            raise MissingBlob(f"blob {digest} is missing{self._hint}")
        if hashlib.sha256(data).hexdigest() != digest:
            raise CorruptBlob(f"blob {digest} does not hash to its name{self._hint}")
        self._keep(digest, data)
        return data

    def children(self, digest: str) -> list[_Entry] | None:
        """The children of the inner node *digest*, not to be altered; ``None`` for a leaf."""
        inner = self._parsed.inner
        found = inner.get(digest)
        if found is None:
            data = self.get(digest)
            if not is_inner(data):
                return None
            if len(inner) >= _INNER_KEPT:
                inner.clear()
            found = inner[digest] = _inner(data)[1]
        return found

    def leaf(self, digest: str) -> LeafIndex:
        """The owners of the leaf *digest*, kept for those who ask for single ones."""
        leaves = self._parsed.leaves
        found = leaves.get(digest)
        if found is None:
            if len(leaves) >= _LEAVES_KEPT:
                leaves.clear()
            found = leaves[digest] = LeafIndex(self.get(digest))
        return found

    def put(self, data: bytes) -> str:
        """Add a blob; returns its digest.

        It is pending even if it was read before: who names it must write it, or a sweep may take it meanwhile.
        """
        digest = hashlib.sha256(data).hexdigest()
        self.put_as(digest, data)
        return digest

    def put_as(self, digest: str, data: bytes) -> None:
        """Add a blob whose digest was computed already."""
        if digest in self.pending:
            return
        self.pending[digest] = data
        if self._write is not None:
            self._waiting += len(data)
            if self._waiting > _WAITING_BYTES:
                self._write(self.pending)
                self.pending = {}
                self._waiting = 0

    def several(self, digests: Sequence[str]) -> list[bytes]:
        """The blobs *digests*, read in one go and not kept. Raises :class:`MissingBlob` or :class:`CorruptBlob`."""
        wanted = [digest for digest in digests if digest not in self.pending and digest not in self._cache]
        found = self._read(wanted) if wanted else {}
        for digest in wanted:
            if digest not in found:
                raise MissingBlob(f"blob {digest} is missing{self._hint}")
            if hashlib.sha256(found[digest]).hexdigest() != digest:
                raise CorruptBlob(f"blob {digest} does not hash to its name{self._hint}")
        return [found[digest] if digest in found else self.get(digest) for digest in digests]

    def settle(self) -> None:
        """Forget that the pending blobs are new, once they are written."""
        if self._settled is not None:
            self._settled(self.pending)
        for digest, data in self.pending.items():
            self._keep(digest, data)
        self.pending = {}
        self._waiting = 0

    def _keep(self, digest: str, data: bytes) -> None:
        self._cache[digest] = data
        self._cached += len(data)
        while self._cached > self._limit and len(self._cache) > 1:
            self._cached -= len(self._cache.popitem(last=False)[1])


@dataclass(frozen=True, slots=True)
class _Entry:
    """A child as its parent lists it."""

    first: bytes  # the child's first owner
    digest: str
    stats: Stats


def _level(owner: bytes) -> int:
    """How many levels of nodes begin at *owner*, from its hash alone."""
    value = int.from_bytes(hashlib.blake2b(owner, digest_size=8).digest(), "big") | 1 << 63
    return ((value & -value).bit_length() - 1) // FANOUT_BITS


def begins_leaf(owner: bytes) -> bool:
    """Whether *owner* is the first of its leaf in every tree that it stands in."""
    return _level(owner) >= 1


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that was made apart from its tree."""

    first: bytes
    digest: str
    stats: Stats
    data: bytes

    @classmethod
    def of(cls, first: bytes, data: bytes) -> Leaf:
        """The leaf of the RRs *data*, which *first* owns the first of."""
        return cls(first, hashlib.sha256(data).hexdigest(), _leaf_stats(data), data)


def make_leaves(items: Iterable[tuple[bytes, bytes]]) -> Iterator[Leaf]:
    """The leaves of *items* (owner, RRs), in canonical order; a run of items that begins a leaf gives whole leaves."""
    run: list[bytes] = []
    first = b""
    for owner, data in items:
        if run and _level(owner) >= 1:
            yield Leaf.of(first, b"".join(run))
            run = []
        if not run:
            first = owner
        run.append(data)
    if run:
        yield Leaf.of(first, b"".join(run))


def _leaf_stats(data: bytes) -> Stats:
    """Counts and earliest expiry of the RRs in *data*. Raises :class:`ValueError` for other bytes."""
    # Walks offsets instead of RRs: this and owners_of are most of what reading and building a tree costs.
    owners = records = at = head = 0
    size, expiry, last = len(data), NEVER, b""
    try:
        while at < size:
            if not last or not data.startswith(last, at):
                last = names.read(data, at)
                head = len(last)
                owners += 1
            fixed = at + head
            if data[fixed] == 0 and data[fixed + 1] == rr.RRSIG:
                expiry = min(expiry, int.from_bytes(data[fixed + 18 : fixed + 22], "big"))
            at = fixed + 10 + (data[fixed + 8] << 8 | data[fixed + 9])
            records += 1
    except IndexError:
        at = -1
    if at != size:
        raise ValueError("an RR runs past the end")
    return Stats(owners, records, expiry)


def _inner_bytes(height: int, entries: list[_Entry]) -> bytes:
    parts = [_INNER, bytes((height,))]
    for entry in entries:
        stats = entry.stats
        parts.append(entry.first)
        parts.append(_ENTRY.pack(bytes.fromhex(entry.digest), stats.owners, stats.records, stats.earliest_expiry))
    return b"".join(parts)


def _inner(data: bytes) -> tuple[int, list[_Entry]]:
    """Height (1 is just above the leaves) and children of an inner node."""
    at = len(_INNER) + 1
    entries = []
    try:
        while at < len(data):
            first = names.read(data, at)
            at += len(first)
            digest, owners, records, expiry = _ENTRY.unpack_from(data, at)
            at += _ENTRY.size
            entries.append(_Entry(first, digest.hex(), Stats(owners, records, expiry)))
    except (IndexError, StructError):
        raise CorruptBlob("an inner node does not parse") from None
    if not entries:
        raise CorruptBlob("an inner node without children")
    return data[len(_INNER)], entries


def is_inner(data: bytes) -> bool:
    """Whether a blob is an inner node."""
    # A leaf begins with an owner name; the first octet of _INNER is no valid label length.
    return data.startswith(_INNER)


def is_lowest(data: bytes) -> bool:
    """Whether an inner node's children are leaves."""
    return data[len(_INNER)] == 1


def is_zone(data: bytes) -> bool:
    """Whether a blob is a zone's root."""
    return data.startswith(_ZONE)


def links(data: bytes) -> tuple[str, ...]:
    """The digests that a blob names: a zone's trees, an inner node's children; none for a leaf.

    Raises :class:`CorruptBlob`.
    """
    if is_inner(data):
        return tuple(entry.digest for entry in _inner(data)[1])
    if not is_zone(data):
        return ()
    return tuple(part.hex() for part in _zone(data)[1] if any(part))


@dataclass(frozen=True, slots=True)
class Child:
    """What an inner node says of one of its children: its first owner, its digest, and its counts."""

    first: bytes
    digest: str
    stats: Stats


def inner_node(data: bytes) -> tuple[int, tuple[Child, ...]]:
    """Height (1 is just above the leaves) and children of an inner node. Raises :class:`CorruptBlob`."""
    height, entries = _inner(data)
    return height, tuple(Child(entry.first, entry.digest, entry.stats) for entry in entries)


def leaf_stats(data: bytes) -> Stats:
    """The counts of a leaf. Raises :class:`CorruptBlob`."""
    try:
        return _leaf_stats(data)
    except ValueError as error:
        raise CorruptBlob(f"a leaf does not parse: {error}") from None


def cut_level(owner: bytes) -> int:
    """How many levels of nodes begin at *owner*, wherever it stands: 0 for one that begins no leaf of its own."""
    return _level(owner)


def zone_node(data: bytes) -> tuple[bytes, tuple[str | None, str | None, str | None]]:
    """Origin of a zone's root, and the roots of its trees: apex, names, NSEC3. Raises :class:`CorruptBlob`."""
    origin, parts = _zone(data)
    apex, below, nsec3 = (part.hex() if any(part) else None for part in parts)
    return origin, (apex, below, nsec3)


def _zone(data: bytes) -> tuple[bytes, list[bytes]]:
    """Origin, and the digests of the three trees (zeros for an empty one)."""
    try:
        if not is_zone(data):
            raise ValueError
        origin = names.read(data, len(_ZONE))
        rest = data[len(_ZONE) + len(origin) :]
        if len(rest) != 96:
            raise ValueError
    except (IndexError, ValueError):
        raise CorruptBlob("a zone root does not parse") from None
    return origin, [rest[i : i + 32] for i in (0, 32, 64)]


def owners_of(leaf: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(owner, its RRs) of a leaf, in order. Raises :class:`CorruptBlob`."""
    start = at = head = 0
    size, last = len(leaf), b""
    try:
        while at < size:
            if not last or not leaf.startswith(last, at):
                if last:
                    yield last, leaf[start:at]
                start, last = at, names.read(leaf, at)
                head = len(last)
            fixed = at + head + 8
            at = fixed + 2 + (leaf[fixed] << 8 | leaf[fixed + 1])
    except (IndexError, ValueError) as error:
        raise CorruptBlob(f"a leaf does not parse: {error}") from None
    if at != size:
        raise CorruptBlob("a leaf does not parse: an RR runs past the end")
    if last:
        yield last, leaf[start:at]


class Tree:
    """One sorted map, owner → its RRs, held under *root* (``None``: empty). Immutable: edits return another tree."""

    __slots__ = ("_blobs", "root")

    def __init__(self, blobs: Blobs, root: str | None) -> None:
        self._blobs = blobs
        self.root = root

    # -- building ---------------------------------------------------------------------------

    @classmethod
    def build(cls, blobs: Blobs, items: Iterable[tuple[bytes, bytes]]) -> Tree:
        """A tree of *items* (owner, RRs), which must come in canonical order of owners, each once, none empty."""
        entries = cls._leaves(blobs, items)
        return cls(blobs, cls._join(blobs, entries, 1))

    @classmethod
    def of_leaves(cls, blobs: Blobs, leaves: Iterable[Leaf]) -> Tree:
        """A tree of all its leaves, in order, as :func:`make_leaves` makes them."""
        return cls(blobs, cls._join(blobs, [cls._entry(blobs, leaf) for leaf in leaves], 1))

    @classmethod
    def _leaves(cls, blobs: Blobs, items: Iterable[tuple[bytes, bytes]]) -> list[_Entry]:
        return [cls._entry(blobs, leaf) for leaf in make_leaves(items)]

    @staticmethod
    def _entry(blobs: Blobs, leaf: Leaf) -> _Entry:
        blobs.put_as(leaf.digest, leaf.data)
        return _Entry(leaf.first, leaf.digest, leaf.stats)

    @staticmethod
    def _nodes(blobs: Blobs, children: list[_Entry], height: int) -> list[_Entry]:
        """Group *children* into nodes of *height* (1: just above the leaves)."""
        out: list[_Entry] = []
        run: list[_Entry] = []

        def close() -> None:
            stats = Stats()
            for child in run:
                stats += child.stats
            out.append(_Entry(run[0].first, blobs.put(_inner_bytes(height, run)), stats))

        for child in children:
            if run and _level(child.first) > height:
                close()
                run = []
            run.append(child)
        if run:
            close()
        return out

    @classmethod
    def _join(cls, blobs: Blobs, entries: list[_Entry], height: int) -> str | None:
        """The root above *entries*, whose parents are of *height*."""
        while len(entries) > 1:
            entries = cls._nodes(blobs, entries, height)
            height += 1
        return entries[0].digest if entries else None

    # -- reading ----------------------------------------------------------------------------

    def _children(self, digest: str) -> list[_Entry] | None:
        """The children of the node *digest*; ``None`` for a leaf."""
        return self._blobs.children(digest)

    @property
    def height(self) -> int:
        """0 for an empty tree or a single leaf."""
        if self.root is None:
            return 0
        data = self._blobs.get(self.root)
        return data[len(_INNER)] if is_inner(data) else 0

    def stats(self) -> Stats:
        """Counts and earliest expiry, from the root node alone."""
        if self.root is None:
            return Stats()
        children = self._children(self.root)
        if children is None:
            return _leaf_stats(self._blobs.get(self.root))
        total = Stats()
        for child in children:
            total += child.stats
        return total

    def get(self, owner: bytes) -> bytes | None:
        """The RRs of *owner*, or ``None``."""
        if self.root is None:
            return None
        key, digest = names.sort_key(owner), self.root
        while (children := self._children(digest)) is not None:
            digest = children[_covering(children, key)].digest
        return self._blobs.leaf(digest).data.get(owner)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return self.items()

    def items(self, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(owner, RRs) in canonical order; those behind *after* only, if given."""
        if self.root is not None:
            key = None if after is None else names.sort_key(after)
            yield from self._items(self.root, key)

    def _items(self, digest: str, key: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        children = self._children(digest)
        if children is None:
            if key is None:
                yield from owners_of(self._blobs.get(digest))
                return
            leaf = self._blobs.leaf(digest)
            for owner in leaf.owners[bisect_right(leaf.keys, key) :]:
                yield owner, leaf.data[owner]
            return
        start = 0 if key is None else _covering(children, key)
        for i, child in enumerate(children[start:]):
            yield from self._items(child.digest, key if i == 0 else None)

    def leaves(self) -> Iterator[bytes]:
        """The leaves' bytes in order: what a transfer sends."""
        if self.root is not None:
            stack = [self.root]
            while stack:
                digest = stack.pop()
                children = self._children(digest)
                if children is None:
                    yield self._blobs.get(digest)
                else:
                    stack.extend(child.digest for child in reversed(children))

    def runs(self, owners: int) -> Iterator[list[bytes]]:
        """Runs of leaves in order, of about so many *owners* each, each run read in one go."""
        if self.root is None:
            return
        children = self._children(self.root)
        if children is None:
            yield [self._blobs.get(self.root)]
            return
        run: list[str] = []
        count = 0
        for entry in self._leaf_entries(children, self.height):
            run.append(entry.digest)
            count += entry.stats.owners
            if count >= owners:
                yield self._blobs.several(run)
                run, count = [], 0
        if run:
            yield self._blobs.several(run)

    def _leaf_entries(self, entries: list[_Entry], height: int) -> Iterator[_Entry]:
        for entry in entries:
            if height == 1:
                yield entry
            else:
                yield from self._leaf_entries(self._children(entry.digest) or [], height - 1)

    def counted_leaves(self) -> Iterator[tuple[bytes, int]]:
        """The leaves' bytes in order, each with its number of RRs, which a transfer's messages state."""
        if self.root is not None:
            children = self._children(self.root)
            if children is None:
                data = self._blobs.get(self.root)
                yield data, _leaf_stats(data).records
            else:
                yield from self._counted(children, self.height)

    def _counted(self, entries: list[_Entry], height: int) -> Iterator[tuple[bytes, int]]:
        for entry in entries:
            if height == 1:
                yield self._blobs.get(entry.digest), entry.stats.records
            else:
                yield from self._counted(self._children(entry.digest) or [], height - 1)

    def after(self, owner: bytes) -> tuple[bytes, bytes] | None:
        """The next (owner, RRs) behind *owner*, which need not exist; ``None`` at the end."""
        return next(self.items(owner), None)

    def before(self, owner: bytes) -> tuple[bytes, bytes] | None:
        """The last (owner, RRs) ahead of *owner*, which need not exist; ``None`` at the start."""
        return next(self.reversed(owner), None)

    def reversed(self, before: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """(owner, RRs) in reverse order; those ahead of *before* only, if given."""
        if self.root is not None:
            yield from self._reversed(self.root, None if before is None else names.sort_key(before))

    def _reversed(self, digest: str, key: bytes | None) -> Iterator[tuple[bytes, bytes]]:
        children = self._children(digest)
        if children is None:
            leaf = self._blobs.leaf(digest)
            end = len(leaf.keys) if key is None else bisect_left(leaf.keys, key)
            for owner in leaf.owners[:end][::-1]:
                yield owner, leaf.data[owner]
            return
        last = len(children) - 1 if key is None else _covering(children, key)
        for i in range(last, -1, -1):
            yield from self._reversed(children[i].digest, key if i == last else None)

    def due(self, until: int) -> Iterator[tuple[bytes, bytes]]:
        """(owner, RRs) of owners that have an RRSIG which expires at *until* or earlier; other nodes are not read."""
        if self.root is not None and self.stats().earliest_expiry <= until:
            yield from self._due(self.root, until)

    def _due(self, digest: str, until: int) -> Iterator[tuple[bytes, bytes]]:
        children = self._children(digest)
        if children is None:
            for owner, data in owners_of(self._blobs.get(digest)):
                if _leaf_stats(data).earliest_expiry <= until:
                    yield owner, data
            return
        for child in children:
            if child.stats.earliest_expiry <= until:
                yield from self._due(child.digest, until)

    def blobs(self) -> Iterator[str]:
        """The digests of all nodes, parents first."""
        if self.root is not None:
            stack = [self.root]
            while stack:
                digest = stack.pop()
                yield digest
                stack.extend(child.digest for child in self._children(digest) or ())

    def blob(self, digest: str) -> bytes:
        """The bytes of one of this tree's nodes."""
        return self._blobs.get(digest)

    def owners(self, digest: str, *, keep: bool) -> Iterable[tuple[bytes, bytes]]:
        """(owner, RRs) of one of this tree's leaves; with *keep* it is likely to be asked for again soon."""
        return self._blobs.leaf(digest).data.items() if keep else owners_of(self._blobs.get(digest))

    def expand(self, nodes: Mapping[str, int], level: int) -> dict[str, int]:
        """*nodes* (digest → height) with those of height *level* replaced by their children."""
        out: dict[str, int] = {}
        for digest, height in nodes.items():
            if height < level:
                out[digest] = height
            else:
                out.update((child.digest, level - 1) for child in self._children(digest) or ())
        return out

    # -- editing ----------------------------------------------------------------------------

    def update(self, edits: Mapping[bytes, bytes | None]) -> Tree:
        """The tree with each owner's RRs replaced, or removed where ``None``. Costs what changed."""
        if not edits:
            return self
        if self.root is None:
            items = sorted(((k, v) for k, v in edits.items() if v), key=lambda item: names.sort_key(item[0]))
            return Tree.build(self._blobs, items)
        height = self.height
        # Leaves first: which entries vanish and which come.
        gone, come = self._edit_leaves(edits, height)
        for level in range(1, height + 1):
            if level == height:
                children = self._children(self.root) or []
                merged = _merge(children, gone, come)
                return Tree(self._blobs, self._shrink(self._nodes(self._blobs, merged, level), level + 1))
            gone, come = self._edit_inner(gone, come, level, height)
        entries = _merge([], {}, come)
        return Tree(self._blobs, self._join(self._blobs, entries, 1))

    def _shrink(self, entries: list[_Entry], height: int) -> str | None:
        root = self._join(self._blobs, entries, height)
        # A root with one child is not canonical: the child itself is the root.
        while root is not None and (children := self._children(root)) is not None and len(children) == 1:
            root = children[0].digest
        return root

    def _at_height(self, key: bytes, wanted: int, height: int) -> tuple[_Entry, _Entry | None]:
        """The entry of the node of height *wanted* (0: leaf) that covers *key*, and that of the one ahead of it."""
        if self.root is None:
            raise ValueError("an empty tree has no nodes")
        here: _Entry | None = None
        left: _Entry | None = None
        digest, level = self.root, height
        while level > wanted:
            children = self._children(digest) or []
            i = _covering(children, key)
            if i > 0:
                left = children[i - 1]
            elif left is not None:
                left = (self._children(left.digest) or [left])[-1]
            here = children[i]
            digest, level = here.digest, level - 1
        if here is None:  # the root itself
            first = next(iter(self))[0]
            here = _Entry(first, digest, Stats())
        return here, left

    def _edit_leaves(
        self, edits: Mapping[bytes, bytes | None], height: int
    ) -> tuple[dict[bytes, None], dict[bytes, _Entry]]:
        runs = self._runs(sorted(edits, key=names.sort_key), lambda owner: edits[owner] is None, 0, height)
        gone: dict[bytes, None] = {}
        come: dict[bytes, _Entry] = {}
        for entries, owners in runs:
            content: dict[bytes, bytes] = {}
            for entry in entries:
                gone[entry.first] = None
                content.update(self._blobs.leaf(entry.digest).data)
            added = False
            for owner in owners:
                data = edits[owner]
                if data:
                    added = added or owner not in content
                    content[owner] = data
                else:
                    content.pop(owner, None)
            # Leaves come in order and keep it where only what they have changes.
            items: Iterable[tuple[bytes, bytes]] = content.items()
            if added:
                items = sorted(items, key=lambda item: names.sort_key(item[0]))
            come.update((entry.first, entry) for entry in self._leaves(self._blobs, items))
        return gone, come

    def _edit_inner(
        self, gone: dict[bytes, None], come: dict[bytes, _Entry], level: int, height: int
    ) -> tuple[dict[bytes, None], dict[bytes, _Entry]]:
        touched = sorted({**gone, **dict.fromkeys(come)}, key=names.sort_key)
        runs = self._runs(touched, lambda first: first not in come, level, height)
        out_gone: dict[bytes, None] = {}
        out_come: dict[bytes, _Entry] = {}
        for entries, firsts in runs:
            children: list[_Entry] = []
            for entry in entries:
                out_gone[entry.first] = None
                children.extend(self._children(entry.digest) or ())
            part_gone = {first: None for first in firsts if first in gone}
            part_come = {first: come[first] for first in firsts if first in come}
            merged = _merge(children, part_gone, part_come)
            out_come.update((entry.first, entry) for entry in self._nodes(self._blobs, merged, level))
        return out_gone, out_come

    def _runs(
        self, keys: list[bytes], vanishes: Callable[[bytes], bool], wanted: int, height: int
    ) -> list[tuple[list[_Entry], list[bytes]]]:
        """Group sorted *keys* by the nodes that must be made anew together.

        A node whose first key vanishes is joined with the one ahead of it: its content may belong there now.
        """
        runs: list[tuple[list[_Entry], list[bytes]]] = []
        for key in keys:
            here, left = self._at_height(names.sort_key(key), wanted, height)
            need = [here]
            if left is not None and key == here.first and vanishes(key):
                need.insert(0, left)
            if runs and any(entry.first == runs[-1][0][-1].first for entry in need):
                last = runs[-1][0]
                last.extend(entry for entry in need if all(entry.first != have.first for have in last))
                runs[-1][1].append(key)
            else:
                runs.append((need, [key]))
        return runs


def _covering(children: list[_Entry], key: bytes) -> int:
    """The index of the child that covers *key*: the last whose first owner is not behind it, else the first."""
    low, high = 0, len(children)
    while low < high:
        middle = (low + high) // 2
        if names.sort_key(children[middle].first) <= key:
            low = middle + 1
        else:
            high = middle
    return max(low - 1, 0)


def _merge(children: list[_Entry], gone: Mapping[bytes, None], come: Mapping[bytes, _Entry]) -> list[_Entry]:
    kept = [child for child in children if child.first not in gone and child.first not in come]
    if len(come) > _FEW:
        return sorted([*kept, *come.values()], key=_entry_key)
    for entry in come.values():
        insort(kept, entry, key=_entry_key)
    return kept


def _entry_key(entry: _Entry) -> bytes:
    return names.sort_key(entry.first)


def diff(old: Tree, new: Tree) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """(owner, old RRs, new RRs) where they differ, in canonical order; what the two have in common is not read."""
    left = _differing_leaves(old, new)
    right = _differing_leaves(new, old)
    changed = {owner for owner, data in left.items() if right.get(owner) != data}
    changed.update(owner for owner in right if owner not in left)
    for owner in sorted(changed, key=names.sort_key):
        yield owner, left.get(owner), right.get(owner)


def stream_diff(old: Tree, new: Tree) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
    """The same as :func:`diff`, for differences that may be large: one leaf of each tree is held at a time."""
    left, right = _owners_in(old, _differing(old, new)), _owners_in(new, _differing(new, old))
    before, after = next(left, None), next(right, None)
    while before is not None or after is not None:
        if after is None or (before is not None and before[0] < after[0]):
            if before is not None:
                yield before[1], before[2], None
            before = next(left, None)
        elif before is None or after[0] < before[0]:
            yield after[1], None, after[2]
            after = next(right, None)
        else:
            if before[2] != after[2]:
                yield before[1], before[2], after[2]
            before, after = next(left, None), next(right, None)


def _owners_in(tree: Tree, leaves: Iterable[str]) -> Iterator[tuple[bytes, bytes, bytes]]:
    """(sort key, owner, RRs) of *leaves*."""
    for digest in leaves:
        for owner, data in tree.owners(digest, keep=False):
            yield names.sort_key(owner), owner, data


def _differing_leaves(tree: Tree, other: Tree) -> dict[bytes, bytes]:
    """The owners of those leaves of *tree* that *other* lacks."""
    mine = _differing(tree, other)
    found: dict[bytes, bytes] = {}
    for digest in mine:
        found.update(tree.owners(digest, keep=len(mine) <= _FEW))
    return found


def _differing(tree: Tree, other: Tree) -> list[str]:
    """The leaves of *tree* that *other* lacks, in order."""
    mine, theirs = _frontier(tree), _frontier(other)
    level = max(tree.height, other.height)
    while True:
        if tree.height >= level or other.height >= level:
            common = mine.keys() & theirs.keys()
            mine = {digest: at for digest, at in mine.items() if digest not in common}
            theirs = {digest: at for digest, at in theirs.items() if digest not in common}
        if level == 0:
            break
        mine, theirs = tree.expand(mine, level), other.expand(theirs, level)
        level -= 1
    return list(mine)


def _frontier(tree: Tree) -> dict[str, int]:
    return {} if tree.root is None else {tree.root: tree.height}


@dataclass(frozen=True, slots=True)
class ZoneRoot:
    """The three trees of a zone under one digest: the apex, the names below it, and the NSEC3 owners (if signed).

    The apex stands alone because its SOA changes with every version; NSEC3 owners stand alone so that a
    neighbour in their chain is a neighbour in their tree.
    """

    origin: bytes
    apex: Tree
    names: Tree
    nsec3: Tree

    @classmethod
    def empty(cls, blobs: Blobs, origin: bytes) -> ZoneRoot:
        """A zone without any RR."""
        return cls(origin, Tree(blobs, None), Tree(blobs, None), Tree(blobs, None))

    @classmethod
    def load(cls, blobs: Blobs, digest: str) -> ZoneRoot:
        """Read the root blob *digest*. Raises :class:`MissingBlob` or :class:`CorruptBlob`."""
        data = blobs.get(digest)
        try:
            origin, parts = _zone(data)
        except CorruptBlob:
            raise CorruptBlob(f"blob {digest} is no zone root") from None
        trees = [Tree(blobs, part.hex() if any(part) else None) for part in parts]
        return cls(origin, *trees)

    def store(self, blobs: Blobs) -> str:
        """Add the root blob; returns its digest, the zone's root."""
        parts = [bytes.fromhex(tree.root) if tree.root else bytes(32) for tree in (self.apex, self.names, self.nsec3)]
        return blobs.put(_ZONE + self.origin + b"".join(parts))

    @classmethod
    def build(cls, blobs: Blobs, origin: bytes, items: Iterable[tuple[bytes, bytes]]) -> ZoneRoot:
        """A zone without NSEC3 from (owner, RRs) in canonical order, the apex first if there is one."""
        apex: list[tuple[bytes, bytes]] = []

        def below() -> Iterator[tuple[bytes, bytes]]:
            for owner, data in items:
                if owner == origin:
                    apex.append((owner, data))
                else:
                    yield owner, data

        tree = Tree.build(blobs, below())
        return cls(origin, Tree.build(blobs, apex), tree, Tree(blobs, None))

    def get(self, owner: bytes) -> bytes | None:
        """The RRs of *owner* (not of NSEC3 owners), or ``None``."""
        return (self.apex if owner == self.origin else self.names).get(owner)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """(owner, RRs): the apex, the names in canonical order, then the NSEC3 owners."""
        yield from self.apex
        yield from self.names
        yield from self.nsec3

    def update(
        self, edits: Mapping[bytes, bytes | None], nsec3: Mapping[bytes, bytes | None] | None = None
    ) -> ZoneRoot:
        """The zone with owners replaced or removed (``None``); *nsec3* edits that tree likewise."""
        apex = {owner: data for owner, data in edits.items() if owner == self.origin}
        below = {owner: data for owner, data in edits.items() if owner != self.origin}
        return ZoneRoot(self.origin, self.apex.update(apex), self.names.update(below), self.nsec3.update(nsec3 or {}))

    def stats(self) -> Stats:
        """Counts and earliest RRSIG expiry of the whole zone."""
        return self.apex.stats() + self.names.stats() + self.nsec3.stats()

    def due(self, until: int) -> Iterator[tuple[bytes, bytes]]:
        """(owner, RRs) of all three trees that have an RRSIG expiring at *until* or earlier."""
        for tree in (self.apex, self.names, self.nsec3):
            yield from tree.due(until)

    def blobs(self, root: str) -> Iterator[str]:
        """The digests of *root*, this zone's own, and of all nodes below it."""
        yield root
        for tree in (self.apex, self.names, self.nsec3):
            yield from tree.blobs()

    def diff(self, new: ZoneRoot) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        """(owner, old RRs, new RRs) where this zone and *new* differ."""
        yield from diff(self.apex, new.apex)
        yield from diff(self.names, new.names)
        yield from diff(self.nsec3, new.nsec3)

    def stream_diff(self, new: ZoneRoot) -> Iterator[tuple[bytes, bytes | None, bytes | None]]:
        """The same as :meth:`diff`, for differences that may be large."""
        yield from stream_diff(self.apex, new.apex)
        yield from stream_diff(self.names, new.names)
        yield from stream_diff(self.nsec3, new.nsec3)
