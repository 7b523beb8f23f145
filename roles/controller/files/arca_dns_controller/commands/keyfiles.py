# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keys that move beside a store's state: the sealed DNSSEC keys, wherever they are, and the head key.

The master key never moves: an operator carries it by the way that secrets go.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

from arca_dns.dnssec.envelope import ENVIRONMENT, MasterKey, sync_directory
from arca_dns.errors import AlreadyExists, KeyUnavailable
from arca_dns.keyring import put_sealed
from arca_dns.publish.head import HeadKey
from arca_dns.store.base import Store

from ..config import ControllerConfig
from ..keys import master_key, parsed, sealed_keys


class Keys:
    """The keys of two configurations."""

    def __init__(self, source: ControllerConfig, target: ControllerConfig) -> None:
        self._source, self._target = source, target

    def check(self, source: Store) -> None:
        """Raise :class:`KeyUnavailable` if the target's master key cannot open the source's keys."""
        master: MasterKey | None = None
        for name, data in sealed_keys(self._source, source):
            master = master or master_key(self._target)
            check_sealed(name, data, master)

    def copy(self, source: Store, target: Store) -> int:
        """Copy the keys that the target lacks, sealed as they are; returns how many."""
        ours, theirs = self._source.dnssec, self._target.dnssec
        if ours.key_store == theirs.key_store == "directory" and ours.key_directory == theirs.key_directory:
            return 0
        return put_keys(self._target, target, sealed_keys(self._source, source))

    def warnings(self) -> Iterator[str]:
        """What an operator has to do about keys after the move."""
        source, target = (Path(config.publish.head_key_file) for config in (self._source, self._target))
        if source == target or not source.exists():
            return
        if not target.exists():
            yield f"copy the head key {source} to {target}: edges trust no other"
        elif HeadKey.load(source).public != HeadKey.load(target).public:
            yield f"the head keys {source} and {target} differ: edges must be told of the new one"


def put_keys(config: ControllerConfig, store: Store, keys: Iterable[tuple[str, bytes]]) -> int:
    """Put sealed *keys*, as files of a key directory, where *config* keeps them; returns how many were not there."""
    if config.dnssec.key_store == "directory":
        return sum(put(Path(config.dnssec.key_directory) / name, data) for name, data in keys)
    added = 0
    for _folder, group in groupby(keys, key=lambda item: item[0].split("/")[0]):
        sealed = [parsed(name, data) for name, data in group]
        added += put_sealed(store, sealed[0][0], [value for _zone, value in sealed])
    return added


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


def master_of(config: ControllerConfig) -> MasterKey | None:
    """The master key of *config*, or ``None`` where there is none yet. Raises :class:`KeyUnavailable`."""
    if not os.environ.get(ENVIRONMENT) and not Path(config.dnssec.master_key_file).exists():
        return None
    return master_key(config)


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
