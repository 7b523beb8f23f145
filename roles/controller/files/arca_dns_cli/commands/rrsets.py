# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns rrsets: list, get, set, delete."""

from __future__ import annotations

from typing import Annotated

import typer

from arca_dns.client.base import RecordSet, Write, absolute
from arca_dns.errors import NotFound

from .. import output
from ..session import AsJson, DryRun, Force, IfVersion, Reason, Zone, session, written

app = typer.Typer(help="Single RRsets.", no_args_is_help=True, rich_markup_mode=None)
Owner = Annotated[str, typer.Argument(help="@, relative to the zone, or absolute with a final dot.")]
Type = Annotated[str, typer.Argument(metavar="TYPE", help="Such as A, MX or TXT.")]


@app.command("list", epilog="Example: arca-dns rrsets list example.com --type MX")
def list_sets(
    ctx: typer.Context,
    zone: Zone,
    name: Annotated[str | None, typer.Option("--name", help="Only this owner.")] = None,
    rdtype: Annotated[str | None, typer.Option("--type", help="Only this type.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the RRsets of a zone."""
    found = _matching(session(ctx).client().record_sets(zone), zone, name, rdtype)
    _print(found, as_json)


@app.command("get", epilog="Example: arca-dns rrsets get example.com www A")
def get(ctx: typer.Context, zone: Zone, owner: Owner, rdtype: Type, as_json: AsJson = False) -> None:
    """Show one RRset; exit 4 where there is none."""
    found = _matching(session(ctx).client().record_sets(zone), zone, owner, rdtype)
    if not found:
        raise NotFound(f"zone {zone} has no {rdtype.upper()} at {absolute(owner, zone)}")
    _print(found, as_json)


@app.command("set", epilog="Example: arca-dns rrsets set example.com www A 192.0.2.1 192.0.2.2 --ttl 300")
def put(
    ctx: typer.Context,
    zone: Zone,
    owner: Owner,
    rdtype: Type,
    values: Annotated[list[str], typer.Argument(help="Zone-file form; quote what has spaces.")],
    ttl: Annotated[int | None, typer.Option("--ttl", help="Seconds; else the TTL that it has, or 3600.")] = None,
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make these values the whole of an RRset."""
    client = session(ctx).client()
    written(
        zone,
        lambda write: client.put_record_set(zone, owner, rdtype, values, ttl, write),
        Write(if_version, reason, dry_run, force),
        json=as_json,
    )


@app.command("delete", epilog="Example: arca-dns rrsets delete example.com www AAAA")
def delete(
    ctx: typer.Context,
    zone: Zone,
    owner: Owner,
    rdtype: Type,
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Remove an RRset; where there is none, nothing changes."""
    client = session(ctx).client()
    written(
        zone,
        lambda write: client.delete_record_set(zone, owner, rdtype, write),
        Write(if_version, reason, dry_run, force),
        json=as_json,
    )


def _matching(found: list[RecordSet], zone: str, owner: str | None, rdtype: str | None) -> list[RecordSet]:
    at = None if owner is None else absolute(owner, zone).lower()
    wanted = None if rdtype is None else rdtype.upper()
    return [one for one in found if at in (None, one.name) and wanted in (None, one.type)]


def _print(found: list[RecordSet], as_json: bool) -> None:
    if as_json:
        output.as_json([output.record_set_of(one) for one in found])
        return
    rows = ((one.name, one.ttl, one.type, value) for one in found for value in one.values)
    output.table(("name", "ttl", "type", "value"), rows)
