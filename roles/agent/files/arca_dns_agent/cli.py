# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The command ``arca-dns-agent``: the daemon, and what people ask about it."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arca_dns import edge_report
from arca_dns.edge_config import EdgeConfig, load
from arca_dns.edge_draining import read_health
from arca_dns.errors import ArcaError
from arca_dns.store.base import JsonObject

from . import draining
from .daemon import Daemon
from .log import configure
from .settings import Settings
from .state import StateLost
from .status import lines

app = typer.Typer(
    help="Keeps this edge's name server at what the controller published: fetched, verified, served and proved.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

draining.register(app)

ConfigOption = Annotated[Path, typer.Option("--config", help="The edge's configuration file.")]
DEFAULT_CONFIG = Path("/etc/arca-dns/agent.yaml")


@app.command()
def daemon(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Follow the controller's head and keep the name server in step, until stopped."""
    settings = _settings(config)
    configure()
    try:
        asyncio.run(_serve(settings))
    except (OSError, sqlite3.Error, StateLost) as error:
        raise _fail(f"the agent cannot work: {error}") from None


@app.command()
def status(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="As a JSON document.")] = False,
) -> None:
    """Print what is served and what is wanted; exit 1 unless every zone is served as wanted."""
    document = _status(Path(_config(config).agent.state_directory) / "status.json")
    if as_json:
        typer.echo(json.dumps(document, indent=2))
    else:
        for line in lines(document):
            typer.echo(line)
    zones = document["zones"]
    if not isinstance(zones, list) or any(isinstance(zone, dict) and zone["state"] != "served" for zone in zones):
        raise typer.Exit(1)


@app.command()
def explain(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say why each prefix is announced or not, with every check and BGP session, and since when."""
    try:
        health = read_health(Path(_config(config).health.state_file))
    except ArcaError as error:
        raise _fail(str(error)) from None
    for line in edge_report.explain_lines(health, datetime.now(UTC)):
        typer.echo(line)


@app.command()
def check_config(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Read the configuration and the secrets that it names; say what is wrong; exit 1 if anything is."""
    _settings(config)
    typer.echo(f"{config} is valid")


def main() -> None:
    """Entry point of the console script."""
    app()


async def _serve(settings: Settings) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await Daemon(settings).run(stop)


def _config(path: Path) -> EdgeConfig:
    try:
        return load(path)
    except ArcaError as error:
        raise _fail(str(error)) from None
    except OSError as error:
        raise _fail(f"{path} cannot be read: {error.strerror}") from None


def _settings(path: Path) -> Settings:
    config = _config(path)
    try:
        return Settings.of(config)
    except ArcaError as error:
        raise _fail(str(error)) from None


def _status(path: Path) -> JsonObject:
    try:
        document: JsonObject = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _fail(f"no state to show: {error}. Is arca-dns-agent.service running?") from None
    return document


def _fail(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
