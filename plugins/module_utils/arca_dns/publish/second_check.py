# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A second, independent check of a zone before it is published: what a zone may ask for, and what answers.

The check itself is a program of somebody else's, which this library never starts: a front end passes in what does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol

from ..errors import VerificationFailed
from ..zone import names, rr
from ..zone.text import render
from ..zone.tree import ZoneRoot


class SecondChecks(Protocol):
    """The checks that a controller has, by name."""

    def known(self) -> Collection[str]:
        """The names of the checks."""

    def run(self, name: str, zone: bytes, lines: Iterator[str]) -> None:
        """Hand the zone file that *lines* are to check *name*. Raises ``VerificationFailed`` with its last words."""


class NoChecks:
    """A controller that has none."""

    def known(self) -> Collection[str]:
        """No names."""
        return ()

    def run(self, name: str, zone: bytes, lines: Iterator[str]) -> None:
        """Refuse: see :func:`check_again`, which asks first."""
        raise VerificationFailed(f"there is no check {name!r}")


def check_again(checks: SecondChecks, name: str, zone: ZoneRoot) -> None:
    """Have check *name* judge the signed *zone*. Raises ``VerificationFailed``."""
    if name not in checks.known():
        raise VerificationFailed(
            f"{names.to_text(zone.origin)} asks for the check {name!r}, which this controller does not have: "
            "add it to dnssec.verify_command, or change the zone's setting verify_command"
        )
    rrsets = (rrset for _owner, data in zone.items() for rrset in rr.rrsets(data))
    checks.run(name, zone.origin, render(zone.origin, rrsets))
