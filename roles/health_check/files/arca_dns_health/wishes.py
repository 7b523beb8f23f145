# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What others say to the health check, and what it must not forget over a boot: drains, leases, and what is drained.

A file that cannot be read changes nothing: what was read last stays in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import structlog

from arca_dns.edge_files import Drain, Lease, read_drains, read_leases, write_drains

log = structlog.get_logger()


class Wishes:
    """The files: *drains* (the operator's), *leases* (the controller's, through the agent), *drained* (its own)."""

    def __init__(self, drains: Path, leases: Path, drained: Path) -> None:
        self._paths = {"drains": drains, "leases": leases}
        self._drained_path = drained
        self._drains: dict[str, Drain] = {}
        self._leases: dict[str, Lease] = {}
        self._told: dict[str, str] = {}
        self._drained: tuple[str, ...] | None = None

    def drained(self) -> frozenset[str]:
        """The prefixes whose drain was in force when the daemon ended."""
        try:
            found = read_drains(self._drained_path)
        except (OSError, ValueError) as error:
            log.error("cannot be read", path=str(self._drained_path), reason=str(error))
            return frozenset()
        self._drains = {drain.prefix: drain for drain in found}
        return frozenset(self._drains)

    def read(self) -> tuple[Mapping[str, Drain], Mapping[str, Lease]]:
        """Drains and leases by prefix."""
        drains = self._read("drains")
        if drains is not None:
            self._drains = drains
        leases = self._read_leases()
        if leases is not None:
            self._leases = leases
        return self._drains, self._leases

    def keep(self, drained: Collection[str]) -> None:
        """Have the prefixes *drained* known after a boot."""
        now = tuple(sorted(drained))
        if now == self._drained:
            return
        try:
            write_drains(self._drained_path, [self._drains.get(prefix) or Drain(prefix, "") for prefix in now])
        except OSError as error:
            self._tell("drained", str(error))
            return
        self._drained = now

    def _read(self, name: str) -> dict[str, Drain] | None:
        try:
            found = {drain.prefix: drain for drain in read_drains(self._paths[name])}
        except (OSError, ValueError) as error:
            self._tell(name, str(error))
            return None
        self._told.pop(name, None)
        return found

    def _read_leases(self) -> dict[str, Lease] | None:
        try:
            found = {lease.prefix: lease for lease in read_leases(self._paths["leases"])}
        except (OSError, ValueError) as error:
            self._tell("leases", str(error))
            return None
        self._told.pop("leases", None)
        return found

    def _tell(self, name: str, reason: str) -> None:
        if self._told.get(name) != reason:
            log.error("file cannot be used", file=name, reason=reason)
        self._told[name] = reason
