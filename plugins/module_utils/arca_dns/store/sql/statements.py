# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The statements of every day, made once: to make one costs more than to run it."""

from __future__ import annotations

from itertools import product
from typing import Any, TypeAlias

from ..._deps import sqlalchemy
from .schema import Tables

_Select: TypeAlias = "sqlalchemy.Select[*tuple[Any, ...]]"


class Statements:
    """Statements on *tables*; their parameters are named in the comments."""

    def __init__(self, tables: Tables) -> None:
        bind = sqlalchemy.bindparam
        some: sqlalchemy.BindParameter[Any] = bind("some", expanding=True)
        documents, deletions, blobs = tables.documents, tables.deletions, tables.blobs
        t = documents.c
        #: The newest revision.
        self.revision: _Select = sqlalchemy.select(tables.state.c.revision)
        #: The document at ``key``.
        self.document: _Select = sqlalchemy.select(t.key, t.revision, t.value).where(t.key == bind("key"))
        #: The first ``many`` documents, by whether they begin behind ``edge`` or at it, and whether ``end`` ends them.
        self.scans: dict[tuple[bool, bool], _Select] = {}
        for behind, ends in product((False, True), repeat=2):
            query = sqlalchemy.select(t.key, t.revision, t.value).order_by(t.key).limit(bind("many"))
            query = query.where(t.key > bind("edge") if behind else t.key >= bind("edge"))
            self.scans[behind, ends] = query.where(t.key < bind("end")) if ends else query
        #: The revisions of the documents at ``some`` keys.
        self.revisions: _Select = sqlalchemy.select(t.key, t.revision).where(t.key.in_(some))
        #: Removes the documents at ``some`` keys.
        self.delete: sqlalchemy.Delete = documents.delete().where(t.key.in_(some))
        #: Forgets that ``some`` keys were deleted.
        self.remember: sqlalchemy.Delete = deletions.delete().where(deletions.c.key.in_(some))
        #: The blobs of ``some`` digests.
        self.blobs: _Select = sqlalchemy.select(blobs.c.digest, blobs.c.data).where(blobs.c.digest.in_(some))
