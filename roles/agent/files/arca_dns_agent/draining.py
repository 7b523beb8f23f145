# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns-agent drain and undrain: what an operator asks of this edge's prefixes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.edge_config import load
from arca_dns.edge_draining import Draining
from arca_dns.errors import ArcaError

DEFAULT_CONFIG = Path("/etc/arca-dns/agent.yaml")

Config = Annotated[Path, typer.Option("--config", help="The edge's configuration file.")]
Prefixes = Annotated[list[str] | None, typer.Option("--prefix", help="Only this prefix; may be repeated.")]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is done, and take it back if it is refused.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Wait at most so many seconds.")]


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command()(drain)
    app.command()(undrain)


def drain(
    prefix: Prefixes = None,
    reason: Annotated[str, typer.Option("--reason", "-m", help="Why, for whoever looks next.")] = "",
    wait: Wait = False,
    timeout: Timeout = 60.0,
    force: Annotated[bool, typer.Option("--force", help="Also if no other site is left.")] = False,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """Lead traffic away from this edge, then withdraw its prefixes, until undrain; also over boots."""
    with _told():
        work = _of(config)
        prefixes = work.prefixes(prefix or [])
        new = work.drain(prefixes, reason, forced=force, take_over=True)
        if wait:
            work.wait_drained(prefixes, timeout, new)
    for one in prefixes:
        asked = "is to be drained" if one in new else "is to be drained already"
        typer.echo(f"{one} {'is drained' if wait else asked}")


def undrain(
    prefix: Prefixes = None,
    wait: Wait = False,
    timeout: Timeout = 60.0,
    config: Config = DEFAULT_CONFIG,
) -> None:
    """End a drain: the prefixes are announced again as soon as the checks allow it."""
    with _told():
        work = _of(config)
        prefixes = work.prefixes(prefix or [])
        gone = work.undrain(prefixes)
        if wait:
            work.wait_announced(prefixes, timeout)
    for one in prefixes:
        ended = "is drained no more" if one in gone else "was not drained"
        typer.echo(f"{one} {'is announced' if wait else ended}")


@contextmanager
def _told() -> Iterator[None]:
    """Errors as one line on standard error and a status of 1."""
    try:
        yield
    except (ArcaError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


def _of(config: Path) -> Draining:
    health = load(config).health
    return Draining(Path(health.state_directory), Path(health.state_file))
