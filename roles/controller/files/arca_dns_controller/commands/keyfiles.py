# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Files of keys that move beside a store's state: the folder of sealed DNSSEC keys and the head key.

The master key never moves: an operator carries it by the way that secrets go.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from arca_dns.dnssec.envelope import ENVIRONMENT, MasterKey, sync_directory
from arca_dns.errors import AlreadyExists, KeyUnavailable
from arca_dns.publish.head import HeadKey

from ..config import ControllerConfig


class Keys:
    """The key files of two configurations."""

    def __init__(self, source: ControllerConfig, target: ControllerConfig) -> None:
        self.source, self.target = Path(source.dnssec.key_directory), Path(target.dnssec.key_directory)
        self._source, self._target = source, target

    def check(self) -> None:
        """Raise :class:`KeyUnavailable` if the target's master key cannot open the source's keys."""
        master: MasterKey | None = None
        for name, data in key_files(self.source):
            master = master or _master(self._target)
            check_sealed(name, data, master)

    def warnings(self) -> Iterator[str]:
        """What an operator has to do about keys after the move."""
        source, target = (Path(config.publish.head_key_file) for config in (self._source, self._target))
        if source == target or not source.exists():
            return
        if not target.exists():
            yield f"copy the head key {source} to {target}: edges trust no other"
        elif HeadKey.load(source).public != HeadKey.load(target).public:
            yield f"the head keys {source} and {target} differ: edges must be told of the new one"


def copy_keys(keys: Keys) -> int:
    """Copy the key files that the target's folder lacks; returns how many."""
    if keys.source == keys.target:
        return 0
    return sum(put(keys.target / name, data) for name, data in key_files(keys.source))


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


def check_sealed(name: str, data: bytes, master: MasterKey) -> None:
    """Raise :class:`KeyUnavailable` if the key file *name* is sealed under another master key."""
    try:
        sealed = json.loads(data)["private"]["master"]
    except (KeyError, TypeError, ValueError):
        raise KeyUnavailable(f"the key file {name} is damaged") from None
    if sealed != master.id:
        raise KeyUnavailable(
            f"the key {name} is sealed under master key {sealed}, and the target's master key is {master.id}:"
            " give the target the master key of the source"
        )


def _master(config: ControllerConfig) -> MasterKey:
    return MasterKey.obtain(os.environ, Path(config.dnssec.master_key_file))


def master_of(config: ControllerConfig) -> MasterKey | None:
    """The master key of *config*, or ``None`` where there is none yet. Raises :class:`KeyUnavailable`."""
    if not os.environ.get(ENVIRONMENT) and not Path(config.dnssec.master_key_file).exists():
        return None
    return _master(config)


def put(file: Path, data: bytes) -> bool:
    """Write a key file (0600, its folders 0700) that appears whole or not at all; false if it is there already.

    Raises :class:`AlreadyExists` for one that is there with other content, :class:`KeyUnavailable` where it cannot be
    written.
    """
    try:
        if file.exists():
            if file.read_bytes() == data:
                return False
            raise AlreadyExists(f"the key file {file} exists and is another: move it away first")
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = file.with_name(f".{secrets.token_hex(8)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            os.rename(temporary, file)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(file.parent)
        sync_directory(file.parent.parent)
    except OSError as error:
        raise KeyUnavailable(f"the key file {file} cannot be written: {error.strerror}") from None
    return True
