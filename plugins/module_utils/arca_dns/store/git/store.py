# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store in a Git repository: documents in an index that follows the head, blobs in the tree, commits one by one.

What the store has acknowledged is what ``refs/arca/<branch>`` names. The branch follows it, and is where people push: a
branch that is not an ancestor waits for :mod:`.remote` to merge it.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..._deps import dulwich, require
from ...errors import ArcaError, Conflict, IntegrityError, StoreUnavailable
from ...zone.tree import Blobs
from ..base import Changes, Document, JsonObject, Transaction
from ..common import GRACE_SECONDS, broken_preconditions, check_digests, decode, encode, validate
from . import files, layout
from .layout import Line
from .remote import Pusher, Remote
from .repository import Repository, explain
from .staging import Ages, Staged

#: How often a watcher looks for commits of other processes, in seconds.
_POLL_SECONDS = 0.1
#: Commits after which packs are looked at.
_ROUND = 32
#: Zone files in one folder; further ones go to folders below.
_FLAT = 500
_RECENT = 20_000
_SHARDS = 2048
#: Revisions for which deletions are remembered.
_REMEMBERED = 100_000
_BLOB_CACHE = 64 << 20


@dataclass(frozen=True, slots=True)
class Addition:
    """What a commit adds to a transaction: another parent, files that are not the store's own, its message."""

    parent: bytes
    files: Mapping[layout.Path, bytes | None]
    message: layout.Message


class GitStore:
    """A :class:`~..base.Store` in the bare repository at *path*, made if it is missing.

    *author* and *email* are the controller's own, in commits. *clock* gives unix seconds, *grace* is that of blobs.
    """

    def __init__(
        self,
        path: Path,
        *,
        branch: str = "main",
        author: str = "arca.dns",
        email: str = "arca-dns@localhost",
        remote: Remote | None = None,
        auto_push: bool = False,
        auto_pull: bool = False,
        grace: float = GRACE_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        require("dulwich")
        self.branch = f"refs/heads/{branch}"
        self._truth = f"refs/arca/{branch}"
        self._author = author
        self._email = email
        self._grace = grace
        self._clock = clock
        self._remote = remote
        self._auto_pull = auto_pull
        self._pusher = Pusher(remote, self._pushable, clock) if remote is not None and auto_push else None
        #: Why the last pull failed, ``None`` if it did not.
        self.pull_problem: str | None = None
        self._joining: threading.Thread | None = None
        self._writing = threading.Lock()
        self._lock = threading.RLock()  # the index and the objects
        self._changed = threading.Condition()
        self._stamp: tuple[object, ...] = ()
        self._head: bytes | None = None
        self._tree: bytes | None = None
        self._foreign: bytes | None = None  # what somebody else has made of the branch
        self._revision = 0
        self._lines: dict[str, Line] = {}  # deleted ones too
        self._keys: list[str] = []
        self._recent: list[tuple[int, str]] = []
        self._recent_after = 0
        self._shards: dict[bytes, dict[str, Line]] = {}  # files of documents, parsed, those written last
        self._commits = 0
        with self._errors():
            self._repository = Repository(path, branch)
            self._staged = Staged(self._repository.folder / "staged")
            self._ages = Ages(self._repository.folder / "ages")
            self._blobs = Blobs(self.read_blobs, cache_bytes=_BLOB_CACHE)
            try:
                with self._writer():
                    if self._head is None:
                        self._begin()
                    elif self._repository.resolve(self.branch) != self._head:
                        self._follow(self._head)
            except BaseException:
                self.close()
                raise
        self._tidy()

    # -- the interface ----------------------------------------------------------------------

    def get(self, key: str) -> Document | None:
        """The document at *key*, or ``None``."""
        with self._reading():
            line = self._lines.get(key)
            return None if line is None or line.value is None else _document(line)

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Up to *limit* documents whose key begins with *prefix* and is greater than *after*, in key order."""
        with self._reading():
            at = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after) if after else 0)
            found = []
            for key in self._keys[at : at + max(limit, 0)]:
                if not key.startswith(prefix):
                    break
                found.append(_document(self._lines[key]))
            return found

    def commit(self, transaction: Transaction) -> int:
        """Apply *transaction* as one Git commit, durably; returns the new revision. Raises ``Conflict``."""
        return self.commit_with(transaction, None)

    def commit_with(self, transaction: Transaction, addition: Addition | None) -> int:
        """As :meth:`commit`, with what the Git side adds."""
        validate(transaction)
        texts = {key: encode(value) for key, value in transaction.writes.items()}
        self.write_blobs(transaction.blobs)
        with self._errors(), self._writer():
            settled = self._settled(transaction)
            found = {key: self._lines[key].revision for key in transaction.preconditions if self._exists(key)}
            broken = broken_preconditions(transaction, found)
            if broken:
                raise Conflict(f"the store has moved on: {broken}")
            revision = self._revision + 1
            lines = {key: Line(key, revision, text) for key, text in texts.items()}
            lines.update(
                (key, Line(key, revision, None)) for key in (*transaction.deletes, *settled) if self._exists(key)
            )
            message = layout.describe(transaction.writes, transaction.deletes) if addition is None else addition.message
            with self._lock:
                new: dict[bytes, Any] = {}
                edits = self._document_edits(lines, new)
                edits.update(self._staged_edits(new))
                edits.update(self._zone_file_edits(transaction, new))
                edits.update({} if addition is None else addition.files)
                tree = self._repository.edit(self._tree, edits, new)
                parents = () if addition is None else (addition.parent,)
                head = self._make_commit(tree, parents, message, revision, new, transaction)
            self._advance(head, new)
            with self._lock:
                self._take(lines.values(), revision)
                self._head, self._tree = head, tree
                self._stamp = self._repository.stamp(self._truth)
                if addition is not None:
                    self._foreign = None
                    self._follow(head)
                if len(self._staged):
                    with suppress(OSError):  # acknowledged already; what is left is taken once more, to no effect
                        self._staged.keep(())
        with self._changed:
            self._commits += 1
            self._changed.notify_all()
        self.push_soon()
        return revision

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* that exist."""
        found: dict[str, bytes] = {}
        missing: list[str] = []
        with self._reading():
            self._staged.refresh()
            for digest in digests:
                data = self._blob(digest)
                if data is None:
                    missing.append(digest)
                else:
                    found[digest] = data
        if missing:
            # Another process may have committed what was staged between the two looks.
            with self._reading():
                again = {digest: self._blob(digest) for digest in missing}
                found.update((digest, data) for digest, data in again.items() if data is not None)
        return found

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Make *blobs* durable; idempotent. The next commit takes them into the tree."""
        if not blobs:
            return
        with self._errors(), self._writer(), self._lock:
            now = self._clock()
            ageing = [digest for digest in blobs if self._ages.written(digest) < now - self._grace / 2]
            if ageing:
                self._ages.add(ageing, now, now - self._grace)
            new = {
                digest: data
                for digest, data in blobs.items()
                if digest not in self._staged and self._repository.find(self._tree, layout.blob_path(digest)) is None
            }
            if new:
                self._staged.add(new)

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Put *blobs* into the tree, in place of what stands there, and their objects in place of damaged ones.

        Packs with damage are made anew without it; what they were is kept in ``arca/damaged``.
        """
        check_digests(blobs)
        if not blobs:
            return
        with self._errors(), self._writer(), self._lock:
            objects: dict[bytes, Any] = {}
            wanted = {layout.blob_path(digest): self._blob_object(data, objects) for digest, data in blobs.items()}
            self._repository.replace(objects)
            edits = {path: item for path, item in wanted.items() if self._repository.find(self._tree, path) != item}
            if edits:
                new: dict[bytes, Any] = {}
                tree = self._repository.edit(self._tree, edits, new)
                message = layout.Message(None, f"Repair {len(edits)} blobs")
                head = self._make_commit(tree, (), message, self._revision, new)
                self._advance(head, new)
                self._head, self._tree = head, tree
                self._stamp = self._repository.stamp(self._truth)
            if any(digest in self._staged for digest in blobs):
                self._staged.keep([digest for digest in self._staged.digests() if digest not in blobs])
        self.push_soon()

    def watch(self, after: int, timeout: float) -> Changes:
        """Wait up to *timeout* seconds for commits later than revision *after*, of this process or of others."""
        deadline = time.monotonic() + timeout
        while True:
            commits = self._commits
            with self._reading():
                left = deadline - time.monotonic()
                if self._revision > after or left <= 0:
                    complete = after == 0 or after >= self._revision - _REMEMBERED
                    return Changes(self._revision, self._since(after), complete)
            with self._changed:
                self._changed.wait_for(lambda seen=commits: self._commits != seen, min(left, _POLL_SECONDS))  # type: ignore[misc]

    def sweep(self, keep: Iterable[str]) -> int:
        """Take blobs out of the tree that are not in *keep* and were last written more than the grace ago.

        Returns how many. The history still has them, so the repository does not shrink.
        """
        oldest = self._clock() - self._grace
        kept = set(keep)
        with self._errors(), self._writer(), self._lock:

            def doomed(digest: str) -> bool:
                return digest not in kept and self._ages.written(digest) < oldest

            staged = self._staged.digests()
            young = [digest for digest in staged if not doomed(digest)]
            if len(young) < len(staged):
                self._staged.keep(young)
            folder = self._repository.find(self._tree, layout.BLOBS)
            removed = [path[-1].decode() for path, _item in self._repository.files(folder) if doomed(path[-1].decode())]
            if removed:
                new: dict[bytes, Any] = {}
                tree = self._repository.edit(self._tree, {layout.blob_path(d): None for d in removed}, new)
                message = layout.Message(None, f"Sweep {len(removed)} blobs that no version needs")
                head = self._make_commit(tree, (), message, self._revision, new)
                self._advance(head, new)
                self._head, self._tree = head, tree
                self._stamp = self._repository.stamp(self._truth)
            self._ages.forget(oldest)
            return len(removed) + len(staged) - len(young)

    def close(self) -> None:
        """Push what waits to be pushed, and give back files."""
        if self._pusher is not None:
            self._pusher.close()
        if self._joining is not None:
            self._joining.join()
        with self._writing, self._lock:
            self._staged.close()
            self._ages.close()
            self._repository.close()

    # -- what the Git side needs ------------------------------------------------------------

    @contextmanager
    def opened(self) -> Iterator[tuple[Repository, bytes]]:
        """The repository and the head of what is acknowledged, for one thread."""
        with self._errors(), self._reading():
            if self._head is None:
                raise StoreUnavailable(f"{self._repository.path} has no commit: open the store again")
            yield self._repository, self._head

    @property
    def path(self) -> Path:
        """The repository's folder."""
        return self._repository.path

    def zone_path(self, name: str) -> layout.Path | None:
        """Where the file of the zone *name* (as in its key) is or belongs; ``None`` if its name is too long for one."""
        file = layout.zone_file(name)
        if file is None:
            return None
        with self._reading():
            sharded = (layout.ZONES, layout.shard_of(file), file)
            if self._repository.find(self._tree, sharded) is not None:
                return sharded
            folder = self._repository.entries(self._repository.find(self._tree, (layout.ZONES,)))
            return (layout.ZONES, file) if file in folder or len(folder) < _FLAT else sharded

    def file_at(self, path: layout.Path) -> bytes | None:
        """The object of the file at *path* of the head."""
        with self._reading():
            return self._repository.find(self._tree, path)

    def publish_branch(self) -> bytes | None:
        """Let the branch follow the head; returns the branch's commit if it is not in the head's history."""
        with self._errors(), self._writer(), self._lock:
            return None if self._head is None else self._follow(self._head)

    def file_content(self, item: str) -> bytes:
        """The bytes of a file by its object."""
        with self._reading():
            content: bytes = self._repository.read(item.encode()).data
            return content

    def pull(self) -> bytes | None:
        """The commit of the remote's branch, fetched; ``None`` without one, or where nothing is to be pulled."""
        if self._remote is None or not self._auto_pull:
            return None
        try:
            found = self._remote.fetch()
        except StoreUnavailable as error:
            self.pull_problem = str(error)
            raise
        self.pull_problem = None
        with self._errors(), self._lock:
            self._repository.sync_packs()
        return found

    def push_soon(self, *, now: bool = False) -> None:
        """Let the head be pushed in the background, where that is wanted; *now* as :meth:`.Pusher.wake` says."""
        if self._pusher is not None:
            self._pusher.wake(now=now)

    def remote_state(self) -> JsonObject | None:
        """What is known of the remote; ``None`` without one."""
        if self._remote is None:
            return None
        pusher = self._pusher
        return {
            "url": self._remote.shown,
            "push_problem": None if pusher is None else pusher.problem,
            "pull_problem": self.pull_problem,
            "pushed": None if pusher is None else pusher.pushed,
        }

    # -- inside -----------------------------------------------------------------------------

    def _pushable(self) -> bytes:
        with self.opened() as (_repository, head):
            return head

    def _begin(self) -> None:
        """The first commit; or the state that a clone brought with it, or that the remote has."""
        held = self._repository.resolve(self.branch)
        if held is None and self._remote is not None:
            held = self._remote.fetch()  # not reached: a second history must not begin
            self._repository.sync_packs()
        if held is not None and self._repository.find(self._repository.read(held).tree, (layout.STATE,)) is not None:
            self._repository.move(self._truth, None, held)
            self._refresh()
            return
        new: dict[bytes, Any] = {}
        readme = self._blob_object(layout.README, new)
        tree = self._repository.edit(None, {(b"README.md",): readme}, new)
        head = self._make_commit(tree, (), layout.Message(None, "Begin"), 0, new)
        self._advance(head, new)
        self._refresh()

    def _follow(self, head: bytes, old: bytes | None = None) -> bytes | None:
        """Let the branch follow to *head*, as it does from *old*; returns its commit where that is somebody else's."""
        branch = self._repository.resolve(self.branch)
        if branch == head:
            return None
        if branch not in (None, old) and (
            branch == self._foreign or not self._repository.is_ancestor(branch or b"", head)
        ):
            self._foreign = branch
            return branch
        # Not synced: what is acknowledged has a reference of its own. One that another Git program holds follows later.
        with suppress(StoreUnavailable, OSError):
            self._repository.move(self.branch, branch, head, durable=False)
        return None

    def _advance(self, head: bytes, new: Mapping[bytes, Any]) -> None:
        """Make *head* and its *new* objects durable: with the move of the reference the commit is acknowledged."""
        self._repository.write(new)
        old = self._head
        if not self._repository.move(self._truth, old, head):
            raise StoreUnavailable(f"{self._truth} in {self._repository.path} was moved by another program")
        with self._lock:
            self._follow(head, old)
        if self._revision % _ROUND == 0:
            self._tidy()

    def _tidy(self) -> None:
        """Join packs beside all else."""
        if self._joining is None or not self._joining.is_alive():
            self._joining = threading.Thread(target=self._join, name="git-join", daemon=True)
            self._joining.start()

    def _join(self) -> None:
        with suppress(Exception):  # packs stay as they are; what is wrong with one shows when it is read
            self._repository.join_packs()

    def _make_commit(
        self,
        tree: bytes | None,
        parents: tuple[bytes, ...],
        message: layout.Message,
        revision: int,
        new: dict[bytes, Any],
        transaction: Transaction | None = None,
    ) -> bytes:
        commit: Any = dulwich.objects.Commit()
        commit.tree = tree
        commit.parents = [*([] if self._head is None else [self._head]), *parents]
        commit.committer = layout.identity(self._author, self._email)
        email = self._email if transaction is None else self._email_of(transaction)
        commit.author = layout.identity(message.author or self._author, email)
        commit.commit_time = commit.author_time = int(self._clock())
        commit.commit_timezone = commit.author_timezone = 0
        commit.message = message.encode(revision)
        commit.encoding = b"UTF-8"
        sha: bytes = commit.id
        new[sha] = commit
        return sha

    def _settled(self, transaction: Transaction) -> list[str]:
        """The reports on pushed files that *transaction* settles: those of its zones.

        One that waits is settled only by the version that it asks for.
        """
        versions = [value for key, value in transaction.writes.items() if key.startswith("version/")]
        made = {(value.get("actor"), value.get("reason")) for value in versions}
        settled = []
        for key in (*transaction.writes, *transaction.deletes):
            report = layout.IMPORT + key.removeprefix("zone/")
            line = self._lines.get(report) if key.startswith("zone/") else None
            if line is not None and line.value is not None and report not in transaction.writes:
                pushed = decode(line.value)
                if pushed.get("state") != "pending" or (pushed.get("author"), pushed.get("subject")) in made:
                    settled.append(report)
        return settled

    def _email_of(self, transaction: Transaction) -> str:
        """Of a version that comes from a file somebody pushed: theirs."""
        for key in transaction.writes:
            if key.startswith("zone/"):
                line = self._lines.get(layout.IMPORT + key.removeprefix("zone/"))
                if line is not None and line.value is not None:
                    pushed = decode(line.value)
                    author = next((v.get("actor") for k, v in transaction.writes.items() if k[:8] == "version/"), None)
                    if pushed.get("author") == author:
                        return str(pushed.get("email") or self._email)
        return self._email

    def _document_edits(self, lines: Mapping[str, Line], new: dict[bytes, Any]) -> dict[layout.Path, bytes | None]:
        changed: dict[layout.Path, dict[str, Line]] = {}
        for key, line in lines.items():
            changed.setdefault(layout.document_path(key), {})[key] = line
        edits: dict[layout.Path, bytes | None] = {}
        for path, part in changed.items():
            held = self._repository.find(self._tree, path)
            oldest = self._revision - _REMEMBERED
            after = {
                key: line
                for key, line in {**self._lines_of(held), **part}.items()
                if line.value is not None or line.revision > oldest
            }
            edits[path] = sha = self._blob_object(layout.write_lines(after), new)
            self._shards[sha] = after
            if len(self._shards) > _SHARDS:
                del self._shards[next(iter(self._shards))]
        return edits

    def _lines_of(self, shard: bytes | None) -> dict[str, Line]:
        if shard is None:
            return {}
        held = self._shards.get(shard)
        return layout.read_lines(self._repository.read(shard).data) if held is None else held

    def _staged_edits(self, new: dict[bytes, Any]) -> dict[layout.Path, bytes | None]:
        return {
            layout.blob_path(digest): self._blob_object(self._staged.read(digest) or b"", new)
            for digest in self._staged.digests()
        }

    def _zone_file_edits(self, transaction: Transaction, new: dict[bytes, Any]) -> dict[layout.Path, bytes | None]:
        edits: dict[layout.Path, bytes | None] = {}
        for key, value in transaction.writes.items():
            path = self.zone_path(key.removeprefix("zone/")) if key.startswith("zone/") else None
            if path is None:
                continue
            try:
                content = files.render(value, self._blobs)
            except ArcaError as error:  # the write itself is none of the file's business
                content = f"; this zone cannot be written as a file: {error}\n".encode()
            if content is not None:
                edits[path] = self._blob_object(content, new)
        for key in transaction.deletes:
            path = self.zone_path(key.removeprefix("zone/")) if key.startswith("zone/") else None
            if path is not None:
                edits[path] = None
        return edits

    @staticmethod
    def _blob_object(data: bytes, new: dict[bytes, Any]) -> bytes:
        blob: Any = dulwich.objects.Blob.from_string(data)
        sha: bytes = blob.id
        new[sha] = blob
        return sha

    def _blob(self, digest: str) -> bytes | None:
        data = self._staged.read(digest)
        if data is not None:
            return data
        item = self._repository.find(self._tree, layout.blob_path(digest))
        if item is None:
            return None
        try:
            found: bytes = self._repository.read(item).data
        except IntegrityError:
            return b""  # what is damaged does not hash to its name: that is told where it is read, by its name
        return found

    def _exists(self, key: str) -> bool:
        line = self._lines.get(key)
        return line is not None and line.value is not None

    def _since(self, after: int) -> tuple[str, ...]:
        if after >= self._recent_after:
            changed = set(self._recent[bisect_right(self._recent, (after, "\U0010ffff")) :])
        else:
            changed = {(line.revision, key) for key, line in self._lines.items() if line.revision > after}
        return tuple(key for revision, key in sorted(changed) if self._lines[key].revision == revision)

    def _take(self, lines: Iterable[Line], revision: int) -> None:
        """Put what a commit wrote into the index."""
        news = []
        for line in lines:
            held = self._lines.get(line.key)
            if held is not None and held.revision >= line.revision:
                continue
            there = held is not None and held.value is not None
            if line.value is not None and not there:
                insort(self._keys, line.key)
            elif line.value is None and there:
                del self._keys[bisect_left(self._keys, line.key)]
            self._lines[line.key] = line
            news.append((line.revision, line.key))
        self._recent += sorted(news)
        if len(self._recent) > _RECENT:
            self._recent_after = self._recent[_RECENT // 2][0]
            self._recent = [item for item in self._recent if item[0] > self._recent_after]
        self._revision = revision

    def _refresh(self) -> None:
        """Follow the head, if another handle or process has moved it."""
        with self._lock:
            stamp = self._repository.stamp(self._truth)
            if stamp == self._stamp:
                return
            head = self._repository.resolve(self._truth)
            if head is not None and head != self._head:
                commit = self._repository.read(head)
                revision = layout.revision_of(commit.message)
                if revision is None:
                    raise IntegrityError(
                        f"{self._truth} in {self._repository.path} names a commit that is not the controller's:"
                        " set it back with `git update-ref` to the last one that has a line `Revision:`"
                    )
                old, new = (self._repository.find(tree, layout.DOCUMENTS) for tree in (self._tree, commit.tree))
                lines: dict[str, Line] = {}
                for _path, item in self._repository.differences(old, new):
                    if item is not None:
                        lines.update(self._lines_of(item))
                if self._tree is None:  # many at once: sorted once, not inserted one by one
                    self._lines = lines
                    self._keys = sorted(key for key, line in lines.items() if line.value is not None)
                    self._recent, self._recent_after, self._revision = [], revision, revision
                else:
                    self._take(lines.values(), revision)
                self._head, self._tree = head, commit.tree
            self._stamp = stamp

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._errors(), self._lock:
            self._refresh()
            yield

    @contextmanager
    def _writer(self) -> Iterator[None]:
        """One writer at a time, of all threads and processes, on what is current."""
        with self._writing, self._repository.locked():
            with self._lock:
                self._refresh()
                self._staged.refresh(repair=True)
                self._ages.refresh(repair=True)
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(explain(error)) from None


def _document(line: Line) -> Document:
    return Document(line.key, line.revision, decode(line.value or "{}"))
