# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The command ``arca-dns-controller``: the daemon, and what is done around it.

An error is one line and a bad exit code, never a traceback.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer
import yaml

from arca_dns import __version__
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore

from . import log
from .app import create_app
from .auth import hash_key
from .commands import backup, collecting, db, exporting, fsck, importing, keys, migrate, token, zone
from .commands.shared import DEFAULT_CONFIG, ConfigOption, fail, one_line
from .config import ControllerConfig, read
from .server import serve as run_server
from .wiring import initialise

app = typer.Typer(
    help="The arca.dns controller: keeps zones, signs them, and publishes them to edges.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
key_app = typer.Typer(help="API keys.", no_args_is_help=True)
app.add_typer(key_app, name="key")
app.add_typer(zone.app, name="zone")
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(token.app, name="token")
app.command("migrate")(migrate.migrate)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("fsck", epilog=fsck.EXITS)(fsck.fsck)
app.command("collect")(collecting.collect)
app.command("import")(importing.import_zones)
app.command("export")(exporting.export)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take what all commands have in common."""


@app.command()
def serve(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run the controller until stopped."""
    with one_line():
        settings = read(config)
        log.configure(settings.log.level)
        run_server(settings, lambda: read(config))


@app.command()
def check_config(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Read the configuration and say what is wrong with it; exit 1 if anything is."""
    with one_line():
        read(config)
    typer.echo(f"{config} is valid")


@app.command()
def init(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Make what is missing: master key, head key, database. Prints JSON: what was made, and the public head key."""
    with one_line():
        made = initialise(read(config))
    typer.echo(
        json.dumps({"changed": bool(made.created), "created": made.created, "head_public_key": made.head_public_key})
    )


@app.command()
def openapi() -> None:
    """Print the API's OpenAPI description as YAML."""
    service = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate())
    described = create_app(ControllerConfig(), service).openapi()
    service.close()
    typer.echo("# Copyright (c) 2026 the arca.dns contributors\n# SPDX-License-Identifier: Apache-2.0")
    typer.echo("# Made by `arca-dns-controller openapi`. Do not edit.\n---")
    typer.echo(yaml.dump(described, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120), nl=False)


class _Dumper(yaml.SafeDumper):
    """Indents lists below their keys."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


@key_app.command("hash")
def key_hash() -> None:
    """Read an API key from standard input and print what the configuration keeps of it."""
    key = sys.stdin.readline().strip()
    if not key:
        raise fail("there is no key on standard input")
    typer.echo(hash_key(key))


def main() -> None:
    """Entry point of the console script."""
    app()
