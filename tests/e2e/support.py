# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the end-to-end tests share: commands on lab hosts, playbook runs, API calls, queries."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
INVENTORY = ROOT / "inventories" / "lab"
#: Which name servers the edges have: ``mixed`` is NSD on the first and Knot on the second.
SERVERS = os.environ.get("ARCA_E2E_SERVERS", "mixed")
SERVER = {"mixed": ("nsd", "knot"), "nsd": ("nsd", "nsd"), "knot": ("knot", "knot")}[SERVERS]
LAB = ROOT / "tests" / "lab" / "lab"
ANYCAST = ("203.0.113.53", "2001:db8:53::53")
PREFIXES = ("203.0.113.53/32", "2001:db8:53::53/128")
EDGES = ("edge1", "edge2")
SERVER_OF = dict(zip(EDGES, SERVER, strict=True))
#: For runs of site.yml that change nothing, which need not be done edge after edge.
AT_ONCE = ("-e", '{"arca_dns_serial": ["100%"]}')
API = "http://127.0.0.1:8053/api/v1"

T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """A finished command."""

    code: int
    out: str
    err: str


def local(argv: Sequence[str | Path], *, timeout: float = 900, check: bool = True, given: str = "") -> Result:
    """Run a command on the control node; *given* is its standard input."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        [str(arg) for arg in argv],
        cwd=ROOT,
        env=environment,
        input=given,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    result = Result(done.returncode, done.stdout, done.stderr)
    if check and result.code:
        raise AssertionError(f"{argv} ended with {result.code}\n{result.out[-8000:]}\n{result.err[-8000:]}")
    return result


def on(host: str, *argv: str, check: bool = True, timeout: float = 120, given: str = "") -> Result:
    """Run a command on a lab host; *given* is its standard input."""
    return local([LAB, "exec", host, "--", *argv], timeout=timeout, check=check, given=given)


def in_namespace(host: str, *argv: str, check: bool = True, timeout: float = 300) -> Result:
    """Run a command of the control node with *host*'s network: this Python and its packages, that host's view."""
    return local(["ip", "netns", "exec", f"lab-{host}", *argv], timeout=timeout, check=check)


def start_in_namespace(host: str, *argv: str) -> subprocess.Popen[str]:
    """Start such a command and leave it running; its output can be read from ``stdout``."""
    return subprocess.Popen(
        ["ip", "netns", "exec", f"lab-{host}", *argv],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def queries_of(load: subprocess.Popen[str]) -> list[list[Any]]:
    """End a load that runs; returns its queries: when each was sent, its latency (``None``: lost), who answered."""
    load.terminate()
    output, _ = load.communicate(timeout=60)
    return [json.loads(line) for line in output.splitlines()]


def until(what: str, probe: Callable[[], T], *, seconds: float, every: float = 0.1) -> T:
    """Poll *probe* until it returns something true; returns that. Fails with the last value after *seconds*."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}; last seen: {value!r}")
        time.sleep(every)


def playbook(name: str, *options: str, check: bool = True) -> tuple[dict[str, dict[str, int]], str]:
    """Run a playbook on the lab; returns per host its counts (``changed``, ``failures`` …) and the output."""
    servers = Path(__file__).parent / "inventory" / f"{SERVERS}.yml"
    argv = ["ansible-playbook", "-i", str(INVENTORY), "-i", str(servers), f"playbooks/{name}", *options]
    result = local(argv, check=check)
    counts: dict[str, dict[str, int]] = {}
    for line in result.out.split("PLAY RECAP", 1)[-1].splitlines():
        host, colon, rest = line.partition(" : ")
        if colon:
            counts[host.strip()] = {
                key: int(value) for key, _, value in (part.partition("=") for part in rest.split()) if value.isdigit()
            }
    return counts, result.out


def secret(name: str) -> str:
    """An API key that the lab's inventory generated."""
    path = INVENTORY / "credentials" / name
    return path.read_text().split()[0]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: str

    def json(self) -> Any:
        return json.loads(self.body)


def api(
    method: str,
    path: str,
    *,
    key: str | None = None,
    body: object = None,
    text: str | None = None,
    headers: Sequence[str] = (),
) -> Answer:
    """Call the controller's API with curl on the controller host."""
    argv = ["curl", "-sS", "-i", "-X", method, "--max-time", "30", "-H", "@-", f"{API}{path}"]
    authorization = f"Authorization: Bearer {secret('admin_api_key') if key is None else key}\n"
    for header in headers:
        argv += ["-H", header]
    if body is not None:
        argv += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
    if text is not None:
        argv += ["-H", "Content-Type: text/plain", "--data-binary", text]
    head, _, content = on("controller", *argv, given=authorization).out.replace("\r\n", "\n").partition("\n\n")
    lines = head.splitlines()
    pairs = (line.partition(":") for line in lines[1:])
    return Answer(int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in pairs}, content)


def etag(zone: str) -> str:
    """The ETag of a zone as it is now."""
    return api("GET", f"/zones/{zone}").headers["etag"]


def put_address(zone: str, owner: str, address: str) -> None:
    """Make *address* the A record of a name with curl, as a script does."""
    answer = api(
        "PUT",
        f"/zones/{zone}/rrsets/{owner}/A",
        body={"ttl": 60, "values": [address]},
        headers=[f"If-Match: {etag(zone)}"],
    )
    if answer.status != 200:
        raise AssertionError(answer.body)


def remove(zone: str, owner: str, rdtype: str) -> None:
    """Take an RRset away again, so that the inventory is what the controller has."""
    answer = api("DELETE", f"/zones/{zone}/rrsets/{owner}/{rdtype}", headers=[f"If-Match: {etag(zone)}"])
    if answer.status not in (200, 404):
        raise AssertionError(answer.body)


def served(edge: str, name: str, rdtype: str) -> list[str]:
    """What *edge* itself answers at the service address."""
    out = on(edge, "dig", "+short", "+time=1", "+tries=1", f"@{ANYCAST[0]}", name, rdtype, check=False).out
    return sorted(line for line in out.splitlines() if line and not line.startswith(";"))


def announced(edge: str) -> set[str]:
    """The service prefixes that the router has from *edge*."""
    found: set[str] = set()
    prefix = ""
    for line in on("router", "birdc", "show", "route").out.splitlines():
        if line[:1].isalnum() and "/" in line.split()[0]:
            prefix = line.split()[0]
        if line.rstrip().endswith(f" on {edge}"):
            found.add(prefix)
    return found & set(PREFIXES)


def journal(host: str, unit: str, since: str) -> str:
    """The log of a unit since a moment (as journalctl takes it)."""
    return on(host, "journalctl", "-u", unit, "--since", since, "--no-pager", "-o", "cat").out


def now_on(host: str) -> str:
    """A moment that ``journalctl --since`` understands."""
    return on(host, "date", "+%Y-%m-%d %H:%M:%S").out.strip()
