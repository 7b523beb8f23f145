# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the daemon tells systemd: that it is ready, that it stops, and that it is alive (sd_notify(3))."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(assignment: str, environ: Mapping[str, str] = os.environ) -> None:
    """Send ``READY=1`` and the like, if the process runs under systemd."""
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(assignment.encode(), address)
        except OSError:
            return  # a manager that does not listen must not stop the agent
