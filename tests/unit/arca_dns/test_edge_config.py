# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The edge's configuration file: the shape that operators write, and what they are told when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_dns.edge_config import load
from arca_dns.errors import ConfigError

WHOLE = """\
controller:
  url: https://controller.example.com:8053
  api_key: not-a-secret
  sync_interval: 10m
nsd: {config_path: /etc/nsd/nsd.conf, zone_directory: /var/lib/nsd/zones}
unbound: {config_path: /etc/unbound/unbound.conf, edns_buffer_size: 1232}
bird:
  socket_path: /run/bird/bird.ctl
  anycast_prefixes: [203.0.113.53/32, "2001:db8:53::53/128"]
health:
  check_interval: 30s
  failure_threshold: 3
  recovery_threshold: 5
  nsd_server: 127.0.0.1:53
  unbound_server: 127.0.0.1:5353
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.yaml"
    path.write_text(text)
    return path


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    config = load(written(tmp_path, WHOLE))
    assert config.controller.sync_interval == 600
    assert config.controller.all_urls() == ("https://controller.example.com:8053",)
    assert config.health.check_interval == 30
    assert "not-a-secret" not in repr(config)


def test_several_controllers_are_tried_in_their_order(tmp_path: Path) -> None:
    config = load(written(tmp_path, "controller: {urls: ['http://a:1', 'http://b:2'], api_key_file: /k}\n"))
    assert config.controller.all_urls() == ("http://a:1", "http://b:2")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("controller: {api_key: k}", "controller.url"),
        ("controller: {url: 'http://a', urls: ['http://b'], api_key: k}", "controller.url"),
        ("controller: {url: 'ftp://a', api_key: k}", "controller.url"),
        ("controller: {urls: ['http://a', 'nonsense'], api_key: k}", "controller.urls[1]"),
        ("controller: {url: 'http://user:pass@a', api_key: k}", "controller.url"),
        ("controller: {url: 'http://a'}", "controller.api_key"),
        ("controller: {url: 'http://a', api_key: k, api_key_file: /k}", "controller.api_key"),
        ("controller: {url: 'http://a', api_key: k, head_keys: [short]}", "controller.head_keys[0]"),
        ("controller: {url: 'http://a', api_key: k, sync_interval: soon}", "controller.sync_interval"),
        ("controller: {url: 'http://a', api_key: k}\nnsd: {notify_address: localhost}", "nsd.notify_address"),
        ("controller: {url: 'http://a', api_key: k}\nnsd: {zone_dir: /x}", "nsd.zone_dir"),
        ("controller: {url: 'http://a', api_key: k}\nunbound: {edns_buffer_size: 100}", "unbound.edns_buffer_size"),
        ("controller: {url: 'http://a', api_key: k}\nagent: {name: 'a b'}", "agent.name"),
        ("controller: {url: 'http://a', api_key: k}\nbirds: {}", "birds"),
    ],
)
def test_an_unknown_key_or_a_bad_value_is_named(tmp_path: Path, text: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, text))
    assert key in [place.pointer for place in caught.value.places]
    assert "pass" not in str(caught.value).replace("password", "")
