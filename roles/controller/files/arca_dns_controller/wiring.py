# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""From a configuration to an open service: store, keys, head key; and their first making."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from arca_dns.dnssec.envelope import ENVIRONMENT, MasterKey
from arca_dns.errors import KeyUnavailable, StoreUnavailable
from arca_dns.keyring import Keyring, agree
from arca_dns.moving.marker import refuse_unfinished
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.base import Store
from arca_dns.store.open import open_store
from arca_dns.store.waiting import WaitingStore

from .config import ControllerConfig
from .keys import key_files, keyring_of, master_key, open_keystore
from .second_check import Commands
from .signing_log import SigningLog
from .workers import Processes

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Initialised:
    """What :func:`initialise` made, and the public head key that edges need."""

    created: tuple[str, ...]
    head_public_key: str


def open_service(config: ControllerConfig, environ: Mapping[str, str] | None = None, *, wait: bool = False) -> Service:
    """The service that *config* describes. Makes no key: what is missing is an error.

    With *wait*, a backend that does not answer is none: the service begins to work when the backend does.
    Raises ``ConfigError``, ``StoreUnavailable``, ``StoreError`` for a schema that is too new or a store that a
    migration or a restore has half filled, and ``KeyUnavailable``, also where other controllers have other keys.
    """
    master = master_key(config, environ)
    head_key = HeadKey.load(Path(config.publish.head_key_file))
    keyring = keyring_of(config, master, head_key)
    store = _open_store(config, wait, keyring)
    try:
        return Service(
            store,
            open_keystore(config, store, master),
            head_key,
            policy=config.dnssec.policy(),
            head_lifetime=config.publish.head_lifetime,
            history=config.history.rules(),
            second_checks=Commands(config.dnssec.verify_command, config.dnssec.verify_timeout),
            workers=Processes(),
            progress=SigningLog(),
            limits=config.limits.limits(),
            rings=config.publish.rings,
            minimum_sites=config.edges.minimum_announcers,
            attestation_timeout=config.edges.attestation_timeout,
        )
    except BaseException:
        store.close()
        raise


def _open_store(config: ControllerConfig, wait: bool, keyring: Keyring) -> Store:
    def opens() -> Store:
        store = open_store(config.backend.type, config.backend.options())
        try:
            refuse_unfinished(store)
            agree(store, keyring)
        except BaseException:
            store.close()
            raise
        return store

    try:
        return opens()
    except StoreUnavailable as error:
        if not wait:
            raise
        log.warning("the store does not answer; trying again until it does", reason=str(error))
        return WaitingStore(opens)


def initialise(config: ControllerConfig, environ: Mapping[str, str] | None = None) -> Initialised:
    """Make what is missing: the master key, the head key and its public part, the database. Replaces nothing.

    Raises ``KeyUnavailable`` also where keys are missing that data was made with: new ones would be no help.
    """
    created: list[str] = []
    master, keys = Path(config.dnssec.master_key_file), Path(config.dnssec.key_directory)
    if not (os.environ if environ is None else environ).get(ENVIRONMENT) and not master.exists():
        if next(key_files(keys), None) is not None:
            raise KeyUnavailable(
                f"there are DNSSEC keys in {keys} but no master key at {master}: restore it from its backup;"
                " a new one cannot open them"
            )
        MasterKey.obtain(os.environ if environ is None else environ, master, create=True)
        created.append(str(master))
    head = Path(config.publish.head_key_file)
    if not head.exists():
        created.append(str(head))
    try:
        head_key = HeadKey.load_or_create(head)
        _publish_key(config.publish.head_public_key_file, head_key.public_text(), created)
    except OSError as error:
        raise KeyUnavailable(f"the head key cannot be written: {error}") from None
    files = {"sqlite": config.backend.sqlite.path, "git": config.backend.git.path}
    database = Path(files[config.backend.type]) if config.backend.type in files else None
    if database is not None and not database.exists():
        created.append(str(database))
    open_service(config, environ).close()
    return Initialised(tuple(created), head_key.public_text())


def _publish_key(path: Path, text: str, created: list[str]) -> None:
    content = f"{text}\n"
    if path.exists() and path.read_text(encoding="ascii") == content:
        return
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(content, encoding="ascii")
    temporary.chmod(0o644)
    temporary.replace(path)
    created.append(str(path))
