# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From paths and a master key to a client in process: store, keys and service put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._deps import require
from ..dnssec.envelope import ENVIRONMENT, MasterKey
from ..dnssec.keystore import DirectoryKeyStore, KeyStore, MemoryKeyStore
from ..errors import KeyUnavailable
from ..moving.marker import refuse_unfinished
from ..publish.head import HeadKey
from ..service import Service
from ..store.memory import MemoryStore
from ..store.open import open_store
from .local import LocalClient


@dataclass(frozen=True, slots=True)
class LocalFiles:
    """The files of a local store."""

    database: Path
    keys: Path
    head_key: Path
    master_key: Path

    @classmethod
    def beside(
        cls,
        database: Path,
        *,
        keys: str | None = None,
        head_key: str | None = None,
        master_key: str | None = None,
    ) -> LocalFiles:
        """The given paths; those that are not given lie beside *database*."""
        folder = database.absolute().parent
        return cls(
            database,
            Path(keys or folder / "keys"),
            Path(head_key or folder / "head.key"),
            Path(master_key or folder / "master.key"),
        )


def open_local(
    backend: str, files: LocalFiles, *, actor: str, master_key: str | None = None, read_only: bool = False
) -> LocalClient:
    """A client on the store that *files* name; what is missing is made, unless *read_only*: then it is imagined.

    *master_key* is base64 and goes before the file. Raises ``MissingDependency``, ``ConfigError``,
    ``StoreUnavailable``, ``KeyUnavailable``, and ``StoreError`` for a store that is half filled.
    """
    require("alembic", "cryptography", "dns", "sqlalchemy")
    if read_only and not files.database.exists():
        return LocalClient(Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate()), actor=actor)
    keys = _keys(files, master_key, read_only)
    head_key = _head_key(files.head_key, read_only)
    store = open_store(backend, {"path": str(files.database)})
    try:
        refuse_unfinished(store)
        return LocalClient(Service(store, keys, head_key), actor=actor)
    except BaseException:
        store.close()
        raise


def _keys(files: LocalFiles, master_key: str | None, read_only: bool) -> KeyStore:
    environ: Mapping[str, str] = {ENVIRONMENT: master_key} if master_key else {}
    if read_only and not environ and not files.master_key.exists():
        return MemoryKeyStore()
    return DirectoryKeyStore(files.keys, MasterKey.obtain(environ, files.master_key, create=not read_only))


def _head_key(path: Path, read_only: bool) -> HeadKey:
    if read_only and not path.exists():
        return HeadKey.generate()
    try:
        return HeadKey.load_or_create(path)
    except OSError as error:
        raise KeyUnavailable(f"the head key cannot be written to {path}: {error.strerror}") from None
