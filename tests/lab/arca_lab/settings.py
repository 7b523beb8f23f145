# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the lab keeps its things. No other module spells a path outside a host.

Two places: the state directory (``ARCA_LAB_DIR``, default /var/lib/arca-lab) on disk, and /run/arca-lab for what cannot
outlive the machine's uptime. There is one lab per machine, whatever its state directory.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[3]
LAB_SOURCES = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Settings:
    """Paths of one lab."""

    state: Path
    runtime: Path = Path("/run/arca-lab")
    project: Path = PROJECT

    @classmethod
    def from_environment(cls) -> Settings:
        """The settings that ``ARCA_LAB_DIR`` asks for."""
        return cls(state=Path(os.environ.get("ARCA_LAB_DIR") or "/var/lib/arca-lab").absolute())

    @property
    def cache(self) -> Path:
        """Costly things that only ``down --purge`` removes: base roots, packages, wheels."""
        return self.state / "cache"

    @property
    def bases(self) -> Path:
        """One base root per key."""
        return self.cache / "base"

    @property
    def packages(self) -> Path:
        """The folder of .deb files that hosts see at /srv/arca-packages."""
        return self.cache / "packages"

    @property
    def wheels(self) -> Path:
        """The folder of wheels that hosts see at /srv/arca-wheels."""
        return self.cache / "wheels"

    @property
    def hosts(self) -> Path:
        """One folder per host: its disk and its console log."""
        return self.state / "hosts"

    @property
    def ssh(self) -> Path:
        """Key pair, known hosts, client configuration and control sockets."""
        return self.state / "ssh"

    @property
    def cgroups(self) -> Path:
        """The lab's own view of the unified cgroup hierarchy."""
        return self.runtime / "cgroup"

    @property
    def marker(self) -> Path:
        """Names the state directory of the lab that is up."""
        return self.runtime / "lab.json"

    @property
    def lock(self) -> Path:
        """Held by every command that changes the lab."""
        return Path("/run/lock/arca-lab.lock")

    @property
    def inventory(self) -> Path:
        """The Ansible inventory that ``up`` writes."""
        return self.project / "inventories" / "lab" / "hosts.yml"

    @property
    def credentials(self) -> Path:
        """Keys and passwords that playbooks generate for the lab; useless without its hosts."""
        return self.inventory.parent / "credentials"
