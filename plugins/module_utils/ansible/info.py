# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``zone_info``: its options, and what it reads."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..arca_dns.client.base import Client, ZoneState
from ..arca_dns.errors import NotFound
from .results import record_set, run, zone_state

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "list", "elements": "str", "aliases": ["names", "zone"]},
    "records": {"type": "bool", "default": False},
    "digest_types": {"type": "list", "elements": "int", "default": [2]},
}


def read_zones(module: AnsibleModule) -> None:
    """Read the zones that the options name and end the module."""
    params = module.params

    def describe(client: Client, state: ZoneState) -> dict[str, Any]:
        value = zone_state(state)
        value["ds"] = client.ds(state.name, params["digest_types"]) if params["digest_types"] else []
        if params["records"]:
            value["records"] = [record_set(one) for one in client.record_sets(state.name)]
        return value

    def work(client: Client) -> dict[str, Any]:
        zones, missing = [], []
        if params["name"] is None:
            zones = [describe(client, state) for state in client.zones()]
        else:
            for name in params["name"]:
                try:
                    zones.append(describe(client, client.zone(name)))
                except NotFound:
                    missing.append(name)
        return {"changed": False, "zones": zones, "missing": missing}

    run(module, work, read_only=True)
