# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The Ansible inventory of the lab: the groups of the collection, and facts about the network named ``arca_dns_lab_*``.

What the roles do with the facts is said in inventories/lab/group_vars, not here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeAlias

from .settings import Settings
from .ssh import config_path, control_path
from .topology import ROUTER_ASN, Host, Port, Topology, client_lan
from .wheels import ProjectWheel

Value: TypeAlias = "str | int | bool | list[Value] | dict[str, Value]"

HEADER = """\
# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
#
# Written by `tests/lab/lab up`, removed by `tests/lab/lab down`. Do not edit; variables for roles are in group_vars.
---
"""


def inventory(settings: Settings, topology: Topology, wheel: ProjectWheel) -> str:
    """The inventory as YAML text."""
    groups = {
        "arca_dns_controllers": "controller",
        "arca_dns_edges": "edge",
        "arca_dns_routers": "router",
        "arca_dns_resolvers": "client",
    }
    children: dict[str, Value] = {
        group: {"hosts": {host.name: _facts(topology, host) for host in topology.hosts if host.role == role}}
        for group, role in groups.items()
    }
    variables: dict[str, Value] = {
        "ansible_user": "root",
        "ansible_connection": "ssh",
        "ansible_python_interpreter": "/usr/bin/python3",
        # Ansible keeps its hands off a ControlPath only if it sees one here; this is the one that `down` closes.
        "ansible_ssh_args": f"-F {config_path(settings)} -o ControlPersist=300 -o ControlPath={control_path(settings)}",
        "ansible_ssh_pipelining": True,
        "ansible_ssh_transfer_method": "piped",
        "arca_dns_lab": True,
        "arca_dns_lab_wheel": wheel.name,
        "arca_dns_lab_wheel_sha256": wheel.sha256,
        "arca_dns_lab_wheel_version": wheel.version,
    }
    return HEADER + render({"all": {"vars": variables, "children": children}})


def _addresses(prefix: str, port: Port) -> dict[str, Value]:
    facts: dict[str, Value] = {f"{prefix}_address4": str(port.address4.ip)}
    if port.address6 is not None:
        facts[f"{prefix}_address6"] = str(port.address6.ip)
    return facts


def _facts(topology: Topology, host: Host) -> dict[str, Value]:
    facts: dict[str, Value] = {"ansible_host": host.address, "arca_dns_lab_management_address": host.address}
    if host.asn is not None:
        facts["arca_dns_lab_asn"] = host.asn
    router = topology.router_port(host)
    if host.uplink is not None and router is not None:
        facts["arca_dns_lab_uplink_interface"] = host.uplink.interface
        facts |= _addresses("arca_dns_lab_uplink", host.uplink)
        facts |= _addresses("arca_dns_lab_router", router)
        if host.asn is not None:
            facts["arca_dns_lab_router_asn"] = ROUTER_ASN
    if host.role == "router":
        lan = client_lan(1, "client")
        facts["arca_dns_lab_client_interface"] = lan.interface
        facts |= _addresses("arca_dns_lab_client_gateway", lan)
        facts["arca_dns_lab_edges"] = [_neighbour(topology, edge) for edge in topology.edge_hosts]
    return facts


def _neighbour(topology: Topology, edge: Host) -> Value:
    """What the router knows of an edge."""
    router = topology.router_port(edge)
    if edge.uplink is None or router is None or edge.asn is None:
        raise ValueError(f"{edge.name} is no edge")
    facts: dict[str, Value] = {"name": edge.name, "asn": edge.asn, "interface": router.interface}
    return facts | _addresses("edge", edge.uplink) | _addresses("router", router)


def render(value: Value, indent: int = 0) -> str:
    """YAML for the little that an inventory needs: mappings, lists of mappings, scalars."""
    pad = " " * indent
    if isinstance(value, Mapping):
        lines = []
        for key, item in value.items():
            if isinstance(item, dict | list) and item:
                lines.append(f"{pad}{key}:\n{render(item, indent + 2)}")
            else:
                lines.append(f"{pad}{key}: {_scalar(item)}\n")
        return "".join(lines)
    if isinstance(value, list):
        return "".join(f"{pad}- {render(item, indent + 2).lstrip()}" for item in value)
    return f"{pad}{_scalar(value)}\n"


def _scalar(value: Value) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z/][A-Za-z0-9_./-]*", value) and value not in ("true", "false"):
        return value
    return json.dumps(value)


def write(settings: Settings, text: str) -> None:
    """Put the inventory in its place, unless it is there already."""
    path = settings.inventory
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        partial = path.with_name(f".{path.name}.partial")
        partial.write_text(text, encoding="utf-8")
        partial.rename(path)
