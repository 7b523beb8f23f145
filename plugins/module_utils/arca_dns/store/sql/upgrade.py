# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The schema of a database, asked for and brought up to date as one step each.

The migrations themselves are in :mod:`.migrations`.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import migrations
from .dialects import Dialect, explained


@dataclass(frozen=True, slots=True)
class Schema:
    """The migration that a database is at (``None``: it is empty), and the newest one that this version knows."""

    current: str | None
    newest: str

    @property
    def known(self) -> bool:
        """Whether this version can work with the database; if not, a newer one has migrated it."""
        return self.current is None or self.current in [step.revision for step in migrations.MIGRATIONS]


def read_schema(dialect: Dialect) -> Schema:
    """What the database is at; changes nothing. Raises ``StoreUnavailable``."""
    with explained(dialect), dialect.reader() as connection:
        return Schema(migrations.current(connection), migrations.newest())


def upgrade_schema(dialect: Dialect) -> list[str]:
    """Apply the migrations that are missing, one process at a time; returns them.

    Raises ``StoreUnavailable``, and ``StoreError`` for a database that a newer version has migrated.
    """
    with explained(dialect), dialect.migrator() as connection:
        return migrations.upgrade(connection)
