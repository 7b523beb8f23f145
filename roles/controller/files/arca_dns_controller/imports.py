# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The rounds of the Git backend, in a thread of their own: what people pushed becomes versions."""

from __future__ import annotations

import structlog

from arca_dns.errors import StoreError

from .scheduler import Scheduler

log = structlog.get_logger(__name__)


class ImportRounds(Scheduler):
    """A scheduler whose failures are not those of the controller's maintenance: a remote may be away."""

    def round(self) -> None:
        """One round; a failure is logged, never raised."""
        try:
            self._work()
        except StoreError as error:
            log.warning("pushed zone files were not imported", reason=str(error))
        except Exception as error:  # what fails now may work in the next round
            log.error("pushed zone files were not imported", reason=str(error), exc_info=error)
