# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What commands share: where the configuration is, and errors as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from arca_dns.errors import ArcaError

DEFAULT_CONFIG = Path("/etc/arca-dns/controller.yaml")
ConfigOption = Annotated[Path, typer.Option("--config", help="The configuration file.")]


@contextmanager
def one_line() -> Iterator[None]:
    """Turn an error of the library into one line and exit status 1."""
    try:
        yield
    except ArcaError as error:
        raise fail(str(error)) from None


def fail(message: str) -> typer.Exit:
    """Say *message*; what it returns ends the command when it is raised."""
    typer.echo(message, err=True)
    return typer.Exit(1)
