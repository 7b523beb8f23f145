# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Blobs on their way into a commit, and how young blobs are: two files of records that writers append to.

A change needs the repository's lock. A reader without it sees whole records only.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

_STAGED = struct.Struct(">32sI")  # SHA-256, length; then the bytes
_AGE = struct.Struct(">32sd")  # SHA-256, unix seconds
_AGES_LIMIT = 8 << 20


class _Records:
    """A file that grows at its end, and is replaced by another when it shrinks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = -1
        self._inode = 0
        self._end = 0

    def close(self) -> None:
        """Give back the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def refresh(self, *, repair: bool = False) -> None:
        """Read what was appended since. *repair*, under the lock, cuts off what a writer did not finish."""
        if self._file < 0 or _inode(self._path) != self._inode:
            self.close()
            self._forget()
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
            self._inode = os.fstat(self._file).st_ino
            self._end = 0
        size = os.fstat(self._file).st_size
        if size > self._end:
            self._end += self._take(_read(self._file, self._end, size - self._end), self._end)
        if repair and size > self._end:
            os.ftruncate(self._file, self._end)

    def _append(self, data: bytes, *, durable: bool) -> None:
        view, at = memoryview(data), self._end
        while view:
            written = os.pwrite(self._file, view, at)
            view, at = view[written:], at + written
        if durable:
            os.fsync(self._file)
        self.refresh()

    def _replace(self, data: bytes) -> None:
        made = self._path.with_name(f".{self._path.name}.new")
        with made.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        made.rename(self._path)
        self.refresh()

    def _forget(self) -> None:
        """The file is another one now."""
        raise NotImplementedError

    def _take(self, data: bytes, start: int) -> int:
        """Read the records of *data*, which stands at *start* of the file; returns where the last whole one ends."""
        raise NotImplementedError


class Staged(_Records):
    """Blobs that are durable and that no commit holds yet."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._places: dict[str, tuple[int, int]] = {}

    def __contains__(self, digest: str) -> bool:
        return digest in self._places

    def __len__(self) -> int:
        return len(self._places)

    def digests(self) -> list[str]:
        """What is staged."""
        return list(self._places)

    def read(self, digest: str) -> bytes | None:
        """The blob *digest* if it is staged."""
        place = self._places.get(digest)
        return None if place is None else _read(self._file, *place)

    def add(self, blobs: Mapping[str, bytes]) -> None:
        """Stage *blobs*; they are on disk when this returns."""
        self._append(b"".join(_staged(digest, data) for digest, data in blobs.items()), durable=True)

    def keep(self, digests: Iterable[str]) -> None:
        """Forget all but *digests*."""
        self._replace(b"".join(_staged(digest, self.read(digest) or b"") for digest in digests))

    def _forget(self) -> None:
        self._places = {}

    def _take(self, data: bytes, start: int) -> int:
        at = 0
        while at + _STAGED.size <= len(data):
            digest, length = _STAGED.unpack_from(data, at)
            begin, end = at + _STAGED.size, at + _STAGED.size + length
            if end > len(data) or hashlib.sha256(data[begin:end]).digest() != digest:
                break
            self._places[digest.hex()] = (start + begin, length)
            at = end
        return at


class Ages(_Records):
    """When blobs were written last, for those written lately; what is not known here is old.

    Not synced: after a power failure no writer is left that a sweep could harm.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._written: dict[bytes, float] = {}

    def written(self, digest: str) -> float:
        """Unix seconds."""
        return self._written.get(bytes.fromhex(digest), 0.0)

    def add(self, digests: Iterable[str], now: float, oldest: float) -> None:
        """*digests* were written *now*; what is older than *oldest* may be forgotten."""
        records = b"".join(_AGE.pack(bytes.fromhex(digest), now) for digest in digests)
        if self._end + len(records) > _AGES_LIMIT:
            self.forget(oldest)
        self._append(records, durable=False)

    def forget(self, oldest: float) -> None:
        """Forget what is older than *oldest*."""
        self._replace(b"".join(_AGE.pack(d, written) for d, written in self._written.items() if written >= oldest))

    def _forget(self) -> None:
        self._written = {}

    def _take(self, data: bytes, start: int) -> int:
        whole = len(data) - len(data) % _AGE.size
        self._written.update(_AGE.iter_unpack(data[:whole]))
        return whole


def _staged(digest: str, data: bytes) -> bytes:
    return _STAGED.pack(bytes.fromhex(digest), len(data)) + data


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


def _read(file: int, at: int, length: int) -> bytes:
    parts = []
    while length > 0 and (part := os.pread(file, length, at)):
        parts.append(part)
        at, length = at + len(part), length - len(part)
    return b"".join(parts)
