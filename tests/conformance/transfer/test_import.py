# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zones are taken over from a running server by AXFR, and from the configuration that BIND reads."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest
from typer.testing import CliRunner, Result

from arca_dns.zone import names
from arca_dns.zone.named_conf import read_zones
from arca_dns.zone.text import parse
from arca_dns_controller.cli import app
from arca_dns_controller.config import read
from arca_dns_controller.wiring import initialise
from controller_files import configuration, opened
from moved_state import zone_text
from running_nsd import RunningNsd, tool
from transfers import SECRET

pytestmark = pytest.mark.conformance

LAB = Path(__file__).parents[3] / "inventories" / "lab" / "zones"
NAME = "arca.example"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNsd]:
    nsd = RunningNsd(tmp_path_factory.mktemp("nsd"))
    zones = nsd.directory / "zones"
    (zones / f"{NAME}.zone").write_bytes((LAB / f"{NAME}.zone").read_bytes())
    (zones / "large.example.zone").write_text(zone_text("large.example", 4_000))
    nsd.start()
    try:
        for name in (NAME, "large.example"):
            nsd.control("addzone", name, "arca")
        for name in (NAME, "large.example"):
            _wait_until_served(nsd, name)
        yield nsd
    finally:
        nsd.stop()


def _wait_until_served(nsd: RunningNsd, name: str) -> None:
    query = dns.message.make_query(name, "SOA")
    deadline = time.monotonic() + 20
    while not dns.query.udp(query, "127.0.0.1", 5, nsd.port).answer:
        assert time.monotonic() < deadline, nsd.log()
        time.sleep(0.02)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = configuration(tmp_path / "c")
    initialise(read(file))
    return file


def key_file(folder: Path, secret: str = SECRET, name: str = "arca-dns.") -> Path:
    file = folder / "key"
    file.write_text(f'key "{name}" {{\n\talgorithm hmac-sha256;\n\tsecret "{secret}";\n}};\n')
    return file


def take(server: RunningNsd, config: Path, key: Path | None, *zones: str) -> Result:
    arguments = ["import", "--axfr", f"127.0.0.1:{server.port}", "--config", str(config)]
    arguments += [word for zone in zones for word in ("--zone", zone)]
    return CliRunner().invoke(app, arguments if key is None else [*arguments, "--tsig-key", str(key)])


def test_a_transferred_zone_has_the_root_of_its_zone_file(server: RunningNsd, config: Path, tmp_path: Path) -> None:
    result = take(server, config, key_file(tmp_path), NAME, "large.example")
    assert result.exit_code == 0, result.stderr
    again = configuration(tmp_path / "again")
    initialise(read(again))
    folder = server.directory / "zones"
    assert CliRunner().invoke(app, ["import", str(folder), "--config", str(again)]).exit_code == 0
    with opened(config) as transferred, opened(again) as read_from_files:
        found = {zone.name: (zone.source.root, zone.source.serial) for zone in transferred.zones()}
        assert found == {zone.name: (zone.source.root, zone.source.serial) for zone in read_from_files.zones()}
        large = parse(zone_text("large.example", 4_000))
        assert list(transferred.rrsets(large.origin)) == list(large.rrsets)


@pytest.mark.parametrize(
    ("secret", "name", "message"),
    [
        ("YmFk", "arca-dns.", "does not accept the TSIG key"),
        (SECRET, "other.", "does not accept the TSIG key"),
        ("c2VjcmV0!", "arca-dns.", "the secret is not base64"),
    ],
)
def test_a_wrong_key_is_told_and_shown_nowhere(
    server: RunningNsd, config: Path, tmp_path: Path, secret: str, name: str, message: str
) -> None:
    result = take(server, config, key_file(tmp_path, secret, name), NAME)
    assert result.exit_code == 1
    assert message in result.stderr
    assert secret not in result.output


def test_a_server_that_refuses_is_told(server: RunningNsd, config: Path, tmp_path: Path) -> None:
    result = take(server, config, None, NAME)
    assert result.exit_code == 1
    assert "the server answers REFUSED" in result.stderr
    result = take(server, config, key_file(tmp_path), "unknown.example")
    assert "the server answers NOTAUTH" in result.stderr
    with opened(config) as made:
        assert made.zones() == []


CONFIGURATION = """\
// comment { ;
# another "
/* a third
   { */
include "DIR/options.conf";
acl trusted { 127.0.0.0/8; !192.0.2.1; localnets; };
logging { channel x { file "DIR/log" versions 3 size 5m; severity info; }; category default { x; }; };
controls { };
zone "first.example" IN { type master; file "first.db"; allow-update { none; }; also-notify { 192.0.2.7 port 5300; }; };
zone "second.example" { type primary; file "DIR/abs/second;odd name.db"; // "
  notify explicit; };
zone "slave.example" { type slave; file "s.db"; masters { 192.0.2.3; }; };
zone "0/26.2.0.192.in-addr.arpa" { type primary; file "reverse.db"; };
include "DIR/more.conf";
"""


def test_named_checkconf_sees_the_same_zones_and_files(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "options.conf").write_text(
        f'options {{ directory "{tmp_path}/data"; recursion no; listen-on {{ none; }}; }};'
    )
    (tmp_path / "more.conf").write_text('zone "Third.Example" { type primary; file "third.db"; };\n')
    conf = tmp_path / "named.conf"
    conf.write_text(CONFIGURATION.replace("DIR", str(tmp_path)))
    command = [tool("named-checkconf", "bind9-utils"), "-p", str(conf)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    assert done.returncode == 0, done.stdout + done.stderr
    printed = tmp_path / "printed.conf"
    printed.write_text(done.stdout)
    ours, theirs = read_zones(conf), read_zones(printed)
    assert [(zone.name, zone.file) for zone in ours.zones] == [(zone.name, zone.file) for zone in theirs.zones]
    assert {names.to_text(zone.name) for zone in ours.zones} == {
        "first.example.",
        "second.example.",
        "0/26.2.0.192.in-addr.arpa.",
        "third.example.",
    }
    assert ours.others == theirs.others == (("slave.example", "slave"),)
