# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the driver for Knot asks knotc, and how it reads answers as knotc 3.2 gives them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from arca_dns.zone import names
from arca_dns_agent.datagram import Exchange
from arca_dns_agent.knot import Knot, run
from arca_dns_agent.server import Notifier, ServerUnavailable
from arca_dns_agent.unfinished import Unfinished
from transfers import KEY

COM, REVERSE, ODD = (names.from_text(name) for name in ("example.com.", "0/26.113.0.203.in-addr.arpa.", r"a\032b."))


class FakeKnotc:
    """Answers each line from a table, `OK` by default, and keeps what it was given."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        self.answers = answers or {}
        self.given: list[list[str]] = []
        self.commands: list[Sequence[str]] = []
        self.slept = 0

    async def __call__(self, command: Sequence[str], given: str) -> str:
        self.commands.append(command)
        self.given.append(given.splitlines())
        return "".join(self.answers.get(line, "OK") + "\n" for line in self.given[-1])

    async def sleep(self, _seconds: float) -> None:
        self.slept += 1


def knot(tmp_path: Path, fake: FakeKnotc) -> Knot:
    if not (tmp_path / "knot.sock").exists():
        (tmp_path / "knot.sock").touch()
    notifier = Notifier(Exchange(bytes, timeout=0.01), KEY, time.time)
    note = Unfinished(tmp_path / "note.json")
    return Knot("/usr/sbin/knotc", tmp_path / "knot.sock", "arca", notifier, fake, note, fake.sleep)


def test_zones_are_added_in_one_transaction_with_the_template(tmp_path: Path) -> None:
    fake = FakeKnotc()
    assert asyncio.run(knot(tmp_path, fake).add([COM, ODD])) == {}
    assert fake.given == [
        ["conf-begin"],
        [
            "conf-set zone[example.com.]",
            "conf-set zone[example.com.].template arca",
            r"conf-set zone[a\\032b.]",
            r"conf-set zone[a\\032b.].template arca",
            "conf-commit",
        ],
    ]
    assert fake.commands[0] == ["/usr/sbin/knotc", "-s", str(tmp_path / "knot.sock"), "-t", "60"]


def test_a_zone_that_knot_refuses_is_told_and_one_that_it_has_is_no_error(tmp_path: Path) -> None:
    fake = FakeKnotc(
        {
            "conf-set zone[example.com.]": "error: (already exists) zone[example.com.]",
            f"conf-set zone[{names.to_text(REVERSE)}].template arca": "error: (invalid identifier) zone",
        }
    )
    assert asyncio.run(knot(tmp_path, fake).add([COM, REVERSE])) == {REVERSE: "(invalid identifier) zone"}


def test_an_operators_transaction_is_waited_for_and_not_forever(tmp_path: Path) -> None:
    fake = FakeKnotc({"conf-begin": "error: (too many transactions)"})
    with pytest.raises(ServerUnavailable, match="too many transactions"):
        asyncio.run(knot(tmp_path, fake).add([COM]))
    assert fake.slept == 19
    assert all(given == ["conf-begin"] for given in fake.given), "what is not the agent's is not aborted"


def test_a_transaction_that_knot_does_not_take_is_given_up(tmp_path: Path) -> None:
    fake = FakeKnotc({"conf-commit": "error: (semantic check)"})
    with pytest.raises(ServerUnavailable, match="semantic check"):
        asyncio.run(knot(tmp_path, fake).remove([COM]))
    assert fake.given[-1] == ["conf-abort"]


class Hanging(FakeKnotc):
    """Stops at the batch that commits, and at what comes after it."""

    def __init__(self, answers: dict[str, str] | None = None) -> None:
        super().__init__(answers)
        self.hanging = asyncio.Event()
        self.go_on = asyncio.Event()
        self.raised: Exception | None = None

    async def __call__(self, command: Sequence[str], given: str) -> str:
        if "conf-commit" in given or self.hanging.is_set():
            self.hanging.set()
            if self.raised is not None:
                raise self.raised
            await self.go_on.wait()
        return await super().__call__(command, given)


def test_a_transaction_that_has_begun_is_ended_before_an_agent_stops(tmp_path: Path) -> None:
    fake = Hanging()

    async def story() -> None:
        adding = asyncio.create_task(knot(tmp_path, fake).add([COM]))
        await fake.hanging.wait()
        adding.cancel()
        await asyncio.sleep(0)
        fake.go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await adding

    asyncio.run(story())
    assert fake.given[-1][-1] == "conf-commit"


def test_a_transaction_whose_end_gave_no_answer_is_aborted(tmp_path: Path) -> None:
    class Silent(FakeKnotc):
        async def __call__(self, command: Sequence[str], given: str) -> str:
            if "conf-commit" in given:
                raise TimeoutError
            return await super().__call__(command, given)

    fake = Silent()
    with pytest.raises(ServerUnavailable):
        asyncio.run(knot(tmp_path, fake).add([COM]))
    assert fake.given == [["conf-begin"], ["conf-abort"]]


BUSY = "error: (too many transactions)"
OURS = "+zone.domain = example.com.\n+zone[example.com.].template = arca"


def killed(tmp_path: Path) -> None:
    """An agent that is gone in the middle of a transaction with `example.com.`."""
    fake = Hanging()
    fake.raised = TimeoutError()
    with pytest.raises(ServerUnavailable):
        asyncio.run(knot(tmp_path, fake).add([COM]))


@pytest.mark.parametrize("differences", [OURS, OURS.replace("+", "-"), ""])
def test_a_transaction_that_an_agent_left_is_ended_by_the_next(tmp_path: Path, differences: str) -> None:
    killed(tmp_path)
    fake = FakeKnotc({"conf-diff": differences})
    assert asyncio.run(knot(tmp_path, fake).add([ODD])) == {}
    assert fake.given[:3] == [["conf-diff"], ["conf-abort"], ["conf-begin"]]
    assert asyncio.run(knot(tmp_path, fake).add([ODD])) == {}
    assert fake.given.count(["conf-diff"]) == 1


@pytest.mark.parametrize(
    "differences",
    [
        "+server.nsid = x",
        f"{OURS}\n+zone.domain = other.example.",
        "-zone[other.example.].template = default",
        "error: (no active transaction)",
    ],
)
def test_a_transaction_of_somebody_else_is_not_ended_whatever_an_agent_left(tmp_path: Path, differences: str) -> None:
    killed(tmp_path)
    fake = FakeKnotc({"conf-diff": differences, "conf-begin": BUSY})
    with pytest.raises(ServerUnavailable, match="too many transactions"):
        asyncio.run(knot(tmp_path, fake).add([COM]))
    assert ["conf-abort"] not in fake.given
    assert fake.given.count(["conf-diff"]) == 1, "what was left is gone: this one is an operator's"


def test_what_was_left_in_a_knot_that_has_been_restarted_is_gone_with_it(tmp_path: Path) -> None:
    killed(tmp_path)
    (tmp_path / "knot.sock").rename(tmp_path / "old.sock")
    fake = FakeKnotc()
    asyncio.run(knot(tmp_path, fake).add([COM]))
    assert fake.given[0] == ["conf-begin"]


def test_a_note_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text("{")
    fake = FakeKnotc()
    asyncio.run(knot(tmp_path, fake).add([COM]))
    assert fake.given[0] == ["conf-begin"]


def test_a_removed_zone_leaves_nothing_on_disk(tmp_path: Path) -> None:
    fake = FakeKnotc()
    asyncio.run(knot(tmp_path, fake).remove([COM]))
    assert fake.given == [
        ["zone-purge example.com."],
        ["conf-begin"],
        ["conf-unset zone[example.com.]", "conf-commit"],
    ]
    assert fake.commands[0][-1] == "-f"


def test_only_zones_of_our_template_are_ours(tmp_path: Path) -> None:
    listed = """\
zone.domain = example.com.
zone[example.com.].template = arca
zone.domain = other.example.
zone[other.example.].template = default
zone.domain = 0/26.113.0.203.in-addr.arpa.
zone[0/26.113.0.203.in-addr.arpa.].template = arca"""
    status = """\
[example.com.] role: slave | serial: 2026112301 | refresh: +14s
[other.example.] role: master | serial: 5
[0/26.113.0.203.in-addr.arpa.] role: slave | serial: - | refresh: +27s"""
    fake = FakeKnotc({"conf-read zone": listed, "zone-status": status})
    found = asyncio.run(knot(tmp_path, fake).zones())
    assert {zone: one.serial for zone, one in found.items()} == {COM: 2026112301, REVERSE: None}


def test_version_and_retransfer(tmp_path: Path) -> None:
    fake = FakeKnotc({"status version": "Version: 3.2.6"})
    driver = knot(tmp_path, fake)
    assert asyncio.run(driver.version()) == "Knot 3.2.6"
    asyncio.run(driver.reload(COM))
    assert fake.given[-1] == ["zone-retransfer example.com."]


@pytest.mark.parametrize("raised", [TimeoutError(), FileNotFoundError(2, "No such file or directory")])
def test_a_knotc_that_gives_no_answer_is_a_server_that_is_not_there(tmp_path: Path, raised: Exception) -> None:
    class Silent(FakeKnotc):
        async def __call__(self, command: Sequence[str], given: str) -> str:
            raise raised

    with pytest.raises(ServerUnavailable):
        asyncio.run(knot(tmp_path, Silent()).zones())


def test_without_a_socket_knotc_is_not_run(tmp_path: Path) -> None:
    fake = FakeKnotc()
    driver = knot(tmp_path, fake)
    (tmp_path / "knot.sock").unlink()
    assert driver.generation() is None
    with pytest.raises(ServerUnavailable, match="is not there"):
        asyncio.run(driver.zones())
    assert fake.given == []


def test_the_runner_gives_input_and_reads_both_outputs() -> None:
    assert asyncio.run(run(["sh", "-c", "cat; echo bad >&2"], "good\n")) == "good\nbad\n"
