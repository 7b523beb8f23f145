# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real name server for each test: NSD, or each of those that an agent can drive."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from running_knot import RunningKnot
from running_nsd import RunningNsd


@pytest.fixture
def nsd(tmp_path: Path) -> Iterator[RunningNsd]:
    directory = tmp_path / "nsd"
    directory.mkdir()
    made = RunningNsd(directory)
    made.start()
    yield made
    made.stop()


@pytest.fixture(params=["nsd", "knot"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningNsd | RunningKnot]:
    directory = tmp_path / request.param
    directory.mkdir()
    made = RunningKnot(directory) if request.param == "knot" else RunningNsd(directory)
    made.start()
    yield made
    made.stop()
