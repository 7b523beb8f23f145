# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a daemon tells systemd: that it is ready, that it stops, and that it is alive (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(*assignments: str, environ: Mapping[str, str] | None = None) -> None:
    """Send ``READY=1`` and the like, if the process runs under systemd."""
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto("\n".join(assignments).encode(), address)
        except OSError:
            return  # a manager that does not listen must not stop the daemon


def watchdog_seconds(environ: Mapping[str, str] | None = None) -> float | None:
    """How often systemd wants a sign of life, if at all: half of what it allows."""
    text = (os.environ if environ is None else environ).get("WATCHDOG_USEC", "")
    return int(text) / 2_000_000 if text.isdigit() and int(text) else None
