# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The clients that the one suite runs against."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns.client.base import Client
from arca_dns.client.open import LocalFiles, open_local


@pytest.fixture(params=["local"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    made = open_local("sqlite", LocalFiles.beside(tmp_path / "zones.db"), actor="somebody")
    yield made
    made.close()
