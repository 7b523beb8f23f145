# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Worker processes: results in order, errors as they are, and a clear one when a process dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from arca_dns.dnssec import ranges
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.dnssec.signer import sign_zone
from arca_dns.dnssec.verifier import verify_zone
from arca_dns.dnssec.window import epoch_of
from arca_dns.errors import ChecksFailed, Place
from arca_dns.zone.tree import Blobs
from arca_dns_controller.workers import Processes, WorkerFailed
from dnssec_zones import APEX, NOW, ORIGIN, a, build


def work(kind: str) -> Callable[[int], int]:
    return partial(_one, kind)


def _one(kind: str, piece: int) -> int:
    if piece == 3 and kind == "refuse":
        raise ChecksFailed("three is refused", [Place("here", line=3)])
    if piece == 3 and kind == "break":
        raise ZeroDivisionError("three")
    if piece == 3 and kind == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if kind == "sql":
        return int("sqlalchemy" in sys.modules and sys.modules["sqlalchemy"] is not None)
    return os.getpid() if kind == "who" else piece * piece


def test_results_come_in_order_from_several_processes() -> None:
    assert list(Processes(2, 2).run(partial(work, "square"), iter(range(40)))) == [i * i for i in range(40)]
    pids = set(Processes(2, 2).run(partial(work, "who"), range(40)))
    assert os.getpid() not in pids


def test_a_single_piece_needs_no_process() -> None:
    assert list(Processes(2, 2).run(partial(work, "who"), [1])) == [os.getpid()]
    assert set(Processes(1).run(partial(work, "who"), range(5))) == {os.getpid()}


def test_an_error_of_the_library_arrives_as_it_is() -> None:
    with pytest.raises(ChecksFailed, match="three is refused") as caught:
        list(Processes(2, 2).run(partial(work, "refuse"), range(40)))
    assert caught.value.places == (Place("here", line=3),)


@pytest.mark.parametrize(("kind", "says"), [("break", "ZeroDivisionError"), ("die", "killed by signal 9")])
def test_a_worker_that_fails_says_so(kind: str, says: str) -> None:
    with pytest.raises(WorkerFailed, match=says):
        list(Processes(2, 2).run(partial(work, kind), range(40)))


def test_an_abandoned_work_ends_its_processes() -> None:
    results: Iterator[int] = iter(Processes(2, 2).run(partial(work, "who"), range(1000)))
    pid = next(results)
    results.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_runs_together_share_processes_that_end_with_them() -> None:
    with Processes(2, 2).together() as crew:
        pids = set(crew.run(partial(work, "who"), range(40)))
        assert list(crew.run(partial(work, "square"), range(5))) == [0, 1, 4, 9, 16]
        with crew.together() as same:
            assert set(same.run(partial(work, "who"), range(40))) == pids
    assert os.getpid() not in pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_a_run_after_one_that_failed_or_was_abandoned_has_workers_of_its_own() -> None:
    with Processes(2, 2).together() as crew:
        with pytest.raises(ChecksFailed):
            list(crew.run(partial(work, "refuse"), range(40)))
        results: Iterator[int] = iter(crew.run(partial(work, "who"), range(1000)))
        gone = next(results)
        results.close()  # type: ignore[attr-defined]
        assert gone not in set(crew.run(partial(work, "who"), range(40)))


def test_workers_do_not_load_databases() -> None:
    assert set(Processes(2, 2).run(partial(work, "sql"), range(4))) == {0}


def test_processes_sign_and_verify_as_one_thread_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "OWNERS", 100)
    policy = Policy()
    keys = generate_keys(policy, ORIGIN)
    blobs = Blobs.memory()
    source = build([*APEX, *(a(f"n{i}") for i in range(600))], blobs)
    zone = sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1, workers=Processes(2, 2))
    assert zone.store(blobs) == sign_zone(blobs, source, keys, policy, epoch_of(policy, NOW), 1).store(blobs)
    verify_zone(zone, NOW, workers=Processes(2, 2))
