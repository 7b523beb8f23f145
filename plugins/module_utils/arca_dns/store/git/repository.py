# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A bare repository on disk: its making, its objects, its references, and the lock that orders writers.

Objects of one commit go into one pack, which is on disk before a reference moves to it. What they mean is not known
here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import zlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from ..._deps import dulwich
from ...errors import IntegrityError, StoreError, StoreUnavailable

FILE = 0o100644
FOLDER = 0o040000
_SUBMODULE = 0o160000  # a commit of another repository: none of ours
#: A folder's entries: name → (mode, object).
Entries: TypeAlias = "Mapping[bytes, tuple[int, bytes]]"
#: Changes of a folder: path → content's object, or ``None`` for a removal.
Edits: TypeAlias = "Mapping[tuple[bytes, ...], bytes | None]"

_CACHED_FOLDERS = 16384
#: Packs of a size class that are joined: some 32 of one commit to a medium one, 32 medium ones to one of 1,000 commits.
_PACKS_PER_CLASS = 32
_MEDIUM_INDEX = 32 << 10  # bytes; an index has 28 for each object
_LOCK_SECONDS = 5.0
_CONFIG = b"""\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
[receive]
\tdenyNonFastForwards = true
\tdenyDeletes = true
"""


class Repository:
    """The repository at *path*, made if it is missing. One thread at a time may use it, but for :meth:`resolve`."""

    def __init__(self, path: Path, branch: str) -> None:
        self.path = path
        self.folder = path / "arca"  # what is not Git's: lock, staged blobs
        self._lock_file = -1
        self._folders: OrderedDict[bytes, Entries] = OrderedDict()
        self._packs: frozenset[str] = frozenset()
        self.repo: Any = None
        try:
            self._make(branch)
            self._open()
        except BaseException:
            self.close()
            raise

    def _make(self, branch: str) -> None:
        there = self.path.exists() and any(self.path.iterdir())
        if there and not self.folder.exists() and not (self.path / "objects").is_dir():
            what = "has a working tree" if (self.path / ".git").exists() else "is a folder with other files"
            raise StoreError(f"{self.path} {what}: give the path of a new folder or of a bare Git repository")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock_file = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        with self.locked():
            for name in ("objects/pack", "objects/info", "refs/heads", "refs/arca"):
                (self.path / name).mkdir(parents=True, exist_ok=True)
            for name, content in (("config", _CONFIG), ("HEAD", f"ref: refs/heads/{branch}\n".encode())):
                if not (self.path / name).exists():
                    self._write_file(self.path / name, content)

    def _open(self) -> None:
        if self.repo is not None:
            self.repo.close()
        self._packs = self._pack_names()
        self.repo = dulwich.repo.Repo(str(self.path))

    def _pack_names(self) -> frozenset[str]:
        return frozenset(index.stem for index in (self.path / "objects" / "pack").glob("pack-*.idx"))

    def _packs_changed(self) -> bool:
        """Look at the packs again, if there are others: one that was damaged may have been repaired by now."""
        if self._pack_names() == self._packs:
            return False
        self._open()
        return True

    def close(self) -> None:
        """Give back files."""
        if self.repo is not None:
            self.repo.close()
        if self._lock_file >= 0:
            os.close(self._lock_file)
            self._lock_file = -1

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock that orders writers of all processes; the kernel frees it when a process dies."""
        fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    # -- references -------------------------------------------------------------------------

    def stamp(self, name: str) -> tuple[object, ...]:
        """What changes whenever the reference *name* may have moved; cheap."""
        return tuple(_identity(self.path / file) for file in (name, "packed-refs"))

    def resolve(self, name: str) -> bytes | None:
        """The commit that *name* (``refs/…``) points to."""
        for _attempt in range(3):  # `git pack-refs` moves it from one file to the other
            with suppress(FileNotFoundError):
                return (self.path / name).read_bytes().strip()
            with suppress(FileNotFoundError):
                for line in (self.path / "packed-refs").read_bytes().splitlines():
                    sha, _space, found = line.partition(b" ")
                    if found == name.encode():
                        return sha
        return None

    def move(self, name: str, old: bytes | None, new: bytes, *, durable: bool = True) -> bool:
        """Let *name* point to *new* if it points to *old*; needs :meth:`locked`. Raises ``StoreUnavailable``."""
        target = self.path / name
        lock, mine = target.with_name(target.name + ".lock"), self.folder / "reference"
        target.parent.mkdir(parents=True, exist_ok=True)
        if mine.exists():
            # A writer of ours died here. Its lock, if it had come so far, is the same file.
            for left in self.path.glob("refs/**/*.lock"):
                if left.samefile(mine):
                    left.unlink()
            mine.unlink()
        with mine.open("wb") as file:
            file.write(new + b"\n")
            if durable:
                _sync(file)
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while True:
                try:
                    os.link(mine, lock)
                    break
                except FileExistsError:
                    if time.monotonic() > deadline:
                        raise StoreUnavailable(
                            f"{lock} stays locked by another Git program; if none runs, remove that file"
                        ) from None
                    time.sleep(0.02)
            if self.resolve(name) != old:
                lock.unlink()
                return False
            lock.rename(target)
            if durable:
                _sync_folder(target.parent)
            return True
        finally:
            mine.unlink(missing_ok=True)

    # -- objects ----------------------------------------------------------------------------

    def read(self, sha: bytes) -> Any:
        """The object *sha*. Raises :class:`IntegrityError` if it is missing or damaged."""
        try:
            return self.repo.object_store[sha]
        except KeyError:
            state = "missing"
        except damage():
            state = "damaged"
        if state == "damaged" and self._packs_changed():
            return self.read(sha)
        # Not raised from those: they hold pieces of the pack, which then could not be closed.
        raise IntegrityError(
            f"object {sha.decode()} is {state} in {self.path}: `git fsck` says what else is. Stop the controller,"
            " take damaged packs out of objects/pack, and put those of a clone or of the remote there;"
            " 'arca-dns-controller fsck --repair' does it where there is a remote"
        )

    def entries(self, sha: bytes | None) -> Entries:
        """The entries of the folder *sha*; of none, none."""
        if sha is None:
            return {}
        found = self._folders.get(sha)
        if found is None:
            found = {name: (mode, item) for name, mode, item in self.read(sha).iteritems()}
            self._keep(sha, found)
        else:
            self._folders.move_to_end(sha)
        return found

    def find(self, folder: bytes | None, path: Iterable[bytes]) -> bytes | None:
        """The object at *path* below *folder*."""
        for name in path:
            entry = self.entries(folder).get(name)
            if entry is None:
                return None
            folder = entry[1]
        return folder

    def is_ancestor(self, old: bytes, new: bytes) -> bool:
        """Whether *old* is *new* or in its history."""
        return is_ancestor(self.repo, old, new)

    def merge_base(self, one: bytes, other: bytes) -> bytes | None:
        """The commit that both have in their history, the newest; ``None`` if they have nothing in common."""
        found = _common(self.repo, one, other)
        newest = (
            base for base in reversed(found) if not any(is_ancestor(self.repo, base, o) for o in found if o != base)
        )
        return next(newest, None)

    def edit(self, folder: bytes | None, edits: Edits, new: dict[bytes, Any]) -> bytes | None:
        """*folder* with *edits*; ``None`` if nothing is left. Its new objects go to *new*."""
        entries = dict(self.entries(folder))
        below: dict[bytes, dict[tuple[bytes, ...], bytes | None]] = {}
        for path, item in edits.items():
            if len(path) > 1:
                below.setdefault(path[0], {})[path[1:]] = item
            elif item is None:
                entries.pop(path[0], None)
            else:
                entries[path[0]] = (FILE, item)
        for name, inner in below.items():
            mode, held = entries.get(name, (FOLDER, None))
            made = self.edit(held if mode == FOLDER else None, inner, new)
            if made is None:
                entries.pop(name, None)
            else:
                entries[name] = (FOLDER, made)
        if not entries:
            return None
        tree: Any = dulwich.objects.Tree()
        for name, (mode, item) in entries.items():
            tree.add(name, mode, item)
        sha: bytes = tree.id
        if sha != folder:
            new[sha] = tree
            self._keep(sha, entries)
        return sha

    def differences(self, old: bytes | None, new: bytes | None) -> Iterator[tuple[tuple[bytes, ...], bytes | None]]:
        """(path, new object or ``None``) of each file that differs between two folders; what is equal is not read."""
        if old == new:
            return
        before, after = self.entries(old), self.entries(new)
        for name in sorted({**before, **after}):
            left, right = before.get(name), after.get(name)
            if left == right or _SUBMODULE in {left and left[0], right and right[0]}:
                continue
            left_folder = left[1] if left and left[0] == FOLDER else None
            right_folder = right[1] if right and right[0] == FOLDER else None
            for path, item in self.differences(left_folder, right_folder):
                yield (name, *path), item
            if right is not None and right[0] != FOLDER:
                yield (name,), right[1]
            elif left is not None and left[0] != FOLDER:
                yield (name,), None

    def files(self, folder: bytes | None) -> Iterator[tuple[tuple[bytes, ...], bytes]]:
        """(path, object) of every file below *folder*."""
        for path, item in self.differences(None, folder):
            if item is not None:
                yield path, item

    def write(self, objects: Mapping[bytes, Any], name: str = "new") -> Path:
        """Put *objects* on disk, in one pack; returns its index. *name* is that of the files until they are whole."""
        pack, index = self.folder / f"{name}.pack", self.folder / f"{name}.idx"
        for left in (pack, index):
            left.unlink(missing_ok=True)
        with pack.open("wb") as file:
            places, checksum = dulwich.pack.write_pack_objects(
                file,
                [(item, None) for item in objects.values()],
                dulwich.object_format.DEFAULT_OBJECT_FORMAT,
                deltify=False,
                compression_level=1,
            )
            _sync(file)
        with index.open("wb") as file:
            dulwich.pack.write_pack_index_v2(file, sorted((k, v[0], v[1]) for k, v in places.items()), checksum)
            _sync(file)
        target = self.path / "objects" / "pack" / f"pack-{checksum.hex()}"
        for made, suffix in ((pack, ".pack"), (index, ".idx")):  # a pack without an index is not looked at
            made.chmod(0o444)
            made.rename(target.with_suffix(suffix))
        _sync_folder(target.parent)
        return target.with_suffix(".idx")

    def join_packs(self, least: int = _PACKS_PER_CLASS) -> None:
        """Join packs of one size class once there are *least*, unless another process does. May run beside all else.

        New packs come and no object goes, so nobody need wait.
        """
        lock = os.open(self.folder / "join", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._join_packs(least)
        except BlockingIOError:
            return
        finally:
            os.close(lock)

    def _join_packs(self, least: int) -> None:
        folder = self.path / "objects" / "pack"
        classes: dict[bool, list[Path]] = {}
        for index in folder.glob("pack-*.idx"):
            size = index.stat().st_size
            if size < _MEDIUM_INDEX * _PACKS_PER_CLASS:
                classes.setdefault(size < _MEDIUM_INDEX, []).append(index)
        for indexes in classes.values():
            if len(indexes) < least:
                continue
            packs = [
                dulwich.pack.Pack(str(index.with_suffix("")), object_format=dulwich.object_format.DEFAULT_OBJECT_FORMAT)
                for index in indexes
            ]
            try:
                objects: dict[bytes, Any] = {item.id: item for pack in packs for item in pack.iterobjects()}
                joined = self.write(objects, "joined")
            finally:
                for pack in packs:
                    pack.close()
            for index in indexes:
                if index == joined:  # one of them held all the others, left by a join that died
                    continue
                index.unlink(missing_ok=True)
                index.with_suffix(".pack").unlink(missing_ok=True)
                index.with_suffix(".rev").unlink(missing_ok=True)

    def replace(self, objects: Mapping[bytes, Any]) -> None:
        """Put *objects* on disk, and those that stand there damaged out of the way; needs :meth:`locked`.

        A pack with damage is made anew with all of it that can be read, and goes to ``arca/damaged``.
        """
        lock = os.open(self.folder / "join", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._replace(objects)
        finally:
            os.close(lock)
        self._folders.clear()
        self._open()

    def _replace(self, objects: Mapping[bytes, Any]) -> None:
        aside: list[Path] = []
        kept = dict(objects)
        for index in sorted((self.path / "objects" / "pack").glob("pack-*.idx")):
            found = _whole_objects(index, objects)
            if found is not None:
                kept = {**found, **kept}
                aside += [path for s in (".idx", ".pack", ".rev") if (path := index.with_suffix(s)).exists()]
        for sha in objects:
            loose = self.path / "objects" / sha[:2].decode() / sha[2:].decode()
            aside += [loose] if loose.exists() else []
        written = self.write(kept, "repaired")
        graveyard = self.folder / "damaged"
        for path in aside:
            if path.stem != written.stem:
                graveyard.mkdir(exist_ok=True)
                path.rename(graveyard / path.name)
        _sync_folder(written.parent)

    def sync_packs(self) -> None:
        """Put on disk what a fetch has brought."""
        folder = self.path / "objects" / "pack"
        for path in folder.iterdir():
            with suppress(FileNotFoundError), path.open("rb") as file:
                os.fsync(file.fileno())
        _sync_folder(folder)

    @staticmethod
    def _write_file(path: Path, content: bytes) -> None:
        made = path.with_name(f".{path.name}.new")
        with made.open("wb") as file:
            file.write(content)
            _sync(file)
        made.rename(path)
        _sync_folder(path.parent)

    def _keep(self, sha: bytes, entries: Entries) -> None:
        self._folders[sha] = entries
        while len(self._folders) > _CACHED_FOLDERS:
            self._folders.popitem(last=False)


def damage() -> tuple[type[BaseException], ...]:
    """What reading a damaged object raises."""
    errors: Any = dulwich.errors
    known = (errors.ChecksumMismatch, errors.ObjectFormatException, errors.ApplyDeltaError)
    return (zlib.error, AssertionError, KeyError, ValueError, IndexError, OverflowError, *known)


def _whole_objects(index: Path, wanted: Mapping[bytes, Any]) -> dict[bytes, Any] | None:
    """All objects of a pack that can be read, if one of *wanted* in it cannot; else ``None``."""
    object_format: Any = dulwich.object_format.DEFAULT_OBJECT_FORMAT
    pack: Any = dulwich.pack.Pack(str(index.with_suffix("")), object_format=object_format)
    try:
        there = {sha for sha in wanted if sha in pack}
        if all(_object(pack, sha) is not None for sha in there):
            return None
        return {sha: item for sha in pack if (item := _object(pack, sha)) is not None}
    finally:
        pack.close()


def _object(pack: Any, sha: bytes) -> Any:
    """The object *sha*, or ``None`` where it does not hash to its name."""
    try:
        item: Any = dulwich.objects.ShaFile.from_raw_string(*pack.get_raw(sha))
        return item if item.id == sha else None
    except damage():
        return None


def is_ancestor(repo: Any, old: bytes, new: bytes) -> bool:
    """Whether *old* is *new* or in its history, whatever clocks the commits were made by."""
    return old == new or old in _common(repo, old, new)


def _common(repo: Any, one: bytes, other: bytes) -> list[bytes]:
    """The newest commits in the history of both, and of commits of one second also some that are in theirs."""
    graph: Any = dulwich.graph
    found: list[bytes] = graph.find_merge_base(repo, [one, other])
    return found


def explain(error: OSError) -> str:
    """What went wrong with a file, and what to do."""
    known = {
        errno.ENOSPC: "the file system is full: make room",
        errno.EDQUOT: "the quota is used up: make room",
        errno.EROFS: "the file system is read-only: mount it writable",
        errno.EACCES: "permission denied: let the controller's user own the repository",
    }
    reason = known.get(error.errno or 0, error.strerror or str(error))
    return (
        f"the repository cannot be used ({error.filename}): {reason}"
        if error.filename
        else (f"the repository cannot be used: {reason}")
    )


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
