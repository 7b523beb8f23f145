# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The health check: probes this edge and announces or withdraws its prefixes. It never changes what is served."""

from __future__ import annotations

__version__ = "0.1.0"
