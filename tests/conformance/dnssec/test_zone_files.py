# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The commands on zone files beside the tools of others: each accepts what the other signs with the same keys."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from arca_dns.dnssec.algorithms import RSASHA256, SUPPORTED
from arca_dns.dnssec.bind_keys import save
from arca_dns.dnssec.keys import generate_keys
from arca_dns.dnssec.policy import Policy
from arca_dns.zone import names
from arca_dns_controller.cli import app

TEXT = """\
$ORIGIN example.
$TTL 300
@ SOA ns1 hostmaster 7 7200 3600 1209600 600
@ NS ns1
@ MX 10 mail
ns1 A 192.0.2.1
ns1 AAAA 2001:db8::1
mail A 192.0.2.2
a.b.c TXT "empty" "non-terminals; above"
*.wild A 192.0.2.3
insecure NS ns.insecure
ns.insecure A 192.0.2.4
secure NS ns1
secure DS 12345 13 2 5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a
\\000\\.x A 192.0.2.5
UPPER CNAME ns1
s\\@f CAA 0 issue "ca.example.net"
"""
VERIFIERS = {
    "ldns-verify-zone": ("ldnsutils", ["ldns-verify-zone", "-V", "1"]),
    "dnssec-verify": ("bind9-utils", ["dnssec-verify", "-o", "example."]),
    "kzonecheck": ("knot-dnssecutils", ["kzonecheck", "-d", "on", "-o", "example."]),
}
SIGNERS = {
    "dnssec-signzone": ("bind9-utils", ["dnssec-signzone", "-S", "-K", "keys", "-o", "example.", "-f", "signed"]),
    "ldns-signzone": ("ldnsutils", ["ldns-signzone", "-o", "example.", "-f", "signed"]),
}
DENIALS = {"nsec": [], "nsec3": ["--nsec3"], "opt-out": ["--nsec3", "--opt-out", "--salt", "abcd", "--iterations", "2"]}


def run(package: str, command: list[str], folder: Path) -> str:
    if shutil.which(command[0]) is None:
        pytest.fail(f"{command[0]} is missing: apt-get install {package}")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def zone(*arguments: object) -> None:
    done = CliRunner().invoke(app, ["zone", *map(str, arguments)])
    assert done.exit_code == 0, done.output


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "keys").mkdir()
    (tmp_path / "zone").write_text(TEXT)
    for flags in (["-f", "KSK"], []):
        run("bind9-utils", ["dnssec-keygen", "-q", "-K", "keys", "-a", "13", *flags, "example."], tmp_path)
    return tmp_path


@pytest.mark.parametrize("tool", VERIFIERS)
@pytest.mark.parametrize("denial", DENIALS)
def test_others_accept_what_sign_makes_with_keys_of_bind(folder: Path, tool: str, denial: str) -> None:
    zone("sign", "--keys", folder / "keys", *DENIALS[denial], "-o", folder / "signed", folder / "zone")
    package, command = VERIFIERS[tool]
    run(package, [*command, "signed"], folder)
    zone("verify", folder / "signed")


@pytest.mark.parametrize("denial", [[], ["-3", "-"], ["-3", "abcd"]], ids=["nsec", "nsec3", "salted"])
def test_verify_accepts_what_bind_signs(folder: Path, denial: list[str]) -> None:
    package, command = SIGNERS["dnssec-signzone"]
    run(package, [*command, *denial, "zone"], folder)
    zone("verify", folder / "signed")
    zone("diff", folder / "zone", folder / "signed")


@pytest.mark.parametrize("denial", [[], ["-n"], ["-n", "-s", "abcd"]], ids=["nsec", "nsec3", "salted"])
def test_verify_accepts_what_ldns_signs(folder: Path, denial: list[str]) -> None:
    package, command = SIGNERS["ldns-signzone"]
    keys = [str(file.with_suffix("")) for file in sorted((folder / "keys").glob("*.key"))]
    run(package, [*command, *denial, "zone", *keys], folder)
    zone("verify", folder / "signed")
    zone("diff", folder / "zone", folder / "signed")


@pytest.mark.parametrize("algorithm", SUPPORTED)
def test_keys_of_every_algorithm_go_both_ways(tmp_path: Path, algorithm: int) -> None:
    (tmp_path / "zone").write_text(TEXT)
    for name in ("theirs", "ours"):
        (tmp_path / name).mkdir()
    for flags in (["-f", "KSK"], []):
        size = ["-b", "2048"] if algorithm == RSASHA256 else []
        command = ["dnssec-keygen", "-q", "-K", "theirs", "-a", str(algorithm), *size, *flags, "example."]
        run("bind9-utils", command, tmp_path)
    zone("sign", "--keys", tmp_path / "theirs", "-o", tmp_path / "by-us", tmp_path / "zone")
    run("bind9-utils", ["dnssec-verify", "-o", "example.", "by-us"], tmp_path)

    origin = names.from_text("example.")
    for pair in generate_keys(Policy(algorithm=algorithm), origin):
        save(tmp_path / "ours", pair)
    command = ["dnssec-signzone", "-S", "-K", "ours", "-o", "example.", "-f", "by-bind", "zone"]
    run("bind9-utils", command, tmp_path)
    zone("verify", tmp_path / "by-bind")
