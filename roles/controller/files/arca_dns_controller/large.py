# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Large zone files in a process of their own: reading, checking and signing one leaves the daemon to other requests.

The process is a controller for the time of one write: it opens the same store with the same configuration, which it is
given through its standard input as nothing secret may stand on a command line. A store that only the daemon can reach
(memory) or that one process should work on (Git) has no such helper.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arca_dns.dnssec.envelope import ENVIRONMENT
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ArcaError, StaleVersion
from arca_dns.service import Service
from arca_dns.writing import Create, Replace

from . import log, reading, render
from .config import ControllerConfig
from .wiring import open_service
from .workers import WorkerFailed

#: Octets of a zone file, 10,000 to 20,000 records, from which on a process is worth its start.
LEAST = 1 << 19
_BACKENDS = ("sqlite", "postgres", "mysql", "etcd")
# Other requests go first.
_NICE = 5


@dataclass(frozen=True, slots=True)
class Write:
    """A zone file and what to do with it: create a zone with *settings*, or replace the content of *zone*."""

    body: bytes = field(repr=False)
    zone: bytes | None
    strip_dnssec: bool
    settings: ZoneSettings | None
    if_version: str | None
    actor: str
    options: reading.WriteOptions


@dataclass(frozen=True, slots=True)
class Written:
    """What was done, as :func:`.render.outcome_of` tells it."""

    zone: bytes
    outcome: dict[str, Any]


def is_large(config: ControllerConfig, body: bytes) -> bool:
    """Whether the zone file *body* is for a process of its own."""
    return len(body) >= LEAST and config.backend.type in _BACKENDS


def write(config: ControllerConfig, service: Service, task: Write) -> Written:
    """Do *task* in a process of its own. Raises what it raises, and :class:`WorkerFailed`."""
    # Nothing else of the environment; the master key goes with the configuration.
    environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    secret = {name: value for name, value in os.environ.items() if name == ENVIRONMENT}
    command = [sys.executable, "-c", f"from {__name__} import main; main()"]
    with service.publisher.elsewhere():
        done = subprocess.run(
            command,
            input=pickle.dumps((config, secret, task), pickle.HIGHEST_PROTOCOL),
            stdout=subprocess.PIPE,
            env=environment,
            check=False,
        )
    if done.returncode or not done.stdout:
        raise WorkerFailed(
            f"the process that was to write a large zone ended with status {done.returncode}; look whether the zone is"
            " there before you try again. If signal 9 ended it, the machine may have run out of memory"
        )
    answer = pickle.loads(done.stdout)  # noqa: S301 - from a process of our own, over its own pipe
    if isinstance(answer, Written):
        return answer
    kind, message, places, current = answer
    error: ArcaError = StaleVersion(message, current) if kind is StaleVersion else kind(message)
    error.places = places
    raise error


def do(service: Service, task: Write) -> Written:
    """Do *task*, in a process that does nothing else."""
    content = reading.zone_file(task.body, task.zone, strip_dnssec=task.strip_dnssec)
    options = task.options
    operation: Create | Replace
    if task.settings is not None:
        operation = Create(content.name, content.whole, task.settings, content.lines)
    else:
        operation = Replace(content.name, content.whole, task.if_version, None, content.lines)
    outcome = service.write(
        operation,
        actor=task.actor,
        reason=options.reason,
        dry_run=options.dry_run,
        force=options.force,
        publish=False,
    )
    shown = render.outcome_of(outcome)
    name = content.name
    if outcome.applied:
        # What was read makes room for what signing needs.
        outcome = outcome.without_content()
        del operation, content
        outcome = service.serve([outcome])[0]
        shown |= {"published": outcome.published, "problem": outcome.problem}
    return Written(name, shown)


def _run(config: ControllerConfig, environ: Mapping[str, str], task: Write) -> object:
    try:
        service = open_service(config, environ)
        try:
            return do(service, task)
        finally:
            service.close()
    except ArcaError as error:
        return type(error), error.message, error.places, getattr(error, "current", None)


def main() -> None:
    """What the process runs."""
    os.nice(_NICE)
    config, environ, task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the daemon, over its own pipe
    log.configure(config.log.level)
    sys.stdout.buffer.write(pickle.dumps(_run(config, environ, task), pickle.HIGHEST_PROTOCOL))
