# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab's network on paper: hosts, links, addresses, AS numbers. Pure values; nothing here touches the machine.

::

      control node (10.99.0.254, namespace lab-mgmt)
           │
     ══════╪═══════ management 10.99.0.0/24 ═══╪══════════╪═══════════╪════
           │            │                      │          │           │
       controller     edge1  edge2 …         router     client      (every host)
                        │      │              │ │ │       │
                        └──────┼── link N ────┘ │ └───────┘
                               └── link N ──────┘  10.97.0.0/24, fd97::/64
                 link N: 10.98.N.0/30, fd98:N::/64; router .1/::1, edge .2/::2
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from ipaddress import IPv4Interface, IPv6Interface

from .errors import LabError, UnknownHost

DEFAULT_EDGES = 2
MAX_EDGES = 8
ROUTER_ASN = 64600
MANAGEMENT_INTERFACE = "mgmt0"
UPLINK_INTERFACE = "uplink0"
CONTROL_NODE = IPv4Interface("10.99.0.254/24")


@dataclass(frozen=True)
class Port:
    """A network interface of a host, plugged into a bridge."""

    bridge: str
    interface: str
    address4: IPv4Interface
    address6: IPv6Interface | None = None

    @property
    def mac(self) -> str:
        """The hardware address: as a real card's it stays, so that neighbours find a host after a reboot."""
        return "02:" + ":".join(f"{octet:02x}" for octet in (0, *self.address4.ip.packed))


@dataclass(frozen=True)
class Host:
    """A host: its name, its AS number if it speaks BGP, and its ports; the first one is the management port."""

    name: str
    role: str
    ports: tuple[Port, ...]
    asn: int | None = None

    @property
    def namespace(self) -> str:
        """The host's network namespace."""
        return f"lab-{self.name}"

    @property
    def address(self) -> str:
        """The management address, without its prefix length."""
        return str(self.ports[0].address4.ip)

    @property
    def uplink(self) -> Port | None:
        """The port towards the router, if there is one."""
        return next((port for port in self.ports if port.interface == UPLINK_INTERFACE), None)


def management(number: int) -> Port:
    """The port on the management network."""
    return Port("br-mgmt", MANAGEMENT_INTERFACE, IPv4Interface(f"10.99.0.{number}/24"))


def link(edge: int, *, side: str) -> Port:
    """One end (``router`` or ``edge``) of the point-to-point link of edge number ``edge``."""
    number, interface = {"router": (1, f"edge{edge}"), "edge": (2, UPLINK_INTERFACE)}[side]
    return Port(
        f"br-edge{edge}",
        interface,
        IPv4Interface(f"10.98.{edge}.{number}/30"),
        IPv6Interface(f"fd98:{edge}::{number}/64"),
    )


def client_lan(number: int, interface: str) -> Port:
    """A port on the client's network."""
    return Port("br-client", interface, IPv4Interface(f"10.97.0.{number}/24"), IPv6Interface(f"fd97::{number}/64"))


@dataclass(frozen=True)
class Topology:
    """All hosts of a lab with ``edges`` edges."""

    edges: int = DEFAULT_EDGES

    def __post_init__(self) -> None:
        if not 1 <= self.edges <= MAX_EDGES:
            raise LabError(f"a lab has 1 to {MAX_EDGES} edges, not {self.edges}")

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """Controller, edges, router, client."""
        numbers = range(1, self.edges + 1)
        return (
            Host("controller", "controller", (management(10),)),
            *(
                Host(f"edge{n}", "edge", (management(100 + n), link(n, side="edge")), asn=ROUTER_ASN + n)
                for n in numbers
            ),
            Host(
                "router",
                "router",
                (management(1), client_lan(1, "client"), *(link(n, side="router") for n in numbers)),
                asn=ROUTER_ASN,
            ),
            Host("client", "client", (management(20), client_lan(20, UPLINK_INTERFACE))),
        )

    @property
    def edge_hosts(self) -> tuple[Host, ...]:
        """The edges alone."""
        return tuple(host for host in self.hosts if host.role == "edge")

    @property
    def bridges(self) -> tuple[str, ...]:
        """Every bridge that some port needs."""
        return tuple(dict.fromkeys(port.bridge for host in self.hosts for port in host.ports))

    def host(self, name: str) -> Host:
        """The host of that name; raises `UnknownHost`."""
        for host in self.hosts:
            if host.name == name:
                return host
        raise UnknownHost(f"the lab has no host {name!r}; it has {', '.join(host.name for host in self.hosts)}")

    def router_port(self, host: Host) -> Port | None:
        """The router's end of a host's uplink."""
        uplink = host.uplink
        if uplink is None:
            return None
        return next(port for port in self.host("router").ports if port.bridge == uplink.bridge)


def hosts_file() -> str:
    """/etc/hosts of a host; it names every edge that there could be, so that adding one rewrites nothing."""
    everybody = Topology(MAX_EDGES).hosts
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    lines += [f"{host.address} {host.name}" for host in everybody]
    return "\n".join(lines) + "\n"


def network_script(host: Host) -> str:
    """The shell script that configures a host's interfaces whenever it boots; running it again changes nothing.

    The router takes whatever links exist: its script names every edge that there could be.
    """
    ports = Topology(MAX_EDGES).host("router").ports if host.role == "router" else host.ports
    lines = [
        "#!/bin/sh",
        "# Written by the lab. Interfaces that are not plugged in are passed over.",
        "set -eu",
        "port() {",
        '    [ -d "/proc/sys/net/ipv6/conf/$1" ] || return 0',
        '    echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_ra"',
        '    echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad"',
        '    ip address replace "$2" dev "$1"',
        '    [ -z "$3" ] || ip address replace "$3" dev "$1" nodad',
        '    ip link set dev "$1" up',
        "}",
        "ip link set dev lo up",
    ]
    lines += [f'port {port.interface} {port.address4} "{port.address6 or ""}"' for port in ports]
    if host.role == "edge":
        router = Topology(MAX_EDGES).router_port(host)
        lan = client_lan(1, "client")
        if router is not None and router.address6 is not None and lan.address6 is not None:
            lines.append(f"ip -4 route replace {lan.address4.network} via {router.address4.ip} dev {UPLINK_INTERFACE}")
            lines.append(f"ip -6 route replace {lan.address6.network} via {router.address6.ip} dev {UPLINK_INTERFACE}")
    elif host.role == "client":
        lan = client_lan(1, "client")
        if lan.address6 is not None:
            lines.append(f"ip -4 route replace default via {lan.address4.ip} dev {UPLINK_INTERFACE}")
            lines.append(f"ip -6 route replace default via {lan.address6.ip} dev {UPLINK_INTERFACE}")
    return "\n".join(lines) + "\n"


ROUTER_SYSCTL = """\
net.ipv4.ip_forward = 1
net.ipv6.conf.all.forwarding = 1
# Flows, not packets, are spread over the edges: addresses and ports of the inner packet (UDP and TCP alike).
net.ipv4.fib_multipath_hash_policy = 1
net.ipv6.fib_multipath_hash_policy = 1
"""
