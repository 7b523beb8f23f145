# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Where the command finds its controller or its store: options, then environment, then a context of the file."""

from __future__ import annotations

import getpass
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from arca_dns.client.base import Client
from arca_dns.client.http import HttpClient
from arca_dns.client.open import LocalFiles, open_local
from arca_dns.client.sending import make_opener
from arca_dns.errors import ConfigError, Place

RETRIES = 3
_CONTEXT_KEYS = {"url", "key_file", "ca_file", "backend", "path"}


@dataclass(frozen=True, slots=True)
class Given:
    """What stands on the command line; ``None`` and empty where nothing does."""

    urls: Sequence[str] = ()
    key_file: Path | None = None
    ca_file: Path | None = None
    context: str | None = None
    config: Path | None = None
    backend: str | None = None
    path: Path | None = None
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """One controller (at several URLs, perhaps), or with *backend* a store in this process."""

    urls: tuple[str, ...] = ()
    key: str | None = None
    key_file: Path | None = None
    ca_file: Path | None = None
    backend: str | None = None
    path: Path | None = None
    timeout: float = 30.0

    def __repr__(self) -> str:
        return f"Target(urls={self.urls!r}, backend={self.backend!r}, path={self.path!r})"


def find(given: Given, environ: Mapping[str, str]) -> Target:
    """What to work on. Raises :class:`ConfigError`, which says what to give."""
    context = _context(given, environ)
    if given.backend is None and given.path is not None:
        raise ConfigError("--path goes with --backend sqlite")
    if given.backend is not None and given.urls:
        raise ConfigError("--url and --backend exclude each other: is it a controller, or a store in this process?")
    named = given.urls or tuple(environ.get("ARCA_DNS_URL", "").replace(",", " ").split())
    backend = given.backend or (None if named else _text(context.get("backend")))
    if backend is not None:
        if backend != "sqlite":
            raise ConfigError(f"the backend {backend!r} cannot be opened here: only sqlite, others have a controller")
        path = given.path or _path(context.get("path"))
        if path is None:
            raise ConfigError("the file of the store is not given: --path FILE")
        return Target(backend=backend, path=path)
    listed = context.get("url") or ()
    urls = tuple(named) or tuple([listed] if isinstance(listed, str) else map(str, listed))
    if not urls:
        raise ConfigError(
            "no controller is given: --url URL, ARCA_DNS_URL, or a context in the configuration file"
            " (or --backend sqlite --path FILE for a store in this process)"
        )
    return Target(
        urls=urls,
        key=None if given.key_file else environ.get("ARCA_DNS_API_KEY") or None,
        key_file=given.key_file or _path(environ.get("ARCA_DNS_API_KEY_FILE")) or _path(context.get("key_file")),
        ca_file=given.ca_file or _path(environ.get("ARCA_DNS_CA_FILE")) or _path(context.get("ca_file")),
        timeout=given.timeout,
    )


def connect(target: Target) -> Client:
    """A client of *target*. Raises ``ArcaError``."""
    if target.backend is not None and target.path is not None:
        return open_local(target.backend, LocalFiles.beside(target.path), actor=_user())
    key = target.key or _key(target.key_file)
    opener = make_opener(ca_path=None if target.ca_file is None else str(target.ca_file))
    return HttpClient(
        target.urls[0], key, others=target.urls[1:], timeout=target.timeout, retries=RETRIES, opener=opener
    )


def _key(path: Path | None) -> str:
    if path is None:
        raise ConfigError("no API key is given: --key-file FILE, ARCA_DNS_API_KEY or ARCA_DNS_API_KEY_FILE")
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the API key in {path} cannot be read: {_reason(error)}") from None
    if not key:
        raise ConfigError(f"the file {path} holds no API key")
    return key


def _context(given: Given, environ: Mapping[str, str]) -> Mapping[str, Any]:
    """The context that is asked for, or the file's current one, or nothing."""
    path = given.config or _path(environ.get("ARCA_DNS_CONFIG"))
    asked = given.context or environ.get("ARCA_DNS_CONTEXT")
    if path is None:
        home = environ.get("XDG_CONFIG_HOME") or environ.get("HOME")
        folder = None if home is None else Path(home) / ("" if environ.get("XDG_CONFIG_HOME") else ".config")
        path = None if folder is None else folder / "arca-dns" / "config.yml"
        if path is None or not path.exists():
            if asked:
                raise ConfigError(f"there is no context {asked!r}: there is no configuration file at {path}")
            return {}
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {_reason(error)}") from None
    return _checked(value or {}, asked, path)


def _checked(value: Any, asked: str | None, path: Path) -> Mapping[str, Any]:
    contexts = value.get("contexts", {}) if isinstance(value, dict) else None
    if not isinstance(contexts, dict) or not all(isinstance(one, dict) for one in contexts.values()):
        raise ConfigError(f"{path} is no configuration: it has `current` and `contexts`, which has names with options")
    places = [Place("is not known", pointer=f"/{key}") for key in value if key not in ("current", "contexts")]
    for name, context in contexts.items():
        places += [
            Place(
                "is not known" if key != "api_key" else "is not taken from here: name a file with key_file",
                pointer=f"/contexts/{name}/{key}",
            )
            for key in context
            if key not in _CONTEXT_KEYS
        ]
    if places:
        raise ConfigError(f"{path} has options that are wrong", places)
    name = asked or value.get("current")
    if name is None:
        return {}
    if name not in contexts:
        raise ConfigError(
            f"there is no context {name!r} in {path}; there are: {', '.join(map(str, contexts)) or 'none'}"
        )
    found: dict[str, Any] = contexts[name]
    return found


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    mark = getattr(error, "problem_mark", None)
    # the text of a YAML error repeats the line, and that may be a secret in the wrong file
    return "is not valid" if mark is None else f"line {mark.line + 1} is not valid YAML"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _path(value: Any) -> Path | None:
    return Path(str(value)).expanduser() if value else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "arca-dns"
