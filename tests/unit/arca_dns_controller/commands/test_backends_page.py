# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The messages that docs/backends.md lists under "When something is wrong" are those of the code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
SECTION = (ROOT / "docs" / "backends.md").read_text().split("## When something is wrong")[1].split("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in SECTION.splitlines() if line.startswith("|")
]


def texts() -> Iterator[str]:
    for file in (ROOT / "plugins" / "module_utils" / "arca_dns").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


@pytest.mark.parametrize("row", ROWS[2:], ids=lambda row: row[0])
def test_a_message_is_what_the_code_says(row: list[str]) -> None:
    symptom, messages, way_out = row
    assert symptom
    assert way_out
    found = re.findall(r"``(.+?)``|`([^`]+)`", messages)
    assert found
    known = list(texts())
    for double, single in found:
        assert any((double or single).strip() in text for text in known)
