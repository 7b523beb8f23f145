# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A real controller beside its OpenAPI description: it answers what schemathesis makes of that as described."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from running_controller import KEY, Controller, Forks

pytestmark = pytest.mark.conformance
ROOT = Path(__file__).resolve().parents[3]
# The run is the same each time: a failure can be looked at, and comes from a change.
SEED = "1"
CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = "3"
BUDGET = "30"  # seconds, shared by the phases
SECONDS = 180


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    with closing(Forks()) as forks:
        made = Controller(forks, "sqlite", {"path": str(tmp_path / "zones.db")}, tmp_path)
        made.init()
        made.start()
        yield made
        made.kill()


def test_the_controller_answers_as_its_description_says(controller: Controller, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"]
    options = [
        "--max-examples",
        EXAMPLES,
        "--seed",
        SEED,
        "--generation-deterministic",
        "--no-color",
        "--max-time",
        BUDGET,
    ]
    target = ["--url", f"http://127.0.0.1:{controller.port}", "-H", f"Authorization: Bearer {KEY}"]
    done = subprocess.run(
        [*command, str(ROOT / "docs/openapi.yaml"), *target, *options],
        cwd=tmp_path,  # it keeps what it found in the folder where it runs
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert controller.alive()
