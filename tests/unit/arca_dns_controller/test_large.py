# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Large zone files, which a process of their own writes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from arca_dns.config import build
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ChecksFailed, InputError, StaleVersion, ZoneTextError
from arca_dns.service import Service
from arca_dns.zone import names
from arca_dns_controller import large
from arca_dns_controller.app import create_app
from arca_dns_controller.config import ControllerConfig
from arca_dns_controller.reading import WriteOptions
from arca_dns_controller.render import MOST_DIFFS
from arca_dns_controller.wiring import initialise, open_service
from controller_api import Api, problem

ZONE = names.from_text("big.test.")


def zone_file(count: int, more: str = "") -> bytes:
    head = "$ORIGIN big.test.\n$TTL 60\n@ SOA ns h 5 2 3 1209600 5\n@ NS ns\nns A 192.0.2.1\n"
    return (head + "".join(f"n{number} A 192.0.2.7\n" for number in range(count)) + more).encode()


def task(body: bytes, *, create: bool = True, version: str | None = None, dry_run: bool = False) -> large.Write:
    settings = ZoneSettings(dnssec=False) if create else None
    return large.Write(body, None if create else ZONE, False, settings, version, "me", WriteOptions(dry_run=dry_run))


def test_a_zone_is_created_and_published(service: Service) -> None:
    done = large.do(service, task(zone_file(3)))
    assert done.zone == ZONE
    assert (done.outcome["applied"], done.outcome["published"], done.outcome["serial"]) == (True, True, 5)
    assert done.outcome["plan"]["rrsets"] == len(done.outcome["plan"]["adds"]) == 6
    assert service.signed_zone(ZONE)[0].serial == 5


def test_a_plan_shows_so_many_rrsets_and_tells_the_number_of_all(service: Service) -> None:
    plan = large.do(service, task(zone_file(MOST_DIFFS), dry_run=True)).outcome["plan"]
    assert (len(plan["adds"]), plan["rrsets"]) == (MOST_DIFFS, MOST_DIFFS + 3)
    assert service.opened(ZONE) is None


def test_a_zone_is_replaced_on_the_version_it_was_computed_from(service: Service) -> None:
    version = large.do(service, task(zone_file(3))).outcome["version"]
    done = large.do(service, task(zone_file(4), create=False, version=version))
    assert [add["name"] for add in done.outcome["plan"]["adds"]] == ["n3.big.test."]
    with pytest.raises(StaleVersion):
        large.do(service, task(zone_file(5), create=False, version=version))


def test_only_large_files_on_backends_that_several_processes_share_are_for_a_process(config: ControllerConfig) -> None:
    sqlite = build({"backend": {"type": "sqlite", "sqlite": {"path": "/x"}}}, ControllerConfig)
    assert large.is_large(sqlite, bytes(large.LEAST))
    assert not large.is_large(sqlite, bytes(large.LEAST - 1))
    assert not large.is_large(config, bytes(large.LEAST))


@pytest.fixture
def shared(tmp_path: Path, config: ControllerConfig) -> Iterator[tuple[ControllerConfig, Service]]:
    """A controller on SQLite."""
    settings = {
        "api": {"keys": [{"name": key.name, "role": key.role, "sha256": key.sha256} for key in config.api.keys]},
        "backend": {"type": "sqlite", "sqlite": {"path": f"{tmp_path}/state.sqlite"}},
        "dnssec": {"key_directory": f"{tmp_path}/keys", "master_key_file": f"{tmp_path}/master.key"},
        "publish": {"head_key_file": f"{tmp_path}/head.key"},
    }
    made = build(settings, ControllerConfig)
    initialise(made, {})
    service = open_service(made, {})
    yield made, service
    service.close()


def test_a_process_writes_what_the_daemon_then_has(
    shared: tuple[ControllerConfig, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, service = shared
    monkeypatch.setattr(large, "LEAST", 1)
    api = Api(TestClient(create_app(config, service)), "admin")
    text = {"Content-Type": "text/plain"}
    made = api("POST", "/zones/raw?reason=big", content=zone_file(3), headers=text)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == "/api/v1/zones/big.test."
    assert service.signed_zone(ZONE)[0].source == made.json()["version"]
    assert api("HEAD", "/zones/big.test").headers["etag"] == made.headers["etag"]
    problem(api("POST", "/zones/raw", content=zone_file(3), headers=text), 409, "already-exists")
    stale = {**text, "If-Match": '"v00000000000000000000000000"'}
    answer = problem(api("PUT", "/zones/big.test/raw", content=zone_file(4), headers=stale), 412, "stale-version")
    assert answer["current"] == made.json()["version"]


@pytest.mark.parametrize(
    ("body", "kind", "line"),
    [(zone_file(1, "x A x\n"), ZoneTextError, 7), (zone_file(1, "n0 CNAME ns\n"), ChecksFailed, 7)],
)
def test_what_a_process_refuses_is_told_with_its_places(
    shared: tuple[ControllerConfig, Service], body: bytes, kind: type[InputError], line: int
) -> None:
    with pytest.raises(kind) as caught:
        large.write(*shared, task(body))
    assert line in [place.line for place in caught.value.places]
