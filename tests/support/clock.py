# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Time that only tests move."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Clock:
    """Seconds, those since 1970 unless a test says otherwise."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now
