# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From options, as they stand in a configuration, to an open Git store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from .store import GitStore


def open_git(
    path: str,
    *,
    branch: str = "main",
    author: str = "arca.dns",
    email: str = "arca-dns@localhost",
    clock: Callable[[], float] = time.time,
) -> GitStore:
    """Open the bare repository at *path*; make it if it is missing."""
    return GitStore(Path(path), branch=branch, author=author, email=email, clock=clock)
