# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``rrset``: its options, and the way from them to a desired state."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..arca_dns.client.base import Client
from .desired import record_set_absent, record_set_present
from .results import run, written
from .zones import WRITE_OPTIONS, how

OPTIONS: dict[str, dict[str, Any]] = {
    **WRITE_OPTIONS,
    "zone": {"type": "str", "required": True},
    "name": {"type": "str", "default": "@"},
    "type": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "values": {"type": "list", "elements": "str", "aliases": ["value"]},
    "ttl": {"type": "int"},
}


def manage_rrset(module: AnsibleModule) -> None:
    """Bring the RRset into the wanted state and end the module."""
    params = module.params
    place = (params["zone"], params["name"], params["type"])

    def work(client: Client) -> dict[str, Any]:
        if params["state"] == "absent":
            result = record_set_absent(client, *place, how(module))
        else:
            result = record_set_present(client, *place, params["values"], params["ttl"], how(module))
        return written(module, result, " ".join(place))

    run(module, work)
