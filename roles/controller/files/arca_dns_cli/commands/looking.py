# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns search and audit: records of all zones, and who did what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from arca_dns.client import answers
from arca_dns.client.http import HttpClient
from arca_dns.store.base import JsonObject

from .. import output
from ..session import AsJson, session

Most = Annotated[int, typer.Option("--limit", min=1, help="How many at most.")]
_PAGE = 1000


def register(app: typer.Typer) -> None:
    """Add the commands to *app*."""
    app.command("search", epilog="Example: arca-dns search --value 192.0.2.1")(search)
    app.command("audit", epilog="Example: arca-dns audit --zone example.com --since 2027-01-31T00:00:00Z")(audit)


def search(
    ctx: typer.Context,
    name: Annotated[str, typer.Option("--name", help="A whole name; * stands for anything.")] = "",
    rdtype: Annotated[str, typer.Option("--type", help="Only records of this type.")] = "",
    value: Annotated[str, typer.Option("--value", help="The value or a word of it; an address finds PTR too.")] = "",
    limit: Most = 1000,
    as_json: AsJson = False,
) -> None:
    """Find records in all zones."""
    query = {key: text for key, text in (("name", name), ("type", rdtype), ("value", value)) if text}
    found = _pages(session(ctx).controller(), "/search", query, "results", "after", limit)
    if as_json:
        output.as_json(list(found))
        return
    output.table(
        ("zone", "name", "ttl", "type", "value"),
        (
            (one.get("zone"), one.get("name"), one.get("ttl"), one.get("type"), text)
            for one in found
            for text in answers.items(one.get("values"))
        ),
    )


def audit(
    ctx: typer.Context,
    zone: Annotated[str, typer.Option("--zone", help="Only what was done to this zone.")] = "",
    actor: Annotated[str, typer.Option("--actor", help="Only what this key or person did.")] = "",
    kind: Annotated[str, typer.Option("--kind", help="Such as zone.changed, or zone. for all of them.")] = "",
    since: Annotated[str, typer.Option("--since", help="Such as 2027-01-31T00:00:00Z.")] = "",
    until: Annotated[str, typer.Option("--until", help="Such as 2027-01-31T00:00:00Z.")] = "",
    limit: Most = 100,
    as_json: AsJson = False,
) -> None:
    """Show the audit log, newest first."""
    told = (("zone", zone), ("actor", actor), ("kind", kind), ("since", since), ("until", until))
    query = {key: text for key, text in told if text}
    found = _pages(session(ctx).controller(), "/audit", query, "entries", "before", limit)
    if as_json:
        output.as_json(list(found))
        return
    columns = ("time", "kind", "actor", "origin", "zone", "version", "reason")
    output.table(columns, ([one.get(column) for column in columns] for one in found))


def _pages(
    controller: HttpClient, path: str, query: dict[str, str], rows: str, cursor: str, limit: int
) -> Iterator[JsonObject]:
    """The first *limit* rows of a list, page by page."""
    query = dict(query)
    while limit > 0:
        answer = controller.call("GET", path, {**query, "limit": str(min(limit, _PAGE))})
        found = [answers.mapping(one) for one in answers.items(answer.get(rows))]
        yield from found
        limit -= len(found)
        following = answer.get("next")
        if following is None:
            return
        query[cursor] = str(following)
