# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The controller daemon: HTTP API, command line and scheduler around the library. DNS logic lives in arca_dns."""

from __future__ import annotations

__version__ = "0.1.0"
