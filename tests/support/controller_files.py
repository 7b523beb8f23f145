# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A controller's configuration in a folder of its own, and what it opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from arca_dns.service import Service
from arca_dns.store.base import Store
from arca_dns.store.open import open_store
from arca_dns_controller.config import read
from arca_dns_controller.wiring import open_service


def configuration(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "controller.yaml"
    file.write_text(
        f"""
        backend: {{type: sqlite, sqlite: {{path: {folder}/state.sqlite}}}}
        dnssec: {{key_directory: {folder}/keys, master_key_file: {folder}/master.key}}
        publish: {{head_key_file: {folder}/head.key}}
        """
    )
    return file


@contextmanager
def opened(config: Path) -> Iterator[Service]:
    with closing(open_service(read(config))) as made:
        yield made


@contextmanager
def store(config: Path) -> Iterator[Store]:
    with closing(open_store("sqlite", read(config).backend.options())) as made:
        yield made
