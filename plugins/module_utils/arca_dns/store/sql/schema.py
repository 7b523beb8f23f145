# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The tables, as the newest migration leaves them.

How a database gets there is in :mod:`.migrations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ..._deps import require, sqlalchemy


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
    """The column type of document keys: texts that sort by code point, whatever the database's locale."""
    text = sqlalchemy.String(1024)
    return text.with_variant(sqlalchemy.String(1024, collation="C"), "postgresql")


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
        ),
        documents=sqlalchemy.Table(
            "arca_documents",
            metadata,
            column("key", key_type(), primary_key=True),
            column("revision", integer, nullable=False, index=True),
            column("value", sqlalchemy.Text, nullable=False),
        ),
        # Keys that are gone, for watchers; a key is here or in documents, never in both.
        deletions=sqlalchemy.Table(
            "arca_deletions",
            metadata,
            column("key", key_type(), primary_key=True),
            column("revision", integer, nullable=False, index=True),
        ),
        blobs=sqlalchemy.Table(
            "arca_blobs",
            metadata,
            column("digest", digest_type(), primary_key=True),
            column("written", sqlalchemy.Double, nullable=False),  # unix seconds
            column("data", sqlalchemy.LargeBinary, nullable=False),
        ),
        # The table that Alembic itself keeps, so that its own commands understand the database.
        version=sqlalchemy.Table(
            "alembic_version",
            metadata,
            column("version_num", sqlalchemy.String(32), primary_key=True),
        ),
    )
