# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the command finds its controller, and what it says when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_dns.errors import ConfigError
from arca_dns_cli.settings import Given, Target, connect, find

CONFIG = """\
current: lab
contexts:
  lab: {backend: sqlite, path: ~/lab.db}
  prod: {url: [https://a.test, https://b.test], key_file: /keys/prod, ca_file: /keys/ca}
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "arca-dns").mkdir()
    (tmp_path / "arca-dns/config.yml").write_text(CONFIG)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


def test_nothing_given_says_what_to_give() -> None:
    with pytest.raises(ConfigError, match="--url URL"):
        find(Given(), {})


def test_the_current_context_is_taken(environ: dict[str, str]) -> None:
    assert find(Given(), environ) == Target(backend="sqlite", path=Path("~/lab.db").expanduser())


def test_a_context_is_chosen(environ: dict[str, str]) -> None:
    found = find(Given(context="prod"), environ)
    assert found.urls == ("https://a.test", "https://b.test")
    assert (found.key_file, found.ca_file) == (Path("/keys/prod"), Path("/keys/ca"))


def test_the_environment_goes_before_the_file_and_options_before_both(environ: dict[str, str]) -> None:
    environ |= {"ARCA_DNS_URL": "https://c.test", "ARCA_DNS_API_KEY": "s3cret"}
    found = find(Given(), environ)
    assert (found.urls, found.key) == (("https://c.test",), "s3cret")
    found = find(Given(urls=("https://d.test",), key_file=Path("/keys/other")), environ)
    assert (found.urls, found.key, found.key_file) == (("https://d.test",), None, Path("/keys/other"))


def test_a_key_in_the_environment_shows_nowhere() -> None:
    assert "s3cret" not in repr(find(Given(urls=("https://a.test",)), {"ARCA_DNS_API_KEY": "s3cret"}))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("contexts: {a: {api_key: s3cret}}", "/contexts/a/api_key: is not taken from here"),
        ("context: {}", "/context: is not known"),
        ("s3cret", "is no configuration"),
        ("current: b\ncontexts: {a: {}}", "there is no context 'b'"),
        ("a: [s3cret", "is not valid YAML"),
    ],
)
def test_a_bad_file_is_refused_without_repeating_a_secret(environ: dict[str, str], text: str, says: str) -> None:
    Path(environ["XDG_CONFIG_HOME"], "arca-dns/config.yml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        find(Given(), environ)
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        Given(urls=("https://a.test",), backend="sqlite"),
        Given(backend="git", path=Path("x")),
        Given(backend="sqlite"),
        Given(path=Path("x"), urls=("https://a.test",)),
        Given(context="none"),
        Given(config=Path("/nowhere/config.yml")),
    ],
)
def test_what_does_not_fit_together_is_refused(given: Given) -> None:
    with pytest.raises(ConfigError):
        find(given, {})


def test_a_key_that_is_missing_or_empty_is_said(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    for key_file, says in (
        (None, "no API key is given"),
        (tmp_path / "no", "cannot be read"),
        (tmp_path / "empty", "holds no API key"),
    ):
        with pytest.raises(ConfigError, match=says):
            connect(Target(urls=("https://a.test",), key_file=key_file))
