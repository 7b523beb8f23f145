# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller token``: API keys that the store holds, without the API: the first one, and in need."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.access.api_keys import ApiKey, ApiKeys
from arca_dns.access.roles import ROLES
from arca_dns.store.open import open_store

from ..config import read
from .shared import DEFAULT_CONFIG, ConfigOption, fail, one_line

app = typer.Typer(help="API keys that the store holds: create, list, rotate, revoke.", no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ACTOR = "arca-dns-controller token"


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what holds it.")],
    role: Annotated[str, typer.Option(help=f"{', '.join(ROLES)}.")],
    zone: Annotated[list[str] | None, typer.Option(help="As example.com or *.example.com; several times.")] = None,
    owner: Annotated[list[str] | None, typer.Option("--name", help="As www or *.dyn; several times.")] = None,
    record_type: Annotated[list[str] | None, typer.Option("--type", help="As A or TXT; several times.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Valid for so long; else for ever.")] = None,
    file: Annotated[
        Path | None, typer.Option(help="Write it to this new file, which only its owner can read, and print nothing.")
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it: it is not to be had again."""
    limits = {"zones": zone or [], "names": owner or [], "types": record_type or []}
    expires = None if days is None else (datetime.now(UTC) + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = {kind: values for kind, values in limits.items() if values}
    with one_line(), _keys(config) as keys:
        if file is None:
            _made(*keys.create(name, role, actor=_ACTOR, limits=limits, expires=expires), as_json)
        else:
            _written(file, lambda: keys.create(name, role, actor=_ACTOR, limits=limits, expires=expires)[1])


@app.command("list")
def list_keys(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the keys, without their secrets."""
    with one_line(), _keys(config) as keys:
        found = keys.all()
    if as_json:
        typer.echo(json.dumps([{**key.to_json(), "last_used": used} for key, used in found]))
        return
    for key, used in found:
        limits = " ".join(f"{kind}={','.join(values)}" for kind, values in key.limits.items())
        typer.echo(
            f"{key.id}  {key.role:<6}  {key.name}  created {key.created} by {key.created_by}"
            f"  last used {used or 'never'}"
            + (f"  expires {key.expires}" if key.expires else "")
            + (f"  {limits}" if limits else "")
        )


@app.command()
def rotate(
    key: Annotated[str, typer.Argument(help="The id of the key.")],
    grace: Annotated[int, typer.Option(min=0, max=2592000, help="Seconds for which the old secret stays valid.")] = 0,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Give a key a new secret and print it."""
    with one_line(), _keys(config) as keys:
        made, secret = keys.rotate(key, actor=_ACTOR, grace=grace)
    _made(made, secret, as_json)


@app.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The id of the key.")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Revoke a key: running controllers know it for two seconds more at most."""
    with one_line(), _keys(config) as keys:
        gone = keys.revoke(key, actor=_ACTOR)
    typer.echo(f"revoked {gone.id} ({gone.name})")


@contextmanager
def _keys(config: Path) -> Iterator[ApiKeys]:
    settings = read(config)
    if settings.backend.type == "memory":
        raise fail("the backend is memory: keys that this command makes would be gone with it")
    store = open_store(settings.backend.type, settings.backend.options())
    try:
        yield ApiKeys(store, time.time)
    finally:
        store.close()


def _written(file: Path, make: Callable[[], str]) -> None:
    """Put what *make* gives into a new *file*; a file that is there stays as it is, and then nothing is made."""
    try:
        target = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise fail(f"{file} cannot be made: {error.strerror}") from None
    try:
        with open(target, "w", encoding="ascii") as out:
            out.write(f"{make()}\n")
            out.flush()
            os.fsync(out.fileno())
    except BaseException:
        file.unlink()
        raise


def _made(key: ApiKey, secret: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**key.to_json(), "key": secret}))
    else:
        typer.echo(secret)
        typer.echo(f"id {key.id}, role {key.role}; it is not shown again", err=True)
