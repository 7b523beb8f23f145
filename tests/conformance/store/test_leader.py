# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Two controllers on one backend: one does the scheduled work, whoever is killed, paused or stopped; both write."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from running_controller import KEY, Connection, Controller, Forks

pytestmark = pytest.mark.conformance

TTL = 1.5
#: Longer than a server waits for a controller that was paused within a transaction.
PATIENCE = 90.0
#: Zones that are signed again every two seconds: who leads is at work most of the time, and then it is paused.
RESTLESS = [f"tick{n}.test." for n in range(20)]
POLICY = {"quantum": 1, "validity": 32, "refresh": 30, "dnskey_ttl": 1, "propagation_delay": 0}
TEXT = "$TTL 1\n@ SOA ns h 1 2 3 4 1\n@ NS ns\nns A 192.0.2.1\n"
WAIT = 0.02
#: Pauses at most; a good half of them meet a round.
PAUSES = 10


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with closing(Forks()) as made:
        yield made


class Pair:
    """Two controllers. Their policies differ in what does not matter, so what they sign tells who it was."""

    def __init__(self, forks: Forks, kind: str, options: dict[str, object], folder: Path) -> None:
        self.each = [
            Controller(
                *(forks, kind, options, folder),
                scheduler={"instance": name, "lease_ttl": TTL},
                dnssec={"rsa_bits": bits},
            )
            for name, bits in (("one", 2048), ("two", 3072))
        ]
        self._written = 0

    def ask(self, controller: Controller, method: str, path: str, body: object = None) -> dict[str, Any]:
        with closing(Connection(controller.port)) as connection:
            answer = connection(method, f"/api/v1{path}", body)
        assert answer.status in (200, 201), f"{answer}\n{controller.said()}"
        return answer.body

    def leader(self, seen_by: Controller) -> tuple[str, int]:
        """Name and fence of who leads; the name is empty while nobody does."""
        found = self.ask(seen_by, "GET", "/status")["leader"]
        return (found["instance"], found["fence"]) if found else ("", 0)

    def wait(self, until: Callable[[], bool]) -> float:
        """The seconds until it was so."""
        began = time.monotonic()
        while not until():
            if time.monotonic() > began + PATIENCE:
                pytest.fail("\n".join([f"not so after {PATIENCE:g} s", *(one.said() for one in self.each)]))
            time.sleep(WAIT)
        return time.monotonic() - began

    def led(self) -> tuple[Controller, Controller]:
        """The one that leads, and the other; both see it so, and each knows which it is."""
        told: list[dict[str, Any]] = []

        def agreed() -> bool:
            told[:] = [self.ask(one, "GET", "/status")["leader"] or {"fence": 0, "this": False} for one in self.each]
            return bool(told[0]["fence"]) and told[0]["fence"] == told[1]["fence"]

        self.wait(agreed)
        assert [one["this"] for one in told].count(True) == 1
        at = 0 if told[0]["this"] else 1
        return self.each[at], self.each[1 - at]

    def create(self, controller: Controller, name: str, policy: dict[str, object] | None = None) -> None:
        """A zone is created, and published before the answer is given."""
        body = {"name": name, "text": f"$ORIGIN {name}\n{TEXT}", "settings": {"policy": policy or {}}}
        assert self.ask(controller, "POST", "/zones", body)["published"]

    def write(self, controller: Controller) -> None:
        """Something that is not scheduled."""
        self._written += 1
        self.create(controller, f"w{self._written}.test.")

    def in_a_round(self, seen_by: Controller) -> None:
        """Wait until scheduled work is under way: a round begins a second after the one before has ended."""
        ends = []
        for _ in range(2):
            before = self.serial(seen_by)
            self.wait(lambda before=before: self.serial(seen_by) > before)  # type: ignore[misc]
            ends.append(time.monotonic())
        time.sleep(max(0.0, 1 + (ends[1] - ends[0] - 1) / 2 - (time.monotonic() - ends[1])))

    def refused(self, controller: Controller) -> int:
        """How many of its rounds were cut short, since another one had the lease."""
        request = Request(f"http://127.0.0.1:{controller.port}/metrics", headers={"X-API-Key": KEY})
        with urlopen(request, timeout=PATIENCE) as answer:
            found = re.search(rb'scheduled_runs_total\{job="maintain",outcome="lost"\} (\d+)', answer.read())
        return int(found[1]) if found else 0

    def serial(self, controller: Controller) -> int:
        """What the scheduled work moves."""
        return int(self.ask(controller, "GET", f"/zones/{RESTLESS[-1]}")["published"]["serial"])


@pytest.fixture(scope="module")
def pair(shared, forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    made = Pair(forks, shared.kind, shared.options, tmp_path_factory.mktemp("controllers"))
    made.each[0].init()
    for one in made.each:
        one.start()
    yield made
    for one in made.each:
        if one.alive():
            one.go_on()
            one.kill()
        assert "Traceback" not in one.said()


@contextmanager
def paused(controller: Controller) -> Iterator[None]:
    controller.pause()
    yield
    controller.go_on()


def test_a_head_that_another_controller_moved_reaches_long_polls_promptly(pair: Pair, shared) -> None:
    waits = []
    one, other = pair.each
    for _ in range(3):
        head = pair.ask(other, "GET", "/status")["head"] or 0
        arrived: list[float] = []

        def wait(head: int = head, arrived: list[float] = arrived) -> None:
            pair.ask(one, "GET", f"/heads/stable?after={head}&timeout=30")
            arrived.append(time.monotonic())

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.3)
        pair.write(other)
        written = time.monotonic()
        thread.join()
        waits.append(arrived[0] - written)
    print(f"{shared.kind}: {[round(seconds * 1000) for seconds in sorted(waits)]} ms after the answer to the writer")
    assert min(waits) < 1.0


def _fence(ask: Connection) -> int:
    leader: Any = ask("GET", "/api/v1/status").body["leader"]
    return int(leader["fence"]) if leader else 0


def test_who_was_killed_and_is_started_again_on_the_same_machine_need_not_wait(forks: Forks, tmp_path: Path) -> None:
    path = str(tmp_path / "state.sqlite")
    controller = Controller(forks, "sqlite", {"path": path}, tmp_path, scheduler={"lease_ttl": 3600})
    controller.init()
    for fence in (1, 2):
        controller.start()
        controller.wait(lambda ask, fence=fence: _fence(ask) == fence)  # type: ignore[misc]
        controller.kill()


def test_one_of_two_controllers_leads_whatever_happens_to_either(pair: Pair, shared) -> None:
    for name in RESTLESS:
        pair.create(pair.each[0], name, POLICY)
    one, other = pair.led()
    first = pair.leader(one)[1]
    # Paused in the middle of a round, for longer than the lease lasts; until what it wanted to commit was refused.
    for _ in range(PAUSES):
        pair.in_a_round(other)
        fence = pair.leader(other)[1]
        with paused(one):
            pair.wait(lambda seen=other, fence=fence: pair.leader(seen)[1] > fence)  # type: ignore[misc]
            pair.write(other)
            before = pair.serial(other)
            pair.wait(lambda seen=other, before=before: pair.serial(seen) > before)  # type: ignore[misc]
        pair.write(one)
        time.sleep(1)
        refused = pair.refused(one)
        one, other = pair.led()
        if refused:
            break
    assert refused

    fence = pair.leader(one)[1]
    one.kill()
    assert pair.wait(lambda: pair.leader(other)[1] > fence) < TTL + 5
    pair.write(other)
    one.start()
    one, other = pair.led()

    fence = pair.leader(one)[1]
    one.stop()
    assert pair.leader(other)[1] > fence or pair.wait(lambda: pair.leader(other)[1] > fence) < TTL
    before = pair.serial(other)
    pair.wait(lambda: pair.serial(other) > before)
    last = pair.leader(other)[1]
    other.stop()

    # The histories of the restless zones are those of all scheduled commits: each tenure's stand together.
    with closing(shared.open()) as store:
        for name in RESTLESS:
            history = store.scan(f"publication/{name}/", limit=100_000)[1:]  # the first one came with its creation
            makers = [str(version.value["signing"]) for version in history]
            assert sum(a != b for a, b in pairwise(makers)) <= last - first, makers
            assert len(set(makers)) == 2
