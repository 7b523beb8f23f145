# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Where DNSSEC keys are: a folder of sealed files or the backend; and what several controllers must have in common."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from arca_dns.dnssec.envelope import MasterKey, sync_directory
from arca_dns.dnssec.keystore import DirectoryKeyStore, KeyStore, safe_name
from arca_dns.errors import KeyUnavailable
from arca_dns.keyring import BackendKeyStore, Keyring, all_sealed
from arca_dns.publish.head import HeadKey
from arca_dns.store.base import JsonObject, Store
from arca_dns.zone import names

from .config import ControllerConfig

_ID_FILE = ".id"


def master_key(config: ControllerConfig, environ: Mapping[str, str] | None = None) -> MasterKey:
    """The master key of *config*. Raises :class:`KeyUnavailable`."""
    return MasterKey.obtain(os.environ if environ is None else environ, Path(config.dnssec.master_key_file))


def open_keystore(config: ControllerConfig, store: Store, master: MasterKey) -> KeyStore:
    """Where *config* keeps the keys of zones."""
    if config.dnssec.key_store == "backend":
        return BackendKeyStore(store, master)
    return DirectoryKeyStore(Path(config.dnssec.key_directory), master)


def keyring_of(config: ControllerConfig, master: MasterKey, head: HeadKey) -> Keyring:
    """What a controller with *config* works with."""
    backend = config.dnssec.key_store == "backend"
    directory = "" if backend else directory_id(Path(config.dnssec.key_directory))
    return Keyring(config.dnssec.key_store, directory, master.id, head.public_text())


def directory_id(folder: Path) -> str:
    """What tells a key directory from every other; made where it is missing. Raises :class:`KeyUnavailable`."""
    file = folder / _ID_FILE
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not file.exists():
            temporary = folder / f".{secrets.token_hex(8)}"
            temporary.write_text(secrets.token_hex(8) + "\n", encoding="ascii")
            try:
                os.link(temporary, file)
            except FileExistsError:
                pass  # another controller has just made it
            finally:
                temporary.unlink()
            sync_directory(folder)
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyUnavailable(f"the key directory {folder} cannot be used: {error}") from None


def sealed_keys(config: ControllerConfig, store: Store) -> Iterator[tuple[str, bytes]]:
    """``<zone>/<file>`` and content of every key of *config*, as a key directory has them."""
    if config.dnssec.key_store == "directory":
        yield from key_files(Path(config.dnssec.key_directory))
        return
    for zone, sealed in all_sealed(store):
        folder = safe_name(zone)
        for one in sealed:
            name = f"K{folder}+{cast(int, one['algorithm']):03d}+{cast(int, one['tag']):05d}.json"
            yield f"{folder}/{name}", (json.dumps(one, indent=2) + "\n").encode()


def key_files(folder: Path) -> Iterator[tuple[str, bytes]]:
    """``<zone>/<file>`` and content of the sealed keys in a key directory. Raises :class:`KeyUnavailable`."""
    try:
        if not folder.is_dir():
            return
        for zone in sorted(folder.iterdir()):
            if zone.name.startswith(".") or not zone.is_dir():
                continue
            for file in sorted(zone.iterdir()):
                if file.name.startswith("K") and file.name.endswith(".json"):
                    yield f"{zone.name}/{file.name}", file.read_bytes()
    except OSError as error:
        raise KeyUnavailable(f"the key directory {folder} cannot be read: {error.strerror}") from None


def parsed(name: str, data: bytes) -> tuple[bytes, JsonObject]:
    """The zone and the JSON of the key file *name*. Raises :class:`KeyUnavailable`."""
    try:
        value: JsonObject = json.loads(data)
        return names.from_text(str(value["zone"])), value
    except (KeyError, TypeError, ValueError):
        raise KeyUnavailable(f"the key file {name} is damaged") from None
