# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What systemd is told, and how a process logs."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from arca_dns_controller.systemd import notify, watchdog_seconds


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told(tmp_path: Path, abstract: bool) -> None:
    address = f"{'@' if abstract else ''}{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if abstract else address)
        manager.settimeout(10)
        notify("READY=1", {"NOTIFY_SOCKET": address})
        assert manager.recv(100) == b"READY=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    notify("READY=1", {})
    notify("READY=1", {"NOTIFY_SOCKET": f"{tmp_path}/nobody"})


def test_signs_of_life_come_twice_as_often_as_needed() -> None:
    assert watchdog_seconds({"WATCHDOG_USEC": "60000000"}) == 30
    assert watchdog_seconds({}) is None
    assert watchdog_seconds({"WATCHDOG_USEC": "0"}) is None


def test_every_log_line_is_json_from_its_level_on() -> None:
    script = (
        "import logging, structlog; from arca_dns_controller.log import configure; configure('info');"
        "structlog.get_logger('x').debug('hidden'); structlog.get_logger('x').info('shown', zone='a.');"
        "logging.getLogger('uvicorn.error').warning('from %s', 'uvicorn'); logging.getLogger('uvicorn').info('hidden')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("shown", "info"), ("from uvicorn", "warning")]
