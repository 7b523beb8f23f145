# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Forks `arca-dns-controller` from a process that has imported it: a controller that starts in a fraction of a second.

Standard input has a line of JSON for each: the log file, then the program's arguments. The pid is answered. The child
runs the same ``main`` as the installed command.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys

# Before the fork: what a controller imports by itself, also late.
for module in (
    "arca_dns_controller.cli",
    "arca_dns_controller.server",
    "alembic.command",
    "dulwich.repo",
    "psycopg",
    "pymysql",
    "sqlalchemy.dialects.mysql.pymysql",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "uvicorn.protocols.http.auto",
):
    importlib.import_module(module)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
for line in sys.stdin:
    log, *arguments = json.loads(line)
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["arca-dns-controller", *arguments]
        code = 1
        try:
            importlib.import_module("arca_dns_controller.cli").main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    os.write(1, b"%d\n" % pid)
