# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The application: endpoints, what surrounds them, and what runs beside them, put together on one service."""

from __future__ import annotations

import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from arca_dns import __version__
from arca_dns.access.api_keys import ApiKeys
from arca_dns.documents import ZoneSettings, utc
from arca_dns.git_import import GitImport
from arca_dns.journal import Journal
from arca_dns.lease import Lease
from arca_dns.service import Service

from . import models, problem
from .auth import Authentication, KeyRing, StoredKeys
from .config import ONE_MACHINE, ControllerConfig
from .dns.server import DnsServer
from .event_feed import EventFeed
from .feed import HeadFeed
from .idempotency import Answers, Idempotency
from .imports import ImportRounds
from .metrics import Metrics
from .middleware import BodyLimit, EncodedSlashes, Observation
from .process import identity, is_gone
from .rates import RateLimit, Rates
from .routes import api_router, operations
from .routes.shared import Context
from .scheduler import Job, Scheduler

#: How often answers that are kept for idempotency keys are looked through.
_FORGET_SECONDS = 3600.0
_DESCRIPTION = """\
Zones, their versions, and what is published of them. Every path but `health` and `ready` needs an API key.
Writes need `If-Match` with the zone's ETag; with `dry_run` they answer the plan and write nothing.
"""

#: What a client may do next with a zone that it created: OpenAPI links.
_AFTER_CREATE = (
    "get_zone",
    "replace_zone",
    "get_zone_file",
    "change_zone",
    "put_rrset",
    "list_versions",
    "get_ds",
    "delete_zone",
    "undelete",
)


def create_app(config: ControllerConfig, service: Service, *, clock: Callable[[], float] = time.time) -> FastAPI:
    """The application on *service*, which stays the caller's to close."""
    metrics = Metrics()
    feed, events = HeadFeed(service, metrics), EventFeed(service.store)
    dns = DnsServer(config.dns, service, feed, metrics, clock)
    lease = Lease(
        service.store,
        "scheduler",
        config.scheduler.instance or f"{socket.gethostname()}-{secrets.token_hex(3)}",
        clock,
        config.scheduler.seconds(config.backend.type),
        process=identity(),
        gone=partial(is_gone, one_machine=config.backend.type in ONE_MACHINE),
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        interval = config.publish.maintenance_interval
        jobs = [
            Job("maintain", service.maintain, interval),
            Job("retain", service.retain, interval, delay=interval),
            Job("forget", lambda: sum(kept.prune()), _FORGET_SECONDS, delay=interval),
            Job("collect", service.collect, config.history.sweep_interval, delay=config.history.sweep_interval),
        ]
        first = Job("publish", service.publish, interval)
        schedulers: list[Scheduler | ImportRounds] = [
            Scheduler(lease, jobs, service.under, metrics, first=first, clock=clock)
        ]
        if config.backend.type == "git":
            importer = GitImport(service, ZoneSettings(dnssec=config.dnssec.enabled))
            schedulers.append(ImportRounds(importer.round, config.backend.git.pull_interval))
        feed.start()
        for scheduler in schedulers:
            scheduler.start()
        try:
            await dns.start()
            yield
        finally:
            feed.close()
            events.close()
            await dns.stop()
            for scheduler in schedulers:
                await scheduler.stop()
            await feed.join()
            await events.join()

    app = FastAPI(
        title="arca.dns controller",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.dns = dns
    ring, rates = KeyRing(config.api.keys), Rates(config.api.rate)
    app.state.reloadable = (ring, rates)
    keys, kept = ApiKeys(service.store, clock), Answers(service.store, clock)
    stored = StoredKeys(keys)
    app.state.context = Context(
        config, service, feed, metrics, utc(clock()), lease, keys, Journal(service.store, clock), events, stored
    )
    app.include_router(operations.root)
    app.include_router(api_router())
    problem.install(app)
    metrics.watch_edges(service.edges_in_short)
    # The last one added is the first that a request meets.
    app.add_middleware(Idempotency, answers=kept)
    app.add_middleware(BodyLimit, limit=config.api.body_limit, seconds=config.api.body_timeout)
    app.add_middleware(RateLimit, rates=rates)
    app.add_middleware(Authentication, keys=ring, stored=stored, rates=rates)
    app.add_middleware(EncodedSlashes)
    app.add_middleware(Observation, metrics=metrics)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]

    @app.get("/api/v1/openapi.json", include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return app.openapi()

    return app


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI description of *app*."""
    if app.openapi_schema is None:
        found = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        components = found.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        described = models.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas["Problem"] = described
        components["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        found["security"] = [{"bearer": []}, {"key": []}]
        for path in ("/api/v1/health", "/api/v1/ready"):
            found["paths"][path]["get"]["security"] = []
        made = found["paths"]["/api/v1/zones"]["post"]["responses"]["201"]
        made["links"] = {
            name: {"operationId": name, "parameters": {"zone": "$request.body#/name"}} for name in _AFTER_CREATE
        }
        app.openapi_schema = found
    return app.openapi_schema
