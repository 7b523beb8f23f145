# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Gates of a promotion: what the edges of a ring must have attested before the next ring follows. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..documents import moment, utc
from ..store.base import Json
from .head import DEFAULT_RING

_NAMED = 3
#: How far the clocks of controllers may be apart.
_AHEAD_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Gates:
    """What is asked of each edge: heard of within *fresh_seconds*, at most *failing_share* of its zones failing."""

    fresh_seconds: float = 150.0
    failing_share: float = 0.0


def ring_of(report: Mapping[str, Json]) -> str:
    """The ring that an edge attests to follow; edges of earlier versions do not say."""
    ring = report.get("ring")
    return ring if isinstance(ring, str) else DEFAULT_RING


def age_of(report: Mapping[str, Json], now: float) -> float:
    """Seconds since *report* was received; for ever if that is not known, or is yet to come."""
    try:
        age = now - moment(str(report.get("received")))
    except ValueError:
        return float("inf")
    return max(0.0, age) if age >= -_AHEAD_SECONDS else float("inf")


def blocked(reports: Iterable[Mapping[str, Json]], ring: str, revision: int, gates: Gates, now: float) -> list[str]:
    """Why what *ring* has at *revision* may not go on to the next ring yet; empty if it may."""
    found = [report for report in reports if ring_of(report) == ring]
    if not found:
        return [f"no edge of ring {ring} has attested anything"]
    return [reason for report in found for reason in against(report, revision, gates, now)]


def against(report: Mapping[str, Json], revision: int, gates: Gates, now: float) -> Iterator[str]:
    """What speaks against the edge of *report*, whose ring should be at *revision*."""
    edge = f"edge {report.get('edge')}"
    age = age_of(report, now)
    if age > gates.fresh_seconds:
        heard = f"{edge} was last heard of at {report.get('received')} (it is {utc(now)} now)"
        yield f"{heard}; if it is gone for good, delete it"
        return
    head = report.get("head")
    if not isinstance(head, int) or head < revision:
        yield f"{edge} serves revision {head if isinstance(head, int) else 'nothing'}, not {revision} yet"
    if report.get("server_problem"):
        yield f"{edge}: {report['server_problem']}"
    yield from _failing(edge, report, gates)
    yield from _unhealthy(edge, report)


def _failing(edge: str, report: Mapping[str, Json], gates: Gates) -> Iterator[str]:
    failures, zones, served = report.get("failures"), report.get("zones"), report.get("zone_count")
    failing = failures if isinstance(failures, list) else []
    if not isinstance(served, int):
        served = len(zones) if isinstance(zones, list) else 0
    if len(failing) / max(served, len(failing), 1) > gates.failing_share:
        first = [f"{one.get('name')}: {one.get('reason')}" for one in failing[:_NAMED] if isinstance(one, dict)]
        yield f"{edge} does not serve {len(failing)} of {max(served, len(failing))} zones ({'; '.join(first)})"


def _unhealthy(edge: str, report: Mapping[str, Json]) -> Iterator[str]:
    health = report.get("health")
    for one in health if isinstance(health, list) else []:
        if isinstance(one, dict) and one.get("condition", "") in ("failed", "held-down", None):
            reasons = one.get("reasons")
            why = "; ".join(map(str, reasons[:_NAMED])) if isinstance(reasons, list) else ""
            how = f"is {one['condition']}" if one["condition"] else "is looked at by nobody"
            yield f"{edge}: {one.get('prefix')} {how}{f' ({why})' if why else ''}"
