# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Failure drills on the lab: three anycast edges under load, one thing breaks, and what is lost is counted.

The load comes from the client, over UDP with a share of TCP, no query sent twice; one is lost if it has no answer
within a second. *withdrawn* is the time from the failure to the router's kernel having no route to the edge, *back*
from the repair to its having one again (reboot, drain and rolling restart: how long it was gone). *others* says whether
an edge that was not meant lost its route. Median and worst of the runs.

Then the same with anycast_healthchecker (from PyPI) in place of the health check, on the same hosts, name servers and
BGP sessions, for the drills that it can take part in; ``ratio`` is its median time to withdraw by ours.

``failover.py [--runs 5] [--rate 1000] [--only NAME,…] [--reuse] [--no-peer] [--json FILE]``: needs root; builds the lab
(see tests/lab/README.md) with three edges unless ``--reuse`` takes the one that is up. Drills: ``--list``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent / "support"))

from drills import ALL_MOVE, DRILLS, Drill, began
from lab_site import DrillError, Load, RouteMonitor, Site
from peer_health import in_charge

TCP_SHARE = 0.05
_WARM = 1.5  # seconds of load before something breaks


@dataclass(frozen=True)
class Run:
    """What one run of a drill came to; times in seconds, ``None`` where nothing was withdrawn."""

    withdrawn: float | None
    back: float | None
    queries: int
    lost: int
    others: bool
    problem: str = ""


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
            while time.monotonic() < until and not (drill.withdraws and monitor.routes.lost(edge, began()) is not None):
                time.sleep(0.02)
            time.sleep(1.0)
            repaired = time.time()
        site.settle()
        time.sleep(0.5)
    except (DrillError, OSError, subprocess.SubprocessError) as error:
        problem = str(error).splitlines()[0] if str(error) else type(error).__name__
    queries = load.stop()
    monitor.close()
    lost_at = monitor.routes.lost(edge, began())
    others = (
        any(other != edge and monitor.routes.lost(other, began()) is not None for other in site.edges)
        and drill.name not in ALL_MOVE
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
        None if lost_at is None else lost_at - began(),
        None if back is None or repaired is None else max(0.0, back - repaired),
        len(queries),
        sum(1 for query in queries if query.seconds is None and query.sent > began() - 1),
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


def table(
    site: Site, system: str, drills: Sequence[Drill], runs: int, rate: int, beside: dict[str, list[Run]]
) -> dict[str, list[Run]]:
    """Run *drills* and print a line for each; *beside* are the runs that they are compared with."""
    print(f"\n{system:34} {'withdrawn s':>13} {'lost':>11} {'back s':>13} {'others':>7} {'ratio':>5}  verdict")
    results: dict[str, list[Run]] = {}
    for drill in drills:
        done = results[drill.name] = []
        for number in range(runs):
            done.append(run(site, drill, site.edges[number % len(site.edges)], rate))
            if done[-1].problem:
                break
        print(
            f"{drill.title:34} {_figures([one.withdrawn for one in done]):>13}"
            f" {_figures([float(one.lost) for one in done], 0):>11} {_figures([one.back for one in done]):>13}"
            f" {'moved' if any(one.others for one in done) else 'stayed':>7}"
            f" {_ratio(done, beside.get(drill.name, [])):>5}  {_verdict(drill, done)}",
            flush=True,
        )
    return results


def _ratio(runs: Sequence[Run], beside: Sequence[Run]) -> str:
    ours, theirs = (
        [one.withdrawn for one in some if one.withdrawn is not None and not one.problem] for some in (beside, runs)
    )
    return f"{median(theirs) / median(ours):.1f}" if ours and theirs else "–"


def main() -> int:
    """Run the drills that are asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--only", default="")
    parser.add_argument("--edges", type=int, default=3)
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("--no-peer", action="store_true")
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
    chosen = [drill for drill in DRILLS if not wanted or drill.name in wanted]
    load = f"{options.rate} queries/s ({TCP_SHARE:.0%} TCP)"
    print(f"{options.edges} edges, {load}, {options.runs} runs each: median / worst")
    results = {"arca.dns": table(site, "arca.dns", chosen, options.runs, options.rate, {})}
    beside = [] if options.no_peer else [drill for drill in chosen if not drill.alone]
    if beside:
        with in_charge(site) as version:
            results[version] = table(site, version, beside, options.runs, options.rate, results["arca.dns"])
    if options.json:
        told = {
            system: {name: [asdict(one) for one in runs] for name, runs in drills.items()}
            for system, drills in results.items()
        }
        options.json.write_text(json.dumps(told, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
