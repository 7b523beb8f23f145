# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns log, diff and rollback: what a zone was."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from arca_dns.client.base import Client, Write
from arca_dns.errors import NotFound

from .. import output
from ..session import AsJson, DryRun, Force, IfVersion, Reason, Yes, Zone, session, written


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("log", epilog="Example: arca-dns log example.com -n 5")(log)
    app.command("diff", epilog="Example: arca-dns diff example.com (the last change)")(diff)
    app.command("rollback", epilog="Example: arca-dns rollback example.com -m 'wrong addresses'")(rollback)


def log(
    ctx: typer.Context,
    zone: Zone,
    number: Annotated[int | None, typer.Option("--number", "-n", min=1, help="Only the newest so many.")] = None,
    as_json: AsJson = False,
) -> None:
    """List a zone's versions, newest first."""
    found = list(session(ctx).client().versions(zone))[::-1][:number]
    if as_json:
        output.as_json([asdict(one) for one in found])
        return
    output.table(
        ("version", "serial", "records", "time", "by", "reason"),
        ((one.version, one.serial, one.records, one.time, one.actor, one.reason) for one in found),
    )


def diff(
    ctx: typer.Context,
    zone: Zone,
    old: Annotated[str | None, typer.Argument(metavar="FROM", help="A version; else the last but one.")] = None,
    new: Annotated[str | None, typer.Argument(metavar="TO", help="A version; else the newest.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what changed between two versions of a zone."""
    client = session(ctx).client()
    old = old or _before(client, zone)
    found = client.diff(zone, old, new)
    if as_json:
        output.as_json([output.difference_of(one) for one in found])
    else:
        output.differences(found)


def rollback(
    ctx: typer.Context,
    zone: Zone,
    version: Annotated[str | None, typer.Argument(help="The version to go back to; else the last but one.")] = None,
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Go back to an old version's content, in a new version."""
    client = session(ctx).client()
    target = version or _before(client, zone)
    written(
        zone,
        lambda write: client.rollback(zone, target, write),
        Write(if_version, reason, dry_run, force),
        json=as_json,
        ask=not yes,
        current=lambda: client.zone(zone).version,
    )


def _before(client: Client, zone: str) -> str:
    """The last version but one."""
    found = [one.version for one in client.versions(zone)]
    if len(found) < 2:
        raise NotFound(f"zone {zone} has one version only: nothing came before it")
    return found[-2]
