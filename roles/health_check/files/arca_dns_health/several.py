# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Several services on one edge, each with prefixes and checks of its own; a round is one of each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from .bird import Prefix
from .decision import Round
from .probe import Check, Prober


class Several:
    """The rounds of all *probers*, asked at the same time."""

    def __init__(self, probers: Sequence[Prober]) -> None:
        self._probers = tuple(probers)

    async def round(self, withdrawn: frozenset[Prefix]) -> tuple[Mapping[Prefix, Round], tuple[Check, ...]]:
        """See :meth:`.probe.Prober.round`."""
        found = await asyncio.gather(*(prober.round(withdrawn) for prober in self._probers))
        rounds = {prefix: round_ for some, _checks in found for prefix, round_ in some.items()}
        return rounds, tuple(check for _some, checks in found for check in checks)
