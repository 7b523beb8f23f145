# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon's process: the listening socket, uvicorn, signals, systemd; a stop finishes the writes that run."""

from __future__ import annotations

import asyncio
import ipaddress
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from arca_dns.errors import ArcaError, ConfigError, Place
from arca_dns.store.base import Store
from arca_dns.systemd import notify, watchdog_seconds

from .app import create_app
from .config import ControllerConfig
from .patience import patient
from .reload import Reload
from .routes.shared import Context
from .tls import Certificate
from .wiring import open_service

log = structlog.get_logger(__name__)
_CERTIFICATE_SECONDS = 60.0


class Server(uvicorn.Server):
    """Tells systemd what it does, and lets long polls go as soon as it is asked to stop.

    *reload* is called on SIGHUP; *certificate*, if there is one, is looked at again then and every minute.
    """

    def __init__(
        self, config: uvicorn.Config, app: FastAPI, reload: Callable[[], bool], certificate: Certificate | None
    ) -> None:
        super().__init__(config)
        self._context: Context = app.state.context
        self._reload = reload
        self._certificate = certificate
        self._beside: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets)
        if self.started:
            seconds = watchdog_seconds()
            if seconds is not None:
                self._beside.append(asyncio.create_task(_keep_alive(seconds, self._context.service.store)))
            if self._certificate is not None:
                self._beside.append(asyncio.create_task(_keep_certificate(self._certificate)))
            with suppress(ValueError, RuntimeError):  # a test runs it beside the main thread
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self.reload)
            notify("READY=1")
            log.info("ready")

    def reload(self) -> None:
        """Read configuration and certificate anew."""
        notify("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")
        self._reload()
        if self._certificate is not None:
            self._certificate.renew()
        notify("READY=1")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal to stop; a second interrupt stops at once. Not raised again afterwards: a stop is a good end."""
        self._context.feed.close()
        self._context.events.close()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell, then finish what runs."""
        notify("STOPPING=1")
        log.info("stopping")
        await super().shutdown(sockets)
        for task in self._beside:
            task.cancel()


async def _keep_alive(seconds: float, store: Store) -> None:
    """Tell the watchdog, as long as the event loop runs and the store answers, if only that it cannot be reached."""
    while True:
        with suppress(ArcaError):
            await asyncio.to_thread(store.get, "watchdog/")
        notify("WATCHDOG=1")
        await asyncio.sleep(seconds)


async def _keep_certificate(certificate: Certificate) -> None:
    while True:
        await asyncio.sleep(_CERTIFICATE_SECONDS)
        certificate.renew()


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


def serve(config: ControllerConfig, reread: Callable[[], ControllerConfig]) -> None:
    """Run the controller until it is told to stop; *reread* gives the configuration as it is when SIGHUP comes.

    Raises ``ArcaError`` if it cannot start.
    A backend that does not answer is no reason not to start: requests get 503 until it does.
    """
    if config.api.tls.cert_file is None and not ipaddress.ip_address(config.api.address()[0]).is_loopback:
        log.warning("the API listens beyond loopback without TLS: keys can be read on their way (api.tls)")
    certificate = None if config.api.tls.cert_file is None else Certificate(config.api.tls)
    service = open_service(config, wait=True)
    try:
        with listen(*config.api.address()) as sock:
            app = create_app(config, service)
            app.state.dns.bind()
            settings = uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=config.api.shutdown_timeout,
                h11_max_incomplete_event_size=64 << 10,
                http=patient(config.api.header_timeout),
                limit_concurrency=config.api.connections,
                proxy_headers=bool(config.api.trusted_proxies),
                forwarded_allow_ips=list(config.api.trusted_proxies),
                ssl_context_factory=None if certificate is None else lambda _config, _default: certificate.context,
            )
            reload = Reload(config, reread, *app.state.reloadable)
            Server(settings, app, reload, certificate).run(sockets=[sock])
    finally:
        service.close()
