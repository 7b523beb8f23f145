# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""A host's disk: an overlay over the base root. Here is what the lab writes on it before the first boot."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from .settings import Settings
from .shell import run
from .topology import ROUTER_SYSCTL, Host, hosts_file, network_script


@dataclass(frozen=True)
class Disk:
    """The folders of one host."""

    folder: Path

    @property
    def upper(self) -> Path:
        """What the host wrote."""
        return self.folder / "upper"

    @property
    def work(self) -> Path:
        """The overlay's work folder."""
        return self.folder / "work"

    @property
    def root(self) -> Path:
        """Where the overlay is mounted, in the container's own mount namespace only."""
        return self.folder / "root"

    @property
    def console(self) -> Path:
        """What the host printed on its console, all boots."""
        return self.folder / "console.log"

    @property
    def stamp(self) -> Path:
        """Written when the disk is complete; says what it was made of."""
        return self.folder / "stamp"

    @property
    def host_key(self) -> Path:
        """The host's public ssh key."""
        return self.upper / "etc/ssh/ssh_host_ed25519_key.pub"


def disk_of(settings: Settings, host: Host) -> Disk:
    """The disk of a host, made or not."""
    return Disk(settings.hosts / host.name)


def is_made(disk: Disk, host: Host, base: Path) -> bool:
    """Whether the disk is complete, lies over this base root, and has on it what the lab would write today."""
    return disk.stamp.is_file() and disk.stamp.read_text(encoding="utf-8") == _stamp(host, base)


def base_of(disk: Disk, bases: Path) -> Path:
    """The base root that a made disk lies over."""
    return bases / disk.stamp.read_text(encoding="utf-8").split()[0]


def make(disk: Disk, host: Host, base: Path, authorized_key: str) -> None:
    """Make the disk anew: who the host is, how it is reached, what its interfaces are."""
    remove(disk)
    for folder in (disk.upper, disk.work, disk.root):
        folder.mkdir(parents=True)
    for name, (mode, text) in _files(host).items():
        _write(disk.upper / name, text, mode)
    _write(disk.upper / "root/.ssh/authorized_keys", authorized_key, 0o600)
    for name in ("root", "root/.ssh"):
        (disk.upper / name).chmod(0o700)
    key = disk.upper / "etc/ssh/ssh_host_ed25519_key"
    key.parent.mkdir(parents=True, exist_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", key])
    disk.stamp.write_text(_stamp(host, base), encoding="utf-8")


def _files(host: Host) -> dict[str, tuple[int, str]]:
    """The files that make a base root this host: path → mode and content."""
    machine_id = hashlib.sha256(f"arca-lab {host.name}".encode()).hexdigest()[:32]
    files = {
        "etc/hostname": (0o644, f"{host.name}\n"),
        "etc/machine-id": (0o444, f"{machine_id}\n"),
        "etc/hosts": (0o644, hosts_file()),
        "usr/local/sbin/lab-network": (0o755, network_script(host)),
    }
    if host.role == "router":
        files["etc/sysctl.d/60-lab-router.conf"] = (0o644, ROUTER_SYSCTL)
    return files


def _stamp(host: Host, base: Path) -> str:
    """The base root's name, and a hash of what lies over it."""
    return f"{base.name} {hashlib.sha256(repr(_files(host)).encode()).hexdigest()}\n"


def remove(disk: Disk) -> None:
    """Remove the disk; the host must be down."""
    if disk.folder.exists():
        shutil.rmtree(disk.folder)


def prepare_mount(disk: Disk) -> None:
    """Make the overlay mountable again after its last mount.

    The lab mounts it ``volatile`` (no syncs: package installs are several times quicker, and nothing here has to
    survive a power cut of the machine); the kernel leaves a note of that and would refuse the next mount.
    """
    shutil.rmtree(disk.work / "work" / "incompat", ignore_errors=True)


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
