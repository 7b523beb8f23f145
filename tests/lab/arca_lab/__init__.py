# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab: a small network of real Debian hosts on one machine.

What lives here: building, starting, breaking and removing the hosts. What does not: anything about DNS; hosts are bare
until the collection's playbooks configure them. Standard library only, as it runs before the project's venv exists.
``arca_lab.api.Lab` is what tests import; ``tests/lab/lab` is the command.
"""

from __future__ import annotations
