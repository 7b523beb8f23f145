# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store in a relational database: one implementation on SQLAlchemy Core, one small dialect class per database."""

from __future__ import annotations

from .store import SqlStore

__all__ = ["SqlStore"]
