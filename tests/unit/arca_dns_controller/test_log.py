# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How a process logs."""

from __future__ import annotations

import json
import subprocess
import sys


def test_every_log_line_is_json_from_its_level_on() -> None:
    script = (
        "import logging, structlog; from arca_dns_controller.log import configure; configure('info');"
        "structlog.get_logger('x').debug('hidden'); structlog.get_logger('x').info('shown', zone='a.');"
        "logging.getLogger('uvicorn.error').warning('from %s', 'uvicorn'); logging.getLogger('uvicorn').info('hidden')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["level"]) for line in lines] == [("shown", "info"), ("from uvicorn", "warning")]
