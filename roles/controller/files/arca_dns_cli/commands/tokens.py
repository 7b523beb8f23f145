# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns tokens: API keys. A secret is shown once, when it is made; it goes to a file or to standard output."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.client import answers
from arca_dns.errors import ConfigError
from arca_dns.store.base import JsonObject

from .. import output
from ..session import AsJson, Yes, session

app = typer.Typer(help="API keys of the controller.", no_args_is_help=True, rich_markup_mode=None)
Id = Annotated[str, typer.Argument(metavar="ID", help="As `tokens list` shows it.")]
Save = Annotated[
    Path | None,
    typer.Option("--save", help="Write the secret to this new file, for its owner only, and do not print it."),
]


@app.command("list", epilog="Example: arca-dns tokens list")
def list_tokens(ctx: typer.Context, as_json: AsJson = False) -> None:
    """List the API keys, without their secrets."""
    found = answers.items(session(ctx).controller().call("GET", "/keys").get("keys"))
    if as_json:
        output.as_json(found)
        return
    columns = ("id", "name", "role", "created", "expires", "last_used")
    output.table(columns, ([one.get(column) for column in columns] for one in map(answers.mapping, found)))


@app.command(
    "create", epilog="Example: arca-dns tokens create deploy --role editor --limit-zone example.com --save deploy.key"
)
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Whose key it is; stands in the history.")],
    role: Annotated[str, typer.Option("--role", help="admin, editor, viewer, agent or acme.")],
    zone: Annotated[list[str] | None, typer.Option("--limit-zone", help="Only this zone, or *.example.com.")] = None,
    owner: Annotated[list[str] | None, typer.Option("--limit-name", help="Only this owner name.")] = None,
    rdtype: Annotated[list[str] | None, typer.Option("--limit-type", help="Only this record type.")] = None,
    expires: Annotated[str | None, typer.Option("--expires", help="Such as 2028-01-31T00:00:00Z.")] = None,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key."""
    limits: JsonObject = {}
    for key, values in (("zones", zone), ("names", owner), ("types", rdtype)):
        if values:
            limits[key] = list(values)
    body: JsonObject = {"name": name, "role": role}
    if limits:
        body["limits"] = limits
    if expires is not None:
        body["expires"] = expires
    with _Secret(save) as secret:
        secret.tell(session(ctx).controller().call("POST", "/keys", (), body), as_json)


@app.command("rotate", epilog="Example: arca-dns tokens rotate k3v0q8z1m4xt --grace 3600 --save deploy.key")
def rotate(
    ctx: typer.Context,
    token: Id,
    grace: Annotated[int, typer.Option("--grace", min=0, help="Seconds for which the old secret stays valid.")] = 0,
    save: Save = None,
    as_json: AsJson = False,
) -> None:
    """Give an API key a new secret."""
    with _Secret(save) as secret:
        path = f"/keys/{answers.quoted(token)}/rotate"
        secret.tell(session(ctx).controller().call("POST", path, {"grace": str(grace)}), as_json)


@app.command("revoke", epilog="Example: arca-dns tokens revoke k3v0q8z1m4xt")
def revoke(ctx: typer.Context, token: Id, yes: Yes = False) -> None:
    """Revoke an API key."""
    if not yes:
        typer.confirm(f"Revoke {token}?", abort=True, err=True)
    session(ctx).controller().call("DELETE", f"/keys/{answers.quoted(token)}")
    output.say(f"{token} is revoked")


class _Secret:
    """Where a secret goes. A file is made before the key is: a secret that cannot be written would be lost."""

    def __init__(self, save: Path | None) -> None:
        self._save = save
        self._file: int | None = None
        self._told = False

    def __enter__(self) -> _Secret:
        if self._save is not None:
            try:
                self._file = os.open(self._save, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                raise ConfigError(f"{self._save} exists already: name a new file") from None
        return self

    def tell(self, answer: JsonObject, as_json: bool) -> None:
        """Write the secret and print the rest."""
        if self._file is not None:
            os.write(self._file, f"{answer.pop('key')}\n".encode())
            self._told = True
        if as_json:
            output.as_json(answer)
        elif self._file is None:
            output.say(f"{answer.get('id')} {answer.get('name')}: this is its only showing")
            output.lines([str(answer.get("key"))])
        else:
            output.say(f"{answer.get('id')} {answer.get('name')}: the secret is in {self._save}")

    def __exit__(self, *_error: object) -> None:
        if self._file is not None:
            os.close(self._file)
            if not self._told and self._save is not None:
                self._save.unlink()
