# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The ways in which a prefix is announced, from the most to the least attractive."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """How a prefix is announced; role bird says what BGP attributes each has."""

    ANNOUNCED = "announced"
    DEGRADED = "degraded"
    DRAINING = "draining"
    WITHDRAWN = "withdrawn"
