# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controller's configuration: what it defaults to, and what it refuses; the roles' defaults agree with it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import yaml

from arca_dns.config import Secret, load
from arca_dns.dnssec.policy import Policy
from arca_dns.errors import ConfigError
from arca_dns_controller.auth import KeyRing, Principal, hash_key
from arca_dns_controller.config import ApiKey, ControllerConfig

ROOT = Path(__file__).resolve().parents[3]


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(text, ControllerConfig)
    return {str(place.pointer): place.message for place in caught.value.places}


def test_an_empty_file_is_a_good_one() -> None:
    config = load("", ControllerConfig)
    assert config.api.address() == ("127.0.0.1", 8053)
    assert config.backend.options() == {"path": "/var/lib/arca-dns/controller/state.sqlite", "busy_timeout": 5.0}
    assert config.dnssec.policy() == Policy()
    assert str(config.publish.head_public_key_file) == "/var/lib/arca-dns/controller/head.pub"


@pytest.mark.parametrize(
    ("api", "pointer"),
    [
        ("tls: {cert_file: /a}", "api.tls.key_file"),
        ("tls: {key_file: /a}", "api.tls.cert_file"),
        ("tls: {client_ca_file: /a}", "api.tls.client_ca_file"),
        ("tls: {minimum_version: '1.1'}", "api.tls.minimum_version"),
        ("trusted_proxies: [proxy.example]", "api.trusted_proxies[0]"),
        ("trusted_proxies: [192.0.2.1/24]", "api.trusted_proxies[0]"),
        ("rate: {read_per_second: -1}", "api.rate.read_per_second"),
    ],
)
def test_what_cannot_be_is_named(api: str, pointer: str) -> None:
    assert list(problems(f"api: {{{api}}}")) == [pointer]


@pytest.mark.parametrize(
    "listen", ["8053", "localhost:8053", "::1:8053", "127.0.0.1:x", "127.0.0.1:70000", "[1.2.3.4]:1"]
)
def test_where_to_listen_is_an_address_and_a_port(listen: str) -> None:
    assert "must be an IP address and a port" in problems(f"api: {{listen: '{listen}'}}")["api.listen"]


def test_the_api_listens_on_ipv6() -> None:
    assert load("api: {listen: '[::1]:8053'}", ControllerConfig).api.address() == ("::1", 8053)


def test_keys_are_told_apart_by_name_and_hash() -> None:
    one, two = hash_key("one"), hash_key("two")
    text = f"api: {{keys: [{{name: a, role: admin, sha256: {one}}}, {{name: a, role: agent, sha256: {one}}}]}}"
    assert problems(text) == {
        "api.keys[1].name": "is the same as in keys[0]",
        "api.keys[1].sha256": "is the same as in keys[0]",
    }
    ring = KeyRing([ApiKey("a", "admin", one), ApiKey("b", "agent", two)])
    assert ring.find("two") == Principal("b", "agent")
    assert ring.find("three") is None


def test_a_key_in_clear_is_not_shown_when_it_stands_for_its_hash() -> None:
    assert "sha256" in next(iter(problems("api: {keys: [{name: a, role: admin, sha256: SHORT}]}")))


@pytest.mark.parametrize("backend", ["postgres", "mysql"])
def test_a_server_gets_the_options_that_are_set_and_its_password_stays_secret(backend: str) -> None:
    text = f"backend: {{type: {backend}, {backend}: {{host: db.example, port: 7, password: hunter2}}}}"
    config = load(text, ControllerConfig)
    assert config.backend.options() == {
        "database": "arca_dns",
        "host": "db.example",
        "port": 7,
        "password": Secret("hunter2"),
    }
    assert "hunter2" not in repr(config)
    wrong = f"backend: {{type: {backend}, {backend}: {{password: hunter2, port: 0}}}}"
    assert problems(wrong) == {f"backend.{backend}.port": "must be between 1 and 65535, not 0"}
    both = f"backend: {{type: {backend}, {backend}: {{password: hunter2, password_file: /x}}}}"
    assert problems(both) == {f"backend.{backend}.password_file": "leave out this or password"}


def test_a_git_remote_stays_secret_and_is_needed_to_push_and_pull() -> None:
    remote = "https://bob:hunter2@git.example/zones.git"
    config = load(f"backend: {{type: git, git: {{remote: '{remote}', auto_push: true}}}}", ControllerConfig)
    assert config.backend.options()["remote"] == Secret(remote)
    assert "hunter2" not in repr(config)
    assert problems("backend: {type: git, git: {auto_pull: true}}") == {"backend.git.auto_pull": "needs a remote"}


def test_an_unknown_backend_is_told() -> None:
    assert "is no backend; use one of sqlite" in problems("backend: {type: floppy}")["backend.type"]


def test_a_policy_that_does_not_fit_together_is_refused() -> None:
    assert "refresh must be less than validity" in problems("dnssec: {validity: 5d, refresh: 5d}")["dnssec"]
    assert "not supported" in problems("dnssec: {algorithm: 5}")["dnssec"]


def test_a_lease_lasts_longer_where_renewing_it_costs_more() -> None:
    config = load("", ControllerConfig)
    assert [config.scheduler.seconds(kind) for kind in ("postgres", "mysql", "sqlite", "git")] == [15, 15, 60, 900]
    config = load("scheduler: {lease_ttl: 1m, instance: dns1.example.net}", ControllerConfig)
    assert [config.scheduler.seconds(kind) for kind in ("postgres", "git")] == [60, 60]
    assert set(problems("scheduler: {lease_ttl: 10ms, instance: 'a b'}")) == {
        "scheduler.lease_ttl",
        "scheduler.instance",
    }


def test_paths_are_absolute() -> None:
    assert set(problems("dnssec: {master_key_file: master.key}")) == {"dnssec.master_key_file"}


def test_the_roles_install_the_version_of_this_tree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    defaults = yaml.safe_load((ROOT / "roles/venv/defaults/main.yml").read_text())
    assert defaults["arca_dns_venv_version"] == project["version"]


def test_the_role_writes_the_defaults_of_the_daemon() -> None:
    role = yaml.safe_load((ROOT / "roles/controller/defaults/main.yml").read_text())
    config = ControllerConfig()
    text = yaml.safe_dump(
        {
            "api": {
                "listen": role["arca_dns_controller_listen"],
                "body_limit": role["arca_dns_controller_body_limit"],
                "shutdown_timeout": role["arca_dns_controller_shutdown_timeout"],
            },
            "backend": {"type": role["arca_dns_controller_backend"]},
            "dnssec": {
                "enabled": role["arca_dns_controller_dnssec_enabled"],
                "algorithm": role["arca_dns_controller_dnssec_algorithm"],
            },
            "log": {"level": role["arca_dns_controller_log_level"]},
        }
    )
    assert load(text, ControllerConfig) == config
