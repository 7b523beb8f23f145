# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The lab keeps its promises: it is quick, honest about exit statuses, and breaks things as they break outside."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support import LAB, local

from arca_lab.api import Lab
from arca_lab.errors import NotRunning

lab = Lab()


@pytest.fixture
def edge1_healed() -> Iterator[None]:
    yield
    lab.heal("edge1")


def reaches(host: str, address: str) -> bool:
    return lab.exec(host, ["ping", "-c1", "-W1", address]).ok


def test_up_again_is_quick_and_reboots_nobody() -> None:
    before = [
        lab.exec(host.name, "cat /proc/sys/kernel/random/boot_id; ps -o lstart= 1") for host in lab.topology.hosts
    ]
    began = time.monotonic()
    local([LAB, "up"])
    assert time.monotonic() - began < 5
    after = [lab.exec(host.name, "cat /proc/sys/kernel/random/boot_id; ps -o lstart= 1") for host in lab.topology.hosts]
    assert [result.stdout.split()[1:] for result in before] == [result.stdout.split()[1:] for result in after]


def test_exec_passes_standard_input_and_exit_status() -> None:
    result = lab.exec("edge1", ["sh", "-c", "cat; echo 'to stderr' >&2; exit 7"], stdin="words with  spaces\n")
    assert (result.status, result.stdout, result.stderr) == (7, "words with  spaces\n", "to stderr\n")


def test_popen_is_read_as_it_goes() -> None:
    with lab.popen("client", "echo first; read line; echo $line") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "first\n"
        process.stdin.write("second\n")
        process.stdin.flush()
        assert process.stdout.readline() == "second\n"


def test_run_reaches_hosts_by_their_management_address() -> None:
    assert lab.run(["sh", "-c", "echo | nc.openbsd -w2 10.99.0.10 22"]).stdout.startswith("SSH-2.0-")


def test_a_cut_is_silent_and_leaves_the_management_network(edge1_healed: None) -> None:
    assert reaches("router", "10.98.1.2")
    lab.cut("edge1")
    assert not reaches("router", "10.98.1.2")
    assert not reaches("edge1", "10.98.1.1")
    assert lab.exec("edge1", "cat /sys/class/net/uplink0/carrier").stdout == "1\n"
    assert lab.exec("router", "cat /sys/class/net/edge1/carrier").stdout == "1\n"
    assert {host.name: host.uplink for host in lab.status()}["edge1"] == "cut"
    lab.heal("edge1")
    assert reaches("router", "10.98.1.2")


def test_a_reboot_keeps_the_disk_and_forgets_the_kernels_state() -> None:
    lab.exec("client", "echo kept >/root/kept; ip address add 192.168.77.1/32 dev lo", check=True)
    lab.reboot("client")
    assert lab.exec("client", "cat /root/kept").stdout == "kept\n"
    assert "192.168.77.1" not in lab.exec("client", "ip address show dev lo").stdout
    assert reaches("client", "10.97.0.1")


def test_a_killed_host_is_gone_at_once_and_starts_again() -> None:
    lab.kill("client")
    assert {host.name: host.state for host in lab.status()}["client"] == "down"
    with pytest.raises(NotRunning, match="down already"):
        lab.kill("client")
    lab.start("client")
    assert reaches("client", "10.97.0.1")


def test_hosts_have_no_way_out_and_cannot_set_the_clock() -> None:
    assert "10.97.0.0/24" in lab.exec("edge1", "ip route").stdout
    assert "default" not in lab.exec("edge1", "ip route; ip -6 route").stdout
    assert not lab.exec("edge1", "date -s 2001-01-01").ok
