# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The edge agent: follows the signed head, feeds NSD, attests. Zone and transfer logic lives in arca_dns."""

from __future__ import annotations

__version__ = "0.1.0"
