# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A controller on a memory store, with a key for each role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from arca_dns.config import build
from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns_controller.app import create_app
from arca_dns_controller.config import ControllerConfig
from controller_api import EXAMPLE, Api, role_keys


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate())
    yield made
    made.close()


@pytest.fixture
def config() -> ControllerConfig:
    return build({"api": {"keys": role_keys(), "body_limit": 100_000}, "backend": {"type": "memory"}}, ControllerConfig)


@pytest.fixture
def app(config: ControllerConfig, service: Service) -> FastAPI:
    return create_app(config, service)


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def api(client: TestClient) -> Api:
    return Api(client, "admin")


@pytest.fixture
def zone(api: Api) -> str:
    """example.com., created."""
    answer = api("POST", "/zones", json=EXAMPLE)
    assert answer.status_code == 201, answer.text
    return "example.com."
