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
    (plan,) = settings.plans
    assert plan.services == {
        ip_network("203.0.113.0/24"): (ip_address("203.0.113.53"),),
        ip_network("2001:db8:53::53/128"): (ip_address("2001:db8:53::53"),),
    }
    assert str(plan.nsd_server) == "127.0.0.1#5300"
    assert str(plan.unbound_server) == "::1"
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


SERVICES = """\
  latency_limit: 100ms
  latency_percentile: 90
  records: [{name: www.example.org, type: A, value: 192.0.2.1}]
  command: [/usr/local/bin/check, --fast]
  services:
    - {name: old, prefixes: [203.0.113.0/24]}
    - {name: new, prefixes: ["2001:db8:53::53/128"], zones: [example.net], command: [/bin/other]}
"""


def test_services_have_checks_of_their_own_where_they_say_so(config: Path) -> None:
    config.write_text(CONFIG + SERVICES)
    old, new = Settings.of(load(config)).plans
    assert [str(prefix) for prefix in old.services] == ["203.0.113.0/24"]
    assert old.name
    assert old.name != new.name
    assert (old.command, old.zones) == (("/usr/local/bin/check", "--fast"), ())
    assert (new.command, new.zones) == (("/bin/other",), ("example.net.",))
    assert old.records == new.records
    assert [(one.name, int(one.rdtype), one.value) for one in old.records] == [("www.example.org.", 1, "192.0.2.1")]
    assert (new.latency.limit, new.latency.percentile, new.latency.window) == (0.1, 90, 20)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("[203.0.113.0/24]}", "[198.51.100.0/24]}", "health.services[0].prefixes[0]"),
        ("[example.net]", "['..']", "health.services[1].zones[0]"),
        ("type: A,", "type: B,", "health.records[0]"),
        ("value: 192.0.2.1}", "value: nowhere}", "health.records[0]"),
    ],
)
def test_services_that_cannot_be_are_refused_by_key(config: Path, old: str, new: str, key: str) -> None:
    config.write_text(CONFIG + SERVICES.replace(old, new))
    with pytest.raises(ConfigError) as caught:
        Settings.of(load(config))
    assert caught.value.places[0].pointer == key


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
