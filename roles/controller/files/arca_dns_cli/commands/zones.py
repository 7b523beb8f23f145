# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns zones: list, show, create, import, edit, export, delete, undelete."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from arca_dns.client.base import Client, Outcome, Soa, Write, ZoneContent
from arca_dns.errors import ArcaError, ConfigError
from arca_dns.store.base import Json

from .. import output
from ..session import AsJson, DryRun, Force, IfVersion, Reason, Yes, Zone, session, version_or_none, written
from . import files

app = typer.Typer(help="Whole zones.", no_args_is_help=True, rich_markup_mode=None)
Unsigned = Annotated[bool, typer.Option("--unsigned", help="Without DNSSEC.")]


@app.command("list", epilog="Example: arca-dns zones list --json")
def list_zones(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List all zones."""
    found = session(ctx).client().zones()
    if as_json:
        output.as_json([asdict(one) for one in found])
        return
    output.table(
        ("zone", "serial", "served", "records", "dnssec", "modified", "problem"),
        (
            (
                one.name,
                one.serial,
                one.published_serial,
                one.records,
                one.settings.get("dnssec"),
                one.modified,
                one.problem,
            )
            for one in found
        ),
    )


@app.command("show", epilog="Example: arca-dns zones show example.com")
def show(ctx: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """Show a zone's state, without its records."""
    found = asdict(session(ctx).client().zone(zone))
    if as_json:
        output.as_json(found)
        return
    held = found.pop("settings")
    output.fields([*found.items(), *((f"settings.{name}", value) for name, value in held.items())])


@app.command("create", epilog="Example: arca-dns zones create example.com --ns ns1.example.net. --ns ns2.example.net.")
def create(
    ctx: typer.Context,
    zone: Zone,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="A zone file; - is standard input.")] = None,
    ns: Annotated[list[str] | None, typer.Option("--ns", help="A name server; repeat it.")] = None,
    mname: Annotated[str | None, typer.Option("--mname", help="The SOA's primary; else the first --ns.")] = None,
    rname: Annotated[str | None, typer.Option("--rname", help="The SOA's mail address.")] = None,
    unsigned: Unsigned = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Create a zone from a zone file, or with name servers alone."""
    if (file is None) == (not ns):
        raise ConfigError("give either a zone file (--file) or name servers (--ns)")
    if file is not None:
        content = ZoneContent(files.read(file), soa=None if mname is None else Soa(mname, rname))
    else:
        servers = ns or []
        text = "".join(f"@ 3600 IN NS {server}\n" for server in servers)
        content = ZoneContent(text, soa=Soa(mname or servers[0], rname))
    settings: dict[str, Json] | None = {"dnssec": False} if unsigned else None
    client = session(ctx).client()
    written(
        zone,
        lambda write: client.create_zone(zone, content, write, settings),
        Write(reason=reason, dry_run=dry_run),
        json=as_json,
    )


@app.command("import", epilog="Example: arca-dns zones import --yes zones/*.zone")
def import_files(
    ctx: typer.Context,
    file: Annotated[list[Path], typer.Argument(help="Zone files; - is standard input.")],
    zone: Annotated[str | None, typer.Option("--zone", help="The zone; else $ORIGIN or the file's name.")] = None,
    unsigned: Unsigned = False,
    reason: Reason = "",
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Make zone files the zones: create those that are new, replace the others."""
    if zone is not None and len(file) > 1:
        raise ConfigError("--zone goes with one file")
    client = session(ctx).client()
    shows = len(file) > 1 and sys.stderr.isatty() and (yes or dry_run)
    for path in track(file, "importing", console=Console(stderr=True), transient=True, disable=not shows):
        text = files.read(path)
        name = zone or files.zone_of(path, text)
        try:
            _import(client, name, text, Write(None, reason, dry_run, force), unsigned, yes, as_json)
        except ArcaError as error:
            error.message = f"{path}: {error.message}"
            raise


def _import(client: Client, name: str, text: str, write: Write, unsigned: bool, yes: bool, as_json: bool) -> None:
    version = version_or_none(client, name)
    settings: dict[str, Json] | None = {"dnssec": False} if unsigned else None

    def make(how: Write) -> Outcome:
        if version is None:
            return client.create_zone(name, ZoneContent(text), how, settings)
        return client.replace_zone(name, ZoneContent(text), how)

    written(
        name,
        make,
        Write(version, write.reason, write.dry_run, write.force),
        json=as_json,
        ask=version is not None and not yes,
    )


@app.command("edit", epilog="Example: arca-dns zones edit example.com -m 'new mail server'")
def edit(
    ctx: typer.Context, zone: Zone, reason: Reason = "", force: Force = False, yes: Yes = False, as_json: AsJson = False
) -> None:
    """Open a zone file in $VISUAL or $EDITOR, show the plan, and write it."""
    client = session(ctx).client()
    version = client.zone(zone).version
    before = "".join(client.zone_file(zone))
    with tempfile.TemporaryDirectory(prefix="arca-dns-") as folder:
        path = Path(folder, files.file_name(zone))
        path.write_text(before, encoding="utf-8")
        while True:
            _editor(path)
            text = files.read(path)
            if text == before:
                output.say(f"{zone}: nothing to change")
                return
            try:
                written(
                    zone,
                    lambda write, text=text: client.replace_zone(zone, ZoneContent(text), write),  # type: ignore[misc]
                    Write(version, reason, force=force),
                    json=as_json,
                    ask=not yes,
                )
                return
            except ArcaError as error:
                if not sys.stdin.isatty():
                    raise
                output.say(error.message)
                for place in error.places:
                    output.say(f"  {place}")
                typer.confirm("Edit again?", abort=True, default=True, err=True)


def _editor(path: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    try:
        done = subprocess.run([*shlex.split(command), str(path)], check=False)
    except (OSError, ValueError) as error:
        raise ConfigError(f"the editor {command!r} cannot be run: {error}") from None
    if done.returncode != 0:
        raise ConfigError(f"the editor {command!r} ended with status {done.returncode}: nothing was written")


@app.command("export", epilog="Example: arca-dns zones export example.com -o example.com.zone")
def export(
    ctx: typer.Context,
    zone: Annotated[str | None, typer.Argument(help="The zone; without it all zones (with -o FOLDER).")] = None,
    out: Annotated[Path | None, typer.Option("--output", "-o", help="A file, or for all zones a folder.")] = None,
) -> None:
    """Print a zone as a zone file, or write all zones to a folder."""
    client = session(ctx).client()
    if zone is not None:
        if out is None:
            for piece in client.zone_file(zone):
                sys.stdout.write(piece)
        else:
            files.write(out / files.file_name(zone) if out.is_dir() else out, client.zone_file(zone))
        return
    if out is None or not out.is_dir():
        raise ConfigError("all zones go to a folder that exists: -o FOLDER (or name one zone)")
    names = [one.name for one in client.zones()]
    quiet = not sys.stderr.isatty()
    for name in track(names, "exporting", console=Console(stderr=True), transient=True, disable=quiet):
        files.write(out / files.file_name(name), client.zone_file(name))
    output.say(f"{len(names)} zones in {out}")


@app.command("delete", epilog="Example: arca-dns zones delete example.com -m 'sold'")
def delete(
    ctx: typer.Context,
    zone: Zone,
    reason: Reason = "",
    if_version: IfVersion = None,
    dry_run: DryRun = False,
    force: Force = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete a zone; it can come back while its history is kept."""
    client = session(ctx).client()
    written(
        zone,
        lambda write: client.delete_zone(zone, write),
        Write(if_version, reason, dry_run, force),
        json=as_json,
        ask=not yes,
        current=lambda: client.zone(zone).version,
    )


@app.command("undelete", epilog="Example: arca-dns zones undelete example.com")
def undelete(
    ctx: typer.Context, zone: Zone, reason: Reason = "", dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Bring a deleted zone back."""
    client = session(ctx).client()
    written(
        zone,
        lambda write: client.undelete_zone(zone, write),
        Write(reason=reason, dry_run=dry_run),
        json=as_json,
    )


def deleted(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the zones that can come back."""
    found = session(ctx).client().deleted_zones()
    if as_json:
        output.as_json([asdict(one) for one in found])
        return
    output.table(
        ("zone", "records", "deleted", "by", "reason"),
        ((one.name, one.records, one.deleted, one.actor, one.reason) for one in found),
    )
