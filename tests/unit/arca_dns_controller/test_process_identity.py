# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A process is told from one that has ended, and from one of another machine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from arca_dns_controller.process import identity, is_gone


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_one_that_lives_is_not_gone(child: subprocess.Popen[bytes]) -> None:
    assert not is_gone(identity())
    assert not is_gone(identity(child.pid))


def test_one_that_was_killed_is_gone_also_before_anybody_has_waited_for_it(child: subprocess.Popen[bytes]) -> None:
    told = identity(child.pid)
    child.kill()
    child.wait()
    assert is_gone(told)


def test_another_one_with_its_number_is_another_one() -> None:
    here, pid, started = identity().rsplit(" ", 2)
    assert is_gone(f"{here} {pid} {int(started) - 1}")


def test_nothing_is_said_of_other_machines_and_of_what_is_not_known() -> None:
    machine, boot, space, pid, started = identity().split(" ")
    gone = str(int(started) - 1)
    for here in (("other", boot, space), (machine, "other", space), (machine, boot, "other")):
        assert not is_gone(" ".join((*here, pid, gone)))
    for told in ("", "  ", "dns1", f"{machine} {boot} {space} x 1", f"{machine} {boot} {space} {2**99} 1"):
        assert not is_gone(told)


def test_where_there_is_one_machine_only_whatever_was_before_a_reboot_is_gone() -> None:
    machine, boot, space, pid, started = identity().split(" ")
    assert is_gone(f"{machine} other {space} {pid} {started}", one_machine=True)
    assert is_gone(f"other other other {pid} {started}", one_machine=True)
    assert not is_gone(f"{machine} {boot} other {pid} 1", one_machine=True), "another container, perhaps"
    assert not is_gone(f"{machine} - {space} {pid} {started}", one_machine=True)


def test_one_that_ended_before_it_could_be_looked_at_has_no_identity(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    assert identity(child.pid) == ""
