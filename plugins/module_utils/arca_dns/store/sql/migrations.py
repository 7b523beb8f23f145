# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The history of the schema, as functions on Alembic operations, and the code that applies what is missing.

The functions are in this file and not in a script directory, because the library travels inside Ansible modules.
A migration, once released, is never changed; :mod:`.schema` shows what all of them make together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..._deps import alembic, require, sqlalchemy
from ...errors import StoreError
from .schema import TABLE_OPTIONS, data_type, digest_type, key_type, tables, value_type


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: *upgrade* brings a database from the migration before to *revision*."""

    revision: str
    upgrade: Callable[[alembic.operations.Operations], None]


# MySQL commits before and after each change of the schema, so a migration may be cut short at any statement and begin
# again: each of these does nothing where it is done already.


def _table(op: alembic.operations.Operations, name: str, *columns: sqlalchemy.Column[Any]) -> None:
    if not sqlalchemy.inspect(op.get_bind()).has_table(name):
        op.create_table(name, *columns, **TABLE_OPTIONS)


def _index(op: alembic.operations.Operations, table: str, column: str) -> None:
    name = f"ix_{table}_{column}"
    if name not in {index["name"] for index in sqlalchemy.inspect(op.get_bind()).get_indexes(table)}:
        op.create_index(name, table, [column])


def _create(op: alembic.operations.Operations) -> None:
    column, integer = sqlalchemy.Column, sqlalchemy.BigInteger
    _table(
        op,
        "arca_state",
        column("id", sqlalchemy.Integer, primary_key=True),
        column("revision", integer, nullable=False),
    )
    state = tables().state
    if op.get_bind().scalar(sqlalchemy.select(state.c.revision)) is None:
        op.bulk_insert(state, [{"id": 1, "revision": 0}])
    _table(
        op,
        "arca_documents",
        column("key", key_type(), primary_key=True),
        column("revision", integer, nullable=False),
        column("value", value_type(), nullable=False),
    )
    _index(op, "arca_documents", "revision")
    _table(
        op,
        "arca_deletions",
        column("key", key_type(), primary_key=True),
        column("revision", integer, nullable=False),
    )
    _index(op, "arca_deletions", "revision")
    _table(
        op,
        "arca_blobs",
        column("digest", digest_type(), primary_key=True),
        column("written", sqlalchemy.Double, nullable=False),
        column("data", data_type(), nullable=False),
    )


MIGRATIONS: tuple[Migration, ...] = (Migration("0001", _create),)


def current(connection: sqlalchemy.Connection) -> str | None:
    """The migration that the database is at; ``None`` if it is empty."""
    if not sqlalchemy.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sqlalchemy.select(tables().version.c.version_num))
    return found


def newest(migrations: tuple[Migration, ...] = MIGRATIONS) -> str:
    """The last migration that this version knows."""
    return migrations[-1].revision


def upgrade(connection: sqlalchemy.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> list[str]:
    """Apply what is missing in the open transaction of *connection*, which holds the schema lock; returns that.

    Where the database changes its schema in transactions, all of it is applied or nothing; MySQL notes each migration
    when it is complete, and the next upgrade goes on from there.
    Raises :class:`StoreError` for a database that a newer program has migrated.
    """
    require("sqlalchemy", "alembic")
    at = current(connection)
    known = [migration.revision for migration in migrations]
    if at is not None and at not in known:
        raise StoreError(
            f"the database is at schema {at}, this version knows up to {known[-1]}: run the newer version of arca.dns "
            "that migrated it, or restore a backup made before that"
        )
    missing = migrations[known.index(at) + 1 if at is not None else 0 :]
    if not missing:
        return []
    operations = alembic.operations.Operations(alembic.migration.MigrationContext.configure(connection))
    version = tables().version
    version.create(connection, checkfirst=True)
    for migration in missing:
        migration.upgrade(operations)
        connection.execute(version.delete())
        connection.execute(version.insert().values(version_num=migration.revision))
    return [migration.revision for migration in missing]
