# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What differs between databases, one class for each."""

from __future__ import annotations

from .base import Dialect, explained
from .mysql import Mysql
from .postgres import Postgres
from .sqlite import Sqlite

__all__ = ["Dialect", "Mysql", "Postgres", "Sqlite", "explained"]
