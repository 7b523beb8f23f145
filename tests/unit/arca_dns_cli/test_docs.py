# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""docs/cli.md: its examples work, and no command is missing."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import yaml

from arca_dns_cli.settings import Given, find

PAGE = (Path(__file__).resolve().parents[3] / "docs/cli.md").read_text()
EXAMPLES = [shlex.split(line)[1:] for line in PAGE.splitlines() if line.startswith("    arca-dns ")]


def test_the_first_examples_work_one_after_another(arca, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    assert EXAMPLES
    for example in EXAMPLES:
        wanted = 10 if "--exit-code" in example else 0
        assert arca(*example).status == wanted, example


def test_the_configuration_is_one(tmp_path: Path) -> None:
    text = PAGE.split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "config.yml"
    path.write_text(text)
    assert len(find(Given(config=path), {}).urls) == len(yaml.safe_load(text)["contexts"]["prod"]["url"])
    assert find(Given(config=path, context="try"), {}).backend == "sqlite"
