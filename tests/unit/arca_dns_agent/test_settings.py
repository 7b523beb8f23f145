# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent's settings and the commands that read them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arca_dns.edge_config import load
from arca_dns.errors import ConfigError
from arca_dns_agent.cli import app
from arca_dns_agent.settings import Settings
from transfers import SECRET

TSIG = f'key:\n    name: "arca-dns."\n    algorithm: hmac-sha256\n    secret: "{SECRET}"\n'
HEAD_KEY = "A" * 43 + "="


def config(tmp_path: Path, **changes: str) -> Path:
    (tmp_path / "api.key").write_text("the-api-key\n")
    (tmp_path / "tsig.conf").write_text(TSIG)
    values = {
        "api_key_file": str(tmp_path / "api.key"),
        "head_keys": f'["{HEAD_KEY}"]',
        "tsig_file": str(tmp_path / "tsig.conf"),
        "listen": '"127.0.0.1:5354"',
        **changes,
    }
    path = tmp_path / "agent.yaml"
    path.write_text(
        "controller: {{url: 'http://c:8053', api_key_file: '{api_key_file}', head_keys: {head_keys}}}\n"
        "agent: {{name: edge7, state_directory: '{state}'}}\n"
        "nsd: {{tsig_file: '{tsig_file}', primary_listen: {listen}, notify_address: '[::1]:5300'}}\n".format(
            state=tmp_path / "state", **values
        )
    )
    return path


def test_settings_and_secrets_are_read(tmp_path: Path) -> None:
    settings = Settings.of(load(config(tmp_path)))
    assert (settings.edge, settings.api_key.reveal()) == ("edge7", "the-api-key")
    assert (settings.server, settings.listen) == (("::1", 5300), ("127.0.0.1", 5354))
    assert settings.head_keys == [bytes(32)]
    assert SECRET not in repr(settings)
    assert "the-api-key" not in repr(settings)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"api_key_file": "/does/not/exist"}, "controller.api_key_file"),
        ({"tsig_file": "/does/not/exist"}, "nsd.tsig_file"),
        ({"head_keys": "[]"}, "controller.head_keys"),
        ({"listen": '"127.0.0.1:99999"'}, "nsd.primary_listen"),
        ({"listen": '"300.0.0.1:53"'}, "nsd.primary_listen"),
    ],
)
def test_check_config_names_what_is_wrong(tmp_path: Path, changes: dict[str, str], key: str) -> None:
    path = config(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        Settings.of(load(path))
    assert [place.pointer for place in caught.value.places] == [key]
    done = CliRunner().invoke(app, ["check-config", "--config", str(path)])
    assert (done.exit_code, key in done.output) == (1, True)


def test_knot_has_settings_of_its_own_and_its_own_syntax_of_keys(tmp_path: Path) -> None:
    path = config(tmp_path)
    key = tmp_path / "knot-tsig.conf"
    key.write_text(f"key:\n  - id: arca-dns.\n    algorithm: hmac-sha256\n    secret: {SECRET}\n")
    knot = f"{{tsig_file: '{key}', control_socket: /run/k.sock, notify_address: '127.0.0.1:5399', template: edge}}"
    path.write_text(f"{path.read_text()}server: knot\nknot: {knot}\nunbound: {{enabled: true}}\n")
    settings = Settings.of(load(path))
    assert (settings.driver, settings.control_socket, settings.pattern) == ("knot", Path("/run/k.sock"), "edge")
    assert settings.server == ("127.0.0.1", 5399)
    assert settings.tsig.name == b"\x08arca-dns\0"
    assert settings.resolver_socket == Path("/run/unbound.ctl")
    key.write_text("key:\n  - algorithm: hmac-sha256\n    secret: x\n")
    with pytest.raises(ConfigError, match="no key clause with id"):
        Settings.of(load(path))


def test_a_tsig_file_without_a_secret_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path)
    (tmp_path / "tsig.conf").write_text("key:\n name: x.\n algorithm: hmac-sha256\n")
    with pytest.raises(ConfigError, match="secret"):
        Settings.of(load(path))


def test_check_config_accepts_a_good_file(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["check-config", "--config", str(config(tmp_path))])
    assert (done.exit_code, done.output.strip().endswith("is valid")) == (0, True)


def test_status_shows_each_zone_and_fails_unless_all_are_served(tmp_path: Path) -> None:
    path = config(tmp_path)
    runner = CliRunner()
    assert "running" in runner.invoke(app, ["status", "--config", str(path)]).output
    (tmp_path / "state").mkdir()
    zone = {"name": "example.com.", "serial": 5, "served": 4, "state": "failed", "reason": "serial 5 is not served"}
    document = {
        "edge": "edge7",
        "head": 3,
        "head_held": 4,
        "head_expires": "2026-01-01T00:00:00Z",
        "controller": {"url": "http://c:8053", "reachable": False, "last_contact": None, "problem": "no route"},
        "server": {"version": "NSD 4.6.1", "problem": None},
        "zones": [zone],
        "updated": "2026-01-01T00:00:00Z",
    }
    (tmp_path / "state" / "status.json").write_text(json.dumps(document))
    done = runner.invoke(app, ["status", "--config", str(path)])
    assert done.exit_code == 1
    for text in ("3 served, 4 held", "does not answer", "no route", "example.com.", "serial 5 is not served"):
        assert text in done.output
    assert json.loads(runner.invoke(app, ["status", "--json", "--config", str(path)]).output) == document
    document["zones"] = [{**zone, "state": "served", "reason": None}]
    (tmp_path / "state" / "status.json").write_text(json.dumps(document))
    assert runner.invoke(app, ["status", "--config", str(path)]).exit_code == 0
