# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""arca-dns rings against a controller with two rings: what is shown, promoted, waited for and taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns.client.http import HttpClient
from arca_dns_cli.commands import rings
from controller_process import KEY, configuration, free_port, run, running


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("controller")
    number = free_port()
    config = configuration(folder / "c", number, publish=", rings: [canary, stable], maintenance_interval: 1")
    assert run("init", "--config", config).returncode == 0
    with running(config, folder):
        yield number


@pytest.fixture
def arca(bare, port: int, tmp_path: Path):  # type: ignore[no-untyped-def]
    key = tmp_path / "key"
    key.write_text(KEY)
    return lambda *arguments: bare("--url", f"http://127.0.0.1:{port}", "--key-file", str(key), *arguments)


def test_a_ring_is_promoted_when_its_gates_are_open_and_taken_back(
    arca, port: int, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = HttpClient(f"http://127.0.0.1:{port}", KEY)
    assert arca("zones", "import", str(file), "--yes").status == 0
    assert arca("rings", "promote", "stable", "--force", "--yes").status == 0
    assert arca("rrsets", "set", "example.com", "www", "A", "192.0.2.9").status == 0
    planned = arca("rings", "promote", "stable", "--dry-run")
    assert (planned.status, "1 modified" in planned.out + planned.err) == (0, True)
    waiting = arca("rings", "promote", "stable", "--soak", "1")
    assert (waiting.status, "no edge of ring canary" in waiting.out) == (0, True)
    assert "waiting" in arca("rings", "list").out
    head = client.call("GET", "/rings/canary")["head"]
    client.call("PUT", "/edges/edge1/attestation", (), {"ring": "canary", "head": head, "failures": []})
    monkeypatch.setattr(rings, "_LOOK_SECONDS", 0.2)
    done = arca("rings", "promote", "stable", "--soak", "1", "--wait", "--timeout", "30", "--json")
    assert done.status == 0, done.err
    assert done.json()["promotion"]["state"] == "promoted"
    listed = {one["ring"]: one for one in arca("rings", "list", "--json").json()}
    assert listed["stable"]["catalog"] == listed["canary"]["catalog"]
    assert arca("rings", "abort", "stable", "--yes", "--reason", "test").status == 0
    again = {one["ring"]: one for one in arca("rings", "list", "--json").json()}
    assert again["stable"]["catalog"] != listed["stable"]["catalog"]
    assert again["stable"]["head"] > listed["stable"]["head"]
    assert arca("rings", "abort", "stable", "--yes").status == 4
    assert "edge1" in arca("edges").out


def test_who_waits_is_told_in_time(arca, port: int, file: Path) -> None:
    client = HttpClient(f"http://127.0.0.1:{port}", KEY)
    assert arca("zones", "import", str(file), "--yes").status == 0
    assert arca("rrsets", "set", "example.com", "late", "A", "192.0.2.9").status == 0
    client.call("PUT", "/edges/edge1/attestation", (), {"ring": "canary", "head": 1, "failures": []})
    late = arca("rings", "promote", "stable", "--wait", "--timeout", "1")
    assert late.status != 0
    assert "still waits after 1 s: edge edge1 serves revision 1" in late.err
