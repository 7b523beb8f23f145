# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Writers that change zones through the API all the time and note what they tried and what was answered."""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from running_controller import Connection
from zone_invariants import Attempt

SOA = {
    "mname": "ns1.elsewhere.test.",
    "rname": "admin.elsewhere.test.",
    "refresh": 3600,
    "retry": 1800,
    "expire": 604800,
    "minimum": 300,
}
NS = {"name": "@", "type": "NS", "ttl": 3600, "value": "ns1.elsewhere.test."}
#: What a writer may be told while others write and servers die.
EXPECTED = (200, 201, 404, 409, 412, 503)

Edits = dict[tuple[str, str], tuple[str, ...] | None]


def document(zone: str, edits: Mapping[tuple[str, str], tuple[str, ...] | None]) -> dict[str, object]:
    """A zone's JSON with what *edits* put into it."""
    records = [
        {"name": owner, "type": kind, "ttl": 300, "values": list(values)}
        for (owner, kind), values in edits.items()
        if values is not None
    ]
    return {"name": zone, "soa": SOA, "records": [NS, *records]}


def write(connection: Connection, attempt: Attempt) -> int:
    """Try *attempt* and note the answer in it; returns the status, 0 for none."""
    options = f"?force=true&reason={attempt.reason}"
    path = f"/api/v1/zones/{attempt.zone}"
    try:
        if attempt.kind == "create":
            answer = connection("POST", f"/api/v1/zones{options}", document(attempt.zone, attempt.edits))
        elif attempt.kind == "replace":
            answer = connection("PUT", path + options, document(attempt.zone, attempt.edits), version=attempt.parent)
        elif attempt.kind == "rollback":
            body = {"version": attempt.target}
            answer = connection("POST", f"{path}/rollback{options}", body, version=attempt.parent)
        elif attempt.kind == "delete":
            answer = connection("DELETE", path + options, version=attempt.parent)
        else:
            changes = [
                {"action": "delete", "name": owner, "type": kind}
                if values is None
                else {"action": "put", "name": owner, "type": kind, "ttl": 300, "values": list(values)}
                for (owner, kind), values in attempt.edits.items()
            ]
            answer = connection("POST", f"{path}/changes{options}", {"changes": changes}, version=attempt.parent)
    except (OSError, http.client.HTTPException):
        return 0
    attempt.version = str(answer.body["version"]) if answer.body.get("version") else None
    attempt.serial = int(str(answer.body["serial"])) if "serial" in answer.body else None
    attempt.applied = answer.body.get("applied") is True
    attempt.status = answer.status
    return answer.status


@dataclass
class Load:
    """Some writers on some zones through some controllers, until told to stop."""

    ports: list[int]
    seed: int
    writers: int = 3
    zones: int = 4
    attempts: list[Attempt] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _turns: list[threading.Lock] = field(default_factory=list)

    def start(self) -> None:
        self._turns = [threading.Lock() for _ in range(self.writers)]
        self._threads = [threading.Thread(target=self._guard, args=(n,), daemon=True) for n in range(self.writers)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive(), "a writer waits for ever"
        assert not self.surprises, "\n".join(self.surprises)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Nobody writes meanwhile."""
        with ExitStack() as stack:
            for turn in self._turns:
                stack.enter_context(turn)
            yield

    def acknowledged(self) -> int:
        return sum(attempt.acknowledged for attempt in list(self.attempts))

    def _guard(self, number: int) -> None:
        try:
            self._work(number)
        except Exception as error:
            self.surprises.append(f"writer {number}: {error!r}")

    def _work(self, number: int) -> None:
        chance = random.Random(f"{self.seed}/{number}")
        connection = Connection(self.ports[number % len(self.ports)])
        for turn in range(1_000_000_000):
            if self._stop.is_set():
                break
            with self._turns[number]:
                worked = self._turn(connection, chance, f"w{number}-{turn}")
            self._stop.wait(0 if worked else 0.05)
        connection.close()

    def _turn(self, connection: Connection, chance: random.Random, reason: str) -> bool:
        """One write; false where there is nothing to do or nobody answers."""
        attempt = Attempt(f"z{chance.randrange(self.zones)}.chaos.test.", "create", reason)
        try:
            if not self._choose(connection, chance, attempt):
                return False
        except (OSError, http.client.HTTPException):
            return False
        self.attempts.append(attempt)
        status = write(connection, attempt)
        if status and status not in EXPECTED:
            self.surprises.append(f"{status} for {attempt}")
        return status not in (0, 503)

    def _choose(self, connection: Connection, chance: random.Random, attempt: Attempt) -> bool:
        """Make *attempt* one that fits the zone as it is; returns whether there is one."""
        found = connection("HEAD", f"/api/v1/zones/{attempt.zone}")
        marker: Edits = {("marker", "TXT"): (attempt.reason,)}
        addresses: Edits = {
            (f"h{n}", "A"): (f"192.0.2.{chance.randrange(256)}",)
            for n in chance.sample(range(40), chance.randint(1, 6))
        }
        if found.status == 404:
            attempt.edits = {**marker, **addresses}
            return True
        if found.status != 200:
            return False
        attempt.parent = found.etag
        attempt.kind = chance.choices(("change", "replace", "rollback", "delete"), (12, 4, 3, 1))[0]
        if attempt.kind in ("replace", "change"):
            attempt.edits = {**marker, **addresses}
        elif attempt.kind == "rollback":
            listed = connection("GET", f"/api/v1/zones/{attempt.zone}/versions")
            versions = listed.body.get("versions")
            if not isinstance(versions, list) or not versions:
                return False
            attempt.target = str(chance.choice(versions)["version"])
        return True
