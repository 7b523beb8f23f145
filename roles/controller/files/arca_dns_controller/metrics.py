# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The controller's Prometheus metrics: requests, scheduled work, the head, and what edges attest."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from arca_dns.documents import moment
from arca_dns.errors import ArcaError
from arca_dns.store.base import JsonObject

PREFIX = "arca_dns_controller"


class Metrics:
    """One registry for one application; nothing is global, so tests do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            f"{PREFIX}_requests", "HTTP requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            f"{PREFIX}_request_seconds", "Time to answer a request.", ("method", "route"), registry=self.registry
        )
        self.scheduled_runs = Counter(
            f"{PREFIX}_scheduled_runs",
            "Runs of scheduled jobs: ok, failed, or lost to another controller.",
            ("job", "outcome"),
            registry=self.registry,
        )
        self.scheduled_success = Gauge(
            f"{PREFIX}_scheduled_last_success_timestamp_seconds",
            "When a scheduled job last succeeded in this controller.",
            ("job",),
            registry=self.registry,
        )
        self.leader = Gauge(
            f"{PREFIX}_leader", "Whether this controller does the scheduled work.", registry=self.registry
        )
        self.lease_fence = Gauge(
            f"{PREFIX}_lease_fence", "Number of this controller's latest tenure.", registry=self.registry
        )
        self.lease_takeovers = Counter(
            f"{PREFIX}_lease_takeovers", "How often this controller took the lease.", registry=self.registry
        )
        self.head_revision = Gauge(
            f"{PREFIX}_head_revision", "Revision of the first ring's head.", registry=self.registry
        )
        self.ring_revision = Gauge(
            f"{PREFIX}_ring_head_revision", "Revision of a ring's head.", ("ring",), registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def watch_edges(self, edges: Callable[[], list[JsonObject]]) -> None:
        """Show what *edges* gives, read when metrics are."""
        self.registry.register(_Edges(edges))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)


class _Edges:
    def __init__(self, edges: Callable[[], list[JsonObject]]) -> None:
        self._edges = edges

    def describe(self) -> Iterable[Metric]:
        """Nothing: what there is shows when it is asked for, not when this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The latest attestations."""
        head = GaugeMetricFamily(f"{PREFIX}_edge_head_revision", "Head that an edge attests.", labels=("edge",))
        seen = GaugeMetricFamily(
            f"{PREFIX}_edge_attested_timestamp_seconds", "When an edge attested last.", labels=("edge",)
        )
        try:
            attestations = self._edges()
        except ArcaError:  # metrics are read most eagerly when the store is down
            attestations = []
        for item in attestations:
            edge, revision = str(item.get("edge")), item.get("head")
            if isinstance(revision, int):
                head.add_metric((edge,), revision)
            seen.add_metric((edge,), moment(str(item["received"])))
        yield head
        yield seen
