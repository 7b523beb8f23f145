# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""``verify_command`` with the real ldns-verify-zone, and with programs that misbehave."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from arca_dns.dnssec.keystore import MemoryKeyStore
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ConfigError, VerificationFailed
from arca_dns.publish.head import HeadKey
from arca_dns.service import Service
from arca_dns.store.memory import MemoryStore
from arca_dns.zone import names
from arca_dns.zone.text import parse
from arca_dns_controller.config import read
from arca_dns_controller.second_check import Commands
from running_nsd import tool

pytestmark = pytest.mark.conformance

ZONE = names.from_text("example.")
TEXT = "$TTL 300\n@ SOA ns h 1 7200 3600 1209600 600\n@ NS ns\nns A 192.0.2.1\n"


def service_with(command: str) -> Iterator[Service]:
    checks = Commands({"ldns": command}, 60)
    made = Service(MemoryStore(), MemoryKeyStore(), HeadKey.generate(), second_checks=checks)
    yield made
    made.close()


@pytest.fixture
def service() -> Iterator[Service]:
    tool("ldns-verify-zone", "ldnsutils")
    yield from service_with("ldns-verify-zone -V 1 {file}")


@pytest.fixture
def strict() -> Iterator[Service]:
    """A check that wants signatures to live longer than ours do."""
    yield from service_with("ldns-verify-zone -V 1 -e P5Y {file}")


def python(code: str, timeout: float = 30) -> Commands:
    return Commands({"it": f"{sys.executable} -c '{code}' {{file}} {{zone}}"}, timeout)


def refusal(commands: Commands) -> str:
    with pytest.raises(VerificationFailed) as caught:
        commands.run("it", ZONE, iter(["a line\n"]))
    return caught.value.message


@pytest.mark.parametrize("policy", [{}, {"denial": "nsec3"}, {"zonemd": True}], ids=["nsec", "nsec3", "zonemd"])
def test_ldns_lets_good_zones_through(service: Service, policy: dict[str, str]) -> None:
    settings = ZoneSettings(policy=policy, verify_command="ldns")
    outcome = service.create_zone(ZONE, parse(TEXT, ZONE).rrsets, actor="alice", settings=settings)
    assert outcome.published, outcome.problem


def test_what_ldns_refuses_is_not_published_and_its_words_are_the_reason(strict: Service) -> None:
    settings = ZoneSettings(verify_command="ldns")
    outcome = strict.create_zone(ZONE, parse(TEXT, ZONE).rrsets, actor="alice", settings=settings)
    assert not outcome.published
    assert strict.zone(ZONE).published is None
    assert "the check 'ldns' refuses example., status" in (outcome.problem or "")
    assert "expire" in (outcome.problem or "").lower()


def test_the_program_gets_the_file_and_the_zone_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARCA_DNS_MASTER_KEY", "secret")
    code = "import os, sys; print(open(sys.argv[1]).read(), sys.argv[2], sorted(os.environ)); sys.exit(3)"
    said = refusal(python(code.replace("'", '"')))
    assert said.startswith("the check 'it' refuses example., status 3: a line | example. [")
    assert "MASTER" not in said


def test_its_file_is_private_and_gone_afterwards() -> None:
    code = "import os, sys; f = sys.argv[1]; print(f, oct(os.stat(os.path.dirname(f)).st_mode & 511)); sys.exit(1)"
    commands = python(code)
    said = refusal(commands)
    assert said.endswith("zone 0o700")
    assert not list(Path("/tmp").glob("arca-dns-check-*/zone"))


def test_a_program_without_end_is_ended_with_what_it_started() -> None:
    began = time.monotonic()
    child = 'subprocess.run([sys.executable, "-c", "import time; time.sleep(60)"])'
    code = f"import subprocess, sys; print(1, flush=True); {child}"
    assert refusal(python(code, timeout=0.5)) == "the check 'it' of example. took longer than 0.5 s: 1"
    assert time.monotonic() - began < 20


def test_only_the_last_lines_of_a_chatty_program_are_kept() -> None:
    code = 'import sys; [print(i, "x" * 50) for i in range(100000)]; print("\\033[1mend"); sys.exit(1)'
    said = refusal(python(code))
    assert len(said) < 500
    assert said.endswith("end")
    assert "\033" not in said


def test_a_program_that_is_not_there_is_said_to_be_missing() -> None:
    assert "cannot be run: No such file" in refusal(Commands({"it": "/nonexistent/check {file}"}, 5))


def test_a_signal_is_told() -> None:
    assert "signal 6" in refusal(python("import os; os.abort()"))


def test_no_shell_reads_the_command() -> None:
    Commands({"it": "true {file} ; false"}, 5).run("it", ZONE, iter(["x\n"]))


@pytest.mark.parametrize(
    ("command", "why"), [("check", "needs a program"), ("{file}", "needs a program"), ("a 'b", "does not split")]
)
def test_a_command_that_cannot_work_is_found_with_the_configuration(tmp_path: Path, command: str, why: str) -> None:
    file = tmp_path / "controller.yaml"
    file.write_text(f'dnssec:\n  verify_command:\n    it: "{command}"\n')
    with pytest.raises(ConfigError) as caught:
        read(file)
    (place,) = caught.value.places
    assert place.pointer == "dnssec.verify_command.it"
    assert why in place.message
