# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""How the machine talks to the hosts: ssh with a key of the lab's own, through the control node's namespace.

One client configuration serves the lab, Ansible and people: its ProxyCommand enters the namespace, so plain ssh, scp
and rsync work from anywhere on the machine. Entering the containers with nsenter instead would keep the machine's
capabilities: a ``date -s`` there sets the machine's clock.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from . import network
from .disk import disk_of
from .settings import Settings
from .shell import run
from .topology import Host, Topology


def config_path(settings: Settings) -> Path:
    """The ssh client's configuration."""
    return settings.ssh / "config"


def control_path(settings: Settings) -> str:
    """The pattern of control sockets' names: Ansible, the lab and people share one connection per host."""
    return f"{settings.ssh}/control/%C"


def ensure_key(settings: Settings) -> str:
    """Make the key pair unless it is there; return the public key's line."""
    settings.ssh.mkdir(parents=True, exist_ok=True, mode=0o700)
    (settings.ssh / "control").mkdir(exist_ok=True, mode=0o700)
    key = settings.ssh / "id_ed25519"
    if not key.is_file():
        run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "arca-lab", "-f", key])
    return key.with_suffix(".pub").read_text(encoding="utf-8")


def write_config(settings: Settings, topology: Topology) -> None:
    """Write the client configuration and the known host keys of all hosts."""
    known = []
    for host in topology.hosts:
        key = disk_of(settings, host).host_key.read_text(encoding="utf-8").split()
        known.append(f"{host.name} {key[0]} {key[1]}\n")
    (settings.ssh / "known_hosts").write_text("".join(known), encoding="utf-8")
    config_path(settings).write_text(client_config(settings, topology), encoding="utf-8")


def client_config(settings: Settings, topology: Topology) -> str:
    """The client configuration as text."""
    blocks = [
        f"Host {host.name} {host.address}\n    HostName {host.address}\n    HostKeyAlias {host.name}\n"
        for host in topology.hosts
    ]
    blocks.append(
        "Host *\n"
        "    User root\n"
        f"    IdentityFile {settings.ssh / 'id_ed25519'}\n"
        "    IdentitiesOnly yes\n"
        f"    UserKnownHostsFile {settings.ssh / 'known_hosts'}\n"
        "    StrictHostKeyChecking yes\n"
        "    BatchMode yes\n"
        "    LogLevel ERROR\n"
        "    ConnectTimeout 5\n"
        "    ServerAliveInterval 5\n"
        "    ServerAliveCountMax 3\n"
        "    ControlMaster auto\n"
        f"    ControlPath {control_path(settings)}\n"
        "    ControlPersist 300\n"
        f"    ProxyCommand nsenter --net={network.namespace_path(network.CONTROL)} nc.openbsd %h %p\n"
    )
    return "\n".join(blocks)


def argv(settings: Settings, host: Host, command: str | Sequence[str], *, tty: bool = False) -> list[str]:
    """The command line that runs ``command`` on the host: a string is a shell line, a sequence is kept word by word."""
    line = command if isinstance(command, str) else shlex.join(command)
    return ["ssh", "-F", str(config_path(settings)), "-tt" if tty else "-T", host.name, "--", line]


def probe_argv(settings: Settings, host: Host, command: str, seconds: int) -> list[str]:
    """As `argv`, over a connection of its own that gives up soon: for a host that may be down."""
    options = ["-o", "ControlMaster=no", "-o", "ControlPath=none", "-o", f"ConnectTimeout={seconds}"]
    return ["ssh", "-F", str(config_path(settings)), *options, "-T", host.name, "--", command]


def hang_up(settings: Settings, host: Host) -> None:
    """Close the shared connection to a host: one that outlives its host would make later commands wait for nothing."""
    if config_path(settings).is_file():
        run(["ssh", "-F", config_path(settings), "-O", "exit", host.name], check=False, timeout=10)
