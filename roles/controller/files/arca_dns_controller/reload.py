# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""SIGHUP: the configuration is read anew. What can change in a running daemon does; the rest is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace

import structlog

from arca_dns.errors import ArcaError

from . import log as logging
from .auth import KeyRing
from .config import ControllerConfig
from .rates import Rates

log = structlog.get_logger(__name__)


class Reload:
    """What a running daemon does with a new configuration; *config* is the one that it was started with."""

    def __init__(
        self, config: ControllerConfig, read: Callable[[], ControllerConfig], keys: KeyRing, rates: Rates
    ) -> None:
        self._used = config
        self._read = read
        self._keys = keys
        self._rates = rates

    def __call__(self) -> bool:
        """Read and apply; whether it could be read. One that is wrong changes nothing."""
        try:
            new = self._read()
        except ArcaError as error:
            log.error("the configuration was not reloaded, the old one stays", reason=str(error))
            return False
        self._keys.set(new.api.keys)
        self._rates.set(new.api.rate)
        logging.configure(new.log.level)
        api = replace(self._used.api, keys=new.api.keys, rate=new.api.rate)
        self._used = replace(self._used, api=api, log=new.log)
        waiting = list(_differences(self._used, new))
        if waiting:
            log.warning("some settings are used after a restart only", settings=waiting)
        log.info("configuration reloaded")
        return True


def _differences(old: object, new: object, at: str = "") -> Iterator[str]:
    """Where two settings differ, as dotted names."""
    for field in fields(old):  # type: ignore[arg-type]
        before, after = getattr(old, field.name), getattr(new, field.name)
        name = f"{at}.{field.name}" if at else field.name
        if is_dataclass(before) and is_dataclass(after):
            yield from _differences(before, after, name)
        elif before != after:
            yield name
