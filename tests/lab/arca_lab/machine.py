# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lab asks of the machine that it runs on: root, Debian, a few packages, the lock."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import LabError
from .settings import Settings
from .shell import Progress, run

SUITE = "bookworm"
PYTHON = "/usr/bin/python3"  # Debian's own: the hosts run the same one, so wheels built with it fit them

# Package → a file that only it brings.
NEEDED = {
    "debian-archive-keyring": "/usr/share/keyrings/debian-archive-keyring.gpg",
    "dpkg-dev": "/usr/bin/dpkg-scanpackages",
    "iproute2": "/usr/sbin/bridge",
    "mmdebstrap": "/usr/bin/mmdebstrap",
    "netcat-openbsd": "/usr/bin/nc.openbsd",
    "openssh-client": "/usr/bin/ssh",
    "python3-venv": "/usr/lib/python3.11/ensurepip/__init__.py",
    "systemd-container": "/usr/bin/systemd-nspawn",
}


def require_root() -> None:
    """Raise `LabError` unless this process may do what the lab does."""
    if os.geteuid() != 0:
        raise LabError("the lab makes namespaces, bridges and containers: run it as root")


def install_needed(progress: Progress) -> None:
    """Install what is missing of `NEEDED` with the machine's own apt."""
    missing = [package for package, witness in NEEDED.items() if not os.path.exists(witness)]
    if not missing:
        return
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME")
    if codename != SUITE:
        raise LabError(f"the lab runs on Debian 12 ({SUITE}); this machine is {codename or 'something else'}")
    if shutil.which("apt-get") is None:
        raise LabError(f"install these packages, there is no apt-get here: {' '.join(missing)}")
    with progress.step(f"installing {', '.join(missing)}"):
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-q"], environment=environment)
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *missing], environment=environment)


@contextmanager
def locked(settings: Settings, progress: Progress) -> Iterator[None]:
    """Hold the machine-wide lock: commands that change the lab wait for each other."""
    settings.lock.parent.mkdir(parents=True, exist_ok=True)
    with settings.lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("another lab command is at work; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
