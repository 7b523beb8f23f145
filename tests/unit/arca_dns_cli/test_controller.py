# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The commands that only a controller can answer, against one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller_process import KEY, configuration, free_port, run, running


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("controller")
    number = free_port()
    config = configuration(folder / "c", number)
    assert run("init", "--config", config).returncode == 0
    with running(config, folder):
        yield number


@pytest.fixture
def arca(bare, port: int, tmp_path: Path):  # type: ignore[no-untyped-def]
    key = tmp_path / "key"
    key.write_text(KEY)
    return lambda *arguments: bare("--url", f"http://127.0.0.1:{port}", "--key-file", str(key), *arguments)


@pytest.fixture
def zone(arca, file: Path) -> Iterator[str]:
    assert arca("zones", "import", str(file), "--yes").status == 0
    yield "example.com."
    assert arca("zones", "delete", "example.com", "--yes", "--force").status == 0


def test_what_was_done_is_found_in_the_audit_log_and_among_events(arca, zone: str) -> None:
    entries = arca("audit", "--zone", zone, "--kind", "zone.created", "--json").json()
    assert entries[0]["actor"] == "admin"
    assert zone in arca("audit").out
    events = [json.loads(line) for line in arca("events", "--after", "1", "--kind", "zone.", "--json").out.splitlines()]
    assert {"zone.created", "zone.published"} <= {event["kind"] for event in events}
    assert arca("events", "--after", "99999999").status == 1


def test_records_are_found_page_by_page(arca, zone: str) -> None:
    found = arca("search", "--value", "192.0.2.1", "--json").json()
    assert [(one["zone"], one["name"], one["values"]) for one in found] == [(zone, "www.example.com.", ["192.0.2.1"])]
    assert "192.0.2.53" in arca("search", "--type", "A").out
    assert len(arca("search", "--type", "A", "--limit", "1", "--json").json()) == 1


def test_keys_of_a_zone_and_the_state_are_shown(arca, zone: str) -> None:
    assert sorted(key["role"] for key in arca("keys", zone, "--json").json()) == ["ksk", "zsk"]
    assert "ksk" in arca("keys", zone).out
    assert arca("status", "--json").json()["backend"] == "sqlite"


def test_tokens_are_made_rotated_and_revoked(arca, bare, port: int, tmp_path: Path) -> None:
    secret = tmp_path / "deploy.key"
    made = arca("tokens", "create", "deploy", "--role", "viewer", "--limit-zone", "example.com", "--save", str(secret))
    assert (made.status, secret.read_text().strip() in made.out + made.err) == (0, False)
    (listed,) = arca("tokens", "list", "--json").json()
    assert (listed["name"], listed["limits"]) == ("deploy", {"zones": ["example.com"]})

    def status(file: Path) -> int:
        done: int = bare("--url", f"http://127.0.0.1:{port}", "--key-file", str(file), "zones", "list").status
        return done

    assert status(secret) == 0
    newer = tmp_path / "newer.key"
    assert arca("tokens", "rotate", listed["id"], "--save", str(newer)).status == 0
    assert (status(secret), status(newer)) == (1, 0)
    assert arca("tokens", "revoke", listed["id"], "--yes").status == 0
    assert status(newer) == 1
