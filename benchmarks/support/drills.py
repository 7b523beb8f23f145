# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""What breaks in the failure drills: each on one edge of the lab, or beside it, and mended when its context ends."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from lab_site import ROOT, ZONE, DrillError, Site

from arca_dns.publish.head import HeadKey, SignedHead

_CONFIG = "/etc/arca-dns/agent.yaml"
_STATE = "/var/lib/arca-dns/agent/state.sqlite"
_HEAD_KEY = "/var/lib/arca-dns/controller/head.key"


@dataclass(frozen=True)
class Drill:
    """Something that breaks on an edge, or beside it; repaired when the context ends.

    *withdraws* is what should become of the edge's route (``None``: either); *seconds* is how long it lasts at most;
    *alone* that it is about parts of arca.dns which a peer does not have.
    """

    name: str
    title: str
    breaks: Callable[[Site, str], object]
    withdraws: bool | None
    seconds: float = 6.0
    alone: bool = False


@contextmanager
def nsd_killed(site: Site, edge: str) -> Iterator[None]:
    with site.kept_down(edge, "nsd"):
        _begin()
        site.on(edge, "systemctl kill -s KILL nsd")
        yield


@contextmanager
def nsd_killed_once(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on(edge, "systemctl kill -s KILL nsd")
    yield


@contextmanager
def nsd_hung(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on(edge, "systemctl kill -s STOP nsd")
    try:
        yield
    finally:
        site.on(edge, "systemctl kill -s CONT nsd")


@contextmanager
def _zone_file(site: Site, edge: str, edit: str) -> Iterator[None]:
    """Edits what NSD serves, behind the agent's back; the agent brings it right when it is back."""
    zone = json.loads(site.on(edge, "cat /var/lib/arca-dns/agent/served.json"))["probe_zone"].rstrip(".")
    path = f"/var/lib/nsd/arca/{zone}.zone"
    site.on(edge, f"nsd-control write {zone}; sleep 1; test -s {path}")
    site.on(edge, f"systemctl stop arca-dns-agent; cp -a {path} /run/drill.zone; {edit.format(path=path)}")
    _begin()
    site.on(edge, f"nsd-control reload {zone}")
    try:
        yield
    finally:
        site.on(edge, f"cp -a /run/drill.zone {path}; nsd-control reload {zone}; systemctl start arca-dns-agent")


@contextmanager
def wrong_answers(site: Site, edge: str) -> Iterator[None]:
    old = r"sed -i -E '/\tSOA\t/ {{ n; s/[0-9]+/0/ }}' {path}"
    with _zone_file(site, edge, old):
        yield


@contextmanager
def expired_signatures(site: Site, edge: str) -> Iterator[None]:
    expired = r"sed -i -E '/\tRRSIG\t/ s/(RRSIG\t[A-Z0-9]+ [0-9]+ [0-9]+ [0-9]+ )[0-9]+/\120200101000000/' {path}"
    with _zone_file(site, edge, expired):
        yield


@contextmanager
def power_loss(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.lab.cut(edge)
    try:
        yield
    finally:
        site.lab.heal(edge)


@contextmanager
def bird_killed(site: Site, edge: str) -> Iterator[None]:
    with site.kept_down(edge, "bird"):
        _begin()
        site.on(edge, "systemctl kill -s KILL bird")
        yield


@contextmanager
def agent_killed(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on(edge, "systemctl kill -s KILL arca-dns-agent")
    yield


@contextmanager
def controller_killed(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on("controller", "systemctl kill -s KILL arca-dns-controller")
    yield


@contextmanager
def health_killed(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on(edge, f"systemctl kill -s KILL {site.health_unit}")
    yield


@contextmanager
def controller_lying(site: Site, edge: str) -> Iterator[None]:
    """A proxy before the agent that flips bits, forges heads, sends old and empty ones, while zones change."""
    script = str(ROOT / "tests/e2e/tamper.py")
    proxy = subprocess.Popen(
        ["ip", "netns", "exec", f"lab-{edge}", sys.executable, script, "18053", "http://10.99.0.10:8053", "pass"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert proxy.stdin is not None
    assert proxy.stdout is not None
    site.on(edge, f"cp -a {_CONFIG} {_CONFIG}.kept; sed -i 's#http://[^\"]*:8053#http://127.0.0.1:18053#' {_CONFIG}")
    site.on(edge, "systemctl restart arca-dns-agent")
    empty = _empty_head(site, edge)
    try:
        time.sleep(2)
        _begin()
        for mode in ("head", "old-head", "blob", f"file:{empty}"):
            proxy.stdin.write(f"{mode}\n")
            proxy.stdin.flush()
            proxy.stdout.readline()
            _change(site)
            time.sleep(1)
        yield
    finally:
        proxy.stdin.write("pass\n")
        proxy.stdin.flush()
        site.on(edge, f"mv {_CONFIG}.kept {_CONFIG}; systemctl restart arca-dns-agent")
        proxy.communicate(timeout=10)
        empty.unlink()


def _empty_head(site: Site, edge: str) -> Path:
    """A file with a head by the controller's own key that comes long after the present one and names no zone."""
    read = f"import sqlite3; print(*sqlite3.connect({_STATE!r}).execute('SELECT signed FROM heads').fetchone())"
    held = f"/opt/arca-dns/current/bin/python -c {shlex.quote(read)}"
    head = SignedHead.from_json(json.loads(site.on(edge, held))).head()
    with (
        tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file,
        tempfile.TemporaryDirectory() as folder,
    ):
        key = Path(folder) / "head.key"
        key.touch(0o600)
        key.write_text(site.on("controller", f"cat {_HEAD_KEY}"))
        signed = HeadKey.load(key).sign(replace(head, revision=head.revision + 1000, catalog=None, mass_removal=0))
        json.dump(signed.to_json(), file)
    return Path(file.name)


@contextmanager
def disk_full(site: Site, edge: str) -> Iterator[None]:
    state = "/var/lib/arca-dns/agent"
    site.on(
        edge,
        "systemctl stop arca-dns-agent; mkdir /run/drill;"
        f" cp -a {state}/. /run/drill; mount -t tmpfs -o size=24m tmpfs {state}; cp -a /run/drill/. {state};"
        f" chown arca-dns:arca-dns {state}; chmod 750 {state}; systemctl start arca-dns-agent",
    )
    try:
        time.sleep(2)
        site.on(edge, f"dd if=/dev/zero of={state}/filler bs=64k 2>/dev/null; true")
        _begin()
        _change(site)
        yield
    finally:
        site.on(
            edge,
            f"systemctl stop arca-dns-agent; umount {state}; rm -r /run/drill; systemctl start arca-dns-agent",
        )


@contextmanager
def reboot(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.lab.reboot(edge)
    yield


@contextmanager
def drain(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on(edge, "/opt/arca-dns/current/bin/arca-dns-agent drain --wait --timeout 30")
    try:
        yield
    finally:
        site.on(edge, "/opt/arca-dns/current/bin/arca-dns-agent undrain --wait --timeout 60")


@contextmanager
def rolling_restart(site: Site, edge: str) -> Iterator[None]:
    _begin()
    for one in site.edges:
        site.on(one, "/opt/arca-dns/current/bin/arca-dns-agent drain --wait --timeout 60")
        site.on(one, "systemctl restart nsd arca-dns-agent")
        site.on(one, "/opt/arca-dns/current/bin/arca-dns-agent undrain --wait --timeout 60")
        time.sleep(1.5)  # its word that it announces again has to reach the controller
    yield


@contextmanager
def no_controller(site: Site, edge: str) -> Iterator[None]:
    _begin()
    site.on_all(site.edges, "ip route add blackhole 10.99.0.10/32")
    try:
        yield
    finally:
        site.on_all(site.edges, "ip route del blackhole 10.99.0.10/32")


@contextmanager
def clocks_ahead(site: Site, edge: str) -> Iterator[None]:
    """The daemons of all edges believe that it is two months later: all that is served has expired."""
    folder, units = "/run/drill-clock", ("arca-dns-agent", site.health_unit)
    code = "import time\n_now = time.time\ntime.time = lambda: _now() + 60 * 86400\n"
    drops = {unit: f"/run/systemd/system/{unit}.service.d/drill.conf" for unit in units}
    restart = f"systemctl daemon-reload; systemctl restart {' '.join(units)}"
    put = [f"mkdir -p {folder}; printf %s {shlex.quote(code)} >{folder}/sitecustomize.py"]
    for drop in drops.values():
        text = shlex.quote(f"[Service]\nEnvironment=PYTHONPATH={folder}\n")
        put.append(f"mkdir -p {Path(drop).parent}; printf %s {text} >{drop}")
    _begin()
    site.on_all(site.edges, "; ".join([*put, restart]))
    try:
        yield
    finally:
        site.on_all(site.edges, f"rm -rf {folder} {' '.join(drops.values())}; {restart}")


@contextmanager
def slow_everywhere(site: Site, edge: str) -> Iterator[None]:
    """NSD on all edges stands still for most of the time, for shorter than a probe waits."""
    stutter = (
        "systemd-run -q --unit drill-stutter sh -c 'while :; do systemctl kill -s STOP nsd; sleep 0.15;"
        " systemctl kill -s CONT nsd; sleep 0.04; done'"
    )
    _begin()
    site.on_all(site.edges, stutter)
    try:
        yield
    finally:
        site.on_all(site.edges, "systemctl stop drill-stutter; systemctl kill -s CONT nsd")


def _change(site: Site) -> None:
    """Change a record, so that edges have something to fetch."""
    key = (ROOT / "inventories/lab/credentials/admin_api_key").read_text().split()[0]
    address = f"192.0.2.{int(time.time() * 10) % 250 + 1}"
    command = [str(Path(sys.executable).with_name("arca-dns")), "--url", "http://10.99.0.10:8053"]
    done = subprocess.run(
        site.lab.run_argv([*command, "rrsets", "set", ZONE, "drill", "A", address, "--ttl", "60"]),
        env={**os.environ, "ARCA_DNS_API_KEY": key},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise DrillError(done.stderr.strip())


_began = [0.0]


def _begin() -> None:
    """Here the failure begins: what comes before is preparation."""
    _began[0] = time.time()


def began() -> float:
    """When the latest failure began (unix time)."""
    return _began[0]


DRILLS = (
    Drill("nsd-killed", "NSD killed, kept down", nsd_killed, withdraws=True),
    Drill("nsd-killed-once", "NSD killed, restarted by systemd", nsd_killed_once, withdraws=None),
    Drill("nsd-hung", "NSD hung (SIGSTOP)", nsd_hung, withdraws=True),
    Drill("wrong-answers", "an old zone put in place", wrong_answers, withdraws=True),
    Drill("expired", "expired signatures", expired_signatures, withdraws=True),
    Drill("power-loss", "power loss (link dead, BFD)", power_loss, withdraws=True),
    Drill("bird-killed", "BIRD killed, kept down", bird_killed, withdraws=True),
    Drill("agent-killed", "agent killed", agent_killed, withdraws=False, alone=True),
    Drill("health-killed", "health check killed", health_killed, withdraws=False),
    Drill(
        "controller-killed",
        "controller killed",
        controller_killed,
        withdraws=False,
        alone=True,
    ),
    Drill("controller-lying", "forged, old, damaged, empty heads", controller_lying, withdraws=False, alone=True),
    Drill("disk-full", "the edge's disk is full", disk_full, withdraws=False, alone=True),
    Drill("reboot", "reboot", reboot, withdraws=True),
    Drill("drain", "drain and undrain", drain, withdraws=True, alone=True),
    Drill("rolling", "rolling restart of all edges", rolling_restart, withdraws=True, alone=True),
    Drill("no-controller", "no edge reaches a controller", no_controller, withdraws=False, seconds=8, alone=True),
    Drill("slow", "all edges slow at once", slow_everywhere, withdraws=False, seconds=10),
    Drill("clocks", "all edges' clocks are wrong", clocks_ahead, withdraws=False, seconds=10, alone=True),
)
#: In these every edge goes in its turn, and that is no harm.
ALL_MOVE = {"rolling"}
