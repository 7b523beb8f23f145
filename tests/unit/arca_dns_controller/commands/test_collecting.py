# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``arca-dns-controller collect``, and the section ``history`` of the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest
from typer.testing import CliRunner, Result

from arca_dns.config import build
from arca_dns.errors import ConfigError
from arca_dns.retention import Rules
from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns_controller.cli import app
from arca_dns_controller.config import ControllerConfig, read
from arca_dns_controller.wiring import initialise
from controller_files import configuration, opened
from moved_state import zone_text

ZONE = names.from_text("a.example.")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = configuration(tmp_path / "c")
    file.write_text(f"{dedent(file.read_text())}\nhistory: {{max_versions_per_zone: 2}}\n")
    initialise(read(file))
    with opened(file) as service:
        service.create_zone(ZONE, parse(zone_text("a.example", 3)).rrsets, actor="a")
        for first in (1, 2, 3):
            content = parse(zone_text("a.example", 3, first)).rrsets
            service.replace_zone(ZONE, content, if_version=None, actor="a", force=True)
    return file


def test_what_is_due_goes_and_is_counted(config: Path) -> None:
    result = run("collect", "--config", config)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(
        "removed 2 versions, 0 publications, 0 heads, 0 deleted zones, 0 entries of the audit log and 0 blobs; "
    ), "blobs of the last hour stay"
    with opened(config) as service:
        assert len(service.versions(ZONE)) == 2


def test_what_went_is_printed_as_json(config: Path) -> None:
    answer = json.loads(run("collect", "--config", config, "--json").stdout)
    assert answer["removed"] == {"versions": 2, "publications": 0, "heads": 0, "zones": 0, "entries": 0, "blobs": 0}
    assert answer["kept"]["blobs"] > 5


def test_a_damaged_store_is_one_line_and_loses_nothing(config: Path) -> None:
    with opened(config) as service:
        root = service.zone(ZONE).source.root
        service.store._transact(  # type: ignore[attr-defined]
            lambda connection: connection.exec_driver_sql(
                "DELETE FROM arca_blobs WHERE digest = ?", (bytes.fromhex(root),)
            )
        )
    result = run("collect", "--config", config)
    assert result.exit_code == 1
    assert "needs: nothing is collected until it is repaired" in result.stderr
    assert result.stderr.count("\n") == 1


def test_the_defaults_keep_every_version_and_deleted_zones_for_a_month() -> None:
    assert build({}, ControllerConfig).history.rules() == Rules(0, 0, 30, 365, 21600)


@pytest.mark.parametrize(
    "history", [{"max_versions_per_zone": -1}, {"deleted_days": "many"}, {"sweep_interval": 1}, {"days": 3}]
)
def test_a_mistake_in_the_section_is_named(history: dict[str, object]) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"history": history}, ControllerConfig)
    assert [place.pointer for place in caught.value.places] == [f"history.{next(iter(history))}"]
