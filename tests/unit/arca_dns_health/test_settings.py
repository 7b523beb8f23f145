# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From the edge's configuration file to the daemon's settings, and the command that checks it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arca_dns.edge_config import load
from arca_dns.errors import ConfigError
from arca_dns_health.cli import app
from arca_dns_health.settings import Settings, services

CONFIG = """\
controller: {url: "http://10.99.0.10:8053", api_key: secret}
bird:
  anycast_prefixes: [203.0.113.0/24, "2001:db8:53::53/128"]
  service_addresses: [203.0.113.53]
health:
  check_interval: 500ms
  failure_threshold: 2
  nsd_server: "127.0.0.1:5300"
  unbound_server: "[::1]:53"
  on_stop: keep
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(CONFIG)
    return path


def test_settings_are_read(config: Path) -> None:
    settings = Settings.of(load(config))
    assert settings.plan.services == {
        ip_network("203.0.113.0/24"): (ip_address("203.0.113.53"),),
        ip_network("2001:db8:53::53/128"): (ip_address("2001:db8:53::53"),),
    }
    assert str(settings.plan.nsd_server) == "127.0.0.1#5300"
    assert str(settings.plan.unbound_server) == "::1"
    assert settings.thresholds.failure == 2
    assert settings.pace.normal == 0.5
    assert settings.pace.fast <= settings.pace.normal
    assert not settings.withdraw_on_stop


@pytest.mark.parametrize(
    ("prefixes", "addresses", "place"),
    [
        (["203.0.113.0/24"], [], "bird.anycast_prefixes[0]"),
        (["203.0.113.53/24"], [], "bird.anycast_prefixes[0]"),
        (["203.0.113.53/32"], ["203.0.113"], "bird.service_addresses[0]"),
        ([], [], "bird.anycast_prefixes"),
    ],
)
def test_prefixes_that_cannot_be_served_are_refused_by_key(
    prefixes: list[str], addresses: list[str], place: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        services(prefixes, addresses)
    assert [found.pointer for found in caught.value.places] == [place]


def test_check_config_is_content_with_a_valid_file(config: Path) -> None:
    assert CliRunner().invoke(app, ["check-config", "--config", str(config)]).exit_code == 0


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("check_interval: 500ms", "check_intervall: 500ms", "health.check_intervall"),
        ("check_interval: 500ms", "check_interval: soon", "health.check_interval"),
        ("127.0.0.1:5300", "127.0.0.1:70000", "health.nsd_server"),
    ],
)
def test_check_config_names_the_key_that_is_wrong(config: Path, old: str, new: str, key: str) -> None:
    config.write_text(CONFIG.replace(old, new))
    result = CliRunner().invoke(app, ["check-config", "--config", str(config)])
    assert result.exit_code == 1
    assert key in result.output


def test_status_without_a_daemon_says_so(config: Path, tmp_path: Path) -> None:
    config.write_text(CONFIG + f"  state_file: {tmp_path}/none.json\n")
    result = CliRunner().invoke(app, ["status", "--config", str(config)])
    assert result.exit_code == 1
    assert "arca-dns-health.service" in result.output
