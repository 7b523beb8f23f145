# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller db``: the schema of the database that zones are kept in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.errors import NotFound
from arca_dns.store.open import open_dialect
from arca_dns.store.sql.dialects import Dialect
from arca_dns.store.sql.upgrade import read_schema, upgrade_schema

from ..config import Backend, read
from .shared import DEFAULT_CONFIG, ConfigOption, one_line

app = typer.Typer(help="The schema of the database (sqlite, postgres, mysql).", no_args_is_help=True)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def current(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Show the schema revision of the database, and the newest that this version knows. Changes nothing."""
    with one_line(), _database(read(config).backend) as (backend, dialect):
        schema = read_schema(dialect)
    if as_json:
        typer.echo(json.dumps({"backend": backend, "current": schema.current, "newest": schema.newest}))
        return
    if schema.current == schema.newest:
        says = "which is the newest"
    elif schema.known:
        says = f"and the newest is {schema.newest}: db upgrade brings it there"
    else:
        says = f"which a newer version of arca.dns has made; this one knows up to {schema.newest}"
    typer.echo(f"{backend}: the schema is {schema.current or 'empty'}, {says}")


@app.command()
def upgrade(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Apply the schema changes that are missing, and print them. The controller does the same when it starts."""
    with one_line(), _database(read(config).backend) as (backend, dialect):
        applied = upgrade_schema(dialect)
    if as_json:
        typer.echo(json.dumps({"backend": backend, "changed": bool(applied), "applied": applied}))
    else:
        typer.echo(f"{backend}: " + (f"applied {', '.join(applied)}" if applied else "nothing to apply"))


@contextmanager
def _database(backend: Backend) -> Iterator[tuple[str, Dialect]]:
    # Opening a SQLite file makes it, for whoever runs this command: the controller may be somebody else.
    if backend.type == "sqlite" and not Path(backend.sqlite.path).exists():
        raise NotFound(f"there is no database at {backend.sqlite.path} yet: arca-dns-controller init makes it")
    dialect = open_dialect(backend.type, backend.options())
    try:
        yield backend.type, dialect
    finally:
        dialect.engine.dispose()
