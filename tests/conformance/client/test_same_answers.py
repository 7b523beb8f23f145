# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The law of the Protocol: the same calls through the library and through a controller give the same answers."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, is_dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from arca_dns.client.base import Client, Write, ZoneContent
from arca_dns.client.http import HttpClient
from arca_dns.client.open import LocalFiles, open_local
from arca_dns.errors import ArcaError

from .conftest import KEY, controller

pytestmark = pytest.mark.conformance

ZONES = ("a.example.", "b.example")
TEXT = "$TTL 300\n@ SOA ns1 hostmaster 7 10800 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\nwww 60 A 192.0.2.1\n"
OTHER = TEXT + "mail MX 10 ns1\nwww 60 A 192.0.2.2\n"
BAD = TEXT + "x A 192.0.2.256\n"
_VERSION = re.compile(r"v[0-9A-Z]{26}")
Step = Callable[[Client], object]


def step(chance: random.Random) -> Step:
    """A call of a client; a version is named by where it stands in the zone's history."""
    zone = chance.choice(ZONES)
    text = chance.choice((TEXT, OTHER, BAD))
    write = Write(reason=chance.choice(("", "why")), dry_run=chance.random() < 0.3, force=chance.random() < 0.5)
    owner, at = chance.choice(("www", "@", "new", "*.w")), chance.randrange(6)

    def version(client: Client, place: int) -> str:
        found = [one.version for one in client.versions(zone)]
        return found[place % len(found)]

    def fenced(client: Client) -> Write:
        return Write(version(client, at), write.reason, write.dry_run, write.force)

    ttl = chance.choice((None, 60))
    steps: list[Step] = [
        lambda client: client.create_zone(zone, ZoneContent(text), write, {"dnssec": False}),
        lambda client: client.replace_zone(zone, ZoneContent(text), fenced(client)),
        lambda client: client.put_record_set(zone, owner, "TXT", ["a"], ttl, write),
        lambda client: client.put_record_set(zone, owner, "TXT", ["b", "c"], None, fenced(client)),
        lambda client: client.delete_record_set(zone, owner, "TXT", write),
        lambda client: client.delete_zone(zone, write),
        lambda client: client.undelete_zone(zone, write),
        lambda client: client.rollback(zone, version(client, at), write),
        lambda client: client.diff(zone, version(client, at)),
        lambda client: client.diff(zone, version(client, 0), version(client, at)),
        lambda client: client.record_sets(zone, version(client, at)),
        lambda client: "".join(client.zone_file(zone)),
        lambda client: list(client.versions(zone)),
        lambda client: list(client.deleted_zones()),
        lambda client: list(client.zones()),
        lambda client: client.zone(zone),
        lambda client: client.ds(zone, (2, 4)),
        lambda client: client.edges(),
    ]
    return chance.choice(steps)


def comparable(value: object) -> object:
    """*value* without what must differ between two stores: times and the texts of versions."""
    if is_dataclass(value) and not isinstance(value, type):
        return comparable(asdict(value))
    if isinstance(value, dict):
        times = ("time", "created", "modified", "deleted", "actor")
        return {name: comparable(one) for name, one in value.items() if name not in times}
    if isinstance(value, (list, tuple)):
        return [comparable(one) for one in value]
    return _VERSION.sub("V", value) if isinstance(value, str) else value


def answer(client: Client, call: Step) -> object:
    """What a call gives, or how it fails."""
    try:
        return comparable(call(client))
    except ArcaError as error:
        # a path needs whole names, so what the message calls a name may differ
        return comparable([type(error).__name__, list(error.places)])


@pytest.mark.parametrize("seed", range(2))
def test_the_same_calls_give_the_same_answers(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    local: Client = open_local("sqlite", LocalFiles.beside(tmp_path / "here/zones.db"), actor="somebody")
    with capture_logs(), controller(tmp_path / "there") as url, closing(local):
        remote: Client = HttpClient(url, KEY)
        for number in range(80):
            call = step(chance)
            assert answer(local, call) == answer(remote, call), number
