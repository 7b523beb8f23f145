# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Reading zone files: ours beside the checkers of other servers, in turn, each in a process of its own.

``host`` zones are addresses with some MX and TXT, ``tld`` zones delegations with some DS and glue. Ours ends with the
content in canonical order, as trees take it. Time and peak memory are those of the whole process; ours stands there
without the start of Python too, which a daemon pays once.
Sizes may be given: ``bench_parse.py 1000 100000``.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import NamedTuple

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 3
OUR_NAME = "arca.dns"
OURS = """
import sys, time
from arca_dns.zone.text import parse
wall, cpu = time.perf_counter(), time.process_time()
with open(sys.argv[1], "rb") as file:
    parse(file.read())
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


class Cost(NamedTuple):
    """What one run took."""

    seconds: float
    cpu: float
    peak: float  # MiB


def zone(kind: str, size: int) -> Iterator[str]:
    """The lines of a zone of *size* names; the same at every run."""
    random = Random(f"{kind} {size}")
    yield "$ORIGIN example.\n$TTL 3600\n@ IN SOA ns1 hostmaster 2026010101 7200 3600 1209600 3600\n"
    yield "@ IN NS ns1\n@ IN NS ns2\nns1 IN A 192.0.2.1\nns2 IN A 192.0.2.2\n"
    for number in range(size - 3):
        name = f"{random.choice(('www', 'mail', 'shop', 'api'))}-{random.getrandbits(32):08x}{number:x}"
        high, low, share = random.randrange(256), random.randrange(256), random.random()
        if kind == "host":
            yield f"{name} IN A 10.{high}.{low}.7\n"
            if share < 0.3:
                yield f"{name} IN AAAA 2001:db8:{high:x}:{low:x}::1\n"
            if share < 0.1:
                yield f"{name} IN MX 10 mail{low % 9}\n{name} IN MX 20 mail.example.net.\n"
                yield f'{name} 300 IN TXT "v=spf1 ip4:10.{high}.0.0/16 -all"\n'
        elif share < 0.04:
            yield f"{name} IN NS ns1.{name}\n{name} IN NS ns2.{name}\n"
            yield f"ns1.{name} IN A 10.{high}.{low}.1\nns2.{name} IN A 10.{high}.{low}.2\n"
        else:
            yield f"{name} IN NS ns1.hoster{high * low % 5000}.net.\n{name} IN NS ns2.hoster{high * low % 5000}.net.\n"
        if kind == "tld" and share > 0.9:
            yield f"{name} IN DS {high * low} 13 2 {hashlib.sha256(name.encode()).hexdigest()}\n"


def commands(file: Path) -> dict[str, list[str]]:
    """What reads *file*, by name."""
    peers = {
        "kzonecheck": ["-o", "example.", str(file)],
        "ldns-read-zone": [str(file)],
        "named-compilezone": ["-k", "ignore", "-i", "none", "-o", "/dev/null", "example.", str(file)],
    }
    found = {OUR_NAME: [sys.executable, "-c", OURS, str(file)]}
    for name, arguments in peers.items():
        tool = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
        if tool is None:
            raise SystemExit(f"{name} is missing; requirements/apt.txt has its package")
        found[name] = [tool, *arguments]
    return found


def run(command: list[str]) -> tuple[Cost, bytes]:
    """What one run of *command* cost, and what it printed."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    output = process.stdout.read() if process.stdout else b""
    _pid, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} failed")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024), output


def costs(file: Path) -> Iterator[tuple[str, Cost]]:
    """Each reader once."""
    for name, command in commands(file).items():
        cost, output = run(command)
        if name == OUR_NAME:
            yield name, Cost(*map(float, output.split()), cost.peak)
            name = f"{name} with start"
        yield name, cost


def rows(kind: str, size: int, folder: Path) -> Iterator[tuple[str, ...]]:
    """The lines of the table for one zone."""
    file = folder / f"{kind}-{size}.zone"
    with file.open("w") as stream:
        stream.writelines(zone(kind, size))
    records = len(file.read_bytes().splitlines()) - 2
    best: dict[str, Cost] = {}
    for _ in range(ROUNDS if size < 1_000_000 else 2):
        for name, cost in costs(file):
            best[name] = min(best.get(name, cost), cost, key=lambda one: one.cpu)
    for name, cost in best.items():
        yield (
            kind,
            f"{size:,}",
            name,
            f"{cost.seconds:.2f}",
            f"{cost.cpu:.2f}",
            f"{records / cost.cpu / 1000:.0f}k",
            f"{best['kzonecheck'].cpu / cost.cpu:.2f}",
            f"{cost.peak:.0f}",
        )


def main() -> None:
    """Prints the table."""
    sizes = tuple(map(int, sys.argv[1:])) or SIZES
    table: list[tuple[str, ...]] = [("zone", "names", "reader", "s", "CPU s", "records/s", "to kzonecheck", "peak MiB")]
    with tempfile.TemporaryDirectory() as folder:
        table.extend(row for size in sizes for kind in ("host", "tld") for row in rows(kind, size, Path(folder)))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
