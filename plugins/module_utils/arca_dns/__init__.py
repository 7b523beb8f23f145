# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The controller library: zones, signing, storage and publication behind arca_dns.service.

No Ansible, no HTTP server, no subprocess and no output here. Ansible ships this package inside each module, and
pyproject.toml packs the same files into the wheel.
"""

from __future__ import annotations

__version__ = "0.1.0"
