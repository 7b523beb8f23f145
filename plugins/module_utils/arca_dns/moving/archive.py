# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A store's whole state in one file, and out of it again; how a restored state goes on is in :mod:`.forward`.

The file is a zip archive: ``documents/N.jsonl`` hold one ``{"key": …, "value": …}`` a line, later lines replacing
earlier ones and ``null`` removing them; ``blobs/N.bin`` hold blobs, each behind its length in four octets; ``keys/``
holds key files where they were asked for. ``manifest.json``, the last member, has the format's number, counts, and size
and SHA-256 of every other member. Members are written and read one at a time; none is much larger than 4 MiB.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from struct import error as StructError
from typing import BinaryIO

from ..errors import IntegrityError, MissingBlob, StoreError
from ..store.base import JsonObject, Store
from ..store.common import revision
from ..zone.tree import links
from . import marker
from .copy import Progress, Tell, documents
from .reach import Walk, roots

FORMAT = 1
_MANIFEST = "manifest.json"
_DOCUMENTS, _BLOBS, _KEYS = "documents/", "blobs/", "keys/"
_PART = 4 << 20
_ROUNDS = 1000
_ATTEMPTS = 3
#: What reading a damaged zip archive raises; RuntimeError stands for methods of packing that it only seems to use.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, OSError, RuntimeError, OverflowError, StructError)
_CREATED = (1980, 1, 1, 0, 0, 0)  # of members; when the backup was made stands in the manifest


@dataclass(frozen=True, slots=True)
class Member:
    """One member of the archive."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself. *lines* are those of documents, replaced ones included."""

    format: int
    program: str
    created: str
    revision: int
    lines: int
    blobs: int
    keys: int
    members: Mapping[str, Member] = field(repr=False)


def silent(_at: Progress) -> None:
    """Tells nobody."""


def backup(
    store: Store,
    out: BinaryIO,
    *,
    program: str,
    created: str,
    keys: Callable[[], Iterable[tuple[str, bytes]]] = tuple,
    tell: Tell = silent,
) -> Manifest:
    """Write all that *store* holds at one revision to *out*, which must be a file that can be read back and cut.

    Writers need not stop: what they change while documents are read is read again, until nothing has changed any more
    since the last look. *keys* gives names and contents of key files. Raises :class:`StoreError` if the store never
    rests, :class:`IntegrityError` if a blob is missing or damaged.
    """
    marker.refuse_unfinished(store)
    for attempt in count(1):
        began = revision(store)
        try:
            return _write(store, out, program, created, keys, tell)
        except MissingBlob:
            # Garbage that was collected meanwhile, of a document that has changed; where nothing has, it is lost.
            if attempt == _ATTEMPTS or not store.watch(began, 0).keys:
                raise
            out.seek(0)
            out.truncate()
    raise AssertionError  # count() does not end


def _write(
    store: Store,
    out: BinaryIO,
    program: str,
    created: str,
    keys: Callable[[], Iterable[tuple[str, bytes]]],
    tell: Tell,
) -> Manifest:
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        parts = _Parts(archive)
        progress = Progress("documents")
        wanted: dict[str, bool] = {}
        at = revision(store)
        for key, value in _consistent(store, at):
            if isinstance(value, int):
                at = value
                continue
            parts.add(_DOCUMENTS, ".jsonl", _line(key, value))
            if value is not None:
                for digest, required in roots(key, value).items():
                    wanted[digest] = wanted.get(digest, False) or required
            progress = replace(progress, documents=progress.documents + 1, key=key)
            tell(progress)
        parts.close()
        progress = replace(progress, step="blobs")
        for found in Walk(store.read_blobs).below(wanted):
            for data in found.values():
                parts.add(_BLOBS, ".bin", len(data).to_bytes(4, "big") + data)
            octets = sum(map(len, found.values()))
            progress = replace(progress, blobs=progress.blobs + len(found), octets=progress.octets + octets)
            tell(progress)
        parts.close()
        key_files = 0
        for name, data in keys():
            parts.write(_KEYS + name, data)
            key_files += 1
        manifest = Manifest(
            FORMAT, program, created, at, progress.documents, progress.blobs, key_files, dict(parts.members)
        )
        parts.write(_MANIFEST, json.dumps(asdict(manifest), indent=1).encode())
    return manifest


def _consistent(store: Store, at: int) -> Iterator[tuple[str, JsonObject | int | None]]:
    """Documents as they are, then what has changed since, until that is nothing; and the revision at which it is so."""
    for document in documents(store):
        yield document.key, document.value
    for _round in range(_ROUNDS):
        changes = store.watch(at, 0)
        if not changes.complete:
            raise StoreError("so much has changed during the backup that the store cannot say what: run it again")
        at = changes.revision
        keys = [key for key in changes.keys if not key.startswith(marker.LOCAL)]
        if not keys:
            yield "", at
            return
        for key in keys:
            document_now = store.get(key)
            yield key, None if document_now is None else document_now.value
    raise StoreError("the store never rests: writers change it faster than it can be read; run the backup again later")


def _line(key: str, value: JsonObject | None) -> bytes:
    text = json.dumps({"key": key, "value": value}, ensure_ascii=False, separators=(",", ":"))
    return text.encode() + b"\n"


class _Parts:
    """Puts pieces into members of some MiB and remembers what each member is."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._pieces: list[bytes] = []
        self._size = 0
        self._name = ""
        self._number = 0
        self.members: dict[str, Member] = {}

    def add(self, folder: str, suffix: str, piece: bytes) -> None:
        """Add *piece* to the member that grows in *folder*."""
        if not self._pieces:
            self._number += 1
            self._name = f"{folder}{self._number:06}{suffix}"
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= _PART:
            self.close()

    def close(self) -> None:
        """Write the member that grows."""
        if self._pieces:
            self.write(self._name, b"".join(self._pieces))
            self._pieces, self._size = [], 0

    def write(self, name: str, data: bytes) -> None:
        """Write a member."""
        info = zipfile.ZipInfo(name, _CREATED)
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o600 << 16
        self._archive.writestr(info, data)
        self.members[name] = Member(len(data), hashlib.sha256(data).hexdigest())


class Archive:
    """A backup that is read. Raises :class:`IntegrityError` for a file that is none, or is cut short."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._name = name
        try:
            self._zip = zipfile.ZipFile(file)
            self.manifest = self._read_manifest()
        except (*_DAMAGED, TypeError, ValueError, AttributeError):
            raise IntegrityError(f"{name} is no backup of arca.dns, or only a part of one") from None
        if self.manifest.format != FORMAT:
            raise IntegrityError(
                f"{name} is a backup of format {self.manifest.format}, this version reads format {FORMAT}: use the"
                f" version of arca.dns that made it ({self.manifest.program})"
            )

    def check(self, tell: Tell = silent) -> frozenset[str]:
        """Read everything and raise :class:`IntegrityError` for what is not as the manifest and the trees say.

        Returns the zones, as texts, that were published signed: a controller needs their keys.
        """
        if sorted(self._zip.namelist()) != sorted([*self.manifest.members, _MANIFEST]):
            raise IntegrityError(f"{self._name} does not hold the members that its manifest names")
        progress = Progress("check")
        need: set[bytes] = set()
        signed: set[str] = set()
        lines = 0
        for key, value in self.documents():
            lines += 1
            if value is not None:
                need.update(bytes.fromhex(digest) for digest, required in roots(key, value).items() if required)
            if key.startswith("published/"):
                if value is not None and value.get("signing") != "unsigned":
                    signed.add(key.removeprefix("published/"))
                else:
                    signed.discard(key.removeprefix("published/"))
            progress = replace(progress, documents=lines)
            tell(progress)
        have: set[bytes] = set()
        for digest, data in self.blobs():
            have.add(bytes.fromhex(digest))
            need.update(map(bytes.fromhex, links(data)))
            progress = replace(progress, blobs=len(have), octets=progress.octets + len(data))
            tell(progress)
        keys = sum(1 for _file in self.key_files())
        counts = (self.manifest.lines, self.manifest.blobs, self.manifest.keys)
        if (lines, len(have), keys) != counts:
            raise IntegrityError(
                f"{self._name} holds {(lines, len(have), keys)} of what its manifest counts as {counts}"
            )
        missing = need - have
        if missing:
            raise MissingBlob(f"{self._name} lacks {len(missing)} blobs, as {min(missing).hex()}")
        return frozenset(signed)

    def documents(self) -> Iterator[tuple[str, JsonObject | None]]:
        """Keys and values in the order in which they are to be applied."""
        for name in self._members(_DOCUMENTS):
            for line in self._read(name).splitlines():
                try:
                    held = json.loads(line)
                    key, value = held["key"], held["value"]
                    if not isinstance(key, str) or not isinstance(value, dict | None):
                        raise TypeError
                except (KeyError, TypeError, ValueError):
                    raise IntegrityError(f"{name} in {self._name} does not parse") from None
                if not key.startswith(marker.LOCAL):
                    yield key, value

    def blobs(self) -> Iterator[tuple[str, bytes]]:
        """Digests and blobs."""
        for name in self._members(_BLOBS):
            data = self._read(name)
            at = 0
            while at < len(data):
                end = at + 4 + int.from_bytes(data[at : at + 4], "big")
                blob = data[at + 4 : end]
                if end > len(data):
                    raise IntegrityError(f"{name} in {self._name} does not parse")
                yield hashlib.sha256(blob).hexdigest(), blob
                at = end

    def key_files(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents of key files: ``head.key`` or ``<zone>/<file>``."""
        for name in self._members(_KEYS):
            inside = name.removeprefix(_KEYS)
            if len(inside.split("/")) > 2 or not all(part.strip(".") for part in inside.split("/")):
                raise IntegrityError(f"{self._name} has a key file of the name {inside!r}")
            yield inside, self._read(name)

    def _members(self, folder: str) -> list[str]:
        return sorted(name for name in self.manifest.members if name.startswith(folder))

    def _read(self, name: str) -> bytes:
        member = self.manifest.members[name]
        try:
            data = self._zip.read(name)
        except (*_DAMAGED, ValueError):
            raise IntegrityError(f"{name} in {self._name} is damaged") from None
        if len(data) != member.size or hashlib.sha256(data).hexdigest() != member.sha256:
            raise IntegrityError(f"{name} in {self._name} does not hash to what the manifest says")
        return data

    def _read_manifest(self) -> Manifest:
        held = json.loads(self._zip.read(_MANIFEST))
        members = {str(name): Member(int(one["size"]), str(one["sha256"])) for name, one in held["members"].items()}
        return Manifest(
            int(held["format"]),
            str(held["program"]),
            str(held["created"]),
            int(held["revision"]),
            int(held["lines"]),
            int(held["blobs"]),
            int(held["keys"]),
            members,
        )
