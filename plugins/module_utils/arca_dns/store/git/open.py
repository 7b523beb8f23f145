# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From options, as they stand in a configuration, to an open Git store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ..._deps import require
from ...config import Secret
from .remote import Remote
from .store import GitStore


def open_git(
    path: str,
    *,
    branch: str = "main",
    remote: Secret | str | None = None,
    auto_push: bool = False,
    auto_pull: bool = False,
    pull_interval: float = 30.0,
    author: str = "arca.dns",
    email: str = "arca-dns@localhost",
    clock: Callable[[], float] = time.time,
) -> GitStore:
    """Open the bare repository at *path*; where it is missing make it, from *remote* if that has a state.

    *remote* is pushed to after commits with *auto_push*; with *auto_pull* the controller looks at it every
    *pull_interval* seconds. *author* and *email* are the controller's own.
    """
    require("dulwich")
    url = Secret(remote) if isinstance(remote, str) else remote
    return GitStore(
        Path(path),
        branch=branch,
        author=author,
        email=email,
        remote=Remote(Path(path), branch, url) if url else None,
        auto_push=auto_push,
        auto_pull=auto_pull,
        clock=clock,
    )
