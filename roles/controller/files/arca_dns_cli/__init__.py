# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The command arca-dns: a person's and a script's way to a controller, or to a store in this process."""

from __future__ import annotations

__version__ = "0.1.0"
