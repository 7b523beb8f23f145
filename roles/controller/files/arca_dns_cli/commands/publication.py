# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns status, ds, keys, edges and events: what is published, and who serves it."""

from __future__ import annotations

from typing import Annotated

import typer

from arca_dns.client import answers
from arca_dns.client.http import HttpClient
from arca_dns.store.base import JsonObject

from .. import output
from ..session import AsJson, Zone, session

_WAIT_SECONDS = 30


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("status", epilog="Example: arca-dns status --json")(status)
    app.command("ds", epilog="Example: arca-dns ds example.com --digest 2 --digest 4")(ds)
    app.command("keys", epilog="Example: arca-dns keys example.com")(keys)
    app.command("edges", epilog="Example: arca-dns edges")(edges)
    app.command("events", epilog="Example: arca-dns events --follow --zone example.com")(events)


def status(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Show the controller's state."""
    found = session(ctx).controller().call("GET", "/status")
    if as_json:
        output.as_json(found)
        return
    flat: list[tuple[str, object]] = []
    for name, value in found.items():
        inside = answers.mapping(value)
        flat += [(f"{name}.{key}", one) for key, one in inside.items()] if inside else [(name, value)]
    output.fields(flat)


def ds(
    ctx: typer.Context,
    zone: Zone,
    digest: Annotated[list[int] | None, typer.Option("--digest", help="2 is SHA-256, 4 is SHA-384.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the DS records for the parent zone."""
    found = session(ctx).client().ds(zone, tuple(digest or (2,)))
    if as_json:
        output.as_json(found)
    else:
        owner = zone if zone.endswith(".") else zone + "."
        output.lines(f"{owner} IN DS {value}" for value in found)


def keys(ctx: typer.Context, zone: Zone, as_json: AsJson = False) -> None:
    """List the DNSSEC keys of a zone: public data only."""
    path = f"/zones/{answers.quoted_zone(zone)}/keys"
    found = answers.items(session(ctx).controller().call("GET", path).get("keys"))
    if as_json:
        output.as_json(found)
        return
    columns = ("tag", "algorithm", "role", "created")
    output.table(columns, ([one.get(column) for column in columns] for one in map(answers.mapping, found)))


def edges(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the edges: what each attested last, how far it is behind, since when and why."""
    found = session(ctx).client().edges()
    if as_json:
        output.as_json(found)
        return
    output.table(
        ("edge", "ring", "head", "behind", "since", "zones", "received", "problems"),
        (
            (
                one.get("edge"),
                one.get("ring"),
                one.get("head"),
                one.get("behind"),
                one.get("behind_since"),
                len(answers.items(one.get("zones"))),
                one.get("received"),
                "; ".join(map(str, answers.items(one.get("problems")))),
            )
            for one in found
        ),
    )


def events(
    ctx: typer.Context,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more until interrupted.")] = False,
    after: Annotated[str | None, typer.Option("--after", help="Go on behind this event.")] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Only of this zone.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Only of this kind, such as zone.changed.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print what happens: one line for each event, with --json one object."""
    controller = session(ctx).controller()
    query = {name: value for name, value in (("after", after), ("zone", zone), ("kind", kind)) if value}
    while True:
        answer = _next(controller, query, _WAIT_SECONDS if follow else 0)
        found = [answers.mapping(one) for one in answers.items(answer.get("events"))]
        for event in found:
            _print(event, as_json)
        following = answer.get("next")
        if not follow and (not found or following is None):
            return
        if following is not None:
            query["after"] = str(following)


def _next(controller: HttpClient, query: dict[str, str], seconds: int) -> JsonObject:
    """The next events, or none after *seconds*; the answer may take that long and the usual time."""
    return controller.call("GET", "/events", {**query, "timeout": str(seconds)}, timeout=seconds + 30.0)


def _print(event: JsonObject, as_json: bool) -> None:
    if as_json:
        output.as_line(event)
    else:
        told = (event.get(name) for name in ("time", "kind", "zone", "serial", "actor", "reason"))
        output.lines(["  ".join(output.printable(value) for value in told if value not in (None, ""))])
