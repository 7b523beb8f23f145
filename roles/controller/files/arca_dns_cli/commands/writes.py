# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns plan and bulk: a file against the server, and many zones at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.client import answers
from arca_dns.client.base import Write, ZoneContent
from arca_dns.errors import ConfigError
from arca_dns.store.base import JsonObject

from .. import output
from ..session import AsJson, DryRun, Force, Reason, session, version_or_none
from . import files

#: What plan --exit-code ends with where something would change.
CHANGES = 10


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("plan", epilog="Example: arca-dns plan example.com.zone --exit-code")(plan)
    app.command("bulk", epilog="Example: arca-dns bulk operations.json --dry-run")(bulk)


def plan(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="A zone file; - is standard input.")],
    zone: Annotated[
        str | None, typer.Option("--zone", help="The zone; else $ORIGIN or the file's name says it.")
    ] = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 10 where something would change.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what importing a zone file would do; nothing is written."""
    client = session(ctx).client()
    text = files.read(file)
    name = zone or files.zone_of(file, text)
    version = version_or_none(client, name)
    write = Write(version, dry_run=True)
    if version is None:
        found = client.create_zone(name, ZoneContent(text), write)
    else:
        found = client.replace_zone(name, ZoneContent(text), write)
    output.outcome(found, as_json, name)
    if exit_code and found.changed:
        raise typer.Exit(CHANGES)


def bulk(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help='JSON: {"operations": [...]} as the API takes it; - is standard input.')],
    reason: Reason = "",
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Do operations on as many zones: all of them or nothing."""
    try:
        body = json.loads(files.read(file))
    except ValueError as error:
        raise ConfigError(f"{file} is not JSON: {error}") from None
    if isinstance(body, list):
        body = {"operations": body}
    if not isinstance(body, dict):
        raise ConfigError(f"{file} holds no operations: it is a list of them, or an object with `operations`")
    query = {"dry_run": "true"} if dry_run else {}
    query |= {"force": "true"} if force else {}
    query |= {"reason": reason} if reason else {}
    answer: JsonObject = session(ctx).controller().call("POST", "/bulk", query, body)
    if as_json:
        output.as_json(answer)
        return
    for item in map(answers.mapping, answers.items(answer.get("outcomes"))):
        zone = str(item.get("zone"))
        output.outcome(answers.outcome_of(item, zone), False, zone)
