# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""One change in a live signed zone of BIND and Knot: a DNS UPDATE over an open TCP connection, until it is served."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import dns.flags
import dns.message
import dns.query
import dns.rdatatype
import dns.update

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_PATIENCE = 900.0
_WARM = 3


class Failed(Exception):
    """A server does not do what is measured; says what."""


def changes(source: Path, folder: Path, denial: str, count: int) -> Iterator[tuple[str, float, str]]:
    """(server, median seconds of one of *count* changes, or why there are none)."""
    for name, start in (("BIND", _named), ("Knot", _knotd)):
        program = shutil.which({"BIND": "named", "Knot": "knotd"}[name], path=_PATH)
        if program is None:
            yield name, 0.0, "is not installed (packages bind9 and knot)"
            continue
        place = folder / name
        place.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        shutil.copy(source, place / "zone")
        process = start(program, place, port, denial)
        try:
            yield name, _measured(port, process, count), ""
        except (Failed, OSError, EOFError, dns.exception.DNSException) as error:
            yield name, 0.0, f"failed: {error}"
        finally:
            process.terminate()
            process.wait(60)
            shutil.rmtree(place)


def _run(command: list[str], place: Path) -> subprocess.Popen[bytes]:
    with (place / "output").open("wb") as output:
        return subprocess.Popen(command, stdout=output, stderr=output, cwd=place)


def _named(program: str, place: Path, port: int, denial: str) -> subprocess.Popen[bytes]:
    nsec3 = "nsec3param iterations 0 optout no salt-length 0;" if denial == "nsec3" else ""
    (place / "named.conf").write_text(
        f'options {{ directory "{place}"; pid-file none; session-keyfile "{place}/session.key"; recursion no;'
        f" listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; notify no; tcp-idle-timeout 1200; }};\n"
        "controls {};\n"
        'dnssec-policy "bench" { keys { csk lifetime unlimited algorithm ecdsap256sha256; }; ' + nsec3 + " };\n"
        'zone "example" { type primary; file "zone"; dnssec-policy "bench"; inline-signing no;'
        " allow-update { 127.0.0.1; }; };\n"
    )
    return _run([program, "-g", "-c", str(place / "named.conf")], place)


def _knotd(program: str, place: Path, port: int, denial: str) -> subprocess.Popen[bytes]:
    (place / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {place}\n  tcp-idle-timeout: 1200\n"
        f"database:\n  storage: {place}\n"
        "acl:\n  - id: update\n    address: 127.0.0.1\n    action: update\n"
        "policy:\n  - id: bench\n    algorithm: ecdsap256sha256\n    single-type-signing: on\n"
        f"    nsec3: {'on' if denial == 'nsec3' else 'off'}\n    nsec3-iterations: 0\n    nsec3-salt-length: 0\n"
        f"zone:\n  - domain: example.\n    storage: {place}\n    file: zone\n    dnssec-signing: on\n"
        "    dnssec-policy: bench\n    acl: update\n    zonefile-sync: -1\n"
    )
    return _run([program, "-c", str(place / "knot.conf")], place)


def _measured(port: int, process: subprocess.Popen[bytes], count: int) -> float:
    until = time.monotonic() + _PATIENCE
    _wait(lambda: _signed(port, "example."), process, until)
    _wait(lambda: _signed(port, "ns2.example."), process, until)
    took: list[float] = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        serial = _serial(connection)
        for number in range(_WARM + count):
            begin = time.perf_counter()
            update = dns.update.UpdateMessage("example.")
            update.replace(f"zz-{number * 7919:x}", 300, "A", f"192.0.2.{number % 250 + 1}")
            answer = dns.query.tcp(update, "127.0.0.1", timeout=_PATIENCE, sock=connection)
            if answer.rcode():
                raise Failed(f"the server refused an update: {dns.rcode.to_text(answer.rcode())}")
            before = serial
            while (serial := _serial(connection)) == before:
                time.sleep(0.0005)
            took.append(time.perf_counter() - begin)
    return median(took[_WARM:])


def _serial(connection: socket.socket) -> int:
    query = dns.message.make_query("example.", "SOA")
    answer = dns.query.tcp(query, "127.0.0.1", timeout=_PATIENCE, sock=connection)
    return int(next(iter(answer.answer[0])).serial)


def _signed(port: int, name: str) -> bool:
    query = dns.message.make_query(name, "SOA" if name == "example." else "A", want_dnssec=True)
    try:
        answer = dns.query.tcp(query, "127.0.0.1", timeout=5, port=port)
    except (OSError, dns.exception.DNSException):
        return False
    return any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in answer.answer)


def _wait(holds: Callable[[], bool], process: subprocess.Popen[bytes], until: float) -> None:
    while not holds():
        if process.poll() is not None or time.monotonic() > until:
            raise Failed("a server did not serve the signed zone")
        time.sleep(0.2)
