# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The command ``arca-dns``. An error is a line on standard error and its places below it, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from arca_dns import __version__
from arca_dns.errors import (
    AlreadyExists,
    ArcaError,
    ConfigError,
    Conflict,
    NotFound,
    StaleVersion,
    StoreUnavailable,
)

from .commands import looking, publication, rings, rrsets, tokens, versions, writes, zones
from .output import printable
from .session import Session
from .settings import Given

EXITS = """\
Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 the zone has moved on or exists already, 4 not found,
5 the controller does not answer, 10 the plan has changes (plan --exit-code).
"""
#: The first class that fits; everything else is 1.
_STATUS: tuple[tuple[type[ArcaError], int], ...] = (
    (ConfigError, 2),
    (StaleVersion, 3),
    (AlreadyExists, 3),
    (Conflict, 3),
    (NotFound, 4),
    (StoreUnavailable, 5),
)

app = typer.Typer(
    help="Zones, records and versions of an arca.dns controller.",
    epilog=EXITS,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(zones.app, name="zones")
app.add_typer(rrsets.app, name="rrsets")
app.add_typer(rings.app, name="rings")
app.add_typer(tokens.app, name="tokens")
app.command("deleted", epilog="Example: arca-dns deleted --json")(zones.deleted)
versions.register(app)
writes.register(app)
publication.register(app)
looking.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def common(
    ctx: typer.Context,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", help="A controller; repeat it for others on the same store. [ARCA_DNS_URL]"),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="A file that holds the API key. [ARCA_DNS_API_KEY_FILE, ARCA_DNS_API_KEY]"),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option("--ca-file", help="Authorities for the controller's certificate. [ARCA_DNS_CA_FILE]")
    ] = None,
    context: Annotated[
        str | None, typer.Option("--context", "-c", help="A context of the configuration file. [ARCA_DNS_CONTEXT]")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="Instead of ~/.config/arca-dns/config.yml. [ARCA_DNS_CONFIG]"),
    ] = None,
    backend: Annotated[str | None, typer.Option("--backend", help="Work on a store in this process: sqlite.")] = None,
    path: Annotated[Path | None, typer.Option("--path", help="With --backend: the database.")] = None,
    timeout: Annotated[float, typer.Option("--timeout", min=0.1, help="Seconds to wait for an answer.")] = 30.0,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Zones, records and versions of an arca.dns controller."""
    held = Session(Given(tuple(url or ()), key_file, ca_file, context, config, backend, path, timeout))
    ctx.obj = held
    ctx.call_on_close(held.close)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    try:
        app(None if arguments is None else list(arguments), prog_name="arca-dns")
    except SystemExit as end:
        if isinstance(end.code, int):
            return end.code
        return int(end.code is not None)
    except ArcaError as error:
        sys.stderr.write(f"arca-dns: {printable(error.message)}\n")
        for place in error.places:
            sys.stderr.write(f"  {printable(place)}\n")
        return next((status for kind, status in _STATUS if isinstance(error, kind)), 1)
    except BrokenPipeError:
        # the reader has enough; Python would complain at exit when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        sys.stderr.write(f"arca-dns: {printable(error.filename or 'a file')}: {error.strerror}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
