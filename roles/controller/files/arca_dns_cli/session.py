# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What every subcommand shares: its client, its options, and how a write is planned, asked for and done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, cast

import typer

from arca_dns.client.base import Client, Outcome, Write
from arca_dns.client.http import HttpClient
from arca_dns.errors import ConfigError, NotFound, PlanRefused

from . import output, settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", "-n", help="Show the plan and write nothing.")]
Force = Annotated[bool, typer.Option("--force", help="Do what the plan's thresholds refuse.")]
Reason = Annotated[str, typer.Option("--reason", "-m", help="Why; stands in the zone's history.")]
IfVersion = Annotated[
    str | None, typer.Option("--if-version", help="Only if this is the zone's version still; else exit 3.")
]
Zone = Annotated[str, typer.Argument(help="The zone, with or without the final dot.")]


@dataclass(slots=True)
class Session:
    """One run of the command; the client is opened when it is first needed."""

    given: settings.Given
    _client: Client | None = field(default=None, repr=False)

    def client(self) -> Client:
        """The client. Raises ``ArcaError``."""
        if self._client is None:
            self._client = settings.connect(settings.find(self.given, os.environ))
        return self._client

    def controller(self) -> HttpClient:
        """The client of a controller's API, for what a store in this process has not."""
        client = self.client()
        if not isinstance(client, HttpClient):
            raise ConfigError("this is asked of a controller, not of a store in this process: give --url")
        return client

    def close(self) -> None:
        """Give back what was opened."""
        if self._client is not None:
            self._client.close()


def session(ctx: typer.Context) -> Session:
    """The session of a command."""
    return cast(Session, ctx.obj)


def written(
    zone: str,
    make: Callable[[Write], Outcome],
    write: Write,
    *,
    json: bool,
    ask: bool = False,
    current: Callable[[], str | None] = lambda: None,
) -> Outcome:
    """Do a write and print what it did; with *ask*, show its plan first and ask on a terminal.

    What was agreed to is what is done: the write is fenced with the version (*current*) that the plan was made from.
    """
    shown = False
    if ask and not write.dry_run:
        if not sys.stdin.isatty():
            raise ConfigError("nobody is there to be asked: repeat with --yes, or look first with --dry-run")
        write = replace(write, if_version=write.if_version or current())
        planned = make(replace(write, dry_run=True))
        if planned.changed:
            output.plan(planned.plan)
            shown = True
            if planned.plan.refusals and not write.force:
                raise PlanRefused("the plan is refused; repeat with --force if it is meant")
            typer.confirm(f"Write this to {zone}?", abort=True, err=True)
    done = make(write)
    output.outcome(done, json, zone, shown=shown)
    return done


def version_or_none(client: Client, zone: str) -> str | None:
    """The zone's version, or ``None`` where there is no such zone."""
    try:
        return client.zone(zone).version
    except NotFound:
        return None
