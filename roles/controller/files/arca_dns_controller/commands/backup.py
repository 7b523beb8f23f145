# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller backup`` and ``restore``: all state in one file, and back."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from arca_dns import __version__
from arca_dns.dnssec.envelope import sync_directory
from arca_dns.dnssec.keystore import safe_name
from arca_dns.documents import head_key, utc
from arca_dns.errors import AlreadyExists, InputError, KeyUnavailable, NotFound
from arca_dns.keyring import PREFIX as KEYS
from arca_dns.moving import archive
from arca_dns.moving.forward import SERIAL_STEP, restore as write_back
from arca_dns.moving.marker import Marker
from arca_dns.publish.head import HeadKey, SignedHead, key_id
from arca_dns.store.base import Store
from arca_dns.zone import names

from ..config import ControllerConfig, read
from ..keys import sealed_keys
from . import keyfiles
from .migrate import JsonOption, opened, teller, where
from .progress import progress
from .shared import DEFAULT_CONFIG, ConfigOption, one_line

_HEAD_KEY = "head.key"


def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not exist.")],
    config: ConfigOption = DEFAULT_CONFIG,
    with_keys: Annotated[
        bool,
        typer.Option("--with-keys", help="Also the DNSSEC keys, which stay sealed, and the head key, which is not."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write everything that the backend holds to one file, as it is at one moment, while controllers run.

    The master key is never in it: without it sealed keys cannot be opened. Keep it elsewhere.
    """
    with one_line():
        settings = read(config)
        if settings.backend.type == "sqlite" and not Path(settings.backend.sqlite.path).exists():
            raise NotFound(f"there is no database at {settings.backend.sqlite.path}")
        with opened(settings) as store, progress(as_json) as say, _new_file(file) as out:
            manifest = archive.backup(
                store,
                out,
                program=f"arca-dns {__version__}",
                created=utc(time.time()),
                keys=_keys_of(settings, store) if with_keys else tuple,
                tell=teller(say),
            )
            digest, size = _digest(out)
    if as_json:
        said = {"file": str(file), "size": size, "sha256": digest, "created": manifest.created}
        typer.echo(json.dumps({**said, "blobs": manifest.blobs, "key_files": manifest.keys}))
        return
    typer.echo(f"wrote {file}: {size} octets, {manifest.blobs} blobs, {manifest.keys} key files; SHA-256 {digest}")
    if not with_keys:
        typer.echo("note: the DNSSEC keys and the head key are not in it: keep them too, or use --with-keys", err=True)
    typer.echo("note: the master key is not in it: without it sealed keys cannot be opened", err=True)


def restore(
    file: Annotated[Path, typer.Argument(help="A file that backup wrote.")],
    config: ConfigOption = DEFAULT_CONFIG,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the file is whole; write nothing.")] = False,
    approve_removal: Annotated[
        bool,
        typer.Option(
            "--approve-removal", help="Let edges drop the zones that the backup does not have, however many these are."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Fill an empty backend from a backup, after checking the whole of it.

    The controller's next head and serials are ahead of all that edges may have got since the backup was made.
    """
    with one_line(), _existing(file) as held:
        with progress(as_json) as say:
            signed = held.check(teller(say))
        manifest = held.manifest
        if check:
            typer.echo(
                f"{file} is whole: made at {manifest.created} by {manifest.program}, {manifest.blobs} blobs,"
                f" {manifest.keys} key files"
            )
            return
        settings = read(config)
        note = Marker("restore", f"the backup of {manifest.created}, revision {manifest.revision}", utc(time.time()))
        with opened(settings) as store, progress(as_json) as say:
            _check_keys(settings, store, held, signed)
            if all(document.key.startswith(KEYS) for document in store.scan("", limit=1)):
                _put_keys(settings, store, held)
            verified = write_back(held, store, note, now=time.time(), approve_removal=approve_removal, tell=teller(say))
            place = where(settings.backend)
            notes = list(_notes(settings, store))
    if as_json:
        said = {"file": str(file), "to": place, "created": manifest.created, "notes": notes}
        typer.echo(json.dumps({**said, "verified": {"documents": verified.documents, "blobs": verified.blobs}}))
        return
    typer.echo(f"restored {verified.documents} documents and {verified.blobs} blobs to {place}, and verified them")
    typer.echo(
        f"the state is that of {manifest.created}; when the controller starts, it publishes every zone again, with"
        f" serials {SERIAL_STEP} ahead and a head that edges take as newer"
    )
    for line in notes:
        typer.echo(f"note: {line}", err=True)


@contextmanager
def _new_file(file: Path) -> Iterator[BinaryIO]:
    """A file that appears as *file*, for its owner alone, once all of it is written."""
    if file.exists():
        raise AlreadyExists(f"{file} exists: a backup replaces nothing")
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        try:
            handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w+b") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            os.link(temporary, file)
            sync_directory(file.absolute().parent)
        finally:
            temporary.unlink(missing_ok=True)
    except FileExistsError:
        raise AlreadyExists(f"{file} exists: a backup replaces nothing") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None


@contextmanager
def _existing(file: Path) -> Iterator[archive.Archive]:
    try:
        with file.open("rb") as opened_file:
            yield archive.Archive(opened_file, str(file))
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}") from None


def _digest(file: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while part := file.read(1 << 20):
        digest.update(part)
        size += len(part)
    return digest.hexdigest(), size


def _keys_of(config: ControllerConfig, store: Store) -> Callable[[], Iterable[tuple[str, bytes]]]:
    def keys() -> Iterator[tuple[str, bytes]]:
        yield from sealed_keys(config, store)
        head = Path(config.publish.head_key_file)
        if head.exists():
            yield _HEAD_KEY, head.read_bytes()

    return keys


def _check_keys(config: ControllerConfig, store: Store, held: archive.Archive, signed: frozenset[str]) -> None:
    """Raise :class:`KeyUnavailable` where the controller would have to make new keys for signed zones."""
    there = {name.split("/")[0] for name, _data in sealed_keys(config, store)}
    master = keyfiles.master_of(config)
    for name, data in held.key_files():
        if name == _HEAD_KEY:
            continue
        if master is None:
            raise KeyUnavailable(f"there is no master key at {config.dnssec.master_key_file}: put it back first")
        keyfiles.check_sealed(name, data, master)
        there.add(name.split("/")[0])
    missing = sorted(zone for zone in signed if safe_name(names.from_text(zone)) not in there)
    if missing:
        raise KeyUnavailable(
            f"neither the backup nor {_place(config)} has the DNSSEC keys of {len(missing)} signed zones, as"
            f" {missing[0]}: put the keys back first; with new ones the zones are bogus while their parents have the"
            " old DS"
        )


def _notes(config: ControllerConfig, store: Store) -> Iterator[str]:
    """What an operator has to do after the restoration."""
    heads, path = store.scan(head_key("")), Path(config.publish.head_key_file)
    if not heads:
        return
    wanted = SignedHead.from_json(heads[0].value["signed"]).key_id
    if not path.exists():
        yield f"put the head key back at {path}: edges trust no other"
    elif key_id(HeadKey.load(path).public) != wanted:
        yield f"the head key at {path} is not the one that edges knew: they must be told of the new one"


def _place(config: ControllerConfig) -> str:
    return "the backend" if config.dnssec.key_store == "backend" else config.dnssec.key_directory


def _put_keys(config: ControllerConfig, store: Store, held: archive.Archive) -> None:
    for name, data in held.key_files():
        if name == _HEAD_KEY:
            keyfiles.put(Path(config.publish.head_key_file), data)
    keyfiles.put_keys(config, store, ((name, data) for name, data in held.key_files() if name != _HEAD_KEY))
