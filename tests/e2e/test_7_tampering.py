# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""7. What was tampered with on its way is refused, the log says why, and the edge keeps serving what it had."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import journal, now_on, on, put_address, remove, served, until

ZONE = "arca.example."
NAME = f"changes.{ZONE}"
PORT = 18053
addresses = (f"192.0.2.{n}" for n in itertools.count(100))


class Proxy:
    """The tampering proxy in edge1's network."""

    def __init__(self) -> None:
        argv = ["ip", "netns", "exec", "lab-edge1", sys.executable, str(Path(__file__).with_name("tamper.py"))]
        self._process = subprocess.Popen(
            [*argv, str(PORT), "http://10.99.0.10:8053", "pass"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def mode(self, name: str) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline().strip() == name

    def close(self) -> None:
        self._process.communicate(timeout=10)


def change(address: str) -> None:
    put_address(ZONE, "changes", address)


@pytest.fixture(scope="module")
def proxy() -> Iterator[Proxy]:
    """edge1's agent talks to the controller through the proxy."""
    config = "/etc/arca-dns/agent.yaml"
    on("edge1", "cp", "-a", config, f"{config}.kept")
    tampering = Proxy()
    try:
        on("edge1", "sed", "-i", f"s#http://[^\"' ]*:8053#http://127.0.0.1:{PORT}#", config)
        on("edge1", "systemctl", "restart", "arca-dns-agent")
        yield tampering
    finally:
        remove(ZONE, "changes", "A")
        on("edge1", "mv", f"{config}.kept", config)
        on("edge1", "systemctl", "restart", "arca-dns-agent")
        tampering.close()


def refusals(since: str) -> list[str]:
    """The reasons that edge1's agent logged."""
    found = []
    for line in journal("edge1", "arca-dns-agent", since).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("event") == "refused":
            found.append(str(event["reason"]))
    return found


def served_by_both(address: str) -> None:
    for edge in ("edge1", "edge2"):
        until(f"{edge} serves {address}", lambda edge=edge: served(edge, NAME, "A") == [address], seconds=20)


@pytest.mark.parametrize(
    ("mode", "reason"),
    [("blob", "does not hash"), ("head", "signature is wrong"), ("old-head", "goes back")],
)
def test_a_tampered_artifact_is_refused_and_the_old_content_stays(proxy: Proxy, mode: str, reason: str) -> None:
    proxy.mode("pass")
    held, wanted = next(addresses), next(addresses)
    change(held)
    served_by_both(held)
    since = now_on("edge1")
    proxy.mode(mode)
    change(wanted)
    until("edge2 serves the change", lambda: served("edge2", NAME, "A") == [wanted], seconds=10)
    until(f"edge1 logs {reason!r}", lambda: any(reason in text for text in refusals(since)), seconds=60)
    assert served("edge1", NAME, "A") == [held]
    proxy.mode("pass")
    served_by_both(wanted)
