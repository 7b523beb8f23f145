# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller collect``: at once what the daemon does from time to time with history that is due."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict

import typer

from ..config import read
from ..wiring import open_service
from .migrate import JsonOption
from .shared import DEFAULT_CONFIG, ConfigOption, one_line


def collect(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Remove history that is past its retention, then the blobs that nothing needs; print what went.

    May run beside the daemon. Blobs that were written in the last hour stay until the next time.
    """
    with one_line(), closing(open_service(read(config))) as service:
        retained = service.retain(whole=True)
        collected = service.collect()
    if as_json:
        counts = {name: value for name, value in asdict(retained).items() if name != "more"}
        typer.echo(json.dumps({"removed": {**counts, "blobs": collected.removed}, "kept": {"blobs": collected.kept}}))
        return
    typer.echo(
        f"removed {retained.versions} versions, {retained.publications} publications, {retained.heads} heads,"
        f" {retained.zones} deleted zones, {retained.entries} entries of the audit log"
        f" and {collected.removed} blobs; {collected.kept} blobs are needed"
    )
