# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``zone``: its options, and the way from them to a desired state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..arca_dns.client.base import Client, Record, Soa, Write, ZoneContent
from ..arca_dns.errors import InputError, NotFound
from .desired import zone_absent, zone_present
from .results import run, written

WRITE_OPTIONS: dict[str, dict[str, Any]] = {
    "force": {"type": "bool", "default": False},
    "reason": {"type": "str", "default": ""},
}

OPTIONS: dict[str, dict[str, Any]] = {
    **WRITE_OPTIONS,
    "name": {"type": "str", "required": True, "aliases": ["zone"]},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "content": {"type": "str"},
    "src": {"type": "path"},
    "records": {
        "type": "list",
        "elements": "dict",
        "options": {
            "name": {"type": "str", "default": "@"},
            "type": {"type": "str", "required": True},
            "ttl": {"type": "int"},
            "value": {"type": "str"},
            "values": {"type": "list", "elements": "str"},
        },
        "mutually_exclusive": [("value", "values")],
        "required_one_of": [("value", "values")],
    },
    "soa": {
        "type": "dict",
        "options": {
            "mname": {"type": "str", "required": True},
            "rname": {"type": "str"},
            "refresh": {"type": "int", "default": 10800},
            "retry": {"type": "int", "default": 3600},
            "expire": {"type": "int", "default": 1209600},
            "minimum": {"type": "int", "default": 3600},
            "ttl": {"type": "int", "default": 3600},
        },
    },
    "delegations": {"type": "list", "elements": "str", "default": []},
    "settings": {
        "type": "dict",
        "options": {
            "dnssec": {"type": "bool"},
            "serial": {"type": "str", "choices": ["unixtime", "increment"]},
            "policy": {"type": "dict"},
            "thresholds": {
                "type": "dict",
                "options": {
                    "share": {"type": "float", "default": 0.3},
                    "minimum": {"type": "int", "default": 10},
                },
            },
            "verify_command": {"type": "str"},
            "allow_transfer": {"type": "list", "elements": "str"},
        },
    },
}


def how(module: AnsibleModule) -> Write:
    """The part of a write that all writing modules have options for."""
    return Write(reason=module.params["reason"], dry_run=module.check_mode, force=module.params["force"])


def manage_zone(module: AnsibleModule) -> None:
    """Bring the zone into the wanted state and end the module."""
    params = module.params
    name = params["name"]

    def work(client: Client) -> dict[str, Any]:
        if params["state"] == "absent":
            return written(module, zone_absent(client, name, how(module)), name)
        result = zone_present(
            client,
            name,
            content(params),
            how(module),
            settings=given(params["settings"]),
            delegations=params["delegations"],
        )
        value = written(module, result, name)
        try:
            value["ds"] = client.ds(name)
        except NotFound:  # check mode, and the zone would be created
            value["ds"] = []
        return value

    run(module, work)


def given(settings: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The settings that the task names; ``None`` if it names none."""
    return {key: value for key, value in (settings or {}).items() if value is not None} or None


def content(params: Mapping[str, Any]) -> ZoneContent:
    """The wanted content. Raises :class:`InputError` for a file that cannot be read."""
    text = params["content"]
    if params["src"] is not None:
        try:
            with open(params["src"], encoding="utf-8", newline="") as file:
                text = file.read()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InputError(f"cannot read the zone file {params['src']}: {reason}") from None
    records = tuple(
        Record(
            record["name"],
            record["type"],
            tuple(record["values"]) if record["values"] is not None else (record["value"],),
            record["ttl"],
        )
        for record in params["records"] or ()
    )
    return ZoneContent(text, records, None if params["soa"] is None else Soa(**params["soa"]))
