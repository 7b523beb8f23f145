# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The tables, as the newest migration leaves them.

How a database gets there is in :mod:`.migrations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ..._deps import require, sqlalchemy
from ..common import MAX_KEY_OCTETS

#: What MySQL must be told of each table.
TABLE_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_row_format": "DYNAMIC",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


@dataclass(frozen=True, slots=True)
class Tables:
    """The store's tables, for building statements."""

    metadata: sqlalchemy.MetaData
    state: sqlalchemy.Table
    documents: sqlalchemy.Table
    deletions: sqlalchemy.Table
    blobs: sqlalchemy.Table
    version: sqlalchemy.Table


def key_type() -> sqlalchemy.types.TypeEngine[str]:
    """The column type of document keys: texts that sort by code point, whatever the database's locale.

    On MySQL they are octets: its collations ignore trailing spaces, and an index counts four octets a character.
    """

    class Utf8(sqlalchemy.types.TypeDecorator[str]):
        impl = sqlalchemy.VARBINARY
        cache_ok = True

        def process_bind_param(self, value: str | None, dialect: object) -> Any:
            return None if value is None else value.encode()

        def process_result_value(self, value: Any, dialect: object) -> str | None:
            return None if value is None else bytes(value).decode()

    text: sqlalchemy.types.TypeEngine[str] = sqlalchemy.String(1024)
    text = text.with_variant(sqlalchemy.Text(collation="C"), "postgresql")
    return text.with_variant(Utf8(MAX_KEY_OCTETS), "mysql", "mariadb")


def value_type() -> sqlalchemy.types.TypeEngine[str]:
    """The column type of documents."""
    long = sqlalchemy.dialects.mysql.LONGTEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sqlalchemy.Text().with_variant(long, "mysql", "mariadb")


def data_type() -> sqlalchemy.types.TypeEngine[bytes]:
    """The column type of blobs."""
    return sqlalchemy.LargeBinary().with_variant(sqlalchemy.dialects.mysql.LONGBLOB(), "mysql", "mariadb")


def digest_type() -> sqlalchemy.types.TypeEngine[bytes]:
    """The column type of a SHA-256."""
    return sqlalchemy.LargeBinary(32).with_variant(sqlalchemy.BINARY(32), "mysql", "mariadb")


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The tables; made at the first use, because this module is imported where SQLAlchemy may be missing."""
    require("sqlalchemy")
    column, integer = sqlalchemy.Column, sqlalchemy.BigInteger
    metadata = sqlalchemy.MetaData()
    return Tables(
        metadata,
        # One row, id 1: the revision of the last commit. Its row lock orders commits.
        state=sqlalchemy.Table(
            "arca_state",
            metadata,
            column("id", sqlalchemy.Integer, primary_key=True),
            column("revision", integer, nullable=False),
            **TABLE_OPTIONS,
        ),
        documents=sqlalchemy.Table(
            "arca_documents",
            metadata,
            column("key", key_type(), primary_key=True),
            column("revision", integer, nullable=False, index=True),
            column("value", value_type(), nullable=False),
            **TABLE_OPTIONS,
        ),
        # Keys that are gone, for watchers; a key is here or in documents, never in both.
        deletions=sqlalchemy.Table(
            "arca_deletions",
            metadata,
            column("key", key_type(), primary_key=True),
            column("revision", integer, nullable=False, index=True),
            **TABLE_OPTIONS,
        ),
        blobs=sqlalchemy.Table(
            "arca_blobs",
            metadata,
            column("digest", digest_type(), primary_key=True),
            column("written", sqlalchemy.Double, nullable=False),  # unix seconds
            column("data", data_type(), nullable=False),
            **TABLE_OPTIONS,
        ),
        # The table that Alembic itself keeps, so that its own commands understand the database.
        version=sqlalchemy.Table(
            "alembic_version",
            metadata,
            column("version_num", sqlalchemy.String(32), primary_key=True),
            **TABLE_OPTIONS,
        ),
    )
