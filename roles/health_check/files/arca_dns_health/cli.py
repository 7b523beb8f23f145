# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The command ``arca-dns-health``: the daemon, and what people ask about it."""

from __future__ import annotations

import asyncio
import signal
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from arca_dns import edge_report as report
from arca_dns.edge_config import load
from arca_dns.errors import ArcaError
from arca_dns.systemd import notify

from . import state
from .bird import Bird
from .daemon import Clocks, Daemon
from .log import configure
from .probe import Prober
from .served import ServedFile
from .settings import Settings
from .several import Several
from .systemd import restarting
from .wishes import Wishes

app = typer.Typer(
    help="Announces this edge's anycast prefixes while its name server answers rightly, and withdraws them else.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigOption = Annotated[Path, typer.Option("--config", help="The edge's configuration file.")]
DEFAULT_CONFIG = Path("/etc/arca-dns/agent.yaml")


@app.command()
def daemon(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Check this edge and keep BIRD's announcements in step, until stopped."""
    settings = _settings(config)
    configure()
    asyncio.run(_serve(settings))


@app.command()
def status(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print one line per prefix; exit 1 unless all are announced."""
    document = _state(config)
    for line in report.status_lines(document, datetime.now(UTC)):
        typer.echo(line)
    if any(entry["state"] != "announced" for entry in document["prefixes"]):
        raise typer.Exit(1)


@app.command()
def explain(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Say why each prefix is announced or not, with every check and BGP session."""
    for line in report.explain_lines(_state(config), datetime.now(UTC)):
        typer.echo(line)


@app.command()
def check_config(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Read the configuration and say what is wrong with it; exit 1 if anything is."""
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
    served = ServedFile(settings.served_file)
    services = {prefix: plan.name for plan in settings.plans for prefix in plan.services}
    service = Daemon(
        services,
        settings.thresholds,
        settings.softness,
        Several([Prober(plan, served.read, time.monotonic, time.time) for plan in settings.plans]),
        Bird.at(settings.bird_socket, settings.bird_state_directory, services),
        Clocks(time.monotonic, lambda: datetime.now(UTC)),
        Wishes(settings.drains_file, settings.leases_file, settings.drained_file),
        settings.state_file,
        state.remembered(settings.state_file),
    )
    await service.run(settings.pace, stop)
    notify("STOPPING=1")
    await service.stop(withdraw=settings.withdraw_on_stop and not await restarting())


def _settings(path: Path) -> Settings:
    try:
        return Settings.of(load(path))
    except ArcaError as error:
        raise _fail(str(error)) from None
    except OSError as error:
        raise _fail(f"{path} cannot be read: {error.strerror}") from None


def _state(config: Path) -> state.Document:
    path = _settings(config).state_file
    try:
        return state.read(path)
    except (OSError, ValueError) as error:
        raise _fail(f"no state to show: {error}. Is arca-dns-health.service running?") from None


def _fail(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
