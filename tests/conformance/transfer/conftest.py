# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real NSD for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from running_nsd import RunningNsd


@pytest.fixture
def nsd(tmp_path: Path) -> Iterator[RunningNsd]:
    directory = tmp_path / "nsd"
    directory.mkdir()
    made = RunningNsd(directory)
    made.start()
    yield made
    made.stop()
