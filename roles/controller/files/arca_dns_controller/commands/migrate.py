# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller migrate``: everything that one backend holds, into another."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.documents import utc
from arca_dns.errors import ConfigError, NotFound
from arca_dns.moving import copy, marker
from arca_dns.store.base import Store
from arca_dns.store.open import open_store

from ..config import Backend, ControllerConfig, read
from .keyfiles import Keys
from .progress import Say, progress
from .shared import fail, one_line

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
#: Options of a backend that say where the state is, and not who asks for it or how.
_WHERE = ("path", "branch", "host", "port", "socket", "database", "endpoints", "prefix")


def migrate(
    to: Annotated[Path, typer.Option("--to", help="The configuration with the backend to copy to: an empty one.")],
    from_: Annotated[
        Path | None, typer.Option("--from", help="The configuration with the backend to copy from.")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Remove what a run that did not end has left in the backend of --to.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy all zones, history, keys and settings from one backend to another, and verify them.

    What is broken off goes on when the same command is run again; until it has ended no controller starts on the
    target. It ends only if nothing changed in the source meanwhile: stop the controllers first.
    """
    with one_line():
        target_config = read(to)
        if undo:
            if from_ is not None:
                raise fail("--undo takes no --from")
            with opened(target_config) as target:
                removed = marker.undo(target)
            typer.echo(f"removed {removed} documents from {where(target_config.backend)}")
            return
        if from_ is None:
            raise fail("--from is missing: the configuration with the backend to copy from")
        source_config = read(from_)
        source_name, target_name = where(source_config.backend), where(target_config.backend)
        _differ(source_name, target_name)
        if source_config.backend.type == "sqlite" and not Path(source_config.backend.sqlite.path).exists():
            raise NotFound(f"there is no database at {source_config.backend.sqlite.path}")
        keys = Keys(source_config, target_config)
        note = marker.Marker("migrate", source_name, utc(time.time()))
        with opened(source_config) as source, opened(target_config) as target, progress(as_json) as say:
            keys.check(source)
            # Keys before the last of the state: a controller that may start must have them.
            copied_keys = keys.copy(source, target)
            copied = copy.migrate(source, target, note, teller(say))
            copied_keys += keys.copy(source, target)
    if as_json:
        typer.echo(
            json.dumps(
                {
                    "from": source_name,
                    "to": target_name,
                    "resumed": copied.resumed,
                    "copied": {
                        "documents": copied.copied_documents,
                        "blobs": copied.copied_blobs,
                        "keys": copied_keys,
                    },
                    "verified": {"documents": copied.documents, "blobs": copied.blobs},
                    "notes": list(keys.warnings()),
                }
            )
        )
        return
    typer.echo(
        f"{'resumed: ' if copied.resumed else ''}copied {copied.copied_documents} documents,"
        f" {copied.copied_blobs} blobs and {copied_keys} keys from {source_name} to {target_name}"
    )
    typer.echo(f"verified {copied.documents} documents and {copied.blobs} blobs in {target_name}")
    for warning in keys.warnings():
        typer.echo(f"note: {warning}", err=True)


@contextmanager
def opened(config: ControllerConfig) -> Iterator[Store]:
    """The store of *config*, half filled or not; closed at the end."""
    if config.backend.type == "memory":
        raise ConfigError("the backend memory ends with its process: there is nothing to move")
    store = open_store(config.backend.type, config.backend.options())
    try:
        yield store
    finally:
        store.close()


def where(backend: Backend) -> str:
    """A backend's kind and place, without names of people and secrets."""
    options = backend.options()
    parts = [f"{name}={_text(options[name])}" for name in _WHERE if name in options]
    return " ".join((backend.type, *parts))


def teller(say: Say) -> copy.Tell:
    """Puts the progress of copying and verifying into words."""
    words = {"copy": "copying", "follow": "copying what has changed meanwhile", "verify": "verifying"}
    words |= {"documents": "reading documents", "blobs": "reading blobs", "check": "checking", "restore": "writing"}

    def tell(at: copy.Progress) -> None:
        say(
            f"{words.get(at.step, at.step)}: {at.documents} documents, {at.blobs} blobs, {at.octets >> 20} MiB",
            None,
            None,
        )

    return tell


def _text(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _differ(source: str, target: str) -> None:
    if source == target:
        raise ConfigError(f"both configurations name the same backend: {source}")
