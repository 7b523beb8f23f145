# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Configuration text becomes typed dataclasses, or one error that names every bad key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest

from arca_dns.config import (
    Pattern,
    Range,
    Seconds,
    Secret,
    Size,
    WholeSeconds,
    build,
    load,
    parse_duration,
    parse_size,
)
from arca_dns.errors import ConfigError, Place


@dataclass(frozen=True)
class Key:
    name: Annotated[str, Pattern(r"[a-z]+", "lower-case letters")]
    role: Literal["admin", "viewer"]
    secret: Secret = field(default_factory=lambda: Secret(""))


@dataclass(frozen=True)
class Api:
    listen: str = "127.0.0.1:8053"
    keys: tuple[Key, ...] = ()
    body_limit: Size = 1 << 20
    port: Annotated[int, Range(1, 65535)] = 8053

    def __post_init__(self) -> None:
        if self.port == 53:
            raise ConfigError("no", [Place("is the DNS port", pointer="port")])
        if self.body_limit == 0:
            raise ValueError("a limit of nothing lets nothing in")


@dataclass(frozen=True)
class Settings:
    url: str
    api: Api = field(default_factory=Api)
    interval: Seconds = 30.0
    validity: WholeSeconds = 1209600
    pause: Annotated[Seconds, Range(0.1, 60)] = 1.0
    note: str | None = None
    enabled: bool = True
    share: float = 0.3
    labels: Mapping[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()


def problems(text: str) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        load(text, Settings, source="/etc/a.yaml")
    return {str(place.pointer): place.message for place in caught.value.places}


def test_reads_every_kind_of_value() -> None:
    settings = load(
        """
        url: http://controller
        api:
          listen: 0.0.0.0:8053
          body_limit: 64KiB
          keys:
            - {name: ops, role: admin, secret: s3cret}
            - {name: dash, role: viewer}
        interval: 1m30s
        validity: 14d
        pause: 500ms
        note: hello
        enabled: false
        share: 1
        labels: {a: 1}
        names: [x, y]
        """,
        Settings,
    )
    assert settings.api.keys == (Key("ops", "admin", Secret("s3cret")), Key("dash", "viewer"))
    assert settings.api.listen == "0.0.0.0:8053"
    assert settings.api.body_limit == 65536
    assert (settings.interval, settings.validity, settings.pause) == (90.0, 14 * 86400, 0.5)
    assert isinstance(settings.validity, int)
    assert settings.note == "hello"
    assert settings.enabled is False
    assert settings.share == 1.0
    assert dict(settings.labels) == {"a": 1}
    assert settings.names == ("x", "y")


def test_defaults_hold_where_nothing_is_written() -> None:
    assert load("url: u", Settings) == Settings("u")
    assert load("url: u\napi:\n", Settings) == Settings("u")
    assert build({"url": "u", "note": None}, Settings).note is None


def test_numbers_are_seconds_and_bytes() -> None:
    settings = build({"url": "u", "interval": 5, "validity": 60, "api": {"body_limit": 10}}, Settings)
    assert (settings.interval, settings.validity, settings.api.body_limit) == (5.0, 60, 10)


def test_all_problems_are_reported_at_once_by_their_keys() -> None:
    found = problems(
        """
        api:
          listne: x
          port: 70000
          keys:
            - {name: OPS, role: amdin}
        interval: soon
        validity: 500ms
        enabled: "yes"
        names: x
        labels: {1: 2}
        pause: 2m
        share: lots
        note: 12
        """
    )
    assert found == {
        "url": "is required",
        "api.listne": "unknown key (did you mean listen?)",
        "api.port": "must be between 1 and 65535, not 70000",
        "api.keys[0].name": "must be lower-case letters, not 'OPS'",
        "api.keys[0].role": "must be one of admin, viewer, not 'amdin' (did you mean admin?)",
        "interval": "'soon' is no duration; write 500ms, 30s, 10m, 2h, 14d or 1h30m",
        "validity": "must be whole seconds, not '500ms'",
        "enabled": "must be true or false, not 'yes'",
        "names": "must be a list, not text",
        "labels.1": "a key must be text, in quotes where it looks like a number",
        "pause": "must be between 0.1 and 60, not 120.0",
        "share": "must be a number, not 'lots'",
        "note": "must be text, not 12; put it in quotes",
    }


def test_a_dataclass_judges_itself_and_its_pointers_are_put_below_it() -> None:
    assert problems("url: u\napi: {port: 53}") == {"api.port": "is the DNS port"}
    assert problems("url: u\napi: {body_limit: 0}") == {"api": "a limit of nothing lets nothing in"}


def test_a_key_written_twice_is_an_error() -> None:
    assert problems("url: u\napi:\n  port: 1\n  port: 2\n") == {"api.port": "is written twice, in lines 3 and 4"}


def test_what_is_no_yaml_is_told_by_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load("url: [", Settings, source="/etc/a.yaml")
    assert caught.value.message == "/etc/a.yaml is not YAML"
    assert caught.value.places[0].line == 1


def test_a_document_that_is_no_mapping_is_an_error() -> None:
    with pytest.raises(ConfigError, match="must be keys and values, not a list"):
        load("- a", Settings)


def test_a_secret_is_not_shown() -> None:
    secret = Secret("s3cret")
    assert "s3cret" not in repr(secret)
    assert "s3cret" not in str(Key("a", "admin", secret))
    assert secret.reveal() == "s3cret"
    assert not Secret("")
    with pytest.raises(ConfigError) as caught:
        build({"name": "a", "role": "admin", "secret": 5551234}, Key)
    assert "5551234" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "seconds"), [("500ms", 0.5), ("30s", 30), ("10m", 600), ("1h30m", 5400), ("14d", 1209600), ("1w", 604800)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "10", "1x", "-1s", "1h foo"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("64KiB", 65536), ("1 MB", 1000000), ("1G", 1 << 30)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_no_sizes() -> None:
    with pytest.raises(ValueError, match="is no size"):
        parse_size("10 stones")
