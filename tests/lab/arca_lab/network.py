# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab's network on the machine: namespaces, bridges, cables. Addresses are the hosts' own business.

All bridges live in one namespace of their own (the switch); a host's port is a veth from there into the host's
namespace. The machine's own namespace is never touched. A cut switches a link's bridge off: frames die silently in both
directions and both ends keep their carrier, as when a switch in between goes mad; it outlasts a reboot of the host.
"""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

from .errors import LabError
from .shell import run
from .topology import CONTROL_NODE, MANAGEMENT_INTERFACE, Host, Port

SWITCH = "lab-switch"
CONTROL = "lab-mgmt"
NAMESPACES = Path("/run/netns")


def namespace_path(name: str) -> Path:
    """The file that holds a namespace."""
    return NAMESPACES / name


def exists(name: str) -> bool:
    """Whether the namespace exists."""
    return namespace_path(name).exists()


def _batch(namespace: str, *commands: str) -> None:
    run(["ip", "-netns", namespace, "-batch", "-"], stdin="\n".join(commands) + "\n")


def _port_name(owner: str, port: Port) -> str:
    """The switch's end of a cable: at most 15 characters."""
    name = f"{owner}.{port.interface}"
    return name if len(name) <= 15 else f"{owner[: 14 - len(port.interface)]}.{port.interface}"


def ensure_switch(bridges: tuple[str, ...]) -> None:
    """Make the switch with these bridges, and the control node's namespace on the management bridge."""
    if not exists(SWITCH):
        run(["ip", "netns", "add", SWITCH])
        _batch(SWITCH, "link set dev lo up")
    present = {link["ifname"] for link in json.loads(run(["ip", "-netns", SWITCH, "-json", "link", "show"]))}
    for bridge in bridges:
        if bridge not in present:
            _batch(
                SWITCH,
                f"link add {bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
                # The switch itself takes no part in the networks that it carries.
                f"link set dev {bridge} addrgenmode none",
                f"link set dev {bridge} up",
            )
    if not exists(CONTROL):
        run(["ip", "netns", "add", CONTROL])
        _plug(CONTROL, "control", Port("br-mgmt", MANAGEMENT_INTERFACE, CONTROL_NODE))
        _batch(
            CONTROL,
            "link set dev lo up",
            f"address add {CONTROL_NODE} dev {MANAGEMENT_INTERFACE}",
            f"link set dev {MANAGEMENT_INTERFACE} up",
        )


def _plug(namespace: str, owner: str, port: Port) -> None:
    name = _port_name(owner, port)
    # A namespace that lingers (somebody still has it open) keeps its end of the cable: take that away first.
    run(["ip", "-netns", SWITCH, "link", "delete", name], check=False)
    _batch(
        SWITCH,
        f"link add {name} type veth peer name {port.interface} address {port.mac} netns {namespace}",
        f"link set dev {name} master {port.bridge} addrgenmode none",
        f"link set dev {name} up",
    )


def plug(host: Host) -> None:
    """Give a host a fresh namespace, with a cable for each of its ports."""
    unplug(host)
    run(["ip", "netns", "add", host.namespace])
    for port in host.ports:
        _plug(host.namespace, host.name, port)


def plug_missing(host: Host) -> bool:
    """Plug the ports that a running host does not have yet; true if there were any."""
    present = {link["ifname"] for link in json.loads(run(["ip", "-netns", host.namespace, "-json", "link", "show"]))}
    missing = [port for port in host.ports if port.interface not in present]
    for port in missing:
        _plug(host.namespace, host.name, port)
    return bool(missing)


def unplug(host: Host) -> None:
    """Take a host's cables and namespace away."""
    for port in host.ports:
        run(["ip", "-netns", SWITCH, "link", "delete", _port_name(host.name, port)], check=False)
    if exists(host.namespace):
        end_processes(host.namespace)
        run(["ip", "netns", "delete", host.namespace])


def remove_bridge(bridge: str) -> None:
    """Take a bridge out of the switch, with every cable that is plugged into it."""
    ports = json.loads(run(["ip", "-netns", SWITCH, "-json", "link", "show", "master", bridge], check=False) or "[]")
    for name in [*(port["ifname"] for port in ports if "ifname" in port), bridge]:
        run(["ip", "-netns", SWITCH, "link", "delete", name], check=False)


def remove_all() -> None:
    """Remove every namespace of the lab, and end the processes that live in them."""
    for path in sorted(NAMESPACES.glob("lab-*")):
        end_processes(path.name)
        run(["ip", "netns", "delete", path.name], check=False)


def end_processes(namespace: str) -> None:
    """End what still runs in a namespace: by number, and only there."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(20):
            pids = [int(pid) for pid in run(["ip", "netns", "pids", namespace], check=False).split() if pid.isdigit()]
            pids = [pid for pid in pids if pid != os.getpid()]
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            time.sleep(0.05)


def uplink_bridge(host: Host) -> str:
    """The bridge of the host's uplink; raises `LabError` for a host without one."""
    if host.uplink is None:
        raise LabError(f"{host.name} has no uplink: only edges and the client do")
    return host.uplink.bridge


def set_uplink(host: Host, *, up: bool) -> None:
    """Cut or heal the host's uplink."""
    _batch(SWITCH, f"link set dev {uplink_bridge(host)} {'up' if up else 'down'}")


def is_cut(host: Host) -> bool:
    """Whether the host's uplink is cut."""
    answer = json.loads(run(["ip", "-netns", SWITCH, "-json", "link", "show", "dev", uplink_bridge(host)]))
    return "UP" not in answer[0]["flags"]
