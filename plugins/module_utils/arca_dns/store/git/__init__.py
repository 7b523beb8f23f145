# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store in a Git repository: one commit per transaction, readable zone files beside the state."""

from __future__ import annotations

from .open import open_git
from .store import GitStore

__all__ = ["GitStore", "open_git"]
