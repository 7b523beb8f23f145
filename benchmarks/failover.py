# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Failure drills on the lab: three anycast edges under load, one thing breaks, and what is lost is counted.

The load comes from the client, over UDP with a share of TCP, no query sent twice; one is lost if it has no answer
within a second. *withdrawn* is the time from the failure to the router's kernel having no route to the edge, *back*
from the repair to its having one again (reboot, drain and rolling restart: how long it was gone). *others* says whether
an edge that was not meant lost its route. Median and worst of the runs.

``failover.py [--runs 5] [--rate 1000] [--only NAME,…] [--reuse] [--json FILE]``: needs root; builds the lab (see
tests/lab/README.md) with three edges unless ``--reuse`` takes the one that is up. Drills: ``--list``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent / "support"))

from lab_site import ZONE, DrillError, Load, RouteMonitor, Site

TCP_SHARE = 0.05
_WARM = 1.5  # seconds of load before something breaks
_CONFIG = "/etc/arca-dns/agent.yaml"
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Run:
    """What one run of a drill came to; times in seconds, ``None`` where nothing was withdrawn."""

    withdrawn: float | None
    back: float | None
    queries: int
    lost: int
    others: bool
    problem: str = ""


@dataclass(frozen=True)
class Drill:
    """Something that breaks on an edge, or beside it; repaired when the context ends.

    *withdraws* is what should become of the edge's route (``None``: either); *seconds* is how long it lasts at most.
    """

    name: str
    title: str
    breaks: Callable[[Site, str], object]
    withdraws: bool | None
    seconds: float = 6.0


# -- what breaks ------------------------------------------------------------------------------------


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


def _killed(unit: str, host: str | None = None) -> Callable[[Site, str], object]:
    @contextmanager
    def breaks(site: Site, edge: str) -> Iterator[None]:
        _begin()
        site.on(host or edge, f"systemctl kill -s KILL {unit}")
        yield

    return breaks


@contextmanager
def controller_lying(site: Site, edge: str) -> Iterator[None]:
    """A proxy before the agent that flips bits, forges heads and sends old ones, while zones change."""
    script = str(_ROOT / "tests/e2e/tamper.py")
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
    try:
        time.sleep(2)
        _begin()
        for mode in ("head", "old-head", "blob"):
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
    key = (_ROOT / "inventories/lab/credentials/admin_api_key").read_text().split()[0]
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


DRILLS = (
    Drill("nsd-killed", "NSD killed, kept down", nsd_killed, withdraws=True),
    Drill("nsd-killed-once", "NSD killed, restarted by systemd", nsd_killed_once, withdraws=None),
    Drill("nsd-hung", "NSD hung (SIGSTOP)", nsd_hung, withdraws=True),
    Drill("wrong-answers", "an old zone put in place", wrong_answers, withdraws=True),
    Drill("expired", "expired signatures", expired_signatures, withdraws=True),
    Drill("power-loss", "power loss (link dead, BFD)", power_loss, withdraws=True),
    Drill("bird-killed", "BIRD killed, kept down", bird_killed, withdraws=True),
    Drill("agent-killed", "agent killed", _killed("arca-dns-agent"), withdraws=False),
    Drill("health-killed", "health check killed", _killed("arca-dns-health"), withdraws=False),
    Drill("controller-killed", "controller killed", _killed("arca-dns-controller", "controller"), withdraws=False),
    Drill("controller-lying", "forged, old and damaged answers", controller_lying, withdraws=False),
    Drill("disk-full", "the edge's disk is full", disk_full, withdraws=False),
    Drill("reboot", "reboot", reboot, withdraws=True),
    Drill("drain", "drain and undrain", drain, withdraws=True),
    Drill("rolling", "rolling restart of all edges", rolling_restart, withdraws=True),
    Drill("no-controller", "no edge reaches a controller", no_controller, withdraws=False, seconds=8),
    Drill("slow", "all edges slow at once", slow_everywhere, withdraws=False, seconds=10),
)
#: In these every edge goes in its turn, and that is no harm.
_ALL_MOVE = {"rolling"}


# -- running ----------------------------------------------------------------------------------------


def run(site: Site, drill: Drill, edge: str, rate: int) -> Run:
    """One run of *drill* on *edge*."""
    site.settle()
    monitor = RouteMonitor()
    load = Load(rate, TCP_SHARE)
    problem = ""
    repaired: float | None = None
    try:
        time.sleep(_WARM)
        with ExitStack() as stack:
            stack.enter_context(drill.breaks(site, edge))  # type: ignore[arg-type]
            until = time.monotonic() + drill.seconds
            while time.monotonic() < until and not (
                drill.withdraws and monitor.routes.lost(edge, _began[0]) is not None
            ):
                time.sleep(0.02)
            time.sleep(1.0)
            repaired = time.time()
        site.settle()
        time.sleep(0.5)
    except (DrillError, OSError, subprocess.SubprocessError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
    queries = load.stop()
    monitor.close()
    began = _began[0]
    lost_at = monitor.routes.lost(edge, began)
    others = (
        any(other != edge and monitor.routes.lost(other, began) is not None for other in site.edges)
        and drill.name not in _ALL_MOVE
    )
    back = (
        None
        if lost_at is None
        else monitor.routes.back(edge, max(lost_at, 0.0 if repaired is None else min(repaired, time.time())))
    )
    if drill.name in ("reboot", "drain", "rolling") and lost_at is not None:
        back = monitor.routes.back(edge, lost_at)
        repaired = lost_at
    return Run(
        None if lost_at is None else lost_at - began,
        None if back is None or repaired is None else max(0.0, back - repaired),
        len(queries),
        sum(1 for query in queries if query.seconds is None and query.sent > began - 1),
        others,
        problem,
    )


def _verdict(drill: Drill, runs: list[Run]) -> str:
    if any(one.problem for one in runs):
        return next(one.problem for one in runs if one.problem)[:60]
    withdrawn = [one.withdrawn is not None for one in runs]
    if drill.withdraws is True and not all(withdrawn):
        return f"NOT withdrawn in {withdrawn.count(False)} of {len(runs)}"
    if drill.withdraws is False and any(withdrawn):
        return f"withdrawn in {withdrawn.count(True)} of {len(runs)}"
    return "OTHERS MOVED" if any(one.others for one in runs) else "ok"


def _figures(values: list[float | None], digits: int = 2) -> str:
    known = [value for value in values if value is not None]
    return f"{median(known):.{digits}f} / {max(known):.{digits}f}" if known else "–"


def main() -> int:
    """Run the drills that are asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--edges", type=int, default=3)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        for drill in DRILLS:
            print(f"{drill.name:18} {drill.title}")
        return 0
    wanted = set(filter(None, options.only.split(",")))
    unknown = wanted - {drill.name for drill in DRILLS}
    if unknown:
        parser.error(f"no such drill: {', '.join(sorted(unknown))}; --list shows them")
    site = Site(options.edges)
    if not options.reuse:
        site.bring_up()
    load = f"{options.rate} queries/s ({TCP_SHARE:.0%} TCP)"
    print(f"{options.edges} edges, {load}, {options.runs} runs each: median / worst")
    print(f"{'drill':34} {'withdrawn s':>13} {'lost':>11} {'back s':>13} {'others':>7}  verdict")
    results: dict[str, list[Run]] = {}
    for drill in DRILLS:
        if wanted and drill.name not in wanted:
            continue
        runs = results[drill.name] = []
        for number in range(options.runs):
            runs.append(run(site, drill, site.edges[number % len(site.edges)], options.rate))
            if runs[-1].problem:
                break
        print(
            f"{drill.title:34} {_figures([one.withdrawn for one in runs]):>13}"
            f" {_figures([float(one.lost) for one in runs], 0):>11} {_figures([one.back for one in runs]):>13}"
            f" {'moved' if any(one.others for one in runs) else 'stayed':>7}  {_verdict(drill, runs)}",
            flush=True,
        )
    if options.json:
        told = {name: [asdict(one) for one in runs] for name, runs in results.items()}
        options.json.write_text(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
