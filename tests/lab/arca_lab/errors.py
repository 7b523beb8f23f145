# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab's errors.

::

    LabError                what people see: one sentence, and what to do next
    ├── CommandFailed       a command of the machine ended badly; carries its output
    ├── BootFailed          a host did not come up; names its console log
    ├── UnknownHost         no such host in the running lab
    └── NotRunning          the lab, or the host, is down
"""

from __future__ import annotations

from collections.abc import Sequence


class LabError(Exception):
    """Something about the lab that a person has to know."""


class CommandFailed(LabError):
    """A command of the machine ended with a status other than 0."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        self.argv = list(argv)
        self.status = status
        self.output = output
        super().__init__(f"{' '.join(argv)[:300]} ended with status {status}:\n{output.strip()[-4000:]}")


class BootFailed(LabError):
    """A host did not come up in time, or died while it booted."""


class UnknownHost(LabError):
    """The lab has no host of that name."""


class NotRunning(LabError):
    """The lab, or the host in question, is not running."""
