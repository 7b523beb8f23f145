# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The clients that the one suite runs against: the library in process, and a controller's API on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from structlog.testing import capture_logs

from arca_dns.client.base import Client, Write
from arca_dns.client.http import HttpClient
from arca_dns.client.open import LocalFiles, open_local
from arca_dns.dnssec.envelope import MasterKey
from arca_dns.dnssec.keystore import DirectoryKeyStore
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.open import open_store
from arca_dns_controller.app import create_app
from arca_dns_controller.auth import hash_key
from arca_dns_controller.config import Api, ApiKey, ControllerConfig

KEY = "the-key-of-the-tests"


@contextmanager
def controller(folder: Path) -> Iterator[str]:
    """The URL of a controller that runs in this process."""
    keystore = DirectoryKeyStore(folder / "keys", MasterKey.generate())
    service = Service(open_store("sqlite", {"path": str(folder / "zones.db")}), keystore, HeadKey.generate())
    config = ControllerConfig(api=Api(keys=(ApiKey("somebody", "editor", hash_key(KEY)),)))
    server = uvicorn.Server(uvicorn.Config(create_app(config, service), log_config=None, ws="none"))
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    deadline = time.monotonic() + 30
    while not server.started:
        assert thread.is_alive(), "the controller does not start"
        assert time.monotonic() < deadline, "the controller does not start in time"
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        service.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A controller that the tests of a module share."""
    with capture_logs(), controller(tmp_path_factory.mktemp("controller")) as made:
        yield made


@pytest.fixture(params=["local", "http"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Client]:
    """A client of a store without zones."""
    if request.param == "local":
        made: Client = open_local("sqlite", LocalFiles.beside(tmp_path / "zones.db"), actor="somebody")
    else:
        made = HttpClient(request.getfixturevalue("url"), KEY)
    yield made
    if request.param == "http":
        for state in list(made.zones()):
            made.delete_zone(state.name, Write(force=True))
    made.close()
