# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The command on a store in this process."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from arca_dns_cli.main import run

TEXT = """\
$ORIGIN example.com.
$TTL 300
@ SOA ns1 hostmaster 7 10800 3600 1209600 300
@ NS ns1
ns1 A 192.0.2.53
www 60 A 192.0.2.1
"""


@dataclass(frozen=True)
class Done:
    """What a run of the command left."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


class Terminal(io.StringIO):
    """Standard input of somebody who answers."""

    def isatty(self) -> bool:
        return True


Command = Callable[..., Done]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """The command as it is called; nothing of this machine's configuration counts."""
    for name in ("URL", "API_KEY", "API_KEY_FILE", "CA_FILE", "CONTEXT", "CONFIG"):
        monkeypatch.delenv(f"ARCA_DNS_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def call(*arguments: str, answers: str | None = None) -> Done:
        monkeypatch.setattr("sys.stdin", io.StringIO() if answers is None else Terminal(answers))
        status = run(arguments)
        return Done(status, *capsys.readouterr())

    return call


@pytest.fixture
def arca(bare: Command, tmp_path: Path) -> Command:
    """The command on a store."""

    def call(*arguments: str, answers: str | None = None) -> Done:
        return bare("--backend", "sqlite", "--path", str(tmp_path / "zones.db"), *arguments, answers=answers)

    return call


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A zone file."""
    path = tmp_path / "example.com.zone"
    path.write_text(TEXT)
    return path


@pytest.fixture
def zone(arca: Command, file: Path) -> str:
    """A zone that is there."""
    assert arca("zones", "import", str(file), "-m", "first").status == 0
    return "example.com"
