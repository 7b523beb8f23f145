# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Where private keys are kept: one sealed JSON file per key in a folder per zone, or memory for tests.

Several threads and processes may use one directory. A file appears complete or not at all, and the first keys of a
zone appear together.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeAlias

from ..errors import AlreadyExists, KeyUnavailable, NotFound
from ..zone import names
from .envelope import Envelope, MasterKey, sync_directory
from .keys import ROLES, KeyPair, KeyRecord
from .sealed import read_sealed, sealed_json

_MAX_NAME = 200
#: Zones whose keys are kept open.
_OPEN_ZONES = 1000
_Stamp: TypeAlias = "frozenset[tuple[str, int, int]]"
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789-_.")


class KeyStore(Protocol):
    """Private keys by zone. Safe to call from any thread."""

    def load(self, zone: bytes) -> list[KeyPair]:
        """The keys of *zone*, by role and tag; empty if it has none. Raises :class:`KeyUnavailable`."""

    def add(self, pairs: Sequence[KeyPair], *, first: bool = False) -> None:
        """Keep *pairs* of one zone durably. Raises :class:`AlreadyExists` if the zone has a key with such a tag.

        With *first*, also if it has any key at all; then all of *pairs* appear at once or none does.
        """

    def remove(self, zone: bytes, tag: int) -> None:
        """Forget a key. Raises :class:`NotFound`."""

    def zones(self) -> list[bytes]:
        """The zones that have keys, in canonical order."""

    def ready(self) -> None:
        """Raise :class:`KeyUnavailable` if keys cannot be read; cheap."""


class MemoryKeyStore:
    """Keys that live as long as the process does."""

    def __init__(self) -> None:
        self._keys: dict[bytes, dict[int, KeyPair]] = {}
        self._lock = Lock()

    def load(self, zone: bytes) -> list[KeyPair]:
        """See :class:`KeyStore`."""
        with self._lock:
            return ordered(self._keys.get(zone, {}).values())

    def add(self, pairs: Sequence[KeyPair], *, first: bool = False) -> None:
        """See :class:`KeyStore`."""
        zone = zone_of(pairs)
        with self._lock:
            held = self._keys.setdefault(zone, {})
            if first and held:
                raise AlreadyExists(f"{names.to_text(zone)} has keys already")
            for pair in pairs:
                if pair.record.tag in held:
                    raise tag_exists(pair.record)
            held.update((pair.record.tag, pair) for pair in pairs)

    def remove(self, zone: bytes, tag: int) -> None:
        """See :class:`KeyStore`."""
        with self._lock:
            if self._keys.get(zone, {}).pop(tag, None) is None:
                raise no_key(zone, tag)

    def zones(self) -> list[bytes]:
        """See :class:`KeyStore`."""
        with self._lock:
            return sorted((zone for zone, held in self._keys.items() if held), key=names.sort_key)

    def ready(self) -> None:
        """See :class:`KeyStore`."""


class DirectoryKeyStore:
    """Keys in files ``<zone>/K<zone>+<algorithm>+<tag>.json`` (0600, folders 0700), sealed under *master*.

    Those of the zones that were asked for lately are kept open, as long as their files stay what they were.
    """

    def __init__(self, path: Path, master: MasterKey) -> None:
        self._path = path
        self._master = master
        self._open: OrderedDict[bytes, tuple[_Stamp, list[KeyPair]]] = OrderedDict()
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<DirectoryKeyStore {self._path}>"

    def ready(self) -> None:
        """See :class:`KeyStore`. A folder that is missing is made with the first key."""
        with self._told("read from"), suppress(FileNotFoundError), os.scandir(self._path):
            return

    def load(self, zone: bytes) -> list[KeyPair]:
        """See :class:`KeyStore`."""
        stamp = self._stamp(zone)
        with self._lock:
            found = self._open.get(zone)
            if found is not None and found[0] == stamp:
                self._open.move_to_end(zone)
                return list(found[1])
        pairs = ordered([self._read(file, zone) for file in self._files(zone)])
        with self._lock:
            if pairs:
                self._open[zone] = (stamp, pairs)
            while len(self._open) > _OPEN_ZONES:
                self._open.popitem(last=False)
        return list(pairs)

    def add(self, pairs: Sequence[KeyPair], *, first: bool = False) -> None:
        """See :class:`KeyStore`."""
        zone = zone_of(pairs)
        with self._told("written to"):
            if not self._add_first(zone, pairs):
                self._add_more(zone, pairs, first)

    def remove(self, zone: bytes, tag: int) -> None:
        """See :class:`KeyStore`."""
        for file in self._files(zone):
            if int(file.stem.rsplit("+", 1)[1]) == tag:
                with self._told("removed from"):
                    file.unlink(missing_ok=True)
                    sync_directory(file.parent)
                return
        raise no_key(zone, tag)

    def zones(self) -> list[bytes]:
        """See :class:`KeyStore`."""
        found: set[bytes] = set()
        for folder in self._list(self._path):
            file = next(iter(_key_files(self._list(folder))), None) if not folder.name.startswith(".") else None
            if file is not None:
                found.add(_parse(file)[0].zone)
        return sorted(found, key=names.sort_key)

    # -- files ------------------------------------------------------------------------------

    def _folder(self, zone: bytes) -> Path:
        return self._path / safe_name(zone)

    def _file(self, folder: Path, record: KeyRecord) -> Path:
        return folder / f"K{safe_name(record.zone)}+{record.algorithm:03d}+{record.tag:05d}.json"

    def _files(self, zone: bytes) -> list[Path]:
        return _key_files(self._list(self._folder(zone)))

    def _stamp(self, zone: bytes) -> _Stamp:
        """What changes with the zone's key files, which are never written to: which of them there are."""
        try:
            with os.scandir(self._folder(zone)) as entries:
                return frozenset((entry.name, entry.inode(), entry.stat().st_mtime_ns) for entry in entries)
        except OSError:
            return frozenset()

    def _list(self, folder: Path) -> list[Path]:
        try:
            return sorted(folder.iterdir())
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise KeyUnavailable(f"the key folder {folder} cannot be read: {error.strerror}") from None

    def _read(self, file: Path, zone: bytes) -> KeyPair:
        record, envelope = _parse(file)
        if record.zone != zone:
            raise KeyUnavailable(f"{file} holds a key of {names.to_text(record.zone)}")
        return self._master.open(record, envelope)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise KeyUnavailable(f"keys cannot be {what} {self._path}: {error.strerror}") from None

    def _add_first(self, zone: bytes, pairs: Sequence[KeyPair]) -> bool:
        """Put a whole folder in place, which works only where there is none with keys in it."""
        self._path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._files(zone):
            return False
        staging = self._path / f".new-{secrets.token_hex(8)}"
        staging.mkdir(mode=0o700)
        try:
            for pair in pairs:
                self._write(self._file(staging, pair.record), pair)
            sync_directory(staging)
            try:
                os.rename(staging, self._folder(zone))
            except OSError:
                if self._files(zone):
                    return False
                raise
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        sync_directory(self._path)
        return True

    def _add_more(self, zone: bytes, pairs: Sequence[KeyPair], first: bool) -> None:
        if first:
            raise AlreadyExists(f"{names.to_text(zone)} has keys already")
        folder = self._folder(zone)
        held = {int(file.stem.rsplit("+", 1)[1]) for file in self._files(zone)}
        for pair in pairs:
            if pair.record.tag in held:
                raise tag_exists(pair.record)
        for pair in pairs:
            final = self._file(folder, pair.record)
            temporary = folder / f".{secrets.token_hex(8)}"
            try:
                self._write(temporary, pair)
                os.link(temporary, final)
            except FileExistsError:
                raise tag_exists(pair.record) from None
            finally:
                temporary.unlink(missing_ok=True)
        sync_directory(folder)

    def _write(self, file: Path, pair: KeyPair) -> None:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(sealed_json(pair, self._master), out, indent=2)
            out.write("\n")
            out.flush()
            os.fsync(out.fileno())


def safe_name(zone: bytes) -> str:
    """*zone* as a file name: letters, digits and ``-_.`` stay, other octets are ``%XX``; a hash if that is too long."""
    text = names.to_text(zone).encode("ascii")
    out = "".join(chr(c) if c in _PLAIN and not (i == 0 and c == 0x2E) else f"%{c:02X}" for i, c in enumerate(text))
    return out if len(out) <= _MAX_NAME else f"%hash-{hashlib.sha256(zone).hexdigest()}"


def _key_files(entries: Iterable[Path]) -> list[Path]:
    return [entry for entry in entries if entry.name.startswith("K") and entry.name.endswith(".json")]


def _parse(file: Path) -> tuple[KeyRecord, Envelope]:
    """A key file's record and sealed private key. Raises :class:`KeyUnavailable`."""
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise KeyUnavailable(f"the key file {file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise KeyUnavailable(f"the key file {file} is damaged: {error}") from None
    return read_sealed(value, f"the key file {file}")


def zone_of(pairs: Sequence[KeyPair]) -> bytes:
    """The one zone that *pairs* are of. Raises :class:`AlreadyExists` if two have the same tag."""
    zones = {pair.record.zone for pair in pairs}
    if len(zones) != 1:
        raise ValueError("keys are added for one zone at a time")
    if len({pair.record.tag for pair in pairs}) != len(pairs):
        raise AlreadyExists("two of the new keys have the same tag")
    return zones.pop()


def ordered(pairs: Iterable[KeyPair]) -> list[KeyPair]:
    """*pairs* by role, algorithm and tag."""
    return sorted(pairs, key=lambda pair: (ROLES.index(pair.record.role), pair.record.algorithm, pair.record.tag))


def tag_exists(record: KeyRecord) -> AlreadyExists:
    """The error for a tag that the zone has already."""
    return AlreadyExists(f"{names.to_text(record.zone)} has a key with tag {record.tag} already")


def no_key(zone: bytes, tag: int) -> NotFound:
    """The error for a tag that the zone does not have."""
    return NotFound(f"{names.to_text(zone)} has no key with tag {tag}")
