# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon's process: the listening socket, uvicorn, signals, systemd; a stop finishes the writes that run."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from arca_dns.errors import ConfigError, Place
from arca_dns.systemd import notify, watchdog_seconds

from .app import create_app
from .config import ControllerConfig
from .wiring import open_service

log = structlog.get_logger(__name__)


class Server(uvicorn.Server):
    """Tells systemd what it does, and lets long polls go as soon as it is asked to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._feed = app.state.context.feed
        self._alive: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            seconds = watchdog_seconds()
            if seconds is not None:
                self._alive = asyncio.create_task(_keep_alive(seconds))
            notify("READY=1")
            log.info("ready")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop; a second interrupt stops at once. Not raised again afterwards: a stop is a good end."""
        self._feed.close()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell, then finish what runs."""
        notify("STOPPING=1")
        log.info("stopping")
        await super().shutdown(sockets)
        if self._alive is not None:
            self._alive.cancel()


async def _keep_alive(seconds: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)


def listen(address: str, port: int) -> socket.socket:
    """A listening socket. Raises :class:`ConfigError`."""
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        sock = socket.create_server((address, port), family=family, backlog=2048)
        # asyncio does it only where the protocol stands in the socket; without it answers in pieces wait 40 ms.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    except OSError as error:
        reason = error.strerror or str(error)
        places = [Place(f"cannot listen on {address}, port {port}: {reason}", pointer="api.listen")]
        raise ConfigError("the API cannot start", places) from None


def serve(config: ControllerConfig) -> None:
    """Run the controller until it is told to stop. Raises ``ArcaError`` if it cannot start.

    A backend that does not answer is no reason not to start: requests get 503 until it does.
    """
    service = open_service(config, wait=True)
    try:
        with listen(*config.api.address()) as sock:
            app = create_app(config, service)
            settings = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=config.api.shutdown_timeout,
                h11_max_incomplete_event_size=64 << 10,
            )
            Server(settings, app).run(sockets=[sock])
    finally:
        service.close()
