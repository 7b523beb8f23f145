# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The lab's network on paper is consistent, and what hosts are told about it agrees."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from arca_lab.errors import LabError, UnknownHost
from arca_lab.topology import MAX_EDGES, Topology, hosts_file, network_script


def test_default_lab_has_two_edges() -> None:
    assert [host.name for host in Topology().hosts] == ["controller", "edge1", "edge2", "router", "client"]


@pytest.mark.parametrize("edges", [0, MAX_EDGES + 1])
def test_number_of_edges_is_limited(edges: int) -> None:
    with pytest.raises(LabError, match="1 to 8 edges"):
        Topology(edges)


def test_an_unknown_host_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownHost, match="no host 'edge3'; it has controller, edge1, edge2, router, client"):
        Topology().host("edge3")


def test_no_address_or_hardware_address_is_given_twice() -> None:
    ports = [port for host in Topology(MAX_EDGES).hosts for port in host.ports]
    for values in (
        [port.address4 for port in ports],
        [port.address6 for port in ports if port.address6],
        [port.mac for port in ports],
    ):
        assert len(values) == len(set(values))


def test_ports_on_one_bridge_share_a_network() -> None:
    hosts = Topology(MAX_EDGES).hosts
    for bridge in Topology(MAX_EDGES).bridges:
        ports = [port for host in hosts for port in host.ports if port.bridge == bridge]
        assert len(ports) >= 2
        assert len({port.address4.network for port in ports}) == 1
        assert len({port.address6.network if port.address6 else None for port in ports}) == 1


def test_every_uplink_ends_at_the_router() -> None:
    topology = Topology(3)
    for host in topology.hosts:
        if host.uplink is not None:
            port = topology.router_port(host)
            assert port is not None
            assert port.address4.network == host.uplink.address4.network


def test_each_speaker_of_bgp_has_its_own_as_number() -> None:
    numbers = [host.asn for host in Topology(MAX_EDGES).hosts if host.asn is not None]
    assert numbers[0] == 64601
    assert len(numbers) == len(set(numbers)) == MAX_EDGES + 1


def test_hosts_file_names_edges_that_may_come_later() -> None:
    assert "10.99.0.10 controller" in hosts_file().splitlines()
    assert f"10.99.0.{100 + MAX_EDGES} edge{MAX_EDGES}" in hosts_file().splitlines()


@pytest.mark.parametrize("name", ["controller", "edge1", "router", "client"])
def test_network_script_is_valid_shell(name: str) -> None:
    shell = shutil.which("sh")
    assert shell is not None
    subprocess.run([shell, "-n"], input=network_script(Topology().host(name)), text=True, check=True)


def test_edges_answer_the_client_through_the_router() -> None:
    script = network_script(Topology().host("edge2")).splitlines()
    assert "ip -4 route replace 10.97.0.0/24 via 10.98.2.1 dev uplink0" in script
    assert "ip -6 route replace fd97::/64 via fd98:2::1 dev uplink0" in script


def test_only_the_client_has_a_default_route() -> None:
    having = [host.name for host in Topology().hosts if "route replace default" in network_script(host)]
    assert having == ["client"]
